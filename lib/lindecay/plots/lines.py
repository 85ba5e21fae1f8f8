"""Curves: lines over x, one for each column or for each value of a column."""

from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes

from lindecay.plots.looks import Look, look_of
from lindecay.plots.picture import Line, Picture, finish, frame, lines_at
from lindecay.settings import Fault


def curves(
    table: pd.DataFrame | Mapping | list[dict],
    x: str,
    y: str | list[str] | None = None,
    by: str | None = None,
    bounds: tuple[str, str] | None = None,
    looks: Mapping[str, Look] | None = None,
    steps: bool = False,
    guides: Iterable[Line] = (),
    paper: Iterable[Line] = (),
    **axes,
) -> Picture:
    """Lines by arm, layout, … over x.

    Args:
        table: columns, or rows. Wide (a column a line) or long (see `by`).
        x: the column of the horizontal axis.
        y: the columns that are drawn (wide; all but x when not given), or the one
            column of values (long).
        by: the column whose values tell the lines apart, in order of appearance.
        bounds: columns (low, high) of bars around each point (long).
        looks: {name: Look} where the table of looks does not know a name.
        steps: hold each value until the next x.
        guides, paper: ("x" or "y", where): thin lines; dashed ones of the paper.
        axes: see `picture.finish` (xlabel, xscale, ticks, legend, …).

    Raises Fault for a column that is not there.
    """
    data = frame(table)
    names = _names(data, x, y, by, bounds)

    def draw(ax: Axes) -> None:
        lines_at(ax, guides, paper)
        for k, name in enumerate(names):
            _line(ax, data, (x, y, by, bounds), name, look_of(name, looks, k), steps)
        finish(ax, **axes)

    return Picture(draw, data)


def _names(data, x, y, by, bounds) -> list[str]:
    """The lines, by name; Fault for an unknown column."""
    columns = [y] if isinstance(y, str) else y
    for column in [x, *(columns or []), *([by] if by else []), *(bounds or ())]:
        if column not in data:
            told = ", ".join(map(str, data.columns))
            raise Fault("no such column", expected=told, found=repr(column))
    if by is not None:
        return list(dict.fromkeys(data[by]))
    return list(columns or [c for c in data if c != x])


def _line(ax: Axes, data, columns, name: str, look: Look, steps: bool) -> None:
    x, y, by, bounds = columns
    mine = data[data[by] == name] if by else data
    values = mine[y if by else name]
    style = look.style() | {"label": look.label or None}
    if steps:
        style["drawstyle"] = "steps-post"
    if bounds:
        low, high = (mine[column] for column in bounds)
        ax.errorbar(mine[x], values, (values - low, high - values), capsize=3, **style)
    else:
        ax.plot(mine[x], values, **style)
