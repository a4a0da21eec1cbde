"""Losses over parameters, tokens, bits and any other axis, and the power law."""

import warnings

import numpy as np
import pandas as pd

from ..best import LEAST_SEEDS, number_of_choosers
from ..cells import COMPLETE
from .context import BLOCK
from .facts import read_formats
from .fit import bits_shape, fit_law
from .page import Figure, LeftOut, panel, table
from .scales import count, fixed, limits, log_limits, number
from .svg import Frame

BITS = "element bits"
MOST_AXES, MOST_PANELS = 4, 6
KINDS = ("parameters", "tokens")


def _done(context):
    """Runs that are done with the metric, sizes and tokens, once under each of their labels."""
    runs = context.done
    sizes = context.facts.sizes(list(dict.fromkeys(runs["id"]))).add_prefix("run ")
    return runs.join(sizes, on="id")  # names with a space, which no axis has


def scaling(context):
    runs = _done(context)
    if runs.empty:
        raise LeftOut("no run is done yet")
    kinds = [k for k in KINDS if runs[f"run {k}"].nunique() > 1]
    if not kinds:
        raise LeftOut("all runs have the same number of parameters and of tokens")
    first = runs["layers"].iloc[0]
    runs = runs[runs["layers"] == first]
    points, chosen = best_points(context, runs)
    cells, losses = _matrix(points)
    law, why = None, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            law = fit_law(cells, losses, context.baseline)
    except ValueError as error:
        why = f"No power law is fitted: {error}."
    panels = []
    for kind in kinds:
        panels += _size_panels(context, cells, kind, law)
    if law:
        panels += _law_panels(context, law)
    data = cells.drop(columns="row").assign(seeds=np.isfinite(losses).sum(axis=1))
    if law:
        data["fitted"] = [
            float(law.loss(c.parameters, c.tokens, c.format)) for c in data.itertuples()
        ]
        law_row = pd.DataFrame({"name": list(law.values), "value": list(law.values.values())})
        law_row["low"] = law_row["name"].map(law.low)
        law_row["high"] = law_row["name"].map(law.high)
        data = pd.concat([data, law_row], ignore_index=True)
    caption = (
        f"Mean {context.metric} over seeds, layer config {first}{chosen}. "
        "Parameters are those of the blocks' matrices, without embeddings; "
        "tokens are those trained on. " + (_law_text(law) if law else why)
    )
    key = context.key([f for f in context.formats if f in set(cells["format"])])
    notes = [_loose_text(law)] if law and law.loose else []
    return Figure("scaling", "Scaling", panels, data, caption, key, notes)


def _loose_text(law):
    """What the fit could not tell."""
    said = []
    if "E" in law.loose:
        said.append(
            f"E ended at its lower bound ({number(law.values['E'], 2)}): the losses do not tell where "
            "they level off, and the exponents take its part: they come out too small. Larger sizes or "
            "more tokens would tell"
        )
    others = [name for name in law.loose if name != "E"]
    if others:
        said.append(
            f"At an end of what the fit tries: {', '.join(others)}, not to be read as values"
        )
    return ". ".join(said) + "."


def _trust_text(law):
    if law.holds:
        return "They hold within the sizes that were trained, and if the law does."
    return (
        "That is more than noise: the law does not describe these runs. Its values depend on which "
        "sizes were trained, by more than the intervals say, and tell nothing beyond them. Narrower "
        "ranges, or more tokens, may follow it."
    )


def _law_text(law):
    terms = ["E"]
    terms += ["A (m N)^-alpha"] if np.isfinite(law.values["alpha"]) else []
    terms += ["B D^-beta"] if np.isfinite(law.values["beta"]) else []
    how = (
        f"Intervals: 95 % of {law.draws} bootstraps over seeds, always the same draws. The law misses "
        f"the means by {100 * law.miss:.2g} %, and seeds leave {100 * law.noise:.2g} % of doubt."
        if law.draws
        else f"One seed: no intervals. The law misses the losses by {100 * law.miss:.2g} %."
    )
    return (
        f"Lines are the fit L = {' + '.join(terms)} (least squares of log L). m is the part of the "
        f"parameters that counts in a format, 1 for the baseline (after arXiv 2411.04330). {how} {_trust_text(law)}"
    )


