"""Dots with their intervals, and ranges beside what the paper printed."""

from collections.abc import Mapping
from dataclasses import replace
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lindecay.figures import LIN, PAPER, PAPER_STYLE
from lindecay.plots.looks import Look, look_of
from lindecay.plots.picture import Picture, finish, frame, lines_at

LINE = 58  # letters of a label below an axis of 4.6 in


def intervals(
    table: pd.DataFrame | list[dict],
    label: str,
    mean: str = "mean",
    bounds: tuple[str, str] = ("low", "high"),
    each: Mapping[str, list[float]] | None = None,
    also: str | None = None,
    arm: str | None = None,
    printed: Mapping[str, float] | None = None,
    looks: Mapping[str, Look] | None = None,
    guides=(),
    paper=(),
    **axes,
) -> Picture:
    """One line a row: a dot, its interval, single runs as ticks; first row on top.

    Args:
        label: the column of names on the left.
        mean, bounds: columns of the dot and of the ends of its interval.
        each: {label: single values}, drawn as ticks.
        also: a column of second values, drawn as open markers.
        arm: the column that names the look of a row; else its label does.
        printed: {label: what the paper printed}, an open grey marker.
    """
    data = frame(table)
    rows = list(data.to_dict("records"))

    def draw(ax: Axes) -> None:
        lines_at(ax, guides, paper)
        for k, row in enumerate(rows):
            look = replace(look_of(row[arm or label], looks, k), label=None)
            _interval(ax, row, k, look, (label, mean, bounds, also), each or {})
            if row[label] in (printed or {}):
                ax.plot(printed[row[label]], k, **PAPER_STYLE)
        ax.set(yticks=range(len(rows)), yticklabels=[row[label] for row in rows])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        finish(ax, legend=False, **axes)

    return Picture(draw, data, (6.5, 1.2 + 0.4 * len(rows)))


def _interval(ax: Axes, row: dict, y: int, look: Look, columns, each) -> None:
    label, mean, bounds, also = columns
    colour = look.colour
    ax.plot([row[b] for b in bounds], [y, y], color=colour)
    ax.plot(row[mean], y, look.mark or "o", color=colour)
    singles = each.get(row[label], [])
    ax.plot(singles, [y] * len(singles), "|", color=colour, markersize=12)
    if also is not None:
        ax.plot(row[also], y, look.mark or "o", color=colour, markerfacecolor="none")


def ranges(
    table: pd.DataFrame | list[dict],
    label: str,
    ours: tuple[str, str] = ("ours_low", "ours_high"),
    published: tuple[str, str] = ("published_low", "published_high"),
    bounds: tuple[str, str] | None = ("interval_low", "interval_high"),
    width: float = 4.6,
) -> Picture:
    """Ours beside the paper's, an axis that holds zero for each row of the table.

    Args:
        label: the column with the words below each axis.
        ours, published: columns of the two ends of a range (equal for one number).
        bounds: columns of our interval; empty entries mean that there is none.
    """
    data = frame(table)
    rows = list(data.to_dict("records"))

    def draw(axes) -> None:
        for ax, row in zip(np.ravel(axes), rows):
            _range(ax, row, label, ours, published, bounds)

    size = (width, 0.95 * len(rows) + 0.2)
    return Picture(draw, data, size, (len(rows), 1))


def _range(ax: Axes, row: dict, label: str, ours, published, bounds) -> None:
    paper = [row[c] for c in published]
    mine = [row[c] for c in ours]
    told = [row[c] for c in bounds or ()]
    line = told if told and not pd.isna(told[0]) else mine
    dashed = dict(color=PAPER, dashes=(3, 2), marker="o", markerfacecolor="none")
    ax.plot(paper, [1, 1], **dashed)
    ax.plot(line, [0, 0], color=LIN)
    ax.plot(mine, [0, 0], "o", color=LIN)
    ax.set(ylim=(-0.7, 1.7), yticks=[0, 1], yticklabels=["ours", "paper"])
    ax.set(xlim=room([*line, *mine, *paper]), xlabel=fill(row[label], LINE))


def room(values: list[float]) -> tuple[float, float]:
    """Zero and all values, with room at both sides.

    >>> room([1.0, 2.0])
    (-0.08, 2.08)
    """
    low, high = min(0, *values), max(0, *values)
    return low - 0.04 * (high - low), high + 0.04 * (high - low)
