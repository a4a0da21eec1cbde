#!/usr/bin/python3
"""Trainers that crash, fail, hang and hoard, beside others that do not.

    trainer_faults.py ALTGRAD TRAIN BAD_TRAINER MPIEXEC

Each is told with its signal or exit code, its step and the last lines of its log, which stays; all
other runs complete; exit code 1; and the same command, once they behave, completes the rest. Where
this process may make a control group, a trainer is killed by the kernel for want of memory as well.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py

from support import check, failures, few, scratch_folder

# what it does -> how its end is told
FAULTS = {
    "segfault": r"was killed by SIGSEGV \(Segmentation fault\)",
    "abort": r"was killed by SIGABRT \(Aborted\)",
    "exit": r"ended with exit code 7",
    "divide": r"was killed by SIGFPE \(Floating point exception\)",
    "overflow": r"was killed by SIGSEGV \(Segmentation fault\)",
    "loop": r"made no progress for 2 s",
    "crawl": r"passed its time limit of 5 s",
    "hoard": r"passed its memory limit of 100 MiB",
}


class Bench:
    """A folder with the programs, the experiment and the deeds."""

    def __init__(self, altgrad, train, bad_trainer, mpiexec):
        self.mpiexec = mpiexec
        shutil.copy(altgrad, "altgrad")
        shutil.copy(bad_trainer, "altgrad-train")
        few("seeds: 24",
            "run: {retries: 0, stall_limit: 2s, time_limit: 5s, memory_limit: 100M}")
        os.environ["ALTGRAD_REAL_TRAINER"] = train
        plan = subprocess.run(
            ["./altgrad", "plan", "few.yaml", "--json"], check=True, stdout=subprocess.PIPE
        )
        self.ids = [run["id"] for run in json.loads(plan.stdout)["runs"]]
        os.mkdir("deeds")

    def deed(self, run, name):
        Path(f"deeds/{run}").write_text(name)

    def run(self, out, ranks, *options, group=None):
        """Exit code and all that was said."""
        launcher = [self.mpiexec, "-n", str(ranks)] if ranks > 0 else []
        command = [*launcher, "./altgrad", "run", "few.yaml", "-o", out, "--progress", "plain"]
        join = (lambda: Path(group, "cgroup.procs").write_text(str(os.getpid()))) if group else None
        done = subprocess.run(
            command + list(options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=100, preexec_fn=join,
        )  # fmt: skip
        return done.returncode, done.stdout


def reason_of(text, run):
    """What is told of a failure, less its log and how to repeat it."""
    match = re.search(rf"run {run} [^\n]* failed on rank \d+: (.*?)\n  log: +(\S+)\n", text, re.S)
    return match.groups() if match else ("", "")


def status_of(out):
    with h5py.File(out, "r") as file:
        return {row["id"].decode(): row for row in file["index"][()]}


def test_faults(bench, ranks):
    out = f"np{ranks}.h5"
    bad = dict(zip(bench.ids[1::3], FAULTS))  # never ten in a row
    for run, deed in bad.items():
        bench.deed(run, deed)
    code, text = bench.run(out, ranks)
    check(code == 1, f"np {ranks}: exit code {code}\n{text}")
    rows = status_of(out)
    check(len(rows) == len(bench.ids), f"np {ranks}: {len(rows)} rows")
    for run, row in rows.items():
        expected = b"failed" if run in bad else b"done"
        check(row["status"] == expected, f"np {ranks}: {run} ({bad.get(run)}) is {row['status']}")
        log = os.path.exists(f"{out}.d/logs/{run}.log")
        check(log == (run in bad), f"np {ranks}: {run} ({bad.get(run)}) has a log: {log}")
    for run, deed in bad.items():
        reason, log = reason_of(text, run)
        wanted = FAULTS[deed] + rf" at step 5 of 10, using \d+ MiB\n"
        wanted += f"a line before\nthe last word before: {deed}$"
        check(re.fullmatch(wanted, reason), f"np {ranks}: {deed}: {reason!r}\n{text}")
        check(rows[run]["reason"].decode() in reason, f"np {ranks}: {deed}: {rows[run]['reason']}")
        check(f"before: {deed}" in Path(log).read_text(), f"np {ranks}: {log}")
    for run in bad:
        os.unlink(f"deeds/{run}")
    code, text = bench.run(out, ranks)
    check(code == 0, f"np {ranks}: again: exit code {code}\n{text}")
    left = {row["status"] for row in status_of(out).values()}
    check(left == {b"done"}, f"np {ranks}: again: {left}")


def test_blame(bench):
    """Runs that fail on whatever rank: no rank is set aside for them."""
    for run in bench.ids[:4]:
        bench.deed(run, "exit")
    code, text = bench.run("blame.h5", 2, "--set", "run.retries=1")
    check(code == 1, f"blame: exit code {code}\n{text}")
    check("20/24 runs done, 4 failed" in text, f"blame: {text}")
    check("it gets no more runs" not in text, f"blame: {text}")
    for run in bench.ids[:4]:
        os.unlink(f"deeds/{run}")


def make_group(megabytes):
    """The folder of a control group with a limit, or None."""
    for top, limit in (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        ("/sys/fs/cgroup", "memory.max"),
    ):
        group = Path(top, f"altgrad-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(megabytes << 20))
            return group
        except OSError:
            group.rmdir()
    return None


def test_out_of_memory(bench):
    group = make_group(400)
    if group is None:
        print("no control group can be made here: the kernel's killer was not met")
        return
    try:
        bench.deed(bench.ids[0], "hoard")
        limits = ("memory_limit", "time_limit", "stall_limit")
        off = [word for limit in limits for word in ("--set", f"run.{limit}=none")]
        code, text = bench.run("oom.h5", 0, *off, group=group)
    finally:
        group.rmdir()
    reason, _ = reason_of(text, bench.ids[0])
    check(code == 1, f"out of memory: exit code {code}\n{text}")
    wanted = rf"was killed by the kernel for want of memory \(SIGKILL; 400 MiB .*{group.name}"
    check(re.match(wanted, reason), f"out of memory: {reason!r}\n{text}")
    check("23/24 runs done" in text, f"out of memory: others\n{text}")
    os.unlink(f"deeds/{bench.ids[0]}")


def main():
    programs = [os.path.abspath(path) for path in sys.argv[1:4]]
    with scratch_folder():
        bench = Bench(*programs, sys.argv[4])
        test_faults(bench, 0)
        test_faults(bench, 2)
        test_blame(bench)
        test_out_of_memory(bench)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