def best_points(context, runs):
    """Of each format, size and number of tokens the runs at the other axes' best point, and how it was
    chosen: on the first third of the seeds, as `summary --best` does, while the others are judged.
    """
    others = [
        a.column
        for a in context.block_axes
        if a.column != "layers"
        and runs.groupby(["run parameters", "run tokens"], dropna=False)[a.column].nunique().max()
        > 1
    ]
    if not others:
        return runs, ""
    named = {a.column: a.name for a in context.block_axes}
    best = f", each size at its best {' and '.join(named[column] for column in others)}"
    seeds = list(dict.fromkeys(runs["seed"]))
    choosers = seeds[: number_of_choosers(len(seeds))] if len(seeds) >= LEAST_SEEDS else []
    choosing, judged = runs, runs
    if choosers:
        is_chooser = runs["seed"].isin(choosers)
        choosing, judged = runs[is_chooser], runs[~is_chooser]
        best += f", chosen on {len(choosers)} of {len(seeds)} seeds and judged on the others"
    else:
        best += (
            f", chosen on the seeds that it is judged on, fewer than {LEAST_SEEDS}: an optimistic "
            "estimate"
        )
    cell = ["format", "run parameters", "run tokens"]
    by = choosing.groupby([*cell, *others], sort=False, dropna=False)["value"]
    scores = by.agg(["size", "mean"]).reset_index()
    scores = scores.sort_values(["size", "mean"], ascending=[False, True], kind="stable")
    points = scores.drop_duplicates(cell)[[*cell, *others]]
    return judged.merge(points, on=[*cell, *others]), best


def _matrix(runs):
    """Cells (format, parameters, tokens, mean) and their losses [cell, seed]."""
    by = ["format", "parameters", "tokens"]
    runs = runs[["format", "run parameters", "run tokens", "id", "seed", "value"]]
    runs = runs.rename(columns=lambda name: name.replace("run ", "")).drop_duplicates([*by, "id"])
    cells = runs.groupby(by, sort=False, dropna=False)["value"].mean().rename("mean").reset_index()
    cells["row"] = range(len(cells))
    seeds = {seed: i for i, seed in enumerate(sorted(set(runs["seed"])))}
    losses = np.full((len(cells), len(seeds)), np.nan)
    placed = runs.merge(cells, on=by)
    losses[placed["row"], placed["seed"].map(seeds)] = placed["value"]
    return cells, losses


def _size_panels(context, cells, kind, law):
    """Loss over `kind`, a panel for each value of the other size."""
    other = "tokens" if kind == "parameters" else "parameters"
    groups = [(v, own) for v, own in cells.groupby(other, sort=True) if own[kind].nunique() > 1]
    y = limits(cells["mean"])
    panels = []
    for value, own in groups[-MOST_PANELS:]:
        frame = Frame(("log", *log_limits(cells[kind])), ("linear", *y))
        frame.axes(kind, context.metric)
        for form in context.formats:
            points = own[own["format"] == form].sort_values(kind)
            if points.empty:
                continue
            classes, colour = context.style(form), context.colour(form)
            frame.dots(points[kind], points["mean"], colour, 3)
            if law:
                x = np.geomspace(points[kind].min(), points[kind].max(), 40)
                sizes = (x, value) if kind == "parameters" else (value, x)
                frame.line(x, law.loss(*sizes, form), f"{classes} thin")
            else:
                frame.line(points[kind], points["mean"], classes)
        several = cells[other].nunique() > 1
        note = f"{count(value)} {other}" if several else ""
        panels.append(panel(frame.finish(f"loss over {kind}"), f"over {kind}", note))
    return panels


