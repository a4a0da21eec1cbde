# What the two scripts of the README share; sourced by them from the top folder.
#   need run|test     installs what is missing, or says what is missing and how to get it
#   build             configures and builds into $build_dir
#   mpi_environment   what mpirun needs as root, in a container, without ssh
# shellcheck shell=sh

build_dir=${ALTGRAD_BUILD_DIR:-build}

packages_run="gcc libc6-dev cmake ninja-build pkg-config
    openmpi-bin libopenmpi-dev libhdf5-dev libpcre2-dev libopenblas-dev libfyaml-dev
    libjansson-dev libssl-dev zlib1g-dev
    python3 python3-numpy python3-h5py python3-pandas python3-matplotlib python3-scipy
    python3-xarray python3-netcdf4 python3-tables"
packages_test="libcmocka-dev hdf5-tools mpich libmpich-dev munge slurmctld slurmd slurm-client iproute2
    clang-format clang-tidy shellcheck"

say() {
    printf '%s\n' "$*" >&2
}

# The packages of "$@" that are not installed.
missing_packages() {
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            printf '%s ' "$package"
    done
}

install_debian() {
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=sudo
    else
        say "altgrad needs packages that are not installed, and this user may not install them."
        say "Ask for:  apt-get install $missing"
        say "or have them elsewhere (README, \"Building without apt\") and set ALTGRAD_NO_INSTALL=1."
        exit 3
    fi
    say "installing: $missing"
    log=$(mktemp)
    options="-q -y -o DPkg::Lock::Timeout=300 --no-install-recommends"
    # shellcheck disable=SC2086 # lists of words
    if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get $options install $missing; } \
        >"$log" 2>&1; then
        cat "$log" >&2
        say "apt-get failed: see above"
        exit 3
    fi
    rm -f "$log"
}

# On other systems nothing is installed, but what is missing is said at once.
check_elsewhere() {
    missing=
    for command in cc cmake pkg-config mpicc mpirun python3; do
        command -v "$command" >/dev/null || missing="$missing $command"
    done
    modules="libpcre2-8 openblas libfyaml jansson libcrypto zlib"
    [ "$1" = run ] || modules="$modules cmocka"
    for module in $modules; do
        pkg-config --exists "$module" 2>/dev/null || missing="$missing $module"
    done
    command -v h5cc >/dev/null || pkg-config --exists hdf5 2>/dev/null || missing="$missing hdf5"
    [ -n "$missing" ] || return 0
    say "altgrad needs commands and libraries that were not found:$missing"
    say "This system is not Debian, so they are yours to install: README, \"Building without apt\"."
    exit 3
}

need() {
    [ -z "${ALTGRAD_NO_INSTALL:-}" ] || return 0
    packages=$packages_run
    [ "$1" = run ] || packages="$packages_run $packages_test"
    if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
        # shellcheck disable=SC2086 # a list of words
        install_debian $packages
    else
        check_elsewhere "$1"
    fi
}

build() {
    generator=
    if command -v ninja >/dev/null && [ ! -f "$build_dir/CMakeCache.txt" ]; then
        generator="-G Ninja"
    fi
    log=$(mktemp)
    # shellcheck disable=SC2086 # options are words
    if ! { cmake $generator -B "$build_dir" "$@" && cmake --build "$build_dir" --parallel "$(nproc)"; } \
        >"$log" 2>&1; then
        cat "$log" >&2
        say "the build failed: see above"
        exit 3
    fi
    rm -f "$log"
}

mpi_environment() {
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
    # Open MPI wants ssh even for one host; without it, it has to be told that there is one host.
    command -v ssh >/dev/null || command -v rsh >/dev/null || export OMPI_MCA_plm=isolated
}
