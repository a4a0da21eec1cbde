"""The claims of the experiment, as `altgrad summary` judges them."""

import numpy as np

from .page import Figure, LeftOut, table
from .scales import fixed


def claims(context):
    judged = context.results.claims()
    if len(judged) == 0:
        raise LeftOut("the experiment states no claims")
    rows = [
        (
            row["name"],
            "\n".join(filter(None, (row["text"] or "", row["source"] or ""))) or row["kind"],
            row["state"],
            _numbers(row),
            _seeds(row),
        )
        for _, row in judged.iterrows()
    ]
    columns = ["claim", "says", "state", "difference [95 %]", "seeds"]
    caption = (
        "What the experiment file claims, judged by its runs as altgrad summary does: confirmed, "
        "refuted or open; below the seeds, how many more might decide."
    )
    panels = [table(columns, rows, classes=list(judged["state"]))]
    return Figure("claims", "Claims", panels, judged, caption)


def _numbers(row):
    if not np.isfinite(row["low"]):
        return "-"
    middle = fixed(row["difference"], signed=True) if np.isfinite(row["difference"]) else ""
    return "\n".join(filter(None, (middle, f"[{fixed(row['low'])}, {fixed(row['high'])}]")))


def _seeds(row):
    more = f"\n({int(row['more_seeds'])} more?)" if np.isfinite(row["more_seeds"]) else ""
    return f"{int(row['seeds'])}{more}"
