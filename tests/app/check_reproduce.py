#!/usr/bin/python3
"""altgrad reproduce, on a real experiment that is packed, spooled, altered, and moved.

    check_reproduce.py ALTGRAD

Runs in BF16, E4M3, with stochastic rounding and delayed scales, each once well and once diverging;
then MX and NVFP4 with everything sampled. What is altered here, by h5py, must be named by dataset,
step and both values; nothing else may be.
"""

import json
import os
import shutil
import sys

import h5py
import numpy as np

from support import Altgrad, check, failures, scratch_folder, write

EXPERIMENT = """
altgrad: 1
name: again
model: {n_layer: 1, n_head: 2, n_embd: 16, block_size: 16}
data: {text: text.txt}
train: {steps: 12, batch_size: 4}
optimizer: {warmup: 2}
eval: {every: 5, windows: 4, batch: 4}
formats:
  - BF16
  - E4M3
  - {name: sr, all: E5M2, rounding: stochastic}
  - {name: delayed, all: E4M3, scaling: {amax: delayed, history: 4}}
axes: {optimizer.lr: [0.01, 30.0]}
stop: {loss_ratio: 1.5}
output: {file: out.h5, weights: initial+final}
"""
# blocks of 32 have their dimensions; `hot` meets Inf where the learning rate is high
OBSERVED = """
altgrad: 1
name: observed
model: {n_layer: 1, n_head: 2, n_embd: 32, block_size: 32}
data: {text: text.txt}
train: {steps: 12, batch_size: 2, grad_accum: 2}
optimizer: {warmup: 2}
eval: {every: 0, windows: 4, batch: 4}
observe: {quant_every: 5, diagnostics: ALL}
formats:
  - mxfp8
  - nvfp4
  - {name: hot, all: E5M2, overflow: special, scaling: {amax: none}}
axes: {optimizer.lr: [0.01, 100.0]}
stop: {loss_ratio: 0}
output: {file: observed.h5}
"""
altgrad = Altgrad(os.path.abspath(sys.argv[1]))
call, says = altgrad.call, altgrad.says


def reproduced(path, *arguments, code=0):
    answer = json.loads(call("reproduce", path, "--json", *arguments, code=code))
    check(answer["exit_code"] == code, f"{path}: exit code in JSON")
    return answer


