#!/usr/bin/python3
"""Compares results files byte for byte, less what may depend on the machine.

    compare_results.py FIRST OTHER...

Every group, dataset, type, shape, attribute and value must be equal, except the `timing` group of
each run, the columns that repeat it, and what /experiment says of the job. Exit code 1 when not.
"""

import sys

import h5py
import numpy as np

MACHINE_COLUMNS = {"train_s", "eval_s", "total_s", "tokens_per_s", "host", "rank"}
MACHINE_ATTRIBUTES = {"created", "texts_crc32"}  # which covers the name of the host


def is_machine(path):
    parts = path.split("/")
    return "timing" in parts or parts[0] == "experiment"


def canonical(array):
    """The bytes of an array, its machine columns left out; strings by their text."""
    if array.dtype.names:
        keep = [name for name in array.dtype.names if name not in MACHINE_COLUMNS]
        return tuple((name, canonical(np.ascontiguousarray(array[name]))) for name in keep)
    if array.dtype == object:
        return tuple(map(repr, array.ravel()))
    return array.tobytes()


def attributes(node):
    return {
        name: repr(value) if isinstance(value, (str, bytes)) else canonical(np.asarray(value))
        for name, value in node.attrs.items()
        if name not in MACHINE_ATTRIBUTES
        and not name.startswith(("REFERENCE_LIST", "DIMENSION_LIST"))
    }


def contents(path):
    """Every object of a file: path -> (kind, type, shape, bytes, attributes)."""
    found = {}

    def visit(name, node):
        if is_machine(name):
            return
        if isinstance(node, h5py.Dataset):
            found[name] = (str(node.dtype), node.shape, canonical(np.asarray(node[()])))
        else:
            found[name] = ("group",)
        found[name] += (attributes(node),)

    with h5py.File(path, "r") as file:
        found["/"] = (attributes(file),)
        file.visititems(visit)
    return found


def main():
    first, *others = sys.argv[1:]
    expected = contents(first)
    datasets = sum(len(row) > 2 for row in expected.values())
    if not others or datasets == 0:
        sys.exit("nothing to compare")
    different = []
    for other in others:
        found = contents(other)
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                different.append(f"{name} differs between {first} and {other}")
    print("\n".join(different) or f"{datasets} datasets are the same in {len(others) + 1} files")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
