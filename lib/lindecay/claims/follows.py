"""Do the committed numbers follow from the committed predictions?

data/reference/SET/predictions.json holds the class that each seed of each arm gave
each test clip. From it, and nothing else, each accuracy, drop and interval of that set
is computed again; a published value that is another one turns the check red.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lindecay.claims import sealed
from lindecay.results import Result
from lindecay.settings import Fault

BASE, OURS = "vlif", "ldlif"  # drop: what OURS loses against BASE
TOLD = ("acc.", "acc_per_seed.", "drop", "test_clips")  # ids that should follow
EQUAL = 1e-9  # the same arithmetic on the same integers: only rounding may differ
Hits = dict[int, np.ndarray]  # seed -> bool [clips]
Values = dict[str, dict[str, Any]]  # id -> fields of a result that follow


def records() -> list[Path]:
    """The committed predictions, one file for each set (or network of a set)."""
    try:
        home = sealed.folder()
    except Fault:
        return []
    return sorted(home.glob("*/predictions.json"))


def values(path: Path) -> Values:
    """What a file of predictions implies, by result id.

    Raises:
        Fault: when the file is not one of predictions.
    """
    return _values(path, path.stat().st_mtime_ns)


@cache
def _values(path: Path, changed: int) -> Values:
    try:
        record = json.loads(path.read_text("utf-8"))
        hits = _hits(record)
        return _stamped(record, _statistics(prefix(record), hits))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Fault(
            "bad predictions",
            expected="labels and predictions[arm][seed], a class a clip",
            found=f"{type(error).__name__}: {str(error)[:80]}",
            where=str(path),
        ) from None


def prefix(record: Mapping) -> str:
    """What the ids of a record begin with: its set, or what it says itself."""
    return record.get("prefix", record["set"])


def _hits(record: Mapping) -> dict[str, Hits]:
    """Which clips each seed of each arm got right."""
    labels = np.array(record["labels"])
    found: dict[str, Hits] = {}
    for arm, seeds in record["predictions"].items():
        told = {int(seed): np.array(given) for seed, given in seeds.items()}
        if any(given.shape != labels.shape for given in told.values()):
            raise ValueError(f"{arm}: not {len(labels)} clips for each seed")
        found[arm] = {seed: given == labels for seed, given in told.items()}
    return found


def _statistics(name: str, hits: Mapping[str, Hits]) -> Values:
    """Accuracies of each arm, paired drops over the seeds shared with BASE."""
    found: Values = {}
    for arm, right in hits.items():
        each, seeds = [100.0 * right[s].mean() for s in right], {"seeds": list(right)}
        found[f"{name}.acc.{arm}"] = {"value": np.mean(each)} | seeds
        found[f"{name}.acc_per_seed.{arm}"] = {"value": each} | seeds
        found[f"{name}.acc.{arm}.first_seed"] = {"value": each[0]}
        common = [s for s in hits.get(BASE, ()) if s in right]
        if arm != BASE and common:
            pair = [np.array([h[s] for s in common]) for h in (hits[BASE], right)]
            found |= {
                id: of | {"seeds": common}
                for id, of in _drops(name, arm, *pair).items()
            }
    return found


def _drops(name: str, arm: str, base: np.ndarray, right: np.ndarray) -> Values:
    from lindecay.training import paired_drop  # torch, and only where it is needed

    made = paired_drop(base, right)
    ending = "" if arm == OURS else f"_{arm}"
    each = {"value": made["per_seed"], "interval": made["seeds_interval"]}
    whole = {"value": made["mean"], "interval": made["interval"], "n": base.size}
    return {
        f"{name}.drop{ending}": whole,
        f"{name}.drop_per_seed{ending}": each,
    }


def _stamped(record: Mapping, found: Values) -> Values:
    """With what every result of the set has to say about its origin."""
    clips = len(record["labels"])
    stamp = {"source": record["source"], "profile": record["profile"]}
    seeds = [int(s) for s in next(iter(record["predictions"].values()))]
    made = {id: {"n": clips, "seeds": seeds} | of | stamp for id, of in found.items()}
    for id in made:
        if ".drop_per_seed" in id:
            made[id].pop("n")  # pairs or clips: its chapter's choice
    return made | {f"{prefix(record)}.test_clips": {"value": clips} | stamp}


def contradictions(kept: Mapping[str, Result]) -> Iterator[tuple[str, str]]:
    """(id, what is wrong) of each committed result that does not follow."""
    for path in records() if kept else ():
        for id, fields in values(path).items():
            if id in kept:
                told = [_told(kept[id], *field, path) for field in fields.items()]
                yield from ((id, words) for words in told if words)


def _told(result: Result, field: str, follows: Any, path: Path) -> str:
    kept = getattr(result, field)
    if kept is None or _equal(kept, follows):
        return ""
    short = [_short(v) for v in (kept, follows)]
    name = f"{path.parent.name}/{path.name}"
    return f"{field} {short[0]} is committed, but {name} gives {short[1]}"


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    a, b = np.asarray(a, float), np.asarray(b, float)
    return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=EQUAL)


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_short, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def taken_on_trust(kept: Mapping[str, Result]) -> list[str]:
    """Committed accuracies and drops that no committed prediction stands behind."""
    behind = {id for path in records() for id in values(path)}
    return [id for id in kept if _should_follow(id) and id not in behind]


def _should_follow(id: str) -> bool:
    """An accuracy or a drop, by its name.

    >>> [_should_follow(f"shd.{name}") for name in ("acc.if", "drop_if", "sops.if")]
    [True, True, False]
    """
    return id.partition(".")[2].startswith(TOLD)


def reruns() -> tuple[list[tuple[str, str]], list[str]]:
    """Committed networks run again on the recordings: what is wrong, what was not run.

    Only where the very clips of the reference are (by sha256); elsewhere a note.
    """
    from lindecay import reference  # torch, and only here

    wrong, notes = [], []
    for name in (path.parent.name for path in records()):
        try:
            found = reference.unequal(name)
        except Fault as fault:
            notes.append(f"{name}: committed networks not run again here: {fault}")
            continue
        told = "its committed network classifies {} test clips otherwise than committed"
        wrong += [(f"{name}.acc.{a}", told.format(n)) for a, n in found.items() if n]
    return wrong, notes
