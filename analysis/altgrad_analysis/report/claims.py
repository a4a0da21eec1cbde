"""The claims of the experiment, as `altgrad summary` judges them."""

import numpy as np

from .page import Figure, LeftOut, table
from .scales import fixed, number


def claims(context):
    judged = context.results.claims()
    if len(judged) == 0:
        raise LeftOut("the experiment states no claims")
    rows = [
        (
            row["name"],
            "\n".join(filter(None, (_statement(context, claim), row["text"], row["source"]))),
            row["state"],
            _numbers(row),
            _seeds(row),
        )
        for claim, (_, row) in zip(context.results.grid["claims"], judged.iterrows())
    ]
    columns = ["claim", "says", "state", "difference or share [95 %]", "seeds or runs"]
    caption = (
        "What the experiment file claims, judged by its runs as altgrad summary does: confirmed, "
        "refuted or open; below their number, how many more might decide."
    )
    panels = [table(columns, rows, classes=list(judged["state"]), is_wide=True)]
    return Figure("claims", "Claims", panels, judged, caption)


def _statement(context, claim):
    """What is claimed, with the points by name, as altgrad summary words it."""
    points = [_point(context, indices) for indices in claim["points"]]
    bound = number(claim["bound"]) if claim["bound"] else ""
    if claim["kind"] == "diverges":
        return f"{points[0]} diverges in more than {bound or 0} of its runs"
    if claim["kind"] == "same":
        return f"{points[0]} is the same as {points[1]} within {bound or 0}"
    word = " is worse than " if claim["kind"] == "worse" else " is better than "
    return word.join(points) + (f" by more than {bound}" if bound else "")


def _point(context, indices):
    axes = context.results.grid_axes
    named = [f"{a.name} = {a.texts[i]}" for a, i in zip(axes, indices) if i is not None]
    return ", ".join(named) or "everything"


def _numbers(row):
    if not np.isfinite(row["low"]):
        return "-"
    middle = row["difference"]
    if row["kind"] == "diverges":
        middle = row["diverged"] / row["runs"]
    middle = fixed(middle, signed=row["kind"] != "diverges") if np.isfinite(middle) else ""
    return "\n".join(filter(None, (middle, f"[{fixed(row['low'])}, {fixed(row['high'])}]")))


def _seeds(row):
    more = f"\n({int(row['more_seeds'])} more?)" if np.isfinite(row["more_seeds"]) else ""
    if row["kind"] == "diverges":
        return f"{int(row['diverged'])} of {int(row['runs'])}{more}"
    return f"{int(row['seeds'])}{more}"
