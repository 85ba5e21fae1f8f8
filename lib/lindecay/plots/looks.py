"""What a colour, a marker and a dash mean: one table for every figure of the book.

The arms' names and colours are those of `networks.ARMS`; a marker or a dash repeats
what the colour says, for readers who do not see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lindecay.figures import EXP, GREEN, INK, LIN, PAPER, PURPLE
from lindecay.networks import ARMS


@dataclass(frozen=True)
class Look:
    """How one thing is drawn; `line` is a matplotlib dash ("" for markers alone)."""

    colour: str
    line: str = "-"
    mark: str = ""
    hatch: str = ""
    label: str | None = None  # None: its own name
    open: bool = False  # markers without a filling

    def style(self) -> dict:
        """The look as keywords of `Axes.plot`."""
        made = {"color": self.colour, "linestyle": self.line or "none"}
        if self.mark:
            made["marker"] = self.mark
        return made | ({"markerfacecolor": "none"} if self.open else {})


_DASHES = {"ldlif": "--", "if": ":"}  # where curves have no markers

LOOKS: dict[str, Look] = {
    name: Look(arm.colour, "-", arm.marker, label=arm.label)
    for name, arm in ARMS.items()
} | {
    # laws of decay
    "exponential": Look(EXP),
    "linear": Look(LIN),
    "shrink": Look(LIN),
    "floor at rest": Look(ARMS["floor"].colour, ":"),
    # where events come from
    "recordings": Look(PURPLE, "-", "o"),
    "official": Look(PURPLE, "-", "o"),
    "stand-in": Look(GREEN, "--", "s"),
    # parts of a step
    "update": Look(LIN),
    "merge": Look(PURPLE, hatch="//"),
    "merging": Look(PURPLE, hatch="//"),
    "accumulate": Look(GREEN, hatch=".."),
    "accumulation": Look(GREEN, hatch=".."),
    # layouts of the array, and ways to update its membranes
    "A": Look(LIN, "-", "o"),
    "B": Look(GREEN, "-", "D"),
    "C in place": Look(LIN, "--", "o"),
    "C row-wide": Look(PURPLE, "--", "^"),
    "C word by word": Look(EXP, "--", "s"),
    "in the array": Look(LIN, "-", "o"),
    "row by row": Look(PURPLE, "-", "^"),
    "word by word": Look(EXP, "-", "s"),
    # what the paper printed
    "paper": Look(PAPER, "--", "o", open=True),
}
_CYCLE = [Look(LIN), Look(EXP, "--"), Look(GREEN, "-."), Look(PURPLE, ":"), Look(INK)]


def arm_curve(arm: str) -> Look:
    """An arm's look for a curve without markers: a dash of its own."""
    return replace(LOOKS[arm], line=_DASHES.get(arm, "-"), mark="")


def look_of(name: str, looks: Mapping[str, Look] | None = None, k: int = 0) -> Look:
    """The look of a name: given, else of the table, else the k-th of the cycle.

    >>> look_of("vlif").colour, look_of("nobody", k=1).line
    ('#0072B2', '--')
    """
    found = (looks or {}).get(name) or LOOKS.get(name) or _CYCLE[k % len(_CYCLE)]
    return found if found.label is not None else replace(found, label=str(name))
