"""How results files are opened and their tables read."""

from pathlib import Path

import h5py
import pandas as pd

FORMAT = "altgrad-results"


def open_results(path):
    """Opened without HDF5's locks: altgrad replaces the file by renaming, so that an open file
    stays whole, and some file systems know no locks."""
    if not Path(path).exists():
        raise FileNotFoundError("there is no such file")
    try:
        file = _open(path)
    except OSError as error:
        if h5py.is_hdf5(path):
            raise ValueError(f"damaged ('altgrad check' tells more): {error}") from error
        raise ValueError("not an HDF5 file") from error
    if read_text(file.attrs.get("format", "")) != FORMAT:
        file.close()
        raise ValueError("not a results file of altgrad")
    return file


def _open(path):
    try:
        return h5py.File(path, "r", locking=False)
    except (TypeError, ValueError):  # a version without that option
        return h5py.File(path, "r")


def read_text(value):
    if isinstance(value, h5py.Dataset):
        value = value[()]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_table(dataset):
    """A compound dataset, with its fixed-length byte strings as text: "nan" stays a text."""
    rows = dataset[...]
    frame = pd.DataFrame({name: rows[name] for name in rows.dtype.names})
    for name in rows.dtype.names:
        if rows.dtype[name].kind in "SO":
            frame[name] = frame[name].map(read_text).astype(object)
    return frame
