"""A results file as pandas tables.

A run may stand for several combinations of the grid: BF16 is one run under every layer config.
`labels` holds the combinations, `index` the runs. Whatever is grouped by layer config goes by
labels; whatever is counted or averaged over everything goes by the index, or it would count such a
run several times.
"""

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from .axes import OWN_COLUMNS, free_name, listed, make_axes, resolve
from .cells import COMPLETE
from .claims import judge_claims
from .interim import Looks
from .comparison import compare
from .files import open_results, read_table, read_text
from .live import read_live
from .weights import read_weights, state_dict

# of a file without samples, these are asked for rightly
SAMPLED = (
    "quant",
    *(
        f"diagnostics/{name}"
        for name in "flips grad grid rank kurtosis attn logits logit_sharpness rms noise sharpness".split()
    ),
)


class Results:
    """One results file, read whole at once but for curves and samples; safe beside a running
    experiment. With `live`, curves() has the points so far of runs that are still training, and
    the file itself may not be there yet.

    index     one row per run of the grid: id, axes, status (pending, done, diverged, failed) and
              final numbers, NaN where there are none yet
    labels    one row per combination of the grid: axes, id of its run
    orphans   completed runs that the experiment no longer names, with the columns of the index
    name, metric, margin, family, baseline   what the experiment is called and compares
    looks   the rounds in which seeds are added until decided; None where there are none
    has_file  whether there is a results file: not yet of an experiment that begins, nor of a CSV file
    running   ids of the runs that have live curves
    """

    def __init__(self, path, live=False):
        self.path = Path(path)
        grid = self._planned_grid() if live and not self.path.exists() else None
        self.has_file = grid is None
        if grid is None:
            with open_results(self.path) as file:
                grid = json.loads(read_text(file["experiment/grid"]))
                self._read_tables(file, grid)
        else:
            self._plan_tables(grid)
        self._set_up(grid)
        self._live = self._read_live() if live else {}

    def _set_up(self, grid):
        """What the tables do not say."""
        self.grid = grid  # as grid.json has it
        asked = grid["compare"]
        self.name = grid["name"]
        self.metric = asked.get("metric", "val_loss")
        if grid.get("altgrad_grid", 1) == 1 and self.metric.startswith("val_loss"):
            self.metric = f"final_{self.metric}"  # what the first version meant
        self.margin = asked.get("margin", np.nan)
        self.family = asked.get("family", "all")
        self._claims = grid.get("claims", [])
        self.looks = Looks.of_grid(grid)
        self.baseline = {
            axis.column: axis.values[i]
            for axis, i in zip(self.grid_axes, asked["baseline"])
            if i is not None
        }

    @classmethod
    def from_csv(cls, source, baseline=None, margin=np.nan, metric=None, family="all", name=None,
                 columns=None, axes=None, metrics=None):  # fmt: skip
        """Runs that another program trained, compared as those of altgrad are: `source` is a CSV file,
        several of them, or a pandas table, with a row per run and step.

        Its columns: format, seed, step; at least one metric (loss, val_loss, val_loss_hp,
        final_val_loss, final_val_loss_hp, grad_norm, lr, or those that `metrics` names); layers, id
        and status where wanted. Every other column is an axis, unless `axes` names those that are.
        `columns` renames, {"eval/loss": "val_loss"}. Runs that differ in the seed alone are repeats.

        The last val_loss of a run is its final_val_loss, where there is no column of that. A run whose
        last loss is nan or inf has diverged; one that ends before the others of its axes is pending.
        `baseline` is {axis: value} and, like `margin`, `metric` and `family`, as under `compare` in an
        experiment file. ValueError says what of a file is wrong, and in which row."""
        from .foreign import Foreign

        return Foreign(source, baseline, margin, metric, family, name, columns, axes, metrics)

    # --- reading

    def _planned_grid(self):
        """The grid of an experiment whose results file is not there yet."""
        path = Path(f"{self.path}.d") / "grid.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _read_tables(self, file, grid):
        index, labels = read_table(file["index"]), read_table(file["labels"])
        columns = [column for column in labels.columns if column != "id"]
        taken = OWN_COLUMNS | set(index.columns) - set(columns)
        self.grid_axes = make_axes(grid["axes"], columns, taken)
        self.labels = labels.rename(columns=dict(zip(columns, self.axes)))
        index = self._rename_axes(index)
        was_orphan = index.get("orphan", pd.Series(0, index.index)).astype(bool)
        orphans = read_table(file["orphans"]) if "orphans" in file else index[was_orphan]
        self.orphans = self._finish(self._rename_axes(orphans)).reset_index(drop=True)
        # files of earlier versions hold the whole validation part as the last point of the curve
        self._last_is_whole = "final_val_loss" not in index
        self.index = self._add_pending(self._finish(index[~was_orphan]))

    def _plan_tables(self, grid):
        ids = [run["id"] for run in grid["runs"]]
        names = [axis["name"].replace(".", "_") for axis in grid["axes"]]
        self.grid_axes = make_axes(grid["axes"], names, OWN_COLUMNS)
        rows = [
            [*(axis.values[i] for axis, i in zip(self.grid_axes, points)), ids[run]]
            for run, *points in grid["labels"]
        ]
        self.labels = pd.DataFrame(rows, columns=[*self.axes, "id"])
        metrics = ["loss", "val_loss", "val_loss_hp", "final_val_loss", "final_val_loss_hp"]
        empty = {name: pd.Series(dtype=float) for name in [*metrics, "entropy_rate"]}
        empty = {"id": pd.Series(dtype=object), "status": pd.Series(dtype=object), **empty}
        self.orphans = pd.DataFrame(empty)
        self._last_is_whole = False
        self.index = self._add_pending(self.orphans)

    def _rename_axes(self, index):
        """The axes' columns follow `label`, in the order of the grid."""
        names = list(index.columns)
        if "label" not in names:
            return index
        start = names.index("label") + 1
        return index.rename(columns=dict(zip(names[start : start + len(self.axes)], self.axes)))

    def _finish(self, index):
        index = index.drop(columns="orphan", errors="ignore")
        for metric in ("val_loss", "val_loss_hp"):
            if metric in index and f"final_{metric}" not in index:
                place = index.columns.get_loc(metric)
                index.insert(place, f"final_{metric}", index[metric])
        return _judged(index)

    def _add_pending(self, index):
        """Files of earlier versions leave out the runs that are pending."""
        first = self.labels.drop_duplicates("id")
        missing = first[~first["id"].isin(index["id"])].assign(status="pending")
        if missing.empty:
            return index.reset_index(drop=True)
        whole = [c for c in index if index[c].dtype.kind in "iu" and c not in missing]
        text = [c for c in index if index[c].dtype.kind == "O" and c not in missing]
        missing = missing.assign(**{c: 0 for c in whole}, **{c: "" for c in text})
        return pd.concat([index, missing], ignore_index=True).reindex(
            columns=[*index.columns, *(a for a in self.axes if a not in index)]
        )

    def _read_live(self):
        complete = set(self.index.loc[self.index["status"].isin(COMPLETE), "id"])
        runs = read_live(self.path)
        return {id: series for id, series in runs.items() if id not in complete}

    # --- axes

    @property
    def axes(self):
        """The axes of the grid, as columns of `labels`: format, layers, seed and others."""
        return [axis.column for axis in self.grid_axes]

    @property
    def cells(self):
        """The axes that tell experiments apart, that is all but the seed."""
        return [axis for axis in self.axes if axis != "seed"]

    @property
    def running(self):
        return list(self._live)

    @property
    def floor(self):
        """The lowest loss that can be expected, in nats per token, or None where it is not known or
        differs between runs."""
        rates = self.index["entropy_rate"].dropna().unique()
        return float(rates[0]) if len(rates) == 1 else None

    def select(self, frame, select):
        """The rows of `frame` with these values on the grid's axes, {axis: value or list}, such as
        {"optimizer.lr": 1e-3}. An unknown axis or value is an error."""
        for column, values in resolve(self.grid_axes, select).items():
            frame = frame[frame[column].isin(values)]
        return frame

    # --- runs, curves, samples

    def runs(self):
        """The completed runs under each of their labels, with their final numbers."""
        runs = self._labelled()
        return runs[runs["status"].isin(COMPLETE)].reset_index(drop=True)

    def _labelled(self):
        numbers = self.index.drop(columns=[a for a in self.axes if a in self.index])
        return self.labels.merge(numbers, how="left", on="id", validate="many_to_one")

    def metrics(self):
        """The metrics that curves() knows."""
        found = {name for series in self._live.values() for name in series}
        with self._curves() as curves:
            found.update(name for name in curves if curves[name].ndim == 2)
        return sorted(found)

    @contextmanager
    def _curves(self):
        """The group of the curves; empty while there is none."""
        if not self.has_file:
            yield {}
            return
        with open_results(self.path) as file:
            yield file.get("curves", {})

    def matrix(self, metric):
        """A metric of the completed runs as it lies in the file: ids [n], steps [m], values [n, m]
        with NaN where a run has none."""
        with self._curves() as curves:
            if metric not in curves or curves[metric].ndim != 2:
                return np.array([], object), np.array([], np.int64), np.empty((0, 0))
            ids = curves["run"].asstr()[...]
            steps = curves["eval_step" if metric.startswith("val_") else "step"][...]
            values = curves[metric][...]
        if self._last_is_whole and metric.startswith("val_") and values.size:
            values[np.arange(len(values)), self._last_points(ids, steps, values)] = np.nan
        return ids, steps, values

    def _last_points(self, ids, steps, values):
        """Where the evaluation after the last step of each run stands, be it a number or not."""
        last = values.shape[1] - 1 - np.argmax(~np.isnan(values[:, ::-1]), axis=1)
        if "steps" not in self.index:
            return last
        runs = pd.concat([self.index, self.orphans]).drop_duplicates("id").set_index("id")
        ends = runs["steps"].reindex(ids).to_numpy(float)
        return np.where(np.isin(ends, steps), np.searchsorted(steps, ends), last)

    def curves(self, metric):
        """A metric of the training steps (loss, grad_norm, lr, ...) or of the evaluations
        (val_loss, val_loss_hp) in long form: the axes of each label, id, step, value."""
        known = self.metrics()
        if known and metric not in known:
            raise KeyError(
                f"no curve of {metric}; there are {listed(known)} (final numbers are in index)"
            )
        ids, steps, values = self.matrix(metric)
        rows = self.labels["id"].map(dict(zip(ids, range(len(ids)))))
        labels = self.labels[rows.notna()]
        values = values[rows.dropna().astype(int).to_numpy()]
        label, point = np.nonzero(~np.isnan(values))
        frame = labels.take(label).assign(step=steps[point], value=values[label, point])
        live = [
            pd.DataFrame({"id": id, "step": steps, "value": values})
            for id, (steps, values) in self.live_curves(metric).items()
        ]
        if live:
            running = self.labels.merge(pd.concat(live).dropna(), on="id")
            frame = pd.concat([frame, running])
        return frame.reset_index(drop=True)

    def live_curves(self, metric):
        """{id: (steps, values)} of the runs that are still training."""
        return {id: series[metric] for id, series in self._live.items() if metric in series}

    def samples(self, group="quant"):
        """The series that were sampled under a group of each run ("quant", "diagnostics/grad"): one
        row per label, layer, operand ("" for those of a layer) and sampled step, with the axes, id
        and a column per metric."""
        frames, known = self._read_samples(group) if self.has_file else ([], set())
        if group not in (known or SAMPLED):
            there = listed(sorted(known)) or "none: 'altgrad run' makes them (observe.diagnostics)"
            raise KeyError(f"no run has samples of {group}; there are {there}")
        own = ["id", "layer", "operand", "step"]
        sampled = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=own)
        names = {axis: free_name(axis, sampled.columns) for axis in self.axes}
        return self.labels.rename(columns=names).merge(sampled, on="id")

    def _read_samples(self, group):
        """A frame for each series of a group, and what all groups are called."""
        frames, known = [], set()
        with open_results(self.path) as file:
            for run_id, run in file.get("runs", {}).items():
                known.update(_groups(run))
                for layer, series in run.get(group, {}).items():
                    if layer != "step":
                        frames += _sampled(run_id, layer, series)
        return frames, known

    # --- models

    def weights(self, run, group="weights"):
        """The final weights of a completed run, {name: float32 array} with nanoGPT's names and
        shapes; `run` is the beginning of its id. group="weights_initial": those before step 0."""
        return read_weights(self.path, run, group)

    def state_dict(self, run):
        """The final weights as torch tensors, with lm_head.weight also where it is tied."""
        return state_dict(self.weights(run))

    # --- comparison

    def table(self, metric=None, best=None):
        """What `altgrad summary` says, one row for each combination of the axes but the seed
        (definitions: docs/statistics.md):

        n, mean, sd   of the runs with a finite value of the metric
        pairs, difference, difference_sd, half_width, low, high   mean difference to the baseline's
            runs at the same other axes, number of pairs, its 95 % interval (Student's t)
        bca_low, bca_high   the same by bootstrap; NaN for fewer than 8 pairs
        p, p_adjusted   the least error rate at which there is a verdict: alone, and in the family
        verdict   "baseline", "same", "worse", "better", "open"; "diverged" where a run did, since
            those that are left cannot settle it; "" with fewer than two pairs. verdict_alone by the
            row's own interval
        pairs_needed   of open rows: pairs that would decide if mean and sd stayed; NaN: none
        missing_pairs   ((seed, why), ...) of the pairs without a difference
        done, diverged, failed, pending   numbers of runs, which add up to all; without_value of
            those done have no finite value; the baseline's run diverged in baseline_diverged pairs

        Runs in which the seed has no part are one, and count once. `metric` is a column of the
        index; None is the one that the experiment compares. With `best`, the name of an axis, each
        format is taken at its best point of it: the first third of the seeds, `choosers` of them,
        chooses, and the others are judged; `optimistic` tells where too few seeds were there."""
        runs = self._labelled()
        return compare(self, runs, self._check_metric(metric or self.metric, runs), best)

    def spikes(self, metric="loss", window=1000):
        """How often training jumps, a row for each complete run of the grid: id, `steps` that have
        a full window before them, and `spikes`, those of them whose metric is 7 standard deviations
        (n - 1) or more off the mean of the window. spikes / steps is the spike score of OLMo 2
        (arXiv 2501.00656); `altgrad summary --spikes` has it by cell."""
        ids, _, values = self.matrix(metric)
        counts = [_count_spikes(row, window) for row in values]
        found = pd.DataFrame(counts, columns=["steps", "spikes"], dtype=int)
        found.insert(0, "id", ids)
        return found

    def claims(self, metric=None):
        """The experiment's claims, judged by the runs as `altgrad summary --json` tells them, a row
        each: name, text, source, kind, bound, state ("confirmed", "refuted", "open"), the number of
        seeds, the difference and its interval (of "diverges": that of the share), p, p_adjusted,
        more_seeds that might decide."""
        runs = self._labelled()
        metric = self._check_metric(metric or self.metric, runs)
        return judge_claims(self, runs, metric, self._claims)

    def _check_metric(self, metric, runs):
        known = [c for c in runs if runs[c].dtype.kind in "fiu" and c not in self.axes]
        if metric in known:
            return metric
        raise KeyError(f"no metric {metric}; there are {listed(known)}")

    def partners(self):
        """For each row of `labels` the row of its partner on the baseline, or -1."""
        labels = self.labels
        partner = np.full(len(labels), -1)
        if not self.baseline or labels.empty:
            return partner
        chosen = np.logical_and.reduce([labels[a] == value for a, value in self.baseline.items()])
        shared = [axis for axis in self.axes if axis not in self.baseline]
        key = np.zeros(len(labels), int)
        if shared:
            key = labels.groupby(shared, sort=False, dropna=False).ngroup().to_numpy()
        partner[key[chosen]] = np.flatnonzero(chosen)
        return partner[key]


