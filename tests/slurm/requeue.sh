#!/bin/bash
# requeue.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN warned|limited|cancelled: jobs that are interrupted in the
# middle stop with 75, go back into the queue, go on, and end with the bits of an undisturbed run.
# "warned": as soon as a run is complete the batch script gets its warning signal by hand. "limited": it
# comes from SLURM, which looks at a job's time every 30 s; 60 s before the end of a minute is the first
# look. "cancelled": by scancel, which ends a job for good; it is submitted once more.
# shellcheck source=tests/slurm/support.sh
. "$(dirname "$0")/support.sh" "${@:1:4}"
how=$5
options=(--)
# long enough for the signal to come in the middle: all three jobs share these cores
steps=$(bash "$source_dir/tests/app/steps_for.sh" "$ALTGRAD" \
    "$source_dir/tests/app/determinism.yaml" 8)
if [ "$how" = limited ]; then
    options=(--time=1 --signal=B:USR1@60 --)
    steps=$((20 * steps))
fi
longer=(--set "train.steps=$steps" --set "eval.every=$steps")

declare -A job
submit_all() {
    job[one-mpirun]=$(submit one-mpirun 1 "$mpirun" "${options[@]}" "${longer[@]}")
    job[two-mpirun]=$(submit two-mpirun 2 "$mpirun" "${options[@]}" "${longer[@]}")
    job[two-srun]=$(submit two-srun 2 "srun --mpi=pmix" "${options[@]}" "${longer[@]}")
}
is_cancelled() {
    [ "$(property "$1" JobState)" = CANCELLED ]
}

submit_all
if [ "$how" = warned ]; then
    warners=()
    for name in "${!job[@]}"; do
        warn "$name" "${job[$name]}" &
        warners+=($!)
    done
    for warner in "${warners[@]}"; do
        wait "$warner"
    done
elif [ "$how" = cancelled ]; then
    for name in "${!job[@]}"; do
        await_run "$name"
        scancel "${job[$name]}"
        await 60 "the end of $name" is_cancelled "${job[$name]}"
    done
    submit_all
fi
"$ALTGRAD" run "$source_dir/tests/app/determinism.yaml" -o local.h5 --progress plain \
    "${longer[@]}" >local.log 2>&1
for name in "${!job[@]}"; do
    expect_end "${job[$name]}" "$name.log" 0 600
    if [ "$how" != cancelled ]; then # mpirun may end before it passes on what the ranks say
        expect_line "$name.log" "stopping"
        expect_line "$name.log" "work is left, back into the queue"
    fi
    grep " complete; " "$name.log" # a line for each start
done
"$python" "$source_dir/tests/app/compare_results.py" local.h5 ./*-*.h5
