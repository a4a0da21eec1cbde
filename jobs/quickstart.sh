#!/bin/sh
# From a fresh clone to results: installs what is missing, builds, trains the small grid of
# jobs/quickstart.yaml on two ranks, prints the comparison and draws the losses.
set -eu
cd "$(dirname "$0")/.."
. jobs/common.sh

need run
say "building ..."
build -DALTGRAD_TESTS=OFF
mpi_environment
# Open MPI 4 and 5 start two ranks on one core only where they are told to; MPICH always does.
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
mpirun -n 2 "$build_dir/altgrad" run jobs/quickstart.yaml "$@"
PATH="/usr/bin:$PATH" python3 analysis/plot.py results/quickstart.h5 -o results/quickstart.png
say "results: results/quickstart.h5    plot: results/quickstart.png"
