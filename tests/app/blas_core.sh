#!/bin/bash
# blas_core.sh ALTGRAD SOURCE_DIR PYTHON MPIEXEC: ranks whose OpenBLAS takes different kernels all
# train with those that they have in common, go on with them, and have the bits of a run that had
# no others. OPENBLAS_CORETYPE stands for the CPUs of other hosts.
set -u
altgrad=$1 here=$2/tests/app python=$3 mpiexec=$4
old=Nehalem new=Haswell lacking=Excavator
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
# run CODE [OPTION...]: as the array $launch says; what it says goes to the file log
run() {
    code=$1
    shift
    command=("$altgrad" run "$here/determinism.yaml" --progress plain "$@")
    whole=()
    for word in "${launch[@]}"; do
        if [ "$word" = RUN ]; then whole+=("${command[@]}"); else whole+=("$word"); fi
    done
    expect "$code" "${whole[@]}"
}
# alone CORE; ranks CORE CORE...
alone() {
    launch=(env "OPENBLAS_CORETYPE=$1" RUN)
}
ranks() {
    launch=("$mpiexec")
    for core in "$@"; do
        launch+=(-n 1 env "OPENBLAS_CORETYPE=$core" RUN :)
    done
    unset "launch[-1]"
}
# trained FILE: "RANKS CORES" that did it
trained() {
    "$python" - "$1" <<'END'
import sys, h5py
with h5py.File(sys.argv[1]) as file:
    timing = [run["timing"].attrs for run in file["runs"].values()]
    text = lambda value: value.decode() if isinstance(value, bytes) else value
    print(len({int(row["rank"]) for row in timing}),
          *sorted({text(row["blas"]).split()[-1] for row in timing}))
END
}
same() {
    "$python" "$here/compare_results.py" "$@" > out 2>&1
}

if ! grep -q "^flags.* avx2 " /proc/cpuinfo; then
    echo "no x86 that runs $new's kernels"
    exit 77
fi
alone $old
run 0 -o old.h5 --set run.blas_core=$old
[ "$(trained old.h5)" = "1 $old" ] || complain "$(trained old.h5) trained, expected 1 $old"
alone $new
run 0 -o new.h5
[ "$(trained new.h5)" = "1 $new" ] || complain "a wish is not respected: $(trained new.h5)"
! same old.h5 new.h5 || complain "these kernels give the same bits: nothing is tested"

# a mixture: whichever rank trained it, a run has the bits of the older kernels
ranks $old $new $new
run 0 -o mixed.h5
says "ranks differ in CPU: all use OpenBLAS's kernels for $old"
[ "$(trained mixed.h5)" = "3 $old" ] || complain "$(trained mixed.h5) trained, expected 3 $old"
same old.h5 mixed.h5 || complain "other bits: $(cat out)"

# half by old kernels; the rest on a host that would take new ones
alone $old
run 0 -o resumed.h5 --only seed=0
alone $new
run 0 -o resumed.h5
says "OpenBLAS's kernels for $old, with which the results were begun"
[ "$(trained resumed.h5)" = "1 $old" ] || complain "$(trained resumed.h5) went on, expected $old"
same old.h5 resumed.h5 || complain "other bits: $(cat out)"
# packed, too
ranks $new $new
run 0 -o resumed.h5 --set train.steps=11
says "OpenBLAS's kernels for $old, with which the results were begun"

# by name, whatever the ranks would take
ranks $old $new
run 0 -o named.h5 --set run.blas_core=$new
[ "$(trained named.h5)" = "2 $new" ] || complain "$(trained named.h5) trained, expected 2 $new"
same new.h5 named.h5 || complain "other bits: $(cat out)"
run 2 -o wrong.h5 --set run.blas_core=Haswel
says "OpenBLAS has no kernels for 'Haswel' (is it 'Haswell'?)"
if ! grep -q "^flags.* xop " /proc/cpuinfo; then
    run 3 -o wrong.h5 --set run.blas_core=$lacking
    says "the CPU of rank 0 on $(uname -n) lacks what OpenBLAS's kernels for $lacking need"
    alone $lacking
    run 3 -o wrong.h5
    says "killed by SIGILL"
    says "OPENBLAS_CORETYPE of another"
    # results that were begun on such a CPU
    alone $old
    run 0 -o begun.h5 --only seed=0
    sed -i "s/OpenBLAS \([^ ]*\) $old/OpenBLAS \1 $lacking/" begun.h5.d/facts.json
    run 3 -o begun.h5
    says "begun.h5 was begun with OpenBLAS's kernels for $lacking, which rank 0 on"
    says "run.blas_core=$old"
    run 0 -o begun.h5 --set run.blas_core=$old
fi
[ ! -e wrong.h5.d ] || complain "something was written"

# another version than before is said
alone $old
run 0 -o begun2.h5 --only seed=0
sed -i "s/OpenBLAS [^ ]* $old/OpenBLAS 0.2.20 $old/" begun2.h5.d/facts.json
run 0 -o begun2.h5
says "was begun with OpenBLAS 0.2.20 $old, this is OpenBLAS"

# what is not known any more is said, too, whatever a job without work wrote meanwhile
alone $old
run 0 -o lost.h5 --only format=BF16 --only seed=0
alone $new
echo "{" > lost.h5.d/facts.json
for _ in 1 2; do
    run 0 -o lost.h5 --only format=BF16 --only seed=0
    ! grep -q warning log || complain "nothing was to be trained"
done
run 0 -o lost.h5 --only format=BF16
says "warning: lost.h5.d/facts.json does not tell with which of OpenBLAS's kernels"
[ "$(trained lost.h5)" = "1 $new $old" ] || complain "$(trained lost.h5) trained, expected both"
sum_up
