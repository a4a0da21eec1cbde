"""Files that altgrad really wrote hold what docs/file-formats.md lists, and nothing else.

    check_file_formats.py ALTGRAD PAGE

On the page a heading names a file, or an object in one; the first cell of each row of its table names
a member: a column, an attribute (@name), a dataset, a key. A row that says "not always" may be
missing in the files.
"""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import h5py

from support import flip_middle

EXPERIMENT = """\
altgrad: 1
model: {n_layer: 1, n_head: 2, n_embd: 16, block_size: 8, bias: true}
data: {text: text.txt}
train: {batch_size: 2, grad_accum: 2}
eval: {every: 50, windows: 4, batch: 2}
formats: [{name: m, all: mxfp8, scaling: {granularity: tensor, amax: delayed}, until: 90%}]
axes: {train.steps: [100, 500000]}
output: {weights: initial+final, states: [20]}
observe: {quant_every: 40, diagnostics: [DIAGNOSTICS]}
"""
STORED = """\
altgrad: 1
model: {n_layer: 1, n_head: 2, n_embd: 16, block_size: 8}
data: {text: text.txt}
train: {steps: 500000}
optimizer: {store_error: kahan}
formats: [BF16]
layer_configs:
  stored: {default_format: $format, layer_rules: [{pattern: '\\.opt\\.w$', format: BF16}]}
"""
SETUP = {"DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"}  # of HDF5's dimension scales
ANY_KEYS = ("grid.runs[].set", "grid.layers[]", "facts.vocabulary")  # their members are data


def say(*lines):
    print(*lines, sep="\n", flush=True)


class Files:
    """The names of all that is in some files, in the way of the page."""

    def __init__(self, altgrad):
        params = json.loads(subprocess.check_output([altgrad, "params", "--json"]))
        self.parameters = {p["key"] for p in params}
        self.diagnostics = next(p["words"] for p in params if p["key"] == "observe.diagnostics")
        self.axes = {"format", "layers", "train_steps", "seed"}
        self.names = set()

    def place(self, path):
        """/runs/9082c100ba83/quant/lm_head/input/n -> /runs/<id>/quant/<layer>/<operand>/n"""
        for pattern, name in (
            (r"/runs/[0-9a-f]{12}", "/runs/<id>"),
            (r"/quant/[^/]+/[^/]+", "/quant/<layer>/<operand>"),
            (r"(/diagnostics/\w+)/[^/]+", r"\1/<layer>"),
            (r"/states/\d+", "/states/<step>"),
            (r"/(weights|weights_initial|[mvc])/[^/]+", r"/\1/<tensor>"),
        ):
            path = re.sub(pattern, name, path)
        folder, _, name = path.rpartition("/")
        return folder + "/<axis>" if folder == "/curves" and name in self.axes else path

    def add_object(self, path, item):
        place = self.place(path) if path != "/" else ""
        is_dataset = isinstance(item, h5py.Dataset)
        for name in set(item.attrs) - SETUP:
            name = "<parameter>" if name in self.parameters else name
            self.names.add(f"dataset@{name}" if is_dataset else f"{place or '/'}@{name}")
        if is_dataset:
            self.names.add(place)
            axes = self.axes if place in ("/index", "/orphans", "/labels") else ()
            for name in item.dtype.names or ():
                self.names.add(f"{place}.{'<axis>' if name in axes else name}")

    def add_hdf5(self, path):
        with h5py.File(path) as file:

            def walk(group, name):  # visititems would leave out second names
                self.add_object(name or "/", group)
                if isinstance(group, h5py.Group):
                    for member in group:
                        walk(group[member], f"{name}/{member}")

            walk(file, "")

    def add_folder(self, folder):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".part":
                name = path.relative_to(folder).as_posix()
                self.names.add("folder/" + re.sub("/[0-9a-f]{12}", "/<id>", name))

    def add_json(self, value, name):
        if name in ANY_KEYS:
            return
        if isinstance(value, dict):
            for key, member in value.items():
                place = f"{name}.{key}" if not re.fullmatch("[0-9a-f]{12}", key) else f"{name}.<id>"
                self.names.add(place)
                self.add_json(member, place)
        elif isinstance(value, list):
            for member in value:
                self.add_json(member, f"{name}[]")


def check_seal(path):
    """The last 64 bytes hold the size and crc32 of the others."""
    content = path.read_bytes()
    seal = f"altgrad-seal 1 bytes={len(content) - 64:020d} crc32={zlib.crc32(content[:-64]):08x}"
    assert content[-64:] == seal.ljust(63).encode() + b"\n", (path, content[-64:])


def add_checkpoint(files, path):
    """By the offsets that the page gives."""
    content = path.read_bytes()
    magic, version, numerics, size, count = struct.unpack_from("<16sIIQQ", content)
    assert magic == b"altgrad-ckpt\r\n\x1a\0" and version == 1 and numerics == 2, content[:40]
    assert size == len(content) and content[40:52].decode() == path.name, path
    offset = 1576
    for row in range(count):
        name, length, crc, _ = struct.unpack_from("<24sQII", content, 224 + 40 * row)
        assert zlib.crc32(content[offset : offset + length]) == crc, name
        files.names.add(f"checkpoint.{name.rstrip(bytes(1)).decode()}")
        offset += length
    assert offset == size


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "waited a minute in vain"
        time.sleep(0.05)


