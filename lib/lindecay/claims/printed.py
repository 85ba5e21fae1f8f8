"""Rules that need no run: what is stated, defined, cited, or follows by arithmetic."""

from statistics import fmean
from typing import Any

from lindecay.claims import statistics
from lindecay.claims.registry import Claim, load, window
from lindecay.claims.rules import Judgement, Read, closeness, rule, technology
from lindecay.settings import profile


@rule
def declared(claim: Claim, read: Read, name: str) -> Judgement:
    """The registry says it: nothing that a run could compute."""
    return Judgement(claim.args["verdict"], claim.why)


@rule
def definition(claim: Claim, read: Read, name: str) -> Judgement:
    """We do as the text says: a field of the profile equals the printed value."""
    ours = getattr(profile(name), claim.args["setting"])
    return Judgement(_adopted(claim, ours), claim.why, ours)


def _adopted(claim: Claim, ours: float) -> str:
    """What we set ourselves is no finding: adopted as printed, or not."""
    return "adopted" if closeness(claim, float(ours)) == "exact" else "differs"


@rule
def trained_width(claim: Claim, read: Read, name: str) -> Judgement:
    """The width of the weights in the checkpoint that a chapter trained."""
    ours = read[claim.reads[0]]
    return Judgement(_adopted(claim, ours.value), claim.why, ours.value)


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
    return Judgement(_adopted(claim, ours), claim.why, ours)


@rule
def mean_of(claim: Claim, read: Read, name: str) -> Judgement:
    """A rounded summary of numbers that are printed elsewhere in the text."""
    parts = [load()[id] for id in claim.args["claims"]]
    ours = round(fmean(part.published[0] for part in parts), 4)
    others = [_rounds(part, claim.printed[0]) for part in parts]
    verdict = "consistent" if closeness(claim, ours) else "paper-inconsistent"
    return Judgement(verdict, claim.why, ours, others=others)


def _rounds(part: Claim, printed: str) -> dict[str, Any]:
    low, high = window(printed)
    value = part.published[0]
    inside = "rounds" if low <= value <= high else "does not round"
    return {"what": f"{part.id} alone {inside} to {printed}", "value": value}


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
            return Judgement("consistent", told, ours, clips=n, others=others)
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
    return Judgement("consistent", told, ours, clips=n, others=others)


def _resolution(claim: Claim) -> list[dict[str, Any]]:
    accuracy, n = claim.args["near"], claim.args["clips"][0]
    error = round(statistics.standard_error(accuracy, n), 2)
    what = f"standard error of one run near {accuracy} % on {n} clips, in points"
    return [{"what": what, "value": error}]


def _averaged(printed: str, n: int) -> dict[str, Any]:
    runs = statistics.runs_averaged(printed, n)
    what = f"fewest averaged runs on {n} clips whose mean prints as {printed}"
    return {"what": what, "value": runs}
