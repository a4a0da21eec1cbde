"""What quantisation did to each layer over the steps: cells of layers by sampled steps, by format."""

import numpy as np
import pandas as pd

from ..cells import COMPLETE
from ..files import open_results
from .page import Figure, LeftOut, panel
from .scales import number
from .style import STEPS, sequential
from .svg import PANEL, drawing, short, text, text_width, wrap

MOST_FORMATS, MOST_SEEDS, MOST_COLUMNS = 9, 3, 24
ROW = 12


class Kind:
    """One series: where it lies, what it is called, and how it is made of what lies there."""

    def __init__(self, name, title, group, needs, make, unit=""):
        self.name, self.title, self.group = name, title, group
        self.needs, self.make, self.unit = needs, make, unit


def _share(part, whole):
    return part / np.where(whole > 0, whole, np.nan)


def _log2(value):
    return np.log2(np.where(value > 0, value, np.nan))


KINDS = [
    Kind("sqnr", "Signal to quantisation noise (SQNR)", "quant", ["sqnr"], lambda s: s, "dB"),
    Kind("saturation", "Saturated elements", "quant", ["saturated", "n"],
         lambda s, n: 100 * _share(s, n), "%"),
    Kind("underflow", "Elements that became zero (underflow)", "quant", ["underflow", "n", "zeros_in"],
         lambda u, n, z: 100 * _share(u, n - z), "% of those that were not"),
    Kind("amax", "Largest magnitude (amax)", "quant", ["amax"], _log2, "log2"),
    Kind("scales", "Scales", "quant", ["scale_log2_mean"], lambda s: s, "log2, mean over groups"),
    Kind("flips", "Weights that moved to another grid value (flips)", "diagnostics/flips",
         ["flip_ratio"], lambda f: 100 * f, "% per step"),
    Kind("cosine", "Gradient against that of high precision (cosine)", "diagnostics/grad",
         ["cosine"], lambda c: c),
]  # fmt: skip


def _chosen_runs(context):
    """{format: ids}: of each format that is quantised, some complete runs of its first block that
    has any; and which blocks they are of."""
    complete = context.runs[context.runs["status"].isin(COMPLETE)]
    chosen, blocks = {}, {}
    for form in context.formats:
        if form == context.baseline:
            continue
        own = complete[complete["format"] == form]
        for block in context.blocks:
            ids = own[own.index.isin(block.labels.index)]["id"].drop_duplicates().head(MOST_SEEDS)
            if len(ids):
                chosen[form], blocks[form] = list(ids), block
                break
    return chosen, blocks


def _read(context, kind, chosen):
    """{format: series of values by row and step}. Only the chosen runs' groups are read: files may
    hold thousands of runs."""
    found = {}
    if not context.results.has_file:
        return found
    with open_results(context.results.path) as file:
        runs = file.get("runs", {})
        for form, ids in chosen.items():
            frames = [f for i in ids if i in runs for f in _series(runs[i], kind)]
            if frames and len(found) < MOST_FORMATS:
                found[form] = pd.concat(frames).groupby(["row", "step"], sort=False)["value"].mean()
    return found


def _series(run, kind):
    for layer, series in run.get(kind.group, {}).items():
        if layer == "step":
            continue
        operands = {"": series} if "step" in series else series
        for operand, values in operands.items():
            if operand == "step" or any(need not in values for need in kind.needs):
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                made = kind.make(*(values[need][...].astype(float) for need in kind.needs))
            row = layer.replace("transformer.", "") + (f" {operand}" if operand else "")
            yield pd.DataFrame({"row": row, "step": values["step"][...], "value": made})


