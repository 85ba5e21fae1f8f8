"""Figures: one style, one meaning per colour, one vector file for light and dark.

`show` writes NAME.svg, NAME.pdf and NAME.csv, and NAME.narrow.svg for phones
(`lindecay.narrow`). In the SVG the text and the axes
take the page's colour (`currentColor`); data colours reach 3:1 on white and on
the dark page, and a marker or a dash repeats what a colour says.
"""

import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, display
from matplotlib.figure import Figure

from lindecay import narrow
from lindecay.settings import Fault, store_dir
from lindecay.store import write_atomic

EXP = "#0072B2"  # exponential decay, the v-LIF arm
LIN = "#D55E00"  # linear decay, the LD-LIF arm
GREEN = "#009E73"  # parts: array, accumulate
PURPLE = "#CC79A7"  # parts: baselines, merge
PAPER = "#767676"  # what the paper printed: dashed, open markers
INK = "#010101"  # text and axes; becomes currentColor in the SVG
PAPER_STYLE = dict(
    color=PAPER, linestyle="--", marker="o", markerfacecolor="none", linewidth=1.2
)

RC = {
    "figure.figsize": (6.5, 3.2),
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "font.family": "sans-serif",
    # DejaVu ships with matplotlib; Verdana has its widths where a reader lacks it
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "mathtext.fontset": "dejavusans",
    "axes.prop_cycle": mpl.cycler(color=[LIN, EXP, GREEN, PURPLE]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "savefig.transparent": True,
    "svg.fonttype": "none",  # real text: small, searchable, coloured by the page
    "svg.hashsalt": "lindecay",  # the same figure gives the same bytes
    "pdf.fonttype": 42,
} | dict.fromkeys(
    ["text.color", "axes.edgecolor", "axes.labelcolor", "grid.color", "hatch.color"]
    + ["xtick.color", "ytick.color", "legend.labelcolor", "legend.edgecolor"],
    INK,
)


@contextmanager
def style() -> Iterator[None]:
    """The book's look for every figure made inside; open figures are closed."""
    with mpl.rc_context(RC):
        yield


def folder() -> Path:
    """Where figures go: the run's folder, or scratch in JupyterLab."""
    given = os.environ.get("LINDECAY_FIGURES")
    return Path(given) if given else store_dir() / "scratch" / "figures"


def _checked(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        return name
    raise Fault("bad figure name", expected="lower-case-with-dashes", found=repr(name))


def _frame(data: pd.DataFrame | Mapping | None, name: str) -> pd.DataFrame:
    if data is None:
        raise Fault("a figure without data", expected="data=columns", where=name)
    if isinstance(data, pd.DataFrame):
        return data
    # columns of different lengths (two curves) stand side by side
    return pd.DataFrame({k: pd.Series(v) for k, v in data.items()})


def inline_svg(svg: str, name: str) -> str:
    """The <svg> element alone, ids its own, ink in the page's colour.

    >>> inline_svg('<?xml?><svg id="a" fill="#010101"><use href="#a"/></svg>', "f")
    '<svg id="f-a" fill="currentColor"><use href="#f-a"/></svg>'
    """
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"(?i)#010101|rgb\(1, ?1, ?1\)", "currentColor", svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    return re.sub(r"url\(#", f"url(#{name}-", svg)


def _svg(fig: Figure, name: str) -> str:
    out = io.StringIO()
    fig.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = inline_svg(out.getvalue(), name)
    # matplotlib's <style>*{…}</style> would reach every element of the page
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.S)
    # a size in points would not shrink on a phone; the viewBox stays
    head = re.sub(r' (width|height)="[^"]*"', "", svg[: svg.index(">")])
    return f'{head} stroke-linejoin="round"{svg[svg.index(">") :]}'


def _pdf(fig: Figure) -> bytes:
    out = io.BytesIO()
    fig.savefig(out, format="pdf", metadata={"CreationDate": None})
    return out.getvalue()


def show(fig: Figure, name: str, data: pd.DataFrame | Mapping | None = None) -> None:
    """Write NAME.svg, .narrow.svg, .pdf and .csv and display the SVG.

    `data`: the columns that are drawn, as a DataFrame or {column: values}; columns
    may differ in length. The page places the figure with ```{show} NAME```.
    Raises Fault for a bad name or missing data.
    """
    table = _frame(data, _checked(name))
    with mpl.rc_context(RC):
        svg, pdf = _svg(fig, name), _pdf(fig)
        small = _svg(narrow.relaid(fig), f"{name}-narrow")  # last: it moves the axes
    plt.close(fig)
    write_atomic(folder() / f"{name}.svg", svg + "\n")
    write_atomic(folder() / f"{name}.narrow.svg", small + "\n")
    write_atomic(folder() / f"{name}.pdf", pdf)
    write_atomic(folder() / f"{name}.csv", table.to_csv(index=False))
    display(HTML(f'<div style="max-width: 42rem">{svg}</div>'))


@contextmanager
def drawn(
    name: str,
    data: pd.DataFrame | Mapping,
    size: tuple[float, float] = (6.5, 3.0),
    rows: int = 1,
    columns: int = 1,
    **options,
) -> Iterator:
    """Style, axes and `show` in one, for a picture that is none of `lindecay.plots`.

        with figures.drawn("name", data) as ax:
            ax.plot(...)

    Yields one Axes, or the array of rows x columns; options go to `plt.subplots`.
    """
    with style():
        fig, axes = plt.subplots(rows, columns, figsize=size, **options)
        yield axes
        show(fig, name, data)


def table(name: str, data: pd.DataFrame | Mapping) -> None:
    """Write NAME.csv for ```{show-table} NAME``` and display the table."""
    display(HTML(kept(name, data).to_html(index=False)))


def kept(name: str, data: pd.DataFrame | Mapping) -> pd.DataFrame:
    """Write NAME.csv and display nothing: what the sliders of a figure read."""
    rows = _frame(data, _checked(name))
    write_atomic(folder() / f"{name}.csv", rows.to_csv(index=False))
    return rows
