"""The claims of an experiment, judged as `altgrad summary` judges them: docs/statistics.md."""

import numpy as np
import pandas as pd
from scipy import stats

from .comparison import results_of, values_of
from .verdicts import LEVEL, estimate, holm

RATE = 1 - LEVEL
MOST_SEEDS = 1000


def judge_claims(results, runs, metric, claims):
    """A row per claim with what `summary --json` says of it. `claims` are those of the grid in JSON;
    `runs` has a row for each label with its run's numbers."""
    grid = _Grid(results, runs, values_of(runs, metric), runs["status"].to_numpy())
    judged = [_judge(grid, claim) for claim in claims]
    if results.looks is not None:
        for claim in judged:
            claim.spend(grid)
    p = np.array([claim.p for claim in judged], float)
    adjusted, undecided, known = p.copy(), 1, ~np.isnan(p)
    if results.family == "all":
        adjusted[known] = holm(p[known])
        undecided = max(1, int(np.sum(adjusted[known] > RATE)))
    rows = [c.row(a, RATE / undecided) for c, a in zip(judged, adjusted)]
    return pd.DataFrame(rows)


def _judge(grid, claim, seeds=np.inf):
    """The claim as the first so many seeds judge it."""
    kind = _Diverges if claim["kind"] == "diverges" else _Pairs
    return kind(grid, claim, seeds)


class _Grid:
    def __init__(self, results, runs, values, status):
        self.looks = results.looks
        self.axes = results.grid_axes
        self.columns = [runs[axis.column].to_numpy() for axis in self.axes]
        self.values, self.status = values, status
        self.ids = runs["id"].to_numpy()
        self.result = results_of(runs, values)
        self.seed = runs["seed"].to_numpy() if "seed" in runs else np.zeros(len(runs))
        self.rows = {key: row for row, key in enumerate(zip(*self.columns))}

    def point(self, indices):
        """The values that a point names, None elsewhere."""
        return [None if i is None else axis.values[i] for axis, i in zip(self.axes, indices)]

    def uses(self, points):
        """Rows that a claim with these points speaks of."""
        if len(points) == 1:
            return self.on(points[0])
        used = set()
        for point, other in zip(points, points[1:]):
            pairs = [(row, self.partner(row, other)) for row in self.on(point)]
            used |= {row for pair in pairs if pair[1] is not None for row in pair}
        return np.array(sorted(used), int)

    def on(self, point, seeds=np.inf):
        chosen = self.seed < seeds
        for column, value in zip(self.columns, point):
            if value is not None:
                chosen &= column == value
        return np.flatnonzero(chosen)

    def partner(self, row, point):
        key = tuple(c[row] if v is None else v for c, v in zip(self.columns, point))
        return self.rows.get(key)


def _row(claim, state, link, difference, interval, p, adjusted, more, counts):
    n, mean, sd = difference
    missing, diverged, runs = counts
    row = {key: claim[key] for key in ("name", "text", "source", "kind", "bound")}
    return row | {
        "state": state, "link": link, "seeds": n, "difference": mean, "difference_sd": sd,
        "low": interval[0], "high": interval[1], "p": p, "p_adjusted": adjusted,
        "more_seeds": more, "missing": missing, "diverged": diverged, "runs": runs,
    }  # fmt: skip


class _Claim:
    """What is common: p of the two rates, and the state that follows."""

    looks, complete = None, 0

    def spend(self, grid):
        """Where seeds come in rounds: the rates of all looks that are complete, each by what it may
        spend."""
        points = [grid.point(indices) for indices in self.claim["points"]]
        rows = grid.uses(points)
        self.looks = grid.looks
        confirmed = refuted = 1.0
        for look, seeds in enumerate(grid.looks.seeds):
            there = rows[(grid.seed[rows] < seeds) & (grid.status[rows] != "pending")]
            if len(there) != seeds * np.sum(grid.seed[rows] < 1):
                break
            self.complete = seeds
            rates = _judge(grid, self.claim, seeds).rates
            if np.isfinite(rates[0]):
                confirmed = min(confirmed, grid.looks.p(look, rates[0]))
                refuted = min(refuted, grid.looks.p(look, rates[1]))
        if np.isfinite(self.p):
            self.rates = (float(confirmed), float(refuted))
            self.p = _least(self.rates)

    def more_seeds(self, rate):
        """That would decide at `rate` if mean and sd stay."""
        if self.looks is None:
            counts = [(n, 1.0) for n in range(self.now + 1, MOST_SEEDS + 1)]
        else:
            counts = [(self._count_at(int(n)), share)
                      for n, share in zip(self.looks.seeds, self.looks.shares) if self.complete]  # fmt: skip
        for n, share in counts:
            if n > self.now and min(1, _least(self.rates_at(n)) / share) <= rate:
                return n - self.now
        return np.nan

    def _count_at(self, seeds):
        """Seeds, or runs, which are as many for each seed."""
        return seeds * self.now // int(self.complete) if self.per_run else seeds

    def row(self, adjusted, rate):
        state, more = "open", np.nan
        if adjusted <= RATE:
            state = "confirmed" if self.rates[0] < self.rates[1] else "refuted"
        elif np.isfinite(self.p):
            more = self.more_seeds(rate)
        return _row(self.claim, state, self.link, self.difference, self.interval, self.p, adjusted,
                    more, (self.missing, self.diverged, self.runs))  # fmt: skip


