"""The figure of a results file: losses over the steps, differences to the baseline, and the table
that `altgrad summary` prints. It grows with what there is to show: layer configs stand side by
side, four in a row, and each row of the figure has its own table, whose first column is the key to
the lines. All lengths are inches, all places are from the top left."""

import matplotlib.pyplot as plt

from .axes import listed, printable, resolve
from .cells import COMPLETE
from .curves import Curves
from .panels import Limits, draw_panel
from .styles import line_styles, settings
from .table import HEADING, CellTable, key_width
from .text import literal, wrap

MOST_COLUMNS = 4
PANEL = 3.35  # wide
HEIGHTS = {"val_loss": 2.2, "difference": 1.9, "loss": 1.8}
MARGIN, GAP, WIDE_GAP = 0.15, 0.2, 0.9
TITLE, SMALL = 9.5, 8


class Page:
    """A figure that is built from the top to the bottom."""

    def __init__(self, wide):
        self.width, self.height = wide, 0.0
        self.parts = []  # functions of the figure, called when its height is known

    def axes(self, left, top, wide, high, draw):
        def place(figure):
            box = (left, self.height - top - high, wide, high)
            scale = (self.width, self.height, self.width, self.height)
            draw(figure.add_axes([part / whole for part, whole in zip(box, scale)]))

        self.parts.append(place)

    def text(self, left, top, lines, size, **how):
        """Lines of text one below the other; the height that they take."""
        step = size / 72 * 1.35

        def place(figure):
            for i, line in enumerate(lines):
                x, y = left / self.width, 1 - (top + step * i) / self.height
                figure.text(x, y, literal(line), fontsize=size, va="top", **how)

        self.parts.append(place)
        return step * len(lines)

    def draw(self):
        figure = plt.figure(figsize=(self.width, self.height))
        for part in self.parts:
            part(figure)
        return figure


class Point:
    """Which labels are drawn: all formats, layer configs and seeds of one point on the other axes,
    or those that are selected."""

    def __init__(self, results, select):
        selected = resolve(results.grid_axes, select)
        labels = results.labels
        for column, values in selected.items():
            labels = labels[labels[column].isin(values) | self._is_kept(results, labels, column)]
        if labels.empty:
            raise ValueError("no run of the experiment has all of these values")
        others = [a for a in results.grid_axes if a.column not in ("format", "layers", "seed")]
        for axis in others:
            if len(selected.get(axis.column, [])) > 1:
                raise ValueError(f"select one value of {axis.name}: a figure shows one point")
        self.first = self._choose(results, labels)
        for axis in others:
            labels = labels[labels[axis.column] == self.first[axis.column]]
        self.labels = labels
        self.named = ", ".join(f"{a.name} = {a.text(self.first[a.column])}" for a in others)
        self.note = _other_points(others, selected, labels)

    def _is_kept(self, results, labels, column):
        """The baseline's format stays beside the selected ones."""
        return (column == "format") & (labels["format"] == results.baseline.get("format"))

    def _choose(self, results, labels):
        """The first label of a completed run, else the first."""
        status = labels["id"].map(results.index.set_index("id")["status"])
        complete = labels[status.isin(COMPLETE)]
        return (labels if complete.empty else complete).iloc[0]


def _other_points(others, selected, labels):
    """What is not drawn, and how to draw it."""
    notes = []
    for axis in others:
        drawn = labels[axis.column].iloc[0]
        rest = [text for value, text in zip(axis.values, axis.texts) if value != drawn]
        if rest and axis.column not in selected:
            notes.append(f"{axis.name} = {listed(rest, 8)}")
    return f"not drawn: {'; '.join(notes)} (--select AXIS=VALUE)" if notes else ""


def overview(results, select=None, metric=None):
    """The figure of one point of the experiment. `select` maps axes to values, or to lists of them
    for format, layers and seed; on other axes it is one value, unless given that of the first
    completed run. `metric` is what the table compares, unless given what the experiment does."""
    point = Point(results, select)
    curves = Curves(results, point.labels)
    kinds = ["val_loss"]
    kinds += ["difference"] if curves.has_differences() else []
    kinds += ["loss"] if curves.has("loss") else []
    with settings():
        figure = Overview(results, point, curves, kinds, metric or results.metric).draw()
    return figure


