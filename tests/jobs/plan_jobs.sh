#!/bin/sh
# plan_jobs.sh ALTGRAD SOURCE_DIR: every experiment file in jobs/ and jobs/papers/ is planned without
# an error. One that reads a text gets a small one: texts are no part of the project. Prints what is
# said of those that are wrong. Those of README.md: tests/app/readme_blocks.py.
altgrad=$1
cd "$2" || exit 1
count=0
failed=0
for file in jobs/*.yaml jobs/papers/*.yaml; do
    set -- plan "$file"
    if grep -Eq '^ *data:.*text:|^ +text:' "$file"; then
        set -- "$@" --set data.text=tests/jobs/text.txt
    fi
    said=$("$altgrad" "$@" 2>&1 > /dev/null) || {
        printf 'FAILED: altgrad %s\n%s\n' "$*" "$said"
        failed=1
    }
    count=$((count + 1))
done
[ "$count" -gt 1 ] || { echo "no experiment files in jobs/"; exit 1; }
exit $failed
