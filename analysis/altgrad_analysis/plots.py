"""Figures of a results file: losses over the steps, and what each format costs at the end."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

BASELINE_COLOUR = "#222222"
# Okabe and Ito's colours, told apart by most colour-blind readers; black is the baseline's.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"]
HEAT = LinearSegmentedColormap.from_list("loss", ["#2E7EBB", "#FFFFFF", "#D55E00"])
CAPTION = """mean ± standard deviation over seeds
below it: mean of the differences, seed by seed
curves: mean, and band from lowest to highest seed"""
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.labelsize": 10,
    "font.size": 9.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
}


def colours(formats, baseline):
    """One colour a format, in the order of the experiment."""
    others = [name for name in formats if name != baseline]
    chosen = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(others)}
    return {name: chosen.get(name, BASELINE_COLOUR) for name in formats}


def smooth(curve, window):
    """Mean over the last `window` steps of each row of [run, step]; fewer at the start."""
    sums = np.cumsum(np.insert(curve, 0, 0.0, axis=1), axis=1)
    ends = np.arange(1, curve.shape[1] + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[:, ends] - sums[:, starts]) / (ends - starts)


def draw_curves(axes, curves, palette, window=1):
    """Mean over seeds, and a band from the lowest to the highest seed, one line a format."""
    for name, colour in palette.items():
        rows = curves[curves["format"] == name]
        if rows.empty:
            continue
        wide = rows.pivot_table(index="id", columns="step", values="value")
        wide = wide.dropna(axis="columns")  # the steps that every seed reached
        values = smooth(wide.to_numpy(), window)
        steps = wide.columns.to_numpy()
        if len(values) > 1:
            axes.fill_between(
                steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, lw=0
            )
        axes.plot(steps, values.mean(axis=0), color=colour, label=name)


def draw_floor(axes, floor):
    if floor is None:
        return
    axes.axhline(floor, color="#666666", lw=1, ls=(0, (4, 3)))
    axes.annotate(
        "entropy rate",
        (1, floor),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
        color="#666666",
    )


def cell_text(cell):
    if cell["runs"] == 0:
        return "diverged" if cell["diverged"] else ""
    text = f"{cell['mean']:.3f}"
    if np.isfinite(cell["sd"]):
        text += f" ± {cell['sd']:.3f}"
    if np.isfinite(cell["difference"]) and cell["difference"] != 0:
        text += f"\n{cell['difference']:+.3f}".replace("-", "\N{MINUS SIGN}")
    return text + (f"\n{int(cell['diverged'])} diverged" if cell["diverged"] else "")


def draw_table(axes, table, formats, layers):
    """The final loss of each format and layer config, coloured by its difference to the
    baseline."""
    differences = np.full((len(formats), len(layers)), np.nan)
    for _, cell in table.iterrows():
        i, j = formats.index(cell["format"]), layers.index(cell["layers"])
        differences[i, j] = cell["difference"]
        axes.text(j, i, cell_text(cell), ha="center", va="center", fontsize=9.5, linespacing=1.35)
    finite = np.abs(differences[np.isfinite(differences)])
    limit = finite.max() if finite.size and finite.max() > 0 else 1.0
    axes.imshow(differences, cmap=HEAT, vmin=-1.6 * limit, vmax=1.6 * limit, aspect="auto")
    axes.set_xticks(range(len(layers)), layers)
    axes.set_yticks(range(len(formats)), formats)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.grid(False)
    axes.spines[:].set_visible(False)
    for edge in np.arange(0.5, len(formats) - 1):
        axes.axhline(edge, color="white", lw=2)
    for edge in np.arange(0.5, len(layers) - 1):
        axes.axvline(edge, color="white", lw=2)


def _limits(curves):
    """From the lowest value to what the runs reach soon after the start, so that the differences
    at the end can be seen."""
    low = curves["value"].min()
    early = curves[curves["step"] >= 0.05 * curves["step"].max()]
    high = early["value"].max()
    return low - 0.06 * (high - low), high + 0.02 * (high - low)


def _table_title(results):
    if not results.baseline:
        return "final validation loss"
    baseline = ", ".join(str(value) for value in results.baseline.values())
    return f"final validation loss, and its difference to {baseline}"


def _one_point(frame, results, select):
    """The rows of one point on the axes beyond format, layers and seed."""
    for axis in results.cells:
        if axis not in ("format", "layers"):
            value = select.get(axis, results.labels[axis].iloc[0])
            frame = frame[frame[axis].astype(str) == str(value)]
    return frame


def _draw_losses(row, curves, title, layers, palette, floor, window):
    for axes, layer in zip(row, layers):
        draw_curves(axes, curves[curves["layers"] == layer], palette, window)
        draw_floor(axes, floor)
    low, high = _limits(curves)
    row[0].set_ylim(low if floor is None else min(low, floor - 0.02), high)
    row[0].set_ylabel(title)


def overview(results, select=None):
    """Validation and training loss over the steps, a column a layer config, and the table of final
    losses beside them. `select` maps an axis beyond format, layers and seed to the value to draw;
    otherwise it is the first."""
    val_loss = _one_point(results.curves("val_loss"), results, select or {})
    loss = _one_point(results.curves("loss"), results, select or {})
    table = _one_point(results.table("val_loss"), results, select or {})
    if val_loss.empty:
        raise ValueError("no completed run to draw")
    formats = list(dict.fromkeys(results.labels["format"]))
    layers = list(dict.fromkeys(results.labels["layers"]))
    palette = colours(formats, results.baseline.get("format"))
    with matplotlib.rc_context(STYLE):
        figure = plt.figure(figsize=(max(5.2 * len(layers) + 1.6, 8), 6.4), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[3.3, 1.9 + 0.9 / len(layers)])
        rows = left.subplots(
            2, len(layers), sharex=True, sharey="row", squeeze=False, height_ratios=[1.25, 1]
        )
        _draw_losses(
            rows[0], val_loss, "validation loss (nats/token)", layers, palette, results.floor, 1
        )
        window = max(1, int(loss["step"].max()) // 40)
        _draw_losses(
            rows[1], loss, "training loss (nats/token)", layers, palette, results.floor, window
        )
        for column, layer in zip(rows.T, layers):
            column[0].set_title(layer)
            column[1].set_xlabel("step")
        rows[0][-1].legend(loc="upper right")
        axes = right.subplots()
        draw_table(axes, table, formats, layers)
        axes.set_title(_table_title(results), pad=10)
        axes.set_xlabel(CAPTION, fontsize=8.5, color="#666666")
        figure.suptitle(results.name, fontsize=13, fontweight="bold", x=0.01, ha="left")
    return figure
