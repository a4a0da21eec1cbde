#!/bin/bash
# steps_for.sh ALTGRAD FILE SECONDS [TRIED]: prints how many steps a run of FILE takes for all its
# runs to need SECONDS of processor time on this machine, whatever else it does now. For tests that
# interrupt: what takes a second on one machine is over in no time on another. Judged by TRIED steps
# (100): steps that take microseconds need more.
set -eu
altgrad=$1 file=$2 seconds=$3 tried=${4:-100}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT='%U %S'
# with as many steps left out, what remains is the start and the end of the runs
cost() {
    { time "$altgrad" run "$file" -o "$work/$1.h5" --set "train.steps=$1" --set eval.windows=1 \
        --progress none > "$work/out" 2>&1; } 2>&1 || {
        cat "$work/out" >&2
        exit 1
    }
}
few=$(cost 1)
many=$(cost $((tried + 1)))
awk -v few="$few" -v many="$many" -v want="$seconds" -v tried="$tried" '
BEGIN {
    split(few, a); split(many, b)
    step = (b[1] + b[2] - a[1] - a[2]) / tried
    print (step > 0 ? int(want / step) + 1 : 1000 * want)
}'
