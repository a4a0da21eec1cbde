"""Colours and lines of the figures."""

from contextlib import contextmanager

import matplotlib

from . import text

BASELINE_COLOUR = "#000000"
# Okabe and Ito's colours, told apart by most colour-blind readers, without the yellow, which is
# faint on white; black is the baseline's.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"]
DASHES = ["-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1.2, 1, 1.2, 1, 1.2))]
MARKERS = ["", "o", "s", "^", "v", "x", "+"]  # beyond 30 formats
VERDICT_COLOURS = {
    "same": "#DDEBD8",
    "worse": "#F6C9A0",
    "better": "#B9DCF3",
    "open": "#F3EDC6",
    "diverged": "#6E6E6E",
    "baseline": "#FFFFFF",
    "": "#F4F4F4",
}
SETTINGS = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.labelsize": 9,
    "font.size": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.5,
    "savefig.dpi": 150,
    "pdf.fonttype": 42,  # text stays text, in fonts that journals take
    "ps.fonttype": 42,
    "svg.fonttype": "none",
}


@contextmanager
def settings():
    """Ours, whatever matplotlibrc says: the layout depends on them."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        text.use_installed_fonts()
        matplotlib.rcParams.update(SETTINGS)
        matplotlib.rcParams["font.family"] = text.FAMILY
        yield


def line_styles(formats, baseline):
    """How each format is drawn, {format: arguments of plot()}: no two alike, and each the same
    whatever is selected."""
    others = [name for name in formats if name != baseline]
    styles = {}
    for i, name in enumerate(others):
        colour, rest = i % len(COLOURS), i // len(COLOURS)
        styles[name] = {
            "color": COLOURS[colour],
            "linestyle": DASHES[rest % len(DASHES)],
            "marker": MARKERS[rest // len(DASHES) % len(MARKERS)],
            "markersize": 3,
            "markevery": 0.2,
        }
    styles[baseline] = {"color": BASELINE_COLOUR, "linestyle": "-", "linewidth": 1.0, "zorder": 5}
    return {name: styles[name] for name in formats}
