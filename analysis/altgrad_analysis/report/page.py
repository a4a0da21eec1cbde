"""Figures as one HTML page. Everything is inside; the CSV files lie beside it, and small ones are in
their links too, so that the page may travel alone."""

import base64
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from ..axes import printable
from .style import sheet

SMALL_CSV = 150_000  # bytes that go into the page


class LeftOut(Exception):
    """A figure that this experiment does not have; the text says why."""


@dataclass
class Figure:
    """`panels` are HTML (panel(), table()), `data` what they show, as a table."""

    name: str  # of the CSV file and the anchor
    title: str
    panels: list
    data: pd.DataFrame
    caption: str
    key: str = ""  # HTML above the panels
    notes: list = field(default_factory=list)  # what of it is not drawn, and such


def words(text):
    return escape(printable(text))


def panel(svg, title="", note=""):
    head = words(title) + (f" <span>{words(note)}</span>" if note else "")
    return f"<figure>{f'<figcaption>{head}</figcaption>' if head else ''}{svg}</figure>"


def _line(text):
    """Of a cell; an interval, a deviation or what stands in brackets is not broken."""
    return f'<span class="i">{words(text)}</span>' if text.startswith(("[", "±", "(")) else words(text)


def table(columns, rows, title="", classes=None, is_wide=False):
    """Rows of texts, where "\\n" begins a new line; `classes` names the style of each row. `is_wide`: over
    the whole page, and not a panel beside others."""
    head = "".join(f"<th>{words(c)}</th>" for c in columns)
    body = ""
    for i, row in enumerate(rows):
        kind = f' class="{classes[i]}"' if classes else ""
        cells = "".join(
            f'<td{" class=n" if j else ""}>{"<br>".join(map(_line, cell.split(chr(10))))}</td>'
            for j, cell in enumerate(row)
        )
        body += f"<tr{kind}>{cells}</tr>"
    html = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    drawn = panel(f'<div class="wide">{html}</div>', title)
    return drawn.replace("<figure>", '<figure class="whole">', 1) if is_wide else drawn


def _csv_link(name, text):
    if len(text) <= SMALL_CSV:
        data = base64.b64encode(text.encode()).decode()
        target = f"data:text/csv;charset=utf-8;base64,{data}"
    else:
        target = f"{name}.csv"
    return f'<a class="csv" download="{name}.csv" href="{target}">{name}.csv</a>'


def _section(figure, csv):
    notes = "".join(f'<p class="note">{words(note)}</p>' for note in figure.notes)
    beside = "panels pairs" if len(figure.panels) in (2, 4) else "panels"
    return (
        f'<section id="{figure.name}"><h2>{words(figure.title)}</h2>'
        f'<p class="soft">{words(figure.caption)} {_csv_link(figure.name, csv)}</p>'
        f'{figure.key}<div class="{beside}">{"".join(figure.panels)}</div>{notes}</section>'
    )


def render(title, head, figures, left_out, refresh=None):
    """The page, and {file name: text} of the CSV files. `head` is HTML, `left_out` [(title, why)],
    `refresh` the seconds after which the page loads itself anew."""
    csv = {figure.name: figure.data.to_csv(index=False) for figure in figures}
    links = "".join(f'<a href="#{f.name}">{words(f.title)}</a>' for f in figures)
    left = "".join(f"<li><b>{words(name)}</b>: {words(why)}</li>" for name, why in left_out)
    left = f'<section id="left-out"><h2>Left out</h2><ul class="left">{left}</ul></section>'
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{again}<title>{words(title)}</title><style>{sheet()}</style></head><body>"
        f"<header><h1>{words(title)}</h1>{head}<nav>{links}"
        f'{"<a href=#left-out>Left out</a>" if left_out else ""}</nav></header><main>'
        + "".join(_section(figure, csv[figure.name]) for figure in figures)
        + (left if left_out else "")
        + "</main></body></html>\n"
    )
    return html, {f"{name}.csv": text for name, text in csv.items()}
