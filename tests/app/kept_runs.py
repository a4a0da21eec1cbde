#!/usr/bin/python3
"""The completed runs of a results file, while nobody writes it: id and a digest of all that is kept.

    kept_runs.py OUT

A run keeps its digest, timings and all, from its first day in OUT.d/runs through packing and
unpacking: a run that vanishes or changes was lost or trained a second time. As altgrad does, the
folder is believed where there is one, and OUT only where there is none.
"""

import hashlib
import os
import sys

import h5py

# what publishing adds to a run, or decides anew
NOT_THE_RUNS = {"file", "orphan"}


def feed(digest, name, node):
    digest.update(name.encode())
    for key in sorted(set(node.attrs) - NOT_THE_RUNS):
        digest.update(f"{key}={node.attrs[key]!r}".encode())
    if isinstance(node, h5py.Dataset):
        value = node[()]
        digest.update(f"{node.dtype}{node.shape}".encode())
        digest.update(value.tobytes() if hasattr(value, "tobytes") else repr(value).encode())


def run_digest(group):
    digest = hashlib.sha256()
    feed(digest, "", group)
    group.visititems(lambda name, node: feed(digest, name, node))
    return digest.hexdigest()


def kept_runs(out):
    """id -> digest; empty where there is nothing yet."""
    folder = out + ".d/runs"
    if os.path.isdir(folder):
        files = [f"{folder}/{name}" for name in os.listdir(folder) if name.endswith(".h5")]
    else:
        files = [out] if os.path.exists(out) else []
    found = {}
    for path in files:
        with h5py.File(path, "r") as file:
            found.update({run: run_digest(group) for run, group in file["runs"].items()})
    return found


if __name__ == "__main__":
    for run, digest in sorted(kept_runs(sys.argv[1]).items()):
        print(run, digest)
