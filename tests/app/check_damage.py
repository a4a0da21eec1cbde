#!/usr/bin/python3
"""Damage of every kind of file: each has its message, and what can be recovered is.

    check_damage.py ALTGRAD ODD_DISK [FLIPS]

A table of single cases first; then bits flipped at seeded places all over the files (FLIPS a file):
none goes unnoticed, none crashes or hangs a command.
"""

import contextlib
import glob
import json
import os
import random
import subprocess
import sys

from support import (
    complain, failures, few, flip, flip_middle, fresh, remove, run, scratch_folder, write,
)

LIMIT_S = 60
ALTGRAD = sys.argv[1]
ODD_DISK = sys.argv[2]  # a library to be preloaded
FLIPS = int(sys.argv[3]) if len(sys.argv) > 3 else 10


def call(*arguments):
    """Exit code and all output; a crash or a hang of the command itself is a failure."""
    command = [ALTGRAD, *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False
    )
    text = done.stdout.decode(errors="replace").replace("I/O error", "Input/output error")  # musl's
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
    return got, text


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def overwrite(text):
    def change(path):
        write(path, text)

    return change


def flip_mark(path):
    """In the attribute by which HDF5's users know the file."""
    with open(path, "rb") as file:
        flip(path, file.read().index(b"altgrad-results") + 3)


def prepare():
    states = "output: {states: [2]}"  # more kinds of datasets, whose bits are flipped too
    few("seeds: 4", states)
    few("seeds: 5", states, path="more.yaml")
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
        expect(0, "2 new runs from 1 part", "merge", "new.h5", "out.h5")
        expect(0, "", *run("out.h5"))
        expect(0, GOOD, "check", "out.h5")
        if not os.path.exists(f"out.h5.d/damaged/{name}"):
            complain("the damaged run file was not kept")
    fresh("spooled")
    flip_middle(path)
    expect(0, ["is left out", CHECKSUM,
               "2 new runs from 1 part; 4 runs: 2 done, 0 diverged, 0 failed, 2 pending"],
           "merge", "new.h5", "out.h5")
    expect(0, [f"run {name[:12]} is pending again", CHECKSUM], *run("out.h5"))


def spooled_results():
    for change, says in ((cut, LACKS), (flip_middle, CHECKSUM), (overwrite(""), LACKS),
                         (flip_mark, CHECKSUM)):
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
    for arguments in (run("out.h5"), ("pack", "out.h5"), ("merge", "out.h5", "packed.h5")):
        expect(3, "out.h5: not an HDF5 file; it is left as it is", *arguments)
    for command in ("check", "status", "summary"):
        _, text = expect(3, "out.h5: not an HDF5 file", command, "out.h5")
        if "left as it is" in text:
            complain(f"{command} does not write, yet promises not to", text)
    if os.path.exists("out.h5.d"):
        complain("a folder was left beside a foreign file")


PLAIN = ("--progress", "plain")
CURE = "cure: 'altgrad run' on the experiment"
ALONE = "; it is left as it is\n  'altgrad run' on its experiment keeps the good runs"


