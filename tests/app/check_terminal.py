"""altgrad run on a terminal behind a launcher, stopped while it trains, and what is told of its
checkpoint. usage: check_terminal.py ALTGRAD

A launcher reads its ranks' standard output and standard error from two pipes and writes them to its
own terminal in any order. This script, called with --launch, is such a launcher: it keeps what came
through each pipe in the files "out" and "err"."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

from support import Altgrad, check, failures, few, scratch_folder

REDRAWN = "\033["  # how a frame begins: the cursor moves, or a line is cleared
STEPS = 1000000


def launch(command):
    environment = {**os.environ, "OMPI_COMM_WORLD_SIZE": "1", "TERM": "xterm"}
    rank = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )
    signal.signal(signal.SIGUSR1, lambda *_: rank.send_signal(signal.SIGUSR1))
    for name, text in zip(("out", "err"), rank.communicate()):
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
    return rank.returncode


def started(altgrad, *more, output=None):
    """A launcher with a terminal as its standard error, and unless `output` says otherwise, as its
    standard output."""
    _, terminal = pty.openpty()
    command = [sys.executable, __file__, "--launch", altgrad, "run", "few.yaml", "-o", "out.h5"]
    return subprocess.Popen([*command, *more], stdout=output or terminal, stderr=terminal)


def texts():
    with open("out", encoding="utf-8") as out, open("err", encoding="utf-8") as err:
        return out.read(), err.read()


def await_step(program):
    """Until the run has made a step."""
    for _ in range(600):
        if os.path.exists("out.h5.d/live.json"):
            live = json.loads(program.call("status", "out.h5", "--json", code=75))["live"]
            if live and any(run["step"] > 0 for run in live["running"]):
                return
        time.sleep(0.1)
    check(False, "the run never began")


def check_stopped(program, altgrad):
    few("formats: [BF16]", "seeds: 2")
    launcher = started(altgrad, "--set", f"train.steps={STEPS}")
    await_step(program)
    launcher.send_signal(signal.SIGUSR1)
    check(launcher.wait(60) == 75, f"stopped: exit code {launcher.returncode}")
    out, err = texts()
    check(out == "", f"the summary goes where the frames go, but this came apart: {out}")
    frames, _, after = err.rpartition(REDRAWN)
    check("0/2 runs done" in frames, f"no last frame: {err[-500:]}")
    check("no run is complete yet; 2 pending" in after, f"after the last frame: {after}")
    check("ETA" not in err.split("\n")[-4], "an ETA although nothing runs")


def check_checkpoint(program):
    said = program.call("status", "out.h5", code=75)
    check("2 pending (1 of them with a checkpoint)" in said, said)
    stopped = re.search(r"at step (\d+) of", said)
    listed = re.search(r"^[0-9a-f]{12}  step (\d+) of (\d+)  seed=0$", said, re.MULTILINE)
    check(stopped and listed and listed[1] == stopped[1] and int(listed[2]) == STEPS, said)
    step = int(stopped[1])
    told = json.loads(program.call("status", "out.h5", "--json", code=75))["checkpoints"]
    check([(run["step"], run["steps"]) for run in told] == [(step, STEPS)], f"{told}")
    more = ("few.yaml", "-o", "out.h5", "--set", f"train.steps={STEPS}")
    said = program.call("plan", *more)
    check(f"0 kept, 2 to train, 1 of them from step {step}\n" in said, said)
    told = json.loads(program.call("plan", *more, "--json"))["results"]["checkpoints"]
    check(list(told.values()) == [step], f"{told}")


def check_apart(altgrad):
    """Where standard output is a file, the summary goes there."""
    with open("kept", "w", encoding="utf-8") as kept:
        launcher = started(altgrad, "--only", "seed=1", "--set", "train.steps=3", output=kept)
        check(launcher.wait(60) == 0, f"to the end: exit code {launcher.returncode}")
    out, err = texts()
    check("val_loss" in out and "val_loss: mean" not in err, f"out: {out}\nerr: {err}")


def main(altgrad):
    program = Altgrad(altgrad)
    with scratch_folder():
        check_stopped(program, altgrad)
        check_checkpoint(program)
        os.unlink("out.h5")
        os.rename("out.h5.d", "before")
        check_apart(altgrad)
    return len(failures) > 0


if __name__ == "__main__":
    sys.exit(launch(sys.argv[2:]) if sys.argv[1] == "--launch" else main(sys.argv[1]))
