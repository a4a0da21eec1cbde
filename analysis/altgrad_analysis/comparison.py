"""The comparison of `altgrad summary` as a table: each cell of the grid, that is what differs in the
seed alone, beside its baseline."""

import numpy as np
import pandas as pd

from .best import choose_best
from .bootstrap import LEAST, bca
from .cells import STATUSES
from .interim import verdicts_at
from .verdicts import LEVEL, estimate, judge, judge_family


def compare(results, runs, metric, best=None):
    """The table of Results.table(): `runs` has a row for each label with its run's numbers. The
    number of comparisons is its attribute `comparisons` (table.attrs)."""
    status = runs["status"].to_numpy()
    values = values_of(runs, metric)
    partner = results.partners()
    rows = np.arange(len(runs))
    cell = runs.groupby(results.cells, sort=False, dropna=False).ngroup().to_numpy()
    table = runs.loc[~pd.Series(cell).duplicated(), results.cells].reset_index(drop=True)
    columns = {}
    result = results_of(runs, values)
    if best is not None:
        chosen = choose_best(results, runs, values, result, cell, partner, best)
        rows, partner, cell, table = chosen.rows, chosen.partner, chosen.cell, chosen.table
        columns = chosen.columns
    n_cells = len(table)
    other = np.where(partner >= 0, result[partner], -1)
    counted = pd.DataFrame({"cell": cell, "result": result[rows]})
    once = ~counted.duplicated().to_numpy()
    paired = ~counted.assign(other=other).duplicated().to_numpy()
    differences = np.where(partner >= 0, values[rows] - values[partner], np.nan)
    own = partner == rows
    counts = _counts(status, rows, partner, cell, n_cells, once, paired)
    n, mean, sd, _ = estimate(values[rows][once], cell[once], n_cells)
    pairs, difference, spread, half = estimate(differences[paired], cell[paired], n_cells)
    counts["without_value"] = counts["done"] - n
    alone = judge(difference, half, results.margin)
    alone[counts["without_value"] > 0] = ""
    if results.baseline:
        alone[counts["diverged"] > 0] = "diverged"
    alone[cell[own]] = "baseline"
    members = np.isin(alone, ["same", "worse", "better", "open"])
    decided = None
    if results.looks is not None:
        decided = _decide_in_rounds(results, runs, differences, status, partner, cell, paired, n_cells)
        alone[members] = verdicts_at(*decided, 1 - LEVEL)[members]
    verdict, p, adjusted, needed, comparisons = judge_family(
        pairs, difference, spread, results.margin, members, results.family, results.looks, decided
    )
    low, high = _bootstrap(differences, paired, cell, n_cells, alone)
    table = table.assign(
        pairs=pairs,
        n=n,
        mean=mean,
        sd=sd,
        difference=difference,
        difference_sd=spread,
        half_width=half,
        low=difference - half,
        high=difference + half,
        bca_low=low,
        bca_high=high,
        p=p,
        p_adjusted=adjusted,
        pairs_needed=needed,
        verdict_alone=alone,
        verdict=np.where(members, verdict, alone),
        missing_pairs=_missing(results, runs, values, rows, partner, cell, n_cells),
        **counts,
        **columns,
    )
    table.attrs["comparisons"] = comparisons
    return table


def _counts(status, rows, partner, cell, n_cells, once, paired):
    """Runs by their status, each result once; and pairs whose baseline's run diverged."""

    def count(which, first):
        return np.bincount(cell[first & which], minlength=n_cells)

    counts = {word: count(status[rows] == word, once) for word in STATUSES}
    lost = (partner >= 0) & (partner != rows) & (status[partner] == "diverged")
    return {**counts, "baseline_diverged": count(lost, paired)}


def _decide_in_rounds(results, runs, differences, status, partner, cell, paired, n_cells):
    """Without `best`, so that rows are those of `runs`."""
    pending = (status == "pending") | (partner < 0) | (status[partner] == "pending")
    seeds = runs["seed"].to_numpy()
    return results.looks.decide(
        seeds, differences, cell, n_cells, pending, paired, results.margin
    )


def _bootstrap(differences, paired, cell, n_cells, alone):
    low, high = np.full(n_cells, np.nan), np.full(n_cells, np.nan)
    usable = paired & np.isfinite(differences)
    for place in np.flatnonzero(alone != "baseline"):
        values = differences[usable & (cell == place)]
        if len(values) >= LEAST:
            low[place], high[place] = bca(values, LEVEL)
    return low, high


def _missing(results, runs, values, rows, partner, cell, n_cells):
    """For each cell the seeds that have no difference, as ((seed, why), ...)."""
    found = [[] for _ in range(n_cells)]
    status = runs["status"].to_numpy()
    seeds = [axis for axis in results.grid_axes if axis.name == "seed"]

    def why(row):
        if row < 0:
            return "missing"
        if status[row] != "done":
            return status[row]
        return "" if np.isfinite(values[row]) else "without a value"

    for i, row in enumerate(rows if results.baseline else []):
        if row == partner[i]:
            continue
        reason = why(row) or f"baseline {why(partner[i])}"
        if reason != "baseline ":
            seed = seeds[0].text(runs["seed"].iloc[row]) if seeds else ""
            found[cell[i]].append((seed, reason))
    column = np.empty(n_cells, object)
    column[:] = [tuple(missing) for missing in found]
    return column


def values_of(runs, metric):
    """The metric of each row of `runs`; NaN unless it is done with a finite one."""
    values = runs[metric].to_numpy(float)
    return np.where((runs["status"].to_numpy() == "done") & np.isfinite(values), values, np.nan)


def results_of(runs, values):
    """A number for each row of `runs`, the same for rows that are one result: of one run, or of runs
    that came to the same weights and the same value, bit for bit, as those do that differ in a seed
    which has no part in them."""
    key = runs["id"].astype(object).to_numpy()
    if "weights_digest" in runs:
        digests = runs["weights_digest"].fillna("").astype(str)
        known = (digests != "").to_numpy() & np.isfinite(values)
        key = np.where(known, [f"{d} {v!r}" for d, v in zip(digests, values.tolist())], key)
    return pd.factorize(key)[0]
