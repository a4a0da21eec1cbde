#!/bin/sh
# check_tidy.sh SOURCE_DIR BUILD_DIR [CHECKS]: clang-tidy finds nothing in the program's sources.
# CHECKS are added to those of .clang-tidy, or with a - taken away.
cd "$1" || exit 1
. tests/style/tool.sh
need clang-tidy 14.0
# One file a process: of several, the analyzer now and then finds a va_list where there is none.
# Files of another architecture are in no build here.
find src -name '*.c' | while read -r file; do
    ! grep -qF "/$file\"" "$2/compile_commands.json" || printf '%s\0' "$file"
done | xargs -0 -n 1 -P 2 clang-tidy -p "$2" --quiet ${3:+"--checks=$3"}
