#!/usr/bin/python3
"""Reads a results file as users do: h5py, pandas, xarray (by netCDF4 and, where it is there, by
h5netcdf), h5dump, netCDF and ncdump. Values are those of made_up.c.

    check_readers.py MAKER FOLDER

MAKER FOLDER/NAME.h5 STATE writes a results file with four runs, seeds 0 to 3, the last one failed.
Exit code 77 = skipped: a module is missing.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import warnings
import zlib

try:
    import h5py
    import netCDF4
    import numpy as np
    import pandas as pd
    import tables  # noqa: F401 (pandas' engine)
    import xarray as xr
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

STEPS = 5
DONE = 3
COLUMNS = (
    "id label format layers seed optimizer_lr status reason steps loss val_loss"
    " val_loss_hp final_val_loss final_val_loss_hp clipped skipped entropy_rate recorded weights_digest initial_digest"
).split()
METRICS = ["clipped", "grad_norm", "loss", "lr", "skipped", "step"]
LAYOUT = """
curves experiment formats index labels orphans routing runs timing
config diagnostics final_windows final_windows_hp metrics quant tensors timing val weights
eval_step val_loss val_loss_hp
""".strip().split("\n")


def check_index(path):
    index = pd.read_hdf(path, "index")
    assert list(index.columns) == COLUMNS, list(index.columns)
    assert list(index.status) == ["done"] * DONE + ["failed"]
    assert index.reason[3] == "crashed: SIGSEGV"
    assert list(index.format) == ["E4M3"] * 4
    assert list(index.seed) == [0, 1, 2, 3] and index.seed.dtype == np.int64
    assert list(index.optimizer_lr) == [1e-3] * 4
    assert list(index.val_loss[:DONE]) == [2.0, 3.0, 4.0] and np.isnan(index.val_loss[3])
    assert list(index.clipped) == [1, 1, 1, 0]
    labels = pd.read_hdf(path, "labels")
    assert list(labels.columns) == ["format", "layers", "seed", "optimizer_lr", "id"]
    assert list(labels.id) == list(index.id)
    formats = pd.read_hdf(path, "formats").set_index("name")
    assert formats.loc["e4m3fn", "max"] == 448 and formats.loc["bf16", "exponent"] == 8
    routing = pd.read_hdf(path, "routing")
    assert len(routing) == 4 * 5 * 3
    quantised = routing[routing.format != "bf16"]
    assert list(quantised.id) == list(index.id)
    assert set(quantised.layer) == {"transformer.h.0.attn.c_attn"}
    assert set(quantised.role) == {"weight"} and set(quantised.scale) == {"current"}
    assert list(pd.read_hdf(path, "timing").id) == list(index.id)


def engines():
    """xarray's, and those that are installed."""
    return [name for name in ("netcdf4", "h5netcdf") if name in xr.backends.list_engines()]


def check_curves(path, engine):
    data = xr.open_dataset(path, group="curves", engine=engine)
    assert dict(data.sizes) == {"run": DONE, "step": STEPS, "eval_step": 2}, data.sizes
    assert list(data.eval_step.values) == [2, STEPS]
    assert data.loss.attrs["units"] == "nats/token"
    expected = 4 - np.arange(STEPS) / 10 + np.arange(DONE)[:, None]
    assert np.array_equal(data.loss.values, expected), data.loss.values
    chosen = data.where(data.seed == 1, drop=True)
    assert list(chosen.val_loss.values[0]) == [4.0, 3.0]
    assert list(data.format.values) == ["E4M3"] * DONE
    coordinates = "run step id format layers seed optimizer_lr status"
    assert sorted(data.loss.coords) == sorted(coordinates.split())
    assert data.seed.dtype == np.int64 and list(data.id.values) == list(data.run.values)
    means = data.loss.groupby("format").mean()
    assert list(means.format.values) == ["E4M3"] and float(means[0, 0]) == 5.0, means
    data.close()


def check_orphans(path):
    """Two runs of the grid, two that it named once; and names are data."""
    names = ["NA", "", "null", "größer 😀"]
    index = pd.read_hdf(path, "index")
    orphans = pd.read_hdf(path, "orphans")
    assert list(index.columns) == COLUMNS == list(orphans.columns)
    assert list(index.format) + list(orphans.sort_values("seed").format) == names
    assert list(index.seed) == [0, 1] and sorted(orphans.seed) == [2, 3]
    assert sorted(orphans.label) == sorted(["null/uniform/2/1e-3", "größer 😀/uniform/3/1e-3"])
    assert list(orphans.optimizer_lr) == [1e-3] * 2 and list(orphans.status) == ["done"] * 2
    assert sorted(orphans.val_loss) == [4.0, 5.0]
    assert list(pd.read_hdf(path, "labels").format) == names[:2]
    assert list(pd.read_hdf(path, "timing").id) == list(index.id)
    assert set(pd.read_hdf(path, "routing").id) == set(index.id)
    with h5py.File(path) as file:
        assert len(file["runs"]) == 4
        assert {run.attrs["seed"] for run in file["runs"].values() if run.attrs["orphan"]} == {2, 3}
    for engine in engines():
        with xr.open_dataset(path, group="curves", engine=engine) as data:
            assert list(data.format.values) == names[:2] and list(data.seed.values) == [0, 1]


