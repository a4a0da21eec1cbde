#!/usr/bin/python3
"""Tokens per second of a training step in each format, side by side on one core.

    tests/train/bench_speed.py [BUILD_DIR] [--rounds N] [--experiment FILE]

Each round trains every format of the experiment once, one after another, so that a noisy minute
strikes all of them; a figure is the median over the rounds, a ratio the median of the rounds'
ratios to the first format.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import h5py

TOP = Path(__file__).resolve().parents[2]


def assignments(build, experiment):
    """(format, assignment as JSON text) of every run of the experiment."""
    plan = subprocess.run(
        [build / "altgrad", "plan", experiment, "--json"], check=True, capture_output=True
    )
    planned = json.loads(plan.stdout)
    formats = {label["id"]: label["format"] for label in planned["labels"]}
    for run in planned["runs"]:
        yield formats[run["id"]], json.dumps(run)


def tokens_per_s(build, assignment, folder):
    path = Path(folder) / "run.h5"
    subprocess.run(
        [build / "altgrad-train", "--quiet", "-o", path],
        input=assignment.encode(), check=True,
    )
    with h5py.File(path) as file:
        (run,) = file["runs"].values()
        return float(run["timing"].attrs["tokens_per_s"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=TOP / "build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--experiment", type=Path, default=TOP / "jobs/speed.yaml")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    build = options.build.resolve()
    runs = list(assignments(build, options.experiment))
    with tempfile.TemporaryDirectory() as folder:
        rounds = [
            [tokens_per_s(build, text, folder) for _, text in runs] for _ in range(options.rounds)
        ]
    print(f"{'format':<16} {'tokens/s':>9} {'min':>7} {'max':>7}   ratio to {runs[0][0]}")
    for (name, _), speeds in zip(runs, zip(*rounds)):
        ratio = median(speed / first for speed, (first, *_) in zip(speeds, rounds))
        print(f"{name:<16} {median(speeds):9.0f} {min(speeds):7.0f} {max(speeds):7.0f}   {ratio:.2f}")


if __name__ == "__main__":
    main()
