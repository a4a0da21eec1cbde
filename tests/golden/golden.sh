#!/bin/sh
# golden.sh ALTGRAD GOLDEN_RUNS [THREADS [-w]]: the pinned runs of this folder, ids and bits. -w pins
# anew what this build computes; the reason belongs into the commit, and into the numerics version.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
altgrad=$1
golden_runs=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for part in formats options accumulators models blocks phases ranks tables; do
    "$altgrad" plan "$here/$part.yaml" --json > "$work/runs.json" 2> "$work/log" || {
        cat "$work/log"
        exit 2
    }
    printf '%s: ' "$part"
    "$golden_runs" "$work/runs.json" "$here/$part.txt" "${3:-1}" ${4:+"$4"} || failed=1
done
exit $failed
