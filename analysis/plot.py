#!/usr/bin/python3
"""altgrad-plot without installing it: see altgrad_analysis/command.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from altgrad_analysis.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
