#!/usr/bin/python3
"""Mutated command lines of every subcommand, and mutated files beside the results that they read.

    fuzz_command_lines.py ALTGRAD COUNT [--seed SEED] [--case NUMBER]

Each case is a pure function of (seed, number). A command ends by itself, with one of its exit codes,
not by a signal or a sanitizer's complaint, and what is not 0 is explained. Results files that no
case may harm are compared at the end. Exit code 1 when a case failed.
"""

import argparse
import collections
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT_S = 120  # of a loaded machine; a command takes well under a second

APP = Path(__file__).resolve().parent.parent / "app"
EXPERIMENT = (APP / "few.yaml").read_text() + """
formats: [BF16, E4M3]
seeds: 1
run: {retries: 0, memory_limit: 500M, time_limit: 20s}
"""

# exit codes beyond 0, 2 and 3: failed runs, runs that differ, work that is left
CODES = {"run": {1, 75}, "status": {1, 75}, "reproduce": {1}, "merge": {1}, "check": {1}}

WORDS = """
 plan run status stop summary pack merge params formats quantize reproduce check help --help -h --json
 --layers --ranks --only --set --again --max-time --shard --take-over --progress --metric --wait
 --spooled --codes --round --scale --sample --jobs -j -o -- - '' few.yaml few.h5 half.h5 part.h5 cut.h5
 text empty folder missing new.h5 folder/new.h5 null full zero none plain tty auto
 format=BF16 format=E4M3,BF16 layers=uniform seed=0 seed= =0 = , shoe=1 1/2 2/2 0/0 3/2 auto 1 0 -1 2
 1s 10m 1e9 nan inf 1:30 1-00:00:00 18446744073709551616 9223372036854775808 1e-400 E4M3 E5M2 e4m3fn
 E9M9 mxfp8 hybrid nearest stochastic toward_zero val_loss val_loss_hp loss mood data.text=text
 data.synthetic=markov data.tokens=100 train.steps=1 train.steps=0 train.steps=x model.n_embd=8
 optimizer.lr=1e-3 optimizer.betas=[0.9,0.99] output.weights=none output.file=x eval.every=1 seeds=2
 run.retries=-1 run.share_trunks=false model.init.file=few.h5 model.init.run=abc train.start.file=few.h5
 train.start.run=BF16 train.start.step=3 output.states=[1,50%] name=x $format
""".split()
WORDS = ["" if word == "''" else word for word in WORDS] + [
    "a" * 5000, "\x1b[2J", "\u202e", "é", "%s%n", "\n", "--set=train.steps=1", "./" * 40 + "x"
]

# what is mutated; {id} is a completed run's
LINES = """
plan few.yaml|plan few.yaml --layers --ranks 3|plan few.yaml --json --only format=E4M3
plan few.yaml -o few.h5 --set train.steps=3 --set optimizer.lr=1e-2|plan few.yaml -o half.h5
run few.yaml -o new.h5|run few.yaml -o few.h5 --only format=BF16|run few.yaml -o few.h5 --again {id}
run few.yaml -o new.h5 --shard 1/2|run few.yaml -o half.h5 --set train.steps=0|run few.yaml -o new.h5
status few.h5|status half.h5 --json|stop few.h5|stop half.h5 --wait
summary few.h5|summary few.h5 --metric val_loss_hp --json|summary half.h5
pack few.h5|pack half.h5 --spooled|merge new.h5 few.h5 half.h5|merge new.h5 part.h5 few.h5
formats|formats E4M3 --codes|formats e5m2ieee --json|quantize E4M3|quantize E5M2 --round stochastic
quantize E3M4 --scale 0.5|params|params optimizer|params model.n_layer
reproduce few.h5|reproduce few.h5 {id} --json|reproduce half.h5 --sample 1 -j 2|check few.h5|help
check half.h5|helper holdings|helper pack
"""
LINES = [line.split() for line in LINES.replace("\n", "|").split("|") if line]

NOTES = ["grid.json", "facts.json", "plan", "events.jsonl", "owner", "live.json"]


