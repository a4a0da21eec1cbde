"""The comparison to the baseline: table, forest plot, seeds, and diverged shares."""

import numpy as np
import pandas as pd
from scipy import stats

from ..cells import COMPLETE, missing, verdict_of
from ..verdicts import LEVEL
from .context import BLOCK
from .losses import difference_scale
from .page import Figure, LeftOut, panel, table
from .scales import fixed, limits
from .svg import PANEL, Frame, Rows


VERDICT_ROOM = 45  # the widest word, with some space


def _interval(cell):
    """(low, high) of the mean difference."""
    return cell["low"], cell["high"]


def _seeds(cell):
    return int(cell["done"] - cell["without_value"])


def _mean_text(cell):
    if not np.isfinite(cell["mean"]):
        return "-"
    return fixed(cell["mean"]) + (f"\n± {fixed(cell['sd'])}" if np.isfinite(cell["sd"]) else "")


def _difference_text(cell):
    """ "+0.0123", "[-0.0010, 0.0256]" and what is missing, a line each."""
    lines = []
    if cell["pairs"] and cell["verdict"] != "baseline":
        low, high = _interval(cell)
        lines.append(fixed(cell["difference"], signed=True))
        lines += [f"[{fixed(low)}, {fixed(high)}]"] if np.isfinite(low) else []
    lacking = missing(cell)
    return "\n".join([*lines, lacking] if lacking else lines)


def _verdict_text(cell):
    """The verdict; below it what the cell alone would be called, and the pairs that would decide."""
    verdict = verdict_of(cell)
    lines = [verdict or "-"]
    if verdict == "open" and cell["verdict_alone"] not in ("open", ""):
        lines.append(f"(alone {cell['verdict_alone']})")
    needed = cell["pairs_needed"]
    if verdict == "open" and np.isfinite(needed):
        lines.append(f"({int(needed)} pairs?)")
    return "\n".join(lines)


def _csv(context):
    drop = [BLOCK, "missing_pairs"]
    frame = context.table.drop(columns=drop, errors="ignore").assign(
        verdict=[verdict_of(c) for _, c in context.table.iterrows()]
    )
    return frame.rename(columns={a.column: a.name for a in context.results.grid_axes})


def family_text(results):
    """How verdicts are held together, and what looking several times costs them."""
    rounds = ""
    if results.looks is not None:
        rounds = " Seeds came in rounds until decided; each look spends a part of the 5 %."
    if results.family == "all":
        return (
            " Verdicts hold together: Holm's correction over all comparisons of the experiment." + rounds
        )
    return " Each verdict stands alone (compare.family: none)." + rounds


def final_table(context):
    if context.table["mean"].notna().sum() == 0 and not (context.table["diverged"] > 0).any():
        raise LeftOut("no run is complete yet")
    panels = []
    for block in context.shown:
        cells = context.cells(block)
        has = context.has_baseline
        columns = ["format", "mean ± sd", "n"] + (["difference [95 %]", "verdict"] if has else [])
        rows, classes = [], []
        for _, cell in cells.iterrows():
            verdict = verdict_of(cell)
            texts = [cell["format"], _mean_text(cell), str(_seeds(cell))]
            rows.append(texts + ([_difference_text(cell), _verdict_text(cell)] if has else []))
            classes.append(verdict if verdict not in ("", "baseline") else "none")
        title = block.title + (f" · {block.note}" if block.note else "")
        panels.append(table(columns, rows, title, classes))
    if context.has_baseline:
        how = (
            f"The difference is to {context.baseline_text} at the same seed and other axes: mean over "
            "the pairs, 95 % interval (Student's t). worse, better: the interval lies beyond the "
            f"margin of {context.margin_text()}; same: within it; open: more seeds would tell, and a "
            "number of pairs with a question mark would if mean and deviation stayed as they are."
            + family_text(context.results)
        )
    else:
        how = "The experiment names no baseline, so there are no differences and no verdicts."
    caption = f"{context.metric}, nats per token: mean and standard deviation over n seeds. {how}"
    return Figure("final-loss", "Final loss", panels, _csv(context), caption, notes=context.notes)


