#!/bin/sh
# aarch64.sh [WORK_DIR]: altgrad for AArch64, cross-compiled against Debian's libraries and tried
# under qemu-user: the tests that are programs of their own, and the pinned runs at 1 and 3 threads.
# Needs debootstrap, gcc-aarch64-linux-gnu, qemu-user and root, as debootstrap does.
# What starts further programs stays out: qemu-user runs but the one that it is given.
set -eu
for command in debootstrap aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $command > /dev/null || { echo "skipped: no $command"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skipped: debootstrap needs root"; exit 77; }
source=$(cd "$(dirname "$0")/../.." && pwd)
work=${1:-${TMPDIR:-/tmp}/altgrad-aarch64}
root=$work/root
build=$work/build
libraries=$root/usr/lib/aarch64-linux-gnu
mkdir -p "$work"

if [ ! -e "$work/root.ready" ]; then
    rm -rf "$root"
    debootstrap --foreign --arch=arm64 --variant=minbase \
        --include=libopenmpi-dev,libhdf5-dev,libpcre2-dev,libfyaml-dev,libjansson-dev,libssl-dev,zlib1g-dev,libcmocka-dev \
        bookworm "$root" > "$work.log" 2>&1
    for package in "$root"/var/cache/apt/archives/*.deb; do
        dpkg -x "$package" "$root"
    done
    # /lib is /usr/lib, which the packages' links go by
    for folder in lib bin sbin; do
        [ -L "$root/$folder" ] && continue
        cp -a "$root/$folder/." "$root/usr/$folder/"
        rm -r "${root:?}/$folder"
        ln -s "usr/$folder" "$root/$folder"
    done
    touch "$work/root.ready"
fi

cat > "$work/toolchain.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_SYSROOT $root)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH $root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L $root)
set(ENV{PKG_CONFIG_LIBDIR} $libraries/pkgconfig:$root/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} $root)
# what FindMPI and FindHDF5 would ask compiler wrappers of this machine
set(MPI_C_WORKS ON CACHE BOOL "")
set(MPI_C_VERSION 3.1 CACHE STRING "")
set(MPI_C_LIB_NAMES mpi CACHE STRING "")
set(MPI_mpi_LIBRARY $libraries/openmpi/lib/libmpi.so CACHE FILEPATH "")
set(MPI_C_COMPILER_INCLUDE_DIRS $libraries/openmpi/include CACHE STRING "")
set(MPI_C_HEADER_DIR $libraries/openmpi/include CACHE PATH "")
set(HDF5_ROOT $root/usr CACHE PATH "")
set(HDF5_C_INCLUDE_DIR $root/usr/include/hdf5/serial CACHE PATH "")
set(HDF5_hdf5_LIBRARY_RELEASE $libraries/hdf5/serial/libhdf5.so CACHE FILEPATH "")
set(HDF5_hdf5_hl_LIBRARY_RELEASE $libraries/hdf5/serial/libhdf5_hl.so CACHE FILEPATH "")
END
cmake -S "$source" -B "$build" -DCMAKE_TOOLCHAIN_FILE="$work/toolchain.cmake" -DALTGRAD_TESTS=ON \
    -DALTGRAD_BLAS=OFF > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --build "$build" -j "$(nproc)" > "$work/log" 2>&1 || { tail -40 "$work/log"; exit 1; }

# The tests that are programs: ctest starts them through the emulator.
programs=$(ctest --test-dir "$build" --show-only=json-v1 | python3 -c '
import json, sys
others = {"child", "memory_limit", "train_program", "train_kill"}  # start programs
names = [test["name"] for test in json.load(sys.stdin)["tests"]
         if "qemu" in test.get("command", [""])[0] and test["name"] not in others]
print("|".join(names).replace(".", "[.]"))')
failed=0
ctest --test-dir "$build" -j "$(nproc)" -R "^($programs)\$" -LE long \
    --output-on-failure || failed=1

for program in altgrad tests/golden/golden_runs; do
    name=$work/${program##*/}
    printf '#!/bin/sh\nexec qemu-aarch64 -L "%s" "%s" "$@"\n' "$root" "$build/$program" > "$name"
    chmod +x "$name"
done
for threads in 1 3; do
    echo "pinned runs, $threads threads:"
    sh "$source/tests/golden/golden.sh" "$work/altgrad" "$work/golden_runs" "$threads" || failed=1
done
exit $failed
