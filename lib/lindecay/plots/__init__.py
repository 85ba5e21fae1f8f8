"""The kinds of picture that the book draws: a table goes in, a figure with its CSV
comes out.

    curves(table, x, y, by)           lines over x, one a column or one a value of `by`
    intervals(table, label, ...)      a dot with its interval, one row of the table each
    bars(table, label, parts)         stacked horizontal bars
    columns(table, x, y)              upright bars, one a row
    histogram(table, start, names)    outlines over bins
    ranges(table, label, ...)         ours beside the paper's, an axis each
    maps(images), rasters(images)     small pictures with one scale of colour
    confusion(matrices)               shares of spoken against given classes

Each returns a `Picture`; `picture.show("name")` writes NAME.svg, .pdf and .csv and
displays it, `beside(a, b).show("name")` puts several next to each other. Colours,
markers and dashes come from one table (`looks.LOOKS`) and mean the same everywhere.

>>> import pandas as pd
>>> table = pd.DataFrame({"step": [0, 1, 2], "exponential": [1, 0.9, 0.81]})
>>> curves(table, "step", ylabel="membrane").data is table
True
"""

from lindecay.plots.bars import bars, columns, histogram
from lindecay.plots.intervals import intervals, ranges
from lindecay.plots.lines import curves
from lindecay.plots.looks import LOOKS, Look, look_of
from lindecay.plots.maps import confusion, maps, rasters
from lindecay.plots.picture import Picture, beside

__all__ = [
    "LOOKS",
    "Look",
    "Picture",
    "bars",
    "beside",
    "columns",
    "confusion",
    "curves",
    "histogram",
    "intervals",
    "look_of",
    "maps",
    "ranges",
    "rasters",
]
