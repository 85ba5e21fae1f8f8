"""Every committed number that moved between two states of the repository."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lindecay.settings import Fault, root

WATCHED = ("data/reference/results", "data/claims", "data/technology.csv")


class Move(NamedTuple):
    """A number that is not what it was; None: it was not there."""

    file: str
    id: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.file}: {self.id}: {self.before} -> {self.now}"


def against(ref: str) -> list[Move]:
    """Committed results, verdicts, claims and constants that moved since `ref`."""
    names = sorted({*_then(ref), *_now()})
    return [move for name in names for move in _moves(name, ref)]


def _git(*ask: str) -> str:
    done = subprocess.run(["git", *ask], cwd=root(), capture_output=True, text=True)
    if done.returncode:
        found = done.stderr.strip().splitlines()[:1]
        raise Fault("git could not tell", expected="a commit", found=" ".join(found))
    return done.stdout


def _then(ref: str) -> list[str]:
    ask = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options"]
    done = subprocess.run([*ask, f"{ref}^{{commit}}"], cwd=root(), capture_output=True)
    if done.returncode:
        raise Fault(
            "no such commit",
            expected="a commit, branch or tag of this repository",
            found=repr(ref),
            where="--against",
            do="`git log --oneline` lists them",
        )
    return _git("ls-tree", "-r", "--name-only", ref, "--", *WATCHED).split()


def _now() -> Iterator[str]:
    for name in WATCHED:
        path = root() / name
        files = [path] if path.is_file() else path.rglob("*")
        yield from (str(f.relative_to(root())) for f in files if f.is_file())


def _moves(name: str, ref: str) -> Iterator[Move]:
    here = root() / name
    now = values(name, here.read_text("utf-8") if here.exists() else "")
    then = values(name, _git("show", f"{ref}:{name}") if name in _then(ref) else "")
    for id in sorted({*then, *now}):
        if then.get(id) != now.get(id):
            yield Move(name, id, then.get(id), now.get(id))


def values(name: str, text: str) -> dict[str, Any]:
    """The numbers of a committed file by id.

    >>> values("a.csv", "key,value\\nsop,1.5\\n")
    {'sop.value': '1.5'}
    """
    if not text:
        return {}
    kind = Path(name).suffix
    if kind == ".csv":
        return _of_csv(text)
    if kind == ".json":
        return _of_json(json.loads(text))
    return _of_claims(yaml.safe_load(text)) if kind == ".yml" else {}


def _of_csv(text: str) -> dict[str, Any]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {
        f"{row.get('key')}.{column}": cell
        for row in rows
        for column, cell in row.items()
        if column not in (None, "key")
    }


def _of_json(data: Any) -> dict[str, Any]:
    if "results" in data:
        rows = {r["id"]: r for r in data["results"]}
        parts = ("value", "interval", "n")
        return {f"{i}.{p}": r[p] for i, r in rows.items() for p in parts if p in r}
    pairs = data.get("verdicts", {}).items()
    return {f"{id} ({pair})": v for id, of in pairs for pair, v in of.items()}


def _of_claims(data: Any) -> dict[str, Any]:
    parts = ("printed", "tolerance", "args", "choice")
    rows = data.get("claims", data.get("assumptions"))
    if rows is None:
        return dict(_leaves(data))
    return {f"{r['id']}.{p}": r[p] for r in rows for p in parts if p in r}


def _leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a tree under its path.

    >>> dict(_leaves({"a": {"b": [1, 2]}}))
    {'a.b.0': 1, 'a.b.1': 2}
    """
    if not isinstance(data, dict | list):
        yield path.strip("."), data
        return
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    for name, value in inner:
        yield from _leaves(value, f"{path}.{name}")
