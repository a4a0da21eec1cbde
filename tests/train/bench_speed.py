#!/usr/bin/python3
"""Tokens per second of a training step in each format, side by side on one core.

    tests/train/bench_speed.py [BUILD_DIR] [--rounds N] [--experiment FILE]

Each round is one `altgrad bench`, which trains every format of the experiment for some steps, one
after another, so that a noisy minute strikes all of them; a figure is the median over the rounds, a
ratio the median of the rounds' ratios to the first format.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path
from statistics import median

TOP = Path(__file__).resolve().parents[2]


def tokens_per_s(build, experiment, steps):
    """{format: tokens/s} of one round."""
    command = [build / "altgrad", "bench", experiment, "--threads", "1", "--steps", str(steps)]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True)
    return {found["format"]: found["tokens_per_s"] for found in json.loads(done.stdout)["formats"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=TOP / "build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--experiment", type=Path, default=TOP / "jobs/speed.yaml")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    build = options.build.resolve()
    rounds = [
        tokens_per_s(build, options.experiment, options.steps) for _ in range(options.rounds)
    ]
    first = next(iter(rounds[0]))
    print(f"{'format':<16} {'tokens/s':>9} {'min':>7} {'max':>7}   ratio to {first}")
    for name in rounds[0]:
        speeds = [speeds[name] for speeds in rounds]
        ratio = median(speeds[name] / speeds[first] for speeds in rounds)
        print(f"{name:<16} {median(speeds):9.0f} {min(speeds):7.0f} {max(speeds):7.0f}   {ratio:.2f}")


if __name__ == "__main__":
    main()
