#!/bin/sh
# dead_layers.sh ALTGRAD PYTHON: all weights become zero in two steps (lr x weight_decay = 1,
# gradients clipped to nothing): their rank is 0, and `run` tells what the trainers warn of.
set -u
altgrad=$1
python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
few "formats: [E4M3]" "observe: {quant_every: 1, diagnostics: [rank]}" \
    "optimizer: {type: sgd, lr: 1, weight_decay: 1, momentum: 0, grad_clip: 1e-30, schedule: constant, warmup: 0}"
expect 0 "$altgrad" run few.yaml -o out.h5 --progress plain --set train.steps=6
matches "warning: .*: the effective rank of lm_head has collapsed: 0.0, from [1-9]"
says "1/1 runs done"
"$python" - > log 2>&1 <<END || complain "the ranks of the dead layers"
import h5py
with h5py.File("out.h5") as file:
    (run,) = file["runs"].values()
    rank = run["diagnostics/rank/lm_head"]
    dead = [rank[metric][2:].tolist() for metric in ("stable_rank", "effective_rank", "collapsed")]
    n = len(dead[0])
    assert n == 4 and dead == [[0.0] * n, [0.0] * n, [1] * n], dead
    assert rank["stable_rank"][0] > 1 and rank["collapsed"][0] == 0
END
sum_up
