"""Panels as SVG: frames with axes, lines, bands, points, intervals, and grids of coloured cells.

A panel is PANEL units wide whatever it shows; the page sets panels side by side where there is room
and below each other on a phone. Colours are classes of style.py, so that they follow light and dark.
"""

from html import escape

import numpy as np

from ..axes import printable
from ..wrapping import wrapped
from .scales import Scale

PANEL = 380
LETTER = 6.1  # mean width of a letter of the small text, which is 11 units high
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 8, 36


def text_width(text, letter=LETTER):
    """An estimate: wide scripts take two letters' room."""
    return sum(letter if ord(c) < 0x1100 else 2 * letter for c in text)


def wrap(text, room, letter=LETTER):
    """Lines of `text` that fit."""
    return wrapped(text, room, lambda part: text_width(part, letter))


def short(value):
    """A place with a tenth of a unit, as short as it goes."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def path(x, y):
    """Runs of finite points as a path."""
    parts, is_open = [], False
    for a, b in zip(np.asarray(x, float), np.asarray(y, float)):
        if not (np.isfinite(a) and np.isfinite(b)):
            is_open = False
            continue
        parts.append(f"{'L' if is_open else 'M'}{short(a)} {short(b)}")
        is_open = True
    return "".join(parts)


def text(x, y, words, anchor="start", kind="t", extra=""):
    return (
        f'<text class="{kind}" x="{short(x)}" y="{short(y)}" text-anchor="{anchor}"{extra}>'
        f"{escape(words)}</text>"
    )


def drawing(width, height, parts, label):
    return (
        f'<svg viewBox="0 0 {short(width)} {short(height)}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


class Frame:
    """A panel with a scale along each side. Values beyond the ends are cut off at the frame."""

    def __init__(self, x, y, height=230, left=LEFT, width=PANEL, bottom=BOTTOM):
        """`x`, `y`: (kind, low, high[, threshold]) of the scales."""
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = left, width - RIGHT, TOP, height - bottom
        self.x = Scale(x[0], *x[1:3], self.left, self.right, *x[3:])
        self.y = Scale(y[0], *y[1:3], self.bottom, self.top, *y[3:])
        self.under, self.marks, self.over = [], [], []

    def axes(self, x_label, y_label, signed=(False, False), x_ticks=None, y_ticks=None):
        """Grid lines, ticks and labels. Ticks are [(place, text)]; None: the scale's own."""
        x_ticks = self.x.ticks(5, signed[0]) if x_ticks is None else x_ticks
        y_ticks = self.y.ticks(5, signed[1]) if y_ticks is None else y_ticks
        lines = "".join(f"M{short(self.left)} {short(p)}H{short(self.right)}" for p, _ in y_ticks)
        lines += "".join(f"M{short(p)} {short(self.top)}V{short(self.bottom)}" for p, _ in x_ticks)
        self.under.append(f'<path class="grid" d="{lines}"/>')
        self.over += [text(self.left - 5, p + 3.5, t, "end") for p, t in y_ticks]
        end = -1e9
        for place, words in sorted(x_ticks):
            half = text_width(words) / 2
            if place - half > end + 4:
                at = min(place, self.width - half)
                self.over.append(text(at, self.bottom + 14, words, "middle"))
                end = at + half
        middle = (self.left + self.right) / 2
        self.over.append(text(middle, self.height - 5, x_label, "middle", "t label"))
        turned = f' transform="rotate(-90 11 {short((self.top + self.bottom) / 2)})"'
        y_middle = (self.top + self.bottom) / 2
        self.over.append(text(11, y_middle, y_label, "middle", "t label", turned))
        return self

    def line(self, x, y, classes):
        d = path(self.x.place(x), self.y.place(y))
        if d:
            self.marks.append(f'<path class="line {classes}" d="{d}"/>')

    def band(self, x, low, high, classes):
        x = np.asarray(x, float)
        keep = np.isfinite(low) & np.isfinite(high)
        if keep.sum() < 2:
            return
        x, low, high = x[keep], np.asarray(low)[keep], np.asarray(high)[keep]
        d = path(self.x.place([*x, *x[::-1]]), self.y.place([*high, *low[::-1]]))
        self.under.append(f'<path class="band {classes}" d="{d}Z"/>')

    def zone_y(self, low, high, classes="zone"):
        """A stripe over the whole width."""
        top, bottom = (float(self.y.place(self.y.inside(v))) for v in (high, low))
        self.under.insert(
            0,
            f'<rect class="{classes}" x="{short(self.left)}" y="{short(top)}" '
            f'width="{short(self.right - self.left)}" height="{short(max(bottom - top, 0.8))}"/>',
        )

    def zone_x(self, low, high, classes="zone"):
        left, right = (float(self.x.place(self.x.inside(v))) for v in (low, high))
        self.under.insert(
            0,
            f'<rect class="{classes}" x="{short(left)}" y="{short(self.top)}" '
            f'width="{short(max(right - left, 0.8))}" height="{short(self.bottom - self.top)}"/>',
        )

    def rule_y(self, value, classes="rule"):
        place = short(float(self.y.place(value)))
        self.under.append(
            f'<path class="{classes}" d="M{short(self.left)} {place}H{short(self.right)}"/>'
        )

    def rule_x(self, value, classes="rule"):
        place = short(float(self.x.place(value)))
        self.under.append(
            f'<path class="{classes}" d="M{place} {short(self.top)}V{short(self.bottom)}"/>'
        )

    def dots(self, x, y, classes, radius=3.0, title=""):
        for a, b in zip(self.x.place(np.atleast_1d(x)), self.y.place(np.atleast_1d(y))):
            if np.isfinite(a) and np.isfinite(b):
                self.dot_at(a, b, classes, radius, title)

    def dot_at(self, x, y, classes, radius=3.0, title=""):
        tip = f"<title>{escape(title)}</title>" if title else ""
        end = f">{tip}</circle>" if tip else "/>"
        self.marks.append(
            f'<circle class="dot {classes}" cx="{short(x)}" cy="{short(y)}" r="{short(radius)}"{end}'
        )

    def cross_at(self, x, y, classes, size=3.5):
        d = "".join(
            f"M{short(x - size)} {short(y - s * size)}L{short(x + size)} {short(y + s * size)}"
            for s in (1, -1)
        )
        self.marks.append(f'<path class="line {classes}" d="{d}"/>')

    def bar_x(self, low, high, y, classes):
        """An interval along x at the place `y`, with an arrow where it goes on beyond the frame."""
        a, b = (float(self.x.place(self.x.inside(v))) for v in (low, high))
        d = f"M{short(a)} {short(y)}H{short(b)}"
        d += f"M{short(a + 4)} {short(y - 3)}L{short(a)} {short(y)}l4 3" if low < self.x.low else ""
        d += (
            f"M{short(b - 4)} {short(y - 3)}L{short(b)} {short(y)}l-4 3"
            if high > self.x.high
            else ""
        )
        if low >= self.x.low:
            d += f"M{short(a)} {short(y - 3)}v6"
        if high <= self.x.high:
            d += f"M{short(b)} {short(y - 3)}v6"
        self.marks.append(f'<path class="line {classes}" d="{d}"/>')

    def bar_y(self, x, low, high, classes):
        place = float(self.x.place(x))
        a, b = (float(self.y.place(self.y.inside(v))) for v in (low, high))
        if np.isfinite(place + a + b):
            self.marks.append(
                f'<path class="line {classes}" d="M{short(place)} {short(a)}V{short(b)}"/>'
            )

    def words_at(self, x, y, words, anchor="start", kind="t"):
        self.over.append(text(x, y, words, anchor, kind))

    def finish(self, label):
        """The SVG; `label` is read to those who do not see it."""
        x, y = self.left - 1, self.top - 1
        wide, high = self.right - x + 1, self.bottom - y + 1
        box = (short(v) for v in (x, y, wide, high))  # an SVG inside cuts off what lies beyond it
        place = " ".join(f'{name}="{v}"' for name, v in zip(("x", "y", "width", "height"), box))
        view = " ".join(short(v) for v in (x, y, wide, high))
        inside = f'<svg {place} viewBox="{view}">{"".join(self.under + self.marks)}</svg>'
        return drawing(self.width, self.height, [inside, *self.over], label)


class Rows:
    """Places for named rows below each other, whose names stand at the left, wrapped."""

    def __init__(self, names, most=130, least_height=19, size=13):
        widest = max((text_width(printable(n)) for n in names), default=0)
        self.room = min(widest + 2, most)
        self.lines = [wrap(name, self.room) for name in names]
        self.size = size
        heights = [max(least_height, size * len(lines) + 5) for lines in self.lines]
        self.tops = np.concatenate([[0], np.cumsum(heights)])
        self.left = self.room + 10

    @property
    def height(self):
        return float(self.tops[-1])

    def middle(self, row):
        return float(self.tops[row] + self.tops[row + 1]) / 2

    def draw(self, top):
        """The names, for a frame whose upper edge is at `top`."""
        parts = []
        for row, lines in enumerate(self.lines):
            y = top + self.middle(row) + 4 - self.size * (len(lines) - 1) / 2
            parts += [
                text(self.room + 2, y + self.size * k, line, "end") for k, line in enumerate(lines)
            ]
        return parts
