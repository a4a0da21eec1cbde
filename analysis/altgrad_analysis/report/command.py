"""altgrad report: one HTML page of a results file, with a CSV file behind each figure.

The page needs no network. It has the loss over steps over the baseline's band, paired differences,
final losses with intervals and verdicts, every seed, maps of formats, layers and roles, learning
rates, shares of diverged runs, and what else the experiment has; it names what was left out, and
why.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from ..axes import listed, parse_select
from ..cells import STATUSES
from ..results import Results
from .context import Context
from .figures import FIGURES
from .live import follow
from .page import LeftOut, render, words

NAME = "report.html"


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="altgrad report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, help="a results file (HDF5)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="the folder of the page and its CSV files (default: RESULTS without .h5, and .report)",
    )  # fmt: skip
    parser.add_argument(
        "--select", action="append", default=[], metavar="AXIS=VALUE",
        help="draw these values of an axis alone; may be given several times; verdicts and claims stay "
        "those of all seeds and comparisons",
    )  # fmt: skip
    parser.add_argument("--metric", help="what is compared (default: as in the experiment)")
    parser.add_argument(
        "--live", action="store_true",
        help="draw runs that are still training, too, and write the page again and again while "
        "somebody trains; it loads itself anew",
    )  # fmt: skip
    parser.add_argument(
        "--every", type=float, default=10, metavar="SECONDS", help="with --live: how often (10)"
    )
    return parser.parse_args(arguments)


def make(results, select=None, metric=None, refresh=None):
    """The page's HTML, {name: text} of the CSV files, and [(figure, what went wrong)]."""
    context = Context(results, select, metric)
    figures, left_out, faults = [], [], []
    for title, draw in FIGURES:
        try:
            figures.append(draw(context))
        except LeftOut as reason:
            left_out.append((title, str(reason)))
        except Exception as error:  # one figure must not cost the reader all the others
            faults.append((title, repr(error)))
    head = _head(context, refresh) + _faults(faults)
    return *render(results.name, head, figures, left_out, refresh), faults


def _faults(faults):
    items = "".join(f"<li><b>{words(title)}</b>: {words(error)}</li>" for title, error in faults)
    if not items:
        return ""
    return (
        '<div class="warn">By a fault of altgrad these are not drawn; please report it, with the '
        f"results file if you may: <ul>{items}</ul></div>"
    )


# A verdict on seeds or cells that were picked after a look at them would be false more often than it
# says.
SELECTED = (
    "The selection chooses the curves, dots, shares, fits and costs, and the cells that tables and maps "
    "list; it changes neither the counts of runs above and the claims, which are of the whole "
    "experiment, nor a listed cell's n, mean, difference, interval and verdict, which are over all its "
    "seeds, as altgrad summary of the whole experiment has them."
)


def _head(context, refresh):
    results = context.results
    counts = results.index["status"].value_counts()
    counted = ", ".join(f"<b>{counts.get(s, 0)}</b> {s}" for s in STATUSES if counts.get(s, 0))
    facts = [
        words(results.path.name),
        f"runs: {counted or 'none'}",
        f"compared: {words(context.metric)}",
        f"baseline: {words(context.baseline_text) or 'none'}",
        f"margin: {context.margin_text()}",
    ]
    if context.selected:
        axes = {axis.column: axis for axis in results.grid_axes}
        chosen = [
            f"{axes[c].name} = {listed(map(axes[c].text, v))}" for c, v in context.selected.items()
        ]
        facts.append(f"selected: {words('; '.join(chosen))}")
    head = '<div class="facts">' + "".join(f"<div>{fact}</div>" for fact in facts) + "</div>"
    if context.selected:
        head += f'<p class="soft">{words(SELECTED)}</p>'
    pending = int(counts.get("pending", 0))
    if pending:
        head += (
            f'<p class="warn">{pending} of {len(results.index)} runs are not complete: numbers below '
            "are of those that are, and will change.</p>"
        )
    if refresh:
        head += (
            f'<p class="warn">Live, as of {time.strftime("%H:%M:%S")}: {len(results.running)} runs train; '
            f"this page loads itself anew every {refresh:g} s.</p>"
        )
    return head


def write(folder, html, files):
    """The page last, each file at once, so that a reader never sees a half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in [*files.items(), (NAME, html)]:
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, folder / name)
    return folder / NAME


def default_folder(path):
    return path.with_name((path.stem if path.suffix == ".h5" else path.name) + ".report")


def main(arguments=None):
    options = parse(arguments)
    folder = options.output or default_folder(options.results)
    code, faults = 0, []
    try:
        select = parse_select(options.select)

        def draw(refresh=None):
            results = Results(options.results, live=options.live)
            html, files, faults[:] = make(results, select, options.metric, refresh)
            return write(folder, html, files)

        if options.live:
            code = follow(options.results, draw, max(options.every, 1))
        else:
            print(draw())
    except (OSError, ValueError, KeyError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        print(f"altgrad: error: {options.results}: {reason}", file=sys.stderr)
        return 2
    for title, error in faults:
        print(
            f"altgrad: error: {title}: not drawn, by a fault of altgrad: {error}", file=sys.stderr
        )
    return code or (1 if faults else 0)
