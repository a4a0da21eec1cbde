#!/usr/bin/python3
"""check_version1.py ALTGRAD: every command, and the analysis, read results of the first version as
version1/README tells; what h5py finds in them says what is right."""

import json
import math
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
from support import HERE, Altgrad, check, failures, scratch_folder, write

sys.path.insert(0, str(HERE.parents[1] / "analysis"))

from altgrad_analysis import Results  # noqa: E402

SAMPLES = HERE / "version1"
FIRST = (SAMPLES / "first.yaml").read_text()
BEGUN = "600ff8a78f0e"  # BF16, seed 0: complete in packed.h5, a checkpoint in spooled.h5
SECOND = "452ffea897bb"  # BF16, seed 1: not begun in spooled.h5
RUINED = ("4f620d849fd6", "93d31fffafbf")
ORPHAN = "b740b9bc31a4"
ALL = [BEGUN, SECOND, *RUINED]


class Stored:
    """What the file of the first version says of its runs."""

    def __init__(self, path):
        with h5py.File(path, "r") as file:
            check(file.attrs["format_version"] == 1, f"{path} is of the first version")
            runs = file["runs"].items()
            self.status = {id: run.attrs["status"] for id, run in runs}
            self.val_loss = {id: run.attrs["val_loss"] for id, run in runs}
            self.digest = {id: run.attrs["weights_digest"] for id, run in runs}
            self.curve = {id: run["val/val_loss"][...] for id, run in runs}
            self.loss = {id: run["metrics/loss"][...] for id, run in runs}
            self.rank = {id: run["diagnostics/rank/lm_head/stable_rank"][...] for id, run in runs}


def same(a, b):
    return np.array_equal(a, b, equal_nan=True)


def samples_are_what_they_should_be(old):
    check(set(old.status.values()) == {"done"}, f"all are done, it says: {old.status}")
    check(math.isfinite(old.val_loss[RUINED[0]]), "seed 0 has a finite validation loss")
    check(math.isnan(old.loss[RUINED[0]][-1]), "and a last training loss that is not")
    check(math.isnan(old.val_loss[RUINED[1]]), "seed 1 has a validation loss that is not finite")


def counts(program):
    """Done, diverged, failed, pending, in every command the same."""
    said = program.call("status", "packed.h5")
    check("4: 2 done, 2 diverged, 0 failed, 0 pending; 1 that the experiment no" in said, said)
    said = program.call("status", "spooled.h5", code=75)
    check("4: 0 done, 2 diverged, 0 failed, 2 pending" in said, said)
    told = json.loads(program.call("status", "spooled.h5", "--json", code=75))["runs"]
    check([told[k] for k in ("done", "diverged", "failed", "pending")] == [0, 2, 0, 2], told)
    said = program.call("check", "packed.h5")
    check("4 of 4 runs are complete and good (2 done, 2 diverged), 1 that the" in said, said)
    said = program.call("check", "spooled.h5")
    check("2 of 4 runs are complete and good (0 done, 2 diverged), 2 pending;" in said, said)
    check("nothing is damaged" in said, said)
    said = program.call("plan", "first.yaml", "-o", "spooled.h5")
    check("0 kept, 4 to train, 2 orphaned (complete, but made by numerics 1, and this" in said, said)


def summaries(program, old):
    told = json.loads(program.call("summary", "packed.h5", "--json"))
    check(told["metric"] == "final_val_loss", "what was val_loss is final_val_loss now")
    check(told["runs"] == dict(total=4, done=2, diverged=2, failed=0, pending=0), told["runs"])
    bf16, special = told["cells"]
    mean = (old.val_loss[BEGUN] + old.val_loss[SECOND]) / 2
    check(math.isclose(bf16["mean"], mean, rel_tol=1e-15), f"{bf16} but {mean}")
    check((bf16["done"], special["done"], special["diverged"]) == (2, 0, 2), told["cells"])
    check((special["verdict"], special["mean"]) == ("diverged", None), special)
    told = json.loads(program.call("summary", "spooled.h5", "--json", "--spikes", "2"))
    check(told["cells"][1]["loss_spikes"] is not None, f"curves of spooled runs: {told}")
    check(told["runs"] == dict(total=4, done=0, diverged=2, failed=0, pending=2), told["runs"])


