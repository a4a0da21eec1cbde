#!/bin/sh
# check_determinism.sh ALTGRAD SOURCE_DIR PYTHON MPIEXEC: one experiment without mpirun and at 1 to
# 4 ranks; all that is stored and may not depend on the machine must be the same, byte for byte.
set -eu
altgrad=$1 here=$2/tests/app python=$3 mpiexec=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$altgrad" run "$here/determinism.yaml" -o np0.h5 --progress plain
for ranks in 1 2 3 4; do
    "$mpiexec" -n "$ranks" "$altgrad" run "$here/determinism.yaml" -o "np$ranks.h5" \
        --progress plain
done
"$python" "$here/compare_results.py" np0.h5 np1.h5 np2.h5 np3.h5 np4.h5
