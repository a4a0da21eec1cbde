#!/usr/bin/python3
"""An experiment that is edited between runs: what is kept, trained, orphaned, pending again.

    check_edits.py ALTGRAD TRAIN

`plan`, in words and as JSON, must say beforehand what `run` then does, and completed runs stay as
they are, to the byte. Which runs a grid has is worked out here, from the formats and seeds asked for.
"""

import json
import os
import shutil
import sys

import h5py

from kept_runs import run_digest
from support import FEW, Altgrad, check, failures, scratch_folder, write

# in the place of altgrad-train: fails the runs whose ids the file "fail" holds
FAILING = """#!/bin/sh
case " $* " in *" --preflight "*) exec "{train}" "$@" ;; esac
cat > in.$$
[ -e fail ] && grep -q -F -f fail in.$$ && {{ echo "no such luck" >&2; exit 9; }}
exec "{train}" "$@" < in.$$
"""

altgrad = Altgrad("bin/altgrad")
call, says = altgrad.call, altgrad.says


def edit(formats, seeds, every=2, weights="final"):
    experiment = FEW.replace("eval: {", f"eval: {{every: {every}, ")
    write("edited.yaml", experiment + f"""
formats: {formats}
seeds: {seeds}
run: {{retries: 0}}
output: {{file: out.h5, weights: {weights}}}
""")


def planned(*arguments):
    """Ids by (format, seed), and what the results hold of them."""
    plan = json.loads(call("plan", "edited.yaml", "--json", *arguments))
    ids = {(label["format"], label["seed"]): label["id"] for label in plan["labels"]}
    return ids, plan["results"]


def holds(results, **expected):
    """The results of a plan, state by state; what is not named is empty."""
    for state in ("kept", "recorded_less", "failed", "new", "orphaned"):
        check(sorted(results[state]) == sorted(expected.get(state, [])),
              f"{state}: {results[state]}, not {expected.get(state, [])}")


def digests():
    """Of everything that a run left; and whether the experiment does not name it any more."""
    with h5py.File("out.h5") as file:
        runs = file["runs"].items()
        return {run: (run_digest(group), group.attrs["orphan"]) for run, group in runs}


def first():
    edit("[BF16, E4M3]", 2)
    ids, results = planned()
    holds(results, new=ids.values())
    check(not os.path.exists("out.h5"), "plan left something behind")
    says("in out.h5: nothing yet", "plan", "edited.yaml")
    call("run", "edited.yaml", "--progress", "none")
    ids, results = planned()
    holds(results, kept=ids.values())
    return ids


def other_formats_and_seeds(old):
    """One format gone, one new, a seed more: the file is packed and is extended."""
    before = digests()
    edit("[BF16, E3M4]", 3)
    ids, results = planned()
    kept = [ids["BF16", 0], ids["BF16", 1]]
    orphans = [old["E4M3", 0], old["E4M3", 1]]
    new = [ids["BF16", 2]] + [ids["E3M4", seed] for seed in range(3)]
    holds(results, kept=kept, orphaned=orphans, new=new)
    says("2 kept, 4 to train, 2 orphaned (complete, but not in this grid; they stay)", "plan",
         "edited.yaml")
    says("6 runs, 2 complete", "run", "edited.yaml", "--progress", "plain")
    after = digests()
    check(sorted(after) == sorted(kept + orphans + new), "runs are missing, or too many")
    for run in kept + orphans:
        check(before[run][0] == after[run][0], f"{run} is not as it was")
        check(after[run][1] == (run in orphans), f"{run}: orphan is {after[run][1]}")
    says("2 that the experiment no longer names", "status", "out.h5")
    says("2 more runs of earlier versions", "summary", "out.h5")
    return ids, orphans


