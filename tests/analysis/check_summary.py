#!/usr/bin/python3
"""check_summary.py ALTGRAD: Results.table() says what `altgrad summary --json` says, of a small
experiment whose names are unusual, and analysis/plot.py draws it from any folder."""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

ANALYSIS = Path(__file__).resolve().parents[2] / "analysis"
sys.path.insert(0, str(ANALYSIS))

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
output: {file: x.h5, weights: none}
"""


def same(ours, theirs):
    if theirs is None:
        return math.isnan(ours)
    if isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-300)
    return ours == theirs


def compare(altgrad, path):
    """The verdicts that were met."""
    shown = subprocess.run([altgrad, "summary", path, "--json"], capture_output=True, check=True)
    cells = json.loads(shown.stdout)["cells"]
    results = Results(path)
    table = results.table()
    assert len(table) == len(cells) == 24, (len(table), len(cells))
    for cell, (_, row) in zip(cells, table.iterrows()):
        for axis in results.grid_axes:
            if axis.name != "seed":
                assert axis.text(row[axis.column]) == cell["axes"][axis.name], (axis, cell)
        words = "done diverged failed pending without_value baseline_diverged pairs mean sd"
        words += " difference half_width verdict"
        for word in words.split():
            assert same(row[word], cell[word]), (word, row, cell)
    return set(table["verdict"])


def draw(folder, *arguments):
    """plot.py is a program, whatever the folder that one is in."""
    plot = str(ANALYSIS / "plot.py")
    return subprocess.run([plot, "x.h5", *arguments], cwd=folder, capture_output=True, text=True)


def main(altgrad):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x.yaml").write_text(EXPERIMENT)
        command = [altgrad, "run", "x.yaml", "--progress", "none"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        verdicts = compare(altgrad, str(Path(folder, "x.h5")))
        assert {"baseline", "same", "open", "diverged"} <= verdicts, verdicts
        done = draw(folder, "--select", "optimizer.lr=0.03", "--select", "mean=y")
        assert done.returncode == 0 and not done.stderr, done
        refused = draw(folder, "--select", "lr=1e-3")
        assert refused.returncode == 2 and "there are format" in refused.stderr, refused


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
