"""What the runs of an experiment were: their parameters, sizes, tokens and formats, by run id."""

import json

import numpy as np
import pandas as pd

from ..files import open_results, read_table

WIDE = ("bf16", "fp32")  # the formats of what is not quantised


class Facts:
    """Of the grid of `results`. Numbers that a file of an old version lacks are NaN."""

    def __init__(self, results):
        self._grid = results.grid
        self._runs = {run["id"]: run for run in self._grid.get("runs", [])}
        first = self._grid.get("runs", [{}])[:1]
        self._base = first[0].get("set", {}) if first else {}
        self._base_data = first[0].get("data", {}) if first else {}
        self._precisions = {}

    def get(self, run_id, key):
        """The parameter `key` of a run, or None."""
        return self._runs.get(run_id, {}).get("set", {}).get(key, self._base.get(key))

    def numbers(self, ids, key):
        """Of each of `ids`, NaN where it is no number."""
        values = [self.get(run_id, key) for run_id in ids]
        return np.array([v if isinstance(v, (int, float)) else np.nan for v in values], float)

    def settings_text(self, run_id, without):
        """All parameters of a run but one, as a text that differs where one of them does."""
        settings = self._base | self._runs.get(run_id, {}).get("set", {})
        return json.dumps({k: v for k, v in settings.items() if k != without}, sort_keys=True)

    def sizes(self, ids):
        """A table: parameters (of the matrices of the blocks, without embeddings), all_parameters
        (with them) and tokens (that the run trains on), one row for each of `ids`."""
        shapes = [self._shape(run_id) for run_id in ids]
        return pd.DataFrame(shapes, columns=["parameters", "all_parameters", "tokens"], index=ids)

    def _shape(self, run_id):
        def of(key, default=0):
            value = self.get(run_id, key)
            return default if value is None else value

        try:
            blocks = matrices(lambda key, default=0: of(f"model.{key}", default))
            vocab = self._runs[run_id].get("data", self._base_data)["vocab_size"]
            width = of("model.n_embd")
            around = vocab * width * (1 if of("model.tie_weights", True) else 2)
            around += (
                width * of("model.block_size") * (of("model.position", "learned") == "learned")
            )
            tokens = of("train.steps") * of("train.batch_size") * of("train.grad_accum", 1)
            return float(blocks), float(blocks + around), float(tokens * of("model.block_size"))
        except (KeyError, TypeError, ZeroDivisionError):
            return np.nan, np.nan, np.nan

    # --- formats

    def precision(self, run_id):
        """{layer: {role: element format or None}} of a run."""
        row = self._runs.get(run_id, {}).get("layers")
        layers = self._grid.get("layers", [])
        if not isinstance(row, int) or row >= len(layers):
            return {}
        if row not in self._precisions:
            self._precisions[row] = {n: dict(_elements(r)) for n, r in layers[row].items()}
        return self._precisions[row]

    def elements(self, run_id):
        """The element formats that a run quantises to, in its layers."""
        roles = [roles for roles in self.precision(run_id).values()]
        return sorted({e for r in roles for e in r.values() if e is not None and e not in WIDE})

    def quantised(self, run_id):
        """{layer: (roles that are quantised)}."""
        return {
            layer: tuple(role for role, e in roles.items() if e is not None and e not in WIDE)
            for layer, roles in self.precision(run_id).items()
        }


def _elements(roles):
    """Of {"weight": scheme, "input": {"fprop": scheme, ...}, ...}, ("weight", "e4m3fn"), ..."""
    for role, scheme in (roles or {}).items():
        if isinstance(scheme, dict) and "format" not in scheme:
            yield from ((f"{role}.{part}", element) for part, element in _elements(scheme))
        else:
            yield role, scheme.get("format") if isinstance(scheme, dict) else None


def matrices(of):
    """The number of weights in the matrices of all blocks. `of` gives a key of `model`."""
    width, heads = of("n_embd"), of("n_head")
    head = of("head_dim") or width // heads
    groups = of("n_kv_head") or heads
    hidden = of("mlp_hidden")
    gated = of("mlp", "gelu") == "swiglu"
    if not hidden:
        multiple = of("mlp_multiple_of", 32) or 1
        hidden = -(-(8 * width // 3) // multiple) * multiple if gated else 4 * width
    attention = width * head * (heads + 2 * groups) + heads * head * width
    return of("n_layer") * (attention + (3 if gated else 2) * width * hidden)


def read_formats(results):
    """/formats with name, bits, exponent, mantissa, by name; empty where the file has none."""
    return _table(results, "formats", ["name", "bits", "exponent", "mantissa"]).set_index("name")


def read_timing(results):
    """/timing: id, train_s, eval_s, total_s, tokens_per_s."""
    return _table(results, "timing", ["id", "train_s", "eval_s", "total_s", "tokens_per_s"])


def _table(results, name, columns):
    if results.has_file:
        with open_results(results.path) as file:
            if name in file and set(columns) <= set(file[name].dtype.names or ()):
                return read_table(file[name])[columns]
    return pd.DataFrame(columns=columns)
