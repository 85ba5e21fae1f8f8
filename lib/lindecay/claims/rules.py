"""The rules of comparison: from results to a verdict, one function per kind.

Each rule takes a claim and what it reads and returns a Judgement; which verdict a
data source and a profile may reach at best is decided afterwards (judge.py).
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lindecay.claims.registry import VERDICTS, Claim, Verdict, window
from lindecay.results import Result
from lindecay.settings import Fault, committed

Read = Mapping[str, Result]  # by id


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason and the numbers behind it."""

    verdict: Verdict
    why: str
    ours: float | list | str | None = None
    interval: tuple[float, float] | None = None
    seeds: int | None = None
    clips: int | None = None
    bands: list = field(default_factory=list)  # intervals, where ours are several
    others: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    wrong: str = ""  # results that contradict each other


Rule = Callable[[Claim, Read, str], Judgement]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Register a rule under its function's name."""
    RULES[function.__name__] = function
    return function


def closeness(claim: Claim, ours: float, which: int = 0) -> Verdict | None:
    """exact, within-tolerance, or None, for one of the printed numbers."""
    low, high = window(claim.printed[which])
    if low <= ours <= high:
        return "exact"
    reach = claim.tolerance.reach(claim.published[which]) if claim.tolerance else 0.0
    near = abs(ours - claim.published[which]) <= reach
    return "within-tolerance" if near else None


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a whole from those of its parts."""
    return max(verdicts, key=VERDICTS.index)


def technology() -> dict[str, dict[str, str]]:
    """The rows of data/technology.csv by key; {} while there is no such file."""
    try:
        path = committed("technology.csv")
    except Fault:
        return {}
    lines = [s for s in path.read_text("utf-8").splitlines() if s[:1] not in ("", "#")]
    return {row["key"]: row for row in csv.DictReader(lines) if row.get("key")}


@rule
def measured(claim: Claim, read: Read, name: str) -> Judgement:
    """A number beside the printed one, its tolerance and, where it has one, its band.

    A band that holds both close and far values resolves nothing.
    """
    result = read[claim.reads[0]]
    ours, band = float(result.value), result.interval
    ends = [closeness(claim, end) for end in band or (ours,)]
    verdict = closeness(claim, ours) or "differs"
    if band and None in ends and (verdict != "differs" or any(ends)):
        verdict = "unresolved"
    told = f"{ours:.4g} against {claim.text}. {claim.why}"
    return Judgement(verdict, told, ours, band, len(result.seeds) or None, result.n)


@rule
def ratio(claim: Claim, read: Read, name: str) -> Judgement:
    """A gain: 1 is none, and a band that holds it and the print resolves nothing."""
    result = read[claim.reads[0]]
    ours, band = float(result.value), result.interval or (float(result.value),) * 2
    low, high = window(claim.printed[0])
    gain, held = band[0] > 1, band[0] <= high and low <= band[1]
    spread = f"{_band(gain, held)} " if result.interval else ""
    told = f"{ours:.3g} times against {claim.text}. {spread}{claim.why}"
    verdict = gain_of(claim, ours, band)
    return Judgement(verdict, told, ours, result.interval, others=_beside(claim, read))


def gain_of(claim: Claim, ours: float, band: tuple, which: int = 0) -> Verdict:
    """The verdict on one printed gain: a value of ours with its band.

    The trend holds where the band lies beyond 1 and ours is nearer to the printed gain
    than to none, in the logarithm: 1.03 is no trend of 5.2.
    """
    low, high = window(claim.printed[which])
    gain, held = band[0] > 1, band[0] <= high and low <= band[1]
    if held and not gain:
        return "unresolved"
    far = "trend-only" if gain and ours > claim.published[which] ** 0.5 else "differs"
    return closeness(claim, ours, which) or far


def _band(gain: bool, held: bool) -> str:
    """What the spread of the constants says about the printed value and about 1."""
    holds = "holds" if held else "excludes"
    none = "" if gain else ", and it includes no gain at all"
    return f"The band of our constants {holds} the printed value{none}."


def _beside(claim: Claim, read: Read) -> list[dict[str, Any]]:
    found = [read[id] for id in claim.may_read if id in read]
    return [{"what": r.id, "value": r.value, "note": r.note} for r in found]


@rule
def ratio_range(claim: Claim, read: Read, name: str) -> Judgement:
    """Both ends of a range of gains, each judged, each with its assumption.

    Reads our energy with its band; a gain is a chip's energy over ours.
    """
    result = read[claim.reads[0]]
    ends = [_end(claim, result, which) for which in (0, 1)]
    ours = [end["value"] for end in ends]
    each = [f"{e['what']}: ours {e['value']:.3g}, {e['verdict']}" for e in ends]
    told = "; ".join(each)
    return Judgement(
        worst([end["verdict"] for end in ends]),
        f"{told[:1].upper()}{told[1:]}. {claim.why}",
        ours,
        clips=result.n,
        others=ends + _beside(claim, read) + _pairs(claim),
        bands=[end["interval"] for end in ends],
    )


def _end(claim: Claim, result: Result, which: int) -> dict[str, Any]:
    """One end; a result that names chips of its own was made under other choices."""
    key, chip = _chip(claim, result, which)
    pj = float(result.value)
    low, high = result.interval or (pj, pj)
    band = (round(chip / high, 3), round(chip / low, 3))
    name = f"against {key.removesuffix('_sop')}"
    return {
        "what": f"{('low', 'high')[which]} end {claim.printed[which]} ({name})",
        "value": round(chip / pj, 4),
        "interval": band,
        "verdict": gain_of(claim, chip / pj, band, which),
    }


def _chip(claim: Claim, result: Result, which: int) -> tuple[str, float]:
    """(key, pJ) of an end's chip: the registry's, or as the note says KEY=VALUE."""
    if "over " in result.note:
        key, value = result.note.split("over ")[1].split(", ")[which].split("=")
        return key, float(value)
    key = claim.args["against"][which]
    return key, float(technology()[key]["value"])


def _pairs(claim: Claim) -> list[dict[str, Any]]:
    """Pairs of cited chips whose two ratios fit one value of ours."""
    keys = claim.args.get("chips", [])
    rows = {k: float(technology()[k]["value"]) for k in keys if k in technology()}
    return [
        {
            "what": f"hypothesis: {a} and {b} give both printed ends for one value",
            "value": [round(v, 4) for v in fit],
            "note": "pJ/SOP; " + _tension(rows, fit, (a, b)),
        }
        for a in rows
        for b in rows
        if (fit := one_value(rows[a], rows[b], *claim.printed))
    ]


def one_value(
    near: float, far: float, low: str, high: str
) -> tuple[float, float] | None:
    """The x for which near/x prints as `low` and far/x as `high`, if any.

    >>> [round(x, 3) for x in one_value(1.5, 23.6, "1.1", "16.7")]
    [1.409, 1.417]
    >>> one_value(1.04, 23.6, "1.1", "16.7")
    """
    ends = [(near, window(low)), (far, window(high))]
    first = max(value / w[1] for value, w in ends)
    last = min(value / w[0] for value, w in ends)
    return (first, last) if first <= last else None


def _tension(rows: dict[str, float], fit: tuple, pair: tuple[str, str]) -> str:
    x = sum(fit) / 2
    rest = [f"{k} would be {v / x:.2f}" for k, v in rows.items() if k not in pair]
    return "then " + ", ".join(rest) if rest else ""


@rule
def metric_unknown(claim: Claim, read: Read, name: str) -> Judgement:
    """No definition, no verdict: how many candidates would fit, and by luck.

    With a definition (`--assume`) its value has to lie between the ends.
    """
    hits, pairs, luck = (read[id].value for id in claim.reads)
    if chosen := read.get(claim.args["chosen"]):
        inside = claim.published[0] <= chosen.value <= claim.published[1]
        told = f"If energy efficiency is {chosen.note}: {chosen.value:.3g} times."
        return Judgement("trend-only" if inside else "differs", told, chosen.value)
    told = (
        f"Of {pairs} ordered pairs from a frozen list of candidate metrics, {hits} "
        f"give both ends within a tenth; a made-up range of the same width finds a "
        f"pair in {luck:.0f} % of cases. {claim.why}"
    )
    ours = f"{hits} of {pairs} pairs of candidate metrics fit"
    return Judgement("not-comparable", told, ours, others=_beside(claim, read))


@rule
def dominant(claim: Claim, read: Read, name: str) -> Judgement:
    """Does the update take more than half, of the time and of the energy?"""
    time, energy = (read[id] for id in claim.reads)
    low, high = energy.interval or (energy.value,) * 2
    parts = {"latency": time.value > 50, "energy": energy.value > 50}
    held = [part for part, more in parts.items() if more]
    ours = f"{time.value:.0f} % of time, {energy.value:.0f} % of energy"
    verdict = "trend-only" if len(held) == 2 else "differs"
    if parts["latency"] and low <= 50 <= high:
        verdict = "unresolved"  # the band of our constants holds both answers
    told = f"The update takes {ours}."
    if len(held) == 1:
        told = f"It dominates {held[0]} only. {told}"
    told = f"{told} {claim.why}"
    return Judgement(verdict, told, ours, (low, high), others=_beside(claim, read))


@rule
def constant_update(claim: Claim, read: Read, name: str) -> Judgement:
    """Update cycles: the same for every N, and growing with N word by word."""
    array, serial, form = (read[id].value for id in claim.reads)
    sizes, cycles = zip(*array)
    others = [
        {"what": "N: cycles, in the array", "value": array},
        {"what": "N: cycles, word by word", "value": serial},
    ]
    flat = set(cycles) == {form}
    linear = len({c / n for n, c in serial}) == 1
    wide = max(sizes) >= 16 * min(sizes)
    told = f"{cycles[0]} cycles for N = {min(sizes)} to {max(sizes)}. {claim.why}"
    verdict = "holds-in-our-array" if flat and linear and wide else "differs"
    if not flat:
        told = f"Cycles {sorted(set(cycles))}, closed form {form}. {claim.why}"
    ours = "not constant" if verdict == "differs" else "O(N) -> O(1)"
    return Judgement(verdict, told, ours, others=others + _beside(claim, read))


@rule
def cycles_per_event(claim: Claim, read: Read, name: str) -> Judgement:
    """W x I: cycles of a step for s input spikes, in the scope's layout.

    A list is cycles for one event over sizes (event-serial: a step takes s times as
    many); one number is the cycles of a step, whatever its spikes.
    """
    value = read[claim.reads[0]].value
    if not isinstance(value, list):
        told = f"{value:g} cycles a step, whatever the spikes. {claim.why}"
        return Judgement("holds-in-our-array", told, "O(1) a step")
    cycles = [c for _, c in value]
    if len(set(cycles)) > 1:
        return Judgement("differs", f"Cycles grow: {cycles}. {claim.why}", "grows")
    told = f"{cycles[0]:g} cycles for an input event, however many outputs. {claim.why}"
    return Judgement("differs", told, "O(1) an input event, O(s) a step")


@rule
def bounded(claim: Claim, read: Read, name: str) -> Judgement:
    """A claim of ours: a result (or its ratio to another) on one side of a bound.

    The whole interval on that side holds; on both sides it resolves nothing.
    """
    result = read[claim.reads[0]]
    below = read[claim.reads[1]].value if "over" in claim.args else 1.0
    ours, bound = float(result.value) / float(below), float(claim.args["bound"])
    band = result.interval if "over" not in claim.args else None
    low, high = band or (ours, ours)
    right = high < bound if claim.args["side"] == "below" else low > bound
    wrong = low >= bound if claim.args["side"] == "below" else high <= bound
    verdict = claim.args["holds"] if right else "differs" if wrong else "unresolved"
    told = f"{ours:.3g}, to be {claim.args['side']} {bound:g}. {claim.why}"
    return Judgement(verdict, told, round(ours, 4), band, clips=result.n)


@rule
def decay_analysis(claim: Claim, read: Read, name: str) -> Judgement:
    """Is there a decay left on the integer grid, and does accuracy feel it?"""
    share = read[claim.reads[0]]
    percent = float(share.value) * (1 if share.unit == "%" else 100)
    ours = f"{percent:.0f} % of the learned decays round to zero"
    left = percent < 100
    verdict, told = ("trend-only", "") if left else ("differs", "No decay is left. ")
    return Judgement(verdict, told + claim.why, ours, others=_beside(claim, read))
