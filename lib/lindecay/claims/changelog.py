"""Verdicts that were changed on purpose: when, from what, to what, why.

data/claims/changes.csv, a row a claim and a pair of profile and data; `lindecay check
--accept --because WHY` adds to it. A first verdict is no change.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from lindecay.settings import Fault, committed
from lindecay.store import write_atomic

FIELDS = ("date", "claim", "pair", "before", "now", "because")
Verdicts = Mapping[str, Mapping[str, str]]


def path() -> Path:
    """Where the changes lie, also before there are any."""
    return committed("claims/paper.yml").with_name("changes.csv")


def read() -> list[dict[str, str]]:
    """All changes, the oldest first; [] while there are none.

    Raises:
        Fault: the file is no such table.
    """
    if not path().exists():
        return []
    rows = list(csv.DictReader(path().read_text("utf-8").splitlines()))
    if rows and tuple(rows[0]) != FIELDS:
        told = {"expected": ", ".join(FIELDS), "found": ", ".join(rows[0])}
        raise Fault("changes of verdicts", where=str(path()), **told)
    return rows


def moves(before: Verdicts, now: Verdicts) -> Iterator[tuple[str, str, str, str]]:
    """(claim, pair, before, now) of each verdict that is another one.

    >>> list(moves({"a": {"quick/x": "exact"}}, {"a": {"quick/x": "differs"}}))
    [('a', 'quick/x', 'exact', 'differs')]
    """
    for claim in sorted({*before} & {*now}):
        old, new = before[claim], now[claim]
        for pair in sorted({*old} & {*new}):
            if old[pair] != new[pair]:
                yield claim, pair, old[pair], new[pair]


def add(before: Verdicts, now: Verdicts, because: str, when: str = "") -> Path | None:
    """Append what moved; None when nothing did."""
    when = when or date.today().isoformat()
    rows = [
        dict(zip(FIELDS, (when, *move, because), strict=True))
        for move in moves(before, now)
    ]
    return _written([*read(), *rows]) if rows else None


def _written(rows: list[dict[str, str]]) -> Path:
    out = io.StringIO()
    table = csv.DictWriter(out, FIELDS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return write_atomic(path(), out.getvalue())


def table() -> list[dict[str, str]]:
    """The changes for a page, the newest first; pairs that moved alike in one row."""
    found: dict[tuple, list[str]] = {}
    for row in reversed(read()):
        told = tuple(row[k] for k in ("date", "claim", "before", "now", "because"))
        found.setdefault(told, []).append(row["pair"])
    names = ("date", "claim", "before", "now", "because")
    return [dict(zip(names, t)) | {"of": ", ".join(p)} for t, p in found.items()]
