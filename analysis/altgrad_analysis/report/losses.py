"""Losses over the steps, and paired differences over the steps."""

import numpy as np
import pandas as pd

from .page import Figure, LeftOut, panel
from .scales import limits
from .svg import Frame

BURN_IN = 0.05  # of the steps: what falls steeply before does not decide on the limits
MOST_CROSSES = 12  # of a format in a panel


def validation_loss(context):
    return _loss(context, "val_loss", 1)


def training_loss(context):
    return _loss(context, "loss", context.curves.window("loss"))


def _loss(context, metric, window):
    if not context.curves.has(metric):
        what = "training loss" if metric == "loss" else "validation loss over the steps"
        raise LeftOut(f"no run has a {what} yet")
    lines = context.curves.lines(metric, window)
    if not any(line.points() for line in lines.values()):
        raise LeftOut("no run has a point of it yet")
    name = "Training loss" if metric == "loss" else "Validation loss"
    smooth = f", running mean of {window} steps" if window > 1 else ""
    band = (
        "the band is the baseline's, from its lowest to its highest seed. " * context.has_baseline
    )
    finals = "A ring is the loss on the whole validation part in the end. " * (metric == "val_loss")
    caption = (
        f"{name} in nats per token{smooth}: mean over the seeds that are done; {band}"
        f"Thin lines are single runs: those that end in a cross diverged. {finals}"
    )
    panels = _panels(context, lines, name.lower(), False)
    return Figure(
        "training-loss" if metric == "loss" else "validation-loss",
        f"{name} over steps",
        panels,
        _long(context, lines),
        caption,
        context.key(_drawn(context, lines)),
        context.notes,
    )


def differences(context):
    if not context.has_baseline:
        raise LeftOut("the experiment names no baseline (compare.baseline)")
    if not context.curves.has("val_loss"):
        raise LeftOut("no run has a validation loss over the steps yet")
    lines = context.curves.differences()
    lines = {key: line for key, line in lines.items() if line.points() or line.final}
    if not lines:
        raise LeftOut(f"no run that is done has a partner on {context.baseline_text} that is done")
    caption = (
        f"Validation loss of each run less that of its partner on {context.baseline_text}, which has "
        "the same seed and the same other axes: mean over the pairs, band from the lowest to the "
        "highest where few formats are drawn. Below zero is better; the stripe is the margin of "
        f"{context.margin_text()}. Far from zero the scale is logarithmic where that is needed."
    )
    return Figure(
        "paired-differences",
        "Paired difference over steps",
        _panels(context, lines, "difference", True),
        _long(context, lines),
        caption,
        context.key([f for f in _drawn(context, lines) if f != context.baseline]),
        context.notes,
    )


def _drawn(context, lines):
    there = {key[-1] for key, line in lines.items() if line.points() or line.final}
    return [name for name in context.formats if name in there]


def _panels(context, lines, label, is_difference):
    last = max(context.curves.last_step(), 1)
    shared = _limits(lines.values(), last, context, is_difference)
    alone = len({block.note for block in context.shown}) > 1
    panels = []
    for block in context.shown:
        own = [lines[(*block.key, f)] for f in block.formats if (*block.key, f) in lines]
        if not own:
            continue
        y = _limits(own, last, context, is_difference) if alone else shared
        frame = Frame(("linear", 0, 1.02 * last), y)
        frame.axes("step", label, (False, is_difference))
        if is_difference and np.isfinite(context.margin):
            frame.zone_y(-context.margin, context.margin)
            frame.rule_y(0)
        _draw_floor(frame, context, is_difference)
        for line in sorted(own, key=lambda line: line.format == context.baseline):
            _draw_line(frame, line, context, is_difference)
        panels.append(
            panel(frame.finish(f"{label} over steps: {block.title}"), block.title, block.note)
        )
    return panels


def _draw_floor(frame, context, is_difference):
    floor = context.results.floor
    if floor is not None and not is_difference and frame.y.low <= floor <= frame.y.high:
        frame.rule_y(floor, "floor")
        y = float(frame.y.place(floor)) - 4
        frame.words_at(frame.left + 4, y, "entropy rate", kind="t small")


def _limits(lines, last, context, is_difference):
    """Of the y axis: the end decides, not the steep start. Runs that diverged do not decide, unless
    there are no others."""
    values = []
    for line in lines:
        for steps, points in line.points():
            points = np.asarray(points, float)
            late = np.asarray(steps) >= BURN_IN * last
            values.append(points[late] if late.any() else points)
        if line.final is not None:
            values.append(np.array([line.final[1]]))
    values = np.concatenate(values) if values else np.empty(0)
    margin = context.margin
    if not is_difference or not np.isfinite(margin) or margin <= 0:
        return ("linear", *limits(values, with_zero=is_difference))
    return difference_scale(values, margin)


def difference_scale(values, margin):
    """Linear, or linear within the margin and logarithmic beyond where some are far larger."""
    low, high = limits(np.append(values, [-margin, margin]), 0.04)
    if max(-low, high) > 12 * margin:
        return ("symlog", min(low * 1.3, -margin), max(high * 1.3, margin), margin)
    return ("linear", low, high)


def _draw_line(frame, line, context, is_difference):
    classes = context.style(line.format)
    colour = context.colour(line.format)
    for steps, values in line.running:
        frame.line(steps, values, f"{classes} thin")
    for steps, values in line.diverged[:MOST_CROSSES]:
        if len(steps):
            frame.line(steps, values, f"{classes} thin")
            y = float(frame.y.place(frame.y.inside(values[-1])))
            frame.cross_at(float(frame.x.place(steps[-1])), y, colour)
    if line.mean is not None and len(line.steps):
        is_base = line.format == context.baseline
        if is_base or (is_difference and len(context.formats) <= 5):
            frame.band(line.steps, line.low, line.high, colour)
        frame.line(line.steps, line.mean, classes)
        if len(line.steps) < 3:
            frame.dots(line.steps, line.mean, colour, 2.5)
    if line.final is not None:
        frame.dots(line.final[0], line.final[1], f"{colour} ring", 3)


def _long(context, lines):
    """What is drawn as a table: the means with the lowest and highest."""
    frames = []
    names = [*(axis.name for axis in context.block_axes), "format"]
    for key, line in lines.items():
        if line.mean is None or len(line.steps) == 0:
            continue
        columns = {"step": line.steps, "mean": line.mean, "low": line.low, "high": line.high}
        frames.append(pd.DataFrame({**dict(zip(names, key)), **columns}))
    empty = pd.DataFrame(columns=[*names, "step", "mean", "low", "high"])
    return pd.concat(frames, ignore_index=True) if frames else empty