def add_events(files, lines):
    for line in lines:
        files.add_json(json.loads(line), "event")


def collect(altgrad):
    """A run that is done, one that was stopped, what lies there meanwhile, and what comes of damage,
    of merging, and of an optimizer that keeps what rounding lost."""
    files = Files(altgrad)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    Path("text.txt").write_text("a rose is a rose is a rose\n" * 60)
    experiment = EXPERIMENT.replace("DIAGNOSTICS", ", ".join(files.diagnostics))
    Path("e.yaml").write_text(experiment)
    run = [altgrad, "run", "e.yaml", "-o", "out.h5", "--progress", "none"]
    short = [*run, "--only", "train.steps=100"]
    subprocess.run(short, check=False, **quiet)
    folder = Path("out.h5.d")
    (done,) = folder.glob("runs/*.h5")
    flip_middle(done)
    subprocess.run(short, check=False, **quiet)
    at_work = subprocess.Popen(run, **quiet)
    try:
        wait_for(lambda: any("val_loss" in p.read_text() for p in folder.glob("live/*.jsonl")))
        wait_for(lambda: json.loads((folder / "live.json").read_text())["running"])
        files.add_folder(folder)
        files.add_json(json.loads((folder / "live.json").read_text()), "live")
        for line in next(folder.glob("live/*.jsonl")).read_text().splitlines():
            files.add_json(json.loads(line), "curve")
        for line in (folder / "owner").read_text().splitlines():
            files.names.add("owner." + line.split()[0])
        assert (folder / "plan").read_text().startswith("altgrad-plan 1 e\n")
    finally:
        subprocess.run([altgrad, "stop", "out.h5", "--wait"], check=True, **quiet)
        assert at_work.wait() == 75
    for name in ("grid", "facts"):
        files.add_json(json.loads((folder / f"{name}.json").read_text()), name)
    add_events(files, (folder / "events.jsonl").read_text().splitlines())
    add_checkpoint(files, next(folder.glob("checkpoints/*")))
    run_file = next(folder.glob("runs/*.h5"))
    files.add_hdf5(run_file)
    files.add_hdf5("out.h5")
    check_seal(run_file)
    files.add_folder(folder)
    # the grid lets go of a run, so that its labels are noted
    Path("e.yaml").write_text(experiment.replace("[100, 500000]", "[500000]"))
    subprocess.run([*run, "--max-time", "2s"], check=False, **quiet)
    files.add_json(json.loads((folder / "labels.json").read_text()), "labels")
    subprocess.run([altgrad, "pack", "out.h5"], check=True, **quiet)
    files.add_hdf5("out.h5")
    check_seal(Path("out.h5"))
    subprocess.run([altgrad, "merge", "merged.h5", "out.h5"], check=False, **quiet)
    add_events(files, Path("merged.h5.d/events.jsonl").read_text().splitlines())
    Path("stored.yaml").write_text(STORED)
    stored = [altgrad, "run", "stored.yaml", "-o", "stored.h5", "--max-time", "2s"]
    subprocess.run(stored, check=False, **quiet)
    add_checkpoint(files, next(Path("stored.h5.d").glob("checkpoints/*")))
    return files.names


def listed(page):
    """{name: whether it is always there}"""
    names, heading, columns = {}, None, False
    for line in page.splitlines():
        title = re.match(r"#+ .*?`([^`]+)`( table)?", line)
        if line.startswith("#"):
            heading, columns = (title[1], title[2]) if title else (None, False)
            if columns:
                names[heading] = True
        row = re.match(r"\| `([^`]+)`(?:, `([^`]+)`)*", line)
        for name in re.findall("`([^`]+)`", line.split("|")[1]) if row and heading else ():
            if name.startswith("@"):
                place = heading + name
            elif columns or not heading.startswith(("/", "folder")):
                place = f"{heading}.{name}"
            else:
                place = f"{heading.rstrip('/')}/{name}"
            names[place] = "not always" not in line
    return names


def unknown_to_analysis(names, folder):
    """Groups and metrics of samples that the package does not list."""
    sys.path.insert(0, str(folder))
    from altgrad_analysis.axes import OWN_COLUMNS
    from altgrad_analysis.results import SAMPLED

    for name in sorted(names):
        sampled = re.fullmatch(r"/runs/<id>/(quant|diagnostics/\w+)/<layer>\S*/(\w+)", name)
        if sampled and sampled[1] not in SAMPLED:
            yield f"written, but not in SAMPLED of results.py: {sampled[1]}"
        if sampled and sampled[2] not in OWN_COLUMNS:
            yield f"written, but not in OWN_COLUMNS of axes.py: {sampled[2]}"


def main(altgrad, page):
    found, told = None, listed(Path(page).read_text())
    altgrad = str(Path(altgrad).resolve())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found = collect(altgrad)
        os.chdir("/")
    faults = [f"written, but not on the page: {name}" for name in sorted(found - set(told))]
    analysis = Path(page).resolve().parents[1] / "analysis"
    faults += sorted(set(unknown_to_analysis(found, analysis)))
    always = {name for name, there in told.items() if there}
    faults += [f"on the page, but not written: {name}" for name in sorted(always - found)]
    say(*faults, f"{len(found)} names compared")
    return 1 if faults or not found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
