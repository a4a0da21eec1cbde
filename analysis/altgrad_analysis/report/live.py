"""A page that follows a running experiment."""

import sys
import time
from pathlib import Path

SILENT_S = 300  # an owner whose heartbeat is older has probably died; it comes every half minute
INTERRUPTED = 130


def is_owned(path):
    """Whether somebody trains the experiment of a results file, by the file that its owner keeps."""
    try:
        return time.time() - (Path(f"{path}.d") / "owner").stat().st_mtime < SILENT_S
    except OSError:
        return False


def follow(path, draw, every):
    """draw(seconds until the page loads itself anew, or None) as long as somebody trains, and at last
    once more. Only the first drawing may fail: later ones meet a file that changes, and are tried
    again. Returns the exit code."""
    code, is_first = 0, True
    try:
        while is_owned(path):
            try:
                page = draw(every)
            except (OSError, ValueError, KeyError):
                if is_first:
                    raise
            if is_first:
                is_first = False  # before the print: who reads it may interrupt at once
                print(page, flush=True)
            time.sleep(every)
    except KeyboardInterrupt:
        code = INTERRUPTED
    page = draw()
    if is_first:
        print(page)
        print(f"altgrad: nobody trains {path}: the page is as it stands", file=sys.stderr)
    return code
