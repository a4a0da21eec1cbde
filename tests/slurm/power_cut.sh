#!/bin/bash
# power_cut.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN: a node of a running job loses its power: its own
# batch node, then another. SLURM puts the job back, other nodes go on at once, although the owner of
# the results was on the dead one, and nothing complete is trained again.
# shellcheck source=tests/slurm/support.sh
. "$(dirname "$0")/support.sh" "$@"
longer 8

# cut NODE: as SLURM would notice after a while by itself
power_off() {
    kill -KILL "$(cat "../node.$1.pid")"
    scontrol update nodename="$1" state=down reason="power cut"
}
runs() {
    [ "$(property "$1" JobState)" = RUNNING ]
}
restarted() {
    [ "$(property "$1" Restarts)" = "$2" ] && runs "$1"
}

first=$(submit batch-node 2 "$mpirun" -- "${longer[@]}")
await 60 "a complete run" grep -qs " done: " batch-node.log
power_off "$(property "$first" BatchHost)"
await 60 "the restart" restarted "$first" 1
"$ALTGRAD" run "$source_dir/tests/app/determinism.yaml" -o local.h5 --progress plain \
    "${longer[@]}" >local.log 2>&1
expect_end "$first" batch-node.log 0 200
grep " complete; " batch-node.log # a line for each start
if [ "$(grep -c " complete; " batch-node.log)" != 2 ] || ! grep -q "[1-9][0-9]* complete; " batch-node.log; then
    echo "FAILED: what was complete is lost"
    exit 1
fi
if [ "$(grep " done: " batch-node.log | cut -d ' ' -f 2 | sort | uniq -d)" != "" ]; then
    echo "FAILED: a run was trained twice"
    exit 1
fi
"$python" "$source_dir/tests/app/compare_results.py" local.h5 batch-node.h5
