"""What the checks here share: the small experiment, a count of what fails, calls of altgrad."""

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FEW = (HERE / "few.yaml").read_text()
failures = []


def complain(what, text=""):
    failures.append(what)
    print("FAILED:", what)
    for line in text.splitlines()[:20]:
        print("   ", line)


def check(holds, what):
    if not holds:
        complain(what)


@contextlib.contextmanager
def scratch_folder():
    """An empty folder to be in, which goes afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir("/")


def flip(path, place, bit=0):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))


def flip_middle(path):
    flip(path, os.path.getsize(path) // 2)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def few(*lines, path="few.yaml"):
    """The small experiment with these lines."""
    write(path, FEW + "\n".join(lines) + "\n")


def run(out, *more, file="few.yaml"):
    return ("run", file, "-o", out, "--progress", "none", *more)


def remove(pattern):
    for path in glob.glob(pattern):
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def fresh(state):
    """out.h5 in the state that was prepared, nothing else of it, and no new.h5."""
    remove("out.h5*")
    remove("new.h5*")
    shutil.copy(f"{state}.h5", "out.h5")
    shutil.copytree(f"{state}.h5.d", "out.h5.d")


class Altgrad:
    """The program; whether it ends and says as it should is checked."""

    def __init__(self, path):
        self.path = path

    def call(self, *arguments, code=0, cwd=None):
        """What it says; of an answer in JSON, that alone."""
        end = subprocess.run(
            [self.path, *arguments], capture_output=True, text=True, cwd=cwd, timeout=100
        )
        got, said = end.returncode, end.stdout + end.stderr
        check(got == code, f"{arguments}: exit code {got}, not {code}:\n{said}")
        return end.stdout if "--json" in arguments else said

    def says(self, part, *arguments, code=0, cwd=None):
        said = self.call(*arguments, code=code, cwd=cwd)
        check(part in said, f"{arguments}: '{part}' is not in:\n{said}")


def steps_for(altgrad, file, seconds, tried=100):
    """Steps with which all runs of a file take so much processor time, as text."""
    command = ["bash", HERE / "steps_for.sh", altgrad, file, str(seconds), str(tried)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
