#!/usr/bin/python3
"""Kills altgrad-train at random moments until its run is done, and compares what it leaves with an
undisturbed run.

    kill_resume.py BUILD_DIR [--kills N] [--seed N]

SIGKILL strikes at a moment drawn from the time that the undisturbed run takes, while checkpoints
are written after nearly every step; so it strikes in the middle of many. The same command goes on.
A damaged checkpoint, or anything else than timings that differs, is a failure.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "app"))
import compare_results  # noqa: E402  (found by the line before)

FEW_STEPS = {"train.steps": 120, "eval.every": 25}


def assignments(build):
    """One line of JSON for every run of the experiment that uses the most."""
    settings = [word for key, value in FEW_STEPS.items() for word in ("--set", f"{key}={value}")]
    experiment = HERE.parent / "app/determinism.yaml"
    plan = subprocess.run(
        [build / "altgrad", "plan", experiment, "--json", *settings],
        check=True, capture_output=True,
    )
    return [json.dumps(run) for run in json.loads(plan.stdout)["runs"]]


class Trainer:
    """altgrad-train on one assignment, in a folder."""

    def __init__(self, build, assignment, folder):
        self.command = [build / "altgrad-train", "--quiet", "-o", folder / "run.h5"]
        self.command += ["--checkpoint", folder / "run.ckpt", "--checkpoint-every", "1e-6"]
        self.assignment = assignment.encode()
        self.messages = ""

    def run(self, limit_s):
        """True when it came to its end; False when it was killed after the limit."""
        child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            _, messages = child.communicate(self.assignment, timeout=limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            _, messages = child.communicate()
        self.messages += messages.decode()
        if child.returncode not in (0, -9) or "warning" in self.messages:
            sys.exit(f"exit code {child.returncode}: {self.messages}")
        return child.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    build = options.build.resolve()
    lot = random.Random(options.seed)
    kills = resumed = finished = 0
    runs = assignments(build)
    with tempfile.TemporaryDirectory() as top:
        while kills < options.kills or resumed == 0:
            folder = Path(top) / str(finished)
            for name in ("whole", "killed"):
                (folder / name).mkdir(parents=True)
            whole = Trainer(build, runs[finished % len(runs)], folder / "whole")
            start = time.monotonic()
            whole.run(None)
            seconds = time.monotonic() - start
            killed = Trainer(build, runs[finished % len(runs)], folder / "killed")
            while not killed.run(lot.uniform(0.0, seconds)):
                kills += 1
            resumed += killed.messages.count("resumed at step")
            finished += 1
            first, second = (
                compare_results.contents(folder / name / "run.h5") for name in ("whole", "killed")
            )
            if first != second or len(first) < 20:
                sys.exit(f"seed {options.seed}: run {finished} differs after: {killed.messages}")
    print(f"{finished} runs, {kills} kills, {resumed} times resumed: the same to the last bit")


if __name__ == "__main__":
    main()