class Scene:
    """The files that command lines are about: few.h5 packed, half.h5 spooled, part.h5 a shard."""

    def __init__(self, altgrad):
        self.altgrad = altgrad
        os.mkdir("folder")
        for device in ("null", "full", "zero"):
            os.symlink(f"/dev/{device}", device)
        self.write("empty", b"")
        self.write("text", b"no YAML, no HDF5\xff\n")
        self.write("few.yaml", EXPERIMENT.encode())
        for arguments in (
            ["few.yaml", "-o", "few.h5"],
            ["few.yaml", "-o", "half.h5", "--only", "format=E4M3"],
            ["few.yaml", "-o", "part.h5", "--shard", "1/2"],
        ):
            end = subprocess.run([altgrad, "run", *arguments, "--progress", "none"],
                                 capture_output=True, text=True, timeout=LIMIT_S)
            if end.returncode != 0:
                sys.exit(f"the scene cannot be made: {end.stderr}")
        with open("few.h5", "rb") as file:
            self.write("cut.h5", file.read()[:5000])
        owner = f"host {socket.gethostname()}\npid 99999999\nstarted 1\ntoken {'a' * 32}\njob -\n"
        self.write("half.h5.d/owner", owner.encode())  # which was killed
        ids = subprocess.run([altgrad, "plan", "few.yaml", "--json"], capture_output=True, text=True)
        self.id = re.search(r'"id":"([0-9a-f]+)"', ids.stdout).group(1)
        self.kept = tempfile.mkdtemp()
        shutil.copytree(".", self.kept, symlinks=True, dirs_exist_ok=True)

    @staticmethod
    def write(path, data):
        with open(path, "wb") as file:
            file.write(data)

    def reset(self):
        """Everything as it was."""
        here = os.getcwd()
        for name in os.listdir(here):
            if os.path.isdir(name) and not os.path.islink(name):
                shutil.rmtree(name)
            else:
                os.unlink(name)
        shutil.copytree(self.kept, here, symlinks=True, dirs_exist_ok=True)

    def close(self):
        shutil.rmtree(self.kept)


def mutate_line(rng, arguments):
    arguments = list(arguments)
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        at = rng.randrange(len(arguments) + 1)
        kind = rng.randrange(6)
        if kind == 0 or at == len(arguments):
            arguments.insert(at, rng.choice(WORDS))
        elif kind == 1:
            del arguments[at]
        elif kind == 2:
            arguments[at] = rng.choice(WORDS)
        elif kind == 3:
            arguments.insert(at, arguments[rng.randrange(len(arguments))])
        elif kind == 4 and arguments[at]:
            where = rng.randrange(len(arguments[at]))
            byte = chr(rng.choice([33, 45, 46, 48, 57, 61, 101, 126, 233]))  # no / : stay here
            arguments[at] = arguments[at][:where] + byte + arguments[at][where + rng.randrange(2):]
        else:
            arguments[at] += rng.choice(WORDS)
    return arguments


def mutate_bytes(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(4)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:at + rng.randrange(50)]
        elif kind == 2:
            data[at:at] = rng.choice(WORDS).encode()
        else:
            data[at:at] = data[at:at + rng.randrange(80)]
    return bytes(data)


def make_case(scene, seed, number):
    """The arguments, and which file beside half.h5 gets which bytes (or None)."""
    rng = random.Random(f"altgrad {seed} {number}")
    line = [word.format(id=scene.id) for word in rng.choice(LINES)]
    note = None
    if line[0] in ("status", "summary", "plan", "pack", "stop", "reproduce", "check") and \
            "half.h5" in line and rng.randrange(2):
        name = rng.choice(NOTES)
        path = os.path.join("half.h5.d", name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                note = path, mutate_bytes(rng, file.read())
    if rng.randrange(4) or note is None:
        line = mutate_line(rng, line)
    if line and line[0] == "run":
        line += ["--progress", "none", "--max-time", "20"]
    return [part.replace("\0", "") for part in line], note


def complaint(line, end):
    command = line[0] if line else ""
    if end.returncode < 0:
        return f"killed by signal {-end.returncode}"
    if "Sanitizer" in end.stderr or "runtime error:" in end.stderr:
        return "a sanitizer complains"
    if "ended early" in end.stderr or "crashed (" in end.stderr:
        return "a guarded child crashed"
    if end.returncode not in {0, 2, 3} | CODES.get(command, set()):
        return f"exit code {end.returncode}"
    if end.returncode in (2, 3) and not end.stderr.strip():
        return f"exit code {end.returncode} without a message"
    if end.returncode == 1 and not (end.stderr + end.stdout).strip():
        return "exit code 1 without a word"
    return None


def run_case(scene, line, note):
    if note:
        scene.write(*note)
        os.utime(note[0], (1e9, 1e9))  # `stop --wait` waits for an owner on another host that seems alive
    try:
        end = subprocess.run([scene.altgrad, *line], capture_output=True, input="abcd" * 16, text=True,
                             errors="replace", timeout=LIMIT_S)
        return complaint(line, end), end.returncode, end.stderr[-3000:]
    except subprocess.TimeoutExpired:
        return f"still running after {LIMIT_S} s", "hung", ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("altgrad")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int)
    options = parser.parse_args()
    altgrad = os.path.abspath(options.altgrad)
    numbers = range(options.count) if options.case is None else [options.case]
    failed = 0
    codes = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        scene = Scene(altgrad)
        for number in numbers:
            line, note = make_case(scene, options.seed, number)
            wrong, code, said = run_case(scene, line, note)
            codes[code] += 1
            if wrong:
                failed += 1
                print(f"FAILED: --seed {options.seed} --case {number}: altgrad {line}"
                      f"{' with ' + note[0] if note else ''}: {wrong}\n{said}", flush=True)
            scene.reset()
            if failed == 10:
                break
        scene.close()
        os.chdir("/")
    how_often = ", ".join(f"{code}: {count}" for code, count in codes.most_common())
    print(f"command lines: {sum(codes.values())} cases, {failed} failed; exit codes {how_often}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
