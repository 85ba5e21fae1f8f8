"""`lindecay check`: every claim judged, and everything that must turn CI red.

Red: a verdict that differs from the committed one (better or worse), a missing
entry, an unknown, unsourced or unused id, a stale stamp, results that contradict
each other, and a claim carried though this machine could recompute it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lindecay.claims import inventory, stamps
from lindecay.claims.judge import Row, judge, picked, source_of
from lindecay.claims.registry import VERDICTS, Claim, load
from lindecay.results import Result
from lindecay.results import load as load_set
from lindecay.results import read as read_file
from lindecay.settings import Fault, committed, data_dir, root
from lindecay.settings import profile as known_profile
from lindecay.store import write_atomic

SCHEMA = 1
RANKED = ("differs", "trend-only", "within-tolerance", "exact")


@dataclass(frozen=True)
class Problem:
    """One reason to be red, in one line."""

    kind: str  # moved, missing, carried, unknown, unsourced, unused, stale, …
    id: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.id}: {self.text}"


@dataclass(frozen=True)
class Report:
    """All rows, what is wrong, and what is only worth knowing."""

    profile: str
    rows: list[Row]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0

    @property
    def tally(self) -> dict[str, int]:
        """How many claims have each verdict."""
        found = [row.verdict for row in self.rows]
        return {verdict: found.count(verdict) for verdict in VERDICTS}

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "profile": self.profile,
            "claims": [row.model_dump() for row in self.rows],
            "tally": self.tally,
            "problems": [vars(problem) for problem in self.problems],
            "notes": self.notes,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def to_table(self):
        """The rows as a rich table."""
        from lindecay.claims import page

        return page.table(self)

    def to_markdown(self) -> str:
        """The rows as a table for a comment or a wiki."""
        from lindecay.claims import page

        return page.markdown(self)

    def to_html(self, group: str | None = None) -> str:
        """The rows (of one group) as the page shows them."""
        from lindecay.claims import page

        return page.html(self, group)

    def badge(self) -> dict[str, Any]:
        """The endpoint form of a status badge (shields.io's schema 1)."""
        from lindecay.claims import page

        return page.badge(self)


def reference() -> dict[str, Result]:
    """The committed results; {} while none are."""
    try:
        return load_set("reference")
    except Fault as fault:
        if "committed file is missing" in str(fault):
            return {}
        raise


def verdicts_path() -> Path:
    """data/claims/verdicts.json of the checkout (or its packaged copy)."""
    return committed("claims/paper.yml").with_name("verdicts.json")


def verdicts() -> dict[str, dict[str, str]]:
    """Committed verdicts: claim -> {"profile/source": verdict}."""
    path = verdicts_path()
    try:
        return json.loads(path.read_text())["verdicts"] if path.exists() else {}
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


def check(profile: str = "quick", with_file: str | Path | None = None) -> Report:
    """Judge every claim on this build's results, or on somebody else's file.

    Raises Fault (exit code 2) for an unknown profile or a file that is none of ours.
    """
    known_profile(profile)
    here = read_file(Path(with_file)) if with_file else load_set(profile)
    if with_file and here:
        profile = next(iter(here.values())).profile
    return report(profile, here, reference(), foreign=bool(with_file))


def report(
    profile: str,
    here: Mapping[str, Result],
    kept: Mapping[str, Result],
    foreign: bool = False,
) -> Report:
    """The report on given result sets; `foreign`: not made in this checkout."""
    judged = {c.id: judge(c, here, kept, profile) for c in load().values()}
    rows = {id: row for id, (row, _) in judged.items()}
    problems = [
        Problem("inconsistent", id, j.wrong) for id, (_, j) in judged.items() if j.wrong
    ]
    problems += _unsourced(here)
    made, notes = _moved(rows, here, profile, foreign)
    problems += made
    if not foreign:
        problems += _absent(rows, here, profile) + _unknown(here) + _unused(here)
        problems += [Problem("stale", *told) for told in stamps.stale(here, profile)]
        problems += _source_text()
    return Report(profile, list(rows.values()), problems, notes)


def key(claim: Claim, row: Row, here: Mapping[str, Result], profile: str) -> str:
    """The pair that a verdict belongs to: profile and data source of this run."""
    if claim.needs == "none":
        return f"{profile}/computed"
    read = picked(claim, here)
    source = source_of(read) if read else local_source(claim.needs)
    return f"{profile}/{source}"


def _moved(
    rows: Mapping[str, Row], here: Mapping[str, Result], profile: str, foreign: bool
) -> tuple[list[Problem], list[str]]:
    """Verdicts that are not the committed ones."""
    kept = verdicts()
    pairs = {pair for of_claim in kept.values() for pair in of_claim}
    problems, notes = [], []
    for claim in load().values():
        row = rows[claim.id]
        if foreign and not (claim.reads and picked(claim, here)):
            continue  # the file says nothing about this claim
        pair = key(claim, row, here, profile)
        before = kept.get(claim.id, {}).get(pair)
        if before == row.verdict:
            continue
        if before is None and pair not in pairs:
            notes.append(f"{claim.id}: no committed verdict for {pair} yet")
        if before is not None or pair in pairs or (foreign and row.verdict == "differs"):
            problems.append(_move(claim.id, before, row, pair))
    return problems, notes


def _move(id: str, before: str | None, row: Row, pair: str) -> Problem:
    if before is None:
        told = f"no committed verdict for {pair}; this run says {row.verdict}"
        return Problem("moved" if row.verdict == "differs" else "missing", id, told)
    ranked = before in RANKED and row.verdict in RANKED
    up = ranked and RANKED.index(row.verdict) > RANKED.index(before)
    how = ("better" if up else "worse") if ranked else "changed"
    told = f"{how}: committed {before} for {pair}, this run {row.verdict} ({row.why})"
    return Problem("moved", id, told)


def _absent(
    rows: Mapping[str, Row], here: Mapping[str, Result], profile: str
) -> list[Problem]:
    """Claims that this machine could have recomputed, and did not."""
    if not here:
        told = f"nothing was run in profile {profile}: run `make book` first"
        return [Problem("missing", "results", told)]
    problems = []
    for claim in load().values():
        gone = [id for id in claim.reads if id not in here]
        if not gone and claim.not_yet:
            told = "is computed now: take not_yet out of the registry"
            problems.append(Problem("stale", claim.id, told))
        if not gone or claim.not_yet or local_source(claim.needs) == "stand-in":
            continue
        carried = rows[claim.id].verdict != "not-attempted"
        told = f"{', '.join(gone)} not published by {claim.chapter} in this build"
        kind = "carried" if carried else "missing"
        problems.append(Problem(kind, claim.id, f"could be recomputed here: {told}"))
    return problems


def _unsourced(here: Mapping[str, Result]) -> list[Problem]:
    """Results that a claim about data reads, but that name no data."""
    return [
        Problem("unsourced", id, f"{claim.id} needs {claim.needs}, source is 'computed'")
        for claim in load().values()
        for id in claim.reads
        if claim.needs != "none" and id in here and here[id].source == "computed"
    ]


def _unknown(here: Mapping[str, Result]) -> list[Problem]:
    """Claims that name an unknown assumption, and results without a chapter."""
    from lindecay.claims.assumptions import load as assumptions

    known = assumptions()
    return [
        Problem("unknown", claim.id, f"assumption {id!r} is not registered")
        for claim in load().values()
        for id in claim.assumes
        if id not in known
    ] + [
        Problem("unsourced", id, "was published outside of a chapter")
        for id, result in here.items()
        if not result.chapter
    ]


def _unused(here: Mapping[str, Result]) -> list[Problem]:
    """Published results that no claim reads and no page or chapter names."""
    read = {id for c in load().values() for id in (*c.reads, *c.may_read)}
    pages = _pages()
    told = "published, but no claim reads it and no page shows it"
    return [
        Problem("unused", id, told)
        for id in here
        if id not in read and not stamps.named(id, pages)
    ]


def _pages() -> str:
    try:
        pages = sorted((root() / "book").glob("*.md"))
    except Fault:
        return ""
    return "\n".join(page.read_text("utf-8") for page in pages)


def _source_text() -> list[Problem]:
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
    return problems + [Problem("unlisted", "source text", n) for n in inventory.unlisted(text)]


def accept(report: Report | None = None, profile: str = "quick") -> Path:
    """Write this run's verdicts as the committed ones, other pairs kept."""
    report = report or check(profile)
    here, kept = load_set(report.profile), verdicts()
    new = {}
    for row in report.rows:
        claim = load()[row.id]
        pair = key(claim, row, here, report.profile)
        new[row.id] = dict(sorted((kept.get(row.id, {}) | {pair: row.verdict}).items()))
    text = json.dumps({"schema": SCHEMA, "verdicts": new}, indent=1)
    return write_atomic(verdicts_path(), text + "\n")
