"""The figures of a report, in the order of the page. A new one is a function and a line here."""

from . import claims, comparison, costs, grids, losses, rates, sampled, scaling

FIGURES = [
    ("Claims", claims.claims),
    ("Final loss", comparison.final_table),
    ("Validation loss over steps", losses.validation_loss),
    ("Training loss over steps", losses.training_loss),
    ("Paired difference over steps", losses.differences),
    ("Differences to the baseline", comparison.forest),
    ("Every seed", comparison.strips),
    ("Exponent and mantissa bits", grids.exponent_by_mantissa),
    ("Layers", grids.layers),
    ("Roles", grids.roles),
    ("Learning rates", rates.learning_rates),
    ("Scaling", scaling.scaling),
    ("Over bits", scaling.over_bits),
    ("Over the axes", scaling.over_axes),
    *((kind.title, sampled.drawer(kind)) for kind in sampled.KINDS),
    ("Runs that diverged", comparison.diverged),
    ("Cost", costs.cost),
]
