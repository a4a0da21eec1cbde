#!/bin/sh
# Builds what the named tests need, and no more, and runs them.
#   sh tests/one.sh run_id golden_runs            BUILD=build-debug names another build folder
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || {
    sed -n '2,3s/^# //p' "$0"
    exit 2
}
build=${BUILD:-build-release}
[ -n "${BUILD:-}" ] || [ -d "$build" ] || build=build
targets=$(cmake --build "$build" --target help)

is_target() {
    printf '%s\n' "$targets" | grep -qw -- "$1"
}

needed=
names=
for name in "$@"; do
    names="$names${names:+|}$(printf %s "$name" | sed 's/\./\\./g')"
    if is_target "test_$name"; then
        needed="$needed test_$name"
        continue
    fi
    for program in altgrad altgrad-train golden_runs make_results manual; do # the test runs some of them
        ! is_target "$program" || needed="$needed $program"
    done
done
# shellcheck disable=SC2086 # a list of words
cmake --build "$build" --parallel 2 --target $needed
exec ctest --test-dir "$build" -R "^($names)\$" --output-on-failure --no-tests=error
