"""Curves of runs that another program trained, under the statistics of `altgrad summary`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .axes import OWN_COLUMNS, find_axis, listed, make_axes
from .cells import STATUSES
from .results import Results

METRICS = (
    "loss",
    "val_loss",
    "val_loss_hp",
    "final_val_loss",
    "final_val_loss_hp",
    "grad_norm",
    "lr",
)
NEEDED = ("format", "seed", "step")
FIRST = ["format", "layers", "seed"]  # of the axes, as in altgrad's own files
NOT_AXES = {"id", "step", "status"}
TEXTS = {"format", "layers"}


class Foreign(Results):
    """What Results.from_csv() returns: the tables, curves and comparison of a results file, without
    samples and weights."""

    def __init__(self, source, baseline, margin, metric, family, name, columns, axes, metrics):
        frame, where = _read(source, columns)
        table = _Table(frame, where, axes, metrics)
        runs = table.runs()
        self.path = Path(where)
        self.has_file = False
        self._live = {}
        self._last_is_whole = False
        self._matrices = {metric: _matrix(runs, metric) for metric in table.metrics}
        described = [table.describe(axis) for axis in table.axes]
        columns = [axis.replace(".", "_") for axis in table.axes]
        self.grid_axes = make_axes(described, columns, OWN_COLUMNS)
        self._fill(table, runs)
        metric = metric or (
            "final_val_loss" if "final_val_loss" in self.index else table.metrics[0]
        )
        points = _baseline_points(self.grid_axes, baseline)
        compared = {"metric": metric, "family": family, "baseline": points}
        compared |= {} if np.isnan(margin) else {"margin": margin}
        grid = {"altgrad_grid": 2, "name": name or self.path.stem, "axes": described}
        self._set_up({**grid, "compare": compared})
        self._check_metric(metric, self.index)

    def _fill(self, table, runs):
        labels = pd.DataFrame([[*run.point, run.id] for run in runs], columns=[*self.axes, "id"])
        self.labels = labels
        once = {run.id: run for run in reversed(runs)}
        once = [once[run_id] for run_id in dict.fromkeys(labels["id"])]
        rows = [{"id": r.id, "status": r.status, "steps": r.last_step, **r.finals} for r in once]
        index = pd.DataFrame(rows).merge(labels.drop_duplicates("id"), on="id")
        first = ["id", *self.axes, "status", "steps"]
        self.index = index[[*first, *(c for c in index if c not in first)]].assign(
            entropy_rate=np.nan
        )
        self.orphans = self.index.head(0)

    def metrics(self):
        return sorted(m for m, (ids, _, _) in self._matrices.items() if len(ids))

    def matrix(self, metric):
        none = np.array([], object), np.array([], np.int64), np.empty((0, 0))
        return self._matrices.get(metric, none)

    def weights(self, run, group="weights"):
        raise KeyError("a CSV file holds no weights")


@dataclass
class _Run:
    point: tuple  # its values on the axes
    id: str
    curves: dict  # {metric: (steps, values)}
    last_step: int
    status: str

    @property
    def finals(self):
        """The last value of each metric. Without a final loss of its own the last one of the curve is
        that, too."""
        last = {m: values[-1] if len(values) else np.nan for m, (_, values) in self.curves.items()}
        for metric in ("val_loss", "val_loss_hp"):
            if metric in last:
                last.setdefault(f"final_{metric}", last[metric])
        return last


def _baseline_points(axes, baseline):
    """The places of the baseline's values on the axes, None where it has none."""
    chosen = {find_axis(axes, name).name: value for name, value in (baseline or {}).items()}
    return [
        a.values.index(a.find(chosen[a.name])) if a.name in chosen else None for a in axes
    ]  # fmt: skip


# --- reading


