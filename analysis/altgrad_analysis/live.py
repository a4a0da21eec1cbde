"""Curves of runs that are still training: OUT.h5.d/live/<id>.jsonl, one JSON object per line."""

import json
from pathlib import Path

import numpy as np


def read_live(results_path):
    """{id: {metric: (steps, values)}} of the runs that left live curves beside a results file."""
    folder = Path(f"{results_path}.d") / "live"
    runs = {}
    for path in sorted(folder.glob("*.jsonl")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # complete meanwhile
            continue
        runs[path.stem] = _series(text)
    return runs


def _series(text):
    points = {}
    for line in text.split("\n")[:-1]:  # a last line without its end was torn
        point = _parse(line)
        step = point.pop("step", point.pop("eval_step", None))
        if not isinstance(step, int):
            continue
        for metric, value in point.items():
            if value is None or isinstance(value, (int, float)):
                points.setdefault(metric, {})[step] = np.nan if value is None else float(value)
    return {metric: _sorted(values) for metric, values in points.items()}


def _parse(line):
    try:
        point = json.loads(line)
    except ValueError:
        return {}
    return point if isinstance(point, dict) else {}


def _sorted(values):
    """A run that went on from a checkpoint repeats steps: the last value counts."""
    steps = np.array(sorted(values), dtype=np.int64)
    return steps, np.array([values[step] for step in steps])
