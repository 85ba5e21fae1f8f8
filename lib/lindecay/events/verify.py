"""`lindecay data verify`: everything again, and the name of each bad file.

official: md5 of the archives, recorded size and sha256, each unpacked file against
its archive, each clip decoded. recordings: counts, each clip decoded, each file
against the sha256 of the first verify that found nothing wrong (kept in the store).
"""

import hashlib
import json
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from lindecay.events.download import md5_of, recorded, sums
from lindecay.events.facts import SPLITS, Facts, facts, manifest
from lindecay.events.sources import Location, base_dir, locate, visible
from lindecay.events.split_log import open_split
from lindecay.settings import Fault, store_dir
from lindecay.store import write_atomic

Bad = tuple[str, str]  # file, what is wrong with it


def verify(names: list[str] | None = None) -> dict[str, dict]:
    """Check the sets that are here; per set source, files, clips and bad files.

    {"nmnist": {"source": …, "files": n, "clips": n, "bad": [{"file", "why"}]}}
    A set that is not here is a stand-in: nothing is checked. Raises Fault for an
    unknown name; anything else wrong is told in "bad".
    """
    return {name: _verify(facts(name)) for name in names or manifest()}


def _verify(known: Facts) -> dict:
    home = base_dir() / known.tonic
    if not visible(home):
        return {"source": "stand-in", "files": 0, "clips": 0, "bad": []}
    bad = [] if (home / "SOURCE.json").exists() else list(_archives(known, home))
    files, source, clips = _files(home), "unidentified", 0
    try:
        found = locate(known.name)
        source, clips = found.source, sum(found.counts.values())
        bad += _undecodable(found)
        if source == "recordings":
            bad += _changed(found, home, files, clean=not bad)
    except Fault as fault:
        bad.append((str(home), str(fault)))
    rows = [{"file": file, "why": why} for file, why in dict(bad).items()]
    return {"source": source, "files": len(files), "clips": clips, "bad": rows}


def _files(home: Path) -> list[Path]:
    return sorted(p for p in home.rglob("*") if p.is_file() and p.name[0] != ".")


def _undecodable(found: Location) -> Iterator[Bad]:
    """Clips that the reader refuses."""
    for split in SPLITS:
        opened = open_split(found, split, why="verify")
        for i in range(len(opened)):
            try:
                opened[i]
            except Fault as fault:
                yield opened._where(i), str(fault)


def _changed(found: Location, home: Path, files: list[Path], clean: bool) -> list[Bad]:
    """Files that differ from the first clean verify of the same archive."""
    place = hashlib.sha256(f"{home.resolve()},{found.sha256}".encode()).hexdigest()[:20]
    path = store_dir() / "verified" / f"{place}.json"
    now = {str(p.relative_to(home)): _sha256(p) for p in files}
    if not path.exists():
        if clean:
            write_atomic(path, json.dumps(now, indent=0))
        return []
    then = json.loads(path.read_text())
    moved = [name for name in sorted({*now, *then}) if now.get(name) != then.get(name)]
    why = "not as at the first verify (changed, missing or new)"
    return [(str(home / name), why) for name in moved]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _archives(known: Facts, home: Path) -> Iterator[Bad]:
    """Wrong archives, and unpacked files that are not as in their archive."""
    told = recorded(home)
    for split in SPLITS:
        path = home / known.archives[split]
        if not path.exists():
            if (home / known.folders[split]).exists():
                yield str(path), "missing: nothing says where its clips come from"
            continue
        found, md5 = sums(path), md5_of(known, split)
        if found["md5"] != md5:
            yield str(path), f"md5 {found['md5']}, expected {md5}"
        elif told.get(path.name, found) != found:
            yield str(path), "size or sha256 differ from the first download"
        else:
            yield from _members(path, home, home / known.folders[split])


def _members(archive: Path, home: Path, target: Path) -> Iterator[Bad]:
    """Each file of the archive against the unpacked one; strays too."""
    packed, seen = _checksums(archive), set()
    for name, crc in packed:
        path = home / name
        if target not in (path, *path.parents):
            continue  # notes beside the split
        seen.add(path)
        if not path.is_file():
            yield str(path), f"missing: it is in {archive.name}"
        elif _crc(path.open("rb")) != crc:
            yield str(path), f"not as in {archive.name}"
    here = _files(target) if target.is_dir() else [target] if target.exists() else []
    for path in sorted(set(here) - seen):
        yield str(path), f"not in {archive.name}"


def _checksums(archive: Path) -> Iterator[tuple[str, int]]:
    """Name and CRC-32 of each file in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                if not member.is_dir():
                    yield member.filename, member.CRC
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isfile():
                yield member.name, _crc(packed.extractfile(member))


def _crc(file) -> int:
    crc = 0
    with file:
        while block := file.read(2**20):
            crc = zlib.crc32(block, crc)
    return crc
