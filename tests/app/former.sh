#!/bin/sh
# former.sh ALTGRAD PYTHON: whose the results are. An experiment that has no run in common with them
# is refused; runs that an edited one no longer names are told, keep their names, and go with prune.
set -u
altgrad=$1
python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
json() {
    "$python" -c "import json, sys; d = json.load(open('log')); sys.exit(not ($1))" ||
        complain "not so: $1"
}
held() { # EXPRESSION over the open file `f`
    "$python" -c "import h5py, sys; f = h5py.File('out.h5'); sys.exit(not ($1))" > log 2>&1 ||
        complain "not so: $1"
}

few "formats: [BF16, E4M3]" "seeds: 2"
expect 0 "$altgrad" run few.yaml -o out.h5 --progress none
cp out.h5 before.h5
sed 's/^name: few/name: other/' few.yaml > other.yaml
expect 2 "$altgrad" run other.yaml -o out.h5 --set train.steps=4
says "out.h5 holds the results of the experiment 'few' (4 complete runs), and 'other' has no run in"
says "-o OUT"
cmp out.h5 before.h5 || complain "the file of the other experiment was touched"
rm -r out.h5.d # as where the file alone was copied
expect 2 "$altgrad" run other.yaml -o out.h5 --set train.steps=4
says "'few' (4 complete runs)"

# another name, and runs in common; the same name, and none: both go on, and say what is left behind
sed 's/E4M3/E5M2/' other.yaml > edited.yaml
expect 0 "$altgrad" run edited.yaml -o out.h5 --progress plain
says "2 complete runs of out.h5 are no longer named by the experiment (E4M3 seed=0, E4M3 seed=1)"
says "'altgrad prune out.h5' removes them"
held "sorted(f['orphans']['format']) == [b'E4M3'] * 2 and sorted(f['orphans']['seed']) == [0, 1]"
held "len(f['index']) == 4 and len(f['runs']) == 6 and len(f['curves/run']) == 4"
expect 0 "$altgrad" run edited.yaml -o out.h5 --progress plain
if grep -q "no longer named" log; then complain "what is an orphan already is told again"; fi
expect 0 "$altgrad" run few.yaml -o out.h5 --progress none --set train.steps=4 --replace
held "len(f['orphans']) == 6 and len(f['index']) == 4 and len(f['runs']) == 10"
expect 0 "$altgrad" status out.h5
says "6 that the experiment no longer names"
matches "^orphans   [0-9a-f]* BF16 uniform 0$"
says "and 1 more; 'altgrad prune' lists and removes them"

# prune: nothing without --yes; then only what the experiment does not name
touch out.h5.d/checkpoints/0123456789ab 2> /dev/null ||
    { mkdir -p out.h5.d/checkpoints && touch out.h5.d/checkpoints/0123456789ab; }
cp out.h5 before.h5
expect 0 "$altgrad" prune out.h5
says "nothing is removed without --yes"
matches "^orphan .*E4M3 uniform 1"
matches "^checkpoint .*0123456789ab"
cmp out.h5 before.h5 || complain "prune without --yes changes the file"
expect 0 "$altgrad" prune out.h5 --json
json "not d['removed'] and d['bytes'] == sum(i['bytes'] for i in d['items']) > 6000"
json "sorted(i['kind'] for i in d['items']) == ['checkpoint', 'folder'] + ['orphan'] * 6"
expect 0 "$altgrad" prune out.h5 --yes
held "len(f['orphans']) == 0 and len(f['index']) == len(f['runs']) == 4"
held "f.attrs['state'] == 'packed' and all(row['status'] == b'done' for row in f['index'])"
if [ -e out.h5.d ]; then complain "the folder beside a complete file stays"; fi
expect 0 "$altgrad" check out.h5
expect 0 "$altgrad" prune out.h5
says "nothing to remove"
expect 2 "$altgrad" prune missing.h5
expect 2 "$altgrad" prune

# of a spooled file, whose pending runs and their checkpoints stay
few "formats: [BF16, E4M3]" "seeds: 2"
expect 0 "$altgrad" run few.yaml -o out.h5 --progress none --only format=BF16 --replace
sed 's/BF16/E5M2/' few.yaml > edited.yaml
expect 0 "$altgrad" run edited.yaml -o out.h5 --progress none --only seed=0
id=$("$python" -c "import h5py
f = h5py.File('out.h5')
print([row['id'].decode() for row in f['index'] if row['status'] == b'pending'][0])")
mkdir -p out.h5.d/checkpoints
touch "out.h5.d/checkpoints/$id"
expect 0 "$altgrad" prune out.h5 --yes
[ -e "out.h5.d/checkpoints/$id" ] || complain "the checkpoint of a pending run is gone"
held "f.attrs['state'] == 'spooled' and len(f['orphans']) == 0 and len(f['runs']) == 2"
held "sorted(row['status'] for row in f['index']) == [b'done'] * 2 + [b'pending'] * 2"
sum_up
