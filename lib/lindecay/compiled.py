"""Compiled loops on disk, forgotten when any file changed that they are made of.

numba renews what it keeps when the file of the outermost function changes; a loop
also holds code and constants of other files. After `git pull` it would run as it was.
"""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
SOURCES = (
    "checkpoints.py",
    "integer.py",
    "kernels/*.py",
    "questions/loop.py",
    "sram/ledger.py",
    "sram/isa/encoding.py",
    "sram/place/*.py",
    "sram/serial/*.py",
)


def stamp(package: Path) -> str:
    """Digest of name, size and time of every file that compiled loops are made of."""
    found = sorted(path for glob in SOURCES for path in package.glob(glob))
    told = [(path.name, (s := path.stat()).st_size, s.st_mtime_ns) for path in found]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def forget_stale(package: Path = PACKAGE) -> int:
    """Delete what was compiled from other sources; how many files that were.

    Folders that cannot be written are left alone: numba keeps its files elsewhere then,
    by path, size and time.
    """
    mark, now = package / "__pycache__" / "compiled.stamp", stamp(package)
    try:
        if mark.exists() and mark.read_text() == now:
            return 0
        stale = list(package.rglob("__pycache__/*.nb[ic]"))
        for path in stale:
            path.unlink(missing_ok=True)
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(now)
    except OSError:
        return 0
    return len(stale)
