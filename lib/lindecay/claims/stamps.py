"""Stamps: were these numbers made by this code, in this profile?

A result is stale when its profile is another, or when its chapter, a module that the
chapter imports or a table that it reads changed since it ran. The record of the run
(_build/runs) holds their digests; without one, the commit in the stamp decides. A stamp
that ends in -dirty names no commit: for this build a note says so, in the committed
reference, which nobody could trace, it is red.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from lindecay.results import Result
from lindecay.settings import Fault, root
from lindecay.store import closure, source_digests

WATCHED = ("lib", "book", "data/technology.csv")
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
    for (chapter, commit), id in _sets(results).items():
        moved = _moved_since_run(chapter, commit, profile)
        moved = _moved_since(commit, chapter) if moved is None else moved
        if moved:
            told = (
                f"{chapter} ran at {_short(commit)}, but changed since: {_few(moved)}"
            )
            wrong.append((id, told))
    return wrong


def _sets(results: Mapping[str, Result]) -> dict[tuple[str, str], str]:
    """(chapter, commit) -> one of the results that carry this stamp."""
    return {(r.chapter, r.commit): id for id, r in results.items() if r.chapter}


def traceable(commit: str) -> bool:
    """Whether a stamp names a commit that holds what ran.

    >>> traceable("c764071ac1ba"), traceable("c764071ac1ba-dirty"), traceable("unknown")
    (True, False, False)
    """
    return commit not in ("", "unknown") and not commit.endswith("-dirty")


def _short(commit: str) -> str:
    head, _, dirty = commit.partition("-")
    return f"{head[:12]}-{dirty}" if dirty else head[:12] or "no commit"


def untraceable(results: Mapping[str, Result], profile: str) -> list[str]:
    """A note for each chapter of this build that ran on edited files."""
    notes = []
    for chapter, commit in _sets(results):
        if traceable(commit):
            continue
        moved = _moved_since_run(chapter, commit, profile)
        rest = "by the record of the run its sources are still the same"
        if moved is None:
            rest = "no record of the run tells from which sources"
        if not moved:
            notes.append(
                f"{chapter} ran at {_short(commit)}, which no commit holds; {rest}"
            )
    return notes


def of_reference(kept: Mapping[str, Result]) -> tuple[list[tuple[str, str]], list[str]]:
    """Committed stamps: (id, what is wrong) without a commit; notes on older code."""
    wrong, notes = [], []
    for (chapter, commit), id in _sets(kept).items():
        if not traceable(commit):
            told = (
                f"committed from {_short(commit)}: no commit holds what {chapter} ran"
            )
            wrong.append((id, told))
        elif moved := _moved_since(commit, chapter):
            told = f"reference: {chapter} ran at {_short(commit)}; since then changed"
            notes.append(f"{told}: {_few(moved)}")
    return wrong, notes


def _few(moved: str) -> str:
    """At most three names of a list."""
    names = moved.split(", ")
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _moved_since(commit: str, chapter: str) -> str:
    """Files that the chapter depends on and that are not as at `commit`."""
    if not traceable(commit):
        return ""
    changed = _changed(commit)
    if changed is None:
        return "the commit is not in this repository"
    return ", ".join(sorted(changed & _inputs(chapter)))


def _moved_since_run(chapter: str, commit: str, profile: str) -> str | None:
    """Inputs that are not as when the chapter ran; None when no record tells."""
    path = root() / "_build" / "runs" / profile / f"{chapter}.json"
    record = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if record.get("commit") != commit:
        return None
    ran = {
        k: v for k, v in record["key"].items() if k.startswith(("lindecay.", "data/"))
    }
    ran["its text"] = record["key"].get("its text", "")
    modules = tuple(sorted(k for k in ran if k.startswith("lindecay.")))
    now = _digests(modules) if modules else {}
    now |= {k: _short_digest(root() / k) for k in ran if k.startswith("data/")}
    now["its text"] = _short_digest(root() / "book" / f"{chapter}.md")
    return ", ".join(sorted(k for k, v in ran.items() if now.get(k) != v))


def _digests(modules: tuple[str, ...]) -> dict[str, str]:
    try:
        return source_digests(modules)
    except Exception:  # grimp raises its own error for a module that is gone
        return {}


def _short_digest(path: Path) -> str:
    """As the record of a run keeps it."""
    return sha256(path.read_bytes()).hexdigest()[:20] if path.is_file() else "gone"


@cache
def _changed(commit: str) -> frozenset[str] | None:
    """Tracked files that differ from `commit`; None when git does not know it."""
    try:
        ask = ["git", "diff", "--name-only", commit, "--", *WATCHED]
        done = subprocess.run(ask, cwd=root(), capture_output=True, text=True)
    except (OSError, Fault):
        return frozenset()
    return frozenset(done.stdout.split()) if done.returncode == 0 else None


def _inputs(chapter: str) -> set[str]:
    """The chapter itself and the files below lib/ that its code imports."""
    page = root() / "book" / f"{Path(chapter).stem}.md"
    if not page.exists():
        return set()
    modules = _imported(page.read_text("utf-8"))
    files = {f for m in modules for f in _files(m)}
    bills = any("energy" in module for module in modules)
    own = {f"book/{page.name}"}
    return own | files | ({"data/technology.csv"} if bills else set())


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