def analysis(path, ids, old):
    """The whole validation part is the last value of val_loss, and no point of the curve."""
    results = Results(path)
    index = results.index.set_index("id")
    for id in ids:
        check(same(index.final_val_loss[id], old.val_loss[id]), f"{path}: {id}: {index}")
        check(index.status[id] == ("diverged" if id in RUINED else "done"), f"{path}: {index}")
        curve = results.curves("val_loss").query("id == @id")["value"].to_numpy()
        right = old.curve[id][:-1]
        check(same(curve, right[np.isfinite(right)]), f"{path}: {id}: {curve}, not {right}")
        sampled = results.samples("diagnostics/rank").query("id == @id and layer == 'lm_head'")
        check(same(sampled["stable_rank"], old.rank[id]), f"{path}: {id}: {sampled}")
    table = results.table()
    check(list(table["diverged"]) == [0, 2], f"{path}: {table}")
    check(list(table["done"] + table["pending"]) == [2, 0], f"{path}: {table}")


def digests(path):
    with h5py.File(path, "r") as file:
        return {id: run.attrs["weights_digest"] for id, run in file["runs"].items()}


def merged(program, old):
    said = program.call("merge", "merged.h5", "spooled.h5", "packed.h5")
    check("5 new runs from 2 parts; 4 runs: 2 done, 2 diverged, 0 failed, 0 pending" in said, said)
    check(digests("merged.h5") == old.digest, "merge: weights")
    check("4: 2 done, 2 diverged, 0 failed" in program.call("status", "merged.h5"), "merged: status")
    analysis("merged.h5", ALL, old)


def pruned(program, old):
    shutil.copy("packed.h5", "pruned.h5")
    check(ORPHAN in program.call("prune", "pruned.h5"), "prune names the orphan")
    program.call("prune", "pruned.h5", "--yes")
    check(set(digests("pruned.h5")) == set(ALL), "prune removes the orphan alone")
    said = program.call("check", "pruned.h5")
    check("4 of 4 runs are complete and good (2 done, 2 diverged); nothing" in said, said)
    analysis("pruned.h5", ALL, old)


def trained_again(program, old):
    """The numerics have changed since: the runs of then stay, apart, and its checkpoint is left."""
    said = program.call("run", "first.yaml", "-o", "spooled.h5", "--progress", "plain")
    check("2 complete runs of spooled.h5 were made by numerics 1" in said, said)
    check("1 checkpoint of spooled.h5 was made by numerics 1" in said, said)
    check("4 runs, 0 complete; 1 at a time" in said and "2/4 runs done, 2 diverged\n" in said, said)
    found = digests("spooled.h5")
    check(all(found[id] == old.digest[id] for id in RUINED), "the runs of then stay")
    check(len(found) == 6 and BEGUN not in found, f"four runs have come: {sorted(found)}")
    with h5py.File("spooled.h5", "r") as file:
        orphans = {id.decode() for id in file["orphans"]["id"]}
        new = [id.decode() for id in file["index"]["id"]]
        check(orphans == set(RUINED), f"orphans: {orphans}")
        for id in new:
            check(file[f"runs/{id}/metrics/loss"].shape == old.loss[BEGUN].shape, f"{id}: steps")
    check("4: 2 done, 2 diverged, 0 failed" in program.call("status", "spooled.h5"), "counts")


def started_from(program, old):
    """The weights of an old run, evaluated on the same data in the same format."""
    text = FIRST[: FIRST.index("formats:")].replace("steps: 4", "steps: 0")
    text = text.replace("block_size: 4", f"block_size: 4, init: {{file: packed.h5, run: {BEGUN}}}")
    write("init.yaml", text + "formats: [BF16]\nseeds: 1\n")
    program.call("run", "init.yaml", "-o", "init.h5", "--progress", "none")
    value = Results("init.h5").index["final_val_loss"][0]
    check(value == old.val_loss[BEGUN], f"model.init: {value}, not {old.val_loss[BEGUN]}")


def main(altgrad):
    program = Altgrad(altgrad)
    with scratch_folder() as folder:
        shutil.unpack_archive(SAMPLES / "results.tar.gz", folder, "gztar")
        write("first.yaml", FIRST)
        old = Stored("packed.h5")
        samples_are_what_they_should_be(old)
        counts(program)
        summaries(program, old)
        analysis("packed.h5", ALL, old)
        analysis("spooled.h5", RUINED, old)
        started_from(program, old)
        merged(program, old)
        pruned(program, old)
        trained_again(program, old)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