# --- the forest


def forest(context):
    if not context.has_baseline:
        raise LeftOut("the experiment names no baseline (compare.baseline)")
    cells = context.table[(context.table["pairs"] > 0) & (context.table["verdict"] != "baseline")]
    if cells.empty:
        raise LeftOut("no run that is done has a partner on the baseline that is done")
    bounds = np.array([_interval(c) for _, c in cells.iterrows()]).ravel()
    values = np.concatenate([cells["difference"], bounds[np.isfinite(bounds)]])
    margin = context.margin if context.margin > 0 else 0.01
    scale = difference_scale(_without_extremes(values, cells["difference"]), margin)
    panels = []
    for block in context.shown:
        own = context.cells(block)
        own = own[own.index.isin(cells.index)]
        if not own.empty:
            svg = _forest_panel(context, own, scale, f"differences: {block.title}")
            panels.append(panel(svg, block.title, block.note))
    caption = (
        f"Mean difference to {context.baseline_text} with its 95 % interval; the stripe is the margin "
        f"of {context.margin_text()}. Filled: worse, better or same; hollow: open; no bar: one pair. "
        "An arrow goes on beyond the panel."
    )
    return Figure(
        "forest", "Differences to the baseline", panels, _csv(context), caption, notes=context.notes
    )


def _without_extremes(values, means):
    """Bounds of intervals, but none more than some spans of the means away."""
    low, high = float(np.min(means)), float(np.max(means))
    room = 3 * max(high - low, float(np.median(np.abs(means))), 1e-12)
    return np.clip(values, low - room, high + room)


def _rows_frame(rows, x, bottom=36):
    height = 8 + rows.height + bottom
    return Frame(x, ("linear", 0, 1), height, rows.left, PANEL, bottom)


def _forest_panel(context, cells, scale, label):
    rows = Rows([str(name) for name in cells["format"]])
    frame = _rows_frame(rows, scale)
    frame.axes(f"difference in {context.metric}", "", (True, False), y_ticks=[])
    if np.isfinite(context.margin):
        frame.zone_x(-context.margin, context.margin)
    frame.rule_x(0)
    for row, (_, cell) in enumerate(cells.iterrows()):
        y = frame.top + rows.middle(row)
        low, high = _interval(cell)
        colour = context.colour(cell["format"])
        if np.isfinite(low):
            frame.bar_x(low, high, y, colour)
        x = float(frame.x.place(frame.x.inside(cell["difference"])))
        verdict = verdict_of(cell)
        shape = "" if verdict in ("worse", "better", "same") else " hollow"
        frame.dot_at(
            x,
            y,
            colour + shape,
            4,
            f"{cell['format']}: {_difference_text(cell)}".replace("\n", " "),
        )
        start, end = x - 4, x
        if np.isfinite(low):
            start, end = (float(frame.x.place(frame.x.inside(v))) for v in (low, high))
        has_room = end < frame.right - VERDICT_ROOM
        above = 0 if has_room or start - VERDICT_ROOM > frame.left else 4
        place = frame.right - 2 if has_room or above else start - 5
        frame.words_at(place, y + 3.5 - above, verdict, "end", "t small")
    frame.over += rows.draw(frame.top)
    return frame.finish(label)


# --- seeds


