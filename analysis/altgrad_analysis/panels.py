"""One panel of curves."""

import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, SymmetricalLogLocator

START = 0.05  # of the steps: what falls steeply before does not decide on the limits ...
ENOUGH = 8  # ... where this many points are left


class Limits:
    """Of the axes of all panels of one kind. The end decides, not the steep start. Differences of
    which some are far larger than the margin stand on an axis that is linear within it and
    logarithmic beyond."""

    def __init__(self, lines, last, margin=None, floor=None):
        """`last` is the last step of all; `margin` is for differences, `floor` for losses."""
        self.last, self.margin, self.floor = last, margin, floor
        lines = list(lines)
        points = [point for line in lines for point in line.points()]
        start = START * last
        if max((np.sum(steps >= start) for steps, _ in points), default=0) < ENOUGH:
            start = 0
        values = [np.empty(0)] if margin is None else [np.zeros(1)]
        values += [np.asarray(v)[steps >= start] for steps, v in points]
        for line in lines:
            values += [np.array([line.final[1]])] if line.final is not None else []
        values = np.concatenate(values)
        values = values[np.isfinite(values)]
        self.low, self.high = (values.min(), values.max()) if values.size else (0.0, 1.0)
        self.has_floor = floor is not None and self.low - floor < 2 * (self.high - self.low)
        if self.has_floor:
            self.low = min(self.low, floor)
        if margin and self.low == self.high == 0:
            self.low, self.high = -margin, margin
        largest = max(abs(self.low), abs(self.high))
        self.is_log = margin is not None and 0 < 8 * margin < largest

    def apply(self, axes):
        room = (self.high - self.low) or abs(self.low) * 0.1 or 0.01
        low, high = self.low - 0.07 * room, self.high + 0.07 * room
        if self.is_log:
            axes.set_yscale("symlog", linthresh=self.margin, linscale=0.7)
            axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=self.margin))
            low, high = min(self.low * 1.6, -self.margin), max(self.high * 1.6, self.margin)
        else:
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_ylim(low, high)
        ticks = [tick for tick in axes.yaxis.get_majorticklocs() if low <= tick <= high]
        labels = tick_labels(ticks, self.margin is not None)
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_major_formatter(FixedFormatter(labels))
        axes.set_xlim(*((-0.02 * self.last, 1.04 * self.last) if self.last else (-1, 1)))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def tick_labels(ticks, signed):
    """With as many digits as each takes: 4.1416 and 4.1424 must not both be 4.142."""
    for digits in range(3, 12):
        labels = [f"{tick:{'+' if signed and tick else ''}.{digits}g}" for tick in ticks]
        if all(abs(float(t) - v) <= 1e-3 * _spacing(ticks) for t, v in zip(labels, ticks)):
            break
    return [label.replace("-", "\N{MINUS SIGN}") for label in labels]


def _spacing(ticks):
    return min((abs(b - a) for a, b in zip(ticks, ticks[1:])), default=1.0)


def _draw_line(axes, line, style):
    colour = style["color"]
    thin = {"color": colour, "linewidth": 0.7, "alpha": 0.6, "linestyle": style["linestyle"]}
    for steps, values in line.running:
        axes.plot(steps, values, **thin)
    for steps, values in line.diverged:
        axes.plot(steps, values, **thin)
        axes.plot(steps[-1:], values[-1:], color=colour, marker="x", markersize=5)
    if line.mean is not None and len(line.steps):
        if line.has_band:
            axes.fill_between(line.steps, line.low, line.high, color=colour, alpha=0.15, lw=0)
        lonely = {"marker": ".", "markersize": 5, "markevery": 1} if len(line.steps) < 3 else {}
        axes.plot(line.steps, line.mean, **{**style, **lonely})
    if line.final is not None:
        axes.plot(*line.final, marker="D", markersize=4.5, color=colour, markerfacecolor="none",
                  markeredgewidth=1.1, zorder=6, clip_on=False, linestyle="none")  # fmt: skip


def draw_panel(axes, lines, styles, limits, is_difference):
    """The lines of one layer config. The baseline is drawn last, thin, so that it covers no line
    and none covers it."""
    if is_difference:
        axes.axhspan(-limits.margin, limits.margin, color="#EFEFEF", lw=0, zorder=0)
        axes.axhline(0, color="#000000", lw=1)
    for line in sorted(lines, key=lambda line: styles[line.format].get("zorder", 2)):
        _draw_line(axes, line, styles[line.format])
    limits.apply(axes)
    if limits.floor is not None and not is_difference:
        _draw_floor(axes, limits)
    if not any(line.points() or line.final for line in lines):
        axes.text(0.5, 0.55, "no curve", transform=axes.transAxes, ha="center", color="#777777")


def _draw_floor(axes, limits):
    """A line, or where it lies far below the curves, a note."""
    note, place = "entropy rate", ("axes fraction", "data")
    at = (0, limits.floor)
    if limits.has_floor:
        axes.axhline(limits.floor, color="#666666", lw=1, ls=(0, (4, 3)))
    else:
        note, place, at = f"entropy rate {limits.floor:.3f}, below", "axes fraction", (0, 0)
    axes.annotate(note, at, xycoords=place, xytext=(3, 2), textcoords="offset points",
                  fontsize=7.5, color="#666666")  # fmt: skip
