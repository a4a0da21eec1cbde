"""Means over seeds, paired differences and verdicts, defined as `altgrad summary` defines them:
docs/statistics.md."""

import numpy as np
from scipy import stats

LEVEL = 0.95  # of the intervals, Student's t; verdicts hold at an error rate of 1 - LEVEL
MOST_PAIRS = 1000
TENDENCIES = np.array(["same", "worse", "better"], object)


def estimate(values, groups, n_groups):
    """Number, mean, standard deviation (n - 1) and half the width of the interval of the mean, an
    array [n_groups] each, of the finite ones of `values` [n]; groups[i] is the group of value i.
    NaN where there are too few values. Sums go in the order of the values, as in C."""
    finite = np.isfinite(values)
    values, groups = values[finite], groups[finite]
    n = np.bincount(groups, minlength=n_groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(groups, values, n_groups) / np.where(n > 0, n, np.nan)
        squares = np.bincount(groups, (values - mean[groups]) ** 2, n_groups)
        df = np.where(n > 1, n - 1.0, np.nan)
        sd = np.sqrt(squares / df)
        half = quantile(df) * sd / np.sqrt(n)
    return n, mean, sd, half


def quantile(df):
    """Student's t with half of 1 - LEVEL above it. ppf alone is right to some 11 digits."""
    tail = (1 - LEVEL) / 2
    t = stats.t.isf(tail, df)
    return t + (stats.t.sf(t, df) - tail) / stats.t.pdf(t, df)


def judge(mean, half, margin):
    """The verdict on differences [n] with half widths of their intervals, each for itself: "worse"
    and "better" lie beyond the margin, "same" lies within it, "open" reaches over it, "" has no
    interval."""
    low, high = mean - half, mean + half
    verdicts = np.select(
        [np.isnan(half), low > margin, high < -margin, (low >= -margin) & (high <= margin)],
        ["", "worse", "better", "same"],
        "open",
    )
    return verdicts.astype(object)


def decide(n, mean, sd, margin):
    """What each of the differences [n] tends to be, an index of TENDENCIES, and the least error rate
    p at which that is a verdict, twice the least of three one-sided p-values of Student's t; NaN
    where n < 2."""
    n, mean, sd = (np.asarray(values, float) for values in (n, mean, sd))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(n > 1, n - 1, np.nan)
        error = np.where(sd > 0, sd / np.sqrt(n), np.nan)
        above, below = (mean - margin) / error, (mean + margin) / error
        same = np.maximum(stats.t.sf(-above, df), stats.t.sf(below, df))
        p = np.array([same, stats.t.sf(above, df), stats.t.sf(-below, df)])
    exact = (n > 1) & ~(sd > 0)  # without any spread the mean is the truth
    certain = np.array([np.abs(mean) <= margin, mean > margin, mean < -margin])
    p = np.where(exact, np.where(certain, 0.0, 1.0), p)
    return np.argmin(p, axis=0), np.minimum(1, 2 * np.min(p, axis=0))


def holm(p):
    """Holm's adjusted p-values: those <= rate hold together at that rate."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    steps = np.minimum(1, (len(p) - np.arange(len(p))) * p[order])
    adjusted[order] = np.maximum.accumulate(steps) if len(p) else steps
    return adjusted


def judge_family(n, mean, sd, margin, members, family, looks=None, decided=None):
    """Verdicts on the differences [n] where `members` [n] holds, "" elsewhere; p and the adjusted p,
    NaN elsewhere; the least number of pairs that would decide an open one if mean and sd stayed, NaN
    where there is none; and the number of comparisons. Differences that are equal in every bit are
    one comparison under several labels. Where seeds come in rounds, `decided` has tendencies and p of
    the differences by their `looks` (interim.Looks)."""
    rate = 1 - LEVEL
    tendency, p = decide(n, mean, sd, margin) if looks is None else decided
    p = np.where(members, p, np.nan)
    places = np.flatnonzero(members)
    keys = [(n[i], mean[i], sd[i]) for i in places]
    first = {key: i for key, i in reversed(list(zip(keys, places)))}
    once = sorted(first.values())
    adjusted = p.copy()
    undecided = 1
    if family == "all":
        adjusted[once] = holm(p[once])
        undecided = int(np.sum(adjusted[once] > rate))
        adjusted[places] = [adjusted[first[key]] for key in keys]
    verdict = np.where(adjusted <= rate, TENDENCIES[tendency], "open")
    verdict = np.where(members, verdict, "").astype(object)
    if family == "none" and looks is None:
        verdict[members] = judge(mean, _half(n, sd), margin)[members]
    needed = np.full(len(p), np.nan)
    search = pairs_needed if looks is None else looks.pairs_needed
    for i in np.flatnonzero(verdict == "open"):
        needed[i] = search(n[i], mean[i], sd[i], margin, rate / undecided)
    return verdict, p, adjusted, needed, len(once)


def _half(n, sd):
    with np.errstate(invalid="ignore", divide="ignore"):
        return quantile(np.where(n > 1, n - 1.0, np.nan)) * sd / np.sqrt(n)


def pairs_needed(n, mean, sd, margin, rate):
    """The least number of pairs, above n, at which p is at most `rate` if mean and sd stay; NaN where
    MOST_PAIRS are not enough."""
    counts = np.arange(n + 1, MOST_PAIRS + 1)
    _, p = decide(counts, np.full(len(counts), mean), np.full(len(counts), sd), margin)
    enough = np.flatnonzero(p <= rate)
    return float(counts[enough[0]]) if len(enough) else np.nan
