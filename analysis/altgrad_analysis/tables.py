"""altgrad export OUT --tables DIR: all tables of a results file as files that other programs read.

runs.csv has a row per run and labels.csv one per combination of the grid; the others name runs by
id. train.csv and evals.csv are the curves; comparison.csv is what `altgrad summary` says; quant.csv
and the files of diagnostics are what was sampled. The same as Parquet where pyarrow is there, and
the curves of each run as event files of TensorBoard, which W&B and trackio import, too.
"""

import argparse
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from .results import COMPLETE, SAMPLED, Results
from .tensorboard import header, scalars

MOST_POINTS = 1000  # of a curve in TensorBoard, the last one among them
EVALS = ("val_loss", "val_loss_hp")


def tables(results):
    """(name, table) of all that there is."""
    yield "runs", results.index
    yield "labels", results.labels
    if len(results.orphans):
        yield "orphans", results.orphans
    yield "comparison", results.table()
    claims = results.claims()
    if len(claims):
        yield "claims", claims
    metrics = results.metrics()
    for name, step, chosen in (
        ("train", "step", [m for m in metrics if m not in EVALS]),
        ("evals", "eval_step", [m for m in metrics if m in EVALS]),
    ):
        if chosen:
            yield name, _curves(results, chosen, step)
    for group in SAMPLED:
        try:
            sampled = results.samples(group)
        except KeyError:  # no run has it
            continue
        if len(sampled):
            own = sampled.loc[:, "id":]  # the axes stand before it
            yield group.replace("/", "_"), own.drop_duplicates(["id", "layer", "operand", "step"])


def _curves(results, metrics, step):
    """A row per run and step that has any of the metrics."""
    columns = {}
    for metric in metrics:
        ids, steps, columns[metric] = results.matrix(metric)
    known = np.zeros((len(ids), len(steps)), bool)
    for values in columns.values():
        known |= np.isfinite(values)
    run, point = np.nonzero(known)
    frame = {"id": np.asarray(ids, object)[run], step: steps[point]}
    return pd.DataFrame({**frame, **{m: v[run, point] for m, v in columns.items()}})


def _plain(frame):
    """Without values that a flat table cannot hold."""
    objects = [c for c in frame if frame[c].map(lambda v: isinstance(v, (tuple, dict))).any()]
    return frame.assign(**{c: frame[c].map(_text_of) for c in objects}) if objects else frame


def _text_of(value):
    if isinstance(value, dict):
        return "; ".join(f"{k}: {v}" for k, v in value.items())
    return "; ".join(" ".join(map(str, item)) for item in value)


def write(results, folder):
    """The files' names; Parquet only where pyarrow is there."""
    folder.mkdir(parents=True, exist_ok=True)
    has_parquet = importlib.util.find_spec("pyarrow") is not None
    written = []
    for name, frame in tables(results):
        frame = _plain(frame)
        frame.to_csv(folder / f"{name}.csv", index=False)
        written.append(f"{name}.csv")
        if has_parquet:
            frame.to_parquet(folder / f"{name}.parquet", index=False)
            written.append(f"{name}.parquet")
    return written + write_events(results, folder)


# --- TensorBoard


def folder_name(label, run_id):
    """Of a run: its first label, in letters that every file system has, and its id."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", label)[:80] + "-" + run_id


def write_events(results, folder):
    """A file per complete run, in a folder of its own below `folder`/tensorboard."""
    complete = results.index[results.index["status"].isin(COMPLETE)]
    labels = results.labels.drop_duplicates("id").set_index("id")
    parts = {run_id: [header()] for run_id in complete["id"]}
    for metric in results.metrics():
        tag = f"{'eval' if metric in EVALS else 'train'}/{metric}"
        for run_id, steps, values in zip(*_rows(results, metric)):
            if run_id in parts:
                parts[run_id].append(scalars(tag, steps, values))
    for run in complete.itertuples():
        if np.isfinite(getattr(run, "final_val_loss", np.nan)):
            step = int(getattr(run, "steps", 0))
            parts[run.id].append(scalars("final/val_loss", [step], [run.final_val_loss]))
    for run_id, records in parts.items():
        label = "_".join(f"{a}={labels.at[run_id, a]}" for a in results.axes)
        place = folder / "tensorboard" / folder_name(label, run_id)
        place.mkdir(parents=True, exist_ok=True)
        (place / "events.out.tfevents.0.altgrad").write_bytes(b"".join(records))
    return [f"tensorboard/ ({len(parts)} runs)"] if parts else []


def _rows(results, metric):
    """Ids, steps and values of the runs' curves, thinned."""
    ids, all_steps, matrix = results.matrix(metric)
    steps, values = [], []
    for row in matrix:
        there = np.flatnonzero(np.isfinite(row))
        stride = max(1, -(-len(there) // MOST_POINTS))
        kept = there[::-1][::stride][::-1]
        steps.append(all_steps[kept])
        values.append(row[kept])
    return ids, steps, values


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="altgrad export", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("results", type=Path, help="a results file (HDF5)")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder")
    options = parser.parse_args(arguments)
    place = options.results
    try:
        results = Results(options.results)
        place = options.to
        for name in write(results, options.to):
            print(options.to / name)
    except (OSError, ValueError, KeyError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        reason = getattr(error, "strerror", None) or reason  # without the path, which stands before
        print(f"altgrad: error: {place}: {reason}", file=sys.stderr)
        return 2
    return 0
