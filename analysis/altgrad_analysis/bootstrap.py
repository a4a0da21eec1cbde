"""The BCa bootstrap of a mean (Efron, JASA 82, 1987), with the resamples of `altgrad summary`: they
are a function of the number of values alone (Philox4x32-10, Salmon et al., SC 2011)."""

from functools import lru_cache

import numpy as np
from scipy import stats

RESAMPLES = 2000
LEAST = 8  # pairs; fewer give an interval that is too narrow
_STREAM = 0x4253
_MASK = (1 << 64) - 1


def _splitmix64(state):
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    z = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
    return z ^ z >> 31


def philox(key, c0, c1, c2, c3):
    """Four words for each counter; the counters are arrays of uint64 below 2^32."""
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c2 = p1 >> half ^ c1 ^ np.uint64(k0), p0 >> half ^ c3 ^ np.uint64(k1)
        c1, c3 = p1 & low, p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


@lru_cache(maxsize=32)
def resamples(n):
    """Indices of the values of each resample [RESAMPLES, n]."""
    blocks = -(-n // 4)
    resample, block = np.meshgrid(
        np.arange(RESAMPLES, dtype=np.uint64), np.arange(blocks, dtype=np.uint64), indexing="ij"
    )
    constant = np.full_like(block, n)
    words = philox(_splitmix64(_STREAM), block, resample, constant, np.zeros_like(block))
    words = np.stack(words, axis=-1).reshape(RESAMPLES, blocks * 4)[:, :n]
    return (words * np.uint64(n) >> np.uint64(32)).astype(np.intp)


def bca(values, level):
    """Low and high end of the interval of the mean of `values` [n]."""
    values = np.asarray(values, float)
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    mean = np.add.accumulate(values)[-1] / n
    deviations = values - mean
    squares = np.sum(deviations**2)
    if not squares > 0:
        return mean, mean
    means = np.add.accumulate(values[resamples(n)], axis=1)[:, -1] / n
    ties = np.abs(means - mean) <= 1e-12 * np.sqrt(squares / (n - 1))
    bias = stats.norm.ppf(np.mean(np.where(ties, 0.5, means < mean)))
    acceleration = np.sum(deviations**3) / (6 * squares**1.5)
    z = bias + stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    shares = stats.norm.cdf(bias + z / (1 - acceleration * z))
    low, high = np.quantile(means, shares)
    return low, high
