"""The seal of data/reference: one sha256 a file, in the form of `sha256sum`.

A value that no claim reads and no prediction implies is guarded by nothing else: the
seal notices when it was edited. `lindecay reference` renews it; a renewed seal shows in
the history beside the values that it seals.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lindecay.settings import Fault, committed
from lindecay.store import write_atomic

NAME = "SHA256SUMS"
MEND = "edited by hand? `lindecay reference --seal` renews the seal on purpose"


def folder() -> Path:
    """data/reference of the checkout or the installed package."""
    return committed("reference")


def files(home: Path) -> list[Path]:
    """What is sealed: everything but words about it."""
    found = (p for p in home.rglob("*") if p.is_file() and p.name != NAME)
    return sorted(p for p in found if p.suffix != ".md" and p.name[0] != ".")


def sums(home: Path) -> dict[str, str]:
    """sha256 of each file by its name below `home`."""
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files(home)
    }


def seal(home: Path | None = None) -> Path:
    """Write the seal of the committed reference; returns its path."""
    home = home or folder()
    lines = [f"{digest}  {name}\n" for name, digest in sums(home).items()]
    return write_atomic(home / NAME, "".join(lines))


def told(home: Path) -> dict[str, str]:
    """The committed sums by name; {} while nothing is sealed."""
    path = home / NAME
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return dict(reversed(line.split("  ", 1)) for line in lines if "  " in line)


def broken(home: Path | None = None) -> Iterator[tuple[str, str]]:
    """(file, what is wrong) of each file that is not what was sealed."""
    try:
        home = home or folder()
    except Fault:
        return  # nothing is committed yet
    now, then = sums(home), told(home)
    for name in sorted({*now, *then}):
        if name not in now:
            yield name, "was sealed and is gone"
        elif name not in then:
            yield name, f"is not sealed; {MEND}"
        elif now[name] != then[name]:
            yield name, f"is not what was sealed; {MEND}"
