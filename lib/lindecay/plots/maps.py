"""Small pictures of pixels with one scale of colour: maps, rasters, confusions."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lindecay.plots.picture import Picture, frame

COLOURS = 11  # few: small files


def maps(
    images: Mapping[str, np.ndarray],
    data: pd.DataFrame | Mapping,
    most: float,
    across: int = 5,
    bar: str = "",
) -> Picture:
    """Images side by side, without axes; blank where a pixel is nan.

    Args:
        images: {title: array [rows, columns]}.
        data: what goes into the CSV.
        most: the value at the bright end; the dark end is zero.
        across: how many stand in a line.
        bar: the quantity and unit beside the bar of colours; none without.
    """
    lines = -(-len(images) // across)

    def draw(axes) -> None:
        for ax in axes.flat:
            ax.set_axis_off()
        for (title, image), ax in zip(images.items(), axes.flat):
            shown = ax.imshow(image, **_scale(most))
            ax.set_title(title, fontsize=8)
        if bar:
            axes.flat[0].figure.colorbar(shown, ax=axes, shrink=0.8, label=bar)

    size, options = (6.5, 1.5 * lines), {"squeeze": False}
    return Picture(draw, frame(data), size, (lines, across), options)


def _scale(most: float) -> dict:
    cmap = plt.get_cmap("viridis", COLOURS)
    return dict(cmap=cmap, vmin=0, vmax=most, interpolation="none")


def rasters(
    images: Mapping[str, np.ndarray],
    data: pd.DataFrame | Mapping,
    most: float,
    extent: tuple[float, float, float, float],
    across: int = 5,
    xlabel: str = "time, ms",
    ylabel: str = "channel",
    bar: str = "",
) -> Picture:
    """Time against channel, one small axes each, all on the same axes of `extent`.

    Args:
        images: {title: counts [channels, bins]}; zeros stay blank.
        extent: (left, right, bottom, top) in the units of the labels.
    """
    lines = -(-len(images) // across)

    def draw(axes) -> None:
        for (title, image), ax in zip(images.items(), axes.flat):
            blank = np.where(image, image, np.nan)
            shown = ax.imshow(blank, aspect="auto", extent=extent, **_scale(most))
            ax.set_title(title, fontsize=8)
            ax.grid(False)
        figure = axes.flat[0].figure
        figure.supxlabel(xlabel, fontsize=9)
        figure.supylabel(ylabel, fontsize=9)
        if bar:
            figure.colorbar(shown, ax=axes, shrink=0.5, label=bar)

    options = {"sharex": True, "sharey": True, "squeeze": False}
    return Picture(draw, frame(data), (6.5, 1.3 * lines), (lines, across), options)


def confusion(
    matrices: Mapping[str, np.ndarray],
    words: Mapping[int, str],
    data: pd.DataFrame | Mapping,
    bar: str = "share of a class",
) -> Picture:
    """Shares of each true class (rows) given to each class, side by side.

    The colour follows the square root of the share, so that rare confusions show; the
    bar of colours is labelled with the shares themselves.

    Args:
        matrices: {title: shares [classes, classes]}.
        words: {class: its name} for the ticks.
    """

    def draw(axes) -> None:
        for (title, shares), ax in zip(matrices.items(), axes.flat):
            shown = ax.imshow(np.sqrt(shares), cmap="viridis", vmin=0, vmax=1)
            ax.set(xlabel="given", xticks=list(words), xticklabels=words.values())
            ax.set(yticks=list(words), yticklabels=words.values(), title=title)
            ax.grid(False)
        axes.flat[0].set_ylabel("spoken")
        marks = [0, 0.01, 0.1, 0.3, 1]
        side = axes.flat[0].figure.colorbar(shown, ax=axes, shrink=0.8, label=bar)
        side.set_ticks(np.sqrt(marks), labels=[f"{m:.0%}" for m in marks])

    options = {"sharey": True, "squeeze": False}
    return Picture(draw, frame(data), (6.5, 3.2), (1, len(matrices)), options)
