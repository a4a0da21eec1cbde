#!/bin/sh
# check_headers.sh SOURCE_DIR COMPILER: every public header compiles alone.
cd "$1" || exit 1
find include -name '*.h' | {
    failed=0
    while read -r header; do
        "$2" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c "$header" ||
            failed=1
    done
    exit $failed
}