def strips(context):
    done = context.done
    if done.empty:
        raise LeftOut("no run is done yet")
    if done["seed"].nunique() < 2:
        raise LeftOut("there is one seed: the final-loss table has its numbers")
    shared = limits(done["value"])
    alone = len({block.note for block in context.shown}) > 1
    panels = []
    for block in context.shown:
        own = done[done.index.isin(block.labels.index)]
        if own.empty:
            continue
        x = limits(own["value"]) if alone else shared
        svg = _strip_panel(context, own, x, f"seeds: {block.title}")
        panels.append(panel(svg, block.title, block.note))
    caption = (
        f"{context.metric} of each seed (dots) and the mean (bar); the stripe is the range of the "
        "baseline's seeds."
    )
    columns = {a.column: a.name for a in context.results.grid_axes}
    data = done[[*columns, "id", "value"]].rename(columns={**columns, "value": context.metric})
    return Figure("seeds", "Every seed", panels, data, caption, notes=context.notes)


def _strip_panel(context, runs, x, label):
    formats = [name for name in context.formats if name in set(runs["format"])]
    rows = Rows([str(name) for name in formats])
    frame = _rows_frame(rows, ("linear", *x))
    frame.axes(context.metric, "", y_ticks=[])
    for row, name in enumerate(formats):
        own = runs[runs["format"] == name].drop_duplicates("id")
        y, colour = frame.top + rows.middle(row), context.colour(name)
        if name == context.baseline:
            frame.zone_x(own["value"].min(), own["value"].max())
        mean = float(frame.x.place(own["value"].mean()))
        frame.marks.append(f'<path class="line {colour}" d="M{mean:.1f} {y - 7:.1f}v14"/>')
        for seed, value in zip(own["seed"], own["value"]):
            place = float(frame.x.place(value))
            frame.dot_at(place, y, f"{colour} hollow", 2.8, f"seed {seed}: {fixed(value)}")
    frame.over += rows.draw(frame.top)
    return frame.finish(label)


# --- diverged runs


def wilson(successes, total):
    """Wilson's interval of a share, 95 %."""
    if total == 0:
        return np.nan, np.nan
    z = stats.norm.isf((1 - LEVEL) / 2)
    share, z2 = successes / total, z * z / total
    middle = (share + z2 / 2) / (1 + z2)
    half = z / (1 + z2) * np.sqrt(share * (1 - share) / total + z2 / (4 * total))
    low = 0.0 if successes == 0 else middle - half
    return low, 1.0 if successes == total else middle + half


def diverged(context):
    complete = context.runs[context.runs["status"].isin(COMPLETE)]
    complete = complete.drop_duplicates(["format", "id"])
    if complete.empty:
        raise LeftOut("no run is complete yet")
    records = []
    for name in context.formats:
        own = complete[complete["format"] == name]
        count, total = int((own["status"] == "diverged").sum()), len(own)
        if total:
            low, high = wilson(count, total)
            records.append((name, count, total, count / total, low, high))
    columns = ["format", "diverged", "complete", "share", "low", "high"]
    data = pd.DataFrame(records, columns=columns)
    rows = Rows([str(name) for name in data["format"]])
    frame = _rows_frame(rows, ("linear", 0, 1))
    ticks = [(float(frame.x.place(v)), f"{v:.0%}") for v in (0, 0.25, 0.5, 0.75, 1)]
    frame.axes("share of complete runs that diverged", "", x_ticks=ticks, y_ticks=[])
    for row, record in enumerate(data.itertuples()):
        y, colour = frame.top + rows.middle(row), context.colour(record.format)
        frame.bar_x(record.low, record.high, y, colour)
        frame.dot_at(float(frame.x.place(record.share)), y, colour, 4)
        left = record.share > 0.5
        words = f"{record.diverged} of {record.complete}"
        place = (frame.left + 3, "start") if left else (frame.right - 3, "end")
        frame.words_at(place[0], y + 4, words, place[1], "t small")
    frame.over += rows.draw(frame.top)
    caption = (
        "Runs over all layer configs, seeds and other axes that diverged (a loss that is no number, or "
        "beyond stop.loss_ratio), of those complete; 95 % interval after Wilson. Runs of one format "
        "at several points are not independent draws: read the interval as a guide."
    )
    svg = frame.finish("shares of diverged runs")
    return Figure("diverged", "Runs that diverged", [panel(svg)], data, caption)
