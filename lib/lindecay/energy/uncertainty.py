"""What a verdict rests on: Monte Carlo over every constant, tornado, one sentence.

A quantity is a function of the constants' values, vectorised: one call serves a
hundred thousand draws. Constants are drawn independently (see `constants.draw`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lindecay.energy import constants as table
from lindecay.energy.constants import Constant

Quantity = Callable[[dict], np.ndarray]
DRAWS = 100_000


@dataclass(frozen=True)
class Spread:
    """A quantity over the draws."""

    value: float  # at the values of the table
    low: float  # 95 % of the draws lie between
    high: float
    share: float | None = None  # of the draws within the asked window


def spread(
    f: Quantity,
    constants: dict[str, Constant],
    asked: tuple[float, float] | None = None,
    n: int = DRAWS,
    seed: int = 0,
) -> Spread:
    """Value, 95 % interval, and the share of draws that fall within `asked`."""
    drawn = np.broadcast_to(f(table.draw(constants, n, seed)), (n,))
    low, high = np.quantile(drawn, [0.025, 0.975])
    inside = None
    if asked:
        inside = float(np.mean((drawn >= asked[0]) & (drawn < asked[1])))
    return Spread(float(f(table.values(constants))), float(low), float(high), inside)


@dataclass(frozen=True)
class Bar:
    """One constant of a tornado: the quantity at its low and at its high end."""

    key: str
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """Ratio of the two, at least 1."""
        pair = sorted((self.at_low, self.at_high))
        return pair[1] / pair[0]


def tornado(f: Quantity, constants: dict[str, Constant]) -> list[Bar]:
    """Every constant moved alone from its low to its high end; widest first."""
    values, bars = table.values(constants), []
    for key, one in constants.items():
        if one.role == "model":
            _, low, high = one.headline()
            ends = [float(f(values | {key: end})) for end in (low, high)]
            bars.append(Bar(key, *ends))
    return sorted(bars, key=lambda bar: -bar.swing)


def crossing(f: Quantity, constants: dict, key: str, end: float) -> float | None:
    """Value of one constant, in our units, at which f reaches `end`; None if never."""
    values = table.values(constants)
    _, low, high = constants[key].headline()

    def gap(x: float) -> float:
        return float(f(values | {key: x})) - end

    if gap(low) * gap(high) > 0:
        return None
    for _ in range(60):
        middle = _between(low, high)
        low, high = (middle, high) if gap(low) * gap(middle) > 0 else (low, middle)
    return _between(low, high)


def _between(low: float, high: float) -> float:
    return (low * high) ** 0.5 if low > 0 else (low + high) / 2


@dataclass(frozen=True)
class Condition:
    """What has to hold for one end of a claim."""

    end: float
    value: float
    share: float  # of the draws that reach it
    alone: tuple[tuple[str, float, str], ...]  # constant, value at the crossing, unit
    widest: str  # the constant that moves it most

    def sentence(self) -> str:
        """In words, generated."""
        told = f"{self.end:g}x: ours is {self.value:.3g}x"
        if self.value >= self.end:
            told += " and reaches it"
        elif self.alone:
            parts = [f"{key} = {x:.3g} {unit}" for key, x, unit in self.alone]
            told += "; it holds if " + " or ".join(parts)
        else:
            told += "; no constant reaches it alone within its spread"
        share = f"{100 * self.share:.3g} % of the draws reach it"
        return f"{told}; {share}; {self.widest} moves it most."


def condition(f: Quantity, constants: dict, end: float, n: int = DRAWS) -> Condition:
    """When f, a gain, is at least `end`."""
    bars = tornado(f, constants)
    alone = []
    for bar in bars:
        at = crossing(f, constants, bar.key, end)
        if at is not None:
            alone.append((bar.key, at, constants[bar.key].unit_of_ours))
    told = spread(f, constants, (end, np.inf), n)
    return Condition(end, told.value, told.share, tuple(alone), bars[0].key)