def _read(source, columns):
    """All cells as texts, "" where there is none, and what to call the source."""
    if isinstance(source, pd.DataFrame):
        frame = source.astype(object).where(source.notna(), "")
        frames, where = [frame.apply(lambda column: column.map(str))], "table"
    else:
        paths = [Path(p) for p in ([source] if isinstance(source, (str, Path)) else source)]
        if not paths:
            raise ValueError("no file is named")
        frames, where = [_read_file(path) for path in paths], str(paths[0])
    for frame in frames:
        if set(frame.columns) != set(frames[0].columns):
            differ = sorted(set(frame.columns) ^ set(frames[0].columns))
            raise ValueError(f"{where}: the files differ in their columns: {listed(differ)}")
    frame = pd.concat(frames, ignore_index=True).rename(columns=columns or {})
    lacking = sorted(set((columns or {}).values()) - set(frame.columns))
    if lacking:
        raise ValueError(f"{where}: `columns` names none of its columns for {listed(lacking)}")
    double = sorted(set(frame.columns[frame.columns.duplicated()]))
    if double:
        raise ValueError(f"{where}: two columns are called {listed(double)}")
    return frame, where


def _read_file(path):
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"{path}: an empty file") from error
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"{path}: not a CSV file: {reason}") from error


class _Table:
    """A row per run and step. `axes` and `metrics` are names of its columns."""

    def __init__(self, frame, where, axes, metrics):
        self.frame, self.where = frame, where
        for name in NEEDED:
            if name not in frame:
                raise self._wrong(
                    f"no column '{name}'; there are {listed(frame.columns)}. `columns` renames, such "
                    f"as {{'{frame.columns[0]}': '{name}'}}"
                )
        if frame.empty:
            raise self._wrong("no rows")
        if "layers" not in frame:
            frame["layers"] = "all"
        self.metrics = self._named_metrics(axes, metrics)
        if not self.metrics:
            raise self._wrong(
                f"no metric; there are {listed(frame.columns)}. Known are {listed(METRICS)}; `metrics` "
                "names others"
            )
        found = [c for c in frame if c not in NOT_AXES and c not in self.metrics]
        if axes is not None:
            self._expect(axes, "axes")
            found = [c for c in found if c in {*axes, *FIRST}]
        self.axes = [*FIRST, *(c for c in found if c not in FIRST)]
        self._points = {axis: self._points_of(axis) for axis in self.axes}

    def _wrong(self, what):
        return ValueError(f"{self.where}: {what}")

    def _expect(self, names, what):
        lacking = [name for name in names if name not in self.frame]
        if lacking:
            raise self._wrong(
                f"`{what}`: no column {listed(lacking)}; there are {listed(self.frame.columns)}"
            )

    def _named_metrics(self, axes, metrics):
        if metrics is not None:
            self._expect(metrics, "metrics")
            return list(metrics)
        return [name for name in METRICS if name in self.frame and name not in (axes or ())]

    def _numbers(self, name, is_whole=False):
        """NaN where the cell is empty. A wrong one is named by its line, whose first is the header."""
        texts = self.frame[name].str.strip()
        numbers = pd.to_numeric(texts.where(texts != "", "nan"), errors="coerce").to_numpy(float)
        is_number = ~np.isnan(numbers) | texts.str.lower().isin(["", "nan", "-nan", "+nan"])
        if is_whole:
            is_number &= np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers >= 0)
        if not is_number.all():
            row = int(np.argmin(is_number))
            kind = "a whole number" if is_whole else "a number"
            raise self._wrong(f"row {row + 1}: {name} is '{texts.iloc[row]}', expected {kind}")
        return numbers

    def _points_of(self, axis):
        """(kind, {value: text}) of an axis, and the value of each row."""
        texts = self.frame[axis].str.strip()
        if (texts == "").any():
            row = int(np.argmax(texts == ""))
            raise self._wrong(f"row {row + 1}: {axis} is empty")
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(float)
        kind, values = "text", texts
        if axis not in TEXTS and np.isfinite(numbers).all():
            is_whole = (numbers == np.floor(numbers)).all() and (np.abs(numbers) < 2**53).all()
            kind = "int" if is_whole else "real"
            values = pd.Series(numbers.astype(np.int64) if is_whole else numbers)
        known = {}
        for value, text in zip(values.tolist(), texts):
            known.setdefault(value, text)
        return kind, known, values.tolist()

    def describe(self, axis):
        """As grid.json has it."""
        kind, known, _ = self._points[axis]
        points = [
            {"text": t} if kind == "text" else {"text": t, "value": v} for v, t in known.items()
        ]
        return {"name": axis, "type": kind, "values": points}

    # --- runs

    def runs(self):
        """The runs in the order of the table, one for each point on the axes."""
        steps = self._numbers("step", is_whole=True).astype(np.int64)
        values = {metric: self._numbers(metric) for metric in self.metrics}
        there = {m: (self.frame[m].str.strip() != "").to_numpy() for m in self.metrics}
        rows = {}
        for row, point in enumerate(zip(*(self._points[axis][2] for axis in self.axes))):
            rows.setdefault(point, []).append(row)
        runs = []
        for number, (point, own) in enumerate(rows.items()):
            own = np.array(own)[np.argsort(steps[own], kind="stable")]
            self._expect_steps_once(steps, own)
            curves = {
                m: (steps[own][there[m][own]], values[m][own][there[m][own]]) for m in self.metrics
            }
            run_id = self.frame["id"].iloc[own[0]] if "id" in self.frame else f"run{number}"
            runs.append(_Run(point, run_id, curves, int(steps[own[-1]]), self._status(own)))
        _find_unfinished(runs, self.axes)
        return runs

    def _expect_steps_once(self, steps, own):
        double = np.flatnonzero(np.diff(steps[own]) == 0)
        if not len(double):
            return
        row = own[double[0] + 1]
        named = ", ".join(f"{axis} {self.frame[axis].iloc[row]}" for axis in self.axes)
        raise self._wrong(
            f"row {row + 1}: step {steps[row]} of {named} is there twice. What tells these runs apart "
            "must be a column, and one of `axes`"
        )

    def _status(self, own):
        """What the table says, or ""."""
        if "status" not in self.frame:
            return ""
        said = self.frame["status"].iloc[own[-1]].strip()
        if said not in (*STATUSES, ""):
            raise self._wrong(f"row {own[-1] + 1}: status '{said}', expected {listed(STATUSES)}")
        return said


