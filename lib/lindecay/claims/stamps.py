"""Stamps: were these numbers made by this code, in this profile?

A result is stale when its profile is another, or when a library module that its
chapter imports changed between the commit that it names and the files here.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from lindecay.results import Result
from lindecay.settings import Fault, root
from lindecay.store import closure

IMPORT = re.compile(
    r"^\s*(?:from lindecay(\.[\w.]+)? import (.+)|import lindecay\.(\S+))", re.M
)


def shown(id: str, text: str) -> bool:
    """Whether a page shows a result by its role.

    >>> shown("nmnist.drop", "{result}`quick/nmnist.drop|.2f`")
    True
    >>> shown("nmnist.drop", 'publish("nmnist.drop", 1) {result}`nmnist.drop_if`')
    False
    """
    return re.search(rf"`(\w+/)?{re.escape(id)}[`|#]", text) is not None


def stale(results: Mapping[str, Result], profile: str) -> list[tuple[str, str]]:
    """(id, what is wrong) of results that do not belong to this checkout."""
    wrong = [
        (id, f"made in profile {r.profile}, judged in {profile}")
        for id, r in results.items()
        if r.profile != profile
    ]
    sets = {(r.chapter, r.commit): id for id, r in results.items() if r.chapter}
    for (chapter, commit), id in sets.items():
        moved = _moved_since(commit, chapter)
        if moved:
            told = f"{chapter} ran at {commit[:12]}, but changed since: {moved}"
            wrong.append((id, told))
    return wrong


def _moved_since(commit: str, chapter: str) -> str:
    """Files that the chapter depends on and that are not as at `commit`."""
    if commit in ("", "unknown") or commit.endswith("-dirty"):
        return ""  # made from edited files: nothing to compare with
    changed = _changed(commit)
    if changed is None:
        return "the commit is not in this repository"
    return ", ".join(sorted(changed & _inputs(chapter)))


@cache
def _changed(commit: str) -> frozenset[str] | None:
    """Tracked files that differ from `commit`; None when git does not know it."""
    try:
        ask = ["git", "diff", "--name-only", commit, "--", "lib", "data/technology.csv"]
        done = subprocess.run(ask, cwd=root(), capture_output=True, text=True)
    except (OSError, Fault):
        return frozenset()
    return frozenset(done.stdout.split()) if done.returncode == 0 else None


def _inputs(chapter: str) -> set[str]:
    """Files below lib/ in the import closure of a chapter's code."""
    page = root() / "book" / f"{Path(chapter).stem}.md"
    if not page.exists():
        return set()
    modules = _imported(page.read_text("utf-8"))
    files = {f for m in modules for f in _files(m)}
    bills = any("energy" in module for module in modules)
    return files | ({"data/technology.csv"} if bills else set())


def _imported(text: str) -> set[str]:
    """Modules of lindecay that a chapter imports.

    >>> sorted(_imported("from lindecay import decay, figures as f"))
    ['lindecay.decay', 'lindecay.figures']
    """
    found = set()
    for below, names, whole in IMPORT.findall(text):
        base = f"lindecay{below}"
        parts = [n.split(" as ")[0].strip(" ()") for n in names.split(",") if n]
        found |= {f"lindecay.{whole}"} if whole else {f"{base}.{n}" for n in parts}
        found |= {base} if below else set()
    return found


def _files(module: str) -> Iterable[str]:
    try:
        modules = closure(module)
    except Exception:  # grimp raises its own error for a name that is no module
        return []
    paths = [m.replace(".", "/") for m in modules]
    return [f"lib/{p}{end}" for p in paths for end in (".py", "/__init__.py")]
