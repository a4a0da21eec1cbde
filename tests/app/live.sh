#!/bin/sh
# live.sh ALTGRAD PYTHON: the results file is there from the first moment, with every run of the
# grid; and points of the curves of runs that are being trained lie beside it. They are those of the
# curve that a shorter run leaves, whose learning rate is the same at each step.
set -u
altgrad=$1
python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
few "formats: [BF16, E4M3]" "seeds: 2" "optimizer: {schedule: constant, warmup: 10}"
slow="--set train.batch_size=200 --set eval.every=40"

has_points() {
    [ "$(cat out.h5.d/live/*.jsonl 2> /dev/null | grep -c "$1")" -ge "$2" ]
}
# shellcheck disable=SC2086 # several words
"$altgrad" run few.yaml -o out.h5 $slow --set train.steps=20000 --progress plain > run.log 2>&1 &
pid=$!
await grep -q "results in out.h5" run.log
"$python" - > log 2>&1 <<END || complain "the file is not there from the first moment"
import h5py
with h5py.File("out.h5") as file:
    rows = [(row["format"], row["seed"], row["status"]) for row in file["index"][()]]
    assert rows == [(f, s, b"pending") for f in (b"BF16", b"E4M3") for s in (0, 1)], rows
    assert len(file["labels"]) == 4 and len(file["orphans"]) == 0 and "curves" not in file
END
await has_points '"step"' 3
await has_points '"eval_step"' 2
expect 0 "$altgrad" stop out.h5 --wait
ends 75 "$pid"
has_points '"step"' 3 || complain "the curve of a stopped run is gone"

cat > compare.py <<END
import json, pathlib, subprocess, sys
import h5py
lines = next(pathlib.Path("out.h5.d/live").iterdir()).read_text()
assert lines.endswith("\n")
points = [json.loads(line) for line in lines.splitlines()]
losses = {p["step"]: p["loss"] for p in points if "step" in p}
evals = {p["eval_step"]: (p["val_loss"], p["val_loss_hp"]) for p in points if "eval_step" in p}
# about a thousand points over 20000 steps; the last may come as the run is stopped
assert all(b - a >= 20 for a, b in zip(losses, list(losses)[1:-1])), losses
steps = max(max(losses), max(evals)) + 1
subprocess.run([*sys.argv[1:], f"train.steps={steps}"], check=True)
with h5py.File("few.h5") as file:
    (run,) = file["runs"].values()
    for step, loss in losses.items():
        assert abs(run["metrics/loss"][step] - loss) < 1e-8, (step, loss)
    at = list(run["val/eval_step"])
    for step, values in evals.items():
        stored = run["val/val_loss"][at.index(step)], run["val/val_loss_hp"][at.index(step)]
        assert all(abs(a - b) < 1e-8 for a, b in zip(stored, values)), (step, stored, values)
END
few "formats: [BF16]" "seeds: 1" "optimizer: {schedule: constant, warmup: 10}"
# shellcheck disable=SC2086
expect 0 "$python" compare.py "$altgrad" run few.yaml -o few.h5 --progress none $slow --set
if [ -e few.h5.d/live ]; then complain "the curve of a complete run stays"; fi

# a line that a kill has torn spoils itself alone
few "formats: [BF16]" "seeds: 1" "optimizer: {schedule: constant, warmup: 10}"
torn=$(echo out.h5.d/live/*.jsonl)
printf '{"step": 12, "lo' >> "$torn"
# shellcheck disable=SC2086
"$altgrad" run few.yaml -o out.h5 $slow --set train.steps=20000 --progress none > run.log 2>&1 &
pid=$!
lines=$(wc -l < "$torn")
grows() {
    [ "$(wc -l < "$torn")" -gt "$((lines + 1))" ]
}
await grows
kill -USR1 "$pid"
ends 75 "$pid"
[ "$(grep -cv '^{.*}$' "$torn")" = 1 ] || complain "more than the torn line is spoiled"
sum_up
