"""What the runs took on this machine, which says nothing about hardware that has the formats."""

import numpy as np

from ..cells import COMPLETE
from .facts import read_timing
from .page import Figure, LeftOut, table
from .scales import fixed, number

WARNING = "emulated: not hardware speed"


def cost(context):
    timing = read_timing(context.results)
    runs = context.runs[context.runs["status"].isin(COMPLETE)]
    runs = runs.merge(timing, on="id").drop_duplicates(["format", "id"])
    if runs.empty:
        raise LeftOut("no complete run has timings")
    by_format = runs.groupby("format", sort=False).agg(
        runs=("id", "size"),
        train_s=("train_s", "mean"),
        eval_s=("eval_s", "mean"),
        total_s=("total_s", "sum"),
        tokens_per_s=("tokens_per_s", "median"),
    )
    base = by_format["train_s"].get(context.baseline, np.nan)
    by_format["relative"] = by_format["train_s"] / base
    rows = [
        (
            name,
            str(int(row["runs"])),
            number(row["train_s"], 3),
            number(row["tokens_per_s"], 3),
            f"{fixed(row['relative'], 2)} x" if np.isfinite(row["relative"]) else "-",
        )
        for name, row in by_format.iterrows()
    ]
    columns = ["format", "runs", "train s", "tokens/s", "to baseline"]
    data = by_format.reset_index().assign(note=WARNING)
    caption = (
        f"{WARNING}. altgrad computes every format in float32 with roundings: the times say what an "
        "experiment costs here, and nothing about a processor that has the format. Mean seconds of "
        "training per run, median tokens per second; all runs of a format together."
    )
    return Figure("cost", f"Cost ({WARNING})", [table(columns, rows)], data, caption)
