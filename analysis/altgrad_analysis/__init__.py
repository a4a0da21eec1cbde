"""Results files of altgrad in pandas and matplotlib.

    from altgrad_analysis import Results
    results = Results("results/quickstart.h5")
    results.index                    # one row per run
    results.curves("val_loss")       # one row per label and evaluation
    results.samples("quant")         # one row per label, layer, operand and sampled step
    results.table()                  # what `altgrad summary` says: format x layer config
    results.select(results.table(), {"format": ["BF16", "E4M3"]})
    Results.from_csv("theirs.csv", baseline={"format": "bf16"})   # runs of other programs

A label is a combination of the grid: format, layer config, seed and the experiment's other axes.
An axis is a column of every table; one that is called like a column of the package gets an
underscore at its end (an axis `mean` is the column `mean_`).
"""

__all__ = ["Results"]


def __getattr__(name):
    """Results, read when it is asked for: `python3 -m altgrad_analysis` must be able to say what an
    interpreter lacks."""
    if name == "Results":
        from .results import Results

        return Results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
