#!/bin/sh
# states.sh ALTGRAD PYTHON: states that runs keep (output.states) lie in the results, and go wherever
# their runs go.
set -u
altgrad=$1 python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
yaml=$here/states.yaml
# states FILE RUNS: what each run of it has
states() {
    "$python" - "$1" > log 2>&1 << 'END'
import sys, h5py
runs = h5py.File(sys.argv[1])["runs"]
for run in runs.values():
    for step in run["states"]:
        state = run["states"][step]
        assert list(state["standing"]) == [int(step)] * 2
        for name in ("weights", "m", "v"):
            assert set(state[name]) == set(run["weights"]) - {"lm_head.weight"}
        assert len(state["scales"]) == len(state["pushed"])
        assert set(state["pushed"]) <= {0, int(step)}
        print("state", step)
END
    [ "$(grep -c '^state 8$' log) $(grep -c '^state 10$' log)" = "$2 $2" ] || complain "$1: states"
}

expect 0 "$altgrad" run "$yaml" -o out.h5 --progress none
states out.h5 2
expect 0 "$altgrad" check out.h5
expect 0 "$altgrad" reproduce out.h5
expect 0 "$altgrad" merge merged.h5 out.h5
states merged.h5 2
# while runs come in, they are in the run files; packed again they are back
expect 0 "$altgrad" run "$yaml" -o out.h5 --progress none --set seeds=2
states out.h5 4
expect 0 "$altgrad" check out.h5

# a run that was kept has no more than it was asked for
expect 0 "$altgrad" plan "$yaml" -o out.h5 --set output.states=[8]
expect 0 "$altgrad" plan "$yaml" -o out.h5 --set output.states=[8,9]
says "output.states"
expect 2 "$altgrad" plan "$yaml" --set output.states=[21]
says "output.states: 21 is no number of steps after which a run of 20 (train.steps) has a state"

# a byte of a moment that is not what was written
"$python" - merged.h5 << 'END'
import sys, h5py
with h5py.File(sys.argv[1], "r+") as file:
    run = next(iter(file["runs"].values()))
    moments = run["states/8/m/transformer.wte.weight"]
    moments[0, 0] += 1
END
expect 1 "$altgrad" check merged.h5
sum_up
