"""Statistics of paired runs: same seed, same clips, only the decay differs.

    b, c = clips that only one of the two gets right;  McNemar: b ~ Binomial(b + c, 1/2)
    folds: variance · (1/J + n_test/n_train)             (Nadeau and Bengio 2003)

Drops are points of accuracy, base minus other: positive where the other loses.
"""

import numpy as np
from scipy import stats


def mcnemar(base: np.ndarray, other: np.ndarray) -> dict:
    """Exact two-sided test on clips that exactly one network gets right.

    Args:
        base, other: bool, same shape, any; pairs are compared entry by entry.

    >>> a = np.array([True] * 9 + [False]); b = np.array([False] * 6 + [True] * 4)
    >>> mcnemar(a, b)["only_base"], round(mcnemar(a, b)["p"], 4)
    (6, 0.125)
    """
    only_base = int((base & ~other).sum())
    only_other = int((~base & other).sum())
    many = only_base + only_other
    p = stats.binomtest(only_base, many).pvalue if many else 1.0
    return {"only_base": only_base, "only_other": only_other, "p": float(p)}


def of_folds(drops: np.ndarray, held: float = 0.2) -> dict:
    """Mean and 95 % interval of drops over cross-validated runs, corrected.

    The training sets of folds overlap, so their drops are not independent; the
    correction adds n_test/n_train to 1/J.

    Args:
        drops: points, one a run (fold x seed), at least two.
        held: share of the clips that a fold holds out.

    >>> found = of_folds(np.array([1.0, 3.0]), held=0.5)
    >>> found["mean"], [round(end, 1) for end in found["interval"]]
    (2.0, [-20.0, 24.0])
    """
    runs = np.asarray(drops, float)
    extra = held / (1 - held)
    error = np.sqrt(runs.var(ddof=1) * (1 / len(runs) + extra))
    reach = float(stats.t.ppf(0.975, len(runs) - 1) * error)
    mean = float(runs.mean())
    return {"mean": mean, "interval": (mean - reach, mean + reach), "n": len(runs)}


def of_groups(drops: np.ndarray) -> dict:
    """Mean and 95 % interval (Student) of one drop a group, such as a speaker.

    >>> of_groups(np.array([1.0, 1.0, 1.0]))["interval"]
    (1.0, 1.0)
    """
    drops = np.asarray(drops, float)
    mean = float(drops.mean())
    reach = float(stats.t.ppf(0.975, len(drops) - 1) * stats.sem(drops))
    return {"mean": mean, "interval": (mean - reach, mean + reach), "n": len(drops)}


def unpaired(base: np.ndarray, other: np.ndarray) -> dict:
    """Drop and 95 % interval (Welch 1947) of two groups of runs, seeds not matched.

    Beside the paired interval where runs of one seed do not vary together; then
    pairing subtracts nothing and costs degrees of freedom.

    Args:
        base, other: accuracies in per cent, at least two each.
    """
    base, other = np.asarray(base, float), np.asarray(other, float)
    found = stats.ttest_ind(base, other, equal_var=False).confidence_interval(0.95)
    mean = float(base.mean() - other.mean())
    n = min(len(base), len(other))
    return {"mean": mean, "interval": (float(found.low), float(found.high)), "n": n}


def together(base: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two arms over their seeds; pairing helps where it is positive."""
    return float(np.corrcoef(base, other)[0, 1])


def of_speakers(drops: np.ndarray, draws: int = 10_000) -> dict:
    """Mean drop and 95 % intervals with the speaker as the unit.

    `interval`: Student over speakers' means, which for as many seeds of each speaker
    is the mixed model with a random intercept a speaker. `bootstrap`: speakers drawn
    with replacement, and seeds within them. Clips of one speaker are never counted as
    independent.

    Args:
        drops: points, [speakers, seeds].
    """
    drops = np.asarray(drops, float)
    speakers, seeds = drops.shape
    rng = np.random.default_rng(0)
    who = rng.integers(0, speakers, (draws, speakers, 1))
    run = rng.integers(0, seeds, (draws, speakers, seeds))
    low, high = np.percentile(drops[who, run].mean((1, 2)), [2.5, 97.5])
    told = of_groups(drops.mean(1))
    return told | {"bootstrap": (float(low), float(high)), "seeds": seeds}


def said(interval: tuple[float, float]) -> str:
    """What the sign of an interval allows to be said: loses, gains or unresolved.

    >>> said((0.2, 1.0)), said((-1.0, -0.1)), said((-0.1, 2.0))
    ('loses', 'gains', 'unresolved')
    """
    low, high = interval
    if low <= 0 <= high:
        return "unresolved"
    return "loses" if low > 0 else "gains"


def equivalent(interval95: tuple[float, float], bound: float = 1.0) -> bool:
    """Two one-sided tests at 5 %: the 90 % interval lies within (-bound, bound).

    >>> equivalent((-0.8, 0.9)), equivalent((-0.8, 1.6))
    (True, False)
    """
    middle, half = sum(interval95) / 2, (interval95[1] - interval95[0]) / 2
    reach = half * float(stats.norm.ppf(0.95) / stats.norm.ppf(0.975))
    return -bound < middle - reach and middle + reach < bound
