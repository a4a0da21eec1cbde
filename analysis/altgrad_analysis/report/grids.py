"""Maps of coloured cells: exponent by mantissa bits, and what each layer config and role costs."""

import numpy as np
import pandas as pd

from ..axes import listed, printable
from .context import BLOCK
from .facts import read_formats
from .page import Figure, LeftOut, panel
from .scales import fixed, number
from .style import diverging, sequential
from .svg import PANEL, drawing, short, text, text_width, wrap

CELL = 26  # high
ROLES = ("weight", "input", "grad_output")


def _value_name(context):
    if context.has_baseline:
        return "difference", f"mean difference in {context.metric} to {context.baseline_text}"
    return "mean", f"mean {context.metric}"


def _painter(context, values):
    """A function of a value: its colour, and whether white is read on it. Differences are grey
    within the margin, and the more orange (worse) or blue (better) the further beyond, by
    logarithm; losses go from dark (low) to light."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if context.has_baseline:
        margin = context.margin if context.margin > 0 else 1e-4
        most = max(np.log10(np.max(np.abs(values), initial=margin) / margin), 1.0)

        def paint(value):
            beyond = np.log10(max(abs(value) / margin, 1.0)) / most
            return diverging(np.sign(value) * (0.12 + 0.88 * beyond) if beyond > 0 else 0.0)

        return paint
    low, span = values.min(), (values.max() - values.min()) or 1.0
    return lambda value: sequential((value - low) / span)


def cell_map(rows, columns, values, paint, write, labels=("", "")):
    """`values` [row, column] as cells with their numbers; NaN is an empty cell."""
    left = min(max((text_width(printable(r)) for r in rows), default=0), 130) + 8
    left += 16 if labels[1] else 0
    names = [wrap(r, 132) for r in rows]
    heights = [max(CELL, 13 * len(lines) + 6) for lines in names]
    wide = (PANEL - left - 4) / max(len(columns), 1)
    is_turned = any(text_width(printable(c)) > wide - 4 for c in columns)
    longest = max((text_width(printable(c)) for c in columns), default=0)
    top = (min(longest, 150) + 8 if is_turned else 18) + (14 if labels[0] else 0)
    written = [write(v) for line in values for v in line if np.isfinite(v)]
    size = " small" if any(text_width(words) > wide - 6 for words in written) else ""
    parts, y = [], top
    for row, lines in enumerate(names):
        high = heights[row]
        for k, line in enumerate(lines):
            parts.append(
                text(left - 6, y + high / 2 + 4 + 13 * (k - (len(lines) - 1) / 2), line, "end")
            )
        for column in range(len(columns)):
            box = left + wide * column, y, wide, high
            parts += _cell(values[row][column], box, paint, write, size)
        y += high
    parts += _heads(columns, left, wide, top, is_turned)
    if labels[0]:
        parts.append(text(left + wide * len(columns) / 2, 11, labels[0], "middle", "t label"))
    if labels[1]:
        turn = f' transform="rotate(-90 10 {short((top + y) / 2)})"'
        parts.append(text(10, (top + y) / 2, labels[1], "middle", "t label", turn))
    return drawing(PANEL, y + 4, parts, " by ".join(filter(None, labels)) or "cells")


def _cell(value, box, paint, write, size):
    x, y, wide, high = box
    box = f'x="{short(x + 1)}" y="{short(y + 1)}" width="{short(wide - 2)}" height="{short(high - 2)}"'
    if not np.isfinite(value):
        return [f'<rect {box} fill="none" stroke="var(--grid)"/>']
    colour, is_dark = paint(value)
    words = write(value)
    kind = ("light" if is_dark else "dark") + size
    shown = text(x + wide / 2, y + high / 2 + 4, words, "middle", kind)
    return [f'<rect {box} fill="{colour}"/>', shown if text_width(words, 5.2) <= wide else ""]


def _heads(columns, left, wide, top, is_turned):
    parts = []
    for column, name in enumerate(columns):
        x = left + wide * (column + 0.5)
        if not is_turned:
            parts.append(text(x, top - 6, printable(name), "middle"))
            continue
        lines = wrap(name, 150)[: max(1, int(wide // 12))]
        for k, line in enumerate(lines):
            at = x + 4 + 12 * (k - (len(lines) - 1) / 2)
            turn = f' transform="rotate(-90 {short(at)} {short(top - 5)})"'
            parts.append(text(at, top - 5, line, "start", "t", turn))
    return parts


def _write(context):
    if context.has_baseline:
        return lambda value: fixed(value, 3, signed=True)
    return lambda value: number(value, 4)


def _with_runs(context):
    """The cells that have a value, each with one of its runs."""
    name, _ = _value_name(context)
    first = context.labels.drop_duplicates(context.results.cells)
    cells = context.table.merge(first[[*context.results.cells, "id"]], on=context.results.cells)
    cells = cells.assign(value=cells[name].astype(float))
    return cells[np.isfinite(cells["value"])]


# --- exponent by mantissa


def exponent_by_mantissa(context):
    formats = read_formats(context.results)
    records = []
    for _, cell in _with_runs(context).iterrows():
        elements = context.facts.elements(cell["id"])
        if len(elements) == 1 and elements[0] in formats.index:
            element = formats.loc[elements[0]]
            records.append((cell[BLOCK], cell["format"], elements[0], int(element["exponent"]),
                            int(element["mantissa"]), cell["value"]))  # fmt: skip
    name, what = _value_name(context)
    columns = [BLOCK, "format", "element", "exponent", "mantissa", name]
    data = pd.DataFrame(records, columns=columns)
    if len(data[["exponent", "mantissa"]].drop_duplicates()) < 2:
        raise LeftOut("fewer than two formats of one element each differ in their bits")
    exponents, mantissas = sorted(set(data["exponent"])), sorted(set(data["mantissa"]))
    best = data.groupby([BLOCK, "exponent", "mantissa"])[name].min()
    paint = _painter(context, best)
    panels = []
    for number_of, block in enumerate(context.shown):
        values = [[best.get((number_of, e, m), np.nan) for m in mantissas] for e in exponents]
        if np.isfinite(values).any():
            svg = cell_map(exponents, mantissas, values, paint, _write(context),
                           ("mantissa bits", "exponent bits"))  # fmt: skip
            panels.append(panel(svg, block.title, block.note))
    caption = (
        f"The {what}, of the formats that quantise to one element format; where several have the "
        "same bits (under other scales or routes), the best of them. Grey: within the margin; "
        "orange: worse; blue: better."
        if context.has_baseline
        else f"The {what}; where several formats have the same bits, the best of them."
    )
    data = _named(context, data)
    title = "Exponent and mantissa bits"
    return Figure("exponent-mantissa", title, panels, data, caption, notes=context.notes)


def _named(context, data):
    """The block's number as the values of its axes."""
    names = [axis.name for axis in context.block_axes]
    keys = pd.DataFrame([context.blocks[i].key for i in data[BLOCK]], columns=names)
    rest = data.drop(columns=BLOCK).reset_index(drop=True)
    return pd.concat([keys, rest], axis=1)


