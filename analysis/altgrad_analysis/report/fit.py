"""The power law of losses over parameters and tokens, with effective parameters by format.

    L(N, D, format) = E + A (m_format N)^-alpha + B D^-beta

m is 1 for the baseline. For another format it is the part of the parameters that count, as in Kumar
et al., "Scaling laws for precision" (arXiv 2411.04330), which gives it the shape 1 - exp(-P / gamma)
of the bits P; here each format has an m of its own, and the shape is fitted to them afterwards.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import least_squares

LEAST_POINTS = 3  # different sizes, or different numbers of tokens, that a term needs
FLOOR = 1e-3  # an E below that part of the least loss is none
MOST_MISS = 3  # times the noise of the means
DRAWS = 200
SEED = 20411  # of the bootstrap: the same results give the same intervals


@dataclass
class Law:
    """`E`, `A`, `alpha`, `B`, `beta` (NaN for a term that was not fitted) and {format: m}. `low` and
    `high` have the same names: 95 % of the bootstrap; empty with one seed. `loose`
    names the values that are an end of what the fit tries, and not what the losses say. `miss` is by
    how much the law misses the mean losses, `noise` how far seeds leave these uncertain (NaN with
    one seed): both are typical parts of a loss, roots of mean squares of logarithms. A law that
    holds misses by no more than the noise."""

    values: dict
    low: dict = field(default_factory=dict)
    high: dict = field(default_factory=dict)
    draws: int = 0
    loose: list = field(default_factory=list)
    miss: float = np.nan
    noise: float = np.nan

    @property
    def holds(self):
        """Whether what the law misses may be the noise of few seeds."""
        return not self.miss > MOST_MISS * self.noise

    def loss(self, parameters, tokens, form):
        v = self.values
        loss = v["E"] + 0.0 * np.asarray(parameters, float) + 0.0 * np.asarray(tokens, float)
        if np.isfinite(v["alpha"]):
            loss = loss + v["A"] * (v[f"m {form}"] * np.asarray(parameters, float)) ** -v["alpha"]
        if np.isfinite(v["beta"]):
            loss = loss + v["B"] * np.asarray(tokens, float) ** -v["beta"]
        return loss


class Problem:
    """Least squares of log losses. Unknowns: log E; log of the term and exponent for parameters, at
    their geometric mean, then for tokens; and log m of each format but the baseline."""

    def __init__(self, parameters, tokens, formats, baseline):
        self.has = [len(np.unique(v)) >= LEAST_POINTS for v in (parameters, tokens)]
        self.logs = [np.log(np.asarray(v, float)) for v in (parameters, tokens)]
        self.middles = [log.mean() for log in self.logs]
        self.formats = [f for f in dict.fromkeys(formats) if f != baseline] if self.has[0] else []
        self.is_format = np.array([[f == own for own in self.formats] for f in formats], float)
        self.is_format = self.is_format.reshape(len(formats), len(self.formats))
        self.baseline = baseline
        self.size = 1 + 2 * sum(self.has) + len(self.formats)

    def _terms(self, unknowns):
        """exp(log E), then (value, x, place in the unknowns) of each term."""
        place, terms = 1, []
        for i, has in enumerate(self.has):
            if has:
                x = self.logs[i] - self.middles[i]
                if i == 0 and self.formats:
                    x = x + self.is_format @ unknowns[self.size - len(self.formats) :]
                terms.append((np.exp(unknowns[place] - unknowns[place + 1] * x), x, place))
                place += 2
        return np.exp(unknowns[0]), terms

    def residuals(self, unknowns, logs):
        floor, terms = self._terms(unknowns)
        return np.log(floor + sum(t for t, _, _ in terms)) - logs

    def slopes(self, unknowns, logs):
        """The Jacobian of the residuals."""
        floor, terms = self._terms(unknowns)
        total = floor + sum(t for t, _, _ in terms)
        slopes = np.zeros((len(logs), self.size))
        slopes[:, 0] = floor / total
        for i, (term, x, place) in enumerate(terms):
            slopes[:, place] = term / total
            slopes[:, place + 1] = -term * x / total
            if i == 0 and self.formats:
                by = -term * unknowns[place + 1] / total
                slopes[:, self.size - len(self.formats) :] = by[:, None] * self.is_format
        return slopes

    def solve(self, losses, starts):
        logs = np.log(losses)
        low, high = self._ends()
        found = [
            least_squares(self.residuals, np.clip(s, low + 1e-9, high - 1e-9), self.slopes,
                          (low, high), args=(logs,), x_scale="jac", max_nfev=400)
            for s in starts
        ]  # fmt: skip
        return min(found, key=lambda f: f.cost).x

    def _ends(self):
        """Between which values the unknowns are sought."""
        low, high = np.full(self.size, -30.0), np.full(self.size, 30.0)
        place = 1
        for has in self.has:
            if has:
                low[place + 1], high[place + 1] = 0.005, 5.0
                place += 2
        low[self.size - len(self.formats) :], high[self.size - len(self.formats) :] = -9.0, 3.0
        return low, high

    def loose(self, unknowns, losses):
        """The names of E where it is next to nothing beside the losses, so that they do not tell where
        they level off, and of the exponents and shares that lie at an end."""
        low, high = self._ends()
        at_end = np.minimum(unknowns - low, high - unknowns) < 0.001 * (high - low)
        names = ["E"]
        for factor, exponent, has in zip("AB", ("alpha", "beta"), self.has):
            names += [factor, exponent] if has else []
        names += [f"m {name}" for name in self.formats]
        at_end[0] = np.exp(unknowns[0]) < FLOOR * np.min(losses)
        return [name for name, loose in zip(names, at_end) if loose]

    def starts(self, losses):
        least = np.min(losses)
        for share in (0.95, 0.6, 0.2):
            for slope in (0.15, 0.5, 1.2):
                rest = np.log(max(np.mean(losses) - share * least, 1e-6) / max(sum(self.has), 1))
                start = np.zeros(self.size)
                start[0] = np.log(share * least)
                for i in range(sum(self.has)):
                    start[1 + 2 * i : 3 + 2 * i] = rest, slope
                yield start

    def named(self, unknowns):
        values, place = {"E": float(np.exp(unknowns[0]))}, 1
        for i, (factor, exponent) in enumerate((("A", "alpha"), ("B", "beta"))):
            values[factor] = values[exponent] = np.nan
            if self.has[i]:
                values[exponent] = float(unknowns[place + 1])
                values[factor] = float(np.exp(unknowns[place] + values[exponent] * self.middles[i]))
                place += 2
        values[f"m {self.baseline}"] = 1.0
        for name, m in zip(self.formats, unknowns[self.size - len(self.formats) :]):
            values[f"m {name}"] = float(np.exp(m))
        return values


def fit_law(cells, losses, baseline):
    """The law of `cells` (a table: parameters, tokens, format) with `losses` [cell, seed], NaN where
    a run is missing. ValueError says why there is none. The bootstrap draws seeds, the same ones
    for every cell, since runs of one seed share batches and initial weights."""
    formats = list(cells["format"])
    base = baseline if baseline in formats else formats[0]
    problem = Problem(cells["parameters"].to_numpy(), cells["tokens"].to_numpy(), formats, base)
    if not any(problem.has):
        raise ValueError(f"a fit needs {LEAST_POINTS} sizes or {LEAST_POINTS} numbers of tokens")
    if len(cells) <= problem.size:
        raise ValueError(f"{len(cells)} points are too few for {problem.size} unknowns")
    means = np.nanmean(losses, axis=1)
    best = problem.solve(means, list(problem.starts(means)))
    law = Law(problem.named(best))
    law.loose = problem.loose(best, means)
    misses = problem.residuals(best, np.log(means))
    law.miss = float(np.sqrt(np.sum(misses**2) / (len(cells) - problem.size)))
    law.noise = _noise(losses)
    n_seeds = losses.shape[1]
    if n_seeds < 2:
        return law
    rng = np.random.default_rng(SEED)
    draws = []
    for _ in range(DRAWS):
        drawn = losses[:, rng.integers(0, n_seeds, n_seeds)]
        there = np.isfinite(drawn).any(axis=1)
        sample = np.where(there, np.nanmean(np.where(there[:, None], drawn, 0.0), axis=1), means)
        draws.append(list(problem.named(problem.solve(sample, [best])).values()))
    bounds = np.percentile(np.array(draws), [2.5, 97.5], axis=0)
    law.low, law.high = (dict(zip(law.values, row)) for row in bounds)
    law.draws = DRAWS
    return law


def _noise(losses):
    """The standard error of the means of log losses [cell, seed] over seeds, pooled over the cells."""
    counts = np.isfinite(losses).sum(axis=1)
    several = counts > 1
    if not several.any():
        return np.nan
    variances = np.nanvar(np.log(losses[several]), axis=1, ddof=1)
    return float(np.sqrt(np.mean(variances / counts[several])))


def bits_shape(bits, shares):
    """gamma of m = (1 - exp(-bits / gamma)) / (1 - exp(-16 / gamma)) by least squares of `shares`,
    or NaN where there are fewer than two widths."""
    if len(set(bits)) < 2:
        return np.nan
    bits, shares = np.asarray(bits, float), np.asarray(shares, float)

    def misses(x):
        gamma = np.exp(x[0])
        return -np.expm1(-bits / gamma) / -np.expm1(-16 / gamma) - shares

    return float(np.exp(least_squares(misses, [1.0], bounds=(-3, 4)).x[0]))
