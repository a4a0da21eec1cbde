#!/usr/bin/python3
"""check_rounds.py ALTGRAD TRAIN MPIEXEC: seeds that are added in rounds until decided.

The seeds that each cell got are found again from the results by scipy alone; two ranks, killed in
the middle of rounds, come to the same results as one undisturbed process; runs that fail or diverge
keep no round waiting; and Results says what `altgrad summary --json` says."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from check_summary import compare, compare_claims, show
from scipy import stats

EXPERIMENT = """\
altgrad: 1
name: rounds
model: {n_layer: 1, n_head: 1, n_embd: 16, block_size: 8}
data: {synthetic: markov, vocab: 16, order: 1, tokens: 2000}
optimizer: {lr: 0.01, warmup: 0}
train: {steps: 8, batch_size: 4}
eval: {windows: 4}
run: {retries: 0}
formats: [BF16, E4M3, E2M1]
layer_configs: {all: {format: $format}}
seeds: {from: 3, until: decided, at_most: 8}
compare: {baseline: {format: BF16}, margin: 0.01}
output: {file: x.h5, weights: none}
"""
TWO_RATES = """\
formats: [BF16, E4M3]
axes: {optimizer.lr: [1e-2, 5]}
stop: {loss_ratio: 2}
claims:
  - {name: no change, same: {format: E4M3, optimizer.lr: 1e-2}, as: BF16, margin: 0.001}
  - {name: all rates, worse: E4M3, than: BF16}
  - {name: ladder, order: [{format: E4M3, optimizer.lr: 1e-2}, {format: BF16, optimizer.lr: 1e-2}]}
  - {name: stable, diverges: {optimizer.lr: 1e-2}, share: 0.9}
"""
# In the place of altgrad-train: kills the rank that starts it once for each file kill.SEED, and
# fails while there is a file fail.SEED.
STAND_IN = """\
#!/bin/sh
case " $* " in *" --preflight "*) exec '{train}' "$@" ;; esac
cat > in.$$
seed=$(sed -n 's/.*"seed":\\([0-9]*\\).*/\\1/p' in.$$ | head -n 1)
if rm "kill.$seed" 2> /dev/null; then kill -KILL $PPID; exit 1; fi
[ ! -e "fail.$seed" ] || exit 9
exec '{train}' "$@" < in.$$
"""
LOOKS = [3, 5, 8]


class Place:
    """A folder with the experiment and a program whose trainer can be disturbed."""

    def __init__(self, altgrad, train, folder, text):
        self.folder, self.altgrad = Path(folder), Path(folder, "altgrad")
        self.altgrad.write_bytes(Path(altgrad).read_bytes())
        Path(folder, "altgrad-train").write_text(STAND_IN.format(train=train))
        Path(folder, "x.yaml").write_text(text)
        for program in ("altgrad", "altgrad-train"):
            Path(folder, program).chmod(0o755)

    def call(self, *command, code=0, before=()):
        done = subprocess.run([*before, self.altgrad, *command], cwd=self.folder,
                              capture_output=True, text=True)  # fmt: skip
        assert code in (None, done.returncode), (command, done)
        return done

    def run(self, *options, **how):
        return self.call("run", "x.yaml", "--progress", "plain", *options, **how)

    def disturb(self, *names):
        for name in names:
            (self.folder / name).touch()

    def status(self):
        return json.loads(self.call("status", "x.h5", "--json", code=None).stdout)

    def summary(self):
        return show(self.altgrad, self.folder / "x.h5")


def values_of(place):
    """{format: {seed: loss}}"""
    import h5py

    with h5py.File(place.folder / "x.h5") as file:
        rows = file["index"][...]
    values = {}
    for row in rows:
        values.setdefault(row["format"].decode(), {})[int(row["seed"])] = row["final_val_loss"]
    return values


def smallest_p(values, base, n, margin):
    """Of the looks at the first n seeds, each by its share of the rate."""
    least, spent = 1.0, 0.0
    for look in [seeds for seeds in LOOKS if seeds <= n]:
        share, spent = (look / 8) ** 1.5 - spent, (look / 8) ** 1.5
        d = [values[s] - base[s] for s in range(look)]
        ends = [
            stats.ttest_1samp(d, margin, alternative="greater").pvalue,
            stats.ttest_1samp(d, -margin, alternative="less").pvalue,
            max(
                stats.ttest_1samp(d, margin, alternative="less").pvalue,
                stats.ttest_1samp(d, -margin, alternative="greater").pvalue,
            ),
        ]
        least = min(least, 2 * min(ends) / share)
    return least


def seeds_by_hand(values, margin):
    """How many seeds each format gets, by the verdicts alone."""
    base, asked = values["BF16"], {name: 3 for name in values}
    for now, following in zip(LOOKS, LOOKS[1:]):
        p = {n: smallest_p(v, base, min(now, asked[n]), margin)
             for n, v in values.items() if n != "BF16"}  # fmt: skip
        undecided, worst = [], 0.0
        for i, name in enumerate(sorted(p, key=p.get)):
            worst = max(worst, (len(p) - i) * p[name])
            if worst > 0.05:
                undecided.append(name)
        for name in [*undecided, "BF16"] if undecided else []:
            asked[name] = following
    return asked


def check_kills(altgrad, train, mpiexec):
    """Two ranks, killed in rounds 1 and 3 and between 1 and 2."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole = Place(altgrad, train, one, EXPERIMENT)
        plan = whole.call("plan", "x.yaml").stdout
        assert "after 3, 5 and 8 seeds:\n  9 runs at first, 24 are the most" in plan, plan
        told = whole.run().stderr
        values = values_of(whole)
        got = {name: len(seeds) for name, seeds in values.items()}
        assert got == seeds_by_hand(values, 0.01) == {"BF16": 8, "E4M3": 5, "E2M1": 8}, got
        assert "round 3 of at most 3: 1 comparison or claim is open" in told, told
        compare(whole.altgrad, whole.folder / "x.h5", 3)
        killed = Place(altgrad, train, two, EXPERIMENT)
        killed.disturb("kill.1", "kill.3", "kill.6")
        ranks = [mpiexec, "-n", "2"]
        for seeds in (3, 5, 8):
            assert killed.run(code=None, before=ranks).returncode != 0
            status = killed.status()
            assert (status["exit_code"], status["rounds"]["seeds"]) == (75, seeds), status["rounds"]
            assert seeds != 5 or status["runs"]["done"] == 9, status["runs"]
        assert "\nseeds     round 3 of" in killed.call("status", "x.h5", code=75).stdout
        killed.run(before=ranks)
        assert killed.summary() == whole.summary()


