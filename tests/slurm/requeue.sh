#!/bin/bash
# requeue.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN warned|limited: jobs that are interrupted in the middle
# stop with 75, go back into the queue, go on, and end with the bits of an undisturbed run. "warned":
# as soon as a run is complete the batch script gets its warning signal by hand. "limited": it comes
# from SLURM, which looks at a job's time every 30 s; 60 s before the end of a minute is the first look.
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
job[one-mpirun]=$(submit one-mpirun 1 "$mpirun" "${options[@]}" "${longer[@]}")
job[two-mpirun]=$(submit two-mpirun 2 "$mpirun" "${options[@]}" "${longer[@]}")
job[two-srun]=$(submit two-srun 2 "srun --mpi=pmix" "${options[@]}" "${longer[@]}")

if [ "$how" = warned ]; then
    warners=()
    for name in "${!job[@]}"; do
        warn "$name" "${job[$name]}" &
        warners+=($!)
    done
    for warner in "${warners[@]}"; do
        wait "$warner"
    done
fi
"$ALTGRAD" run "$source_dir/tests/app/determinism.yaml" -o local.h5 --progress plain \
    "${longer[@]}" >local.log 2>&1
for name in "${!job[@]}"; do
    expect_end "${job[$name]}" "$name.log" 0 600
    expect_line "$name.log" "stopping"
    expect_line "$name.log" "work is left, back into the queue"
    grep " complete; " "$name.log" # a line for each start
done
"$python" "$source_dir/tests/app/compare_results.py" local.h5 ./*-*.h5
