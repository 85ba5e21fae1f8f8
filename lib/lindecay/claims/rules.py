"""The rules of comparison: from results to a verdict, one function per kind.

Each rule takes a claim and what it reads and returns a Judgement; which verdict a
data source and a profile may reach at best is decided afterwards (judge.py).
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from lindecay.claims import statistics
from lindecay.claims.registry import VERDICTS, Claim, Verdict, load, window
from lindecay.results import Result
from lindecay.settings import Fault, committed, profile

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
    others: list[dict[str, Any]] = field(default_factory=list)
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
    reach = claim.tolerance.reach(claim.values[which]) if claim.tolerance else 0.0
    near = abs(ours - claim.values[which]) <= reach
    return "within-tolerance" if near else None


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a whole from those of its parts."""
    return max(verdicts, key=VERDICTS.index)


@rule
def declared(claim: Claim, read: Read, name: str) -> Judgement:
    """The registry says it: nothing that a run could compute."""
    return Judgement(claim.args["verdict"], claim.why)


@rule
def definition(claim: Claim, read: Read, name: str) -> Judgement:
    """We do as the text says: a field of the profile equals the printed value."""
    ours = getattr(profile(name), claim.args["setting"])
    return Judgement(closeness(claim, ours) or "differs", claim.why, ours)


@rule
def cited(claim: Claim, read: Read, name: str) -> Judgement:
    """A figure of somebody else's chip: carried; our table must not disagree."""
    row = technology().get(claim.args.get("row", ""), {})
    column = claim.args.get("column", "value")
    if not row.get(column):
        return Judgement("not-comparable", f"Not ours: carried as printed. {claim.why}")
    ours = float(row[column])
    if closeness(claim, ours) != "exact":
        told = f"Our table of constants says {ours:g}. {claim.why}"
        return Judgement("differs", told, ours)
    told = "Not ours: our table of constants carries it as printed. "
    return Judgement("not-comparable", told + claim.why, ours)


@rule
def same_node(claim: Claim, read: Read, name: str) -> Judgement:
    """The node of the constant that anchors our energy model."""
    ours = float(technology()[claim.args["row"]]["node_nm"])
    return Judgement(closeness(claim, ours) or "differs", claim.why, ours)


def technology() -> dict[str, dict[str, str]]:
    """The rows of data/technology.csv by key; {} while there is no such file."""
    try:
        path = committed("technology.csv")
    except Fault:
        return {}
    lines = [s for s in path.read_text("utf-8").splitlines() if s[:1] not in ("", "#")]
    return {row["key"]: row for row in csv.DictReader(lines) if row.get("key")}


@rule
def mean_of(claim: Claim, read: Read, name: str) -> Judgement:
    """A rounded summary of numbers that are printed elsewhere in the text."""
    parts = [load()[id] for id in claim.args["claims"]]
    ours = round(fmean(part.values[0] for part in parts), 4)
    others = [_rounds(part, claim.printed[0]) for part in parts]
    return Judgement(closeness(claim, ours) or "differs", claim.why, ours, others=others)


def _rounds(part: Claim, printed: str) -> dict[str, Any]:
    low, high = window(printed)
    inside = "rounds" if low <= part.values[0] <= high else "does not round"
    return {"what": f"{part.id} alone {inside} to {printed}", "value": part.values[0]}


@rule
def counts(claim: Claim, read: Read, name: str) -> Judgement:
    """Which whole numbers of test clips print as the published drop?"""
    printed, sizes = claim.printed[0], claim.args["clips"]
    direct = {n: statistics.counts(printed, n) for n in sizes}
    others = _resolution(claim) + [_averaged(printed, n) for n in sizes]
    for n, found in direct.items():
        if found:
            told = f"{found[0]} of {n} test clips print as {printed}. {claim.why}"
            ours = round(100 * found[0] / n, 4)
            return Judgement("exact", told, ours, clips=n, others=others)
    return _rounded_first(claim, printed, sizes[0], others)


def _rounded_first(claim: Claim, printed: str, n: int, others: list) -> Judgement:
    found = statistics.counts_rounded_first(printed, n)
    if not found:
        told = f"No whole number of {n} clips prints as {printed}. {claim.why}"
        return Judgement("paper-inconsistent", told, clips=n, others=others)
    told = (
        f"No whole number of {n} clips prints as {printed}; {found[0]} do if both "
        f"accuracies were rounded before they were subtracted. {claim.why}"
    )
    ours = round(100 * found[0] / n, 4)
    return Judgement("within-tolerance", told, ours, clips=n, others=others)