def _judged(index):
    """The first version called a run done whose loss was no number in the end."""
    finite = np.ones(len(index), bool)
    for metric in ("final_val_loss", "loss"):
        if metric in index:
            finite &= np.isfinite(index[metric].to_numpy(float))
    if "steps" in index and "final_val_loss" in index:  # untrained runs have no training loss
        untrained = (index["steps"] == 0).to_numpy()
        finite |= untrained & np.isfinite(index["final_val_loss"].to_numpy(float))
    status = index["status"].mask((index["status"] == "done") & ~finite, "diverged")
    return index.assign(status=status)


def _groups(run):
    """What samples() can be asked for of a run."""
    for name in run:
        if name == "quant":
            yield name
        if name == "diagnostics":
            yield from (f"{name}/{group}" for group in run[name])


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


def _count_spikes(values, window):
    """As ag_count_spikes; the NaN behind the end of a shorter run are no steps."""
    values = values[: len(values) - np.argmax(~np.isnan(values[::-1]))]
    if len(values) <= window:
        return 0, 0
    before = np.lib.stride_tricks.sliding_window_view(values[:-1], window)
    off = np.abs(values[window:] - before.mean(axis=1))
    spikes = (off > 0) & (off >= 7 * before.std(axis=1, ddof=1))
    return len(off), int(spikes.sum())
