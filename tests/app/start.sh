#!/bin/sh
# start.sh ALTGRAD PYTHON: runs that begin with the state of another (train.start).
set -u
altgrad=$1 python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
yaml=$here/states.yaml
branch() { # OUT RUN STEP MORE...: runs the experiment from a state of trunk.h5
    out=$1 run=$2 step=$3
    shift 3
    expect 0 "$altgrad" run "$yaml" -o "$out" --progress none --set output.states=[] \
        --set train.start.file=trunk.h5 --set train.start.run="$run" \
        --set train.start.step="$step" "$@"
}
refused() { # PART MORE...: what plan says of it
    part=$1
    shift
    expect 2 "$altgrad" plan "$yaml" --set output.states=[] "$@"
    says "$part"
}
# digest OUT FORMAT: of its final weights
digest() {
    "$python" - "$1" "$2" << 'END'
import sys, h5py
file, name = h5py.File(sys.argv[1]), sys.argv[2].encode()
print(*{row["weights_digest"].decode() for row in file["index"][:] if row["format"] == name})
END
}
same() { # OUT FORMAT OUT FORMAT
    [ "$(digest "$1" "$2")" = "$(digest "$3" "$4")" ] || complain "$1 $2 is not $3 $4"
}

# by its name, its labels, the beginning of its id; while the trunk's results are spooled, too
expect 0 "$altgrad" run "$yaml" -o trunk.h5 --progress none --only format=delayed
id=$("$altgrad" plan "$yaml" --json --only format=delayed | sed -n 's/.*{"id":"\([0-9a-f]*\)","local".*/\1/p')
branch spooled.h5 "format=delayed seed=0" 8
expect 0 "$altgrad" run "$yaml" -o trunk.h5 --progress none
branch named.h5 delayed 8
branch prefixed.h5 "$(printf %.7s "$id")" 10
for out in spooled named prefixed; do
    same "$out.h5" delayed trunk.h5 delayed
    expect 0 "$altgrad" check "$out.h5"
done
[ "$(digest named.h5 BF16)" != "$(digest trunk.h5 BF16)" ] || complain "BF16 did not begin with E4M3"

# another format from there on is another phase
expect 0 "$altgrad" run "$yaml" -o phases.h5 --progress none --set output.states=[] --set \
    'formats=[{name: healed, all: E4M3, scaling: {amax: delayed, history: 4}, until: 8}]'
same named.h5 BF16 phases.h5 healed

# a branch may keep states itself, and others branch off there
branch second.h5 delayed 8 --set output.states=[15]
expect 0 "$altgrad" run "$yaml" -o third.h5 --progress none --set output.states=[] \
    --set train.start.file=second.h5 --set train.start.run=delayed
same third.h5 delayed trunk.h5 delayed

# what is planned is said
expect 0 "$altgrad" plan "$yaml" --set output.states=[] --set train.start.file=trunk.h5 \
    --set train.start.run=delayed --set train.start.step=8
says "trunk.h5: 2 runs begin with the state of run $id after step 8 (digest "
expect 0 "$altgrad" plan "$yaml" --json --set output.states=[] --set train.start.file=trunk.h5 \
    --set train.start.run=delayed --set train.start.step=8
says "\"run\":\"$id\",\"step\":8,\"digest\":"

# repeated, wherever the trunk lies now
expect 0 "$altgrad" reproduce named.h5
says "2 of 2 runs are the same bit for bit"
mkdir old
mv trunk.h5 trunk.h5.d old 2> log
expect 2 "$altgrad" reproduce named.h5
says "expected the state after step 8 of run $id, digest "
says "'--set train.start.file=PATH' says where a copy is"
expect 0 "$altgrad" reproduce named.h5 --set train.start.file=old/trunk.h5

# and a model like any other, without its trunk
expect 0 "$altgrad" sample named.h5 format=BF16 --tokens 5
expect 0 "$altgrad" export named.h5 format=BF16 --nanogpt --to weights
expect 0 "$altgrad" summary named.h5 --spikes 5
mv old/* .

# branches that share more steps train them once
formats='formats=[{name: a, all: E4M3, until: 15}, {name: b, all: E4M3, until: 18}]'
expect 0 "$altgrad" plan "$yaml" --set output.states=[] --set train.start.file=trunk.h5 \
    --set train.start.run=delayed --set train.start.step=8 --set "$formats"
says "1 begins with the first steps of another: 7 of 24 steps need not be trained"
branch shared.h5 delayed 8 --set "$formats"
branch alone.h5 delayed 8 --set "$formats" --set run.share_trunks=false
expect 0 "$python" "$here/compare_results.py" alone.h5 shared.h5

# told before anything is trained
refused "no.h5" --set train.start.file=no.h5
matches "error: .*no.h5"
at='--set train.start.file=trunk.h5'
# shellcheck disable=SC2086 # two words
{
    refused "2 completed runs are meant; name one" $at
    refused "no completed run is meant by E5M2" $at --set train.start.run=E5M2
    refused "run $id has kept its state after steps 8, 10; say which one is meant by train.start.step" \
        $at --set train.start.run=delayed
    refused "train.start.step: $work/trunk.h5: run $id has kept no state after step 9, but after 8, 10" \
        $at --set train.start.run=delayed --set train.start.step=9
    refused "the model wants [16, 32]" \
        $at --set train.start.run=delayed --set train.start.step=8 --set model.n_embd=32
    refused "has weights 'transformer.wpe.weight', the model has none" \
        $at --set train.start.run=delayed --set train.start.step=8 --set model.position=rope
    refused "was trained by adamw, whose moments are not those of optimizer.type sgd" \
        $at --set train.start.run=delayed --set train.start.step=8 --set optimizer.type=sgd
    refused "train.start.step: after step 8 nothing is left to train for a run of 8 steps" \
        $at --set train.start.run=delayed --set train.start.step=8 --set train.steps=8
    refused "train.start.file: a state has weights, and model.init.file names others" \
        $at --set model.init.file=trunk.h5
    refused "has kept no state" --set train.start.file=named.h5 \
        --set train.start.run=delayed
    says "has kept no state. 'output.states' in its experiment says after which steps it does"
}

# a state that is not what was kept
"$python" - trunk.h5 << 'END'
import sys, h5py
with h5py.File(sys.argv[1], "r+") as file:
    for run in file["runs"].values():
        run["states/8/v/transformer.wte.weight"][3, 2] += 1
END
# shellcheck disable=SC2086
refused "states/8/v/transformer.wte.weight does not match its crc32" \
    $at --set train.start.run=delayed --set train.start.step=8
expect 1 "$altgrad" check trunk.h5
sum_up
