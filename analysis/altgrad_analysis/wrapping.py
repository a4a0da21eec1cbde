"""Texts in lines that fit; how wide a text is, the caller knows."""

from .axes import printable


def wrapped(text, room, width):
    """The lines of `text`, none wider than `room` by width(text): at spaces, and anywhere in longer
    words. Nothing is cut off."""
    lines, line = [], ""
    for word in printable(text).split(" "):
        joined = f"{line} {word}" if line else word
        if width(joined) <= room:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while width(line) > room and len(line) > 1:
            fitting = _fitting(line, room, width)
            lines.append(line[:fitting])
            line = line[fitting:]
    return [*lines, line]


def _fitting(word, room, width):
    """How many characters of `word` fit, one at least."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        if width(word[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low