def save(figure, path):
    """As PNG, PDF or SVG, by the path's ending; fonts stay fonts."""
    with settings():
        figure.savefig(path)


class Overview:
    """What the figure of a point is made of, and where it stands."""

    def __init__(self, results, point, curves, kinds, metric):
        self.results, self.point, self.kinds, self.metric = results, point, kinds, metric
        self.layers = list(dict.fromkeys(point.labels["layers"]))
        formats = list(dict.fromkeys(results.labels["format"]))
        self.styles = line_styles(formats, results.baseline.get("format"))
        self.formats = [name for name in formats if name in set(point.labels["format"])]
        self.window = curves.window("loss")
        self.lines = {"val_loss": curves.lines("val_loss")}
        if "difference" in kinds:
            self.lines["difference"] = curves.differences()
        if "loss" in kinds:
            self.lines["loss"] = curves.lines("loss", self.window)
        self.floor = self._floor()
        self.last = curves.last_step()
        self.limits = {kind: self._limits(kind) for kind in kinds}
        self.table = CellTable(results, point.labels, self.metric, self.formats)
        self.left = MARGIN + max(key_width(self.formats), 0.75)
        self.single = len(self.layers) == 1
        self.columns = len(kinds) if self.single else min(len(self.layers), MOST_COLUMNS)
        gap = WIDE_GAP if self.single else GAP
        self.step = PANEL + gap
        wide = self.left + self.columns * self.step - gap + MARGIN
        self.page = Page(max(wide, self.left + 2 * PANEL))

    def _floor(self):
        rates = self.results.index.set_index("id")["entropy_rate"]
        rates = rates.reindex(self.point.labels["id"]).dropna().unique()
        return float(rates[0]) if len(rates) == 1 else None

    def _limits(self, kind):
        margin = self.results.margin if kind == "difference" else None
        floor = None if kind == "difference" else self.floor
        return Limits(self.lines[kind].values(), self.last, margin, floor)

    def draw(self):
        top = self._draw_head()
        if self.single:
            top = self._draw_single(top)
        else:
            for i in range(0, len(self.layers), MOST_COLUMNS):
                top = self._draw_block(top, self.layers[i : i + MOST_COLUMNS])
            top = self._draw_caption(top, MARGIN, self.page.width - 2 * MARGIN)
        self.page.height = top + MARGIN
        return self.page.draw()

    def _draw_head(self):
        page, inside = self.page, self.page.width - 2 * MARGIN
        top = MARGIN
        name = wrap(self.results.name, 13, inside, "bold")
        top += page.text(MARGIN, top, name, 13, fontweight="bold")
        for words in (self.point.named, self.point.note, self.table.counts()):
            if words:
                lines = wrap(words, 9, inside)
                top += page.text(MARGIN, top + 0.03, lines, 9, color="#444444")
        return top + 0.15

    def _titles(self, layers):
        """Of each layer config, its lines: the name, then the point of the other axes."""
        return [
            (wrap(name, TITLE, PANEL, "bold"), wrap(self.point.named, SMALL, PANEL))
            if self.point.named
            else (wrap(name, TITLE, PANEL, "bold"), [])
            for name in layers
        ]

    def _title_height(self, titles):
        names = max(len(name) for name, _ in titles) * TITLE
        return (names + max(len(point) for _, point in titles) * SMALL) / 72 * 1.35 + 0.06

    def _draw_title(self, left, bottom, title):
        name, point = title
        high = (len(name) * TITLE + len(point) * SMALL) / 72 * 1.35
        top = bottom - high - 0.04
        top += self.page.text(left, top, name, TITLE, fontweight="bold")
        self.page.text(left, top, point, SMALL, color="#555555")

    def _draw_panel(self, place, kind, layers, is_first, is_last, high=None):
        left, top = place
        lines = [self.lines[kind].get((layers, name)) for name in self.formats]
        lines = [line for line in lines if line is not None]

        def draw(axes):
            draw_panel(axes, lines, self.styles, self.limits[kind], kind == "difference")
            if is_first:
                axes.set_ylabel(self._label(kind))
            else:
                axes.tick_params(labelleft=False)
            if is_last:
                axes.set_xlabel("step")
            else:
                axes.tick_params(labelbottom=False)

        self.page.axes(left, top, PANEL, high or HEIGHTS[kind], draw)

    def _label(self, kind):
        if kind == "difference":
            baseline = printable(", ".join(str(v) for v in self.results.baseline.values()))
            short = baseline if len(baseline) <= 16 else "the baseline"
            return literal(f"difference to {short}")
        if kind == "loss":
            return "training loss" + (f", mean of {self.window} steps" if self.window > 1 else "")
        return "validation loss"

    def _draw_block(self, top, layers):
        """Up to four layer configs: a panel of each kind, and the table below."""
        titles = self._titles(layers)
        high = self._title_height(titles)
        places = [self.left + i * self.step for i in range(len(layers))]
        for kind in self.kinds:
            top += high
            for i, (left, name) in enumerate(zip(places, layers)):
                self._draw_title(left, top, titles[i])
                is_last = kind == self.kinds[-1]
                self._draw_panel((left, top), kind, name, i == 0, is_last)
            top += HEIGHTS[kind] + 0.08
        return self._draw_table(top + 0.42, layers, places, titles) + 0.35

    def _draw_table(self, top, layers, places, titles):
        top += self._title_height(titles)
        rows = self.table.rows(layers)
        high = sum(rows) + HEADING
        for left, name, title in zip(places, layers, titles):
            self._draw_title(left, top, title)
            self.page.axes(left, top, PANEL, high, self.table.drawer(name, rows, PANEL, high))
        wide = self.left - MARGIN - 0.08
        draw = self.table.key_drawer(rows, self.styles, wide, high)
        self.page.axes(MARGIN, top, wide, high, draw)
        return top + high

    def _draw_single(self, top):
        """One layer config: the kinds side by side, the table and the caption below."""
        titles = self._titles(self.layers)
        top += self._title_height(titles)
        for i, kind in enumerate(self.kinds):
            left = self.left + i * self.step
            self._draw_title(left, top, titles[0])
            self._draw_panel((left, top), kind, self.layers[0], True, True, HEIGHTS["val_loss"])
        top += HEIGHTS["val_loss"] + 0.55
        bottom = self._draw_table(top, self.layers, [self.left], titles)
        left = self.left + PANEL + 0.3
        room = self.page.width - left - MARGIN
        if room < 2.5:
            return self._draw_caption(bottom + 0.3, MARGIN, self.page.width - 2 * MARGIN)
        top += self._title_height(titles) + HEADING
        return max(bottom, self._draw_caption(top, left, room))

    def _draw_caption(self, top, left, wide):
        lines = [line for words in self._caption() for line in wrap(words, SMALL, wide)]
        return top + self.page.text(left, top, lines, SMALL, color="#555555")

    def _caption(self):
        results = self.results
        yield (
            f"{self.metric}: mean ± standard deviation over seeds, nats per token; final_val_loss "
            "is the mean over the whole validation part."
        )
        if results.baseline:
            axes = {axis.column: axis for axis in results.grid_axes}
            named = (f"{axes[c].name} = {axes[c].text(v)}" for c, v in results.baseline.items())
            yield (
                f"difference: to {', '.join(named)} at the same other axes, mean of pairs ± 95 % "
                "interval (Student's t). worse, better: the interval lies beyond the margin of "
                f"{results.margin:g}; same: within it; open: more seeds would tell."
            )
        lines = self.lines["val_loss"].values()
        has_band = any(line.has_band for line in lines)
        yield (
            "curves: mean over seeds"
            + (", and band from the lowest to the highest" if has_band else "")
            + "; ◇: final_val_loss"
            + ("; grey: within the margin." if "difference" in self.kinds else ".")
        )
        if any(line.diverged for line in lines):
            yield "thin lines that end in ×: runs that diverged."
        if results.running:
            yield "thin lines: runs that are still training."
