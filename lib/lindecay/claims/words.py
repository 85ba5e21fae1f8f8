"""Claims in words: what the {claim} role and every table show."""

from collections.abc import Mapping
from typing import Any

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
    ('0.96', 'exact')
    """
    scope, _, id = id.rpartition("/")
    if scope not in ("", "reference", "quick", "paper"):
        raise Fault("unknown scope", expected="reference", found=scope, where=id)
    claim = find(id)
    fixed = {
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
    if field in fixed:
        return fixed[field]
    return _of_row(_judged(claim, scope, results, profile), field)


def _tolerance(claim) -> str:
    if claim.tolerance is None:
        return "printed rounding"
    return " and ".join(
        number(round(reach, 3)) for reach in map(claim.tolerance.reach, claim.published)
    )


def _judged(claim, scope: str, results: Mapping | None, profile: str | None) -> Row:
    here, kept = split(results, profile)
    own = next((r.profile for r in here.values()), profile or "quick")
    return judge(claim, {} if scope == "reference" else here, kept, own)[0]


def split(
    results: Mapping[str, Result] | None, profile: str | None
) -> tuple[dict[str, Result], dict[str, Result]]:
    """This build's results and the reference's, from one mapping or from disk."""
    if results is None:
        from lindecay.claims import report

        return report.load_set(profile or "quick"), report.reference()
    mark = "reference/"
    here = {id: r for id, r in results.items() if not id.startswith(mark)}
    kept = {i.removeprefix(mark): r for i, r in results.items() if i.startswith(mark)}
    return here, kept


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
