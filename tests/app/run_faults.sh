#!/bin/sh
# run_faults.sh ALTGRAD TRAIN: trainers that crash, fail, hang or vanish; a drain; the disk taken
# away. A script in the place of altgrad-train does what the file "deed" says, once a line.
set -u
altgrad=$1
train=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
stand_in "$altgrad" "$train" <<END
cat > in.\$\$
deed=\$(sed -n 1p deed)
sed -i 1d deed
case \$deed in
segfault) kill -SEGV \$\$ ;;
kill) kill -KILL \$\$ ;;
exit7) echo "the reason of seven" >&2; exit 7 ;;
empty) exit 0 ;;
hang) exec sleep 1000 < /dev/null ;;
hog) ulimit -v 1000000; exec tail /dev/zero ;;
vanish) rm -rf out.h5.d/runs ;;
stubborn)
    trap '' TERM
    kill -INT \$PPID
    until grep -q stopping log; do sleep 0.05; done
    sleep 0.3 # two within a tenth of a second are one
    kill -INT \$PPID
    exec sleep 1000 ;;
interrupt) kill -USR1 \$PPID; exec sleep 1000 ;;
esac
exec "$train" "\$@" < in.\$\$
END
few "seeds: 4" "run: {retries: 1}"

# run CODE DEED... -- OPTION...: `altgrad run` ends with CODE while trainers do the deeds
run() {
    code=$1
    shift
    : > deed
    while [ "$1" != -- ]; do
        echo "$1" >> deed
        shift
    done
    shift
    expect "$code" bin/altgrad run few.yaml -o out.h5 --progress plain "$@"
}
holds() {
    found=$(bin/altgrad summary out.h5 | awk '$1 == "uniform" { print $3 }')
    [ "$found" = "$1" ] || complain "$found runs are kept, expected $1"
}

# one attempt fails, its retry does not
run 0 segfault -- --only seed=0
says "attempt 1 was killed by SIGSEGV"
holds 1

# a run fails for good; the others complete; the same command tries it again
run 1 exit7 -- --only seed=1,2 --set run.retries=0
says "failed on rank 0: ended with exit code 7 at step 0 of 0"
says "the reason of seven"
holds 2
repeat=$(sed -n 's/^  repeat: //p' log)
rm -f again.h5
: > deed
sh -c "$repeat -o again.h5" > /dev/null 2>&1
[ -s again.h5 ] || complain "'$repeat' does not repeat the run"
run 0 -- --only seed=1,2
holds 3

# no result, and no end
run 1 empty empty -- --only seed=3
says "ended without a result"
run 1 hang hang -- --only seed=3 --set run.time_limit=0.2
says "passed its time limit of 0.2 s"
run 1 hang hang -- --only seed=3 --set run.stall_limit=0.2
says "made no progress for 0.2 s"
run 1 hog hog -- --only seed=3 --set run.memory_limit=96M
says "passed its memory limit of 96 MiB at step"
run 1 kill kill -- --only seed=3
says "was killed by SIGKILL"
holds 3

# SIGUSR1 stops with work left; nothing complete is lost
run 75 interrupt --
says "stopping"
run 75 ok interrupt -- --again seed=0,1,2
says "0 complete"
holds 3

# a second Ctrl-C does not wait for a trainer that does not end
run 130 stubborn --

# the results' folder is gone: an error that says so, not a crash
run 3 vanish -- --again seed=3
says "out.h5.d/runs"
rm -rf out.h5 out.h5.d

# everything fails: it ends after ten failures in a row
run 1 exit7 exit7 exit7 exit7 exit7 exit7 exit7 exit7 exit7 exit7 exit7 exit7 -- --set run.retries=100
says "10 failures in a row"

# without a trainer nothing starts
rm bin/altgrad-train
run 3 --
says "which belongs beside altgrad"
sum_up
