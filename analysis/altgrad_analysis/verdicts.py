"""Means over seeds, paired differences and verdicts, defined as `altgrad summary` defines them."""

import numpy as np
from scipy import stats

LEVEL = 0.95  # of the intervals, Student's t


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
        half = _quantile(df) * sd / np.sqrt(n)
    return n, mean, sd, half


def _quantile(df):
    """Student's t with half of 1 - LEVEL above it. ppf alone is right to some 11 digits."""
    tail = (1 - LEVEL) / 2
    t = stats.t.isf(tail, df)
    return t + (stats.t.sf(t, df) - tail) / stats.t.pdf(t, df)


def judge(mean, half, margin):
    """The verdict on differences [n] with half widths of their intervals: "worse" and "better" lie
    beyond the margin, "same" lies within it, "open" reaches over it, "" has no interval."""
    low, high = mean - half, mean + half
    verdicts = np.select(
        [np.isnan(half), low > margin, high < -margin, (low >= -margin) & (high <= margin)],
        ["", "worse", "better", "same"],
        "open",
    )
    return verdicts.astype(object)
