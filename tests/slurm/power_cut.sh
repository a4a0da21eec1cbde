#!/bin/bash
# power_cut.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN: one job whose batch node loses its power, then the
# other node, and which is then put back into the queue by hand (as preemption does: SLURM sends
# SIGTERM to all of it). Each time it goes on at once, on other nodes too, although the owner of the
# results was on the dead one; nothing complete is trained again, and the bits are the same.
# shellcheck source=tests/slurm/support.sh
. "$(dirname "$0")/support.sh" "$@"
longer 8

# power_off NODE: as SLURM would notice after a while by itself
power_off() {
    kill -KILL "$(cat "../node.$1.pid")"
    scontrol update nodename="$1" state=down reason="power cut"
}
other_node() {
    scontrol show hostnames "$(property "$1" NodeList)" | grep -vx "$(property "$1" BatchHost)"
}
# trains START: a run was completed after that start, each of which says what is complete
trains() {
    awk -v start="$1" '/ complete; / { starts++ } / done: / && starts == start { done = 1 }
        END { exit !done }' cut.log
}
# goes_on START
goes_on() {
    await 60 "a complete run after start $1" trains "$1"
    [ "$(property "$job" Restarts)" = $(($1 - 1)) ]
}

job=$(submit cut 2 "$mpirun" -- "${longer[@]}")
await 60 "a log" test -s cut.log
goes_on 1
power_off "$(property "$job" BatchHost)"
goes_on 2
power_off "$(other_node "$job")"
goes_on 3
scontrol requeue "$job"
goes_on 4
"$ALTGRAD" run "$source_dir/tests/app/determinism.yaml" -o local.h5 --progress plain \
    "${longer[@]}" >local.log 2>&1
expect_end "$job" cut.log 0 200
grep " complete; " cut.log # a line for each start
if [ "$(grep -c "[1-9][0-9]* complete; " cut.log)" -lt 3 ]; then
    echo "FAILED: what was complete is lost"
    exit 1
fi
if [ "$(grep " done: " cut.log | cut -d ' ' -f 2 | sort | uniq -d)" != "" ]; then
    echo "FAILED: a run was trained twice"
    exit 1
fi
"$python" "$source_dir/tests/app/compare_results.py" local.h5 cut.h5
