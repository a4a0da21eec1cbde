#!/bin/sh
# signals.sh ALTGRAD TRAIN: signals before the first run starts and while the results are packed. A
# script in the place of the altgrad that packs holds it while a file "hold.WHAT" is there.
set -u
altgrad=$1
train=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
trap 'rm -f "$work"/hold.*; rm -rf "$work"' EXIT
stand_in "$altgrad" "$train" <<END
: > seen.train
exec "$train" "\$@"
END
mv bin/altgrad bin/real
cat > bin/altgrad <<END
#!/bin/sh
case " \$* " in
" helper prepare "*) what=prepare ;;
" helper publish "*) what=publish ;;
" helper unpack "*) what=unpack ;;
" helper pack "*) what=pack ;;
*) what=other ;;
esac
: > seen.\$what
while [ -e hold.\$what ]; do sleep 0.02; done
exec bin/real "\$@"
END
chmod +x bin/altgrad
few "seeds: 2"

# begin WHAT [OPTION...]: until WHAT is held
begin() {
    what=$1
    shift
    rm -f seen.*
    : > "hold.$what"
    bin/real run few.yaml -o out.h5 --progress plain "$@" > log 2>&1 &
    pid=$!
    await [ -e "seen.$what" ]
}
# over CODE: the run in the background ends, and nothing is held any more
over() {
    ends "$1" "$pid"
    rm -f hold.*
}
# await_death SECONDS: without letting go of what is held
await_death() {
    for _ in $(seq $(($1 * 50))); do
        kill -0 "$pid" 2> /dev/null || return
        sleep 0.02
    done
    complain "pid $pid still runs $1 s later"
    rm -f hold.*
}

# before the queue opens: no run starts
for signal in USR1 USR2 TERM INT HUP; do
    begin prepare
    kill "-$signal" "$pid"
    rm hold.prepare
    over 75
    grep -q "stopping" log || complain "$signal was not obeyed"
    [ -e seen.train ] && complain "$signal: a run was started all the same"
done

# and twice: at once
begin prepare
kill -INT "$pid"
sleep 0.3 # two within a tenth of a second are one
kill -INT "$pid"
await_death 10
over 130

# all is trained, the results are being packed: a signal lets them be, and they are complete
begin pack
kill -TERM "$pid"
kill -USR1 "$pid"
kill -INT "$pid"
rm hold.pack
over 0
bin/real status out.h5 > log 2>&1 || complain "it is not complete"

# twice: at once, nothing is lost, and the same command goes on; also in a step that is waited for
begin unpack --again seed=0
sleep 1.5
kill -INT "$pid"
sleep 0.3
kill -INT "$pid"
await_death 10
over 130
begin pack --again seed=0
kill -INT "$pid"
sleep 0.3
kill -INT "$pid"
await_death 10
over 130
[ "$(find out.h5.d/runs -name '*.h5' | wc -l)" = 2 ] || complain "a run was lost"
rm -f seen.train
bin/real run few.yaml -o out.h5 --progress plain > log 2>&1 || complain "it does not go on"
[ -e seen.train ] && complain "a run was trained twice"

# nohup
rm -rf out.h5 out.h5.d
trap '' HUP
begin pack
trap - HUP
kill -HUP "$pid"
rm hold.pack
over 0
grep -q "stopping" log && complain "SIGHUP was to be ignored"
sum_up
