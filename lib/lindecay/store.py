"""The store: finished work, kept once, never half-written.

key = sha256(parameters + source of every module in the import closure).
A folder is built aside and renamed into place, so a killed run leaves nothing
that a later one could mistake for finished work.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import grimp
from filelock import FileLock

from lindecay.settings import Fault, store_dir


def write_atomic(path: Path, content: bytes | str) -> Path:
    """Write through a file of this process; no reader ever sees half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("lindecay", cache_dir=None)


@cache
def closure(module: str) -> tuple[str, ...]:
    """`module`, its submodules and every lindecay module that they import."""
    graph = _graph()
    own = {module, *graph.find_descendants(module)}
    return tuple(sorted(own.union(*map(graph.find_upstream_modules, own))))


def _file_of(module: str) -> Path:
    base = Path(__file__).parent.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@cache
def source_digests(modules: tuple[str, ...]) -> dict[str, str]:
    """sha256 of the source of each module in the closures of `modules`."""
    names = sorted({name for module in modules for name in closure(module)})
    return {n: hashlib.sha256(_file_of(n).read_bytes()).hexdigest() for n in names}


def _parts(params: dict, modules: Iterable[str]) -> dict:
    plain = json.loads(json.dumps(params, sort_keys=True))
    sources = source_digests(tuple(sorted(modules)))
    return {f"parameter {k}": v for k, v in plain.items()} | {
        f"source {k}": v for k, v in sources.items()
    }


def key_of(params: dict, modules: Iterable[str]) -> str:
    """The key under which this work is kept, 20 hex digits."""
    text = json.dumps(_parts(params, modules), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def why_missed(kind: str, params: dict, modules: Iterable[str]) -> str:
    """What changed against the newest finished work of this kind."""
    notes = sorted(
        (store_dir() / kind).glob("*/KEY.json"), key=lambda p: p.stat().st_mtime
    )
    if not notes:
        return "nothing kept yet"
    old, new = json.loads(notes[-1].read_text()), _parts(params, modules)
    moved = [k for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
    return "changed: " + ", ".join(moved)


def memo(
    kind: str, params: dict, modules: Iterable[str], build: Callable[[Path], None]
) -> Path:
    """The folder of finished work for these parameters, built if need be.

    `build(folder)` writes into a folder of its own; only when it returned does the
    folder become visible. Two processes at once: one builds, the other waits.
    """
    modules = tuple(modules)
    key = key_of(params, modules)
    home = store_dir() / kind / key
    if (home / "KEY.json").exists():
        return home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(error) from None
    if reason := unwritable(home.parent):
        raise _refused(OSError(errno.EACCES, reason))
    with FileLock(str(home.with_suffix(".lock"))):
        if not (home / "KEY.json").exists():
            if os.environ.get("LINDECAY_VERBOSE"):
                print(f"{kind}: {why_missed(kind, params, modules)}", file=sys.stderr)
            _build_aside(home, build, _parts(params, modules))
    return home


def kept(kind: str, params: dict, modules: Iterable[str]) -> Path | None:
    """The finished work for these parameters, or None where it must be made."""
    home = store_dir() / kind / key_of(params, tuple(modules))
    return home if (home / "KEY.json").exists() else None


def unwritable(folder: Path) -> str:
    """Why nothing can be written below a folder, in a word; empty where it can.

    It is tried, because permissions tell root nothing.
    """
    near = next(p for p in [folder, *folder.parents] if os.path.lexists(p))
    probe = near / f".lindecay-{os.getpid()}-{uuid.uuid4().hex[:8]}.part"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return "a file" if near.is_file() else str(error.strerror)
    return ""


def _refused(error: OSError) -> Fault:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Fault(
        "the store cannot be written",
        expected="room on its disk" if full else "a folder that can be written",
        found=unwritable(store_dir()) or str(error.strerror),
        where=str(store_dir()),
        do="point LINDECAY_STORE elsewhere, or make room",
    )


def _build_aside(home: Path, build: Callable[[Path], None], parts: dict) -> None:
    for left in home.parent.glob(f"{home.name}.*.part"):  # of a killed run
        shutil.rmtree(left, ignore_errors=True)
    part = home.with_name(f"{home.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        build(part)
        (part / "KEY.json").write_text(json.dumps(parts, indent=1, sort_keys=True))
        os.replace(part, home)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise _refused(error) from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
