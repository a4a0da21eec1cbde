"""python3 -m altgrad_analysis COMMAND ...: what `altgrad report` starts."""

import importlib
import importlib.util
import os
import sys

NEEDED = ("h5py", "numpy", "pandas", "scipy")
SYSTEM = "/usr/bin/python3"  # has Debian's packages where the first python3 in PATH has none
TRIED = "ALTGRAD_PYTHON_TRIED"
COMMANDS = {"plot": ".command", "report": ".report.command", "tables": ".tables"}


def main():
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking and not os.environ.get(TRIED) and os.access(SYSTEM, os.X_OK):
        os.environ[TRIED] = sys.executable
        os.execv(SYSTEM, [SYSTEM, "-B", "-m", "altgrad_analysis", *sys.argv[1:]])
    if lacking:
        tried = os.environ.get(TRIED)
        print(
            f"altgrad: error: {sys.executable}{f' and {tried}' if tried else ''} lack the Python "
            f"package{'s' * (len(lacking) > 1)} {', '.join(lacking)}: install with 'pip install "
            f"{' '.join(lacking)}' (Debian: apt install {' '.join('python3-' + n for n in lacking)}), "
            "or name another interpreter with ALTGRAD_PYTHON",
            file=sys.stderr,
        )
        return 3
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in COMMANDS:
        print(f"usage: python3 -m altgrad_analysis {'|'.join(COMMANDS)} ...", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[command], "altgrad_analysis")
    return module.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
