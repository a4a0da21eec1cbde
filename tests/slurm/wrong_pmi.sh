#!/bin/bash
# wrong_pmi.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN: srun whose tasks know nothing of each other is
# refused, with the cure (PMI-2 by Open MPI itself, with its exit code); no other way to start altgrad
# in a job is.
# shellcheck source=tests/slurm/support.sh
. "$(dirname "$0")/support.sh" "$@"
run="$ALTGRAD run $source_dir/tests/app/determinism.yaml --only seed=0 --only format=BF16"

# try NAME EXIT_CODE TASKS COMMAND
try() {
    local job
    job=$(sbatch --parsable --ntasks="$3" --output="$1.log" --wrap "$4 -o $1.h5")
    expect_end "$job" "$1.log" "$2"
}

try none 3 4 "srun --mpi=none -n 2 $run"
expect_line none.log "srun started 2 tasks, but MPI knows of one only: use 'srun --mpi=pmix'"
try pmi2 1 4 "srun --mpi=pmi2 -n 2 $run"
expect_line pmi2.log "Where MPI does not start: 'srun --mpi=pmix'"
for name in none pmi2; do
    [ ! -e $name.h5 ]
done

try plain 0 4 "$run"
try single 0 4 "srun --mpi=none -n 1 $run"
try mpirun 0 4 "$mpirun $run"
try mpirun1 0 4 "$mpirun -n 1 $run"
try nested 0 4 "srun --mpi=none -n 1 --cpus-per-task=2 $mpirun --oversubscribe -n 2 $run"
try pmix 0 4 "srun --mpi=pmix $run"
for name in plain single mpirun mpirun1 nested pmix; do
    [ -s $name.h5 ]
done
