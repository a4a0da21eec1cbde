#!/bin/sh
# plan_jobs.sh ALTGRAD SOURCE_DIR: every experiment file in jobs/, and every one that README.md shows,
# is planned without an error. One that reads a text gets a small one: texts are no part of the
# project. Parts of experiments in README.md get the keys that they lack.
altgrad=$1
cd "$2" || exit 1
readme=$(mktemp -d) && trap 'rm -rf "$readme"' EXIT
awk -v folder="$readme" '
    /^```/ { inside = ($0 == "```yaml"); count += inside; first = inside; next }
    inside {
        file = folder "/readme" count ".yaml"
        if (first && !/^altgrad:/)
            print "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}" >file
        first = 0
        print >file
    }' README.md
count=0
failed=0
for file in jobs/*.yaml "$readme"/*.yaml; do
    set -- plan "$file"
    if grep -Eq '^ *data:.*text:|^ +text:' "$file"; then
        set -- "$@" --set data.text=tests/jobs/text.txt
    fi
    echo "altgrad $*"
    "$altgrad" "$@" || { echo "FAILED: $file"; failed=1; }
    count=$((count + 1))
done
[ "$count" -gt 1 ] || { echo "no experiment files in jobs/"; exit 1; }
exit $failed