def _least(rates):
    return min(1, 2 * min(rates))


def _above(n, mean, sd, bound):
    """P of a mean at least that far above `bound` if the truth is there."""
    if not sd > 0:
        return 0.0 if mean > bound else 1.0
    return float(stats.t.sf((mean - bound) / (sd / np.sqrt(n)), n - 1))


def _below(n, mean, sd, bound):
    return _above(n, -mean, sd, -bound)


def _rates(kind, bound, n, mean, sd):
    """Rates at which a pair of points is confirmed and refuted."""
    if kind == "same":
        if not sd > 0:
            return (0.0, 1.0) if abs(mean) <= bound else (1.0, 0.0)
        return (
            max(_below(n, mean, sd, bound), _above(n, mean, sd, -bound)),
            min(_above(n, mean, sd, bound), _below(n, mean, sd, -bound)),
        )
    if kind == "worse":
        return _above(n, mean, sd, bound), _below(n, mean, sd, bound)
    return _below(n, mean, sd, -bound), _above(n, mean, sd, -bound)


class _Pairs(_Claim):
    """better, worse, same, order: each point beside the next."""

    per_run = False

    def __init__(self, grid, claim, seeds=np.inf):
        self.claim, self.kind, self.bound = claim, claim["kind"], claim["bound"]
        points = [grid.point(indices) for indices in claim["points"]]
        sides = [_differences(grid, a, b, seeds) for a, b in zip(points, points[1:])]
        self.pairs = [estimates for estimates, _, _ in sides]
        confirmed = [
            2 if n < 2 else _rates(self.kind, self.bound, n, mean, sd)[0]
            for n, mean, sd, _ in self.pairs
        ]
        self.link = int(np.argmax(confirmed))
        n, mean, sd, half = self.pairs[self.link]
        self.now, self.difference, self.interval = n, (n, mean, sd), (mean - half, mean + half)
        self.missing = max(missing for _, missing, _ in sides)
        self.diverged = max(diverged for _, _, diverged in sides)
        self.runs = 0
        known = self.diverged == 0 and all(n > 1 for n, _, _, _ in self.pairs)
        self.rates = self.rates_at(None) if known else (np.nan, np.nan)
        self.p = _least(self.rates) if known else np.nan

    def rates_at(self, seeds):
        each = [_rates(self.kind, self.bound, seeds or n, mean, sd) for n, mean, sd, _ in self.pairs]
        refuted = len(each) * min(rates[1] for rates in each)
        return max(rates[0] for rates in each), min(1, refuted)


def _differences(grid, point, other, seeds):
    """n, mean, sd and half width over seeds of the differences between two points, each the mean over
    all other axes; and the seeds without one, and those where a run diverged."""
    sums, seen, missing, diverged = {}, set(), 0, 0
    for row in grid.on(point, seeds):
        partner = grid.partner(row, other)
        if partner is not None:
            sums.setdefault(grid.seed[row], []).append((row, partner))
    means = []
    if grid.looks is not None:  # means over different points are no sample
        whole = len(next(iter(sums.values()), []))
        sums = {seed: pairs for seed, pairs in sums.items() if len(pairs) == whole}
    for pairs in sums.values():
        total = 0.0
        differences = [grid.values[row] - grid.values[partner] for row, partner in pairs]
        for difference in differences:
            total += difference
        missing += not np.isfinite(total)
        diverged += any("diverged" in (grid.status[a], grid.status[b]) for a, b in pairs)
        first = (total, len(pairs), grid.result[pairs[0][0]], grid.result[pairs[0][1]])
        if np.isfinite(total) and first not in seen:
            means.append(total / len(pairs))
            seen.add(first)
    n, mean, sd, half = estimate(np.array(means), np.zeros(len(means), int), 1)
    return (int(n[0]), mean[0], sd[0], half[0]), missing, diverged


class _Diverges(_Claim):
    """A share of runs."""

    per_run = True

    def __init__(self, grid, claim, seeds=np.inf):
        self.claim, self.share = claim, claim["bound"]
        rows = grid.on(grid.point(claim["points"][0]), seeds)
        rows = rows[~pd.Series(grid.ids[rows]).duplicated().to_numpy()]
        status = grid.status[rows]
        self.diverged = int(np.sum(status == "diverged"))
        self.runs = self.now = self.diverged + int(np.sum(status == "done"))
        self.missing = len(rows) - self.runs
        self.link, self.difference = 0, (0, np.nan, np.nan)
        k, n, tail = self.diverged, self.runs, RATE / 2
        self.p, self.rates, self.interval = np.nan, (np.nan, np.nan), (np.nan, np.nan)
        if n > 0:
            self.rates = self.rates_at(n)
            self.p = _least(self.rates)
            low = stats.beta.ppf(tail, k, n - k + 1) if k > 0 else 0.0
            high = stats.beta.isf(tail, k + 1, n - k) if k < n else 1.0
            self.interval = (low, high)

    def rates_at(self, n):
        k = int(np.floor(self.diverged / self.runs * n + 0.5))
        return (
            float(stats.binom.sf(k - 1, n, self.share)),
            float(stats.binom.cdf(k, n, self.share)),
        )
