#!/bin/bash
# array.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN: an array of three shards, one of them interrupted and
# requeued by itself, whose parts a dependent job joins to the file of an undisturbed local run.
# shellcheck source=tests/slurm/support.sh
. "$(dirname "$0")/support.sh" "$@"
yaml=$source_dir/tests/app/determinism.yaml
longer 6

ALTGRAD_LAUNCHER=$mpirun sbatch --parsable --array=1-3 --ntasks=2 --output=part-%a.log \
    "$source_dir/jobs/array.sbatch" "$yaml" --set output.file=grid.h5 --progress plain \
    "${longer[@]}" >array
array=$(cat array)
merge=$(sbatch --parsable --dependency="afterok:$array" --output=merge.log --wrap \
    "$ALTGRAD merge merged.h5 grid-shard*of3.h5")
warn part-2 "${array}_2"
"$ALTGRAD" run "$yaml" -o local.h5 --progress plain "${longer[@]}" >local.log 2>&1
expect_end "$merge" merge.log 0 200
expect_line part-2.log "work is left, back into the queue"
for task in 1 3; do
    if grep -F "back into the queue" part-$task.log; then
        echo "FAILED: task $task was disturbed"
        exit 1
    fi
done
"$python" "$source_dir/tests/app/compare_results.py" local.h5 merged.h5
