"""The report of a results file: one HTML page with its figures inside, and a CSV file behind each.

    command.py   the command line: `altgrad report`
    context.py   what is drawn: the grid in blocks, the comparison, how formats are drawn
    page.py      figures to HTML; style.py has the page's style sheet
    svg.py       figures' panels as SVG, on the scales of scales.py
    figures.py   the list of figures; each stands in a file of its kind: losses.py, comparison.py ...
    facts.py     what a run was: parameters, tokens, bits
    fit.py       the power law

Figures are SVG of our own: text stays text, colours follow the reader's light or dark screen, and a
page of ten thousand runs takes seconds. A function that draws a figure gives a Figure, or raises
LeftOut with the reason, which the page tells.
"""
