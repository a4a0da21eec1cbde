#!/bin/sh
# trunks.sh ALTGRAD TRAIN PYTHON MPIEXEC: steps that runs have in common are trained once, and
# whatever becomes of their snapshots, the results are those of runs that trained every step.
#
# E4M3, healed and late share 30 steps, swapped 20 of them: 80 of 160 are saved.
# In the place of altgrad-train stands a script. For a run that is to leave a snapshot it does what
# the file "deed" says; the others train.
set -u
altgrad=$1 train=$2 python=$3 mpiexec=$4
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
yaml=$here/trunks.yaml
stand_in "$altgrad" "$train" << END
deed=none
case " \$* " in *" --keep "*) deed=\$(cat deed 2> /dev/null) ;; esac
case \$deed in
fail) exit 7 ;;
wait) until [ -e go ]; do sleep 0.02; done ;;
kill) # of altgrad, once the snapshots are there
    "$train" "\$@" --parent \$\$ && kill -KILL "\$PPID"
    exit ;;
esac
exec "$train" "\$@"
END
snapshots() { # OUT: how many there are
    find "$1.d/trunks" -type f 2> /dev/null | wc -l
}
# saved OUT STEPS: what its runs have not trained themselves, by their own account
saved() {
    "$python" - "$1" > log 2>&1 << 'END'
import sys, h5py
timing = h5py.File(sys.argv[1])["timing"][:]
assert all((row["trunk_run"] != b"") == (row["trunk_steps"] > 0) for row in timing)
assert {row["trunk_run"] for row in timing} <= {b"", *timing["id"]}
print("saved", sum(timing["trunk_steps"]))
END
    says "saved $2"
}
same() { # OUT: as without sharing, and nothing is left over
    "$python" "$here/compare_results.py" alone.h5 "$1" 2>&1 | head -n 5 > log
    says "datasets are the same"
    [ ! -e "$1.d/trunks" ] || complain "$1: snapshots are left"
}

expect 0 "$altgrad" plan "$yaml"
says "3 begin with the first steps of another: 80 of 160 steps need not be trained"
expect 0 "$altgrad" plan "$yaml" --json
says '"trunks":{"runs":3,"steps_saved":80,"steps":160}'
expect 0 "$altgrad" plan "$yaml" --json --set run.share_trunks=false
says '"trunks":{"runs":0,"steps_saved":0,"steps":160}'
expect 0 "$altgrad" run "$yaml" -o alone.h5 --progress none --set run.share_trunks=false
saved alone.h5 0

# at any number of ranks; one below
for ranks in 2 3; do
    expect 0 "$mpiexec" -n "$ranks" "$altgrad" run "$yaml" -o "np$ranks.h5" --progress none
    saved "np$ranks.h5" 80
    same "np$ranks.h5"
done
# repeated from the first step on
expect 0 "$altgrad" reproduce np2.h5

# stopped while runs wait for a trunk
echo wait > deed
bin/altgrad run "$yaml" -o out.h5 --progress plain > log 2>&1 &
waits() { "$altgrad" status out.h5 2>&1 | grep -q "(1 of them running, 3 waiting for a trunk)"; }
await waits
"$altgrad" status out.h5 --json > state.json
grep -q '"waiting": 3' state.json || complain "status --json says nothing of runs that wait"
kill -USR1 $!
ends 75 $!
# killed when the snapshots are there: all begin with them, the one that left them, too
echo kill > deed
bin/altgrad run "$yaml" -o out.h5 --progress plain > log 2>&1 &
ends 137 $!
[ "$(snapshots out.h5)" = 2 ] || complain "$(snapshots out.h5) snapshots after the kill"
expect 0 "$altgrad" check out.h5
cp -r out.h5.d copy.h5.d
cp out.h5 copy.h5
echo none > deed
expect 0 bin/altgrad run "$yaml" -o out.h5 --progress none
saved out.h5 110
same out.h5

# a damaged snapshot is told, and costs its steps
"$python" - copy.h5.d/trunks/* << 'END'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(5000)
    byte = file.read(1)[0]
    file.seek(5000)
    file.write(bytes([byte ^ 1]))
END
expect 1 "$altgrad" check copy.h5
says "the runs that share its steps train them themselves"
expect 0 bin/altgrad run "$yaml" -o copy.h5 --progress plain
says "the run starts from step 0"
same copy.h5

# who leads fails: another leads, and so on, until nobody is left to wait
echo fail > deed
expect 1 bin/altgrad run "$yaml" -o failed.h5 --progress plain
says "failed on rank 0: ended with exit code 7"
says "1/4 runs done, 3 failed"
[ "$(snapshots failed.h5)" = 0 ] || complain "a run that failed has left a snapshot"

# a selection leaves what the others need: late begins at 30, too
expect 0 "$altgrad" run "$yaml" -o some.h5 --progress none --only format=E4M3,healed
[ "$(snapshots some.h5)" = 1 ] || complain "$(snapshots some.h5) snapshots, expected 1"
expect 0 "$altgrad" run "$yaml" -o some.h5 --progress none
saved some.h5 60
same some.h5
sum_up
