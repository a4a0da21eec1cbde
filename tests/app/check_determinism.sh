#!/bin/sh
# check_determinism.sh ALTGRAD SOURCE_DIR PYTHON MPIEXEC [briefly]: one experiment without mpirun, at
# 1 to 4 ranks, and in two halves; all that is stored and may not depend on the machine must be the
# same, byte for byte. Briefly: at three ranks alone, which is what another MPI may change.
set -eu
altgrad=$1 here=$2/tests/app python=$3 mpiexec=$4 briefly=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# train OUT [LAUNCHER...]: trains $seeds; nothing may be said but plain progress
train() {
    out=$1
    shift
    "$@" "$altgrad" run "$here/determinism.yaml" -o "$out" --only "$seeds" --progress plain 2> log
    if grep -E 'warning|error' log; then
        exit 1
    fi
}

seeds=seed=0,1
train np0.h5
train np3.h5 "$mpiexec" -n 3
if [ -n "$briefly" ]; then
    "$python" "$here/compare_results.py" np0.h5 np3.h5
    exit
fi
for ranks in 1 2 4; do
    train "np$ranks.h5" "$mpiexec" -n "$ranks"
done

seeds=seed=1
train halves.h5
"$python" -c '
import h5py
with h5py.File("halves.h5") as file:
    assert file.attrs["state"] == "spooled", "half an experiment is packed"
    runs = file["runs"].values()
    assert len(runs) == 14 and all("metrics/loss" in run for run in runs), "runs are missing"
    assert not any("weights" in run for run in runs), "weights are published too early"
'
seeds=seed=0,1
train halves.h5
"$python" "$here/compare_results.py" np0.h5 np1.h5 np2.h5 np3.h5 np4.h5 halves.h5
