"""The frozen network's bill at every position of the knobs of chapter 08.

    constants x activity x layout x update x leakage

One point is a Design on a ledger that was counted at that activity. Designs, draws and
intervals are those of `scopes` and `answers`, so the frozen point of this grid is the
claim's own answer.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lindecay.arms import LINEAR, PRODUCT
from lindecay.energy import compare, maps
from lindecay.energy import constants as table
from lindecay.energy.activity import Busy
from lindecay.energy.answers import DRAWS
from lindecay.energy.compare import Design
from lindecay.energy.constants import Constant
from lindecay.energy.model import LEAKAGE
from lindecay.energy.scopes import BY_ROW, BY_WORD, low_leak

RIVAL = "v-LIF, word by word"
UPDATES = {  # law and access outside; None: in the array
    RIVAL: (PRODUCT, BY_WORD),
    "v-LIF, row by row": (PRODUCT, BY_ROW),
    "LD-LIF, word by word": (LINEAR, BY_WORD),
    "LD-LIF, row by row": (LINEAR, BY_ROW),
    "LD-LIF, in the array": None,
}
PARTS = ("update", "leakage in updates", "accumulation", "leakage in the rest")
INTERVAL = [0.025, 0.975]


@dataclass(frozen=True)
class Set:
    """One way to set the constants: other prices, or another supply."""

    prices: Callable[[dict], dict] = dict
    supply: float = 1.0

    def priced(self, design: Design) -> Design:
        """A design at this supply."""
        return design if self.supply == 1.0 else maps.at_supply(design, self.supply)


def times(key: str, by: float) -> Callable[[dict], dict]:
    """Prices with one constant multiplied."""
    return lambda v: v | {key: v[key] * by}


SETS = {
    "as in the table": Set(),
    "devices of low standby power": Set(low_leak),
    "half the clock": Set(times("clock_mhz", 0.5)),
    "bitlines a quarter as long": Set(times("bitline_cell", 0.25)),
    "supply of 0.8 V": Set(supply=0.8),
}


@dataclass(frozen=True)
class Point:
    """One position of the knobs; energies in pJ, `drawn` over the constants' spread."""

    constants: str
    busy: Busy
    layout: str
    update: str
    leakage: str
    one: Design
    drawn: Design
    rival: Design  # v-LIF word by word at the same position, and its draws
    rival_drawn: Design

    @property
    def share(self) -> tuple[float, float]:
        """Per cent of the time and of the energy that the update takes."""
        energy, time = self.one.update_share
        return 100 * float(time), 100 * float(energy)

    @cached_property
    def share_band(self) -> tuple[float, float]:
        """95 % of the draws of the share of energy."""
        return band(100 * self.drawn.update_share[0])

    @property
    def ratio(self) -> float:
        """Energy of an update: the rival's over this one's."""
        return float(self.rival.update / self.one.update)

    @cached_property
    def ratio_band(self) -> tuple[float, float]:
        """95 % of the draws of the ratio."""
        return band(self.rival_drawn.update / self.drawn.update)

    def parts(self) -> dict[str, float]:
        """pJ a clip: dynamic energy and leakage, of the update and of the rest."""
        bare = self.one.leaking("none")
        update, rest = bare.update * bare.updates, bare.other_dynamic
        while_updating = self.one.update * self.one.updates - update
        leaked = self.one.clip - bare.clip
        told = (update, while_updating, rest, leaked - while_updating)
        return {name: float(x) for name, x in zip(PARTS, told)}


def band(x) -> tuple[float, float]:
    """What 95 % of the draws lie between."""
    low, high = np.quantile(np.broadcast_to(x, (DRAWS,)), INTERVAL)
    return float(low), float(high)


def points(busy: Iterable[Busy], constants: dict[str, Constant]) -> Iterator[Point]:
    """Every position, computed one by one."""
    busy, draws = list(busy), table.draw(constants, DRAWS)
    for name, own in SETS.items():
        prices = own.prices(table.values(constants)), own.prices(draws)
        for one in busy:
            for layout in one.inside:
                made = {u: _designs(one, layout, u, prices, own) for u in UPDATES}
                yield from _points(name, one, layout, made)


def _designs(busy: Busy, layout: str, update: str, prices, own: Set) -> list[Design]:
    """At the values of the constants, and over their draws."""
    return [own.priced(design(busy, layout, update, v)) for v in prices]


def design(busy: Busy, layout: str, update: str, v: dict) -> Design:
    """The design of one layout and update at one activity."""
    if UPDATES[update] is None:
        return compare.in_array(busy.inside[layout], v)
    return compare.rival(busy.beside[layout], v, *UPDATES[update])


def _points(name: str, busy: Busy, layout: str, made: dict) -> Iterator[Point]:
    for update, pair in made.items():
        for how in LEAKAGE:
            four = [d.leaking(how) for d in (*pair, *made[RIVAL])]
            yield Point(name, busy, layout, update, how, *four)
