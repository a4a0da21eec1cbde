#!/bin/bash
# silent_rank.sh ALTGRAD PYTHON MPIRUN: a rank that is there and does nothing any more, as on a host
# that hangs. The others do its runs; a drain does not wait for it.
set -u
altgrad=$1 python=$2 mpirun=$3
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
few "seeds: 24" "run: {silence_limit: 6s}"
steps=$(bash "$here/steps_for.sh" "$altgrad" few.yaml 6)
sed -i "s/steps: 3/steps: $steps/" few.yaml

# rank_of NAME NUMBER: its process, among all that write NAME.h5
rank_of() {
    local pid
    for pid in $(pgrep -fx "$altgrad run few.yaml -o $1.h5 .*"); do
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" |
            grep -qE "^(OMPI_COMM_WORLD_RANK|PMI_RANK)=$2\$" && echo "$pid"
    done
}

# begin NAME: NAME.h5, of which rank 1 hangs once a run is complete
begin() {
    rm -f log
    "$mpirun" -n 2 "$altgrad" run few.yaml -o "$1.h5" --progress plain >log 2>&1 &
    launcher=$!
    await grep -qs " done: " log
    kill -STOP "$(rank_of "$1" 1)" || complain "rank 1 cannot be stopped"
}

begin through
ends 0 "$launcher"
matches "warning: rank 1 on .* has been silent for 6 s: it gets no more runs"
says "24/24 runs done"
grep -q '"event": "lost", "rank": 1, "reason": "silent for 6 s"' \
    through.h5.d/events.jsonl || complain "no event tells of it"

begin drained
kill -USR1 "$launcher"
ends 75 "$launcher"
matches "rank 1 on .* has been silent"
expect 0 "$mpirun" -n 2 "$altgrad" run few.yaml -o drained.h5 --progress plain

expect 0 "$altgrad" run few.yaml -o alone.h5 --progress plain
expect 0 "$python" "$here/compare_results.py" alone.h5 through.h5 drained.h5
sum_up
