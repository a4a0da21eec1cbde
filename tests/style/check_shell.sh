#!/bin/sh
# check_shell.sh SOURCE_DIR: shellcheck finds nothing in the scripts.
cd "$1" || exit 1
. tests/style/tool.sh
need shellcheck 0.9
find jobs tests .ci \( -name '*.sh' -o -name '*.sbatch' -o -path '.ci/run' \) -exec shellcheck -x {} +
