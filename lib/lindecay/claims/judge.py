"""From a claim to its row: which results are read, what they may prove at best.

A claim whose answer turns with what is inside is judged once for each of its scopes;
where they disagree the list is the verdict. A verdict belongs to a (profile, data
source) pair. Recordings that are a subset or regenerated, and the quick profile, reach
trend-only at best; a stand-in judges nothing: then the committed reference speaks,
marked as carried. A committed run of more paired seeds leads over this build's.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lindecay.claims import drops, printed  # noqa: F401  they register rules
from lindecay.claims.registry import Claim, Verdict
from lindecay.claims.rules import RULES, Judgement
from lindecay.results import Result
from lindecay.settings import Fault

WEAKEST_FIRST = ("stand-in", "recordings", "official", "computed")
STATED = ("declared", "cited")  # rules that compute nothing


class Row(BaseModel):
    """One line of `lindecay check --json`."""

    model_config = ConfigDict(extra="forbid")

    id: str
    published: float | list[float] | str
    ours: float | list | str | None
    interval: tuple[float, float] | None
    seeds: int | None
    clips: int | None
    source: str
    profile: str
    status: Literal["recomputed", "carried"]
    verdict: Verdict
    why: str
    others: list[dict[str, Any]]
    scopes: list[dict[str, Any]] = []  # scope, ours, interval, verdict, why
    here: Verdict | None = None  # of this build, where a stronger run leads


def source_of(results: Mapping[str, Result]) -> str:
    """The weakest source among results; an unknown one is weakest of all.

    >>> source_of({})
    'computed'
    """
    rank = {source: i for i, source in enumerate(WEAKEST_FIRST)}
    found = [r.source for r in results.values()]
    return min(found, key=lambda s: rank.get(s, -1), default="computed")


def picked(claim: Claim, results: Mapping[str, Result]) -> dict[str, Result] | None:
    """What the claim reads out of a result set; None when something is missing.

    Of the scopes one is enough: other choices than the frozen ones leave some out.
    """
    if any(id not in results for id in claim.reads):
        return None
    if claim.scopes and not judged_in(claim, results):
        return None
    wanted = (*claim.ids, *claim.may_read)
    return {id: results[id] for id in wanted if id in results}


def judged_in(claim: Claim, results: Mapping[str, Result]) -> list[str]:
    """The scopes of a claim whose results are there."""
    return [
        scope for scope, ids in claim.scopes.items() if all(id in results for id in ids)
    ]


def capped(judged: Judgement, claim: Claim, source: str, profile: str) -> Judgement:
    """Never better than what this data source and profile can show."""
    if judged.verdict not in ("exact", "within-tolerance"):
        return judged
    short = {"recordings": "a subset or regenerated recordings"}.get(source, "")
    if source == "computed" and claim.needs != "none":
        short = "results that do not name their data"
    elif source != "computed" and profile == "quick":
        short = short or "the quick profile"
    if not short:
        return judged
    told = f"{judged.why} Trend at best: {short}."
    return replace(judged, verdict="trend-only", why=told)


def _row(
    claim: Claim, judged: Judgement, source: str, profile: str, status: str
) -> Row:
    judged = capped(judged, claim, source, profile)
    return Row(
        id=claim.id,
        published=claim.face,
        ours=judged.ours,
        interval=judged.interval,
        seeds=judged.seeds,
        clips=judged.clips,
        source=source,
        profile=profile,
        status=status,
        verdict=judged.verdict,
        why=" ".join(judged.why.split()),
        others=judged.others,
        scopes=judged.scopes,
    )


def _apply(claim: Claim, read: Mapping[str, Result], profile: str) -> Judgement:
    if claim.rule not in RULES:
        known = ", ".join(sorted(RULES))
        raise Fault("unknown rule", expected=known, found=claim.rule, where=claim.id)
    try:
        judged = _scopes if claim.scopes else RULES[claim.rule]
        return judged(claim, read, profile)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise Fault(
            "a result has the wrong form",
            expected=f"what rule {claim.rule} reads",
            found=f"{type(error).__name__}: {error}",
            where=f"{claim.id} ({', '.join(claim.reads) or 'no results'})",
        ) from error


def _scopes(claim: Claim, read: Mapping[str, Result], profile: str) -> Judgement:
    """Every scope judged; one verdict where they agree, else the list of them."""
    source, found = source_of(read), {}
    for scope in judged_in(claim, read):
        one = claim.within(scope)
        made = RULES[claim.rule](one, read, profile)
        found[scope] = capped(made, one, source, profile)
    rows = [_in_scope(scope, made) for scope, made in found.items()]
    verdicts = [row["verdict"] for row in rows]
    head = found[next(s for s in claim.scopes if s in found)]
    verdict = verdicts[0] if len({*verdicts}) == 1 else "scope-dependent"
    each = "; ".join(f"{row['scope']}: {row['verdict']}" for row in rows)
    told = head.why if len(rows) == 1 else f"{each[:1].upper()}{each[1:]}. {claim.why}"
    return replace(head, verdict=verdict, why=told, scopes=rows)


def _in_scope(scope: str, made: Judgement) -> dict[str, Any]:
    why = " ".join(made.why.split())
    told = {"scope": scope, "ours": made.ours, "interval": made.bands or made.interval}
    return told | {"verdict": made.verdict, "why": why}


def judge(
    claim: Claim,
    here: Mapping[str, Result],
    kept: Mapping[str, Result],
    profile: str,
) -> tuple[Row, Judgement]:
    """The row of a claim from this build's results and the reference's.

    >>> from lindecay.claims import load
    >>> judge(load()["acc-drop-about-1"], {}, {}, "quick")[0].verdict
    'consistent'
    """
    read, carried = picked(claim, here), picked(claim, kept)
    if read is not None and source_of(read) != "stand-in":
        return _recomputed(claim, read, carried, profile)
    if claim.ids and carried is not None:
        return _carried(claim, carried, read)
    return _unjudged(claim, read, profile)


def _recomputed(
    claim: Claim, read: Mapping, carried: Mapping | None, profile: str
) -> tuple[Row, Judgement]:
    judged = _apply(claim, read, profile)
    status = "carried" if claim.rule in STATED else "recomputed"
    row = _row(claim, judged, source_of(read), profile, status)
    if not claim.ids or carried is None:
        return row, judged
    beside = _carried(claim, carried, None)[0]
    if stronger(beside, row):
        told = [*beside.others, _as_other(row, "this build")]
        lead = beside.model_copy(update={"others": told, "here": row.verdict})
        return lead, judged
    told = [*row.others, _as_other(beside, "committed reference")]
    return row.model_copy(update={"others": told}), judged


def stronger(kept: Row, here: Row) -> bool:
    """Whether the committed run leads: more paired seeds, on data no worse."""
    rank = {source: i for i, source in enumerate(WEAKEST_FIRST)}
    no_worse = rank.get(kept.source, -1) >= rank.get(here.source, -1)
    return no_worse and (kept.seeds or 0) > (here.seeds or 0) > 0


def _carried(claim: Claim, carried: Mapping, read: Mapping | None) -> tuple:
    profile = next(r.profile for id, r in carried.items() if id in claim.ids)
    judged = _apply(claim, carried, profile)
    if read is not None:
        judged = replace(judged, others=[*judged.others, _stand_in(claim, read)])
    return _row(claim, judged, source_of(carried), profile, "carried"), judged


def _unjudged(claim: Claim, read: Mapping | None, profile: str) -> tuple:
    if read is not None:
        told = "Only a stand-in ran here, and a stand-in judges no claim."
        others, source = [_stand_in(claim, read)], "stand-in"
    else:
        told, others = claim.not_yet or "No result of this build to judge.", []
        source = "none"
    judged = Judgement("not-attempted", f"{told} {claim.why}", others=others)
    return _row(claim, judged, source, profile, "carried"), judged


def _stand_in(claim: Claim, read: Mapping) -> dict[str, Any]:
    first = next(r for id, r in read.items() if id in claim.ids)
    what = f"{first.id} on the stand-in of this machine: no evidence"
    return {"what": what, "value": first.value, "interval": first.interval}


def _as_other(row: Row, whose: str) -> dict[str, Any]:
    return {
        "what": f"{whose} ({row.profile}, {row.source})",
        "value": row.ours,
        "interval": row.interval,
        "verdict": row.verdict,
    }
