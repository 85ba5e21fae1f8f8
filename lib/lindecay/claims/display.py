"""Claims in words: what the {claim} role and every table show."""

import re
from collections.abc import Mapping
from typing import Any

from lindecay.claims import sets
from lindecay.claims.judge import Row, judge
from lindecay.claims.registry import claim as find
from lindecay.results import Result
from lindecay.settings import Fault

MINUS = "\u2212"
FIELDS = (
    "published, ours, interval, verdict, why, quote, title, unit, status, source, "
    "profile, seeds, clips, settles, tolerance, basis, command, chapter"
)


def number(value: Any, digits: int = 3) -> str:
    """A value as it is read: three significant digits, thousands apart.

    >>> number(0.8167), number(10000), number([1.409, 1.417]), number(None)
    ('0.817', '10,000', '1.41 to 1.42', 'not attempted')
    """
    if value is None:
        return "not attempted"
    if isinstance(value, list | tuple):
        return _several(value, digits)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and value >= 1000):
        return f"{value:,.0f}".replace("-", MINUS)
    if isinstance(value, float):
        return f"{value:.{digits}g}".replace("-", MINUS)
    return str(value)


def minus(text: str) -> str:
    """A real minus sign before a digit, where no word or number goes on.

    >>> minus("-0.5, 1e-05")
    '\u22120.5, 1e-05'
    """
    return re.sub(r"(?<![\w.])-(?=\d)", MINUS, text)


def _several(values: list | tuple, digits: int) -> str:
    """An interval, a list, or pairs.

    >>> _several([1.0, 2.5], 3), _several([[16, 58], [32, 58]], 3)
    ('1 to 2.5', '16: 58, 32: 58')
    """
    if values and isinstance(values[0], list | tuple):
        return ", ".join(": ".join(number(v, digits) for v in pair) for pair in values)
    mark = " to " if len(values) == 2 else ", "
    return mark.join(number(v, digits) for v in values)


def text(
    id: str,
    field: str = "published",
    results: Mapping[str, Result] | None = None,
    profile: str | None = None,
) -> str:
    """One field of a claim in words.

    `results`: this build's set, the committed one under `reference/ID`; default:
    read from disk. `reference/ID` as the claim judges the committed set alone.
    Raises Fault for an unknown claim or field.

    >>> text("acc-drop-nmnist"), text("acc-drop-about-1", "verdict", {})
    ('0.96', 'consistent')
    """
    name = id.rpartition("/")[2]
    if field in (told := _fixed(find(name))) and name == id:
        return told[field]  # of the registry: no result is read
    return Judged(*sets.split(results, profile), profile).text(id, field)


class Judged:
    """Claims in words on one pair of result sets, each judged once.

    Args:
        here: this build's results.
        kept: the committed ones.
        profile: of this build, where it published nothing that says so.
    """

    def __init__(self, here: Mapping, kept: Mapping, profile: str | None = None):
        self.here, self.kept = here, kept
        named = next((r.profile for r in here.values()), None)
        self.profile, self.rows = named or profile or "quick", {}

    def row(self, id: str) -> Row:
        """The row of a claim, or of `reference/ID` on the committed set alone."""
        if id not in self.rows:
            scope, _, name = id.rpartition("/")
            here = {} if scope == "reference" else self.here
            self.rows[id] = judge(find(name), here, self.kept, self.profile)[0]
        return self.rows[id]

    def text(self, id: str, field: str = "published") -> str:
        """One field in words; see `text`."""
        scope, _, name = id.rpartition("/")
        if scope not in ("", "reference", "quick", "paper"):
            raise Fault("unknown scope", expected="reference", found=scope, where=name)
        told = _fixed(find(name))
        return told[field] if field in told else _of_row(self.row(id), field)


def _fixed(claim) -> dict[str, str]:
    """What the registry says, before any run."""
    return {
        "published": claim.text,
        "quote": claim.quote,
        "title": claim.title,
        "unit": claim.unit,
        "settles": claim.settles,
        "command": claim.command,
        "chapter": claim.chapter,
        "basis": claim.tolerance.basis if claim.tolerance else "the printed rounding",
        "tolerance": _tolerance(claim),
    }


def _tolerance(claim) -> str:
    if claim.tolerance is None:
        return "printed rounding"
    return " and ".join(
        number(round(reach, 3)) for reach in map(claim.tolerance.reach, claim.published)
    )


def _of_row(row: Row, field: str) -> str:
    if field == "ours":
        return number(row.ours)
    if field == "interval":
        return number(row.interval) if row.interval else "no interval"
    if field in ("verdict", "why", "status", "source", "profile"):
        return str(getattr(row, field))
    if field in ("seeds", "clips"):
        value = getattr(row, field)
        return "none" if value is None else f"{value:,}"
    raise Fault("unknown field of a claim", expected=FIELDS, found=field, where=row.id)
