#!/bin/sh
# numerics.sh ALTGRAD PYTHON: results of an earlier version of the numerics. numerics1.h5.gz holds
# the small experiment as altgrad 0.1.0 left it, with formats: [BF16, E4M3] and the key
# run.blas_core, which is gone: it is read as before, and trained again only beside what it holds.
set -u
altgrad=$1
python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
held() { # EXPRESSION over the open files `f` and `g`, the old one
    "$python" -c "import h5py, numpy, sys
f, g = h5py.File('out.h5'), h5py.File('old.h5')
sys.exit(not ($1))" > log 2>&1 || complain "not so: $1"
}

gzip -dc "$here/numerics1.h5.gz" > old.h5
cp old.h5 out.h5
few "formats: [BF16, E4M3]" "seeds: 1"

# read as before
expect 0 "$altgrad" status out.h5
says "2: 2 done, 0 diverged, 0 failed, 0 pending"
expect 0 "$altgrad" check out.h5
expect 0 "$altgrad" summary out.h5
says "2.0933"
expect 0 "$altgrad" plan few.yaml -o out.h5
says "0 kept, 2 to train"
says "2 orphaned (complete, but made by numerics 1, and this altgrad computes numerics 2; they stay)"
expect 3 "$altgrad" reproduce out.h5
says "failed: the run was made by numerics 1; this altgrad computes numerics 2, with other bits"
cmp out.h5 old.h5 || complain "a file that was only read is another"

# trained again beside what it holds, which says why first
"$altgrad" run few.yaml -o out.h5 --progress plain > log 2>&1 || complain "the run failed"
says "2 complete runs of out.h5 were made by numerics 1 (BF16, E4M3); this altgrad computes numerics"
says "so what the experiment names is trained again: they stay as orphans"
says "To leave out.h5 as it is, stop this and give the new runs a file of their own: -o OUT"
[ "$(grep -n 'made by numerics 1' log | cut -d: -f1)" -lt "$(grep -n ' done: ' log | head -1 | cut -d: -f1)" ] ||
    complain "told after training"
held "len(f['index']) == 2 and sorted(f['orphans']['format']) == [b'BF16', b'E4M3']"
held "set(g['runs']) == {row['id'].decode() for row in f['orphans']}"
held "all(numpy.array_equal(f['runs'][id]['weights'][name], g['runs'][id]['weights'][name])
    for id in g['runs'] for name in g['runs'][id]['weights'])"
expect 0 "$altgrad" check out.h5
expect 0 "$altgrad" reproduce out.h5 "$("$python" -c "import h5py
print(h5py.File('out.h5')['index'][0]['id'].decode())")"
expect 0 "$altgrad" run few.yaml -o out.h5 --progress plain
if grep -q "numerics" log; then complain "what is an orphan already is told again"; fi
expect 0 "$altgrad" prune out.h5
matches "^orphan .*E4M3"

# a checkpoint of an earlier version is told, not taken, and goes with prune
rm -r out.h5*
mkdir -p out.h5.d/checkpoints
"$python" - << 'END'
import h5py
file = h5py.File("old.h5")
grid = file["experiment/grid"][()]
open("out.h5.d/grid.json", "wb").write(grid)
open("out.h5.d/checkpoints/" + sorted(file["runs"])[0], "wb").write(b"of numerics 1")
END
expect 0 "$altgrad" run few.yaml -o out.h5 --progress plain --only format=BF16
says "1 checkpoint of out.h5 was made by numerics 1; this altgrad computes numerics 2"
expect 0 "$altgrad" prune out.h5
matches "^checkpoint "

# weights are weights
few "formats: [BF16]" "seeds: 1"
id=$("$python" -c "import h5py
print(h5py.File('old.h5')['index'][0]['id'].decode())")
sed -i "s/^model: {/&init: {file: old.h5, run: $id}, /" few.yaml
expect 0 "$altgrad" run few.yaml -o begun.h5 --progress none

# the key that is gone
few "formats: [BF16]" "run: {blas_core: Haswell}"
expect 2 "$altgrad" plan few.yaml
says "section 'run' has no key 'blas_core'; it is gone, since products have the same bits on every CPU"
expect 2 "$altgrad" plan few.yaml --set run.blas_core=Haswell
says "it is gone"
sum_up