def everything(folder):
    """The bytes of every file below a folder."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                found[os.path.join(where, name)] = file.read()
    return found


def altered(path, run, change):
    """A copy of the results in which `change` was done to the group of a run."""
    shutil.copy(path, "altered.h5")
    with h5py.File("altered.h5", "r+") as file:
        change(file["runs"][run])
    answer = reproduced("altered.h5", run, code=1)
    check(answer["different"] == 1, "one run differs")
    return [
        (each["name"], each["place"], each["stored"], each["now"], each["count"])
        for each in answer["runs"][0]["differences"]
    ]


def experiment():
    write("text.txt", "".join("abcde fgh\n"[(i * i + i // 7) % 10] for i in range(6000)))
    write("again.yaml", EXPERIMENT)


def spooled():
    """Before the experiment is complete: run files."""
    call("run", "again.yaml", "--progress", "none", "--only", "format=BF16,sr", code=0)
    check(os.path.isdir("out.h5.d/runs"), "the results are spooled")
    answer = reproduced("out.h5")
    check(answer["same"] == 4, f"four spooled runs: {answer}")
    name = sorted(os.listdir("out.h5.d/runs"))[0]
    shutil.copytree("out.h5.d", "copy.h5.d")
    shutil.copy("out.h5", "copy.h5")
    with h5py.File(f"copy.h5.d/runs/{name}", "r+") as file:
        file["runs"][name[:-3]]["metrics/loss"][1] += 1
    says("metrics/loss at step 1:", "reproduce", "copy.h5", name[:4], code=1)


def packed():
    call("run", "again.yaml", "--progress", "none")
    check(not os.path.isdir("out.h5.d/runs"), "the results are packed")
    before = everything(".")
    answer = reproduced("out.h5", "-j", "3")
    check(everything(".") == before, "reproduce changed a file")
    check(answer["same"] == 8 and len(answer["runs"]) == 8, f"eight packed runs: {answer}")
    with h5py.File("out.h5") as file:
        rows = [len(file[f"runs/{each['run']}/tensors"]) for each in answer["runs"]]
        status = [file[f"runs/{each['run']}"].attrs["status"] for each in answer["runs"]]
        check(rows == [each["datasets"] for each in answer["runs"]], "every dataset is compared")
        check(sorted(set(status)) == ["diverged", "done"], f"some diverge, some do not: {status}")
        engine = file["timing"][0]["blas"].decode()
    # Each process times pairs of BF16 for itself, so that one which was disturbed may do without.
    engines = {each["now"]["blas"].removesuffix(" and BF16") for each in answer["runs"]}
    check(engines == {engine.removesuffix(" and BF16")}, f"the same engine: {engines}")


def alterations():
    with h5py.File("out.h5") as file:
        runs = {run: group.attrs["status"] for run, group in file["runs"].items()}
        run = next(run for run, status in runs.items() if status == "done")
        loss = file[f"runs/{run}/metrics/loss"][7]
        val = file[f"runs/{run}/val/val_loss"][1]
        weight = file[f"runs/{run}/weights/transformer.h.0.mlp.c_fc.weight"][3, 5]

    def loss_up(group):
        group["metrics/loss"][7] = loss + 1
        group["metrics/loss"][9] += 1

    flipped = (weight.view("uint32") ^ np.uint32(1)).view("float32")

    def bit_flipped(group):
        group["weights/transformer.h.0.mlp.c_fc.weight"][3, 5] = flipped

    def zero_signed(group):
        group["metrics/skipped"][2] = 1
        group["val/val_loss"][1] = -1.0

    def reported(group):
        group.attrs["val_loss"] = 0.5

    def dropped(group):
        del group["final_windows"]
        rows = group["tensors"][()]
        del group["tensors"]
        group["tensors"] = rows[rows["name"] != b"final_windows"]

    expected = {
        loss_up: [("metrics/loss", "step 7", float(loss + 1), float(loss), 2)],
        bit_flipped: [
            ("weights/transformer.h.0.mlp.c_fc.weight", "element [3, 5]", flipped, weight, 1)
        ],
        zero_signed: [
            ("metrics/skipped", "step 2", 1, 0, 1),
            ("val/val_loss", "step 5", -1.0, float(val), 1),
        ],
        dropped: [("final_windows", "", "missing", "recorded", 1)],
    }
    for change, wanted in expected.items():
        got = altered("out.h5", run, change)
        same = len(got) == len(wanted) and all(
            a[:2] == b[:2] and a[4] == b[4] and all(type(y)(x) == y for x, y in zip(a[2:4], b[2:4]))
            for a, b in zip(got, wanted)
        )
        check(same, f"{change.__name__}: {got}, not {wanted}")
    got = altered("out.h5", run, reported)
    check([each[:3] for each in got] == [("val_loss", "", "0.5")], f"an attribute: {got}")
    shutil.copy("out.h5", "foreign.h5")
    with h5py.File("foreign.h5", "r+") as file:
        group = file[f"runs/{run}"]
        config = group["config"][()].decode().replace('"lr":0.01', '"lr":0.02')
        del group["config"]
        group["config"] = config
        group["timing"].attrs["build"] = "0.0.1"
    says("is not the id of this run", "reproduce", "foreign.h5", run, code=3)
    with h5py.File("altered.h5", "r+") as file:
        file[f"runs/{run}/timing"].attrs["build"] = "0.0.1"
    says("stored: ", "reproduce", "altered.h5", run, code=1)
    says("altgrad 0.0.1", "reproduce", "altered.h5", run, code=1)


def alter_samples(group):
    """One more in the second sample of every series: what is stored then and what was, by name."""
    values = {}

    def alter(name, member):
        if isinstance(member, h5py.Dataset) and not name.endswith("step"):
            was = member[1]
            member[1] = 0 if np.isnan(was) else was + 1
            values[f"{kind}/{name}"] = (float(member[1]), float(was))

    for kind in ("quant", "diagnostics"):
        group[kind].visititems(alter)
    return values


def observed():
    """Everything sampled, of MX and NVFP4 and of a run that met Inf."""
    names = next(param["words"] for param in json.loads(call("params", "--json"))
                 if param["key"] == "observe.diagnostics")
    write("observed.yaml", OBSERVED.replace("ALL", f"[{', '.join(names)}]"))
    folders = {f"diagnostics/{name}" for name in names if name not in ("quant", "nonfinite")}
    call("run", "observed.yaml", "--progress", "none")
    answer = reproduced("observed.h5", "-j", "2")
    check(answer["same"] == 6, f"six runs with samples: {answer}")
    with h5py.File("observed.h5") as file:
        run_of = {row["format"].decode(): row["id"].decode()
                  for row in file["index"] if row["optimizer_lr"] < 1}
        hot = next(run for run, group in file["runs"].items() if group.attrs["nonfinite"])
    for name in ("mxfp8", "nvfp4"):
        values = {}
        got = altered("observed.h5", run_of[name],
                      lambda group: values.update(alter_samples(group)))
        kinds = {"/".join(each.split("/")[:2]) for each in values if each.startswith("diag")}
        check(kinds == folders and len(values) > 400, f"{name}: sampled are {list(values)}")
        check(len(got) == len(values), f"{name}: {len(got)} of {len(values)} are named")
        for series, place, stored, now, count in got:
            numbers = np.array([float(stored), float(now)])
            same = np.array_equal(numbers, values[series], equal_nan=True)
            check(same and (place, count) == ("step 5", 1), f"{name}: {series} {place} {numbers}")

    def found_elsewhere(group):
        group.attrs["nonfinite"] = "NaN in the weight of lm_head, step 1"

    got = altered("observed.h5", hot, found_elsewhere)
    check([each[0] for each in got] == ["nonfinite"], f"where Inf was first: {got}")


def refused(parts, *arguments):
    """The inputs are not those of the run, which is told in these words, and not how to plan."""
    said = call("reproduce", *arguments, "--sample", "1", code=2)
    for part in parts:
        check(part in said, f"{arguments}: '{part}' is not in:\n{said}")
    check("plan" not in said, f"nobody plans here:\n{said}")


def elsewhere():
    """From another folder, then with the data moved, changed and lost."""
    says("8 of 8 runs are the same", "reproduce", os.path.abspath("out.h5"), cwd="/")
    with h5py.File("out.h5") as file:
        timing = file["timing"][0]
        digest = json.loads(file[f"runs/{timing['id'].decode()}/config"][()])["data"]["digest"][:12]
    text = os.path.abspath("text.txt")
    expected = f"expected 5400 training and 600 validation tokens of 10 symbols, digest {digest}"
    advice = "put them back, or '--set data.text=PATH' says where a copy is"
    os.rename("text.txt", "moved.txt")
    refused([f"'{text}': cannot be opened: No such", expected, advice], "out.h5")
    says("8 of 8", "reproduce", "out.h5", "--set", "data.text=moved.txt")
    write("text.txt", "another text\n" * 400)
    refused([f"data.text '{text}': not what this run was trained on, but 4680 training and 520 ",
             expected, advice], "out.h5")
    write("text.txt", "")
    refused([f"data.text '{text}': the file is empty", expected, advice], "out.h5")
    refused(["data.bin 'nowhere/train.bin': cannot be opened", expected,
             "'--set data.bin=PATH' says"], "out.h5", "--set", "data.text=", "--set",
            "data.bin=nowhere")
    refused(["data.synthetic 'markov': not what this run was trained on", expected,
             f"altgrad {timing['build'].decode()} made them"], "out.h5", "--set", "data.text=",
            "--set", "data.synthetic=markov", "--set", "data.vocab=9")
    os.rename("moved.txt", "text.txt")


def started_from_weights():
    with h5py.File("out.h5") as file:
        run = min(run for run, group in file["runs"].items() if group.attrs["status"] == "done")
    init = f"block_size: 16, init: {{file: out.h5, run: {run}}}}}"
    write("init.yaml", EXPERIMENT.replace("block_size: 16}", init))
    call("run", "init.yaml", "-o", "init.h5", "--progress", "none", "--only", "optimizer.lr=0.01")
    answer = reproduced("init.h5")
    check(answer["same"] == 4, f"runs that start from weights: {answer}")
    os.rename("out.h5", "first.h5")
    lost = os.path.abspath("out.h5")
    with h5py.File("first.h5") as file:
        digest = file[f"runs/{run}"].attrs["weights_digest"][:12]
        other = next(each for each, group in file["runs"].items()
                     if group.attrs["weights_digest"][:12] != digest)
    expected = (f"expected weights of digest {digest}: put them back, or "
                "'--set model.init.file=PATH' says where a copy is")
    refused([f"{lost}: No such file", expected], "init.h5")
    refused(["first.h5': not what this run was trained on, but weights of digest", expected],
            "init.h5", "--set", "model.init.file=first.h5", "--set", f"model.init.run={other}")
    says("1 of 1", "reproduce", "init.h5", "--sample", "1", "--set", "model.init.file=first.h5")
    os.rename("first.h5", "out.h5")


def orphans():
    """Runs that the experiment no longer names can be reproduced from the file alone."""
    call("run", "again.yaml", "--progress", "none", "--set", "train.steps=3", "--set",
         "data.val_fraction=0.2")
    answer = reproduced("out.h5", "-j", "2")
    check(answer["same"] == 16, f"eight runs and eight orphans: {answer}")


def command_lines():
    ids = [each["run"] for each in reproduced("out.h5", "--sample", "2")["runs"]]
    with h5py.File("out.h5") as file:
        check(ids == sorted(file["runs"])[:2], "--sample takes the first ids")
    said = call("reproduce", "out.h5", ids[1][:6], ids[1])
    check(said.count("same:") == 1, f"a run that is named twice is trained once: {said}")
    for part, *arguments in [
        ("which results file", "reproduce"),
        ("no such results file", "reproduce", "missing.h5"),
        ("no completed run has an id that begins with 'xyz'", "reproduce", "out.h5", "xyz"),
        ("begins with ''", "reproduce", "out.h5", ""),
        ("from 1 to", "reproduce", "out.h5", "--sample", "0"),
        ("from 1 to", "reproduce", "out.h5", "-j", "two"),
        ("needs a value", "reproduce", "out.h5", "--set"),
        ("expected KEY=VALUE", "reproduce", "out.h5", "--set", "data.text"),
        ("did you mean 'data.text'", "reproduce", "out.h5", "--set", "data.txt=x"),
        ("repeated as it was", "reproduce", "out.h5", "--set", "optimizer.lr=1"),
        ("repeated as it was", "reproduce", "out.h5", "--set", "eval.every=1"),
        ("not both", "reproduce", "out.h5", ids[0], "--sample", "1"),
        ("there is no option '--jason'", "reproduce", "out.h5", "--jason"),
    ]:
        says(part, *arguments, code=2)
    says("not an HDF5 file", "reproduce", "text.txt", code=3)
    says("example:", "reproduce", "--help")


def main():
    with scratch_folder():
        for part in (experiment, spooled, packed, alterations, observed, elsewhere,
                     started_from_weights, orphans, command_lines):
            part()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
