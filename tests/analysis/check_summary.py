#!/usr/bin/python3
"""check_summary.py ALTGRAD: Results.table() says what `altgrad summary --json` says, of a small
experiment whose names are unusual, and analysis/plot.py draws it from any folder."""

import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev

ANALYSIS = Path(__file__).resolve().parents[2] / "analysis"
sys.path.insert(0, str(ANALYSIS))

import pandas as pd  # noqa: E402
from altgrad_analysis import Results  # noqa: E402

EXPERIMENT = """\
altgrad: 1
name: 'names are data $x^{$'
model: {n_layer: 1, n_head: 1, n_embd: 16, block_size: 8}
data: {synthetic: markov, vocab: 16, order: 1, tokens: 2000}
train: {steps: 4, batch_size: 4}
eval: {every: 2, windows: 4}
stop: {loss_ratio: 1.0005}
formats: [BF16, {name: _e4m3, all: E4M3}, {name: '$x^{$', all: E3M0}]
layer_configs:
  all: {format: $format}
  NA: {default_format: null, layer_rules: [{pattern: mlp, format: $format}]}
axes:
  mean: {x: {optimizer.warmup: 2}, y: {optimizer.warmup: 3}}
  optimizer.lr: [1e-3, 3e-2]
seeds: 2
compare: {baseline: {format: BF16}, margin: 0.02}
claims:
  - {name: diverged, better: _e4m3, than: {format: '$x^{$'}, by: 0.001}
  - {name: ladder, order: [BF16, _e4m3, {format: BF16, mean: y}]}
  - {name: rate, diverges: {optimizer.lr: 3e-2}}
output: {file: x.h5, weights: none}
"""


# Enough seeds for the bootstrap and for choosing a learning rate on the others.
SEEDS = """\
altgrad: 1
name: many seeds
model: {n_layer: 1, n_head: 1, n_embd: 16, block_size: 8}
data: {synthetic: markov, vocab: 16, order: 1, tokens: 2000}
train: {steps: 2, batch_size: 4}
eval: {every: 2, windows: 4}
formats: [BF16, E2M1]
layer_configs: {all: {format: $format}}
axes: {optimizer.lr: [3e-3, 3.1e-3]}
seeds: 8
compare: {baseline: {format: BF16}, margin: 0.0001, family: none}
claims:
  - {name: same, same: {format: E2M1}, as: {format: BF16}, margin: 1}
  - {name: ladder, text: 'who "knows"', source: here, order: [BF16, E2M1], by: 1.0e-6}
  - {name: lr, worse: {optimizer.lr: 3e-3}, than: {optimizer.lr: 3.1e-3}}
  - {name: blows up, diverges: {format: E2M1, optimizer.lr: 3e-3}, share: 0.2}
output: {file: x.h5, weights: none}
"""


def same(ours, theirs):
    if theirs is None:
        return math.isnan(ours)
    if isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-15)
    return ours == theirs


WORDS = """done diverged failed pending without_value baseline_diverged pairs n mean sd difference
difference_sd half_width low high bca_low bca_high p p_adjusted pairs_needed verdict_alone verdict
""".split()


def show(altgrad, path, *options):
    command = [altgrad, "summary", path, "--json", *options]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def compare(altgrad, path, n_cells, best=None):
    """The verdicts that were met, each for itself and as a family."""
    shown = show(altgrad, path, *(["--best", best] if best else []))
    cells = shown["cells"]
    results = Results(path)
    table = results.table(best=best)
    assert (shown["family"], shown["comparisons"]) == (results.family, table.attrs["comparisons"])
    assert len(table) == len(cells) == n_cells, (len(table), len(cells))
    for cell, (_, row) in zip(cells, table.iterrows()):
        for axis in results.grid_axes:
            if axis.name != "seed":
                assert axis.text(row[axis.column]) == cell["axes"][axis.name], (axis, cell)
        for word in WORDS:
            assert same(row[word], cell[word]), (word, row, cell)
        missing = [(pair["seed"], pair["why"]) for pair in cell["missing_pairs"]]
        assert list(row["missing_pairs"]) == missing, (row, cell)
        if best:
            assert row["choosers"] == cell["best"]["choosers"], (row, cell)
            assert row["optimistic"] == cell["best"]["optimistic"], (row, cell)
    return set(table["verdict_alone"]), set(table["verdict"])


