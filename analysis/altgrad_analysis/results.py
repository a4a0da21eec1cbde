"""A results file as pandas tables.

A run may stand for several combinations of the grid: BF16 is one run under every layer config.
`labels` holds the combinations, `index` the runs. Whatever is grouped by layer config goes by
labels; whatever is counted or averaged over everything goes by the index, or it would count such a
run several times.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

FORMAT = "altgrad-results"


class Results:
    """One results file, read whole at once but for the curves; safe beside a running experiment."""

    def __init__(self, path):
        self.path = Path(path)
        with h5py.File(self.path, "r") as file:
            if _text(file.attrs.get("format", "")) != FORMAT:
                raise ValueError("not a results file of altgrad")
            self.name = _text(file.attrs["experiment"])
            self.index = _frame(file["index"])
            self.labels = _frame(file["labels"])
            self.baseline = self._find_baseline(file["experiment/grid"].asstr()[()])

    def _find_baseline(self, grid):
        """What the experiment compares with, {"format": "BF16"}: a run's partner has these values,
        and its own on every other axis."""
        grid = json.loads(grid)
        points = zip(self.axes, grid["axes"], grid["compare"]["baseline"])
        return {
            axis: listed["values"][i].get("value", listed["values"][i]["text"])
            for axis, listed, i in points
            if i is not None
        }

    @property
    def axes(self):
        """The axes of the grid, as columns of `labels`: format, layers, seed and others."""
        return [column for column in self.labels.columns if column != "id"]

    @property
    def cells(self):
        """The axes that tell experiments apart, that is all but the seed."""
        return [axis for axis in self.axes if axis != "seed"]

    @property
    def floor(self):
        """The lowest loss that can be expected, in nats a token, or None where it is not known or
        differs between runs."""
        rates = self.index["entropy_rate"].dropna().unique()
        return float(rates[0]) if len(rates) == 1 else None

    def runs(self):
        """The completed runs under each of their labels, with their final numbers."""
        numbers = self.index.drop(columns=[a for a in self.axes if a in self.index])
        joined = self.labels.merge(numbers, on="id", validate="many_to_one")
        return joined[joined["status"].isin(["done", "diverged"])].reset_index(drop=True)

    def curves(self, metric):
        """A metric of the training steps (loss, grad_norm, lr, ...) or of the evaluations
        (val_loss, val_loss_hp) in long form: the axes of each label, id, step, value."""
        with h5py.File(self.path, "r") as file:
            if "curves" not in file:
                return pd.DataFrame(columns=[*self.axes, "id", "step", "value"])
            curves = file["curves"]
            if metric not in curves or curves[metric].ndim != 2:
                known = sorted(name for name in curves if curves[name].ndim == 2)
                raise KeyError(f"no metric {metric}; there are {', '.join(known)}")
            values = curves[metric][...]
            ids = curves["run"].asstr()[...]
            over = "eval_step" if metric.startswith("val_") else "step"
            steps = curves[over][...]
        n_runs, n_steps = values.shape
        frame = pd.DataFrame(
            {
                "id": np.repeat(ids, n_steps),
                "step": np.tile(steps, n_runs),
                "value": values.ravel(),
            }
        ).dropna()
        return self.labels.merge(frame, on="id")

    def samples(self, group="quant"):
        """The series that were sampled under a group of each run ("quant", "diagnostics/grad"): one
        row a sample, with id, layer, operand ("" for those of a layer), step and a column a
        metric."""
        frames = []
        with h5py.File(self.path, "r") as file:
            for run_id, run in file["runs"].items():
                for layer, series in run.get(group, {}).items():
                    if layer != "step":
                        frames += _sampled(run_id, layer, series)
        columns = ["id", "layer", "operand", "step"]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def table(self, metric="val_loss"):
        """One row for each combination of the axes but the seed: runs, mean and sd over seeds, runs
        that diverged, and the mean and sd of the differences to the baseline's run of the same
        seed. A diverged run has no place in a mean."""
        runs = self.runs()
        runs["diverged"] = runs["status"] == "diverged"
        runs["value"] = runs[metric].where(~runs["diverged"])
        runs["difference"] = runs["value"] - self._partners(runs)
        cells = runs.groupby(self.cells, sort=False)
        return cells.agg(
            runs=("value", "count"),
            mean=("value", "mean"),
            sd=("value", "std"),
            difference=("difference", "mean"),
            difference_sd=("difference", "std"),
            diverged=("diverged", "sum"),
        ).reset_index()

    def _partners(self, runs):
        """For each row of `runs` the value of its baseline partner, or NaN."""
        if not self.baseline:
            return np.full(len(runs), np.nan)
        chosen = np.logical_and.reduce([runs[a] == value for a, value in self.baseline.items()])
        shared = [axis for axis in self.axes if axis not in self.baseline]
        partners = runs.loc[chosen, [*shared, "value"]]
        return runs[shared].merge(partners, on=shared, how="left")["value"].to_numpy()


def _sampled(run_id, layer, group):
    """A frame for a layer's series, or for each of its operands'."""
    operands = {"": group} if "step" in group else group
    for operand, series in operands.items():
        frame = pd.DataFrame({name: values[...] for name, values in series.items()})
        steps = frame.pop("step")
        for place, (name, value) in enumerate(
            {"id": run_id, "layer": layer, "operand": operand, "step": steps}.items()
        ):
            frame.insert(place, name, value)
        yield frame


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _frame(dataset):
    """A compound dataset, with its fixed-length byte strings as text."""
    rows = dataset[...]
    frame = pd.DataFrame({name: rows[name] for name in rows.dtype.names})
    for name in rows.dtype.names:
        if rows.dtype[name].kind in "SO":
            frame[name] = frame[name].map(_text)
    return frame
