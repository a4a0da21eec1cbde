"""What the panels of a figure show: for each format of a layer config, its runs over the steps."""

from dataclasses import dataclass, field

import numpy as np

MOST_POINTS = 400  # of a curve, drawn
MOST_BANDS = 8  # of a panel: more would cover each other


@dataclass
class Line:
    """One format in one panel: the runs that are done as mean and band, others one by one."""

    format: str
    with_band: bool = True
    steps: np.ndarray = None  # of the mean, which is over the steps that all have
    mean: np.ndarray = None
    low: np.ndarray = None
    high: np.ndarray = None
    diverged: list = field(default_factory=list)  # of (steps, values)
    running: list = field(default_factory=list)
    final: tuple = None  # (step, value): of the whole validation part

    def add_runs(self, steps, values):
        """The mean over the rows of `values` [run, step], and the lowest and highest."""
        if len(values) == 0:
            return
        common = ~np.isnan(values).any(axis=0)
        self.steps, values = steps[common], values[:, common]
        self.mean = values.mean(axis=0)
        self.low, self.high = values.min(axis=0), values.max(axis=0)

    @property
    def has_band(self):
        return self.with_band and self.mean is not None and np.any(self.high > self.low)

    def points(self):
        """(steps, values) of all that decides on the limits of the axes."""
        found = [(self.steps, self.mean)] if self.mean is not None else []
        if self.has_band:
            found += [(self.steps, self.low), (self.steps, self.high)]
        found += self.running
        return found or self.diverged


def smooth(curve, window):
    """Mean over the last `window` steps of each row of [run, step]; fewer at the start."""
    sums = np.cumsum(np.insert(curve, 0, 0.0, axis=1), axis=1)
    ends = np.arange(1, curve.shape[1] + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[:, ends] - sums[:, starts]) / (ends - starts)


def _thinned(steps, values):
    """At most MOST_POINTS, the last one among them."""
    stride = -(-len(steps) // MOST_POINTS)
    kept = np.arange(len(steps) - 1, -1, -stride)[::-1] if len(steps) else np.arange(0)
    return steps[kept], values[:, kept]


class Curves:
    """Lines of the combinations `labels`, one for each group of the columns `by`."""

    def __init__(self, results, labels, by=("layers", "format")):
        self.results, self.by = results, list(by)
        self.status = dict(zip(results.index["id"], results.index["status"]))
        self.labels = labels.assign(status=labels["id"].map(self.status))
        self.partner = dict(zip(results.labels.index, results.partners()))
        self.finals = results.index.set_index("id")
        self._read = {}
        self.with_bands = labels["format"].nunique() <= MOST_BANDS

    def _matrix(self, metric, window=1):
        if metric not in self._read:
            self._read[metric] = self._read_matrix(metric)
        ids, steps, values = self._read[metric]
        if window > 1 and values.size:
            values = smooth(values, window)
        return {id: row for row, id in enumerate(ids)}, *_thinned(steps, values)

    def _read_matrix(self, metric):
        """The rows of the labels' runs and of their partners."""
        ids, steps, values = self.results.matrix(metric)
        partners = [self.partner[i] for i in self.labels.index if self.partner[i] >= 0]
        wanted = {*self.labels["id"], *self.results.labels["id"].iloc[partners]}
        kept = np.array([i for i, id in enumerate(ids) if id in wanted], dtype=int)
        return [ids[i] for i in kept], steps, values[kept]

    def _groups(self):
        return self.labels.groupby(self.by, sort=False, dropna=False)

    def has(self, metric):
        """Whether there is a curve, of a complete run or of one that is training."""
        return metric in self.results.metrics()

    def last_step(self):
        """The last step that anything is drawn at."""
        ids = [id for id in dict.fromkeys(self.labels["id"]) if id in self.finals.index]
        last = self.finals.loc[ids, "steps"].max() if "steps" in self.finals else 0
        live = [s for m in ("loss", "val_loss") for s, _ in self.results.live_curves(m).values()]
        return max([int(last) if last == last else 0, *(int(s[-1]) for s in live if len(s))])

    def window(self, metric):
        """Steps over which a curve of every step is smoothed."""
        steps = self._matrix(metric)[1]
        return max(1, int(steps.max()) // 40) if len(steps) else 1

    def lines(self, metric, window=1):
        """{values of `by`, such as (layer config, format): Line} of a metric."""
        rows, steps, values = self._matrix(metric, window)
        live = self.results.live_curves(metric)
        lines = {}
        for key, labels in self._groups():
            line = lines[key] = Line(labels["format"].iloc[0], self.with_bands)
            done = [rows[id] for id in _ids(labels, "done") if id in rows]
            line.add_runs(steps, values[done])
            for id in _ids(labels, "diverged"):
                if id in rows:
                    has = ~np.isnan(values[rows[id]])
                    line.diverged.append((steps[has], values[rows[id]][has]))
            line.running = [live[id] for id in dict.fromkeys(labels["id"]) if id in live]
            if metric == "val_loss":
                line.final = self._final(_ids(labels, "done"))
        return lines

    def _final(self, ids):
        whole = self.finals.loc[ids]
        whole = whole[np.isfinite(whole["final_val_loss"].to_numpy(float))]
        return _point(whole, whole["final_val_loss"])

    def has_differences(self):
        """Whether any run has another one for its partner."""
        return any(self.partner[i] not in (-1, i) for i in self.labels.index)

    def differences(self):
        """{values of `by`: Line} of val_loss, each run less its partner on the baseline; not of the
        baseline itself."""
        rows, steps, values = self._matrix("val_loss")
        all_labels = self.results.labels
        lines = {}
        for key, labels in self._groups():
            pairs = {}
            for row, id in zip(labels.index, labels["id"]):
                other = self.partner[row]
                if other >= 0 and all_labels["id"].iloc[other] != id:
                    pairs[id, all_labels["id"].iloc[other]] = True
            done = [pair for pair in pairs if self._are_done(*pair)]
            line = lines[key] = Line(labels["format"].iloc[0], self.with_bands)
            drawn = [(rows[a], rows[b]) for a, b in done if a in rows and b in rows]
            line.add_runs(steps, np.array([values[a] - values[b] for a, b in drawn]))
            line.final = self._final_difference(done)
        return lines

    def _are_done(self, *ids):
        return all(self.status.get(id) == "done" for id in ids)

    def _final_difference(self, pairs):
        own = self.finals.loc[[a for a, _ in pairs]]
        other = self.finals.loc[[b for _, b in pairs], "final_val_loss"].to_numpy(float)
        difference = own["final_val_loss"].to_numpy(float) - other
        finite = np.isfinite(difference)
        return _point(own[finite], difference[finite])


def _ids(labels, status):
    return list(dict.fromkeys(labels.loc[labels["status"] == status, "id"]))


def _point(runs, values):
    if len(runs) == 0:
        return None
    return int(runs["steps"].max()) if "steps" in runs else 0, float(np.mean(values))