def truncated_results():
    """Wherever a packed file was cut off, the same command makes it whole again."""
    size = os.path.getsize("packed.h5")
    for length in (0, 3, size // 4, size - 70):
        fresh("packed")
        os.truncate("out.h5", length)
        damage = "not an HDF5 file" if length < 8 else "a damaged HDF5 file: HDF5 says truncated"
        for command in ("status", "summary"):
            expect(3, damage, command, "out.h5")
        expect(3, [damage, ALONE], "pack", "out.h5")
        expect(1, [damage, LACKS, CURE, "0 of 4 runs"], "check", "out.h5")
        expect(0, [LACKS, "out.h5.d/damaged/out.h5"], *run("out.h5"))
        expect(0, GOOD, "check", "out.h5")
        if os.path.getsize("out.h5.d/damaged/out.h5") != length:
            complain("the truncated file was not kept")


def packed_results():
    fresh("packed")
    flip_weights("out.h5")
    expect(1, [CHECKSUM, "does not match its crc32", "3 of 4 runs are complete and good, 1 damaged",
               CURE], "check", "out.h5")
    expect(0, ["is left out", "3 new runs from 1 part; 4 runs: 3 done, 0 diverged, 0 failed, "
               "1 pending; 1 damaged run left out"],
           "merge", "new.h5", "out.h5")
    expect(0, "", *run("new.h5"))
    expect(0, GOOD, "check", "new.h5")
    expect(0, ["is pending again", "does not match its crc32", "4 runs, 3 complete"], *run("out.h5", *PLAIN))
    expect(0, GOOD, "check", "out.h5")
    same_weights("out.h5", "packed.h5")
    remove("new.h5*")
    for path in glob.glob("packed.h5.d/*.json"):
        os.remove(path)  # the file was copied without the folder
    fresh("packed")
    flip_mark("out.h5")
    expect(1, [CHECKSUM, CURE], "check", "out.h5")
    expect(0, [CHECKSUM, "4 runs, 4 complete"], *run("out.h5", *PLAIN))
    expect(0, GOOD, "check", "out.h5")
    same_weights("out.h5", "packed.h5")
    fresh("packed")
    flip(path="out.h5", place=0)
    expect(1, ["a damaged HDF5 file", CURE], "check", "out.h5")
    expect(0, "4 runs, 0 complete", *run("out.h5", *PLAIN))
    expect(0, GOOD, "check", "out.h5")


def same_weights(*paths):
    import h5py

    digests = []
    for path in paths:
        with h5py.File(path, "r") as file:
            digests.append({i: r.attrs["weights_digest"] for i, r in file["runs"].items()})
    if digests[0] != digests[1]:
        complain(f"the weights of {paths} differ: {digests}")


def other_programs():
    """What another program does with the file is no damage; what it changed in it is kept."""
    import h5py

    fresh("packed")
    with h5py.File("out.h5", "r+") as held:
        for command in ("summary", "status"):
            expect(0, "", command, "out.h5")
        for arguments in (("check", "out.h5"), run("out.h5")):
            expect(3, "out.h5: another program has it open for writing", *arguments)
        held.attrs["note"] = "mine"
    expect(1, CURE, "check", "out.h5")
    expect(0, "4 runs, 4 complete", *run("out.h5", *PLAIN))
    expect(0, GOOD, "check", "out.h5")
    with h5py.File("out.h5.d/damaged/out.h5", "r") as kept:
        if kept.attrs["note"] != "mine":
            complain("what the other program wrote is lost")
    remove("out.h5*")
    with h5py.File("out.h5", "w") as foreign:
        foreign["mine"] = [1, 2, 3]
    for arguments in (run("out.h5"), ("pack", "out.h5")):
        expect(3, ["not one of altgrad's", "; it is left as it is"], *arguments)


def odd_disks(name):
    """Locks that cannot be had, and files that cannot be read: neither is damage."""
    path = f"out.h5.d/runs/{name}"
    for code in (37, 95, 524):  # ENOLCK, EOPNOTSUPP, ENOTSUPP
        remove("out.h5*")
        with preloaded(ODD_FLOCK=str(code), HDF5_USE_FILE_LOCKING="TRUE"):
            expect(0, "", *run("out.h5"))
            expect(0, GOOD, "check", "out.h5")
    fresh("spooled")
    with preloaded(ODD_READ=path):
        expect(3, ["unreadable: run", "Input/output error", "1 unreadable"], "check", "out.h5")
        for arguments in (run("out.h5"), ("pack", "out.h5"), ("merge", "new.h5", "out.h5")):
            expect(3, [path, "Input/output error"], *arguments)
    if not os.path.exists(path) or os.path.exists("out.h5.d/damaged"):
        complain("a run file that could not be read was moved")
    expect(0, "4 runs, 3 complete", *run("out.h5", *PLAIN))
    fresh("packed")
    with preloaded(ODD_READ="/out.h5"):
        for arguments in (run("out.h5"), ("pack", "out.h5"), ("check", "out.h5"),
                          ("summary", "out.h5")):
            expect(3, "out.h5: Input/output error", *arguments)
    expect(0, GOOD, "check", "out.h5")


@contextlib.contextmanager
def preloaded(**variables):
    os.environ.update(variables, LD_PRELOAD=ODD_DISK)
    yield
    for variable in (*variables, "LD_PRELOAD"):
        del os.environ[variable]


def refused_grid():
    """A grid of another version may be refused, and is not damaged."""
    fresh("spooled")
    with open("out.h5.d/grid.json", encoding="utf-8") as file:
        grid = file.read()
    beyond = grid.replace('"train.steps":3', '"train.steps":-3')
    if beyond == grid:
        complain("the grid holds no steps to change")
    overwrite(beyond)("out.h5.d/grid.json")
    for arguments in (("check", "out.h5"), ("summary", "out.h5")):
        _, text = call(*arguments)
        if "grid.json" not in text or "grid.json: damaged" in text or "steps" not in text:
            complain(f"{arguments[0]} does not tell why the grid is refused", text)
    expect(0, "", *run("out.h5"))


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
            else:
                complain(f"{state} {path}: bit {bit} of byte {place}: run ends with {code}", text)


def main():
    with scratch_folder():
        name = prepare()
        run_files(name)
        spooled_results()
        foreign_results()
        truncated_results()
        other_programs()
        odd_disks(name)
        refused_grid()
        small_files()
        checkpoints()
        flipped_bits(name)
        packed_results()
    print(f"{len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
