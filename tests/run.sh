#!/bin/sh
# Installs what the tests need, builds, and runs every test through ctest but those labelled long.
#   sh tests/run.sh [ctest options]      e.g. -L unit, -R store, -L long
set -eu
cd "$(dirname "$0")/.."
. jobs/common.sh

need test
say "building ..."
build -DALTGRAD_TESTS=ON -DALTGRAD_WERROR=ON
mpi_environment
[ $# -gt 0 ] || set -- -LE long
cd "$build_dir" && exec ctest --output-on-failure --no-tests=error -j 2 "$@"
