"""A picture: how it is drawn on one axes, and the table that it shows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lindecay import figures, narrow
from lindecay.figures import INK, PAPER

Line = tuple[str, float]  # ("x" or "y", where)


@dataclass(frozen=True)
class Picture:
    """What `curves`, `bars`, … return; nothing is drawn before `show` or `figure`.

    `draw` gets one Axes, or the array of them where `grid` is not (1, 1).
    """

    draw: Callable[[Axes], None]
    data: pd.DataFrame
    size: tuple[float, float] = (6.5, 3.0)
    grid: tuple[int, int] = (1, 1)
    options: dict = field(default_factory=dict)  # of plt.subplots

    def figure(self, size: tuple[float, float] | None = None) -> Figure:
        """The drawn figure, in the book's style."""
        with figures.style():
            fig, axes = plt.subplots(
                *self.grid, figsize=size or self.size, **self.options
            )
            self.draw(axes)
        return fig

    def show(self, name: str, size=None, data=None) -> None:
        """Write NAME.svg, .pdf and .csv and display it (see `figures.show`).

        Args:
            size: inches (width, height), else the kind's own.
            data: what goes into the CSV, else the table that is drawn.
        """
        table = self.data if data is None else data
        figures.show(self.figure(size), name, table)


def beside(
    *pictures: Picture, size=(6.5, 3.0), down=False, legend: str = "", **options
) -> Picture:
    """Pictures of one axes each, next to each other (or one below the other).

    Args:
        size: inches of the whole.
        legend: "below" for one legend of all panels, under them.
        options: of `plt.subplots`, e.g. sharey=True.
    """

    def draw(axes):
        for picture, ax in zip(pictures, np.ravel(axes)):
            picture.draw(ax)
        if legend == "below":
            legend_below(np.ravel(axes))

    grid = (len(pictures), 1) if down else (1, len(pictures))
    return Picture(draw, joined(p.data for p in pictures), size, grid, options)


def legend_below(axes: np.ndarray) -> None:
    """One legend under all axes, each name once; it covers no curve."""
    known = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels()):
            known.setdefault(name, handle)
        if ax.get_legend():
            ax.get_legend().remove()
    figure = axes[0].figure
    fit = min(5, narrow.columns(known, figure.get_size_inches()[0]))
    place = dict(loc="outside lower center", ncols=fit, fontsize=8)
    figure.legend(known.values(), known.keys(), **place)


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The tables of several panels as one: each once, stacked.

    >>> a = pd.DataFrame({"n": [1]})
    >>> len(joined([a, a])), len(joined([a, pd.DataFrame({"m": [2]})]))
    (1, 2)
    """
    once: list[pd.DataFrame] = []
    for table in tables:
        if not any(table is known for known in once):
            once.append(table)
    return once[0] if len(once) == 1 else pd.concat(once, ignore_index=True)


def frame(table: pd.DataFrame | Mapping | list[dict]) -> pd.DataFrame:
    """A table from a DataFrame, {column: values} (lengths may differ) or rows."""
    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, Mapping):
        return pd.DataFrame({k: pd.Series(v) for k, v in table.items()})
    return pd.DataFrame(table)


def lines_at(ax: Axes, guides: Iterable[Line] = (), paper: Iterable[Line] = ()) -> None:
    """Thin lines in ink, and dashed grey ones at what the paper printed."""
    both = [(g, dict(color=INK, linewidth=0.6)) for g in guides]
    both += [(g, dict(color=PAPER, linestyle="--", linewidth=1.2)) for g in paper]
    for (axis, at), style in both:
        (ax.axvline if axis == "x" else ax.axhline)(at, **style)


def finish(ax: Axes, ticks=None, legend: bool | Mapping = True, **axes) -> None:
    """Labels, scales, ticks and the legend of one axes.

    Args:
        ticks: places on x that carry their own number, or {place: word}.
        legend: False for none, or keywords of `Axes.legend`.
        axes: what `Axes.set` takes (xlabel, ylabel, xscale, ylim, title, …).
    """
    ax.set(**axes)
    if "title" in axes:
        ax.title.set_size(9)
    if ticks is not None:
        words = ticks if isinstance(ticks, Mapping) else {t: f"{t:g}" for t in ticks}
        ax.set_xticks(list(words), [str(w) for w in words.values()])
        ax.minorticks_off()
    if legend is not False and ax.get_legend_handles_labels()[1]:
        ax.legend(**(legend if isinstance(legend, Mapping) else {}))
