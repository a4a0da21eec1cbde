#!/usr/bin/python3
"""Packs and extends results while they are killed, or the disk fills, at every call that writes.

    check_faults.py ALTGRAD FAULT_LIBRARY [CALLS]

CALLS: at how many of the calls, evenly spread; all unless given. After each: h5py opens the results,
`altgrad check` finds nothing damaged and no completed run missing, and the same command completes.
"""

import errno
import json
import os
import signal
import struct
import subprocess
import sys
import time

import h5py

from support import complain, failures, few, fresh, run, scratch_folder, write

LIMIT_S = 120
ALTGRAD, LIBRARY = sys.argv[1:3]
CALLS = int(sys.argv[3]) if len(sys.argv) > 3 else 10**9


def start(*arguments, **faults):
    environment = dict(os.environ)
    if faults:
        with open("counter", "wb") as file:
            file.write(bytes(8))
        environment.update(LD_PRELOAD=LIBRARY, FAULT_COUNTER=os.path.abspath("counter"))
        environment.update({f"FAULT_{name.upper()}": str(value) for name, value in faults.items()})
    return subprocess.Popen(
        [ALTGRAD, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def call(*arguments, **faults):
    with start(*arguments, **faults) as process:
        text = process.communicate(timeout=LIMIT_S)[0]
    return process.returncode, text.decode(errors="replace")


def calls_made():
    with open("counter", "rb") as file:
        return struct.unpack("<q", file.read(8))[0]


def checked(place):
    code, text = call("check", "out.h5", "--json")
    if code != 0:
        complain(f"{place}: check ends with {code}", text)
        return {"complete": 0, "findings": [], "packed": False}
    return json.loads(text)


def look(place, held):
    try:
        with h5py.File("out.h5", "r", locking=False) as file:
            len(file["runs"])
    except OSError as error:
        complain(f"{place}: h5py cannot open the results: {error}")
    found = checked(place)
    if found["complete"] < held:
        complain(f"{place}: {found['complete']} runs are complete, {held} were")


def finish(place, command, total):
    code, text = call(*command)
    if code != 0:
        complain(f"{place}: the same command ends with {code}", text)
    found = checked(place)
    # a claim to ownership may be of a living process, unless it is old
    left = [each for each in found["findings"] if "/owner." not in each["text"]]
    if found["complete"] != total or not found["packed"] or left:
        complain(f"{place}: not complete, not packed, or something is left", str(found))


def sweep(name, state, command, held, total, error=None):
    fresh(state)
    faults = {} if error is None else {"errno": error}
    code, text = call(*command, at=10**9, **faults)
    count = calls_made()
    if code != 0 or count < 20:
        complain(f"{name}: undisturbed, {count} calls, ends with {code}", text)
        return
    chosen = range(1, count + 1, max(1, -(-count // CALLS)))
    for at in chosen:
        place = f"{name}, call {at} of {count}"
        fresh(state)
        code, text = call(*command, at=at, **faults)
        if error is not None and code not in (0, 1, 3):
            complain(f"{place}: exit code {code}", text)
        if error is not None and code == 3 and "error: " not in text:
            complain(f"{place}: nothing says why", text)
        look(place, held)
        finish(place, command, total)
    print(f"{name}: {len(chosen)} of {count} calls")


def wait_until_stopped(pid):
    while True:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            if file.read().rsplit(")", 1)[1].split()[0] in "TZ":
                return
        time.sleep(0.01)


def taken_over():
    """An owner that stands still, is replaced, and goes on: it must write no more."""
    fresh("spooled")
    call("pack", "out.h5", at=10**9)
    count = calls_made()
    other = "host elsewhere\npid 1\nstarted 1\ntoken 0123\njob -\n"
    with open("spooled.h5", "rb") as file:
        before = file.read()
    for at in (count // 5, count // 2, 3 * count // 4):  # the rename comes after some nine tenths
        place = f"taken over at call {at} of {count}"
        fresh("spooled")
        with start("pack", "out.h5", at=at, signal=int(signal.SIGSTOP)) as process:
            wait_until_stopped(process.pid)
            write("out.h5.d/owner", other)
            os.killpg(process.pid, signal.SIGCONT)
            text = process.communicate(timeout=LIMIT_S)[0].decode(errors="replace")
        if process.returncode != 3 or "taken over by another altgrad (host elsewhere" not in text:
            complain(f"{place}: exit code {process.returncode}", text)
        with open("out.h5", "rb") as file:
            if file.read() != before or len(os.listdir("out.h5.d/runs")) != 3:
                complain(f"{place}: it wrote all the same")
        with open("out.h5.d/owner", encoding="utf-8") as file:
            if file.read() != other:
                complain(f"{place}: the other's ownership is gone")


def main():
    with scratch_folder() as folder:
        os.environ["TMPDIR"] = folder
        few("seeds: 3")
        few("seeds: 4", path="more.yaml")
        part = run("spooled.h5", "--only", "seed=0,1,2", file="more.yaml")
        for command in (run("packed.h5"), part):
            code, text = call(*command)
            if code != 0:
                complain(f"{command}: exit code {code}", text)
        pack = ("pack", "out.h5")
        extend = run("out.h5", file="more.yaml")
        taken_over()
        sweep("pack, killed", "spooled", pack, 3, 3)
        sweep("extend, killed", "packed", extend, 3, 4)
        sweep("pack, over quota", "spooled", pack, 3, 3, errno.EDQUOT)
        sweep("extend, disk full", "packed", extend, 3, 4, errno.ENOSPC)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
