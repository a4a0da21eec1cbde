#!/usr/bin/python3
"""Kills processes of an experiment at random moments until it is done, again and again.

    kill_experiment.py ALTGRAD MPIEXEC [--kills N] [--seed N] [--ranks N] [--run-seconds S]

Each time SIGKILL strikes mpirun, rank 0, another rank, a trainer or the process that packs: at
start-up, at any moment of the work, or while the results are packed. Then the same command again.
A reader opens the results with h5py all the while. A failure is: a run that was complete and is
gone or changed; a moment at which h5py cannot open the results; processes that stay; a command
that is refused; anything left over at the end; a number in the results that differs from those of
an undisturbed experiment. A seed repeats whom and after what time, not what they were just doing.
"""

import argparse
import collections
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import h5py
import numpy as np

import compare_results
import kept_runs
from support import HERE, steps_for

FATAL = {"mpirun", "rank 0", "other rank"}  # the job ends with them
GONE_S = 30  # processes that are left after that stay for ever
# whom, when: drawn from shuffled decks of these
BEFORE = (
    ("mpirun", "start"), ("rank 0", "start"), ("other rank", "start"), ("trainer", "start"),
    ("mpirun", "work"), ("rank 0", "work"), ("other rank", "work"), ("trainer", "work"),
    ("trainer", "work"), ("packer", "work"),
)  # fmt: skip
AT_THE_END = (("mpirun", "pack"), ("rank 0", "pack"), ("other rank", "pack"), ("packer", "pack"))
KILLS_BEFORE = 3  # an experiment, and one at its end


# --- the reader, a process of its own


def watch(out, log_path):
    """Lines "run ID DIGEST", "open" and "failed ..." until it is killed."""
    seen = set()
    with open(log_path, "a", buffering=1) as log:
        while True:
            watch_runs(out, seen, log)
            watch_results(out, log)
            time.sleep(0.05)


def watch_runs(out, seen, log):
    """Every run file has its final name when it is whole, from the first moment."""
    try:
        names = {name for name in os.listdir(out + ".d/runs") if name.endswith(".h5")}
    except FileNotFoundError:
        return
    for name in names - seen:
        path = f"{out}.d/runs/{name}"
        try:
            with h5py.File(path, "r") as file:
                for run, group in file["runs"].items():
                    log.write(f"run {run} {kept_runs.run_digest(group)}\n")
            seen.add(name)
        except (OSError, KeyError, RuntimeError) as error:
            if os.path.exists(path):  # else it was packed just now
                log.write(f"failed {path}: {error}\n".replace("\n", " ") + "\n")


def watch_results(out, log):
    if not os.path.exists(out):
        return
    try:
        with h5py.File(out, "r") as file:
            index = file["index"][()]
            runs = file["runs"]
            complete = index["id"][np.isin(index["status"], [b"done", b"diverged"])]
            for run in complete:
                runs[run.decode()]["metrics/loss"][()]
            if len(complete) > 0:  # before the first one, no series has a point
                file["curves/loss"][()]
        log.write("open\n")
    except Exception as error:  # whatever it is, a user would meet it too
        log.write(f"failed {out}: {error!r}\n".replace("\n", " ") + "\n")


class Reader:
    def __init__(self, out, log):
        self.log = log
        self.process = subprocess.Popen([sys.executable, __file__, "--watch", out, log])

    def stop(self):
        """What it saw: complete runs with their digests, opens, failures."""
        if self.process.poll() is not None:
            sys.exit(f"FAILED: the reader died: {self.process.returncode}")
        self.process.kill()
        self.process.wait()
        runs, opens, failures = self.seen()
        return runs, opens, failures

    def seen(self):
        runs, opens, failures = {}, 0, []
        lines = Path(self.log).read_text().split("\n")[:-1] if os.path.exists(self.log) else []
        for line in lines:
            what, _, rest = line.partition(" ")
            if what == "run":
                run, digest = rest.split()
                runs[run] = digest
            opens += what == "open"
            if what == "failed":
                failures.append(rest)
        return runs, opens, failures


