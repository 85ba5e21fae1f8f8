"""What turns CI red: each function finds one kind of problem, none repairs any.

A verdict that is not the committed one (better or worse), a missing entry, an
unknown, unsourced or unused id, a claim carried though it could be recomputed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lindecay.claims import assumptions, inventory, stamps
from lindecay.claims.judge import Row, picked, source_of
from lindecay.claims.registry import Claim, every, load, registry
from lindecay.results import Result
from lindecay.settings import Fault, committed, data_dir, root

RANKED = ("differs", "trend-only", "within-tolerance", "exact")
Results = Mapping[str, Result]
Rows = Mapping[str, Row]


@dataclass(frozen=True)
class Problem:
    """One reason to be red, in one line."""

    kind: str  # moved, missing, carried, unknown, unsourced, stale, seal, …
    id: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.id}: {self.text}"


def verdicts_path() -> Path:
    """Where the committed verdicts lie, also before there are any."""
    return committed("claims/paper.yml").with_name("verdicts.json")


def verdicts() -> dict[str, dict[str, str]]:
    """Committed verdicts: claim -> {"profile/source": verdict}."""
    path = verdicts_path()
    if not path.exists():
        return {}
    try:
        return json.loads(committed("claims/verdicts.json").read_text())["verdicts"]
    except (ValueError, KeyError, TypeError) as error:
        raise Fault(
            "bad verdicts file",
            expected="JSON with 'verdicts'",
            found=f"{type(error).__name__}: {error}",
            where=str(path),
        ) from None


def local_source(needs: str) -> str:
    """What lies on this machine for a data set, without opening it."""
    from lindecay.events import facts  # heavy, and only asked for when needed

    if needs == "none":
        return "computed"
    home = data_dir() / facts(needs).tonic
    if not home.exists():
        return "stand-in"
    return "recordings" if (home / "SOURCE.json").exists() else "official"


def pair_of(claim: Claim, here: Results, profile: str) -> str:
    """The pair that a verdict belongs to: profile and data source of this run."""
    if claim.needs == "none":
        return f"{profile}/computed"
    read = picked(claim, here)
    source = source_of(read) if read else local_source(claim.needs)
    return f"{profile}/{source}"


def moved(
    rows: Rows, here: Results, profile: str, foreign: bool
) -> tuple[list[Problem], list[str]]:
    """Verdicts that are not the committed ones; notes on pairs nobody committed."""
    kept = verdicts()
    pairs = {pair for of_claim in kept.values() for pair in of_claim}
    problems, notes = [], []
    for claim in (load() if foreign else every()).values():
        if foreign and not (claim.ids and picked(claim, here)):
            continue  # the file says nothing about this claim
        row, pair = of_this_build(rows[claim.id]), pair_of(claim, here, profile)
        before = kept.get(claim.id, {}).get(pair)
        if before == row.verdict:
            continue
        contradicts = foreign and row.verdict == "differs"
        if before is not None or pair in pairs or contradicts:
            problems.append(_move(before, row, pair))
        else:
            notes.append(f"{claim.id}: no committed verdict for {pair} yet")
    return problems, notes


def of_this_build(row: Row) -> Row:
    """The row with the verdict of this build, where a stronger run leads it."""
    return row.model_copy(update={"verdict": row.here}) if row.here else row


def _move(before: str | None, row: Row, pair: str) -> Problem:
    if before is None:
        told = f"no committed verdict for {pair}; this run says {row.verdict}"
        kind = "moved" if row.verdict == "differs" else "missing"
        return Problem(kind, row.id, told)
    ranked = before in RANKED and row.verdict in RANKED
    up = ranked and RANKED.index(row.verdict) > RANKED.index(before)
    how = ("better" if up else "worse") if ranked else "changed"
    told = f"{how}: committed {before} for {pair}, this run {row.verdict}: {row.why}"
    return Problem("moved", row.id, told)


def absent(rows: Rows, here: Results, profile: str) -> list[Problem]:
    """Claims that this machine could have recomputed, and did not."""
    if not here:
        told = f"nothing was run in profile {profile}: run `make book` first"
        return [Problem("missing", "results", told)]
    found = (_absent(claim, rows[claim.id], here) for claim in load().values())
    return [problem for problem in found if problem]


def _absent(claim: Claim, row: Row, here: Results) -> Problem | None:
    gone = [id for id in claim.ids if id not in here]
    if claim.ids and not gone and claim.not_yet:
        told = "is computed now: take not_yet out of the registry"
        return Problem("stale", claim.id, told)
    if not gone or claim.not_yet or local_source(claim.needs) == "stand-in":
        return None
    kind = "missing" if row.verdict == "not-attempted" else "carried"
    told = f"{', '.join(gone)} not published by {claim.chapter} in this build"
    return Problem(kind, claim.id, f"could be recomputed here: {told}")


def unsourced(here: Results) -> list[Problem]:
    """Results that a claim about data reads but that name no data, or no chapter."""
    no_data = [
        Problem("unsourced", claim.id, f"needs {claim.needs}; none of its results does")
        for claim in load().values()
        if claim.needs != "none" and (read := picked(claim, here))
        if source_of(read) == "computed"
    ]
    return no_data + [
        Problem("unsourced", id, "was published outside of a chapter")
        for id, result in here.items()
        if not result.chapter
    ]


def unknown() -> list[Problem]:
    """Assumptions that claims name and nobody registered."""
    known = assumptions.load()
    return [
        Problem("unknown", claim.id, f"assumption {id!r} is not registered")
        for claim in load().values()
        for id in claim.assumes
        if id not in known
    ]


def unused(here: Results) -> list[Problem]:
    """Published results that no claim reads, no page shows and nobody keeps."""
    read = {id for c in every().values() for id in (*c.ids, *c.may_read)}
    pages, spare = _pages(), [s.ids for s in registry().spare]
    told = "published, but no claim reads it, no page shows it, `spare` lacks it"
    return [
        Problem("unused", id, told)
        for id in here
        if id not in read and not any(fnmatchcase(id, s) for s in spare)
        if not stamps.shown(id, pages)
    ]


def _pages() -> str:
    try:
        pages = sorted((root() / "book").glob("*.md"))
    except Fault:
        return ""
    return "\n".join(page.read_text("utf-8") for page in pages)


def source_text() -> list[Problem]:
    """The inventory, where the source text lies beside the checkout."""
    problems = [
        Problem("unsourced", claim.id, f"{number} stands in none of its quotes")
        for claim in load().values()
        for number in inventory.silent(claim)
    ]
    path = inventory.source_path()
    if path is None:
        return problems
    text = path.read_text("utf-8")
    problems += [
        Problem("unsourced", id, f"not in the source text: '{quote}'")
        for id, quote in inventory.unquoted(text)
    ]
    unlisted = inventory.unlisted(text)
    return problems + [Problem("unlisted", "source text", n) for n in unlisted]
