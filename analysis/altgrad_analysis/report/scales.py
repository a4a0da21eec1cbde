"""Scales of axes: where a value stands, and which ticks are drawn."""

import math

import numpy as np

MINUS = "\N{MINUS SIGN}"


def number(value, digits=4, signed=False):
    """As short as it can be said with so many digits: 0.012, 3e-4, 1.2e6."""
    if value is None or not math.isfinite(value):
        return "-"
    text = f"{value:{'+' if signed and value else ''}.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if e and 1 <= abs(value) < 1e5:
        text = f"{float(text):{'+' if signed else ''}.0f}"  # 150 and not 1.5e2
    elif e:
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", MINUS)


def count(value):
    """768, 3.07 k, 25.6 k, 1.2 M."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return number(value / size, 3) + unit
    return number(value, 3)


def fixed(value, digits=4, signed=False):
    """With so many decimals; never a zero with a sign."""
    if value is None or not math.isfinite(value):
        return "-"
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if float(text) == 0:
        text = f"{0:.{digits}f}"
    return text.replace("-", MINUS)


def _nice_step(span, count):
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)


def linear_ticks(low, high, count=5):
    """Round numbers between low and high."""
    if not high > low:
        return [low]
    step = _nice_step(high - low, count)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low, high):
    """Powers of ten; within two decades 1, 2 and 5 of each, within half a one whatever is round."""
    decades = math.log10(high / low)
    if decades < 0.5:
        return [t for t in linear_ticks(low, high, 4) if t > 0]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, round(decades / 5))
    steps = (1, 2, 5) if decades < 2 else (1,)
    ticks = [m * 10.0**k for k in range(first, last + 1, stride) for m in steps]
    return [t for t in ticks if low * 0.999 <= t <= high * 1.001]


class Scale:
    """Values `low` to `high` on places `start` to `end`. `kind` is "linear", "log", or "symlog":
    linear within `threshold` around zero and logarithmic beyond."""

    def __init__(self, kind, low, high, start, end, threshold=1.0):
        self.kind, self.threshold = kind, threshold
        self.low, self.high, self.start, self.end = low, high, start, end
        self._from, self._to = (float(self._turned(v)) for v in (low, high))
        if not self._to > self._from:
            self._from, self._to = self._from - 0.5, self._to + 0.5

    def _turned(self, values):
        values = np.asarray(values, float)
        if self.kind == "log":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.log10(values)
        if self.kind == "symlog":
            size = np.abs(values) / self.threshold
            far = 1 + np.log10(np.maximum(size, 1))
            return np.sign(values) * np.where(size <= 1, size, far)
        return values

    def place(self, values):
        share = (self._turned(values) - self._from) / (self._to - self._from)
        return self.start + share * (self.end - self.start)

    def inside(self, values):
        """The values, those beyond an end moved to it."""
        return np.clip(values, self.low, self.high)

    def ticks(self, count=5, signed=False):
        """[(place, text)], no two of them closer than texts need."""
        if self.kind == "log":
            values = log_ticks(self.low, self.high)
        elif self.kind == "symlog":
            values = self._symlog_ticks()
        else:
            values = linear_ticks(self.low, self.high, count)
        return [(float(self.place(v)), text) for v, text in zip(values, texts_of(values, signed))]

    def _symlog_ticks(self):
        first = math.ceil(math.log10(self.threshold) - 1e-9)
        last = math.ceil(math.log10(max(abs(self.low), abs(self.high), self.threshold)))
        powers = [10.0**k for k in range(first, last + 1)]
        values = [-p for p in reversed(powers)] + [0.0] + powers
        return [v for v in values if self.low <= v <= self.high]


def texts_of(values, signed=False):
    """With as many digits as tell them apart."""
    for digits in range(2, 10):
        texts = [number(v, digits, signed) for v in values]
        exact = all(
            abs(float(t.replace(MINUS, "-")) - v) <= 1e-3 * max(abs(v), 1e-300)
            for t, v in zip(texts, values)
        )
        if exact and len(set(texts)) == len(texts):
            break
    return texts


def limits(values, room=0.06, with_zero=False, least=0.0):
    """(low, high) of finite values with some room; a span of at least `least`."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    if with_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    span = max(high - low, least, abs(high) * 1e-6) or 1.0
    middle = (low + high) / 2
    low, high = min(low, middle - span / 2), max(high, middle + span / 2)
    return float(low - room * span), float(high + room * span)


def log_limits(values, room=0.06):
    values = np.asarray(values, float)
    values = values[np.isfinite(values) & (values > 0)]
    if values.size == 0:
        return 0.1, 10.0
    low, high = np.log10(values.min()), np.log10(values.max())
    span = max(high - low, 0.1)
    return float(10 ** (low - room * span)), float(10 ** (high + room * span))
