"""Seeds that are added in rounds until verdicts are there, what each look at them may spend of the
error rate, and what they decide: docs/statistics.md, src/stats/interim.c, src/app/summary_rounds.c."""

import numpy as np

from .verdicts import TENDENCIES, decide, estimate


class Looks:
    """`seeds` [n] are there at each look, the last has `at_most`; `shares` [n] of the error rate that
    each may spend add up to 1."""

    def __init__(self, first, at_most):
        seeds = [first]
        while seeds[-1] < at_most:
            following = (8 * seeds[-1] + 4) // 5
            seeds.append(at_most if following + following // 4 >= at_most else following)
        self.seeds = np.array(seeds)
        share = self.seeds / at_most
        self.shares = np.diff(share * np.sqrt(share), prepend=0.0)

    @classmethod
    def of_grid(cls, grid):
        """Those of a grid in JSON; None where it has its seeds from the beginning."""
        seeds = grid.get("seeds")
        return None if seeds is None else cls(seeds["from"], seeds["at_most"])

    def p(self, look, p):
        """The least rate, for all looks together, at which this one decides; p is that look's."""
        return np.minimum(1, p / self.shares[look])

    def decide(self, seeds, differences, cell, n_cells, pending, paired, margin):
        """What cells [n_cells] tend to be, an index of TENDENCIES, and p by the looks that are
        complete. Rows have a seed, a cell, a difference, whether a run of theirs is pending, and
        whether they are a pair of their own."""
        tendency, least = np.zeros(n_cells, int), np.ones(n_cells)
        going = np.ones(n_cells, bool)
        for look, n in enumerate(self.seeds):
            seen = seeds < n
            there = np.bincount(cell[seen & ~pending], minlength=n_cells)
            going &= there == n
            rows = seen & paired
            pairs, mean, sd, _ = estimate(differences[rows], cell[rows], n_cells)
            now, p = decide(pairs, mean, sd, margin)
            p = self.p(look, p)
            lower = going & (p < least)
            tendency, least = np.where(lower, now, tendency), np.where(lower, p, least)
        return tendency, least

    def pairs_needed(self, n, mean, sd, margin, rate):
        """The pairs of the first look above n that decides at `rate` if mean and sd stay; NaN: none."""
        for look, pairs in enumerate(self.seeds):
            _, p = decide([pairs], [mean], [sd], margin)
            if pairs > n and self.p(look, p[0]) <= rate:
                return float(pairs)
        return np.nan


def verdicts_at(tendency, p, rate):
    return np.where(p <= rate, TENDENCIES[tendency], "open").astype(object)
