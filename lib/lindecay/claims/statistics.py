"""What a measured difference can and cannot say.

drop = acc(v-LIF) - acc(LD-LIF) in points, one per seed; two separate questions:
is it compatible with the published drop (95 % interval), and is it equivalent to
zero within one point (two one-sided t-tests; Schuirmann 1987)?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import sqrt

from scipy import stats

from lindecay.claims.registry import window


@dataclass(frozen=True)
class Paired:
    """Mean of paired differences with its standard error."""

    mean: float
    error: float  # standard error of the mean
    n: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided t interval of the mean."""
        reach = self.error * stats.t.ppf(0.5 + level / 2, self.n - 1)
        return float(self.mean - reach), float(self.mean + reach)

    def detectable(self, power: float = 0.8) -> float:
        """The smallest drop that this many pairs would find at 5 %, two-sided."""
        t = stats.t(self.n - 1)
        return float(self.error * (t.ppf(0.975) + t.ppf(power)))


def paired(drops: Sequence[float]) -> Paired:
    """Mean and standard error of paired differences (at least two).

    >>> paired([1.0, 2.0, 3.0]).mean
    2.0
    """
    n = len(drops)
    mean = sum(drops) / n
    spread = sum((d - mean) ** 2 for d in drops) / (n - 1)
    return Paired(mean, sqrt(spread / n), n)


def equivalent(intervals: Sequence[tuple[float, float]], bound: float) -> bool:
    """TOST at 5 %: every 90 % interval lies strictly within ±bound.

    >>> equivalent([(-0.2, 0.4), (-0.9, 0.9)], 1.0), equivalent([(-0.2, 1.1)], 1.0)
    (True, False)
    """
    return all(-bound < low and high < bound for low, high in intervals)


def narrowed(interval: tuple[float, float]) -> tuple[float, float]:
    """The 90 % interval that belongs to a 95 % one of a bootstrap.

    By the normal ratio: for few seeds Student's would narrow it too far.

    >>> [round(end, 2) for end in narrowed((-1.96, 1.96))]
    [-1.64, 1.64]
    """
    middle, half = sum(interval) / 2, (interval[1] - interval[0]) / 2
    reach = half * float(stats.norm.ppf(0.95) / stats.norm.ppf(0.975))
    return middle - reach, middle + reach


def standard_error(accuracy: float, clips: int) -> float:
    """Binomial standard error of one run, in points.

    >>> round(standard_error(80.0, 2264), 2)
    0.84
    """
    return sqrt(accuracy * (100 - accuracy) / clips)


def printed_as(value: Decimal, like: str) -> bool:
    """Whether `value` prints as `like` (half up, as many decimals)."""
    unit = Decimal((0, (1,), Decimal(like).as_tuple().exponent))
    return value.quantize(unit, ROUND_HALF_UP) == Decimal(like)


def counts(printed: str, clips: int) -> list[int]:
    """The k for which k of `clips` test clips print as `printed` points.

    >>> counts("0.38", 264), counts("1.11", 2264), counts("0.96", 10_000)
    ([1], [], [96])
    """
    low, high = window(printed)
    near = range(int(low * clips / 100), int(high * clips / 100) + 2)
    return [k for k in near if printed_as(Decimal(100 * k) / clips, printed)]


def counts_rounded_first(printed: str, clips: int) -> list[int]:
    """The k that can print so if both accuracies were rounded before subtracting.

    >>> counts_rounded_first("1.11", 2264)
    [25]
    """
    unit = Decimal((0, (1,), Decimal(printed).as_tuple().exponent))
    each = [
        (Decimal(100 * k) / clips).quantize(unit, ROUND_HALF_UP)
        for k in range(clips + 1)
    ]
    near = round(float(printed) * clips / 100)
    found = range(max(near - 2, 0), near + 3)
    wanted = Decimal(printed)
    return [
        k
        for k in found
        if any(each[a + k] - each[a] == wanted for a in range(clips + 1 - k))
    ]


def runs_averaged(printed: str, clips: int, most: int = 100) -> int | None:
    """The fewest averaged runs whose mean drop can print so.

    >>> runs_averaged("0.96", 10_000), runs_averaged("0.38", 264)
    (1, 1)
    """
    runs = range(1, most + 1)
    return next((m for m in runs if counts(printed, m * clips)), None)
