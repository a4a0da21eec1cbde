#!/bin/sh
# accumulators.sh ALTGRAD PYTHON: an experiment over accumulators, from the list of models to the
# results.
set -eu
altgrad=$1
python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > sums.yaml <<END
altgrad: 1
name: sums
model: {n_layer: 1, n_head: 2, n_embd: 16, block_size: 8}
data: {synthetic: markov, vocab: 8, order: 1, tokens: 2000, seed: 1}
train: {steps: 3, batch_size: 2}
eval: {windows: 2}
formats:
  - E4M3
  - {name: fp22, all: E4M3, accumulate: h100-fp8}
  - {name: own, all: E4M3, accumulate: {wgrad: {terms: 8, fraction: 10, into: e8m13, round: zero, promote: 16, outer: fp32}}}
layer_configs:
  uniform: {format: \$format}
output: {file: sums.h5}
END
"$altgrad" run sums.yaml --progress none > summary
"$altgrad" reproduce sums.h5 > /dev/null
"$altgrad" formats --accumulators --json > models.json
"$python" - <<END
import h5py, json
models = {model["name"]: model for model in json.load(open("models.json"))}
hopper = models["h100-fp8"]
assert (hopper["terms"], hopper["fraction"], hopper["into"]) == (32, 13, "e8m13"), hopper
with h5py.File("sums.h5") as file:
    formats = {row["id"]: row["format"].decode() for row in file["index"][:]}
    rows = [row for row in file["routing"][:] if row["accumulator"]]
    assert all(row["role"].decode() in ("weight", "input", "grad_output")
               for row in file["routing"][:] if not row["accumulator"])
found = {}
for row in rows:
    cell = (row["format"].decode(), row["accumulator"].decode())
    found.setdefault((formats[row["id"]], row["role"].decode()), set()).add(cell)
hopper = {("e8m13", "h100-fp8")}
expected = {("fp22", product): hopper for product in ("fprop", "dgrad", "wgrad")}
expected["own", "wgrad"] = {("e8m13", "terms=8,fraction=10,into=e8m13,round=zero,promote=16,outer=fp32")}
assert found == expected, found
assert len(rows) == 4 * 5, len(rows)  # five layers each
END
