#!/bin/sh
# owners.sh ALTGRAD ODD_DISK: one writes the results and nobody else touches them: copies that
# start at the same moment, owners in other PID namespaces (where those may be made), and copies
# that a launcher started and MPI does not know.
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
altgrad=$1
odd_disk=$2

long() {
    "$@" "$altgrad" run few.yaml --only seed=0 --set train.steps=10000000 --progress plain
}
trains() {
    grep -qs '"running":\[{' x.h5.d/live.json || grep -qs '"run"' x.h5.d/live.json
}
few 'output: {file: x.h5}'

# two at once: the second passes every look at what is there, and makes its folder when the first
# has long begun
ODD_MKDIR_UNTIL=$PWD/go LD_PRELOAD=$odd_disk "$altgrad" run few.yaml --progress plain \
    > second.log 2>&1 &
second=$!
await test -e go.waits
long env > first.log 2>&1 &
first=$!
await test -s x.h5.d/grid.json
await trains
touch go
ends 3 $second
cp second.log log
says 'x.h5 is being written by another altgrad'
says 'copies that do not know each other'
for name in owner grid.json facts.json plan; do
    [ -e "x.h5.d/$name" ] || complain "the refused copy took the owner's $name"
done
expect 0 "$altgrad" stop x.h5 --wait
ends 75 $first
expect 0 "$altgrad" check x.h5
rm -rf x.h5*

# in containers of one host, which share its name and not its pids
if unshare --pid --fork --mount-proc true 2> /dev/null; then
    long unshare --pid --fork --mount-proc > first.log 2>&1 &
    first=$!
    await trains
    expect 3 unshare --pid --fork --mount-proc "$altgrad" run few.yaml
    says 'x.h5 is being written by another altgrad'
    says 'of another PID namespace'
    expect 75 "$altgrad" status x.h5
    says 'of another PID namespace'
    says '(1 of them running)'
    expect 75 "$altgrad" status x.h5 --json
    says '"life": "alive"'
    expect 0 "$altgrad" check x.h5
    says 'x.h5 is being written'
    expect 0 "$altgrad" stop x.h5 --wait
    says 'left a request for pid 1 of another PID namespace'
    says 'has ended'
    ends 75 $first
    rm -rf x.h5*
fi

# the path of a log or checkpoint may hold a newline, be it that only a link leads there
folder=$(printf 'two\nlines')
mkdir "$folder"
ln -s "$folder/x.h5" link.h5
expect 0 "$altgrad" run few.yaml --only seed=0 -o link.h5 --progress none
expect 0 "$altgrad" check link.h5
[ -s "$folder/x.h5" ] || complain 'the results are not where the link leads'

# launchers whose ranks do not know each other, by what they say to a process
refused() {
    expect 3 env "$1" "$altgrad" run few.yaml
    says "this program's MPI sees one rank"
    says "Use the mpirun of the MPI library that altgrad was built with"
    [ ! -e x.h5.d ] || complain "$1: something was written"
}
for sign in MV2_COMM_WORLD_SIZE=2 MPI_LOCALNRANKS=4 PALS_SIZE=2 FLUX_JOB_SIZE=3 \
    JSM_NAMESPACE_SIZE=2; do
    refused "$sign"
done
expect 3 env SLURM_STEP_NUM_TASKS=2 "$altgrad" run few.yaml
says "use 'srun --mpi=pmix'"
expect 0 env FLUX_JOB_SIZE=1 "$altgrad" run few.yaml --only seed=0 --progress none
sum_up
