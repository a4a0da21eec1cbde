"""Figures of a results file: losses over the steps, and what each format costs at the end."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

BASELINE_COLOUR = "#222222"
# Okabe and Ito's colours, told apart by most colour-blind readers; black is the baseline's.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"]
HEAT = LinearSegmentedColormap.from_list("loss", ["#2E7EBB", "#FFFFFF", "#D55E00"])
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


def colours(formats, baseline="BF16"):
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


def overview(results, select=None, baseline="BF16"):
    """Validation and training loss over the steps, a column a layer config, and the table of final
    losses beside them. `select` maps an axis to the value to draw: needed for each axis beyond
    format, layers and seed that has several values."""
    labels = results.labels
    curves = {metric: results.curves(metric) for metric in ("val_loss", "loss")}
    table = results.table("val_loss", baseline)
    for axis in results.cells:
        if axis in ("format", "layers"):
            continue
        value = (select or {}).get(axis, str(labels[axis].iloc[0]))
        curves = {m: c[c[axis].astype(str) == str(value)] for m, c in curves.items()}
        table = table[table[axis].astype(str) == str(value)]
    if curves["val_loss"].empty:
        raise ValueError(f"{results.path}: no completed run to draw")
    formats = list(dict.fromkeys(labels["format"]))
    layers = list(dict.fromkeys(labels["layers"]))
    palette = colours(formats, baseline)
    with matplotlib.rc_context(STYLE):
        width = 3.3 * len(layers) + 1.9 * len(layers) + 1.6
        figure = plt.figure(figsize=(max(width, 8), 6.4), layout="constrained")
        curve_part, table_part = figure.subfigures(1, 2, width_ratios=[3.3, 1.9 + 0.9 / len(layers)])
        grid = curve_part.subplots(
            2, len(layers), sharex=True, sharey="row", squeeze=False, height_ratios=[1.25, 1]
        )
        rows = (("val_loss", "validation loss (nats/token)"), ("loss", "training loss (nats/token)"))
        for (metric, title), row in zip(rows, grid):
            data = curves[metric]
            steps = data["step"].max() + 1
            window = 1 if metric == "val_loss" else max(1, int(steps) // 40)
            for axes, layer in zip(row, layers):
                draw_curves(axes, data[data["layers"] == layer], palette, window)
                draw_floor(axes, results.floor)
            row[0].set_ylabel(title)
            low, high = _limits(data)
            row[0].set_ylim(min(low, results.floor or low) - 0.02, high)
        for axes, layer in zip(grid[0], layers):
            axes.set_title(layer)
        for axes in grid[1]:
            axes.set_xlabel("step")
        grid[0][-1].legend(loc="upper right")
        table_axes = table_part.subplots()
        draw_table(table_axes, table, formats, layers)
        table_axes.set_xlabel(
            "mean ± standard deviation over seeds; below it the mean difference, seed by seed\n"
            "curves: mean over seeds, band from the lowest to the highest",
            fontsize=8.5,
            color="#666666",
        )
        table_axes.set_title("final validation loss, and its difference to " + baseline, pad=10)
        figure.suptitle(results.name, fontsize=13, fontweight="bold", x=0.01, ha="left")
    return figure
