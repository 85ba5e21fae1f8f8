"""Results: each published number with all that it takes to trust it.

Only `lindecay run` publishes into a result set (it sets LINDECAY_RESULT_FILE);
a reader who changes a knob in JupyterLab writes to scratch and disturbs nothing.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from lindecay.settings import Fault, build_dir, committed, root, store_dir
from lindecay.store import write_atomic

SCHEMA = 1


class Result(BaseModel):
    """One number (or list, or word) of the book with its stamp."""

    model_config = ConfigDict(extra="forbid")

    id: str
    value: float | int | str | bool | list | None
    unit: str = ""
    digits: int | None = None  # decimals that are printed
    n: int | None = None  # clips, neurons, … that the value rests on
    interval: tuple[float, float] | None = None
    seeds: list[int] = []
    source: str = "computed"  # recordings | official | stand-in | computed
    profile: str = "quick"
    chapter: str = ""
    commit: str = ""
    note: str = ""

    def text(self, fmt: str | None = None) -> str:
        """The value as it is printed: `fmt`, else `digits`, else shortest."""
        if isinstance(self.value, bool | str) or self.value is None:
            return str(self.value)
        if isinstance(self.value, list):
            one = Result(id=self.id, value=0, digits=self.digits)
            words = [one.model_copy(update={"value": v}).text(fmt) for v in self.value]
            return ", ".join(words)
        if fmt is None and self.digits is not None:
            fmt = f",.{self.digits}f"
        return format(
            self.value, fmt or ("," if isinstance(self.value, int) else ".4g")
        )


@cache
def commit() -> str:
    """The commit of the checkout, with -dirty when it was edited."""
    try:
        ask = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        done = subprocess.run(
            ask, cwd=root(), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError, Fault):
        return "unknown"
    return done.stdout.strip()


def _plain(value: Any) -> Any:
    """numpy scalars and arrays as plain Python."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def result_file() -> Path:
    """Where `publish` writes: the run's file, or scratch."""
    given = os.environ.get("LINDECAY_RESULT_FILE")
    return Path(given) if given else store_dir() / "scratch" / "results.json"


def publish(id: str, value: Any, **stamp: Any) -> Result:
    """Publish `value` under `id`; returns what was stored.

    Keywords: unit, digits, n, interval, seeds, source, note (see Result).
    """
    return publish_many({id: number(value, **stamp)})[id]


def number(value: Any, **stamp: Any) -> dict[str, Any]:
    """A value with its stamp, for `publish_many`.

    >>> number(3.14159, digits=2)
    {'value': 3.14159, 'digits': 2}
    """
    return {"value": value, **stamp}


def publish_many(numbers: Mapping[str, Any], **common: Any) -> dict[str, Result]:
    """Publish {id: value} or {id: number(value, ...)}; returns what was stored.

    `common`: the stamp that they share; a number's own keywords come before it.
    """
    profile = os.environ.get("LINDECAY_PROFILE", "quick")
    given = {"profile": profile, "commit": commit()} | common
    given["chapter"] = os.environ.get("LINDECAY_CHAPTER", "")
    made = {}
    for id, told in numbers.items():
        own = told if isinstance(told, dict) else number(told)
        stamp = {k: _plain(v) for k, v in (given | own).items()}
        made[id] = Result(id=id, **stamp)
    kept = read(result_file()) if result_file().exists() else {}
    save(result_file(), kept | made)
    if os.environ.get("LINDECAY_LAB"):
        print(*beside(made), sep="", end="")
    return made


def beside(made: Mapping[str, Result]) -> list[str]:
    """A line for each number that differs from the published one.

    The published ones are this checkout's build, else the committed run.
    """
    known = _published(next(iter(made.values())).profile if made else "quick")
    return [
        f"{id}: published {known[id].text()}, yours {result.text()}\n"
        for id, result in made.items()
        if id in known and known[id].value != result.value
    ]


@cache
def _published(profile: str) -> dict[str, Result]:
    found = {}
    for scope in ("reference", profile):
        try:
            found |= load(scope)
        except Fault:  # no checkout around: the committed numbers alone
            continue
    return found


def save(path: Path, results: dict[str, Result]) -> None:
    """Write a result file, sorted by id."""
    rows = [results[k].model_dump(exclude_defaults=True) for k in sorted(results)]
    write_atomic(path, json.dumps({"schema": SCHEMA, "results": rows}, indent=1) + "\n")


def read(path: Path) -> dict[str, Result]:
    """Results of one file by id; Fault when it is not one of ours."""
    try:
        data = json.loads(Path(path).read_text())
        return {r["id"]: Result(**r) for r in data["results"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fault(
            "not a result file",
            expected=f"JSON of schema {SCHEMA} with a list 'results'",
            found=f"{type(error).__name__}: {str(error)[:80]}",
            where=str(path),
        ) from None


def set_dir(scope: str) -> Path:
    """The folder of a result set: this build's, or the committed reference."""
    if scope == "reference":
        return committed("reference") / "results"
    return build_dir() / "results" / scope


def load(scope: str) -> dict[str, Result]:
    """All results of a set; an id that two chapters publish is a Fault."""
    found: dict[str, Result] = {}
    for path in sorted(set_dir(scope).glob("*.json")):
        for id, result in read(path).items():
            if id in found:
                raise Fault(
                    "published twice", found=id, where=f"{path.name} of {scope}"
                )
            found[id] = result
    return found


def reference() -> dict[str, Result]:
    """The committed results; {} while none are."""
    try:
        return load("reference")
    except Fault as fault:
        if "committed file is missing" in str(fault):
            return {}
        raise
