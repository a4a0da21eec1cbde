#!/bin/bash
# disk_full.sh ALTGRAD PYTHON: disks that are full, read-only or limited: a clear error, nothing that
# was complete is lost, and the same command goes on once there is room. Mounts small file systems in
# a mount namespace of its own; skipped (77) where that is not permitted.
set -u
if [ "${DISK_FULL_INSIDE:-}" != yes ]; then
    unshare -m true 2> /dev/null || { echo "skipped: mounting is not permitted here"; exit 77; }
    DISK_FULL_INSIDE=yes exec unshare -m -- bash "$0" "$@"
fi
altgrad=$1
python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
trap 'cd /; umount "$work/disk" 2> /dev/null; rm -rf "$work"' EXIT
mount --make-rprivate / 2> /dev/null
mkdir disk tmp
export TMPDIR=$work/tmp
mount -t tmpfs -o size=12m none disk 2> /dev/null || { echo "skipped: no tmpfs can be mounted"; exit 77; }
few "seeds: 4"

run() {
    expect "$1" "$altgrad" run few.yaml -o disk/out.h5 --set model.n_embd=64 --progress none \
        "${@:2}"
}
# holds N: so many runs are complete and good, nothing is damaged, h5py opens the results
holds() {
    expect 0 "$altgrad" check disk/out.h5
    says "$1 of 4 runs are complete and good"
    "$python" -c 'import h5py; h5py.File("disk/out.h5", locking=False)' 2> log ||
        complain "h5py cannot open the results"
}
# leave BYTES: fills the disk but for those
leave() {
    rm -f disk/filler
    free=$(df --output=avail -B1 disk | tail -1)
    head -c $((free - $1)) /dev/zero > disk/filler
}

# full, to the last bytes or nearly so; then the same command with room again
for bytes in 0 8192 100000 4000000 5000000; do
    rm -rf disk/*
    run 0 --only seed=0,1
    holds 2
    leave "$bytes"
    run 3
    matches "error: .*\(No space left on device\|no space left\)"
    rm disk/filler
    "$altgrad" check disk/out.h5 > log || complain "something is damaged with $bytes bytes left"
    mount -o remount,size=40m disk
    run 0
    holds 4
    mount -o remount,size=12m disk
done

# read-only: it says so and goes no further; looking is still possible
rm -rf disk/*
mount -o remount,size=40m disk
run 0 --only seed=0,1
mount -o remount,ro disk
run 3
matches "error: .*Read-only file system"
expect 3 "$altgrad" pack disk/out.h5
matches "error: .*Read-only file system"
holds 2
expect 0 "$altgrad" summary disk/out.h5
expect 75 "$altgrad" status disk/out.h5
mount -o remount,rw disk
run 0
holds 4

# a limit on the size of files
rm -rf disk/*
run 0 --only seed=0,1
(
    ulimit -f 100
    run 3
    matches "there is no room for about .* MiB .*File too large"
    exit $failures
)
failures=$?
holds 2
run 0
holds 4

# no room for a trainer in memory: TMPDIR has some; nor there: the rank says so before it begins
mount -t tmpfs -o size=64k none /dev/shm
rm -rf disk/*
run 0 --only seed=0,1
holds 2
mount -t tmpfs -o size=64k none tmp
run 3
matches "no room for a run file of . MiB in /dev/shm nor in $work/tmp"
umount tmp
run 0
holds 4
sum_up
