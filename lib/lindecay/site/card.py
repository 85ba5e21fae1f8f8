"""The picture that a social network shows beside a link: what was found, in numbers.

Drawn when the pages are rendered, 1200 x 630, from the results of this build.
"""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from lindecay.site.place import Build

NAME = "card.png"
SIZE = (12.0, 6.3)  # inches at 100 dots: what the networks ask for
INK, PAPER, ACCENT = "#1a1a1a", "#ffffff", "#D55E00"
FOUND = (  # result, digits, words
    ("protocol.open.linear", 2, "points lost on spoken digits by a linear leak"),
    ("energy.update_pj", 1, "pJ to update a neuron inside the array"),
    ("energy.rowwide_update_pj", 1, "pJ to do the same a row at a time beside it"),
    ("claims.total", 0, "numbers of the paper, each with its verdict"),
)


def lines(build: Build) -> list[tuple[str, str]]:
    """(number, words) of each finding that this build has."""
    return [
        (
            f"{float(build.published[id].value):,.{digits}f}".replace("-", "\u2212"),
            words,
        )
        for id, digits, words in FOUND
        if id in build.published
    ]


def draw(build: Build, path: Path) -> Path:
    """Write the card as PNG."""
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        fig = Figure(SIZE, dpi=100, facecolor=PAPER)
        fig.text(0.06, 0.83, "lindecay", size=44, weight="bold", color=INK)
        told = "A linear leak for spiking neurons in SRAM, recomputed"
        fig.text(0.06, 0.73, told, size=22, color=INK)
        for k, (number, words) in enumerate(lines(build)):
            y = 0.56 - 0.14 * k
            fig.text(0.26, y, number, size=38, color=ACCENT, ha="right")
            fig.text(0.29, y + 0.01, words, size=20, color=INK)
        path.parent.mkdir(parents=True, exist_ok=True)
        fig.savefig(path, metadata={"Software": None})
    return path
