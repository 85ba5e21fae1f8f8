"""Where a set lies and what it is: recordings, official, or a stand-in.

SOURCE.json beside the files -> recordings; tonic's md5 right -> official;
neither -> refused; no set at all -> a stand-in, made on the spot in the store.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lindecay.events import formants, gestures, saccades
from lindecay.events.facts import SPLITS, Facts, facts, manifest
from lindecay.events.readers import open_set, reader
from lindecay.settings import Fault, data_dir, profile
from lindecay.store import key_of, memo

SEED = 2603  # of the stand-ins
MAKERS = {"nmnist": saccades, "shd": formants, "dvsgesture": gestures}


@dataclass(frozen=True)
class Location:
    """One set as it was found."""

    name: str
    source: str  # recordings | official | stand-in
    sha256: str  # of the archive that it came from, or of the stand-in's recipe
    counts: dict[str, int]  # clips of train and test
    origin: str
    place: Callable[[], Path] = field(repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """What tonic calls save_to; a stand-in is made when this is first asked."""
        return self.place()


def locate(name: str, size: str | None = None) -> Location:
    """The set `name`: found below LINDECAY_DATA or made as a stand-in.

    size: profile whose stand-in is meant (default: LINDECAY_PROFILE or quick).
    Raises Fault on a wrong folder or an unidentified set.
    """
    known, base = facts(name), base_dir()
    home = base / known.tonic
    if not visible(home):
        return stand_in(name, size)
    if (home / "SOURCE.json").exists():
        return _recordings(known, base)
    return _official(known, base)


def visible(folder: Path) -> list[str]:
    """Names in a folder, hidden ones left out; none when there is no folder."""
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return sorted(name for name in names if not name.startswith("."))


def base_dir() -> Path:
    """LINDECAY_DATA, when it is a folder that can hold sets."""
    base, told = data_dir(), bool(os.environ.get("LINDECAY_DATA"))
    names = ", ".join(f"{f.tonic}/" for f in manifest().values())
    do = "create it, point LINDECAY_DATA elsewhere, or unset it for stand-ins"
    if told and not base.is_dir():
        found = "a file" if base.exists() else "nothing there"
        raise Fault(
            "LINDECAY_DATA is wrong",
            expected="a folder",
            found=found,
            where=str(base),
            do=do,
        )
    inside = visible(base)
    known = {f.tonic for f in manifest().values()}
    if told and inside and not known.intersection(inside):
        found = ", ".join(inside[:3])
        raise Fault(
            "no event set here",
            expected=f"one of {names} or an empty folder",
            found=found,
            where=str(base),
            do=do,
        )
    return base


def count(known: Facts, base: Path) -> dict[str, int]:
    """Clips of each split below `base`."""
    return {split: len(open_set(known.name, split, base)) for split in SPLITS}


def _recordings(known: Facts, base: Path) -> Location:
    """A set with a SOURCE.json, complete as that file says."""
    marker = base / known.tonic / "SOURCE.json"
    try:
        told = json.loads(marker.read_text())
        said = {split: int(told[split]) for split in SPLITS}
        sha, origin = str(told["sha256"]), str(told["origin"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fault(
            "a set does not say what it is",
            expected="JSON with origin, sha256, train, test",
            found=f"{type(error).__name__}: {str(error)[:60]}",
            where=str(marker),
        ) from None
    there = count(known, base)
    if there != said:
        raise Fault(
            f"{known.title} is not what its SOURCE.json says",
            expected=f"{said['train']} train and {said['test']} test clips",
            found=f"{there['train']} and {there['test']}",
            where=str(marker.parent),
            do="expand the recordings again",
        )
    return Location(known.name, "recordings", sha, there, origin, lambda: base)


def _official(known: Facts, base: Path) -> Location:
    """A set whose archives have tonic's md5."""
    home, there = base / known.tonic, count(known, base)
    sums = {s: _sums(home / known.archives[s]) for s in SPLITS if there[s]}
    right = {s: getattr(reader(known.name), f"{s}_md5") for s in SPLITS}
    wrong = [s for s, (md5, _) in sums.items() if md5 != right[s]]
    if wrong or not sums:
        found = [f"{known.archives[s]} with md5 {sums[s][0]}" for s in wrong]
        raise Fault(
            f"{known.title} is unidentified",
            expected="SOURCE.json, or the official archives with tonic's md5",
            found=(found or ["no clip"])[0],
            where=str(home),
            do=f"run 'lindecay data get {known.name}', or move the folder away",
        )
    sha = hashlib.sha256("".join(sha for _, sha in sums.values()).encode()).hexdigest()
    origin = f"official {known.title}"
    return Location(known.name, "official", sha, there, origin, lambda: base)


def _sums(path: Path) -> tuple[str, str]:
    """md5 and sha256 of a file, kept in the store until the file changes."""
    if not path.is_file():
        return "none (no such file)", ""
    stat = path.stat()
    params = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}

    def build(folder: Path) -> None:
        sums = {}
        for kind in ("md5", "sha256"):
            with path.open("rb") as file:
                sums[kind] = hashlib.file_digest(file, kind).hexdigest()
        (folder / "sums.json").write_text(json.dumps(sums))

    kept = memo("archive-sums", params, [], build)
    sums = json.loads((kept / "sums.json").read_text())
    return sums["md5"], sums["sha256"]


def stand_in(name: str, size: str | None = None) -> Location:
    """The stand-in of a set, made once, when its folder is asked for."""
    known, maker = facts(name), MAKERS[name]
    params = {"set": name, "sizes": sizes_of(name, size), "seed": SEED}

    def build(folder: Path) -> None:
        maker.write(folder / known.tonic, params["sizes"], SEED)

    def place() -> Path:
        return memo("stand-in", params, [maker.__name__], build)

    key = key_of(params, [maker.__name__])
    sha = hashlib.sha256(key.encode()).hexdigest()
    counts = dict(zip(SPLITS, params["sizes"]))
    origin = f"stand-in: made like {known.title} from seed {SEED}"
    return Location(name, "stand-in", sha, counts, origin, place)


def sizes_of(name: str, size: str | None = None) -> tuple[int, int]:
    """Train and test clips of a stand-in in a profile.

    >>> sizes_of("shd", "quick")
    (1000, 200)
    """
    train, test = profile(
        size or os.environ.get("LINDECAY_PROFILE") or "quick"
    ).stand_in
    return {
        "nmnist": (train, test),
        "shd": (train, 2 * test),  # two unseen speakers
        "dvsgesture": (11 * (train // 100), 11 * (test // 33)),  # whole users
    }[name]
