#!/bin/sh
# compilers.sh [WORK_DIR]: the pinned runs once more from each compiler that this machine has,
# whatever it optimises, and with every engine of this CPU at 1 to 8 threads.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
work=${1:-${TMPDIR:-/tmp}/altgrad-compilers}
mkdir -p "$work"
failed=0

# pinned NAME THREADS: with the build of that name
pinned() {
    sh "$source/tests/golden/golden.sh" "$work/$1/altgrad" "$work/$1/tests/golden/golden_runs" \
        "$2" > "$work/log" 2>&1 || { cat "$work/log"; failed=1; }
    echo "$1, ${ALTGRAD_PRODUCTS:-fastest engine}, $2 threads: $(tr '\n' ' ' < "$work/log")"
}

# build COMPILER FLAG
build() {
    cmake -S "$source" -B "$work/$1$2" -DCMAKE_C_COMPILER="$1" -DCMAKE_BUILD_TYPE=None \
        -DCMAKE_C_FLAGS="$2" -DALTGRAD_TESTS=ON || return 1
    cmake --build "$work/$1$2" -j "$(nproc)" --target altgrad golden_runs
}

# try COMPILER FLAG
try() {
    command -v "$1" > /dev/null || { echo "$1: skipped, not here"; return 0; }
    if build "$@" > "$work/log" 2>&1; then
        pinned "$1$2" 1
    else
        tail -40 "$work/log"
        failed=1
    fi
}

for level in -O0 -O1 -O2 -O3; do
    try gcc $level
    try clang $level
done
for threads in 2 3 4 5 6 7 8; do
    pinned gcc-O3 $threads
done
for engine in portable avx2 avx512 vnni pairs; do
    ALTGRAD_PRODUCTS=$engine
    export ALTGRAD_PRODUCTS
    if "$work/gcc-O3/altgrad" --version > "$work/log" 2>&1; then
        pinned gcc-O3 1
    else
        echo "$engine: skipped: $(tail -1 "$work/log")"
    fi
done
exit $failed
