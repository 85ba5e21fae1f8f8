"""A figure for a phone: the panels of a finished figure one below another.

A phone of 390 px shows a figure 342 px wide. Drawn for a page of 6.5 in, its text of
8 pt comes out 6 px high; drawn WIDTH inches wide it is 10.6 px. Nothing is computed
again: `relaid` moves the axes of the figure that was just saved, wraps its labels, and
puts legends above the axes, where they cover no curve.
"""

import textwrap
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.transforms import blended_transform_factory

WIDTH = 3.6  # inches
SIZE = 8  # points, of all text
LETTER = 0.62 * SIZE  # points: about a letter of DejaVu Sans
LINE = 1.5 * SIZE  # points
WHOLE = dict(break_long_words=False, break_on_hyphens=False)
FEW = 3  # panels in a row: these go below each other; of more, half stay beside


def relaid(fig: Figure) -> Figure:
    """The figure itself, now narrow; what it was is gone.

    >>> import matplotlib.pyplot as plt
    >>> fig, axes = plt.subplots(1, 2, figsize=(6.5, 3))
    >>> [ax.get_subplotspec().rowspan.start for ax in relaid(fig).axes]
    [0, 1]
    >>> fig.get_size_inches().tolist()
    [3.6, 6.0]
    """
    for text in fig.findobj(Text):
        text.set_fontsize(SIZE)
    high, rows = _restack(fig)
    for ax in fig.axes:
        _wrap_labels(ax, 72 * high)
    legends = [_above(ax) for ax in fig.axes] + [_below(fig, k) for k in [*fig.legends]]
    fig.set_size_inches(WIDTH, rows * high + sum(legends) * LINE / 72)
    if any(ax.get_aspect() != "auto" for ax in _panels(fig)):  # square pixels
        fig.set_layout_engine("compressed")
    return fig


def _panels(fig: Figure) -> list[Axes]:
    """Axes of the grid, empty places last; a bar of colours has no place of its own."""
    placed = [ax for ax in fig.axes if ax.get_subplotspec()]
    return sorted(placed, key=_empty)


def _empty(ax: Axes) -> bool:
    return not (ax.axison or ax.has_data())


def _restack(fig: Figure) -> tuple[float, int]:
    """Fewer panels in a row; returns inches of a row and how many there are."""
    panels = _panels(fig)
    old = panels[0].get_subplotspec().get_gridspec()
    across = 1 if old.ncols <= FEW else -(-old.ncols // 2)
    shown = [ax for ax in panels if not _empty(ax)]
    rows = -(-len(shown) // across)
    grid = GridSpec(rows, across, figure=fig)
    for k, ax in enumerate(panels):  # a bar of colours knows the empty ones too
        ax.set_subplotspec(grid[divmod(min(k, len(shown) - 1), across)])
    for k, ax in enumerate(shown):
        first = shown[k - k % old.ncols]
        _relabel(ax, first, k % across == 0, k + across >= len(shown))
    return fig.get_size_inches()[1] / old.nrows, rows


def _relabel(ax: Axes, first: Axes, left: bool, bottom: bool) -> None:
    """The ends of a row and of a column carry the labels that panels share."""
    if len(ax.get_shared_y_axes().get_siblings(ax)) > 1:
        ax.tick_params(labelleft=left)
        ax.set_ylabel(ax.get_ylabel() or first.get_ylabel() if left else "")
    if bottom:
        ax.tick_params(labelbottom=True)


def _wrap_labels(ax: Axes, high: float) -> None:
    """Words that would leave the figure go on in a second line."""
    wide = 72 * WIDTH
    room = wide - _wrap_names(ax, 0.4 * wide) - 2 * LINE
    for text, most in ((ax.xaxis.label, room), (ax.title, room)):
        text.set_text(_wrapped(text.get_text(), most))
    ax.yaxis.label.set_text(_wrapped(ax.get_ylabel(), 0.8 * high))


def _wrap_names(ax: Axes, room: float) -> float:
    """Names of bars in lines of `room` points; returns how far the longest reaches."""
    names = [text.get_text() for text in ax.get_yticklabels()]
    told = [_wrapped(name, room) for name in names]
    if told != names:
        ax.set_yticks(ax.get_yticks(), told)
    lines = [line for name in told for line in name.split("\n") if "$" not in line]
    return LETTER * max(map(len, lines), default=0)


def _wrapped(words: str, room: float) -> str:
    """The words in lines of `room` points; formulas stay whole.

    >>> _wrapped("energy of one update, pJ", 75)
    'energy of one\\nupdate, pJ'
    """
    if "$" in words or "\n" in words:
        return words
    return textwrap.fill(words, int(room / LETTER), **WHOLE)


def _above(ax: Axes) -> int:
    """The legend of one axes over it; returns the lines that it takes."""
    old = ax.get_legend()
    if old is None:
        return 0
    told, lines = _fitting(old)
    if ax.get_title():  # the title stands over the legend
        ax.set_title(ax.get_title(), fontsize=SIZE, pad=SIZE + lines * LINE)
    across = blended_transform_factory(ax.figure.transFigure, ax.transAxes)
    place = dict(bbox_to_anchor=(0, 1), bbox_transform=across, borderaxespad=0.6)
    ax.legend(*_entries([ax], old), loc="lower left", **place, **told)
    return lines


def _below(fig: Figure, old: Legend) -> int:
    told, lines = _fitting(old)
    old.remove()
    fig.legend(*_entries(fig.axes, old), loc="outside lower center", **told)
    return lines


def _entries(axes: list[Axes], old: Legend) -> tuple[list, list[str]]:
    """Handles and words; what the axes know has its markers and bars."""
    known = {}
    for ax in axes:
        known |= dict(zip(*reversed(ax.get_legend_handles_labels())))
    words = [text.get_text() for text in old.get_texts()]
    return [known.get(w, h) for w, h in zip(words, old.legend_handles)], words


def _points(words: str) -> float:
    """Their width; a drawn text knows it at the resolution of its last file only."""
    return TextPath((0, 0), words, size=SIZE).get_extents().width


def columns(words: Iterable[str], inches: float, gaps: float = 5) -> int:
    """How many entries of a legend fit side by side; `gaps`: line and space, in em."""
    wide = [_points(name) + gaps * SIZE for name in words]
    return max(1, min(len(wide), int(72 * inches / max(wide))))


def _fitting(old: Legend) -> tuple[dict, int]:
    """As many columns as fit beside each other, and the lines that they need."""
    words = [text.get_text() for text in old.get_texts()]
    ncols = columns(words, WIDTH, 3.2)
    lines = -(-len(words) // ncols) + bool(old.get_title().get_text())
    look = dict(ncols=ncols, fontsize=SIZE, handlelength=1.6, handletextpad=0.5)
    look |= dict(columnspacing=1, borderpad=0.2)
    return look | {"title": old.get_title().get_text() or None}, lines
