"""Other choices than ours, in a file: judged again, with the verdicts that move.

    schema: 1
    assume:
      array.rows: {value: 128, unit: rows, source: table 2 of the paper}
    constants:
      bitline_cell: {value: 0.3, unit: fF}

Keys, units and ranges are those of data/claims/assumptions.yml; constants those of
data/technology.csv. A constant without a source is allowed here, and marked. Nothing is
judged before the whole file has been read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from lindecay.claims import assumptions
from lindecay.claims.assumptions import Key
from lindecay.claims.judge import Row, judge
from lindecay.claims.registry import Claim, load
from lindecay.results import Result, save
from lindecay.settings import Fault, build_dir, committed, profile

PARTS = ("schema", "assume", "constants", "about")
FORM = "a number or word, or {value, unit, source}"


@dataclass(frozen=True)
class File:
    """What a file says, every value checked."""

    where: str
    given: dict[str, Any]  # by key of ours or name of a constant
    unsourced: tuple[str, ...]

    def choices(self):
        """The choices of energy that follow; sizes and macros are checked later."""
        from lindecay.energy.choices import Choices  # the array comes with it

        known, own = assumptions.keys(), {f.name for f in fields(Choices)}
        sets = {known[k].sets: v for k, v in self.given.items() if k in known}
        swapped = {k: v for k, v in self.given.items() if k not in known}
        swapped |= {k: sets.pop(k) for k in list(sets) if k not in own}
        return Choices(**sets, constants=swapped)


@dataclass(frozen=True)
class Outcome:
    """Every claim that energy decides, judged under our choices and under others."""

    file: File
    rows: list[Row]
    results: dict[str, Result]
    moved: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """For `--json`, beside the report of the build."""
        told = {"file": self.file.where, "given": self.file.given}
        told |= {"unsourced": list(self.file.unsourced)}
        return told | {
            "claims": [row.model_dump() for row in self.rows],
            "moved": self.moved,
        }

    def lines(self) -> list[str]:
        """For people."""
        given = ", ".join(f"{k} = {v}" for k, v in self.file.given.items())
        told = [f"assumed: {given}"]
        if self.file.unsourced:
            told.append(f"without a source: {', '.join(self.file.unsourced)}")
        told += [f"{r.id}: {r.verdict}" for r in self.rows]
        if not self.moved:
            return [*told, "no verdict moved"]
        return told + [
            f"moved: {m['id']}{m['in']}: {m['before']} -> {m['after']}"
            for m in self.moved
        ]


class _Strict(yaml.SafeLoader):
    """YAML that does not let a key stand twice."""


def _unique(loader, node, deep=False):
    found = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = [str(key) for key in found if found.count(key) > 1]
    if twice:
        raise yaml.YAMLError(f"{twice[0]} stands twice")
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique)


def read(path: str | Path) -> File:
    """A file of assumptions, checked as a whole.

    Raises:
        Fault: the first thing that is wrong with it, in one line.
    """
    data, where = _parsed(path), Path(path).name
    known, table = assumptions.keys(), _constants()
    given, bare = {}, []
    for part, names in (("assume", known), ("constants", table)):
        for key, told in _mapping(data.get(part), part, where).items():
            one = told if isinstance(told, dict) else {"value": told}
            place = f"{part} of {where}"
            if key not in names:
                raise Fault(
                    "unknown key", expected=_near(key, names), found=key, where=place
                )
            check = _of_key if part == "assume" else _of_constant
            given[key] = check(key, names[key], _form(key, one, place), place)
            if part == "constants" and not one.get("source"):
                bare.append(key)
    if not given:
        expected = "a key under assume or constants"
        raise Fault("no assumption", expected=expected, found="none", where=where)
    return File(where, given, tuple(bare))


def _parsed(path: str | Path) -> dict:
    where = str(path)
    try:
        data = yaml.load(Path(path).read_text("utf-8"), _Strict)  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())[:90]
        found = f"{type(error).__name__}: {told}"
        raise Fault("not a file of assumptions", expected="YAML", found=found) from None
    if not isinstance(data, dict) or data.get("schema") != 1:
        found = (
            f"schema {data.get('schema')}" if isinstance(data, dict) else "no mapping"
        )
        raise Fault(
            "not a file of assumptions", expected="schema: 1", found=found, where=where
        )
    if extra := [k for k in data if k not in PARTS]:
        raise Fault(
            "unknown part", expected=", ".join(PARTS), found=extra[0], where=where
        )
    return data


def _mapping(part: Any, name: str, where: str) -> dict:
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise Fault(
            f"bad part {name}",
            expected="KEY: value",
            found=type(part).__name__,
            where=where,
        )
    return part


def _form(key: str, one: dict, where: str) -> dict:
    extra = [k for k in one if k not in ("value", "unit", "source")]
    if extra or "value" not in one:
        found = f"{extra[0]}" if extra else "no value"
        raise Fault(f"{key}: bad entry", expected=FORM, found=found, where=where)
    return one


def _near(key: str, names: Mapping) -> str:
    """Keys that begin like this one, or where all of them stand."""
    begin = str(key).split(".")[0][:4]
    near = [k for k in names if k.startswith(begin)]
    return ", ".join(near[:8]) or "a key of `lindecay check --keys`"


def _of_key(key: str, known: Key, one: dict, where: str) -> Any:
    value = one["value"]
    if known.words:
        if value not in known.words or isinstance(value, bool):
            words = ", ".join(map(str, known.words))
            raise Fault(
                f"{key}: not a choice", expected=words, found=repr(value), where=where
            )
        return value
    if one.get("unit", known.unit) != known.unit:
        raise Fault(
            f"{key}: unit does not fit",
            expected=known.unit,
            found=one["unit"],
            where=where,
        )
    number = _number(key, value, where)
    if not known.low <= number <= known.high:
        span = f"{known.low:g} to {known.high:g} {known.unit}".strip()
        raise Fault(
            f"{key}: out of range", expected=span, found=f"{value}", where=where
        )
    if isinstance(known.default, int) and number != int(number):
        raise Fault(
            f"{key}: not a whole number",
            expected=known.unit,
            found=f"{value}",
            where=where,
        )
    return int(number) if isinstance(known.default, int) else number


def _number(key: str, value: Any, where: str) -> float:
    """A finite float; Fault for words, nan, and what a float cannot hold."""
    try:
        number = float(value) if not isinstance(value, bool | str) else math.nan
    except (OverflowError, TypeError, ValueError):
        number = math.inf
    if not math.isfinite(number):
        raise Fault(
            f"{key}: no finite number",
            expected="a number",
            found=f"{value!r:.40}",
            where=where,
        )
    return number


def _constants() -> dict:
    from lindecay.energy import constants

    return constants.load(committed("technology.csv"))


def _of_constant(key: str, row, one: dict, where: str) -> float:
    """A constant in the row's own unit."""
    unit = one.get("unit", row.unit)
    if unit != row.unit:
        raise Fault(
            f"{key}: unit does not fit", expected=row.unit, found=unit, where=where
        )
    number = _number(key, one["value"], where)
    if not 1e-3 * row.value <= number <= 1e3 * row.value:
        span = f"{1e-3 * row.value:g} to {1e3 * row.value:g} {row.unit}"
        raise Fault(
            f"{key}: out of range", expected=span, found=f"{number:g}", where=where
        )
    return number


