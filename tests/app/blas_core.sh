#!/bin/bash
# blas_core.sh ALTGRAD PYTHON MPIEXEC: ranks whose OpenBLAS takes different kernels all train with
# those that they have in common, go on with them, and have the bits of a run that had no others.
# OPENBLAS_CORETYPE stands for the CPUs of other hosts.
set -u
altgrad=$1 python=$2 mpiexec=$3
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

# where the facts are lost the runs tell, whatever a job without work wrote meanwhile
lose_facts() {
    echo "{" > "$1.d/facts.json"
}
all_by_old() {
    [ "$(trained "$1")" = "1 $old" ] || complain "$(trained "$1") trained, expected 1 $old"
}
goes_on_with_old() {
    says "OpenBLAS's kernels for $old, with which the results were begun"
    all_by_old "$1"
}
uniform=(--only layers=uniform --only optimizer.type=adamw)
alone $old
run 0 -o lost.h5 "${uniform[@]}" --only format=BF16 --only seed=0
alone $new
lose_facts lost.h5
for _ in 1 2; do
    run 0 -o lost.h5 "${uniform[@]}" --only format=BF16 --only seed=0
    ! grep -q warning log || complain "nothing was to be trained"
done
run 0 -o lost.h5 "${uniform[@]}" --only format=BF16
goes_on_with_old lost.h5
! grep -q warning log || complain "a warning of what is known"
# a damaged run among them tells nothing, and is trained again with the others' kernels
lose_facts lost.h5
printf x | dd of="$(find lost.h5.d/runs -name '*.h5' | sort | head -n 1)" bs=1 seek=200 conv=notrunc \
    2> /dev/null
run 0 -o lost.h5 "${uniform[@]}" --only format=BF16
says "is pending again"
all_by_old lost.h5
# the kernels had been chosen by name
run 0 -o lost2.h5 --set run.blas_core=$old "${uniform[@]}" --only format=BF16 --only seed=0
rm lost2.h5.d/facts.json
run 0 -o lost2.h5 "${uniform[@]}" --only format=BF16
goes_on_with_old lost2.h5
# or are so now
lose_facts lost2.h5
run 0 -o lost2.h5 --set run.blas_core=$new "${uniform[@]}" --only format=E4M3 --only seed=0
! grep -q warning log || complain "a warning to somebody who chose"
# runs that differ
lose_facts lost2.h5
run 0 -o lost2.h5 "${uniform[@]}" --only format=E4M3
says "warning: neither lost2.h5.d/facts.json nor the complete runs, which differ"
says "run.blas_core chooses by name"
[ "$(trained lost2.h5)" = "1 $new $old" ] || complain "$(trained lost2.h5) trained, expected both"
sum_up