def _interval(law, name, digits=3):
    if not law.draws:
        return "-"
    return f"[{number(law.low[name], digits)}, {number(law.high[name], digits)}]"


def _law_panels(context, law):
    rows = [
        (name, number(value, 4), _interval(law, name))
        for name, value in law.values.items()
        if np.isfinite(value) and not name.startswith("m ")
    ]
    panels = [table(["", "value", "95 %"], rows, "The law")]
    shares = {n[2:]: v for n, v in law.values.items() if n.startswith("m ")}
    if len(shares) < 2 or not np.isfinite(law.values["alpha"]):
        return panels
    rows = [
        (f, number(m, 3), _interval(law, f"m {f}") if f != context.baseline else "by definition")
        for f, m in shares.items()
    ]
    panels.append(table(["format", "m", "95 %"], rows, "Effective part of the parameters"))
    widths = _bits(context)
    known = {f: widths[f] for f in shares if np.isfinite(widths.get(f, np.nan))}
    if len(set(known.values())) > 1:
        panels.append(_shares_panel(context, law, known))
    return panels


def _bits(context):
    """{format: mean bits of the element formats that its runs quantise to; 16 where to none}."""
    bits = read_formats(context.results)["bits"]
    found = {}
    for form, labels in context.labels.groupby("format", sort=False):
        sets = [context.facts.elements(i) for i in labels["id"].drop_duplicates().head(50)]
        widest = max(sets, key=len)
        known = [float(bits[e]) for e in widest if e in bits.index]
        found[form] = float(np.mean(known)) if known else (16.0 if not widest else np.nan)
    return found


def _shares_panel(context, law, widths):
    names = list(widths)
    m = np.array([law.values[f"m {n}"] for n in names])
    low = np.array([law.low.get(f"m {n}", np.nan) for n in names])
    high = np.array([law.high.get(f"m {n}", np.nan) for n in names])
    top = min(max(1.3, np.nanmax(np.append(high, m))), 3.0)
    frame = Frame(("linear", 0, 17), ("linear", 0, top * 1.05))
    frame.axes("bits", "effective part m")
    frame.rule_y(1)
    gamma = bits_shape([widths[n] for n in names], m)
    if np.isfinite(gamma):
        x = np.linspace(0.5, 16.5, 60)
        frame.line(x, -np.expm1(-x / gamma) / -np.expm1(-16 / gamma), "cb thin")
    for i, name in enumerate(names):
        colour = context.colour(name)
        if np.isfinite(low[i]):
            frame.bar_y(widths[name], low[i], high[i], colour)
        frame.dots(widths[name], frame.y.inside(m[i]), colour, 3.5, f"{name}: {number(m[i], 3)}")
    note = (
        f"line: 1 - exp(-bits / {number(gamma, 3)}), as a part of 16 bits"
        if np.isfinite(gamma)
        else ""
    )
    return panel(frame.finish("effective part of the parameters over bits"), "m over bits", note)


# --- over bits, and over other axes


