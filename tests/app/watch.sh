#!/bin/sh
# watch.sh ALTGRAD TRAIN PYTHON: altgrad status and altgrad stop beside an experiment that runs, was
# stopped, was killed, failed in part, and is complete. A script in the place of altgrad-train holds
# each run until the file "go" is there, and fails the one that "fail" names.
set -u
altgrad=$1
train=$2
python=$3
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
stand_in "$altgrad" "$train" <<END
cat > in.\$\$
for n in \$(seq 600); do [ -e go ] && break; sleep 0.1; done
[ -e fail ] && grep -q "^{\"id\":\"\$(cat fail)" in.\$\$ && { echo "no such luck" >&2; exit 9; }
exec "$train" "\$@" < in.\$\$
END
few "formats: [BF16, E4M3]" "seeds: 2" "run: {retries: 0}"

begin() {
    rm -f go
    bin/altgrad run few.yaml -o out.h5 --progress plain > run.log 2>&1 &
    pid=$!
    await [ -e out.h5.d/live.json ]
}
json() {
    "$python" -c "import json, sys; d = json.load(open('log')); sys.exit(not ($1))" ||
        complain "not so: $1"
}

expect 2 bin/altgrad status out.h5
says "out.h5: there is no such results file"
expect 2 bin/altgrad stop out.h5
expect 2 bin/altgrad status
expect 2 bin/altgrad status --jason out.h5
expect 2 bin/altgrad stop --later out.h5
expect 0 bin/altgrad status --help
says "example:"
expect 0 bin/altgrad stop --help
says "example:"

# while it runs: by a signal on this host
begin
expect 75 bin/altgrad status out.h5
matches "^runs  *4: 0 done, 0 diverged, 0 failed, 4 pending"
says "pid $pid"
expect 75 bin/altgrad status out.h5 --json
json "d['runs']['total'] == 4 and d['owner']['pid'] == $pid and d['owner']['life'] == 'alive'"
json "d['live']['ranks'] == 1 and not d['live']['stopping'] and d['exit_code'] == 75"

# watched until Ctrl-C, which costs the experiment nothing; a shell's background ignores that signal
"$python" -c "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv('bin/altgrad', ['altgrad', 'status', 'out.h5', '--watch'])" > log 2>&1 &
watching=$!
await grep -q "^runs  *4: 0 done" log
kill -INT "$watching"
ends 130 "$watching"
expect 75 bin/altgrad status out.h5
says "pid $pid"

expect 0 bin/altgrad stop out.h5 --wait
says "sent SIGUSR1 to pid $pid"
matches "pid $pid on host .* has ended"
ends 75 "$pid"
expect 75 bin/altgrad status out.h5
says "nobody: it is not running"
says "stopping: no further run starts"
expect 0 bin/altgrad stop out.h5
says "no altgrad is writing it"

# as from another host: by a request, which the next owner does not obey
begin
cp out.h5.d/owner owner
sed -i 's/^host .*/host elsewhere/' out.h5.d/owner
expect 0 bin/altgrad stop out.h5
says "left a request for pid $pid on host elsewhere"
cp owner out.h5.d/owner # or the child that publishes would not know it
ends 75 "$pid"
[ -e out.h5.d/stop ] || complain "no request was left"
begin
[ -e out.h5.d/stop ] && complain "the request to an earlier owner is still there"

# killed: its last word is not taken for the present
kill -KILL "$pid"
wait "$pid" 2> /dev/null
expect 75 bin/altgrad status out.h5
says "it was killed"
expect 75 bin/altgrad status out.h5 --json
json "d['owner']['life'] == 'dead' and d['live'] is None"
expect 0 bin/altgrad stop out.h5 --wait
says "was killed"

# a failure: its reason, its log, exit code 1; spooled, then packed
touch go
bin/altgrad plan few.yaml --json | sed -n 's/^{"id":"\([0-9a-f]*\)".*/\1/p' | sed -n 2p > fail
expect 1 bin/altgrad run few.yaml -o out.h5 --progress none
expect 1 bin/altgrad status out.h5
says "few: out.h5 (packed)"
matches "^runs  *4: 3 done, 0 diverged, 1 failed, 0 pending"
matches "^$(cat fail)  .*: ended with exit code 9"
says "log: out.h5.d/logs/$(cat fail).log"
expect 1 bin/altgrad status out.h5 --json
json "d['failed'][0]['run'] == '$(cat fail)' and 'no such luck' in d['failed'][0]['reason']"
json "d['runs'] == dict(total=4, done=3, diverged=0, failed=1, pending=0, running=0, other_shards=0, orphans=0)"

# complete; and without anything beside it
rm fail
expect 0 bin/altgrad run few.yaml -o out.h5 --progress none
expect 0 bin/altgrad status out.h5
matches "^runs  *4: 4 done, 0 diverged, 0 failed, 0 pending"
mkdir alone
cp out.h5 alone/
expect 0 bin/altgrad status alone/out.h5
matches "^few: .*packed"
matches "^runs  *4: 4 done, 0 diverged, 0 failed, 0 pending"

# runs that the experiment no longer names; runs that diverge are counted apart
expect 0 bin/altgrad run few.yaml -o out.h5 --progress none --set optimizer.lr=10 \
    --set optimizer.warmup=0 --set stop.loss_ratio=1.001
says "diverged"
expect 0 bin/altgrad status out.h5
says "4: 0 done, 4 diverged, 0 failed, 0 pending; 4 that the experiment no longer names"

# not ours
echo nothing > foreign.h5
expect 3 bin/altgrad status foreign.h5
says "not an HDF5 file"
sum_up
