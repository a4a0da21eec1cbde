"""The axes of an experiment's grid: their columns in tables, and values that users type.

Names are data: an axis may be called `mean`, `value` or `val_loss`. In every table of this package
it is the column `mean_`, `value_`, `val_loss_`: an axis with the name of one of the package's own
columns gets an underscore at its end. Dots become underscores (`optimizer.lr` is the column
`optimizer_lr`).
"""

import json
from dataclasses import dataclass, field

# Columns of Results.table(), curves() and samples(), and metrics of /index, /curves and /runs.
OWN_COLUMNS = frozenset(
    """
    id label run runs layer operand step eval_step value index
    n done without_value baseline_diverged pairs mean sd difference difference_sd half_width verdict diverged low high bca_low bca_high p p_adjusted
    pairs_needed verdict_alone missing_pairs choosers optimistic failed pending running
    status reason orphan steps loss grad_norm lr clipped skipped entropy_rate recorded
    val_loss val_loss_hp final_val_loss final_val_loss_hp weights_digest initial_digest
    signal noise sqnr zeros_in underflow saturated inf_in nan_in groups zero_scales nan_scales amax
    scale_log2_min scale_log2_mean scale_log2_max norm shadow_norm cosine snr dead_before dead_after
    kurtosis effective_rank stable_rank collapsed flips updates stalls flip_ratio stall_ratio
    attn_logit_max attn_entropy attn_entropy_min logit_max logz logz2 logit_sharpness
    input_rms residual_rms weight_rms update_rms small big grad_square trace sharpness residual
    mean_update log2_ulp_min log2_ulp_mean log2_ulp_max distance aligned moved_mean moved_max
    """.split()
)


def free_name(name, taken):
    """`name` with as many underscores at its end as it takes to differ from all of `taken`."""
    while name in taken:
        name += "_"
    return name


@dataclass(frozen=True)
class Axis:
    """One axis of the grid. `values` are its points in the order of the experiment, `texts` the
    same as the experiment writes them."""

    name: str  # optimizer.lr
    column: str  # optimizer_lr
    kind: str  # "text", "int" or "real"
    values: list = field(repr=False)
    texts: list = field(repr=False)

    def text(self, value):
        return self.texts[self.values.index(value)]

    def find(self, wanted):
        """The value that `wanted`, a number or a text, means: 3e-3 is 0.003, 90 is 90.0, e4m3 the
        format E4M3, True is true, [0.9,0.99] is [0.9, 0.99]."""
        found = [v for v, t in zip(self.values, self.texts) if str(wanted) == t or wanted is v]
        found = found or [v for v in self.values if self._is_like(v, wanted)]
        if len(found) == 1:
            return found[0]
        raise ValueError(f"axis {self.name} has no value {wanted}; it has {listed(self.texts)}")

    def _is_like(self, value, wanted):
        if self.kind != "text":
            try:
                return float(wanted) == float(value)
            except (TypeError, ValueError):
                return False
        if self.name == "format":
            return value.casefold() == str(wanted).casefold()
        return _meaning(value) == _meaning(wanted)


def _meaning(text):
    """Numbers, lists and truth values by what they mean, other texts as they are."""
    text = str(text)
    for candidate in (text, text.lower(), f"[{text.lower()}]" if "," in text else text):
        try:
            meaning = json.loads(candidate)
        except ValueError:
            continue
        return (isinstance(meaning, bool), meaning)
    return text


def printable(text):
    """Control characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def listed(words, most=20):
    """"a, b, c", of many the first ones and how many more."""
    words = [str(word) for word in words]
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def make_axes(described, columns, taken):
    """The axes of `described` (the "axes" of a grid in JSON), whose columns in the file are
    `columns`, with names that differ from each other and from `taken`."""
    axes = []
    for axis, column in zip(described, columns):
        texts = [point["text"] for point in axis["values"]]
        values = [point.get("value", point["text"]) for point in axis["values"]]
        kind = axis.get("type", "text")
        if kind == "real":
            values = [float(value) for value in values]
        used = taken | {other.column for other in axes}
        axes.append(Axis(axis["name"], free_name(column, used), kind, values, texts))
    return axes


def find_axis(axes, name):
    """The axis of that name, spelt as in the experiment (optimizer.lr) or as a column
    (optimizer_lr)."""
    for spelling in ("name", "column"):
        for axis in axes:
            if getattr(axis, spelling) == name:
                return axis
    raise KeyError(f"no axis {name}; there are {listed(axis.name for axis in axes)}")


def parse_select(words):
    """["optimizer.lr=1e-3", "format=E4M3", "format=BF16"] as {axis: [texts]}."""
    select = {}
    for word in words:
        axis, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--select {word}: expected AXIS=VALUE, such as optimizer.lr=1e-3")
        select.setdefault(axis, []).append(value)
    return select


def resolve(axes, select):
    """{column: [values]} of {axis: value or list of values}."""
    resolved = {}
    for name, wanted in (select or {}).items():
        axis = find_axis(axes, name)
        several = isinstance(wanted, (list, tuple, set)) and len(wanted) > 0
        values = [axis.find(value) for value in (wanted if several else [wanted])]
        resolved.setdefault(axis.column, []).extend(values)
    return resolved