def compare_foreign(altgrad, path):
    """The same curves without altgrad's file: written as a CSV file of anybody's, and read back."""
    results = Results(path)
    shown = show(altgrad, path)["cells"]
    loss = results.index.set_index("id")["final_val_loss"].rename("final_val_loss")
    status = results.index.set_index("id")["status"].rename("status")
    labels = results.labels.rename(columns={axis.column: axis.name for axis in results.grid_axes})
    curves = results.curves("val_loss")[["id", "step", "value"]].drop_duplicates()
    rows = labels.merge(curves, on="id").rename(columns={"value": "val_loss"})
    theirs = str(Path(path).parent / "theirs.csv")
    rows.join(loss, on="id").join(status, on="id").to_csv(theirs, index=False)
    foreign = Results.from_csv(
        theirs, baseline={"format": "BF16"}, margin=results.margin, family=results.family,
        axes=["mean", "optimizer.lr"] if "mean" in rows else None,
    )  # fmt: skip
    found = {}
    for _, row in foreign.table().iterrows():
        key = tuple(str(row[axis.column]) for axis in foreign.grid_axes if axis.name != "seed")
        found[tuple(sorted(key))] = row
    for cell in shown:
        values = [results_text(results, axis, text) for axis, text in cell["axes"].items()]
        row = found[tuple(sorted(values))]
        for word in WORDS:
            assert same(row[word], cell[word]), (word, row, cell)
    assert len(found) == len(shown)


def results_text(results, name, text):
    (axis,) = [axis for axis in results.grid_axes if axis.name == name]
    return str(axis.find(text))


def compare_claims(altgrad, path):
    claims = show(altgrad, path)["claims"]
    table = Results(path).claims()
    assert len(table) == len(claims)
    for claim, (_, row) in zip(claims, table.iterrows()):
        for word in set(claim) - {"statement"}:
            assert same(row[word], claim[word]), (word, row, claim)
    status = subprocess.run([altgrad, "status", path, "--json"], capture_output=True)
    assert [c["state"] for c in json.loads(status.stdout)["claims"]] == list(table["state"])
    return {claim["name"]: claim["state"] for claim in claims}


def runs_of(results, labels, cell):
    """The rows of `labels` that a cell of the summary is about."""
    for axis in results.grid_axes:
        if axis.name != "seed":
            labels = labels[labels[axis.column].map(axis.text) == cell["axes"][axis.name]]
    return labels


