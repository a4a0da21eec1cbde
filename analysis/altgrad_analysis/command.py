"""Draws a results file: losses over the steps, differences to the baseline, and the table that
`altgrad summary` prints.

    altgrad-plot results/quickstart.h5 [-o figure.pdf] [--select optimizer.lr=1e-3] [--live]
"""

import argparse
import sys
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from .axes import parse_select  # noqa: E402
from .plots import overview, save  # noqa: E402
from .results import Results  # noqa: E402


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="a results file (HDF5)")
    parser.add_argument(
        "-o", "--output", type=Path, help="the figure: .png, .pdf or .svg (default: RESULTS.png)"
    )
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="AXIS=VALUE",
        help="the value to draw of an axis (default: that of the first completed run); of format, "
        "layers and seed, which are all drawn unless selected, it may be given several times",
    )
    parser.add_argument(
        "--metric", help="what the table compares (default: what the experiment compares)"
    )
    parser.add_argument(
        "--live", action="store_true", help="draw runs that are still training, as thin lines"
    )
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    output = options.output or options.results.with_suffix(".png")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*missing from current font")
            results = Results(options.results, live=options.live)
            save(overview(results, parse_select(options.select), options.metric), output)
    except (OSError, ValueError, KeyError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        print(f"{Path(sys.argv[0]).name}: error: {options.results}: {reason}", file=sys.stderr)
        return 2
    print(output)
    return 0
