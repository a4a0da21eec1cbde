#!/usr/bin/python3
"""Damage of every kind of file: each has its message, and what can be recovered is.

    check_damage.py ALTGRAD [FLIPS]

A table of single cases first; then bits flipped at seeded places all over the files (FLIPS a file):
none goes unnoticed, none crashes or hangs a command.
"""

import glob
import json
import os
import random
import subprocess
import sys

from support import complain, failures, few, fresh, remove, run, scratch_folder, write

LIMIT_S = 60
ALTGRAD = sys.argv[1]
FLIPS = int(sys.argv[2]) if len(sys.argv) > 2 else 10


def call(*arguments):
    """Exit code and all output; a crash or a hang of the command itself is a failure."""
    command = [ALTGRAD, *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode not in (0, 1, 2, 3, 75):
        complain(f"{' '.join(arguments)}: exit code {done.returncode}", text)
    return done.returncode, text


def expect(code, says, *arguments):
    got, text = call(*arguments)
    if got != code:
        complain(f"{' '.join(arguments)}: exit code {got}, expected {code}", text)
    for part in [says] if isinstance(says, str) else says:
        if part not in text:
            complain(f"{' '.join(arguments)}: the output lacks '{part}'", text)


def flip(path, place, bit=0):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def overwrite(text):
    def change(path):
        write(path, text)

    return change


def flip_middle(path):
    flip(path, os.path.getsize(path) // 2)


def prepare():
    few("seeds: 4")
    few("seeds: 5", path="more.yaml")
    expect(0, "", *run("packed.h5"))
    expect(0, "", *run("spooled.h5", "--only", "seed=0,1,2"))
    runs = sorted(glob.glob("spooled.h5.d/runs/*.h5"))
    if os.path.exists("packed.h5.d/runs") or len(runs) != 3:
        complain("the prepared results are not as expected")
    return os.path.basename(runs[0])


def damaged_json(expected):
    code, text = call("check", "out.h5", "--json")
    found = json.loads(text)
    if code != 1 or {key: found[key] for key in expected} != expected:
        complain(f"check --json: exit code {code}, expected 1 and {expected}", text)


CHECKSUM = "does not match the checksum of when it was written"
LACKS = "lacks the checksum that it ends in"
GOOD = "4 of 4 runs are complete and good; nothing is damaged"


def run_files(name):
    path = f"out.h5.d/runs/{name}"
    for change, says in ((cut, LACKS), (flip_middle, CHECKSUM), (overwrite(""), LACKS)):
        fresh("spooled")
        change(path)
        expect(1, [says, "2 of 4 runs are complete and good, 1 damaged, 1 pending"], "check", "out.h5")
        damaged_json({"complete": 2, "damaged": 1, "pending": 1, "packed": False})
        expect(3, [says, "is not packed: 1 of its runs were damaged"], "pack", "out.h5")
        expect(0, "2 pending", "summary", "out.h5")
        expect(0, "2 runs joined", "merge", "new.h5", "out.h5")
        expect(0, "", *run("out.h5"))
        expect(0, GOOD, "check", "out.h5")
        if not os.path.exists(f"out.h5.d/damaged/{name}"):
            complain("the damaged run file was not kept")
    fresh("spooled")
    flip_middle(path)
    expect(0, ["is left out", CHECKSUM, "2 runs joined from 1 files; 2 of 4 are pending"],
           "merge", "new.h5", "out.h5")
    expect(0, [f"run {name[:12]} is pending again", CHECKSUM], *run("out.h5"))


def spooled_results():
    for change, says in ((cut, LACKS), (flip_middle, CHECKSUM), (overwrite(""), LACKS)):
        fresh("spooled")
        change("out.h5")
        expect(1, says, "check", "out.h5")
        expect(0, "1 pending", "summary", "out.h5")
        expect(0, [says, "out.h5.d/damaged/out.h5"], *run("out.h5"))
        expect(0, GOOD, "check", "out.h5")
    fresh("spooled")
    overwrite("my thesis")("out.h5")
    for arguments in (run("out.h5"), ("pack", "out.h5")):
        expect(3, "out.h5: not an HDF5 file; it is left as it is", *arguments)
    with open("out.h5", encoding="utf-8") as file:
        if file.read() != "my thesis":
            complain("a foreign file was touched")


def foreign_results():
    remove("out.h5*")
    overwrite("my thesis")("out.h5")
    expect(3, "not an HDF5 file; it is left as it is", *run("out.h5"))
    for command in ("check", "status", "summary", "pack"):
        expect(3, "not an HDF5 file", command, "out.h5")
    if os.path.exists("out.h5.d"):
        complain("a folder was left beside a foreign file")


def packed_results():
    fresh("packed")
    cut("out.h5")
    hint = "'altgrad check out.h5' tells which of its runs are good"
    for command in ("check", "status", "summary", "pack"):
        expect(3, "out.h5: a damaged HDF5 file; it is left as it is", command, "out.h5")
    expect(3, ["a damaged HDF5 file", hint], *run("out.h5"))
    expect(3, "a damaged HDF5 file", "merge", "new.h5", "out.h5")
    fresh("packed")
    flip_weights("out.h5")
    expect(1, [CHECKSUM, "does not match its crc32", "3 of 4 runs are complete and good, 1 damaged"],
           "check", "out.h5")
    expect(3, ["does not match its crc32", hint], *run("out.h5", "--set", "train.steps=4"))
    expect(0, ["is left out", "3 runs joined from 1 files; 1 of 4 are pending; 1 were damaged"],
           "merge", "new.h5", "out.h5")
    expect(0, "", *run("new.h5"))
    expect(0, GOOD, "check", "new.h5")


def flip_weights(path):
    """A bit of the last run's weights, found by what h5py says of their place."""
    import h5py

    with h5py.File(path, "r") as file:
        runs = file["runs"]
        weights = runs[sorted(runs)[-1]]["weights/transformer.wte.weight"]
        place = weights.id.get_offset()
    flip(path, place + 5, 3)


def small_files():
    run_again = run("out.h5")
    cases = (
        ("owner", overwrite("host\n"), 3, "who writes it cannot be told"),
        ("grid.json", cut, 0, ""),
        ("grid.json", overwrite(""), 0, ""),
        ("facts.json", cut, 0, ""),
        ("plan", overwrite("??\n"), 0, ""),
        ("live.json", overwrite("{"), 0, ""),
        ("events.jsonl", cut, 0, ""),
    )
    noticed = {
        "owner": "who writes here cannot be told",
        "grid.json": "grid.json: damaged",
        "facts.json": "facts.json: missing or damaged",
        "events.jsonl": "not an event",
    }
    for name, change, code, says in cases:
        fresh("spooled")
        if name == "owner":
            overwrite("")("out.h5.d/owner")
        change(f"out.h5.d/{name}")
        if name in noticed:
            expect(1, noticed[name], "check", "out.h5")
        for command in ("status", "summary", "stop"):
            call(command, "out.h5")
        expect(code, says, *run_again)
        if code != 0:
            expect(0, "", *run_again, "--take-over")
        expect(1 if name == "events.jsonl" else 0, "4 of 4 runs", "check", "out.h5")


def checkpoints():
    fresh("spooled")
    os.makedirs("out.h5.d/checkpoints", exist_ok=True)
    overwrite("no checkpoint")("out.h5.d/checkpoints/0123456789ab")
    expect(1, "0123456789ab: cut off in the header; the run begins anew", "check", "out.h5")


def flipped_bits(name):
    """Seeded, all over each file; check notices every one."""
    places = random.Random(7)
    for state, path in (
        ("packed", "out.h5"),
        ("spooled", "out.h5"),
        ("spooled", f"out.h5.d/runs/{name}"),
    ):
        for _ in range(FLIPS):
            fresh(state)
            place, bit = places.randrange(os.path.getsize(path)), places.randrange(8)
            flip(path, place, bit)
            code, text = call("check", "out.h5")
            if code not in (1, 3):
                complain(f"{state} {path}: bit {bit} of byte {place} went unnoticed", text)
            for command in ("status", "summary"):
                call(command, "out.h5")
            code, text = call("merge", "new.h5", "out.h5")
            if code == 0:
                expect(0, "nothing is damaged", "check", "new.h5")
            code, text = call(*run("out.h5", file="more.yaml"))
            if code == 0:
                expect(0, "5 of 5 runs are complete and good; nothing is dam", "check", "out.h5")
            elif state == "spooled" or code != 3:
                complain(f"{state} {path}: bit {bit} of byte {place}: run ends with {code}", text)


def main():
    with scratch_folder():
        name = prepare()
        run_files(name)
        spooled_results()
        foreign_results()
        packed_results()
        small_files()
        checkpoints()
        flipped_bits(name)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
