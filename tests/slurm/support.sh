# shellcheck shell=bash
# What the tests in a cluster.sh share, sourced as: . support.sh ALTGRAD SOURCE_DIR PYTHON MPIRUN
set -euo pipefail
export ALTGRAD=$1
source_dir=$2 python=$3 mpirun=$4
[[ $("$mpirun" --version) =~ Open\ ?(MPI|RTE) ]] || {
    echo "these jobs are written for Open MPI, but $mpirun is another"
    exit 77
}

# property JOB NAME
property() {
    scontrol show job -o "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# await SECONDS WHAT COMMAND...: polls until the command succeeds
await() {
    local limit=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if [ "$SECONDS" -ge "$limit" ]; then
            echo "FAILED: waited for $what"
            scontrol show job
            tail -n 30 ./*.log
            exit 1
        fi
        sleep 0.1
    done
}

has_ended() {
    [[ $(property "$1" JobState) =~ ^(COMPLETED|FAILED|TIMEOUT|CANCELLED|NODE_FAIL)$ ]]
}

# expect_end JOB LOG EXIT_CODE [SECONDS]
expect_end() {
    await "${4:-100}" "the end of job $1 ($2)" has_ended "$1"
    local code
    code=$(property "$1" ExitCode)
    if [ "$code" != "$3:0" ]; then
        echo "FAILED: job $1 ended with $code, not $3:0; $2:"
        cat "$2"
        exit 1
    fi
}

# expect_line FILE TEXT
expect_line() {
    grep -qF -- "$2" "$1" || {
        echo "FAILED: $1 lacks '$2':"
        cat "$1"
        exit 1
    }
}

# await_run NAME: until a run is complete in its job
await_run() {
    await 60 "a complete run in $1.log" grep -qs " done: " "$1.log"
}

# warn NAME JOB: its batch script is told that its time ends, as soon as a run is complete
warn() {
    await_run "$1"
    scancel --batch --signal=USR1 "$2"
}

# longer SECONDS: sets the array of that name to options that give an experiment so much work for
# one core that what is to come in the middle does
longer() {
    local steps
    steps=$(bash "$source_dir/tests/app/steps_for.sh" "$ALTGRAD" \
        "$source_dir/tests/app/determinism.yaml" "$1")
    # shellcheck disable=SC2034 # for the test
    longer=(--set "train.steps=$steps" --set "eval.every=$steps" --set run.checkpoint_every=1s)
}

# submit NAME NODES LAUNCHER [SBATCH_OPTION...] -- RUN_OPTION...: jobs/altgrad.sbatch on four tasks,
# with NAME.log and NAME.h5; prints the job's id
submit() {
    local name=$1 nodes=$2 launcher=$3 options=()
    shift 3
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    ALTGRAD_LAUNCHER=$launcher sbatch --parsable --nodes="$nodes" --ntasks=4 \
        --ntasks-per-node=$((4 / nodes)) --output="$name.log" "${options[@]}" \
        "$source_dir/jobs/altgrad.sbatch" "$source_dir/tests/app/determinism.yaml" \
        -o "$name.h5" --progress plain "$@"
}

# hosts FILE.h5
hosts() {
    "$python" -c 'import h5py, sys; print(h5py.File(sys.argv[1])["experiment"].attrs["hosts"])' "$1"
}
