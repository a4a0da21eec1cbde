#!/bin/sh
# musl.sh [WORK_DIR]: altgrad against musl instead of glibc, by musl-gcc: the unit tests, and the
# pinned runs at 1 and 3 threads.
# Needs musl-tools, dpkg-dev, cmake, ninja, perl, and a mirror of Debian.
#
# Debian's libraries are glibc's. So each is built from Debian's source package here, once, as a
# static library: zlib, cmocka, jansson, libfyaml, PCRE2, libcrypto, HDF5. What stands in the way of
# the rest: an MPI for musl would have to be built with its launcher and all that they want
# (hwloc, PMIx, libevent); so altgrad is built without (no_mpi/), which leaves out the tests under
# mpirun. OpenBLAS wants a Fortran compiler for its LAPACK, and musl has none: ALTGRAD_BLAS=OFF.
# shellcheck disable=SC2317 # functions that `library` calls
set -eu
for command in musl-gcc dpkg-source cmake ninja perl; do
    command -v $command > /dev/null || { echo "skipped: no $command"; exit 77; }
done
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
work=${1:-${TMPDIR:-/tmp}/altgrad-musl}
mkdir -p "$work/src" "$work/prefix/include" "$work/prefix/lib/pkgconfig"
work=$(cd "$work" && pwd)
prefix=$work/prefix
build=$work/build
jobs=$(nproc)
CC=musl-gcc
CPPFLAGS=-I$prefix/include
PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
export CC CPPFLAGS PKG_CONFIG_LIBDIR

# --- libraries, each by its own means in its source folder

# By lists of their own: the system's lists of sources are left alone.
fetch() {
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    echo "deb-src http://deb.debian.org/debian $codename main" > "$work/sources.list"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    options="-q -o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=-
        -o Dir::State::Lists=$work/lists -o Dir::Cache=$work/cache"
    # shellcheck disable=SC2086 # options are words
    apt-get $options update && apt-get $options source --only-source \
        zlib cmocka jansson libfyaml pcre2 openssl hdf5
}

by_configure() {
    ./configure --prefix="$prefix" --disable-shared --enable-static "$@" &&
        make -j "$jobs" && make install
}

by_cmake() {
    cmake -G Ninja -S . -B build.musl -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF "$@" &&
        cmake --build build.musl -j "$jobs" && cmake --install build.musl
}

zlib() {
    ./configure --prefix="$prefix" --static && make -j "$jobs" libz.a && make install
}

# for SHA-256 alone; and the kernel's headers, which musl-gcc does not see
libcrypto() {
    for headers in /usr/include/linux /usr/include/asm-generic /usr/include/*/asm; do
        ln -sfn "$headers" "$prefix/include/${headers##*/}"
    done
    ./Configure linux-x86_64 --prefix="$prefix" --libdir=lib no-shared no-tests no-engine no-asm \
        no-async no-dso no-legacy no-ec no-dh no-dsa no-cms no-ct no-ocsp no-ts no-srp no-cmp &&
        make -j "$jobs" build_generated libcrypto.a && cp libcrypto.a "$prefix/lib/" &&
        cp -R include/openssl "$prefix/include/" &&
        printf '%s\n' "Name: libcrypto" "Description: OpenSSL" "Version: 3.0" \
            "Libs: -L$prefix/lib -lcrypto" "Cflags: -I$prefix/include" \
            > "$PKG_CONFIG_LIBDIR/libcrypto.pc"
}

# library PACKAGE COMMAND...: unless it is built already
library() {
    name=$1
    shift
    [ ! -e "$work/$name.built" ] || return 0
    if (cd "$work/src/$name"-*/ && "$@") > "$work/$name.log" 2>&1; then
        touch "$work/$name.built"
    else
        tail -20 "$work/$name.log"
        echo "$name: not built, see $work/$name.log"
        exit 1
    fi
}

if [ ! -e "$work/fetched" ]; then
    (cd "$work/src" && fetch) > "$work/log" 2>&1 || { tail "$work/log"; exit 1; }
    touch "$work/fetched"
fi
library zlib zlib
library cmocka by_cmake -DWITH_STATIC_LIB=ON -DWITH_EXAMPLES=OFF
library jansson by_cmake -DJANSSON_BUILD_DOCS=OFF -DJANSSON_WITHOUT_TESTS=ON -DJANSSON_EXAMPLES=OFF
library libfyaml by_configure
library pcre2 by_configure
library openssl libcrypto
library hdf5 by_configure --disable-tests --disable-tools --with-zlib="$prefix" CFLAGS=-O1

# --- altgrad; behind all other libraries stands zlib, which the static HDF5 wants
cmake -G Ninja -S "$source" -B "$build" -DALTGRAD_TESTS=ON -DALTGRAD_BLAS=OFF \
    -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O2 -DCMAKE_C_COMPILER=musl-gcc \
    -DCMAKE_MODULE_PATH="$here/no_mpi" -DCMAKE_FIND_ROOT_PATH="$prefix" \
    -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
    -DCMAKE_C_STANDARD_LIBRARIES="$prefix/lib/libz.a" \
    -DHDF5_ROOT="$prefix" -DHDF5_USE_STATIC_LIBRARIES=ON > "$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
cmake --build "$build" -j "$jobs" > "$work/log" 2>&1 || { tail -40 "$work/log"; exit 1; }

failed=0
ctest --test-dir "$build" -j "$jobs" -L unit -LE long --output-on-failure || failed=1
for threads in 1 3; do
    echo "pinned runs, $threads threads:"
    sh "$source/tests/golden/golden.sh" "$build/altgrad" "$build/tests/golden/golden_runs" \
        "$threads" || failed=1
done
exit $failed
