"""What all figures of a report draw from: the grid in blocks, the comparison, styles of formats."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..axes import listed, resolve
from ..curves import Curves
from .facts import Facts
from .page import words
from .scales import number
from .svg import drawing

MOST_BLOCKS = 12  # of a figure; the CSV files have all
COLOURS, DASHES = 6, 5
BLOCK = "block number"  # columns of axes have no spaces: this one is never an axis


def _by(columns):
    """For groupby: a column alone by its name."""
    return columns[0] if len(columns) == 1 else columns


@dataclass
class Block:
    """The labels that differ in format and seed alone: a panel."""

    key: tuple  # values of the layer config and the other axes
    title: str
    note: str  # the point on the other axes
    labels: pd.DataFrame
    formats: list


class Context:
    """One report. `select` narrows the grid, {axis: value or values}; the baseline's format stays."""

    def __init__(self, results, select=None, metric=None):
        self.results = results
        self.metric = metric or results.metric
        self.margin = results.margin
        self.selected = resolve(results.grid_axes, select)
        self.labels = self._narrow(results.labels)
        if self.labels.empty:
            raise ValueError("no run of the experiment has all of these values")
        self.baseline = results.baseline.get("format")
        self.formats = list(dict.fromkeys(self.labels["format"]))
        self.block_axes = [a for a in results.grid_axes if a.column not in ("format", "seed")]
        self.blocks = self._blocks()
        self.shown = self.blocks[:MOST_BLOCKS]
        self.facts = Facts(results)
        status = results.index.set_index("id")["status"]
        self.runs = self.labels.assign(status=self.labels["id"].map(status))
        self.table = self._table()
        values = results.index.set_index("id")[self.metric]
        self.runs["value"] = self.runs["id"].map(values).astype(float)
        others = [name for name in dict.fromkeys(results.labels["format"]) if name != self.baseline]
        self._numbers = {name: i for i, name in enumerate(others)}
        self._curves = None

    def _narrow(self, labels):
        for column, values in self.selected.items():
            kept = labels[column].isin(values)
            if column == "format":
                kept |= labels["format"] == self.results.baseline.get("format")
            labels = labels[kept]
        return labels

    def _blocks(self):
        columns = [axis.column for axis in self.block_axes]
        blocks = []
        for key, labels in self.labels.groupby(_by(columns), sort=False, dropna=False):
            key = key if isinstance(key, tuple) else (key,)
            named = dict(zip(columns, key))
            others = [a for a in self.block_axes if a.column != "layers"]
            several = [a for a in others if self.labels[a.column].nunique() > 1]
            note = ", ".join(f"{a.name} = {a.text(named[a.column])}" for a in several)
            formats = list(dict.fromkeys(labels["format"]))
            blocks.append(Block(key, str(named["layers"]), note, labels, formats))
        return blocks

    def _table(self):
        """The cells of the drawn labels; of each block, of each format."""
        cells = self.results.table(self.metric)
        drawn = self.labels[self.results.cells].drop_duplicates()
        cells = cells.merge(drawn, on=self.results.cells)
        columns = [axis.column for axis in self.block_axes]
        numbers = {block.key: i for i, block in enumerate(self.blocks)}
        keys = [tuple(row) for row in cells[columns].itertuples(index=False)]
        return cells.assign(**{BLOCK: [numbers[key] for key in keys]})

    @property
    def done(self):
        """The runs, under each of their labels, that are done with a finite value."""
        return self.runs[(self.runs["status"] == "done") & np.isfinite(self.runs["value"])]

    @property
    def notes(self):
        """Which blocks are not drawn."""
        if len(self.blocks) <= MOST_BLOCKS:
            return []
        return [
            f"{MOST_BLOCKS} of {len(self.blocks)} points of the grid are drawn; the CSV file has "
            "all where it is a table, and --select AXIS=VALUE draws others."
        ]

    @property
    def has_baseline(self):
        return bool(self.results.baseline)

    @property
    def baseline_text(self):
        axes = {axis.column: axis for axis in self.results.grid_axes}
        pairs = self.results.baseline.items()
        return listed([f"{axes[c].name} = {axes[c].text(v)}" for c, v in pairs])

    def cells(self, block):
        """The rows of the table in a block, in the order of the formats."""
        return self.table[self.table[BLOCK] == self.blocks.index(block)]

    @property
    def curves(self):
        """Of the drawn blocks, by block and format: lines()[(*key, format)]."""
        if self._curves is None:
            labels = pd.concat([block.labels for block in self.shown])
            by = [*(axis.column for axis in self.block_axes), "format"]
            self._curves = Curves(self.results, labels, by)
        return self._curves

    # --- how formats look

    def style(self, name):
        """The classes of a format's line: colour and dash, no two alike among thirty."""
        if name == self.baseline:
            return "cb"
        i = self._numbers[name]
        dash = f" d{i % DASHES}" if i % DASHES else ""
        return f"c{i % COLOURS}{dash}" + (" heavy" if i // (COLOURS * DASHES) % 2 else "")

    def colour(self, name):
        return self.style(name).split()[0]

    def key(self, formats, extra=""):
        """The key to the lines of `formats`, as HTML."""
        parts = []
        for name in formats:
            line = f'<path class="line {self.style(name)}" d="M0 5H30"/>'
            sample = drawing(30, 10, [line], "")
            suffix = " (baseline)" if name == self.baseline else ""
            parts.append(f"<span>{sample}{words(name)}{suffix}</span>")
        return f'<div class="key">{"".join(parts)}{extra}</div>'

    def margin_text(self):
        return number(self.margin) if np.isfinite(self.margin) else "no margin"
