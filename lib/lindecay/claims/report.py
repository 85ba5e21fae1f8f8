"""`lindecay check`: every claim judged, and everything that must turn CI red."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lindecay.claims import (
    asked,
    audit,
    changelog,
    follows,
    given,
    page,
    sealed,
    stamps,
)
from lindecay.claims.audit import Problem
from lindecay.claims.judge import Row, judge
from lindecay.claims.registry import VERDICTS, every, load, own
from lindecay.claims.sets import reference
from lindecay.results import Result
from lindecay.results import load as load_set
from lindecay.settings import profile as known_profile
from lindecay.store import write_atomic

SCHEMA = 1


@dataclass(frozen=True)
class Report:
    """All rows, what is wrong, and what is only worth knowing."""

    profile: str
    rows: list[Row]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ours: list[Row] = field(default_factory=list)  # the book's own claims

    @property
    def exit_code(self) -> int:
        """0 green, 1 red (2, bad input, is a Fault)."""
        return 1 if self.problems else 0

    @property
    def own(self) -> list[Row]:
        """The rows that are judged: without figures of other people's chips."""
        return [row for row in self.rows if load()[row.id].kind != "citation"]

    @property
    def tally(self) -> dict[str, int]:
        """How many claims have each verdict; citations are not among them."""
        found = [row.verdict for row in self.own]
        return {verdict: found.count(verdict) for verdict in VERDICTS}

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints; its schema is in `claims.schemas()`."""
        return {
            "schema": SCHEMA,
            "profile": self.profile,
            "claims": [row.model_dump() for row in self.rows],
            "ours": [row.model_dump() for row in self.ours],
            "tally": self.tally,
            "cited": len(self.rows) - len(self.own),
            "problems": [vars(problem) for problem in self.problems],
            "notes": self.notes,
        }

    def to_json(self) -> str:
        """One versioned JSON object."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def to_table(self):
        """The rows as a rich table."""
        return page.table(self)

    def to_own_table(self):
        """The book's own claims as a rich table."""
        return page.own_table(self)

    def to_markdown(self) -> str:
        """The rows as a table for a comment or a wiki."""
        return page.markdown(self)

    def to_html(self, group: str | None = None, chains=None) -> str:
        """The rows (of one group) as the page shows them; chains: see `why.chains`."""
        return page.html(self, group, chains)

    def badge(self) -> dict[str, Any]:
        """The endpoint form of a status badge (shields.io's schema 1)."""
        return page.badge(self)


def check(profile: str = "quick", with_file: str | Path | None = None) -> Report:
    """Judge every claim on this build's results, or on somebody else's file.

    Raises Fault (exit code 2) for an unknown profile or a file that is none of ours.
    """
    known_profile(profile)
    if with_file is None:
        kept = reference()
        return _vouched(report_on(profile, _without_own(load_set(profile)), kept), kept)
    here = given.read(Path(with_file))
    named = next((r.profile for r in here.values()), profile)
    return report_on(named, here, reference(), foreign=True)


def _vouched(made: Report, kept: Mapping[str, Result]) -> Report:
    """With what is wrong with the committed reference itself, if there is one."""
    if not kept:
        return made
    wrong, notes = list(follows.contradictions(kept)), []
    if not os.environ.get("LINDECAY_CHAPTER"):
        # a page is kept while its inputs are; the networks are run at the door
        again, notes = follows.reruns()
        wrong += again
    problems = [Problem("inconsistent", *told) for told in wrong]
    problems += [Problem("seal", *told) for told in sealed.broken()]
    unknown, aged = stamps.of_reference(kept)
    problems += [Problem("stale", *told) for told in unknown]
    return replace(
        made,
        problems=made.problems + problems,
        notes=made.notes + _on_trust(kept) + aged + notes,
    )


def _without_own(results: dict[str, Result]) -> dict[str, Result]:
    """Without what the chapter that asks published in an earlier run."""
    asking = os.environ.get("LINDECAY_CHAPTER")
    return {id: r for id, r in results.items() if not asking or r.chapter != asking}


def report_on(
    profile: str,
    here: Mapping[str, Result],
    kept: Mapping[str, Result],
    foreign: bool = False,
) -> Report:
    """The report on given result sets; `foreign`: not made in this checkout."""
    judged = {c.id: judge(c, here, kept, profile) for c in load().values()}
    rows = {id: row for id, (row, _) in judged.items()}
    ours = {id: judge(c, here, kept, profile)[0] for id, c in own().items()}
    problems = [
        Problem("inconsistent", id, j.wrong) for id, (_, j) in judged.items() if j.wrong
    ]
    moves, notes = audit.moved(rows | ours, here, profile, foreign)
    problems += moves
    if not foreign:
        problems += audit.absent(rows, here, profile) + audit.unsourced(here)
        problems += audit.unknown() + audit.unused(here) + audit.source_text()
        problems += [Problem("stale", *told) for told in stamps.stale(here, profile)]
        notes += stamps.untraceable(here, profile)
        wrong = [*asked.contradictions(here), *asked.contradictions(kept)]
        problems += [Problem("inconsistent", *told) for told in wrong]
    return Report(profile, list(rows.values()), problems, notes, list(ours.values()))


def _on_trust(kept: Mapping[str, Result]) -> list[str]:
    bare = follows.taken_on_trust(kept)
    told = "committed without predictions, carried on trust: " + ", ".join(bare)
    return [told] if bare else []


def accept(
    report: Report | None = None, profile: str = "quick", because: str = ""
) -> Path:
    """Write this run's verdicts as the committed ones; other pairs are kept.

    What moved joins the log of changes with its reason.
    """
    report = report or check(profile)
    here, kept = load_set(report.profile), audit.verdicts()
    new = {}
    for row in (*report.rows, *report.ours):
        pair = audit.pair_of(every()[row.id], here, report.profile)
        verdict = audit.of_this_build(row).verdict
        new[row.id] = dict(sorted((kept.get(row.id, {}) | {pair: verdict}).items()))
    changelog.add(kept, new, because or "no reason given")
    text = json.dumps({"schema": SCHEMA, "verdicts": new}, indent=1)
    return write_atomic(audit.verdicts_path(), text + "\n")
