#!/bin/sh
# fuzz_long.sh SOURCE_DIR COUNT [BUILD_DIR] [SEED]: builds with the address and undefined-behaviour
# sanitizers and tries COUNT mutated experiment files, assignments, grids, notes and command lines
# each. By hand: sh tests/fuzz/fuzz_long.sh . 10000
set -eu
source=$(cd "$1" && pwd)
count=$2
build=${3:-$(mktemp -d)}
seed=${4:-0}
[ $# -ge 3 ] || trap 'rm -rf "$build"' EXIT
# Open MPI leaks by itself; what altgrad leaks the in-process targets tell
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export LSAN_OPTIONS=suppressions="$source/tests/fuzz/leaks.txt":print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm=isolated
export OMPI_MCA_btl_vader_single_copy_mechanism=none

cmake -S "$source" -B "$build" -DALTGRAD_TESTS=ON -DALTGRAD_SANITIZE=address,undefined > "$build.log"
cmake --build "$build" --parallel "$(nproc)" --target altgrad altgrad-train fuzz >> "$build.log"
rm -f "$build.log"
failed=0
"$build/tests/fuzz/fuzz" experiments "$count" --seed "$seed" "$source"/jobs/*.yaml \
    "$source"/tests/app/*.yaml "$source"/tests/config/*.yaml "$source"/tests/config/*/*.yaml ||
    failed=1
for target in assignments grids notes; do
    "$build/tests/fuzz/fuzz" $target "$count" --seed "$seed" || failed=1
done
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
/usr/bin/python3 "$source/tests/fuzz/fuzz_command_lines.py" "$build/altgrad" "$count" \
    --seed "$seed" || failed=1
exit $failed