def _find_unfinished(runs, axes):
    """The status of runs of which none is said. One that ends in no number has diverged; one that ends
    before others that differ in format, layers and seed alone is not at its end."""
    others = [i for i, axis in enumerate(axes) if axis not in FIRST]
    ends = {}
    for run in runs:
        key = tuple(run.point[i] for i in others)
        ends[key] = max(ends.get(key, 0), run.last_step)
    for run in runs:
        if run.status:
            continue
        losses = [v[-1] for m, (_, v) in run.curves.items() if "loss" in m and len(v)]
        is_short = run.last_step < ends[tuple(run.point[i] for i in others)]
        run.status = "pending" if is_short else "done"
        if losses and not np.all(np.isfinite(losses)):
            run.status = "diverged"


def _matrix(runs, metric):
    """Of the complete runs, as Results.matrix() has it; final losses are no curve."""
    once = {run.id: run for run in reversed(runs)}
    complete = [once[i] for i in dict.fromkeys(run.id for run in runs)]
    complete = [
        r for r in complete if r.status in ("done", "diverged") and len(r.curves[metric][0])
    ]
    if metric.startswith("final_"):
        complete = []
    steps = np.unique(np.concatenate([r.curves[metric][0] for r in complete] or [[]])).astype(int)
    values = np.full((len(complete), len(steps)), np.nan)
    for row, run in enumerate(complete):
        own, points = run.curves[metric]
        values[row, np.searchsorted(steps, own)] = points
    return np.array([run.id for run in complete], object), steps, values
