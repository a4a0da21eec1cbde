#!/usr/bin/python3
"""What sampling costs: processor time of a training run with counters and diagnostics, against the
same run without.

    tests/train/bench_observe.py [BUILD_DIR] [--rounds N] [--against ALTGRAD_TRAIN]

Processor time of the child, since a busy machine hardly touches it. Each round trains every setting
once; a ratio is the median of the rounds' ratios to "off", or to the other program's run, which
shows what the hooks cost when nothing is sampled.
"""

import argparse
import json
import resource
import subprocess
import tempfile
from pathlib import Path
from statistics import median

TOP = Path(__file__).resolve().parents[2]
EXPERIMENT = TOP / "jobs/speed.yaml"
ALL = None
SETTINGS = {  # name: (diagnostics, quant_every)
    "off": ([], 100),
    "quant, every 100": (["quant"], 100),
    "quant, every 10": (["quant"], 10),
    "all, every 100": (ALL, 100),
    "all, every 10": (ALL, 10),
}


def answer(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def all_diagnostics(build):
    return next(param["words"] for param in answer(build / "altgrad", "params", "--json")
                if param["key"] == "observe.diagnostics")


def assignment(build, diagnostics, every):
    names = all_diagnostics(build) if diagnostics is ALL else diagnostics
    sets = ["train.steps=101", "train.grad_accum=2",  # noise compares micro-batches
            f"observe.diagnostics=[{', '.join(names)}]", f"observe.quant_every={every}"]
    plan = answer(build / "altgrad", "plan", EXPERIMENT, "--json", "--only", "format=E4M3",
                  *[word for text in sets for word in ("--set", text)])
    return json.dumps(plan["runs"][0]).encode()


def user_s(program, text, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([program, "--quiet", "-o", f"{folder}/run.h5"], input=text, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=TOP / "build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another altgrad-train, to be first")
    options = parser.parse_args()
    build = options.build.resolve()
    runs = [(name, build / "altgrad-train", assignment(build, *how))
            for name, how in SETTINGS.items()]
    if options.against:
        runs.insert(0, ("off, the other program", options.against.resolve(), runs[0][2]))
    with tempfile.TemporaryDirectory() as folder:
        rounds = [[user_s(program, text, folder) for _, program, text in runs]
                  for _ in range(options.rounds)]
    print(f"{'samples':<24} {'user s':>7}   ratio to the first")
    for (name, _, _), seconds in zip(runs, zip(*rounds)):
        ratio = median(s / first for s, (first, *_) in zip(seconds, rounds))
        print(f"{name:<24} {median(seconds):7.2f}   {ratio:.3f}")


if __name__ == "__main__":
    main()
