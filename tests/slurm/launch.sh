#!/bin/bash
# launch.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN: one experiment without SLURM, and as jobs on one node
# and on two, by mpirun and by srun, with one core a task and with two: the same results byte for
# byte.
# shellcheck source=tests/slurm/support.sh
. "$(dirname "$0")/support.sh" "$@"

job1m=$(submit one-mpirun 1 "$mpirun" --)
job1s=$(submit one-srun 1 "srun --mpi=pmix" --)
job2m=$(submit two-mpirun 2 "$mpirun" --)
job2s=$(submit two-srun 2 "srun --mpi=pmix" --)
job2t=$(submit threads-mpirun 2 "$mpirun" --cpus-per-task=2 --)
job2u=$(submit threads-srun 2 "srun --mpi=pmix" --cpus-per-task=2 --)
"$ALTGRAD" run "$source_dir/tests/app/determinism.yaml" -o local.h5 --progress plain >local.log 2>&1
expect_end "$job1m" one-mpirun.log 0
expect_end "$job1s" one-srun.log 0
expect_end "$job2m" two-mpirun.log 0
expect_end "$job2s" two-srun.log 0
expect_end "$job2t" threads-mpirun.log 0
expect_end "$job2u" threads-srun.log 0

for name in one-mpirun one-srun two-mpirun two-srun; do
    expect_line $name.log "4 at a time"
    case $name in one-*) nodes=1 ;; two-*) nodes=2 ;; esac
    [ "$(hosts $name.h5 | tr ',' '\n' | sort -u | wc -l)" = "$nodes" ] || {
        echo "FAILED: $name ran on $(hosts $name.h5)"
        exit 1
    }
done
if [ "$(nproc)" -gt 1 ]; then
    expect_line threads-mpirun.log "4 at a time, 2 threads each"
    expect_line threads-srun.log "4 at a time, 2 threads each"
fi
"$python" "$source_dir/tests/app/compare_results.py" local.h5 ./*-*.h5