# --- the job


def read_proc(pid, name):
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def state_and_parent(pid):
    fields = read_proc(pid, "stat").rpartition(b")")[2].split()
    return (fields[0], int(fields[1])) if fields else (b"", 0)


def descendants(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:  # it has ended
        return []
    below = [read_proc(pid, f"task/{task}/children").split() for task in tasks]
    children = [int(child) for some in below for child in some]
    return children + [pid for child in children for pid in descendants(child)]


class Job:
    """`mpirun altgrad run`, and its processes, which are known by a mark in their environment."""

    def __init__(self, command, log, environment):
        self.mark = f"ALTGRAD_KILL_TEST={uuid.uuid4()}".encode()
        name, _, value = self.mark.decode().partition("=")
        self.log = log
        with open(log, "w") as file:
            self.launcher = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, env={**environment, name: value},
            )  # fmt: skip
        self.began = time.monotonic()

    def ended(self):
        return self.launcher.poll() is not None

    def processes(self):
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if self.mark in read_proc(pid, "environ").split(b"\0")]

    def kind_of(self, pid):
        words = read_proc(pid, "cmdline").split(b"\0")
        program = os.path.basename(words[0])
        if pid == self.launcher.pid:
            return "mpirun"
        if program == b"altgrad-train":
            return "" if b"--preflight" in words else "trainer"
        if program == b"altgrad" and words[1] == b"helper":
            if words[2] == b"pack":
                return "final packer"
            return "packer" if words[2] in (b"prepare", b"unpack", b"publish") else ""
        # a child that has not yet called exec looks like its parent
        if program == b"altgrad" and state_and_parent(pid)[1] == self.launcher.pid:
            rank = b"OMPI_COMM_WORLD_RANK=0" in read_proc(pid, "environ").split(b"\0")
            return "rank 0" if rank else "other rank"
        return ""

    def find(self, kind):
        kinds = ("packer", "final packer") if kind == "packer" else (kind,)
        if kind == "mpirun":
            return [] if self.ended() else [self.launcher.pid]
        return [pid for pid in descendants(self.launcher.pid) if self.kind_of(pid) in kinds]

    def wait_for(self, kind):
        """Its processes, as soon as there is one; none when the job ends before."""
        while not self.ended():
            found = self.find(kind)
            if found:
                return found
            time.sleep(0.002)
        return []

    def pause(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ended():
            time.sleep(0.002)

    def wait_gone(self):
        """Seconds until no process of the job is left, mpirun apart; and whether it had to be
        killed: PMIx 4.2 can deadlock in its end when a rank dies as it connects."""
        began = time.monotonic()
        while set(self.processes()) - {self.launcher.pid}:
            if time.monotonic() - began > GONE_S:
                left = [(pid, self.kind_of(pid)) for pid in self.processes()]
                sys.exit(f"FAILED: processes stay: {left}")
            time.sleep(0.03)
        gone_s = time.monotonic() - began
        try:
            self.launcher.wait(GONE_S)
            return gone_s, False
        except subprocess.TimeoutExpired:
            self.launcher.kill()
            self.launcher.wait()
            return gone_s, True


# --- the test


class Killer:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.random = random.Random(options.seed)
        self.decks = {BEFORE: [], AT_THE_END: []}
        self.kills = collections.Counter()
        self.figures = collections.Counter()
        self.slowest_end_s = 0.0
        self.problems = []
        self.private = isolate()
        self.scratch = os.path.join(work, "tmp")
        os.mkdir(self.scratch)
        self.environment = {
            **os.environ,
            "TMPDIR": self.scratch,
            "OMPI_MCA_btl_vader_backing_directory": self.scratch,
            "OMPI_MCA_btl_sm_backing_directory": self.scratch,  # Open MPI 5
        }
        seconds = options.run_seconds * 10
        self.steps = steps_for(options.altgrad, HERE / "kill.yaml", seconds)
        self.undisturbed()

    def command(self, out):
        return [
            self.options.mpiexec, "-n", str(self.options.ranks), "--oversubscribe",
            self.options.altgrad, "run", str(HERE / "kill.yaml"), "-o", out,
            "--set", f"train.steps={self.steps}", "--progress", "plain",
        ]  # fmt: skip

    def start(self, out):
        return Job(self.command(out), os.path.join(self.work, "log"), self.environment)

    def undisturbed(self):
        out = os.path.join(self.work, "undisturbed.h5")
        job = self.start(out)
        if job.launcher.wait() != 0:
            sys.exit("FAILED: the undisturbed experiment:\n" + Path(job.log).read_text())
        self.whole_s = time.monotonic() - job.began
        self.expected = compare_results.contents(out)
        self.expected_runs = len(kept_runs.kept_runs(out))

    def complain(self, text, job=None):
        self.problems.append(text)
        print("FAILED:", text, flush=True)
        if job is not None:
            print(Path(job.log).read_text(), flush=True)

    def draw(self, cards):
        if not self.decks[cards]:
            self.decks[cards] = list(cards)
            self.random.shuffle(self.decks[cards])
        return self.decks[cards].pop()

    def plan(self):
        """Whom to kill, and when, in the next experiment; the last entry first."""
        return [self.draw(AT_THE_END)] + [self.draw(BEFORE) for _ in range(KILLS_BEFORE)]

    def strike(self, job, kind, phase):
        """True when a process was killed, rather than the job at its end before."""
        if phase == "pack":
            job.wait_for("final packer")
            job.pause(self.random.uniform(0, 0.1))
        elif phase == "start":
            job.pause(self.random.uniform(0, 0.7))
        else:
            job.pause(self.random.uniform(0, 0.6 * self.whole_s))
        victims = job.wait_for(kind)
        if not victims:
            return False
        try:
            os.kill(self.random.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills[kind, phase] += 1
        return True

    def torment(self, job, plan):
        """Kills as planned until the job is over. True when that was its own doing."""
        struck = set()
        while plan and not struck & FATAL:
            if not self.strike(job, *plan[-1]):
                break  # it was over before
            struck.add(plan.pop()[0])
        by_itself = not struck & FATAL
        if by_itself:
            self.check_code(job.launcher.wait(), job, struck)
        gone_s, hung = job.wait_gone()
        self.slowest_end_s = max(self.slowest_end_s, gone_s)
        self.figures["hung"] += hung
        return by_itself

    def check_code(self, code, job, struck):
        allowed = {0} | ({1} if "trainer" in struck else set()) | ({3} if "packer" in struck else set())
        text = Path(job.log).read_text()
        if "is being written by another" in text:
            self.figures["refused"] += 1
            self.complain("refused", job)
        elif code not in allowed:
            self.complain(f"exit code {code} after {struck or 'nothing'} was killed", job)

    def check_kept(self, out, acknowledged):
        kept = kept_runs.kept_runs(out)
        for run, digest in acknowledged.items():
            if kept.get(run) != digest:
                self.figures["lost"] += 1
                self.complain(f"run {run} was complete and is {'changed' if run in kept else 'gone'}")
        acknowledged.update(kept)

    def clean_scratch(self):
        """What Open MPI leaves after a SIGKILL is not ours."""
        left = list(Path(self.scratch).glob("altgrad*"))
        if self.private:
            left += list(Path("/dev/shm").iterdir())
        for path in left:
            if path.stat().st_size > 0:
                self.complain(f"left in memory: {path}, {path.stat().st_size} bytes")
            else:  # libhdf5 opens by name: for a moment there is one
                self.figures["empty"] += 1
        for folder in [self.scratch, *(["/dev/shm"] if self.private else [])]:
            for entry in Path(folder).iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def check_end(self, out, acknowledged):
        found = compare_results.contents(out)
        different = [
            name for name in self.expected.keys() | found.keys()
            if self.expected.get(name) != found.get(name)
        ]  # fmt: skip
        if different:
            self.complain(f"other than undisturbed: {sorted(different)[:5]}")
        if len(acknowledged) != self.expected_runs:
            self.complain(f"{len(acknowledged)} runs, not {self.expected_runs}")
        left = {str(path.relative_to(out + ".d")) for path in Path(out + ".d").rglob("*")}
        left = {name for name in left if not name.startswith("logs/")}
        left -= {"events.jsonl", "facts.json", "grid.json", "plan", "logs", "failed"}
        if left:
            self.complain(f"left over: {sorted(left)}")

    def experiment(self, number):
        out = os.path.join(self.work, f"{number}.h5")
        reader = Reader(out, out + ".seen")
        acknowledged, plan = {}, self.plan()
        code = None
        while code != 0:
            job = self.start(out)
            self.figures["commands"] += 1
            code = job.launcher.wait() if self.torment(job, plan) else None
            acknowledged.update(
                {run: digest for run, digest in reader.seen()[0].items() if run not in acknowledged}
            )
            self.check_kept(out, acknowledged)
            self.clean_scratch()
            if self.problems:
                break
        _, opens, failures = reader.stop()
        self.figures["opens"] += opens
        self.figures["open failures"] += len(failures)
        for failure in failures[:5]:
            self.complain(failure)
        if code == 0:
            self.check_end(out, acknowledged)
            self.figures["experiments"] += 1
            self.figures["runs"] += len(acknowledged)
        for card in plan:  # not its turn before all was done
            self.decks[BEFORE if card in BEFORE else AT_THE_END].append(card)
        bury_zombies(reader)
        if not self.problems:
            shutil.rmtree(out + ".d")
            os.unlink(out)

    def report(self):
        print(f"{sum(self.kills.values())} kills, seed {self.options.seed}:")
        for (kind, phase), count in sorted(self.kills.items()):
            print(f"  {count:4} {kind}, {phase}")
        figures = self.figures
        print(
            f"{figures['experiments']} experiments of {self.expected_runs} runs finished by "
            f"{figures['commands']} commands; {figures['refused']} refused\n"
            f"{figures['lost']} completed runs lost or changed\n"
            f"{figures['opens']} opens by h5py, {figures['open failures']} failed\n"
            f"all of altgrad gone at most {self.slowest_end_s:.1f} s after a kill; "
            f"{figures['hung']} times mpirun itself hung without it"
            f"\nno bytes left in {'/dev/shm and ' if self.private else ''}TMPDIR, "
            f"{figures['empty']} empty files"
        )
        return 1 if self.problems else 0


def isolate():
    """A /dev/shm of our own, where we may; and orphans become our children, and zombies, as in a
    container whose first process does not look after them."""
    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    new_mounts, recursive_private = 0x20000, 0x44000
    return (
        libc.unshare(new_mounts) == 0
        and libc.mount(b"none", b"/", None, recursive_private, None) == 0
        and libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, b"size=25%") == 0
    )


def bury_zombies(reader):
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != reader.process.pid:
            if state_and_parent(name) == (b"Z", os.getpid()):
                os.waitpid(int(name), 0)


def main():
    if sys.argv[1:2] == ["--watch"]:
        watch(*sys.argv[2:])
    parser = argparse.ArgumentParser()
    parser.add_argument("altgrad")
    parser.add_argument("mpiexec")
    parser.add_argument("--kills", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=3)
    parser.add_argument("--run-seconds", type=float, default=1.0)
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="altgrad-kills-")
    killer = Killer(options, work)
    number = 0
    while sum(killer.kills.values()) < options.kills and not killer.problems:
        killer.experiment(number := number + 1)
        print(f"experiment {number}: {sum(killer.kills.values())} kills", flush=True)
    if not killer.problems:
        shutil.rmtree(work)
    return killer.report()


if __name__ == "__main__":
    sys.exit(main())
