#!/bin/bash
# check_drain.sh ALTGRAD SOURCE_DIR PYTHON MPIEXEC [briefly]: an experiment that is stopped again and
# again, by every means and at several rank counts, ends with the same bytes as an undisturbed one.
# Briefly: at two ranks alone, which is what another MPI may change.
set -eu
altgrad=$1 here=$2/tests/app python=$3 mpiexec=$4 briefly=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# all four runs together; checkpoints come 20 times a second
steps=$(bash "$here/steps_for.sh" "$altgrad" "$here/drain.yaml" 3)

complain() {
    echo "FAILED: $*"
    cat log
    exit 1
}

# train OUT OPTION...: in the background, as $pid; $launcher may stand before it
train() {
    out=$1
    shift
    # shellcheck disable=SC2086 # several words, or none
    setsid $launcher "$altgrad" run "$here/drain.yaml" -o "$out" --progress plain \
        --set "train.steps=$steps" --set "eval.every=$((steps / 5 + 1))" "$@" > log 2>&1 &
    pid=$!
}
checkpoints() {
    find "$out.d/checkpoints" -type f ! -name '*.part' -printf '%f %T@\n' 2> /dev/null | sort
}
# ended CODE...: waits for it; it must be one of these
ended() {
    code=0
    wait "$pid" || code=$?
    case " $* " in *" $code "*) ;; *) complain "exit code $code, expected $* ($out)" ;; esac
}
# interrupt OUT SIGNAL CODE...: as soon as a trainer has written a checkpoint
interrupt() {
    interrupted=$1 signal=$2
    shift 2
    out=$interrupted
    before=$(checkpoints)
    train "$interrupted"
    while kill -0 "$pid" 2> /dev/null && [ "$(checkpoints)" = "$before" ]; do
        sleep 0.01
    done
    kill "-$signal" "$pid" || complain "ended before $signal"
    ended "$@"
    [ "$code" != 0 ] || ! "$altgrad" status "$out" > log 2>&1 || complain "nothing was interrupted"
    [ -z "$(checkpoints)" ] || left=$((left + 1)) # what ends just then leaves none
    "$python" "$here/kept_runs.py" "$out" > complete.new
    [ ! -e "complete.$out" ] || [ -z "$(comm -23 "complete.$out" complete.new)" ] ||
        complain "a complete run was lost"
    mv complete.new "complete.$out"
}
# complete OUT: nothing is left over
complete() {
    train "$1"
    ended 0
    [ ! -e "$1.d/checkpoints" ] || complain "checkpoints stay: $(ls "$1.d/checkpoints")"
}

stopped=75
# mpirun's own end after SIGTERM: a second to write what one can
terminated="1 143"
# MPICH waits for the ranks; after a signal it may lose the exit code where there is one rank
case $("$mpiexec" --version 2>&1) in *HYDRA*) stopped="75 0" terminated="75 0" ;; esac

# stop_and_go RANKS
stop_and_go() {
    launcher="$mpiexec -n $1"
    # shellcheck disable=SC2086 # several codes
    for _ in 1 2; do
        interrupt "np$1.h5" USR1 $stopped
    done
    # shellcheck disable=SC2086
    interrupt "np$1.h5" TERM $terminated
    complete "np$1.h5"
}

left=0 launcher=
complete undisturbed.h5
stop_and_go 2
if [ -n "$briefly" ]; then
    [ "$left" -ge 2 ] || complain "only $left interruptions left a checkpoint"
    "$python" "$here/compare_results.py" undisturbed.h5 np2.h5
    exit
fi
stop_and_go 1
stop_and_go 3
launcher=
interrupt np0.h5 TERM 75
interrupt np0.h5 INT 75
interrupt np0.h5 USR1 75
interrupt np0.h5 KILL 137
# any rank count goes on with what another one left
launcher="$mpiexec -n 2"
# shellcheck disable=SC2086
interrupt np0.h5 USR1 $stopped
launcher=
complete np0.h5

# as long as it may: the rounds are too short for all runs, and for many of them too short for one
code=75 rounds=0
while [ "$code" = 75 ] && [ $((rounds += 1)) -le 20 ]; do
    train slices.h5 --max-time 0.7s
    ended 0 75
    [ -z "$(checkpoints)" ] || left=$((left + 1))
done
[ "$rounds" -gt 1 ] || complain "--max-time had nothing to do"
complete slices.h5

[ "$left" -ge 8 ] || complain "only $left interruptions left a checkpoint"
"$python" "$here/compare_results.py" undisturbed.h5 np0.h5 np1.h5 np2.h5 np3.h5 slices.h5