def check_tensors(file, name, weights):
    run = file["runs"][name]
    for row in run["tensors"]:
        path = row["name"].decode()
        if path.startswith("weights/") and not weights:
            continue
        array = run[path][...]
        assert list(array.shape) == list(row["shape"][: row["rank"]]), path
        assert array.dtype.str == row["dtype"].decode(), path
        assert array.nbytes == row["bytes"] and zlib.crc32(array.tobytes()) == row["crc32"], path
        assert run[path].chunks is None and run[path].compression is None


def check_samples(run):
    """Series that are sampled on some steps: they lie beside the steps, in every group."""
    weight = run["quant/lm_head/weight"]
    assert sorted(weight) == ["n", "sqnr", "step"]
    assert list(weight["step"]) == [0, 4] == list(run["diagnostics/grad/lm_head/step"])
    assert list(weight["n"]) == [10, 14] and weight["n"].dtype == np.int64
    assert list(weight["sqnr"]) == [30.5, 26.5] and weight["sqnr"].attrs["units"] == "dB"
    assert list(run["diagnostics/grad/lm_head/cosine"]) == [1.0, 0.2]
    assert weight["n"].attrs["long_name"] == "elements"
    frame = pd.DataFrame({name: series[...] for name, series in weight.items()})
    assert frame.set_index("step").sqnr[4] == 26.5
    stored = {row["name"].decode() for row in run["tensors"]}
    assert {"quant/step", "quant/lm_head/weight/n", "diagnostics/grad/lm_head/cosine"} <= stored


def check_runs(path, packed):
    with h5py.File(path) as file:
        assert file.attrs["format"] == "altgrad-results"
        assert file.attrs["state"] == ("packed" if packed else "spooled")
        assert sorted(file) == LAYOUT[0].split(), sorted(file)
        assert file["experiment/yaml"][()].decode().startswith("altgrad: 1")
        digest = hashlib.sha256(file["experiment/yaml"][()]).hexdigest()
        assert file["experiment"].attrs["yaml_sha256"] == digest
        assert len(file["runs"]) == DONE
        for name, run in file["runs"].items():
            members = [m for m in LAYOUT[1].split() if packed or m != "weights"]
            assert sorted(run) == members, sorted(run)
            assert sorted(run["metrics"]) == METRICS and sorted(run["val"]) == LAYOUT[2].split()
            assert run.attrs["id"] == name and run.attrs["optimizer.lr"] == 1e-3
            assert run.attrs["entropy_rate"] == 1.25 and run.attrs["orphan"] == 0
            canonical = run["config"][()]
            assert hashlib.sha256(canonical).hexdigest()[:12] == name
            assert ("file" in run.attrs) == (not packed)
            check_samples(run)
            check_tensors(file, name, packed)
            assert [run.attrs[name] for name in ("vocab_size", "bias", "tie_weights")] == [
                run.attrs["vocab_size"], run.attrs["model.bias"] == "true", 1]
            if packed:
                # tied: a second name for one tensor, as nanoGPT's state_dict has it
                assert run["weights/lm_head.weight"] == run["weights/transformer.wte.weight"]
                # the table's first rows are the metrics, then the weights in the digest's order
                rows = [r["name"].decode() for r in run["tensors"]]
                whole = b"".join(run[r][...].tobytes() for r in rows if r.startswith("weights/"))
                assert hashlib.sha256(whole).hexdigest() == run.attrs["weights_digest"]


def check_h5dump(path):
    if shutil.which("h5dump") is None:
        print("h5dump is missing: not tried")
        return
    done = subprocess.run(["h5dump", path], capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    assert not re.search("h5dump (warning|error)", done.stdout, re.IGNORECASE)
    superblock = subprocess.run(["h5dump", "-B", "-H", path], capture_output=True, text=True)
    assert "SUPERBLOCK_VERSION 2" in superblock.stdout


def check_netcdf(path):
    """The whole file, by the library that ncdump is made of, and by ncdump where it is there."""

    def walk(group):
        names = [variable.name for variable in group.variables.values()]
        return names + [name for inner in group.groups.values() for name in walk(inner)]

    with netCDF4.Dataset(path) as file:
        assert {"loss", "val_loss", "lr"} <= set(walk(file))
    if shutil.which("ncdump") is None:
        print("ncdump is missing: not tried")
        return
    done = subprocess.run(["ncdump", path], capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr


def main():
    maker, folder = sys.argv[1:]
    for state in "spooled", "packed":
        path = f"{folder}/{state}.h5"
        subprocess.run([maker, path, state], check=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # PyTables would like to offer the column "from" of /routing as an attribute
            warnings.filterwarnings("ignore", "object name is a Python keyword")
            check_index(path)
            for engine in engines():
                check_curves(path, engine)
            check_runs(path, state == "packed")
            check_netcdf(path)
        check_h5dump(path)
    path = f"{folder}/orphans.h5"
    subprocess.run([maker, path, "orphans"], check=True)
    check_orphans(path)
    print("read by h5py, pandas, h5dump and xarray:", *engines())


if __name__ == "__main__":
    main()
