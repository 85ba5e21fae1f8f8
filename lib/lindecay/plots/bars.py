"""Bars: stacked and horizontal, upright, and the outlines of histograms."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lindecay.figures import PAPER
from lindecay.plots.looks import Look, look_of
from lindecay.plots.picture import Line, Picture, finish, frame, lines_at


def bars(
    table: pd.DataFrame | list[dict],
    label: str,
    parts: str | list[str],
    start: str | None = None,
    tint: str | None = None,
    outlined: str | None = None,
    ticks_at: str | None = None,
    looks: Mapping[str, Look] | None = None,
    guides: Iterable[Line] = (),
    paper: Iterable[Line] = (),
    **axes,
) -> Picture:
    """Horizontal bars, one a row of the table, stacked from their parts; first on top.

    Args:
        label: the column of names on the left.
        parts: the columns that add up to a bar.
        start: the column where bars begin, else zero.
        tint: the column that names the look of a row (then parts share its colour and
            the second is hatched), else each part has its own look.
        outlined: a column of true or false: rows drawn as a dashed outline.
        ticks_at: a column drawn as a tick across the bar.
    """
    data = frame(table)
    names = [parts] if isinstance(parts, str) else list(parts)
    rows = list(data.to_dict("records"))
    axes.setdefault("legend", len(names) > 1 and not tint)

    def draw(ax: Axes) -> None:
        lines_at(ax, guides, paper)
        left = np.array([float(row[start]) if start else 0.0 for row in rows])
        for k, part in enumerate(names):
            wide = np.array([float(row[part]) for row in rows])
            for y, row in enumerate(rows):
                style = _style(row, part, k, tint, outlined, looks)
                named = {} if y else {"label": look_of(part, looks, k).label}
                ax.barh(y, wide[y], left=left[y], **style, **named)
            left += wide
        if ticks_at:
            _ticks(ax, rows, ticks_at)
        ax.set(yticks=range(len(rows)), yticklabels=[row[label] for row in rows])
        ax.invert_yaxis()
        finish(ax, **axes)

    return Picture(draw, data, (6.5, 1.2 + 0.4 * len(rows)))


def _style(row: dict, part: str, k: int, tint, outlined, looks) -> dict:
    if outlined and row[outlined]:
        return dict(fill=False, edgecolor=PAPER, linestyle="--")
    look = look_of(row[tint] if tint else part, looks, k)
    if tint and k:
        return dict(fill=False, hatch="///", edgecolor=look.colour)
    return dict(color=look.colour, hatch=look.hatch)


def _ticks(ax: Axes, rows: list[dict], column: str) -> None:
    values = [row[column] for row in rows]
    ax.plot(
        values, range(len(rows)), "|", color=PAPER, markersize=14, label=str(column)
    )


def columns(
    table: pd.DataFrame | Mapping | list[dict],
    x: str,
    y: str,
    look: Look | str = "linear",
    guides: Iterable[Line] = (),
    **axes,
) -> Picture:
    """Upright bars, one a row of the table, named by the column x."""
    data = frame(table)
    own = look if isinstance(look, Look) else look_of(look)

    def draw(ax: Axes) -> None:
        lines_at(ax, guides)
        ax.bar([str(v) for v in data[x]], data[y], color=own.colour, width=0.5)
        finish(ax, **axes)

    return Picture(draw, data, (6.5, 2.4))


def histogram(
    table: pd.DataFrame | Mapping,
    start: str,
    names: list[str],
    end: float,
    looks: Mapping[str, Look] | None = None,
    guides: Iterable[Line] = (),
    **axes,
) -> Picture:
    """Outlines over bins.

    Args:
        start: the column of each bin's lower edge; `end`: the last upper one.
        names: the columns of heights, one outline each.
    """
    data = frame(table)
    edges = [*data[start], end]

    def draw(ax: Axes) -> None:
        lines_at(ax, guides)
        for k, name in enumerate(names):
            look = look_of(name, looks, k)
            dash = look.line or "-"
            style = dict(color=look.colour, label=look.label, linestyle=dash)
            ax.stairs(data[name], edges, **style)
        finish(ax, **axes)

    return Picture(draw, data, (6.5, 2.8))