def check_failures(altgrad, train):
    """Seed 1 fails everywhere, and one learning rate diverges: the rounds go on without them."""
    text = EXPERIMENT.replace("formats: [BF16, E4M3, E2M1]\n", TWO_RATES).replace("0.01", "0")
    with tempfile.TemporaryDirectory() as folder:
        place = Place(altgrad, train, folder, text.replace("lr: 0,", "lr: 0.01,"))
        place.disturb("fail.1")
        told = place.run(code=1).stderr
        assert "with a compare.margin of 0" in told and "round 3 of at most 3" in told, told
        cells = place.summary()["cells"]
        assert {cell["failed"] for cell in cells} == {1}, cells
        assert [cell["diverged"] for cell in cells] == [0, 2, 0, 2], cells
        assert [cell["done"] for cell in cells] == [7, 0, 7, 0], cells
        compare(place.altgrad, place.folder / "x.h5", 4)
        compare_claims(place.altgrad, place.folder / "x.h5")
        (place.folder / "fail.1").unlink()
        place.run()
        compare(place.altgrad, place.folder / "x.h5", 4)
        states = compare_claims(place.altgrad, place.folder / "x.h5")
        assert (states["stable"], states["all rates"]) == ("refuted", "open"), states
        check_refusals(place)


def check_adopted(altgrad, train):
    """Of two seeds that are there already the first round wants one more of each format; of what is
    complete, what the third round wants."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(altgrad, train, folder, EXPERIMENT)
        place.run("--set", "seeds=2", "-o", "two.h5")
        for command in ("adopt", "merge"):
            out = f"{command}.h5"
            told = place.call(command, out, "--experiment", "x.yaml", "two.h5").stdout
            assert "9 runs: 6 done, 0 diverged, 0 failed, 3 pending" in told, told
        place.run("-o", "adopt.h5")
        whole = show(place.altgrad, place.folder / "adopt.h5")
        told = place.call("adopt", "again.h5", "--experiment", "x.yaml", "adopt.h5").stdout
        assert "21 runs: 21 done, 0 diverged, 0 failed, 0 pending" in told, told
        assert show(place.altgrad, place.folder / "again.h5") == whole
        place.run("--set", "seeds=5", "-o", "five.h5")
        told = place.call("merge", "late.h5", "--experiment", "x.yaml", "five.h5").stdout
        assert "21 runs: 15 done, 0 diverged, 0 failed, 6 pending" in told, told


def check_refusals(place):
    refused = place.run("--shard", "1/2", code=2).stderr
    assert "a shard does not see those of the others" in refused, refused
    refused = place.call("summary", "x.h5", "--best", "optimizer.lr", code=2).stderr
    assert "--best lets a third of the seeds choose" in refused, refused
    # a number in its place names what there is
    place.run("--set", "seeds=2", "--set", "run.retries=1")
    fixed = place.summary()
    assert "rounds" not in fixed and fixed["runs"]["total"] == 8, fixed["runs"]
    # and the rounds that follow keep what they had; --only leaves them waiting
    place.run("--only", "format=BF16")
    assert place.status()["runs"]["total"] == 22, place.status()["runs"]


def main(altgrad, train, mpiexec):
    check_kills(altgrad, train, mpiexec)
    check_failures(altgrad, train)
    check_adopted(altgrad, train)


if __name__ == "__main__":
    os.environ.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
    main(*(str(Path(path).resolve()) for path in sys.argv[1:4]))
