#!/bin/sh
# check_format.sh SOURCE_DIR: every C file, .inc ones too, is as .clang-format lays it out.
cd "$1" || exit 1
. tests/style/tool.sh
need clang-format 14.0
find src include tests \( -name '*.[ch]' -o -name '*.inc' \) -exec clang-format --dry-run -Werror {} +
