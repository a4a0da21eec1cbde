#!/bin/sh
# scales.sh ALTGRAD PYTHON: how the results say where scales come from; and claims, which two
# commands tell alike.
set -eu
altgrad=$1
python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > scales.yaml <<END
altgrad: 1
name: scales
model: {n_layer: 1, n_head: 2, n_embd: 16, block_size: 16}
data: {synthetic: markov, vocab: 8, order: 1, tokens: 2000, seed: 1}
train: {steps: 1, batch_size: 2}
optimizer: {warmup: 0}
eval: {windows: 2}
formats:
  - {name: delayed, all: E4M3, scaling: {amax: delayed, history: 4}}
  - {name: blocks, all: mxfp8}
  - {name: four-six, all: nvfp4, scaling: {select: 4/6, error: mse}}
  - name: rotated
    weight.dgrad: {format: e2m1/nv, scaling: {select: eden}}
    grad_output.dgrad: {format: e2m1/nv, scaling: {select: eden}}
    hadamard: {size: 16, products: [dgrad], signs: step}
layer_configs:
  uniform: {format: \$format}
claims:
  - {name: finer, better: delayed, than: blocks}
output: {file: scales.h5}
END
"$altgrad" run scales.yaml --progress none > summary
"$altgrad" summary scales.h5 --json > summary.json
"$altgrad" status scales.h5 --json > status.json
"$python" - <<END
import h5py, json
with h5py.File("scales.h5") as file:
    formats = {row["id"]: row["format"].decode() for row in file["index"][:]}
    scales = {(formats[row["id"]], row["scale"].decode()) for row in file["routing"][:]}
assert scales == {("delayed", "delayed 4"), ("blocks", "e8m0 rceil"), ("rotated", ""),
                  ("four-six", "current 4/6 mse"), ("rotated", "current eden")}, scales
summary, status = (json.load(open(name)) for name in ("summary.json", "status.json"))
assert [claim["name"] for claim in summary["claims"]] == ["finer"], summary
assert status["claims"] == summary["claims"], status
assert status["runs"]["done"] == 4, status
END
