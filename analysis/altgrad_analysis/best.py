"""Each format at its best point of an axis, such as its learning rate, as `altgrad summary --best`
takes it: the first third of the seeds chooses, the others are judged. Chosen on the seeds that it is
judged on, the least of several noisy means would be too low."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .axes import find_axis

LEAST_SEEDS = 3  # with fewer there are none to choose on


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
    if results.looks is not None:
        raise ValueError("best needs the same seeds at all points, and these came in rounds")
    if axis.column in ("format", "seed"):
        raise ValueError(f"the best point of an axis other than format and seed, not {name}")
    shared = [column for column in results.cells if column != axis.column]
    group = runs.assign(one=0).groupby(["one", *shared], sort=False, dropna=False).ngroup()
    seeds = runs["seed"].to_numpy() if "seed" in runs else np.zeros(len(runs))
    points = [_Points(np.flatnonzero(group == g), values, result, cell, seeds)
              for g in range(group.max() + 1)]  # fmt: skip
    rows = np.concatenate([p.judged for p in points])
    leaders = [p.best[0] for p in points]
    return Chosen(
        rows,
        _partners(results, runs, rows, partner, axis.column),
        np.repeat(np.arange(len(points)), [len(p.judged) for p in points]),
        runs.loc[leaders, results.cells].reset_index(drop=True),
        {
            "choosers": np.array([p.choosers for p in points]),
            "optimistic": np.array([p.choosers == 0 for p in points]),
        },
    )


class _Points:
    """The cells of one group: `best` are the rows of the chosen one, `judged` those of them that did
    not choose, `choosers` the number of seeds that did, 0 where there were too few."""

    def __init__(self, rows, values, result, cell, seeds):
        members = [rows[cell[rows] == c] for c in pd.unique(cell[rows])]
        every = pd.unique(np.concatenate([seeds[member] for member in members]))
        optimistic = max(len(set(result[member])) for member in members) < LEAST_SEEDS
        choosing = every if optimistic else every[: number_of_choosers(len(every))]
        scores = [_score(member, values, seeds, choosing) for member in members]
        self.best = members[scores.index(min(scores))]
        judging = every if optimistic else every[len(choosing) :]
        of_seed = dict(zip(seeds[self.best], self.best))
        self.judged = np.array([of_seed[s] for s in judging if s in of_seed], int)
        self.choosers = 0 if optimistic else len(choosing)


def number_of_choosers(seeds):
    return -(-seeds // 3)


def _score(member, values, seeds, choosing):
    """The least is the best: fewest choosing seeds without a value, then the least mean."""
    of_seed = dict(zip(seeds[member], values[member]))
    found = np.array([of_seed.get(seed, np.nan) for seed in choosing])
    finite = found[np.isfinite(found)]
    mean = np.add.accumulate(finite)[-1] / len(finite) if len(finite) else np.inf
    return (not len(finite), len(found) - len(finite), mean)


def _partners(results, runs, rows, partner, column):
    """What the baseline chose, at the same seed, or its own point where it names one."""
    if not results.baseline:
        return np.full(len(rows), -1)
    if column in results.baseline or "seed" in results.baseline:
        return partner[rows]
    shared = [axis for axis in results.axes if axis != column]
    keys = list(runs[shared].itertuples(index=False, name=None))
    of_key = {keys[row]: row for row in rows}
    wanted = [tuple(results.baseline.get(a, v) for a, v in zip(shared, keys[row])) for row in rows]
    return np.array([of_key.get(key, -1) for key in wanted], int)
