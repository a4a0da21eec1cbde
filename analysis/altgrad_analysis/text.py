"""Names in figures: shown letter by letter, measured, and wrapped so that nothing is cut.

matplotlib takes what stands between dollars for formulas; to a user, a name is a name.
"""

from functools import lru_cache

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

from .wrapping import wrapped


def literal(text):
    """For matplotlib: no formulas."""
    return text.replace("$", r"\$")


@lru_cache(maxsize=1)
def _renderer():
    return RendererAgg(1, 1, 72)


@lru_cache(maxsize=65536)
def width(text, size, weight="normal"):
    """In inches."""
    font = FontProperties(family=FAMILY, size=size, weight=weight)
    return _renderer().get_text_width_height_descent(text, font, False)[0] / 72


def wrap(text, size, inches, weight="normal"):
    """The lines of `text`, none wider than `inches`."""
    return wrapped(text, inches, lambda part: width(part, size, weight))


# Fonts for scripts that DejaVu lacks, where they are installed.
FAMILY = ["DejaVu Sans"]


def use_installed_fonts():
    """Adds fonts for other scripts and symbols; those that are missing would give warnings."""
    from matplotlib import font_manager

    wanted = ["Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "IPAGothic", "Symbola"]
    known = {font.name for font in font_manager.fontManager.ttflist}
    FAMILY[1:] = [name for name in wanted if name in known]