def over_bits(context):
    widths = _bits(context)
    cells = context.table.assign(**{BITS: context.table["format"].map(widths)})
    cells = cells[np.isfinite(cells[BITS]) & np.isfinite(cells["mean"])]
    compared = cells[cells["format"] != context.baseline] if context.has_baseline else cells
    if compared[BITS].nunique() < 2:
        raise LeftOut("the formats that are compared have the same number of bits")
    panels = []
    for block in context.shown:
        own = cells[cells[BLOCK] == context.blocks.index(block)]
        if own.empty:
            continue
        spread = own["mean"].to_numpy() + np.outer([-1, 1], own["sd"].fillna(0)).ravel().reshape(
            2, -1
        )
        frame = Frame(("linear", 0, 17), ("linear", *limits(spread)))
        frame.axes("bits", context.metric)
        for _, cell in own.iterrows():
            colour = context.colour(cell["format"])
            if np.isfinite(cell["sd"]):
                frame.bar_y(
                    cell[BITS],
                    cell["mean"] - cell["sd"],
                    cell["mean"] + cell["sd"],
                    f"{colour} thin",
                )
            tip = f"{cell['format']}: {fixed(cell['mean'])}"
            frame.dots(cell[BITS], cell["mean"], colour, 3.5, tip)
        panels.append(panel(frame.finish("loss over bits"), block.title, block.note))
    data = cells[[*context.results.cells, BITS, "mean", "sd"]]
    caption = (
        f"Mean {context.metric} ± standard deviation over the bits of an element (the mean of several; "
        "scales of blocks come on top)."
    )
    names = [f for f in context.formats if f in set(cells["format"])]
    return Figure("bits", "Over bits", panels, data, caption, context.key(names), context.notes)


def over_axes(context):
    """Every other axis with several points; the learning rate has a figure of its own."""
    runs = context.runs[context.runs["status"].isin(COMPLETE)]
    runs = runs[(runs["status"] == "diverged") | runs["value"].notna()]
    axes = [
        a
        for a in context.block_axes
        if a.name not in ("layers", "optimizer.lr") and runs[a.column].nunique() > 1
    ]
    if not axes:
        raise LeftOut("the experiment has no further axis with several points")
    panels, frames = [], []
    for axis in axes[:MOST_AXES]:
        by = runs.assign(done=runs["value"].where(runs["status"] == "done")).groupby(
            ["layers", "format", axis.column], sort=False
        )
        points = by["done"].agg(mean="mean", sd="std", runs="count").reset_index()
        points["diverged"] = by["status"].agg(lambda s: int((s == "diverged").sum())).to_numpy()
        panels.append(_axis_panel(context, points, axis))
        frames.append(points.assign(axis=axis.name).rename(columns={axis.column: "point"}))
    caption = (
        f"{context.metric} over each axis: mean of all runs of a format in layer config "
        f"{runs['layers'].iloc[0]} there, over seeds and the other axes. Hollow: without the runs "
        "that diverged."
    )
    notes = [f"not drawn: {a.name}" for a in axes[MOST_AXES:]]
    key = context.key([f for f in context.formats if f in set(runs["format"])])
    data = pd.concat(frames, ignore_index=True)
    return Figure("axes", "Over the axes", panels, data, caption, key, notes)


def _axis_panel(context, table, axis):
    table = table[table["layers"] == table["layers"].iloc[0]].set_index(["format", axis.column])
    mean, diverged = table["mean"], table["diverged"]
    known = set(table.index.get_level_values(axis.column))
    points = [v for v in axis.values if v in known]
    is_number = axis.kind != "text"
    places = np.array(points, float) if is_number else np.arange(len(points), dtype=float)
    is_log = is_number and places.min() > 0 and places.max() / places.min() > 5
    ends = log_limits(places) if is_log else limits(places, 0.1)
    frame = Frame(("log" if is_log else "linear", *ends), ("linear", *limits(mean)))
    ticks = (
        None
        if is_number
        else [(float(frame.x.place(p)), axis.text(v)) for p, v in zip(places, points)]
    )
    frame.axes(axis.name, context.metric, x_ticks=ticks)
    for form in context.formats:
        y = [mean.get((form, v), np.nan) for v in points]
        order = np.argsort(places)
        frame.line(places[order], np.array(y)[order], context.style(form))
        for place, loss, value in zip(places, y, points):
            is_partial = diverged.get((form, value), 0) > 0
            kind = context.colour(form) + (" hollow" if is_partial else "")
            frame.dots(place, loss, kind, 3 if is_partial else 2.5)
    return panel(frame.finish(f"loss over {axis.name}"), f"over {axis.name}")
