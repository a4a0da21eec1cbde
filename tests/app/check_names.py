#!/usr/bin/python3
"""Names are data: an experiment whose names hold spaces, slashes, signs and wide characters is
trained, and its table, its results and its selectors show them as they are.

    check_names.py ALTGRAD
"""

import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import h5py

YAML = """altgrad: 1
name: "a/b: 100 % $HOME 🎛 'quoted' {long}"
model: {{n_layer: 1, n_head: 1, n_embd: 16, block_size: 8}}
data: {{synthetic: markov, vocab: 16, order: 1, tokens: 2000}}
train: {{steps: 2, batch_size: 4}}
eval: {{every: 0, windows: 4}}
formats: [BF16, {{name: "中文格式", all: E4M3}}, {{name: "a/b", all: E5M2}}, {{name: a, all: E3M4}},
  {{name: "$x^{{$ %s %n", all: E2M5}}, {{name: "{long}", all: E1M6}}]
layer_configs:
  c: {{format: $format}}
  b/c: {{default_format: null, layer_rules: [{{pattern: attn, format: $format}}]}}
axes: {{"rate, or = \\\\/ 🎚": {{"lo w": {{optimizer.lr: 1e-3}}, "hi,gh=": {{optimizer.lr: 2e-3}}}},
  val_loss: {{one: {{}}}}}}
""".format(long="n" * 400)


def altgrad(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def columns(text):
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide


def check_table(summary):
    """Every row of the table has its number of seeds in the same columns."""
    rows = [re.match(r"(.*) 1  \d\.\d{4}", line) for line in summary.splitlines()]
    ends = [columns(row[1]) for row in rows if row]
    assert len(ends) == 24 and len(set(ends)) == 1, summary


def check_results(path):
    with h5py.File(path) as file:
        index = file["index"][:]
        labels = [label.decode() for label in index["label"]]
        formats = {name.decode() for name in index["format"]}
        assert len(set(labels)) == len(labels) == 22, labels  # BF16 twice
        assert "a\\/b/c/lo w/one/0" in labels and "a/b\\/c/lo w/one/0" in labels, labels
        assert {"中文格式", "$x^{$ %s %n", "n" * 400} <= formats, formats
        axes = ("rate__or______🎚", "val_loss_")
        for table in ("index", "labels"):
            names = file[table].dtype.names
            assert set(axes) <= set(names), (table, names)


def main():
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder, "x.yaml")
        experiment.write_text(YAML, encoding="utf-8")
        for arguments in ("run", "plan", "plan --layers"):
            command, *more = arguments.split()
            subprocess.run(
                [sys.argv[1], command, str(experiment), *more],
                cwd=folder,
                check=True,
                capture_output=True,
            )
        (results,) = Path(folder).glob("*.h5")
        assert results.name.startswith("a_b: 100 % $HOME 🎛 'quoted' nnn"), results
        assert len(results.name.encode()) < 200, results
        check_table(altgrad("summary", str(results)))
        check_results(results)
        altgrad("status", str(results))
        facts = " a weight, input, grad_output: e3m4f, per tensor, current amax, 8 bits, max 31 "
        assert facts in " ".join(altgrad("plan", str(experiment)).split())
        selected = altgrad("plan", str(experiment), "--only", "rate, or = \\/ 🎚=hi,gh=,lo w")
        assert "selected by --only" in selected


if __name__ == "__main__":
    main()
