#!/bin/sh
# check_headers.sh SOURCE_DIR COMPILER: every public header compiles alone, as the only one that a
# source includes: of the source itself clang would say that inline functions are not used.
cd "$1" || exit 1
find include -name '*.h' | {
    failed=0
    while read -r header; do
        echo "#include \"${header#include/}\"" |
            "$2" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c - ||
            { echo "in $header"; failed=1; }
    done
    exit $failed
}
