"""Seeds that are added in rounds until verdicts are there, and what each look at them may spend of
the error rate: docs/statistics.md, src/stats/interim.c."""

import numpy as np


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

    def p(self, look, p):
        """The least rate, for all looks together, at which this one decides; p is that look's."""
        return np.minimum(1, p / self.shares[look])
