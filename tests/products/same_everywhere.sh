#!/bin/sh
# same_everywhere.sh SOURCE_DIR: the hash of hash_products.c is the same from the compilers that this
# machine has, whatever they optimise, and on AArch64 under qemu-user. Says what was skipped.
root=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# build NAME MACHINE COMPILER FLAG...: each source as CMakeLists.txt has it compiled
build() {
    name=$1 machine=$2
    shift 2
    wide="-mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma"
    for source in "$root"/src/products/*.c "$root"/src/base/*.c "$root"/src/numerics/*.c \
        "$root"/tests/products/hash_products.c; do
        flags=
        case $machine:${source##*/} in
            x86_64:*neon.c | aarch64:*avx*.c | aarch64:*vnni.c | aarch64:*bf16.c) continue ;;
            *:crc32.c | *:files.c | *:path.c) continue ;; # want zlib and users' homes
            *avx2.c) flags="-mavx2 -mfma" ;;
            *avx512.c) flags=$wide ;;
            *vnni.c) flags="$wide -mavx512vnni" ;;
            *bf16.c) flags="$wide -mavx512bf16" ;;
        esac
        # shellcheck disable=SC2086 # flags are words
        "$@" $flags -D_GNU_SOURCE -std=c11 -ffp-contract=off -I"$root/include" -c "$source" \
            -o "$work/${source##*/}.o" || return 1
    done
    "$@" -static -pthread "$work"/*.o -lm -o "$work/$name" && rm "$work"/*.o
}

# check NAME MACHINE COMMAND... : COMMAND is what compiles; RUN, if set, what runs the program
check() {
    if ! command -v "$3" >/dev/null; then
        echo "$1: skipped: no $3"
    elif build "$@" && $RUN "$work/$1"; then
        echo "$1: the same"
    else
        echo "$1: FAILED"
        failed=1
    fi
}

RUN=
if [ "$(uname -m)" = x86_64 ]; then
    for level in -O0 -O1 -O2 -O3; do
        check "gcc$level" x86_64 gcc $level
    done
    check clang-O0 x86_64 clang -O0
    check clang-O3 x86_64 clang -O3
fi
RUN=$(command -v qemu-aarch64) || echo "aarch64: skipped: no qemu-aarch64"
if [ -n "$RUN" ]; then
    check aarch64-O0 aarch64 aarch64-linux-gnu-gcc -O0
    check aarch64-O3 aarch64 aarch64-linux-gnu-gcc -O3
fi
exit $failed
