"""What a printed range of ratios could mean: pairs of chips, or a range of workloads.

A printed 1.1 is any number in [1.05, 1.15). A pair of chips explains "1.1x to 16.7x"
when one energy of ours, x, gives both: chip_low / x and chip_high / x each inside the
window of its printed end, with the rounding of the chips' own figures.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from lindecay.energy.constants import Constant


def window(printed: str) -> tuple[float, float]:
    """Numbers that print like this.

    >>> window("1.1"), window("69")
    ((1.05, 1.15), (68.5, 69.5))
    """
    half = 0.5 * 10.0 ** -(len(printed.split(".")[1]) if "." in printed else 0)
    return round(float(printed) - half, 10), round(float(printed) + half, 10)


@dataclass(frozen=True)
class Pair:
    """Two chips that explain a range, for our energy within [low, high] pJ."""

    low_end: str
    high_end: str
    low: float
    high: float


def needed(chip: Constant, printed: str, scaled: bool = False) -> tuple[float, float]:
    """Our energy in pJ for which the chip's ratio prints like this."""
    _, low, high = chip.headline() if scaled else (chip.value, chip.low, chip.high)
    least, most = window(printed)
    return low / most, high / least


def pairs(chips: list[Constant], ends: tuple[str, str], scaled=False) -> list[Pair]:
    """Every ordered pair of chips that explains both ends with one energy of ours."""
    found = []
    for a, b in permutations(chips, 2):
        first, second = needed(a, ends[0], scaled), needed(b, ends[1], scaled)
        low, high = max(first[0], second[0]), min(first[1], second[1])
        if low < high:
            found.append(Pair(a.key, b.key, low, high))
    return found


def contradictions(chips: list[Constant], pair: Pair, ends: tuple[str, str]) -> dict:
    """Ratios of other chips at the middle of the window that lie outside the ends."""
    x = (pair.low + pair.high) / 2
    least, most = window(ends[0])[0], window(ends[1])[1]
    ratios = {c.key: c.value / x for c in chips}
    return {k: r for k, r in ratios.items() if not least <= r <= most}


def luck(chips: list[Constant], digits=(1, 1), n: int = 2000, seed: int = 0) -> float:
    """Share of fake ranges that some pair of these chips explains.

    Fakes: low end 1.1 to 5, high end 2 to 40 times it, both uniform in the logarithm,
    printed with as many decimals as the published ends.
    """
    random = np.random.default_rng(seed)
    lows = np.exp(random.uniform(np.log(1.1), np.log(5), n))
    highs = lows * np.exp(random.uniform(np.log(2), np.log(40), n))
    hit = 0
    for low, high in zip(lows, highs):
        ends = f"{low:.{digits[0]}f}", f"{high:.{digits[1]}f}"
        hit += bool(pairs(chips, ends))
    return hit / n


def over_workloads(acc_pj: float, seq_pj: float, par_pj: float, s) -> np.ndarray:
    """Ratio of sequential to parallel update over s spikes a neuron and step.

    (E_acc + E_seq / s) / (E_acc + E_par / s): 1 for many spikes, E_seq / E_par for few.
    """
    s = np.asarray(s, float)
    return (acc_pj + seq_pj / s) / (acc_pj + par_pj / s)


def spikes_for(ratio: float, acc_pj: float, seq_pj: float, par_pj: float) -> float:
    """Spikes a neuron and step at which the ratio is this; nan where it cannot be.

    >>> float(spikes_for(2.0, 1.0, 10.0, 1.0))
    8.0
    """
    if not 1 < ratio < seq_pj / par_pj:
        return float("nan")
    return (seq_pj - ratio * par_pj) / (acc_pj * (ratio - 1))
