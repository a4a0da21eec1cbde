"""The table of a figure: a row per format, whose colour is the verdict of `altgrad summary`."""

import numpy as np
from matplotlib.patches import Rectangle

from .cells import STATUSES, missing, verdict_of
from .styles import VERDICT_COLOURS
from .text import literal, width, wrap

SIZE = 8.5
ROW, LINE, HEADING = 0.21, 0.155, 0.2
KEY_TEXT, SWATCH = 2.3, 0.5  # widest name, and the line beside it
STARTS = (0.06, 1.22, 2.55)  # of mean, difference and verdict


def key_width(formats):
    lines = [line for name in formats for line in wrap(name, SIZE, KEY_TEXT)]
    return SWATCH + max(width(line, SIZE) for line in lines) + 0.15


def _number(text):
    """No -0.0000."""
    return text.replace("-0.0000", "+0.0000").replace("-", "\N{MINUS SIGN}")


class CellTable:
    """The cells of the drawn labels, by layer config and format."""

    def __init__(self, results, labels, metric, formats):
        cells = results.table(metric)
        cells = cells.merge(labels[results.cells].drop_duplicates(), on=results.cells)
        self.cells = {(c["layers"], c["format"]): c for _, c in cells.iterrows()}
        self.metric, self.formats = metric, formats
        self.has_baseline = bool(results.baseline)

    def counts(self):
        """Over the table, where runs are missing: "12 done, 3 pending"."""
        counts = {
            word: sum(int(cell[word]) for cell in self.cells.values())
            for word in STATUSES
        }
        if not sum(counts.values()) - counts["done"]:
            return ""
        named = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        return f"runs in the table: {named}"

    def rows(self, layers):
        """The height of each format's row."""
        heights = []
        for name in self.formats:
            lines = len(wrap(name, SIZE, KEY_TEXT))
            cells = [self.cells.get((config, name)) for config in layers]
            below = any(_texts(cell)[1] for cell in cells if cell is not None)
            lines = max(lines, 1 + below)
            heights.append(ROW + (lines - 1) * LINE)
        return heights

    def _prepare(self, axes, wide, high):
        axes.set_xlim(0, wide)
        axes.set_ylim(high, 0)
        axes.axis("off")

    def key_drawer(self, rows, styles, wide, high):
        """Names of the formats, each beside its line."""

        def draw(axes):
            self._prepare(axes, wide, high)
            top = HEADING
            for name, row in zip(self.formats, rows):
                axes.plot([wide - SWATCH + 0.06, wide], [top + ROW / 2] * 2,
                          **{**styles[name], "markevery": [0]})  # fmt: skip
                for i, line in enumerate(wrap(name, SIZE, KEY_TEXT)):
                    axes.text(wide - SWATCH, top + ROW / 2 + i * LINE, literal(line), ha="right",
                              va="center", fontsize=SIZE)  # fmt: skip
                top += row

        return draw

    def drawer(self, layers, rows, wide, high):
        """The cells of one layer config."""
        titles = [f"{self.metric} ± sd"]
        titles += ["difference ± 95 %", "verdict"] if self.has_baseline else []

        def draw(axes):
            self._prepare(axes, wide, high)
            for start, title in zip(STARTS, titles):
                axes.text(start, HEADING / 2, title, va="center", fontsize=7.5, color="#555555")
            top = HEADING
            for name, row in zip(self.formats, rows):
                cell = self.cells.get((layers, name))
                if cell is not None:
                    _draw_cell(axes, cell, top, row, wide)
                top += row

        return draw


def _texts(cell):
    """Mean, difference, verdict; and what stands below, or in place of the difference."""
    mean = "-" if np.isnan(cell["mean"]) else f"{cell['mean']:.4f}"
    mean += f" ± {cell['sd']:.4f}" if np.isfinite(cell["sd"]) else ""
    difference = "" if cell["pairs"] == 0 else f"{cell['difference']:+.4f}"
    difference += f" ± {cell['half_width']:.4f}" if np.isfinite(cell["half_width"]) else ""
    lacking = missing(cell)
    verdict = verdict_of(cell)
    difference = "" if verdict == "baseline" else _number(difference)
    texts = _number(mean), difference or lacking, verdict
    return texts, lacking if difference else ""


def _draw_cell(axes, cell, top, row, wide):
    verdict = verdict_of(cell)
    colour = VERDICT_COLOURS[verdict]
    edge = "#999999" if verdict == "baseline" else "white"
    axes.add_patch(
        Rectangle((0.01, top + 0.01), wide - 0.02, row - 0.02, facecolor=colour, edgecolor=edge)
    )
    ink = "white" if verdict == "diverged" else "#111111"
    texts, below = _texts(cell)
    for start, text in zip(STARTS, texts):
        axes.text(start, top + ROW / 2, text, va="center", fontsize=SIZE, color=ink)
    axes.text(STARTS[1], top + ROW / 2 + LINE, below, va="center", fontsize=7.5, color=ink)
