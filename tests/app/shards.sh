#!/bin/sh
# shards.sh ALTGRAD PYTHON: three shards of an experiment, each one file, join to the file that the
# undivided experiment leaves; parts that do not belong together are refused.
set -u
altgrad=$1
python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
yaml=$here/determinism.yaml

expect 0 "$altgrad" run "$yaml" -o whole.h5 --progress none
expect 0 "$altgrad" run "$yaml" -o s1.h5 --progress none --shard 1/3
expect 0 "$altgrad" run "$yaml" --set output.file=s.h5 --progress none --shard 2/3
[ -e s-shard2of3.h5 ] || complain "the shard has no file of its own"
export SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=4
export SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_STEP=2
expect 0 "$altgrad" run "$yaml" -o s3.h5 --progress none --shard auto
expect 0 "$altgrad" status s3.h5
says "are other shards'"
# what looks like a part of an earlier array, submitted once more, is refused with the cure
count=$SLURM_ARRAY_TASK_COUNT
array() {
    export SLURM_ARRAY_TASK_ID="$1" SLURM_ARRAY_TASK_MIN="$2" SLURM_ARRAY_TASK_MAX="$3"
    export SLURM_ARRAY_TASK_COUNT="$4" SLURM_ARRAY_TASK_STEP=1
}
array 3 3 3 1
expect 2 "$altgrad" run "$yaml" --set output.file=s.h5 --shard auto
says "say --shard 3/N"
array 3 2 3 2
expect 2 "$altgrad" run "$yaml" --set output.file=s.h5 --shard auto
says "say --shard 3/N"
array 1 1 2 2
expect 2 "$altgrad" run "$yaml" --set output.file=s.h5 --shard auto
says "s-shard2of3.h5 lies beside, a shard of another count than this 1 of 2"
expect 0 "$altgrad" run "$yaml" --set output.file=s.h5 --set train.steps=1 --only seed=0 \
    --progress none --shard 1/2
says "s-shard2of3.h5 lies beside"
rm -rf s-shard1of2.h5*
array 4 0 4 "$count"
SLURM_ARRAY_TASK_STEP=2
SLURM_ARRAY_TASK_COUNT=2
expect 2 "$altgrad" run "$yaml" -o s4.h5 --shard auto
says "must follow each other"
unset SLURM_ARRAY_TASK_ID
expect 2 "$altgrad" run "$yaml" -o s4.h5 --shard auto
says "SLURM_ARRAY_TASK_ID is not set"
for wrong in 0/3 4/3 3 a/b 1/ 1/3x; do
    expect 2 "$altgrad" run "$yaml" -o s4.h5 --shard "$wrong"
    says "K/N with K from 1 to N"
done

# every run is in one shard, and none has them all
total=$("$altgrad" plan "$yaml" --json | grep -c '^{"id":.*"run":')
parts=0
for part in s1 s-shard2of3 s3; do
    count=$("$python" -c "import h5py; print(len(h5py.File('$part.h5')['runs']))")
    if [ "$count" -eq 0 ] || [ "$count" -ge "$total" ]; then
        complain "$part has $count of $total runs"
    fi
    parts=$((parts + count))
done
[ "$parts" = "$total" ] || complain "the shards have $parts runs, the grid $total"

# a complete shard is one file, which stays as it is when nothing is left to train
for part in s1 s-shard2of3 s3; do
    if [ -e "$part.h5.d/runs" ]; then complain "$part is not packed"; fi
done
cp s1.h5 before.h5
expect 0 "$altgrad" run "$yaml" -o s1.h5 --progress none --shard 1/3
cmp s1.h5 before.h5 || complain "a complete shard was written anew"
rm -r s1.h5.d s-shard2of3.h5.d s3.h5.d

# two parts, then the third; then once more, which changes nothing
expect 0 "$altgrad" merge joined.h5 s1.h5 s-shard2of3.h5
expect 75 "$altgrad" status joined.h5
expect 0 "$altgrad" merge joined.h5 s3.h5
says "; $total runs: $total done, 0 diverged, 0 failed, 0 pending"
expect 0 "$altgrad" status joined.h5
"$python" "$here/compare_results.py" whole.h5 joined.h5 > out 2>&1 || complain "joined differs"
expect 0 "$altgrad" merge joined.h5 s1.h5
"$python" "$here/compare_results.py" whole.h5 joined.h5 > out 2>&1 || complain "joined differs"

# a file that holds more than the shard that is asked for: nothing is trained again
expect 0 "$altgrad" run "$yaml" -o joined.h5 --progress plain --shard 1/3
expect 0 "$altgrad" run "$yaml" -o joined.h5 --progress plain
says "$total runs, $total complete"
"$python" "$here/compare_results.py" whole.h5 joined.h5 > out 2>&1 || complain "joined differs"

# runs of two experiments into one whose file names them all; a glob takes folders along
for seeds in 0,1 2,3 0,1,2,3; do
    few "formats: [BF16, E4M3]" "seeds: [$seeds]"
    cp few.yaml "seeds-$seeds.yaml"
    expect 0 "$altgrad" run few.yaml -o "part-$seeds.h5" --progress none
done
mv part-0,1,2,3.h5 four.h5
expect 2 "$altgrad" merge new.h5 part-*
says "'altgrad merge new.h5 --experiment FILE PART...' takes them from any parts"
expect 0 "$altgrad" merge new.h5 --experiment seeds-0,1,2,3.yaml part-*
says "8 new runs from 2 parts; 8 runs: 8 done, 0 diverged, 0 failed, 0 pending"
"$python" "$here/compare_results.py" four.h5 new.h5 > out 2>&1 || complain "new.h5 differs"
expect 0 "$altgrad" merge part-0,1.h5 new.h5 # OUT says which runs it wants
says "0 new runs from 1 part"
expect 2 "$altgrad" merge part-0,1.h5 part-2,3.h5
says "part-2,3.h5 is of another experiment than part-0,1.h5: it has none of its runs"
rm -r new.h5*

# another experiment; nothing; no determinism
expect 0 "$altgrad" run "$yaml" -o other.h5 --progress none --set train.steps=2 --only seed=0
expect 2 "$altgrad" merge new.h5 s1.h5 other.h5
says "other.h5 is of another experiment than s1.h5"
expect 2 "$altgrad" merge new.h5 s1.h5 missing.h5
says "missing.h5: there is no such results file"
expect 2 "$altgrad" merge new.h5
if [ -e new.h5 ] || [ -e new.h5.d ]; then complain "something was written"; fi
cp whole.h5 bad.h5
"$python" - <<END
import zlib

import h5py

# other weights with checksums that are right: of the table, and of the file at its end
with h5py.File("bad.h5", "r+") as file:
    index = file["index"][()]
    index["weights_digest"][0] = b"0" * 64
    file["index"][()] = index
    file["index"].attrs.modify("crc32", zlib.crc32(index.tobytes()))
with open("bad.h5", "rb") as file:
    content = file.read()
if content[-64:].startswith(b"altgrad-seal"):
    content = content[:-64]
seal = f"altgrad-seal 1 bytes={len(content):020} crc32={zlib.crc32(content):08x}"
with open("bad.h5", "wb") as file:
    file.write(content + seal.ljust(63).encode() + b"\n")
END
expect 1 "$altgrad" merge new.h5 s1.h5 whole.h5 bad.h5
says "broken determinism: run"
if [ -e new.h5 ] || [ -e new.h5.d ]; then complain "something was written"; fi
sum_up