def back_again(orphans):
    """What was orphaned is kept when the experiment asks for it again."""
    edit("[BF16, E4M3]", 2)
    _, results = planned()
    check(set(orphans) <= set(results["kept"]), f"orphans come back: {results}")
    check(len(results["orphaned"]) == 4 and not results["new"], f"others leave: {results}")
    before = digests()
    says("4 runs, 4 complete", "run", "edited.yaml", "--progress", "plain")
    after = digests()
    check(all(before[run][0] == after[run][0] for run in before), "something was trained again")
    check(sum(after[run][1] for run in after) == 4, "four orphans")


def failed():
    """A failed run is pending again, whether the experiment is edited or not."""
    edit("[BF16, E4M3, E5M2]", 2)
    ids, _ = planned()
    write("fail", f'"id":"{ids["E5M2", 1]}"')
    call("run", "edited.yaml", "--progress", "none", code=1)
    _, results = planned()
    check(results["failed"] == [ids["E5M2", 1]], f"one failed: {results}")
    check(len(results["kept"]) == 5 and not results["new"], f"five are kept: {results}")
    says("5 kept, 1 to train (1 failed before), 4 orphaned", "plan", "edited.yaml")
    edit("[BF16, E5M2]", 2)
    says("3 kept, 1 to train (1 failed before), 6 orphaned", "plan", "edited.yaml")
    os.remove("fail")
    says("4 runs, 3 complete", "run", "edited.yaml", "--progress", "plain")
    ids, results = planned()
    check(sorted(results["kept"]) == sorted(ids.values()), f"all are complete: {results}")


def again_in_vain():
    """A run that is trained again and fails keeps its old result."""
    ids, _ = planned()
    before = digests()
    write("fail", f'"id":"{ids["E5M2", 0]}"')
    call("run", "edited.yaml", "--progress", "none", "--again", ids["E5M2", 0], code=1)
    os.remove("fail")
    _, results = planned()
    check(sorted(results["kept"]) == sorted(ids.values()), f"all are kept: {results}")
    check(before == digests(), "the old result is not there any more")
    says("4 runs, 4 complete", "run", "edited.yaml", "--progress", "plain")


def recorded_less():
    """Weights, or evaluations, that a kept run did not record: told, and never lost by a run."""
    edit("[BF16, E5M2]", 2, weights="initial+final")
    ids, results = planned()
    check(sorted(results["recorded_less"]) == sorted(ids.values()), f"no initial weights: {results}")
    says("4 of the kept runs recorded less than output.weights now asks for", "plan", "edited.yaml")
    said = call("run", "edited.yaml", "--progress", "plain")
    check("4 of the kept runs recorded less than output.weights now asks for" in said,
          f"run warns: {said}")
    _, results = planned()  # the grid in the file is the new one now; what was recorded is not
    check(len(results["recorded_less"]) == 4, f"still without initial weights: {results}")
    call("run", "edited.yaml", "--progress", "none", "--again", "format=E5M2")
    _, results = planned()
    check(sorted(results["recorded_less"]) == sorted([ids["BF16", 0], ids["BF16", 1]]),
          f"two were trained again: {results}")
    with h5py.File("out.h5") as file:
        having = {run for run, group in file["runs"].items() if "weights_initial" in group}
    check(having == {ids["E5M2", 0], ids["E5M2", 1]}, f"initial weights in {having}")
    for every, wanted in [(2, 0), (4, 0), (3, 4), (1, 4), (0, 0)]:
        edit("[BF16, E5M2]", 2, every=every)
        _, results = planned()
        got = len(results["recorded_less"])
        check(got == wanted, f"eval.every {every} after 2: {got} recorded less, not {wanted}")


def main():
    program, train = map(os.path.abspath, sys.argv[1:])
    with scratch_folder():
        os.mkdir("bin")
        shutil.copy(program, "bin/altgrad")
        write("bin/altgrad-train", FAILING.format(train=train))
        os.chmod("bin/altgrad-train", 0o755)
        _, orphans = other_formats_and_seeds(first())
        back_again(orphans)
        failed()
        again_in_vain()
        recorded_less()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
