"""Results files of altgrad in pandas and matplotlib.

    from altgrad_analysis import Results
    results = Results("results/quickstart.h5")
    results.index                    # one row a run
    results.curves("val_loss")       # one row a run and evaluation
    results.samples("quant")         # one row a run, layer, operand and sampled step
    results.table("val_loss")        # format x layer config: mean, sd, difference to the baseline
"""

from .results import Results

__all__ = ["Results"]
