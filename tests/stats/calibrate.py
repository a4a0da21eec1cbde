#!/usr/bin/python3
"""How often are the verdicts of `altgrad summary` false?

    calibrate.py simulated [--experiments 4000] [--check looks]
    calibrate.py runs RESULTS.h5 [--experiments 4000]

`simulated` draws experiments of which the truth is known, and judges them by the definitions of
analysis/altgrad_analysis, which a test holds to those of the program. `runs` does so with the losses
of real runs: of one format whose runs differ in the seed alone, and of the paired differences of two
formats. calibrate.yaml makes such a file:

    altgrad run tests/stats/calibrate.yaml -o calibrate.h5

Each prints a table, that of docs/statistics.md, and ends with 1 where a share lies above its nominal
value by more than Monte-Carlo error (4 standard deviations), or below where the value is exact."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

from altgrad_analysis import Results  # noqa: E402
from altgrad_analysis.best import number_of_choosers  # noqa: E402
from altgrad_analysis.bootstrap import bca  # noqa: E402
from altgrad_analysis.interim import Looks  # noqa: E402
from altgrad_analysis.verdicts import LEVEL, TENDENCIES, decide, holm, quantile  # noqa: E402

RATE = 1 - LEVEL
SIGMAS = 4


class Table:
    """Rows of shares beside what they should be."""

    def __init__(self):
        self.good = True
        print("| experiment | share of | found | nominal |")
        print("|---|---|---|---|")

    def add_saving(self, what, of, runs, fixed, least=None):
        """Mean of `runs` [experiments] beside those of a fixed number of seeds; an error where the
        saving is below `least`."""
        saved = 1 - np.mean(runs) / fixed
        wrong = least is not None and saved < least
        mark = " **wrong**" if wrong else ""
        expected = f"≥ {100 * least:.0f} %" if least is not None else "(told)"
        print(f"| {what} | {of} | {100 * saved:.0f} %{mark} | {expected} |", flush=True)
        self.good &= not wrong

    def add(self, what, of, hits, nominal, exact=False, told=False):
        """`hits` [experiments] are those that count. With `told` the share is only shown."""
        share, n = np.mean(hits), len(hits)
        error = SIGMAS * np.sqrt(nominal * (1 - nominal) / n)
        wrong = not told and (share > nominal + error or (exact and share < nominal - error))
        sign = "" if exact else "≤ "
        mark = " **wrong**" if wrong else ""
        expected = f"({100 * nominal:.1f} %)" if told else f"{sign}{100 * nominal:.1f} %"
        print(f"| {what} | {of} | {100 * share:.2f} %{mark} | {expected} |", flush=True)
        self.good &= not wrong


def verdicts(differences, margin, family):
    """Of experiments of k comparisons over n seeds, differences [experiments, k, n]: words
    [experiments, k]."""
    n = differences.shape[-1]
    mean, sd = differences.mean(axis=-1), differences.std(axis=-1, ddof=1)
    tendency, p = decide(np.full(mean.shape, n), mean, sd, margin)
    if family == "all":
        p = np.array([holm(row) for row in p])
    return np.where(p <= RATE, TENDENCIES[tendency], "open")


def differences_of(rng, noise, experiments, effects, n):
    """To a baseline that all formats share, so that their differences hang together."""
    baseline = noise(rng, (experiments, 1, n))
    return np.array(effects)[None, :, None] + noise(rng, (experiments, len(effects), n)) - baseline


def normal(rng, size):
    return rng.standard_normal(size) / np.sqrt(2)


def skewed(rng, size):
    """As losses are that have a tail of bad seeds; both sides of a pair have it."""
    return rng.lognormal(0, 0.7, size) - np.exp(0.245)


def heavy(rng, size):
    return rng.standard_t(3, size) / np.sqrt(6)


# --- one comparison, with the standard deviation of a difference as unit


def check_alone(table, rng, experiments):
    for name, noise in (("normal", normal), ("skewed", skewed), ("heavy tails", heavy)):
        exact = noise is normal
        for n in (3, 5, 8, 20):
            none = verdicts(differences_of(rng, noise, experiments, [0], n), 0.0, "none")
            what = f"{name}, {n} seeds, no effect, margin 0"
            table.add(what, "worse", none == "worse", RATE / 2, exact)
            table.add(what, "better", none == "better", RATE / 2, exact)
            wide = 50.0 if n == 3 else 20.0  # of the margin: the other side is out of reach
            edge = verdicts(differences_of(rng, noise, experiments, [wide], n), wide, "none")
            what = f"{name}, {n} seeds, effect at the margin"
            table.add(what, "worse", edge == "worse", RATE / 2, exact)
            table.add(what, "same", edge == "same", RATE / 2, exact and n > 3)


# --- families


def check_family(table, rng, experiments):
    for n in (3, 6, 12):
        for k in (4, 16):
            zero = verdicts(differences_of(rng, normal, experiments, [0] * k, n), 0.0, "all")
            what = f"{k} formats, {n} seeds, no effect, margin 0"
            table.add(what, "any false", np.any(zero != "open", axis=1), RATE)
            margin = 3.0
            half = [margin] * (k // 2) + [20.0] * (k // 2)
            words = verdicts(differences_of(rng, normal, experiments, half, n), margin, "all")
            false = np.any(words[:, : k // 2] != "open", axis=1)
            false |= np.any(np.isin(words[:, k // 2 :], ["same", "better"]), axis=1)
            what = f"{k} formats, {n} seeds, half at the margin, half far worse"
            table.add(what, "any false", false, RATE)
    words = verdicts(differences_of(rng, normal, experiments, [0] * 16, 6), 0.0, "none")
    table.add("16 formats, 6 seeds, no effect, `family: none`", "any false",
              np.any(words != "open", axis=1), RATE, told=True)  # fmt: skip


# --- intervals


def check_bootstrap(table, rng, experiments):
    experiments = min(experiments, 1000)  # each has its 2,000 resamples
    for name, draw in (
        ("normal", lambda n: rng.standard_normal(n)),
        ("skewed differences", lambda n: rng.lognormal(0, 0.7, n) - np.exp(0.245)),
    ):
        for n in (8, 12, 20):
            samples = [draw(n) for _ in range(experiments)]
            ends = np.array([bca(values, LEVEL) for values in samples])
            missed = (ends[:, 0] > 0) | (ends[:, 1] < 0)
            means = np.array([values.mean() for values in samples])
            errors = np.array([values.std(ddof=1) for values in samples]) / np.sqrt(n)
            student = np.abs(means) > quantile(n - 1.0) * errors
            what = f"{name}, {n} pairs"
            table.add(what, "bootstrap intervals that miss", missed, RATE, told=True)
            table.add(what, "Student's that miss", student, RATE, told=name != "normal", exact=True)


# --- the best of several points


def check_best(table, rng, experiments):
    """A format that is no different, with 8 points to choose from, beside a baseline with one."""
    every = np.arange(experiments)
    for n in (5, 9, 15):
        values = normal(rng, (experiments, 8, n))
        baseline = normal(rng, (experiments, n))
        first = number_of_choosers(n)
        what = f"best of 8 equal points, {n} seeds"
        for shown, choosing, judging in (
            ("", slice(0, first), slice(first, n)),
            (", all choosing", slice(0, n), slice(0, n)),
        ):
            best = np.argmin(values[:, :, choosing].mean(axis=2), axis=1)
            differences = values[every, best][:, judging] - baseline[:, judging]
            words = verdicts(differences[:, None], 0.0, "none")
            for word in ("better", "worse"):
                table.add(what + shown, word, words == word, RATE / 2, not shown, told=shown)
        words = leave_one_out(values, baseline)
        table.add(f"{what}, each on the others", "better", words == "better", RATE / 2, told=True)


def leave_one_out(values, baseline):
    """The point of each seed chosen on all others: seeds then hang together."""
    others = values.sum(axis=2, keepdims=True) - values
    best = np.argmin(others, axis=1)[:, None]
    chosen = np.take_along_axis(values, best, axis=1)
    return verdicts(chosen - baseline[:, None], 0.0, "none")


# --- seeds in rounds, until decided


LOOKS = Looks(3, 20)


def judge_in_rounds(differences, margin):
    """Words [experiments, k] by `differences` [experiments, k, 20], and the runs [experiments] that
    this took: a comparison gets seeds while it is open, and the baseline while any is."""
    experiments, k, _ = differences.shape
    least = np.ones((experiments, k))
    words = np.full((experiments, k), "open", object)
    undecided = np.ones((experiments, k), bool)
    runs = np.zeros(experiments, int)
    for look, n in enumerate(LOOKS.seeds):
        more = n - (LOOKS.seeds[look - 1] if look else 0)
        runs += more * (undecided.sum(axis=1) + undecided.any(axis=1))
        now = differences[:, :, :n]
        mean, sd = now.mean(axis=-1), now.std(axis=-1, ddof=1)
        tendency, p = decide(np.full(mean.shape, n), mean, sd, margin)
        p = LOOKS.p(look, p)
        lower = undecided & (p < least)
        words[lower] = TENDENCIES[tendency][lower]
        least = np.where(lower, p, least)
        undecided = np.array([holm(row) for row in least]) > RATE
    words[undecided] = "open"
    return words, runs


def check_looks(table, rng, experiments):
    """Verdicts stay true however often one looks."""
    n = LOOKS.seeds[-1]
    rounds = "in rounds of " + ", ".join(str(seeds) for seeds in LOOKS.seeds)
    for name, noise in (("normal", normal), ("skewed", skewed), ("heavy tails", heavy)):
        for effect, margin, sides in ((0, 0.0, ("worse", "better")), (20, 20.0, ("worse", "same"))):
            words, _ = judge_in_rounds(
                differences_of(rng, noise, experiments, [effect], n), margin
            )
            what = f"{name}, {rounds}, effect {effect}, margin {margin:g}"
            for side in sides:
                table.add(what, side, words == side, RATE / 2)
    for k in (4, 16):
        words, _ = judge_in_rounds(differences_of(rng, normal, experiments, [0] * k, n), 0.0)
        what = f"{k} formats, {rounds}, no effect, margin 0"
        table.add(what, "any false", np.any(words != "open", axis=1), RATE)
        half = [3.0] * (k // 2) + [20.0] * (k // 2)
        words, _ = judge_in_rounds(differences_of(rng, normal, experiments, half, n), 3.0)
        false = np.any(words[:, : k // 2] != "open", axis=1)
        false |= np.any(np.isin(words[:, k // 2 :], ["same", "better"]), axis=1)
        table.add(f"{k} formats, {rounds}, half at the margin, half far worse", "any false", false,
                  RATE)  # fmt: skip


GRIDS = {  # effects in standard deviations of a difference, the margin, the least saving
    "8 formats, no difference to 30 sd, margin 1.5": ([0, 0.2, 3, 4, 8, 10, 20, 30], 1.5, 0.4),
    "8 formats, no difference to 30 sd, margin 1": ([0, 0.2, 2, 3, 6, 10, 20, 30], 1.0, None),
    "8 formats, all 5 sd worse, margin 0.8": ([5] * 8, 0.8, None),
    "8 formats, half no different, half 6 to 40 sd, margin 0.8": (
        [0, 0, 0, 0, 6, 10, 20, 40], 0.8, None),
    "8 formats, all 1 sd worse, margin 0": ([1] * 8, 0.0, None),
    "8 formats, none different, margin 1": ([0] * 8, 1.0, None),
}  # fmt: skip


def check_savings(table, rng, experiments):
    """Runs beside the fixed number of seeds that decides as many comparisons, and beside as many as
    rounds may take."""
    most = LOOKS.seeds[-1]
    for what, (effects, margin, least) in GRIDS.items():
        differences = differences_of(rng, normal, experiments, effects, most)
        words, runs = judge_in_rounds(differences, margin)
        decided = np.mean(words != "open")
        cells = len(effects) + 1
        for n in range(2, most + 1):
            fixed = np.mean(verdicts(differences[:, :, :n], margin, "all") != "open")
            if fixed >= decided or n == most:
                break
        of = f"{100 * decided:.1f} % decided; runs less than with {n} seeds ({100 * fixed:.1f} %)"
        table.add_saving(what, of, runs, n * cells, least)
        table.add_saving(what, f"runs less than with {most} seeds ({shown(differences, margin)})",
                         runs, most * cells)  # fmt: skip


def shown(differences, margin):
    return f"{100 * np.mean(verdicts(differences, margin, 'all') != 'open'):.1f} %"


def simulated(options):
    table = Table()
    checks = (check_alone, check_family, check_bootstrap, check_best, check_looks, check_savings)
    for check in checks if options.check is None else [globals()[f"check_{options.check}"]]:
        check(table, np.random.default_rng(1), options.experiments)
    return table.good


# --- real runs


def subsets(rng, values, experiments, n):
    """[experiments, 1, n] of `values`, without replacement within an experiment."""
    return np.array([[rng.choice(values, n, replace=False)] for _ in range(experiments)])


def runs(options):
    results = Results(options.results)
    runs = results.runs()
    of = {name: group.sort_values("seed") for name, group in runs.groupby("format", sort=False)}
    metric = results.metric
    table, rng = Table(), np.random.default_rng(1)
    base = of["BF16"][metric].to_numpy()
    spread = np.sqrt(2) * base.std(ddof=1)
    print(f"<!-- {len(base)} seeds: {len(base) // 2} pairs, differences vary by {spread:.4f} -->")
    for n in (3, 5, 8, 20):
        both = subsets(rng, base, options.experiments, 2 * n)
        differences = both[:, :, :n] - both[:, :, n:]
        report(table, f"{n} pairs of runs that differ in the seed alone", differences, spread)
    for name, group in of.items():
        if name == "BF16":
            continue
        paired = group[metric].to_numpy() - base
        centred = paired - paired.mean()
        for n in (3, 5, 8, 20):
            sample = subsets(rng, centred, options.experiments, n)
            report(table, f"{n} pairs of {name} and BF16, less their mean", sample, paired.std(), sides=False)
    return table.good


def report(table, what, differences, spread, sides=True):
    """`sides`: whether both sides are alike, so that each has half of the rate; else each is told."""
    for effect, margin, words in (
        ("no effect, margin 0", 0.0, ("worse", "better")),
        ("effect at the margin", 50 * spread, ("worse", "same")),
    ):
        found = verdicts(differences + margin, margin, "none")
        what_of = f"{what}, {effect}"
        table.add(what_of, "any false", found != "open", RATE)
        for word in words:
            table.add(what_of, word, found == word, RATE / 2, told=not sides)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    simulation = commands.add_parser("simulated")
    simulation.set_defaults(run=simulated)
    simulation.add_argument("--check", choices=("alone", "family", "bootstrap", "best", "looks", "savings"))
    of_runs = commands.add_parser("runs")
    of_runs.add_argument("results", type=Path)
    of_runs.set_defaults(run=runs)
    for command in commands.choices.values():
        command.add_argument("--experiments", type=int, default=4000)
    options = parser.parse_args()
    return 0 if options.run(options) else 1


if __name__ == "__main__":
    sys.exit(main())