def _resolution(claim: Claim) -> list[dict[str, Any]]:
    accuracy, n = claim.args["near"], claim.args["clips"][0]
    error = round(statistics.standard_error(accuracy, n), 2)
    what = f"standard error of one run near {accuracy} % on {n} clips, in points"
    return [{"what": what, "value": error}]


def _averaged(printed: str, n: int) -> dict[str, Any]:
    runs = statistics.runs_averaged(printed, n)
    what = f"fewest averaged runs on {n} clips whose mean prints as {printed}"
    return {"what": what, "value": runs}


@rule
def ratio(claim: Claim, read: Read, name: str) -> Judgement:
    """A gain: 1 is none, so its side of 1 is the trend."""
    result = read[claim.reads[0]]
    ours = float(result.value)
    near = closeness(claim, ours) or ("trend-only" if ours > 1 else "differs")
    told = f"{_times(ours)} against {claim.text}. {claim.why}"
    return Judgement(
        near, told, ours, result.interval, clips=result.n, others=_beside(claim, read)
    )


def _times(value: float) -> str:
    return f"{value:.3g} times"


def _beside(claim: Claim, read: Read) -> list[dict[str, Any]]:
    found = [read[id] for id in claim.may_read if id in read]
    return [{"what": r.id, "value": r.value, "note": r.note} for r in found]


@rule
def ratio_range(claim: Claim, read: Read, name: str) -> Judgement:
    """Both ends of a range of gains, each judged, each with its assumption."""
    result = read[claim.reads[0]]
    ours = [float(v) for v in result.value]
    ends = [_end(claim, ours, which) for which in (0, 1)]
    told = "; ".join(f"{e['what']}: {e['verdict']}" for e in ends)
    return Judgement(
        worst([end["verdict"] for end in ends]),
        f"{told}. {claim.why}",
        ours,
        clips=result.n,
        others=ends + _beside(claim, read) + _pairs(claim),
    )


def _end(claim: Claim, ours: list[float], which: int) -> dict[str, Any]:
    gain = "trend-only" if ours[which] > 1 else "differs"
    assume = claim.args["ends"][which]
    return {
        "what": f"{('low', 'high')[which]} end {claim.printed[which]} ({assume})",
        "value": ours[which],
        "verdict": closeness(claim, ours[which], which) or gain,
    }


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
def constant_update(claim: Claim, read: Read, name: str) -> Judgement:
    """Update cycles: the same for every N, and growing with N word by word."""
    array, serial, form = (read[id].value for id in claim.reads)
    sizes, cycles = zip(*array)
    others = [
        {"what": f"cycles for N = {n}, in the array", "value": c} for n, c in array
    ] + [{"what": f"cycles for N = {n}, word by word", "value": c} for n, c in serial]
    flat = set(cycles) == {form}
    linear = len({c / n for n, c in serial}) == 1
    wide = max(sizes) >= 16 * min(sizes)
    told = f"{cycles[0]} cycles for N = {min(sizes)} to {max(sizes)}. {claim.why}"
    verdict = "exact" if flat and linear and wide else "differs"
    if not flat:
        told = f"Cycles {sorted(set(cycles))}, closed form {form}. {claim.why}"
    ours = "O(N) -> O(1)" if verdict == "exact" else "not constant"
    return Judgement(verdict, told, ours, others=others + _beside(claim, read))


@rule
def cycles_per_event(claim: Claim, read: Read, name: str) -> Judgement:
    """W x I: constant in the number of outputs, but one pass per input event."""
    value = read[claim.reads[0]].value
    cycles = [c for _, c in value] if isinstance(value, list) else [value]
    if len(set(cycles)) > 1:
        return Judgement("differs", f"Cycles grow: {cycles}. {claim.why}", "grows")
    told = f"{cycles[0]} cycles for an input event, however many outputs. {claim.why}"
    return Judgement("trend-only", told, "O(1) per input event, O(s) per step")


@rule
def decay_analysis(claim: Claim, read: Read, name: str) -> Judgement:
    """Is there a decay left on the integer grid, and does accuracy feel it?"""
    share = read[claim.reads[0]]
    ours = f"{100 * float(share.value):.0f} % of the learned decays round to zero"
    others = _beside(claim, read)
    if float(share.value) >= 1:
        return Judgement("differs", f"No decay is left. {claim.why}", ours, others=others)
    return Judgement("trend-only", claim.why, ours, clips=share.n, others=others)
