#!/usr/bin/python3
"""Draws the losses of a results file and the table of formats and layer configs.

    analysis/plot.py results/quickstart.h5 [-o results/quickstart.png]
"""

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from altgrad_analysis import Results  # noqa: E402
from altgrad_analysis.plots import overview  # noqa: E402


def parse_select(words):
    """["optimizer_lr=1e-3", ...] as a dictionary."""
    pairs = [word.partition("=") for word in words]
    wrong = [axis for axis, equals, _ in pairs if not equals]
    if wrong:
        raise ValueError(f"--select {wrong[0]}: expected AXIS=VALUE")
    return {axis: value for axis, _, value in pairs}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, help="a results file (HDF5)")
    parser.add_argument("-o", "--output", type=Path, help="the picture (default: RESULTS.png)")
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="AXIS=VALUE",
        help="for an axis beyond format, layers and seed: the value to draw (its first)",
    )
    options = parser.parse_args(arguments)
    output = options.output or options.results.with_suffix(".png")
    try:
        results = Results(options.results)
        figure = overview(results, parse_select(options.select))
        figure.savefig(output)
    except (OSError, ValueError, KeyError) as error:
        print(f"plot.py: error: {options.results}: {error}", file=sys.stderr)
        return 2
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
