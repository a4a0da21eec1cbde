#!/bin/sh
# check_shell.sh SOURCE_DIR: shellcheck finds nothing in the scripts.
cd "$1" || exit 1
command -v shellcheck >/dev/null || { echo "shellcheck is not installed"; exit 77; }
find jobs tests .ci \( -name '*.sh' -o -name '*.sbatch' -o -path '.ci/run' \) -exec shellcheck -x {} +
