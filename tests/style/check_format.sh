#!/bin/sh
# check_format.sh SOURCE_DIR: every C file is as .clang-format lays it out.
cd "$1" || exit 1
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }
find src include tests -name '*.[ch]' -exec clang-format --dry-run -Werror {} +