def judged(path: str | Path, profile_name: str = "quick") -> Outcome:
    """Energy claims under a file's choices, beside the same under ours."""
    profile(profile_name)
    file = read(path)
    after, before = (_results(c, profile_name) for c in (file.choices(), None))
    concerned = [c for c in load().values() if _concerns(c)]
    rows = [judge(c, after, {}, profile_name)[0] for c in concerned]
    first = [judge(c, before, {}, profile_name)[0] for c in concerned]
    moved = [m for a, b in zip(first, rows) for m in _moves(a, b)]
    return Outcome(file, rows, after, moved)


def kept(found: Outcome) -> Path:
    """Write the results of other choices; `lindecay check --with` reads them."""
    name = Path(found.file.where).stem
    path = build_dir() / "assumed" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, found.results)
    return path


def _concerns(claim: Claim) -> bool:
    return any(id.startswith("energy.") for id in claim.ids)


def _results(choices, profile_name: str) -> dict[str, Result]:
    """Every answer as a result, as chapter 08 publishes them."""
    from lindecay.energy import answers
    from lindecay.energy.choices import case

    found = case(profile_name, choices)
    more = {"source": found.source, "n": found.clips, "profile": profile_name}
    return {
        a.id: Result(id=a.id, value=a.value, chapter="08_energy", **a.stamp(), **more)
        for a in answers.answers(found)
    }


def _moves(before: Row, after: Row) -> list[dict[str, Any]]:
    """The claim's verdict where it moved, and each scope's."""
    moved = [
        {"id": after.id, "in": "", "before": before.verdict, "after": after.verdict}
    ]
    kept = {one["scope"]: one["verdict"] for one in before.scopes}
    for one in after.scopes:
        place = f" ({one['scope']})"
        was = kept.get(one["scope"], "not judged")
        moved.append(
            {"id": after.id, "in": place, "before": was, "after": one["verdict"]}
        )
    return [m for m in moved if m["before"] != m["after"]]


def template() -> str:
    """A file to fill in: every key at its default, and what would settle it."""
    head = [
        "# What the paper's full text would settle. Uncomment a line that you can",
        "# answer, say where it stands, and run",
        "#     lindecay check --assume FILE",
        "schema: 1",
        "assume:",
    ]
    body = [
        line for one in assumptions.load().values() if one.keys for line in _entry(one)
    ]
    more = [
        "constants:",
        "  # any row of data/technology.csv, in its own unit, for instance",
        '  # bitline_cell: {value: 0.345, unit: fF, source: ""}',
    ]
    return "\n".join([*head, *body, *more]) + "\n"


def _entry(one) -> list[str]:
    told = [f"  # {one.title}: {one.full_text}"]
    for key in one.keys:
        unit = f"unit: {key.unit}, " if key.unit else ""
        value = f'"{key.default}"' if "," in str(key.default) else key.default
        told.append(f'  # {key.key}: {{value: {value}, {unit}source: ""}}')
        if key.words:
            told.append(f"  #   one of: {'; '.join(map(str, key.words))}")
    return told