def drawer(kind):
    """The function of the list of figures that draws `kind`."""

    def draw(context):
        if not context.results.path.exists():
            raise LeftOut("there is no results file yet")
        chosen, blocks = _chosen_runs(context)
        found = _read(context, kind, chosen)
        values = (
            np.concatenate([v.to_numpy(float) for v in found.values()]) if found else np.empty(0)
        )
        values = values[np.isfinite(values)]
        if values.size == 0:
            word = "quant" if kind.group == "quant" else kind.group.split("/")[1]
            raise LeftOut(f"no run has samples of it (observe.diagnostics: [{word}])")
        low, high = float(values.min()), float(values.max())
        if low == high:
            raise LeftOut(f"it is {number(low, 3)} {kind.unit}".rstrip() + " in every sample")
        panels = [
            panel(_cells(series, low, high, kind.title), form, blocks[form].title)
            for form, series in found.items()
        ]
        data = pd.concat(
            [s.reset_index().assign(format=f, layers=blocks[f].title) for f, s in found.items()]
        )
        unit = f" ({kind.unit})" if kind.unit else ""
        caption = (
            f"{kind.title}{unit}, by layer over the sampled steps: mean over at most {MOST_SEEDS} seeds of "
            "the first layer config of each format. One scale for all panels."
        )
        notes = []
        if len(found) == MOST_FORMATS < len(chosen):
            notes = [f"{MOST_FORMATS} formats are drawn; --select format=NAME draws others."]
        columns = ["layers", "format", "row", "step", "value"]
        return Figure(
            kind.name,
            kind.title,
            panels,
            data[columns],
            caption,
            _ramp(low, high, kind.unit),
            notes,
        )

    return draw


def _ramp(low, high, unit):
    """The key to the colours."""
    parts = []
    for i in range(STEPS):
        colour, _ = sequential(i / (STEPS - 1))
        parts.append(f'<rect x="{short(6 * i)}" y="0" width="6.5" height="10" fill="{colour}"/>')
    strip = f'<svg viewBox="0 0 {6 * STEPS} 10" style="width:150px" aria-hidden="true">{"".join(parts)}</svg>'
    return f'<div class="key"><span>{number(low, 3)} {strip} {number(high, 3)} {unit}</span></div>'


def _cells(series, low, high, label):
    """Rows of a format's layers by steps; cells of one colour are one path."""
    grid = series.unstack("step")
    rows = list(dict.fromkeys(series.index.get_level_values("row")))
    rows.sort(key=lambda r: r.split(" ")[-1] if " " in r else "")
    grid = grid.reindex(rows)
    steps = sorted(grid.columns)
    steps = [
        steps[i]
        for i in sorted(
            {round(k) for k in np.linspace(0, len(steps) - 1, min(len(steps), MOST_COLUMNS))}
        )
    ]
    left = min(max(text_width(r, 5.4) for r in rows), 170) + 6
    wide, span = (PANEL - left - 8) / len(steps), (high - low) or 1.0
    paths, parts, y = {}, [], 2.0
    for row in rows:
        lines = wrap(row, 172, 5.4)
        high_of = ROW * len(lines)
        for k, line in enumerate(lines):
            parts.append(text(left - 4, y + 9 + ROW * k, line, "end", "t small"))
        for column, step in enumerate(steps):
            value = grid.at[row, step]
            if np.isfinite(value):
                colour, _ = sequential((value - low) / span)
                x = left + wide * column
                paths.setdefault(colour, []).append(
                    f"M{short(x)} {short(y)}h{short(wide - 0.6)}v{high_of - 1}h{short(0.6 - wide)}z"
                )
        y += high_of
    parts += [f'<path class="cells" fill="{c}" d="{"".join(d)}"/>' for c, d in paths.items()]
    parts += _step_ticks(steps, left, wide, y)
    return drawing(PANEL, y + 30, parts, label)


def _step_ticks(steps, left, wide, y):
    parts, end = [], -1.0
    for column, step in enumerate(steps):
        words, x = str(int(step)), left + wide * (column + 0.5)
        if x - text_width(words) / 2 > end + 6:
            x = min(x, PANEL - text_width(words) / 2)
            parts.append(text(x, y + 12, words, "middle"))
            end = x + text_width(words) / 2
    parts.append(text(left + wide * len(steps) / 2, y + 26, "step", "middle", "t label"))
    return parts
