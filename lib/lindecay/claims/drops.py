"""The accuracy drops: paired seeds, two questions, and the arm without a leak."""

from typing import Any

from lindecay.claims import statistics
from lindecay.claims.registry import Claim, window
from lindecay.claims.rules import Judgement, Read, closeness, rule
from lindecay.results import Result

BOUND = 1.0  # points: "equivalent to zero" means within this
NARROW = 0.1  # points: an answer that hangs on less says so


@rule
def paired_drop(claim: Claim, read: Read, name: str) -> Judgement:
    """Mean paired difference against the published drop.

    differs: the interval excludes it; unresolved: the interval holds it and zero, so
    not even a sign is known; exact / within-tolerance: near it; trend-only: of one
    sign with it, the mean further off.
    """
    drop, each = (read[id] for id in claim.reads[:2])
    if len(each.value) < 2:
        return Judgement("not-attempted", "One seed has no interval.", drop.value)
    seeds = statistics.paired(each.value)
    wide = _wider(seeds.interval(), drop.interval)
    held = _holds(wide, claim)
    return Judgement(
        _verdict(claim, seeds.mean, wide, held),
        f"{_answers(claim, seeds, wide, held)} {_leakless(read, wide)}{claim.why}",
        round(seeds.mean, 4),
        wide,
        seeds=seeds.n,
        clips=_clips(read, drop),
        others=_questions(claim, seeds, wide, held) + _arms(claim, read),
        wrong=_contradiction(drop, seeds),
    )


def _verdict(claim: Claim, mean: float, wide: tuple, held: bool) -> str:
    if not held:
        return "differs"
    if wide[0] <= 0 <= wide[1]:
        return "unresolved"
    return closeness(claim, mean) or "trend-only"


def _clips(read: Read, drop: Result) -> int | None:
    """Test clips: of an arm, since a paired drop may count seeds times clips."""
    arm = _arm(read, ".acc.vlif")
    return arm.n if arm else drop.n


def _wider(
    a: tuple[float, float], b: tuple[float, float] | None
) -> tuple[float, float]:
    """The hull of the seeds' interval and the chapter's own (seeds and clips)."""
    low, high = (min(a[0], b[0]), max(a[1], b[1])) if b else a
    return round(low, 4), round(high, 4)


def _holds(interval: tuple[float, float], claim: Claim) -> bool:
    low, high = window(claim.printed[0])
    return interval[0] <= high and low <= interval[1]


def _to_the_edge(claim: Claim, wide: tuple[float, float]) -> float:
    """Points by which the interval could move away and still hold the print."""
    low, high = window(claim.printed[0])
    return min(high - wide[0], wide[1] - low)


def _equivalent(seeds: statistics.Paired, wide: tuple[float, float]) -> bool:
    each = [seeds.interval(0.90), statistics.narrowed(wide)]
    return statistics.equivalent(each, BOUND)


def _answers(
    claim: Claim, seeds: statistics.Paired, wide: tuple[float, float], held: bool
) -> str:
    first = "Compatible" if held else "Not compatible"
    edge = _to_the_edge(claim, wide)
    if held and edge < NARROW:
        first = f"Only just ({edge:.2f} points inside the interval) compatible"
    second = "equivalent" if _equivalent(seeds, wide) else "not shown equivalent"
    find = seeds.detectable()
    return (
        f"{first} with the published drop of {claim.text}; {second} to zero within "
        f"{BOUND:g} point (two one-sided tests). {seeds.n} paired seeds would find "
        f"a drop of {find:.2g} or more."
    )


def _questions(
    claim: Claim, seeds: statistics.Paired, wide: tuple[float, float], held: bool
) -> list[dict[str, Any]]:
    low, high = wide
    return [
        {"what": f"compatible with the published {claim.text}", "value": held},
        {
            "what": f"equivalent to zero within {BOUND:g} point (TOST, 5 %)",
            "value": _equivalent(seeds, wide),
        },
        {"what": "zero lies in the interval", "value": low <= 0 <= high},
        {
            "what": "smallest drop these seeds would find (80 % power), in points",
            "value": round(seeds.detectable(), 3),
        },
    ]


def _leakless(read: Read, wide: tuple[float, float]) -> str:
    """Whether a network without any leak does as well as one with linear decay."""
    without = _arm(read, ".drop_if")
    if without is None:
        return "No arm without a leak ran, so this says nothing about decay yet. "
    if float(without.value) > wide[1]:  # it loses more than our interval allows
        return ""
    lost = f"{float(without.value):.2g} points"
    told = "Uninformative about decay: a network without any leak does as well, within"
    return f"{told} this interval ({lost} below v-LIF). "


def _arm(read: Read, ending: str) -> Result | None:
    return next((r for id, r in read.items() if id.endswith(ending)), None)


def _arms(claim: Claim, read: Read) -> list[dict[str, Any]]:
    found = [read[id] for id in claim.may_read if id in read]
    return [{"what": r.id, "value": r.value, "interval": r.interval} for r in found]


def _contradiction(drop: Result, seeds: statistics.Paired) -> str:
    """A mean that is not the mean of its seeds was not computed from them."""
    if abs(float(drop.value) - seeds.mean) <= 0.006:  # published to two decimals
        return ""
    return f"{drop.id} is {drop.value}, but its seeds average {seeds.mean:.4g}"
