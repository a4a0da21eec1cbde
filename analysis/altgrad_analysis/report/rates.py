"""The loss at each learning rate, and each format's best one."""

import numpy as np
import pandas as pd

from ..cells import COMPLETE
from .page import Figure, LeftOut, panel, table
from .scales import fixed, limits, log_limits, number
from .svg import Frame

GROUP = "shown group"  # columns of axes have no spaces
MOST = 1.6  # times the best loss: what lies further up is beyond the panel


def learning_rates(context):
    runs = context.runs.assign(lr=context.facts.numbers(context.runs["id"], "optimizer.lr"))
    runs = runs[np.isfinite(runs["lr"])]
    if runs["lr"].nunique() < 2:
        raise LeftOut("all runs have the same learning rate")
    data = _by_rate(context, runs)
    if data.groupby(["group", "format"])["lr"].nunique().max() < 2:
        raise LeftOut("where the learning rate differs, something else does too")
    if not np.isfinite(data["mean"]).any():
        raise LeftOut("no run is done yet")
    panels, rows = [], []
    for group, own in data.groupby("group", sort=False):
        formats = [f for f in context.formats if f in set(own["format"])]
        panels.append(panel(_rate_panel(context, own, formats), group))
        rows += [(group, *row) for row in _best(own, formats)]
    several = data["group"].nunique() > 1
    columns = ["", "format", "best lr", f"{context.metric} there", "note"]
    shown = [row if several else row[1:] for row in rows]
    columns = columns if several else columns[1:]
    panels.append(table(columns, shown, "Best learning rate", is_wide=True))
    caption = (
        f"Mean {context.metric} over seeds at each learning rate, bars ± one standard deviation; the "
        "ring is the best one of the format, which the table lists. Rates at which a run of the "
        "format diverged have no mean: they are crosses at the upper edge. The best of several means "
        "is an optimistic estimate of the loss there."
    )
    known = set(data.loc[data["n"] + data["diverged"] > 0, "format"])
    key = context.key([f for f in context.formats if f in known])
    return Figure("learning-rates", "Learning rates", panels, data, caption, key)


def _sets_rate_alone(context, runs, axis):
    """Whether the values of an axis differ in the learning rate and in nothing else. An axis of
    optimizers, each with the rate that suits it, does not: its rates are no points of one curve."""
    others = ["format", *(a.column for a in context.block_axes if a is not axis)]
    for _, own in runs.groupby(others, sort=False, dropna=False):
        rest = {context.facts.settings_text(i, without="optimizer.lr") for i in own["id"]}
        if len(rest) > 1:
            return False
    return bool((runs.groupby(others, dropna=False)["lr"].nunique() > 1).any())


def _groups(context, runs):
    """The point on the axes that do not set the learning rate, as text."""
    names = [
        axis
        for axis in context.block_axes
        if runs[axis.column].nunique() > 1
        and (axis.column == "layers" or not _sets_rate_alone(context, runs, axis))
    ]
    texts = [
        ", ".join(
            str(row[a.column]) if a.column == "layers" else f"{a.name} = {a.text(row[a.column])}"
            for a in names
        )
        for _, row in runs.iterrows()
    ]
    return pd.Series(texts, index=runs.index)


def _by_rate(context, runs):
    runs = runs.assign(**{GROUP: _groups(context, runs)}).drop_duplicates([GROUP, "format", "id"])
    records = []
    for (group, form, lr), own in runs.groupby([GROUP, "format", "lr"], sort=False):
        done = own.loc[own["status"] == "done", "value"].dropna()
        failed = int((own["status"] == "diverged").sum())
        sd = float(done.std()) if len(done) > 1 else np.nan
        mean = float(done.mean()) if len(done) and not failed else np.nan
        pending = len(own) - int(own["status"].isin(COMPLETE).sum())
        sd = sd if not failed else np.nan
        records.append((group, form, lr, len(done), failed, pending, mean, sd))
    columns = ["group", "format", "lr", "n", "diverged", "pending", "mean", "sd"]
    return pd.DataFrame(records, columns=columns).sort_values(["group", "format", "lr"])


def _best(own, formats):
    for form in formats:
        rates = own[own["format"] == form]
        known = rates[np.isfinite(rates["mean"])]
        pending = int(rates["pending"].sum())
        if known.empty:
            note = "no run is done yet" if pending else "no rate without a diverged run"
            yield form, "-", "-", note
            continue
        best = known.loc[known["mean"].idxmin()]
        sd = f" ± {fixed(best['sd'])}" if np.isfinite(best["sd"]) else ""
        at_edge = best["lr"] in (rates["lr"].min(), rates["lr"].max())
        notes = ["at the edge of the grid"] if at_edge else []
        notes += [f"{pending} pending"] if pending else []
        yield form, number(best["lr"]), fixed(best["mean"]) + sd, ", ".join(notes)


def _rate_panel(context, own, formats):
    best = own.groupby("format")["mean"].min().dropna()
    y = limits(np.minimum(own["mean"], MOST * best.max() if len(best) else 1.0))
    frame = Frame(("log", *log_limits(own["lr"])), ("linear", *y))
    frame.axes("learning rate", context.metric)
    for form in formats:
        rates = own[own["format"] == form]
        classes, colour = context.style(form), context.colour(form)
        mean = rates["mean"].to_numpy(float)
        frame.line(rates["lr"], mean, classes)
        frame.dots(rates["lr"], mean, colour, 2.2)
        for lr, m, sd in zip(rates["lr"], mean, rates["sd"]):
            if np.isfinite(m) and np.isfinite(sd):
                frame.bar_y(lr, m - sd, m + sd, f"{colour} thin")
        for lr in rates.loc[rates["diverged"] > 0, "lr"]:
            shift = 7 * (formats.index(form) - (len(formats) - 1) / 2)
            frame.cross_at(
                float(frame.x.place(lr)) + shift * (len(formats) < 8), frame.top + 5, colour
            )
        if np.isfinite(mean).any():
            i = int(np.nanargmin(mean))
            frame.dots(rates["lr"].iloc[i], mean[i], f"{colour} ring", 4.5)
    return frame.finish("loss over the learning rate")
