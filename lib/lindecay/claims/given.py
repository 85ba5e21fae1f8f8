"""Somebody else's results: read as data, and refused by name before anything is judged.

The format is `results.Result` in a file of schema 1 (`lindecay check --schema`). A
number that no claim reads, or that cannot be what its id means, is told in one line:
an answer that quietly ignores half of a file would be no answer.
"""

import difflib
import json
import math
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lindecay.claims.registry import load, registry
from lindecay.results import SCHEMA, Result
from lindecay.settings import PROFILES, Fault

LARGEST = 1e12  # nothing that the book counts comes near it
SOURCES = ("recordings", "official", "stand-in", "computed")
SIGNED = (
    "*drop*",
    "*early*",
    "*difference*",
    "*minus*",
    "*.log_*",
)  # may be below zero


def read(path: Path) -> dict[str, Result]:
    """Results by id.

    Raises:
        Fault: a file that is none, an unknown or repeated id, a value, interval, count,
            source or profile that cannot be.
    """
    rows = _rows(path)
    twice = [id for id, n in Counter(_id(row) for row in rows).items() if n > 1]
    if twice:
        raise Fault("the same result twice", found=twice[0], where=str(path))
    found = [_result(row, path) for row in rows]
    for result in found:
        _known(result.id, path)
        _sensible(result, f"{result.id} of {path}")
    return {result.id: result for result in found}


def _rows(path: Path) -> list[Any]:
    """The list of results, as it stands in the file."""
    wanted = f"a JSON object with schema {SCHEMA} and a list 'results'"

    def refuse(found: str):
        do = "`lindecay check --schema` prints the format"
        return Fault(
            "not a result file", expected=wanted, found=found, where=str(path), do=do
        )

    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        there = "nothing there" if isinstance(error, FileNotFoundError) else ""
        raise refuse(there or str(error.strerror)) from None
    except (ValueError, RecursionError):
        raise refuse("no JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("results"), list):
        raise refuse(f"a {type(data).__name__}")
    if data.get("schema") != SCHEMA:
        raise refuse(f"schema {data.get('schema')!r}")
    if not data["results"]:
        raise refuse("an empty list")
    return data["results"]


def _id(row: Any) -> str:
    return str(row.get("id")) if isinstance(row, dict) else ""


def _result(row: Any, path: Path) -> Result:
    try:
        return Result.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "a result"
        where = f"{_id(row) or 'a result'} of {path}"
        raise Fault(
            f"{place} of a result",
            expected=first["msg"],
            found=repr(first["input"])[:60],
            where=where,
        ) from None  # fmt: skip


def known_ids() -> set[str]:
    """Every result id that a claim reads."""
    ids: set[str] = set()
    for claim in load().values():
        ids |= {*claim.reads, *claim.may_read}
        ids |= set(sum(getattr(claim, "scopes", {}).values(), ()))
    return ids


def _known(id: str, path: Path) -> None:
    ids, spare = known_ids(), [s.ids for s in registry().spare]
    if id in ids or any(fnmatch(id, pattern) for pattern in spare):
        return
    near = difflib.get_close_matches(id, ids, 3, 0.4)
    raise Fault(
        "no claim reads this result",
        expected=" or ".join(near) or "an id of data/claims/paper.yml",
        found=repr(id),
        where=str(path),
    )


def _sensible(result: Result, where: str) -> None:
    """Fault for a number that cannot be what its id means."""
    values = result.value if isinstance(result.value, list) else [result.value]
    numbers = [v for v in values if isinstance(v, int | float)]
    for name, given in (("value", numbers), ("interval", result.interval or ())):
        for number in given:
            _number(name, number, result.id, where)
    low, high = result.interval or (0, 0)
    if low > high:
        raise Fault(
            "an interval", expected="low, high", found=f"{low}, {high}", where=where
        )
    if result.n is not None and result.n < 1:
        raise Fault("n", expected="at least 1", found=result.n, where=where)
    if min(result.seeds, default=0) < 0 or len(set(result.seeds)) < len(result.seeds):
        raise Fault(
            "seeds", expected="from 0, each once", found=result.seeds, where=where
        )
    for name, given, known in (
        ("source", result.source, SOURCES), ("profile", result.profile, PROFILES),
    ):  # fmt: skip
        if given not in known:
            raise Fault(
                name, expected=" or ".join(known), found=repr(given), where=where
            )


def _number(name: str, number: float, id: str, where: str) -> None:
    if not math.isfinite(number) or abs(number) > LARGEST:
        wanted = f"a finite number up to {LARGEST:g}"
        raise Fault(name, expected=wanted, found=number, where=where)
    signed = name == "interval" or any(fnmatch(id, pattern) for pattern in SIGNED)
    if number < 0 and not signed:
        raise Fault(name, expected="no negative number", found=number, where=where)