def compare_metrics(altgrad, path):
    """The mean of each metric that compare.metric takes, against the column of /index."""
    command = [altgrad, "params", "compare.metric", "--json"]
    (key,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    results = Results(path)
    for metric in key["words"]:
        labels = results.labels.merge(results.index[["id", "status", metric]], on="id")
        compared = 0
        for cell in show(altgrad, path, "--metric", metric)["cells"]:
            runs = runs_of(results, labels, cell)
            if set(runs["status"]) == {"done"}:
                assert same(mean(runs[metric]), cell["mean"]), (metric, cell, runs)
                compared += 1
        assert compared > 2, metric


def score(curves):
    """The share of steps, after the first two, that are 7 deviations off the two before them."""
    found = [
        x != mean(before) and abs(x - mean(before)) >= 7 * stdev(before)
        for curve in curves
        for x, before in ((curve[i], curve[i - 2 : i]) for i in range(2, len(curve)))
    ]
    return float(mean(map(int, found))) if found else math.nan


def compare_spikes(altgrad, path):
    """The summary against a plain loop over the curves in the file, in JSON and CSV."""
    shown = show(altgrad, path, "--spikes", "2")
    assert shown["spike_window"] == 2 and "spike_window" not in show(altgrad, path)
    results = Results(path)
    scores = []
    for cell in shown["cells"]:
        labels = runs_of(results, results.labels, cell)
        for metric in ("loss", "grad_norm"):
            curves = results.curves(metric).drop_duplicates(["id", "step"])
            own = [c["value"].tolist() for i, c in curves.groupby("id") if i in set(labels["id"])]
            assert same(score(own), cell[f"{metric}_spikes"]), (cell, metric, own)
            scores.append(score(own))
            table = results.spikes(metric, 2).set_index("id").loc[sorted(set(labels["id"]))].sum()
            assert table["steps"] == 0 or same(table["spikes"] / table["steps"], score(own))
    comma = subprocess.run([altgrad, "summary", path, "--spikes", "2", "--format", "csv"],
                           capture_output=True, check=True, text=True)  # fmt: skip
    table = pd.read_csv(io.StringIO(comma.stdout))
    for cell, (_, row) in zip(shown["cells"], table.iterrows()):
        assert same(row["loss_spikes"], cell["loss_spikes"]), (cell, row)
    return scores


def check_seeds(altgrad, folder):
    run(altgrad, folder, SEEDS)
    path = str(Path(folder, "x.h5"))
    compare(altgrad, path, 4)
    compare(altgrad, path, 2, best="optimizer.lr")
    compare_foreign(altgrad, path)
    assert all(map(math.isnan, compare_spikes(altgrad, path)))  # no run has three steps
    states = compare_claims(altgrad, path)
    assert (states["same"], states["blows up"]) == ("confirmed", "open"), states
    cells = show(altgrad, path)["cells"]
    assert all((cell["bca_low"] is None) == (cell["verdict"] == "baseline") for cell in cells)
    only = show(altgrad, path, "--only", "format=E2M1", "--only", "optimizer.lr=3e-3")["cells"]
    assert only == [cells[2]], only
    comma = subprocess.run(
        [altgrad, "summary", path, "--format", "csv"], capture_output=True, check=True, text=True
    )
    table = pd.read_csv(io.StringIO(comma.stdout))
    assert all(same(row[w], cell[w]) for cell, (_, row) in zip(cells, table.iterrows())
               for w in WORDS), table  # fmt: skip


def draw(folder, *arguments):
    """plot.py is a program, whatever the folder that one is in."""
    plot = str(ANALYSIS / "plot.py")
    return subprocess.run([plot, "x.h5", *arguments], cwd=folder, capture_output=True, text=True)


def run(altgrad, folder, experiment):
    Path(folder, "x.yaml").write_text(experiment)
    command = [altgrad, "run", "x.yaml", "--progress", "none"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def main(altgrad):
    with tempfile.TemporaryDirectory() as folder:
        run(altgrad, folder, EXPERIMENT)
        alone, verdicts = compare(altgrad, str(Path(folder, "x.h5")), 24)
        compare(altgrad, str(Path(folder, "x.h5")), 12, best="optimizer.lr")
        compare_foreign(altgrad, str(Path(folder, "x.h5")))
        assert compare_claims(altgrad, str(Path(folder, "x.h5")))["diverged"] == "open"
        compare_metrics(altgrad, str(Path(folder, "x.h5")))
        scores = compare_spikes(altgrad, str(Path(folder, "x.h5")))
        assert 0 in scores and 0.25 in scores, scores
        assert {"baseline", "open", "diverged"} <= verdicts and "same" in alone, (alone, verdicts)
        done = draw(folder, "--select", "optimizer.lr=0.03", "--select", "mean=y")
        assert done.returncode == 0 and not done.stderr, done
        refused = draw(folder, "--select", "lr=1e-3")
        assert refused.returncode == 2 and "there are format" in refused.stderr, refused
    with tempfile.TemporaryDirectory() as folder:
        check_seeds(altgrad, folder)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