# --- layers


def _short(layer):
    return layer.replace("transformer.", "")


def _what(context, run_id):
    """Which of a run's layers are quantised: "all", "all but lm_head", "h.0.mlp.c_fc, ..."."""
    quantised = context.facts.quantised(run_id)
    on = [_short(n) for n, roles in quantised.items() if roles]
    off = [_short(n) for n, roles in quantised.items() if not roles]
    if not off:
        return "all layers"
    if not on:
        return "none"
    return f"all but {_folded(off)}" if len(off) <= len(on) else _folded(on)


def _folded(names):
    """Names that all blocks have as one: "*.mlp.c_fc"."""
    folded = {}
    for name in names:
        parts = name.split(".")
        is_block = len(parts) > 2 and parts[0] == "h" and parts[1].isdigit()
        folded.setdefault(".".join(parts[2:]) if is_block else name, []).append(name)
    n_most = max(len(group) for group in folded.values())
    if n_most == 1:
        return listed(names, 4)
    return listed([k if len(g) == n_most or k == g[0] else f"{k} of some blocks"
                   for k, g in folded.items()], 6)  # fmt: skip


def layers(context):
    if len({block.title for block in context.blocks}) < 2:
        raise LeftOut("the experiment has one layer config")
    cells = _with_runs(context)
    if cells.empty:
        raise LeftOut("no cell has a value yet")
    name, what = _value_name(context)
    if context.has_baseline:
        cells = cells[cells["verdict"] != "baseline"]
        if cells.empty:
            raise LeftOut("no cell has a difference yet")
    panels, paint = [], _painter(context, cells["value"])
    for note in dict.fromkeys(block.note for block in context.shown):
        blocks = [b for b in context.blocks if b.note == note]
        own = cells[cells[BLOCK].isin([context.blocks.index(b) for b in blocks])]
        formats = [f for f in context.formats if f in set(own["format"])]
        if not formats:
            continue
        values = own.set_index(["layers", "format"])["value"]
        grid = [[values.get((b.title, f), np.nan) for f in formats] for b in blocks]
        svg = cell_map([b.title for b in blocks], formats, grid, paint, _write(context))
        panels.append(panel(svg, note))
    data = _named(context, cells[[BLOCK, "format", "value"]].rename(columns={"value": name}))
    data["quantised"] = [_what(context, i) for i in cells["id"]]
    explained = data.drop_duplicates("layers").set_index("layers")["quantised"]
    caption = f"The {what}, by layer config (rows) and format (columns)."
    notes = [f"{name}: {what_is}" for name, what_is in explained.items()]
    notes = ["Quantised are: " + "; ".join(notes) + "."] + context.notes
    return Figure("layers", "Layers", panels, data, caption, notes=notes)


# --- roles


def roles(context):
    """Formats that quantise other roles to the same element formats, side by side."""
    records = []
    for _, cell in _with_runs(context).iterrows():
        quantised = context.facts.quantised(cell["id"])
        used = {role.split(".")[0] for found in quantised.values() for role in found}
        used = [role for role in ROLES if role in used]
        if used:
            element = "+".join(context.facts.elements(cell["id"]))
            records.append((cell[BLOCK], cell["format"], element, " + ".join(used), cell["value"]))
    name, what = _value_name(context)
    data = pd.DataFrame(records, columns=[BLOCK, "format", "element", "roles", name])
    if data["roles"].nunique() < 2:
        raise LeftOut("all formats quantise the same roles")
    names = sorted(set(data["roles"]), key=lambda n: (n.count("+"), n))
    best = data.groupby([BLOCK, "element", "roles"])[name].min()
    paint, panels = _painter(context, best), []
    for number_of, block in enumerate(context.shown):
        elements = list(dict.fromkeys(data.loc[data[BLOCK] == number_of, "element"]))
        values = [[best.get((number_of, e, r), np.nan) for e in elements] for r in names]
        if elements:
            svg = cell_map(names, elements, values, paint, _write(context))
            panels.append(panel(svg, block.title, block.note))
    caption = (
        f"The {what}, by the roles that are quantised (rows) and the element formats that they are "
        "quantised to (columns); of several such formats the best."
    )
    return Figure("roles", "Roles", panels, _named(context, data), caption, notes=context.notes)
