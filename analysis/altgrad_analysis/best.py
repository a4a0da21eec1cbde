"""Each format at its best point of an axis, such as its learning rate, chosen for each seed by the
mean over all other seeds, as `altgrad summary --best` does: chosen on the seeds that it is judged
on, the least of several noisy means would be too low."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .axes import find_axis

LEAST_SEEDS = 3  # with fewer the other seeds are no sample to choose on


@dataclass
class Chosen:
    """What compare() goes on with: rows of the labels, the row of each one's partner or -1, its cell,
    and the cells with their columns."""

    rows: np.ndarray
    partner: np.ndarray
    cell: np.ndarray
    table: pd.DataFrame
    columns: dict


def choose_best(results, runs, values, result, cell, partner, name):
    axis = find_axis(results.grid_axes, name)
    if axis.column in ("format", "seed"):
        raise ValueError(f"the best point of an axis other than format and seed, not {name}")
    shared = [column for column in results.cells if column != axis.column]
    group = runs.assign(one=0).groupby(["one", *shared], sort=False, dropna=False).ngroup()
    seeds = runs["seed"].to_numpy() if "seed" in runs else np.zeros(len(runs))
    points = [_Points(np.flatnonzero(group == g), values, result, cell, seeds)
              for g in range(group.max() + 1)]  # fmt: skip
    rows = np.concatenate([p.chosen for p in points])
    sizes = [len(p.chosen) for p in points]
    leaders = [p.members[p.choose(None)][0] for p in points]
    return Chosen(
        rows,
        _partners(results, runs, points, rows, partner, axis.column),
        np.repeat(np.arange(len(points)), sizes),
        runs.loc[leaders, results.cells].reset_index(drop=True),
        {
            "chosen": _objects([p.told(runs[axis.column].to_numpy()) for p in points]),
            "optimistic": np.array([p.optimistic for p in points]),
        },
    )


def _objects(values):
    column = np.empty(len(values), object)
    column[:] = values
    return column


class _Points:
    """The cells of one group: `members` are their rows, `chosen` the row of each seed."""

    def __init__(self, rows, values, result, cell, seeds):
        self.values, self.seeds = values, seeds
        self.members = [rows[cell[rows] == c] for c in pd.unique(cell[rows])]
        runs = [len(set(result[member])) for member in self.members]
        self.optimistic = max(runs) < LEAST_SEEDS
        self.picks = [
            (seed, self.choose(None if self.optimistic else seed, seed))
            for seed in pd.unique(np.concatenate([seeds[member] for member in self.members]))
        ]
        self.chosen = np.array([self._of_seed(point, seed) for seed, point in self.picks])

    def _of_seed(self, point, seed):
        return self.members[point][self.seeds[self.members[point]] == seed][0]

    def choose(self, left_out, seed=None):
        """The member with the fewest runs without a value, then the least mean, both without one
        seed; of equal ones the first. Only members that have `seed`, if that is given."""
        best, least = None, None
        for point, member in enumerate(self.members):
            if seed is not None and seed not in self.seeds[member]:
                continue
            others = self.values[member[self.seeds[member] != left_out] if left_out is not None else member]
            finite = others[np.isfinite(others)]
            mean = np.add.accumulate(finite)[-1] / len(finite) if len(finite) else np.inf
            score = (not len(finite), len(others) - len(finite), mean)
            if least is None or score < least:
                best, least = point, score
        return best

    def told(self, points):
        """{point: number of seeds that chose it}"""
        picks = [point for _, point in self.picks]
        return {points[m[0]]: picks.count(i) for i, m in enumerate(self.members) if i in picks}


def _partners(results, runs, points, rows, partner, column):
    """What the baseline chose for the seed, or its own point where it names one."""
    if not results.baseline:
        return np.full(len(rows), -1)
    if column in results.baseline or "seed" in results.baseline:
        return partner[rows]
    shared = [axis for axis in results.axes if axis != column]
    keys = list(runs[shared].itertuples(index=False, name=None))
    of_key = {keys[row]: row for p in points for row in p.chosen}
    wanted = [tuple(results.baseline.get(a, v) for a, v in zip(shared, keys[row])) for row in rows]
    return np.array([of_key.get(key, -1) for key in wanted])
