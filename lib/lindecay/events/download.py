"""`lindecay data get`: the official archives, by pooch, unpacked whole or not at all.

address and md5 are tonic's; a mirror or a local folder may stand in for the host.
archive -> md5 checked -> kept, its size and sha256 recorded once -> unpacked aside ->
renamed into place. A killed run leaves at most a hidden part, which the next removes.
"""

import hashlib
import json
import os
import shutil
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

from lindecay.events.facts import SPLITS, Facts, facts
from lindecay.events.readers import reader
from lindecay.events.sources import Location, locate
from lindecay.settings import Fault, data_dir
from lindecay.store import write_atomic

RECORD = "OFFICIAL.json"  # beside the archives: size and sha256 of each


def get(
    name: str, source: str | None = None, console: Console | None = None
) -> Location:
    """Fetch both splits of the official set below LINDECAY_DATA; what is there stays.

    source: a mirror (https://…, the archives' names are appended), a folder that
    holds the archives, or None for the authors' host.
    Raises Fault when recordings lie there, the host cannot be reached, an archive
    is a wrong one, or the disk is full.
    """
    known, home = facts(name), data_dir() / facts(name).tonic
    if (home / "SOURCE.json").exists():
        raise Fault(
            f"recordings of {known.title} lie here already",
            found="SOURCE.json",
            where=str(home),
            do="move the folder away, or point LINDECAY_DATA elsewhere",
        )
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(home.with_name(f".{home.name}.get.lock")))
    with lock, _told(console) as progress:
        _sweep(home)
        for split in SPLITS:
            archive = _archive(known, split, home, source, progress)
            _unpack(known, split, home, archive)
    return locate(name)


def md5_of(known: Facts, split: str) -> str:
    """tonic's md5 of a split's archive."""
    return getattr(reader(known.name), f"{split}_md5")


def address(known: Facts, split: str, mirror: str | None = None) -> str:
    """Where a split's archive is fetched from."""
    if mirror:
        return f"{mirror.rstrip('/')}/{known.archives[split]}"
    tonics = reader(known.name)
    own = getattr(tonics, f"{split}_url", None)
    return own or tonics.base_url + known.archives[split]


@contextmanager
def _told(console: Console | None):
    """A progress bar on standard error, none when it is no terminal."""
    columns = [*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()]
    shown = console or Console(stderr=True)
    with Progress(*columns, console=shown, disable=not shown.is_terminal) as progress:
        yield progress


def _sweep(home: Path) -> None:
    """Remove what a killed run left (only ours carry these names)."""
    for left in [*home.glob(".part-*"), *home.glob(f".{RECORD}.*.part")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _archive(known: Facts, split: str, home: Path, source, progress) -> Path:
    """The archive of a split, in place and checked."""
    path, md5 = home / known.archives[split], md5_of(known, split)
    if not path.exists():
        aside = home / f".part-{path.name}"
        if source and not str(source).startswith(("http://", "https://")):
            _copy(Path(source), path.name, aside)
        else:
            _fetch(address(known, split, source), aside, known, split, progress)
        _check(aside, md5, known.archives[split])
        os.replace(aside, path)
    _record(path, md5, home)
    return path


def _copy(folder: Path, name: str, aside: Path) -> None:
    """Take an archive from a local folder."""
    if not (folder / name).is_file():
        raise Fault("no such archive", expected=name, found="none", where=str(folder))
    try:
        shutil.copyfile(folder / name, aside)
    except OSError as error:
        raise _disk(aside, error) from None


class _Bar:
    """pooch's idea of a progress bar, shown by rich."""

    def __init__(self, progress: Progress, what: str):
        self.progress, self.task = progress, progress.add_task(what, total=None)

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name == "total":
            self.progress.update(self.task, total=value)

    def update(self, amount: int) -> None:
        self.progress.advance(self.task, amount)

    def reset(self) -> None:
        self.progress.reset(self.task)

    def close(self) -> None:
        self.progress.stop_task(self.task)


def _fetch(url: str, aside: Path, known: Facts, split: str, progress) -> None:
    """Download into `aside`; whatever fails is one line that names the ways out."""
    from pooch import HTTPDownloader

    name = known.archives[split]
    load = HTTPDownloader(
        progressbar=_Bar(progress, name), chunk_size=2**18, timeout=30
    )
    import requests  # of the extra [data]; the light install reads without it

    try:
        load(url, str(aside), None)
    except (requests.RequestException, ValueError) as error:
        aside.unlink(missing_ok=True)
        raise Fault(
            f"{known.title} cannot be fetched",
            expected=name,
            found=f"{type(error).__name__}: {_short(error)}",
            where=url,
            do=f"try --from with a mirror's address or a folder that holds {name},"
            " or go on with the stand-in (no LINDECAY_DATA)",
        ) from None
    except OSError as error:
        raise _disk(aside, error) from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:90]


def _disk(aside: Path, error: OSError) -> Fault:
    aside.unlink(missing_ok=True)
    where = str(aside.parent)
    return Fault("cannot write the archive", found=error.strerror or error, where=where)


def _check(aside: Path, md5: str, name: str) -> None:
    """The right archive, or none is kept."""
    found = sums(aside)["md5"]
    if found != md5:
        size = aside.stat().st_size
        aside.unlink()
        raise Fault(
            f"{name} is not the official archive",
            expected=f"md5 {md5}",
            found=f"md5 {found} ({size:,} bytes)",
            where=str(aside.parent),
            do="nothing was kept; fetch it again",
        )


def sums(path: Path) -> dict:
    """size, md5 and sha256 of a file, read once."""
    digests, size = (hashlib.md5(), hashlib.sha256()), 0
    with path.open("rb") as file:
        while block := file.read(2**20):
            size += len(block)
            for digest in digests:
                digest.update(block)
    md5, sha256 = (digest.hexdigest() for digest in digests)
    return {"size": size, "md5": md5, "sha256": sha256}


def recorded(home: Path) -> dict[str, dict]:
    """What was recorded at the first verified download, by archive."""
    path = home / RECORD
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        raise Fault("not our record", expected="JSON", where=str(path)) from None


def _record(path: Path, md5: str, home: Path) -> None:
    """Write down size and sha256 of a verified archive; later ones must agree."""
    known = recorded(home)
    if path.name in known and known[path.name]["size"] == path.stat().st_size:
        return
    found = sums(path)
    if found["md5"] != md5:
        raise Fault(
            f"{path.name} is not the official archive",
            expected=f"md5 {md5}",
            found=f"md5 {found['md5']}",
            where=str(home),
            do="remove it and run get again",
        )
    text = json.dumps({**known, path.name: found}, indent=1, sort_keys=True)
    write_atomic(home / RECORD, text + "\n")


def _unpack(known: Facts, split: str, home: Path, archive: Path) -> None:
    """The split's folder or file, complete, from its archive; once."""
    target = home / known.folders[split]
    if target.exists():
        return
    aside = home / f".part-{split}"
    aside.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(aside)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(aside, filter="data")
        os.replace(aside / target.name, target)
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise Fault(
            f"{archive.name} cannot be unpacked",
            expected=target.name,
            found=f"{type(error).__name__}: {_short(error)}",
            where=str(home),
        ) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
