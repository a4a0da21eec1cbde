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

names=
for name in "$@"; do
    names="$names${names:+|}$(printf %s "$name" | sed 's/\./\\./g; s/\*/.*/g')"
done

# Whatever of the build folder a test's command line names; a unit test is one program, others may
# start those that users run.
needed=$(ctest --test-dir "$build" -R "^($names)\$" --show-only=json-v1 | python3 -c '
import json, sys
from pathlib import Path
build, targets = Path(sys.argv[1]).resolve(), set()
for test in json.load(sys.stdin)["tests"]:
    files = [Path(word) for word in test.get("command", []) if word.startswith(f"{build}/")]
    for file in files:
        name = file.name.removeprefix("lib").removesuffix(".so")
        targets.add("altgrad_mpich" if file.parent.name == "mpich" else name)
    if not files or not files[0].name.startswith("test_"):
        targets |= {"altgrad", "altgrad-train"}
print(*sorted(targets))
' "$build")
known=$(cmake --build "$build" --target help)
targets=
for target in $needed; do
    ! printf '%s\n' "$known" | grep -qw -- "$target" || targets="$targets $target"
done
# shellcheck disable=SC2086 # a list of words
[ -z "$targets" ] || cmake --build "$build" --parallel 2 --target $targets
exec ctest --test-dir "$build" -R "^($names)\$" --output-on-failure --no-tests=error
