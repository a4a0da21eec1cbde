#!/bin/sh
# debian.sh [RELEASE [WORK_DIR [ctest option...]]]: altgrad on another release of Debian, as a
# newcomer meets it: a bare root of that release (trixie unless said), a clean clone of the last
# commit, and there the README's `sh tests/run.sh` as root; then a summary. The root is kept in
# WORK_DIR and taken again, what was installed included; rm -rf it for one that is bare again.
# Needs debootstrap, git, unshare, root as debootstrap does, and a mirror of Debian.
#
# What the root needs mounted is mounted in a namespace of its own, which ends with its last
# process; nothing of this machine is bound into it. So nothing is left to unmount, and to remove
# WORK_DIR is safe, whatever happened.
set -eu
for command in debootstrap git unshare; do
    command -v $command > /dev/null || { echo "skipped: no $command"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skipped: debootstrap needs root"; exit 77; }
unshare --mount --pid --fork true || { echo "skipped: no namespaces of one's own"; exit 77; }
source=$(cd "$(dirname "$0")/../.." && pwd)
release=${1:-trixie}
work=${2:-${TMPDIR:-/tmp}/altgrad-$release}
shift $(($# < 2 ? $# : 2))
root=$work/root
mkdir -p "$work"

if [ ! -e "$work/root.ready" ]; then
    rm -rf "$root"
    # a newcomer has git: that is how the clone came
    debootstrap --variant=minbase --include=ca-certificates,git "$release" "$root" \
        > "$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; exit 1; }
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(hostname)" > "$root/etc/hosts"
    touch "$work/root.ready"
fi
rm -rf "$root/root/altgrad"
git clone -q --no-hardlinks "$source" "$root/root/altgrad"

echo "$release: commit $(git -C "$source" rev-parse --short=10 HEAD)"
started=$(date +%s)
failed=0
unshare --mount --pid --fork --kill-child sh -s "$root" "$@" > "$work/log" 2>&1 << 'END' || failed=1
set -eu
root=$1
shift
mount --bind "$root" "$root" # some tests make namespaces, of which / has to be a mount point
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" sh /root/altgrad/tests/run.sh "$@" < /dev/null
END
seconds=$(($(date +%s) - started))

# shellcheck disable=SC2016 # names of dpkg-query's
chroot "$root" dpkg-query -W -f '  ${Package} ${Version}\n' gcc cmake libhdf5-dev libopenmpi-dev \
    mpich libopenblas-dev slurmd python3 python3-numpy python3-h5py clang-format clang-tidy 2>&1
grep -E '\*\*\*|tests passed|Not Run|Skipped' "$work/log" || tail -40 "$work/log"
echo "$release: $([ $failed -eq 0 ] && echo passed || echo failed) after $seconds s; all of it: $work/log"
exit $failed
