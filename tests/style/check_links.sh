#!/bin/sh
# check_links.sh PROGRAM LIBRARY...: fails when the program needs one of the libraries, directly or
# through another. "Training knows no MPI" and "rank 0 never runs libhdf5" hold at link time.
program=$1
shift
needed=$(ldd "$program") || exit 1
for library in "$@"; do
    if printf '%s\n' "$needed" | grep -q "lib$library"; then
        echo "$program is linked with $library"
        exit 1
    fi
done
echo "$program needs none of: $*"
