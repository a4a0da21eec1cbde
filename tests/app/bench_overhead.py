#!/usr/bin/python3
"""What altgrad itself costs, in figures; nothing here passes or fails.

    bench_overhead.py ALTGRAD MPIEXEC [one-step] [coordinator] [ideal] [plan] [--runs N] [--ranks N]

one-step     runs a second through the whole path, of one step each: start, train, send, store
coordinator  processor time of rank 0 while every rank's trainer is busy
ideal        500 runs of a second each against the time that their training takes by itself
plan         'plan' and 'status' of 10,000 runs
"""

import argparse
import json
import os
import resource
import subprocess
import time
from pathlib import Path

import h5py

from support import HERE, scratch_folder, steps_for

TINY = """
altgrad: 1
name: tiny
model: {n_layer: 1, n_head: 1, n_embd: 16, block_size: 8}
data: {synthetic: markov, vocab: 8, order: 1, tokens: 2000, seed: 1}
train: {steps: 1, batch_size: 1}
eval: {windows: 1}
output: {weights: none}
"""
# of some hundred steps a second: series as long as in a training
SMALL = """
altgrad: 1
name: small
model: {n_layer: 2, n_head: 2, n_embd: 64, block_size: 32}
data: {synthetic: markov, vocab: 8, order: 1, tokens: 20000, seed: 1}
train: {steps: 1, batch_size: 8}
eval: {windows: 1}
"""


def seconds(command, count=1):
    """Wall clock and processor time of a command, the best of `count`."""
    best = (1e9, 1e9)
    for _ in range(count):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, (wall, used))
    return best


def load():
    return f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores"


class Bench:
    def __init__(self, options):
        self.options = options
        self.altgrad = os.path.abspath(options.altgrad)
        self.number = 0

    def write(self, text):
        self.number += 1
        path = f"{self.number}.yaml"
        Path(path).write_text(text)
        return path

    def command(self, ranks, file, out, *more):
        launcher = [self.options.mpiexec, "-n", str(ranks)] if ranks > 0 else []
        command = [*launcher, self.altgrad, "run", file, "-o", out, "--progress", "none"]
        return command + list(more)

    def one_step(self):
        count = self.options.runs or 300
        file = self.write(TINY + f"seeds: {count}\n")
        for ranks in (1, 2, self.options.ranks) if self.options.ranks > 2 else (1, 2):
            idle, _ = seconds(self.command(ranks, file, f"one{ranks}.h5", "--only", "seed=0"))
            wall, used = seconds(self.command(ranks, file, f"one{ranks}.h5"))
            print(
                f"one-step, np {ranks}: {(count - 1) / (wall - idle):.0f} runs/s ({count} runs in "
                f"{wall:.1f} s, {1000 * used / count:.1f} ms of processor time a run; {load()})"
            )

    def coordinator(self):
        ranks = self.options.ranks
        one = self.write((HERE / "drain.yaml").read_text())
        steps = int(steps_for(self.altgrad, one, 4.0)) * 30  # four runs: half a minute each
        out = "busy.h5"
        job = subprocess.Popen(
            self.command(ranks, one, out, "--set", f"train.steps={steps}"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while not Path(out + ".d/live.json").exists():
            time.sleep(0.1)
        rank0 = int(json.loads(self.status(out))["owner"]["pid"])
        time.sleep(3)
        before, began = processor_s(rank0), time.monotonic()
        time.sleep(10)
        share = (processor_s(rank0) - before) / (time.monotonic() - began)
        job.terminate()
        job.wait()
        print(f"coordinator, np {ranks}: rank 0 takes {100 * share:.1f} % of a core ({load()})")

    def status(self, out):
        command = [self.altgrad, "status", out, "--json"]
        return subprocess.run(command, stdout=subprocess.PIPE).stdout

    def ideal(self):
        count, ranks = self.options.runs or 500, self.options.ranks
        file = self.write(SMALL + f"seeds: {count}\n")
        few = self.write(SMALL + "seeds: 4\n")
        steps = steps_for(self.altgrad, few, 4.0, 200)
        wall, _ = seconds(
            self.command(ranks, file, "ideal.h5", "--set", f"train.steps={steps}",
                         "--set", f"eval.every={steps}")
        )  # fmt: skip
        with h5py.File("ideal.h5") as results:
            spent = [run["timing"].attrs["total_s"] for run in results["runs"].values()]
        training, done = sum(spent), len(spent)
        print(
            f"ideal, np {ranks}: {done} runs of {training / done:.2f} s in {wall:.1f} s, "
            f"{100 * training / ranks / wall:.1f} % of ideal ({load()})"
        )

    def plan(self):
        count = self.options.runs or 10000
        file = self.write(
            TINY + "formats: [BF16, E4M3, E5M2, E3M4, delayed]\nlayer_configs:\n"
            "  uniform: {format: $format}\n"
            f"seeds: {count // 10}\naxes: {{optimizer.lr: [1e-3, 2e-3]}}\n"
        )
        wall, used = seconds([self.altgrad, "plan", file], 5)
        print(f"plan of {count} runs: {wall:.3f} s, {used:.3f} s of processor time ({load()})")
        out = "many.h5"
        seconds(self.command(0, file, out, "--only", "seed=0"))
        plan = subprocess.run([self.altgrad, "plan", file, "--json"], stdout=subprocess.PIPE)
        # their names are what counts; an event for each, as a run leaves it
        with open(out + ".d/events.jsonl", "a") as events:
            for run in json.loads(plan.stdout)["runs"]:
                Path(f"{out}.d/runs/{run['id']}.h5").touch()
                events.write(
                    f'{{"time": "2026-01-31T12:00:00Z", "event": "done", "run": "{run["id"]}", '
                    '"rank": 0, "attempt": 0, "seconds": 1.000}\n'
                )
        wall, used = seconds([self.altgrad, "status", out], 5)
        print(f"status of {count} runs: {wall:.3f} s, {used:.3f} s of processor time ({load()})")


def processor_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("altgrad")
    parser.add_argument("mpiexec")
    parser.add_argument("what", nargs="*", default=["one-step", "coordinator", "plan", "ideal"])
    parser.add_argument("--runs", type=int)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    bench = Bench(options)
    with scratch_folder():
        for what in options.what:
            getattr(bench, what.replace("-", "_"))()


if __name__ == "__main__":
    main()
