"""`lindecay data get` and `verify`: tonic's own downloads, faults in one line."""

import shutil
from pathlib import Path

from lindecay import events
from lindecay.events.readers import reader
from lindecay.settings import Fault, data_dir


def verify(names: list[str]) -> list[dict]:
    """Every set that is here, checked; Fault at the first one that is not right."""
    known = events.manifest()
    for name in names:
        events.facts(name)  # Fault for an unknown one
    here = [n for n in known if (data_dir() / known[n].tonic).exists()]
    missing = sorted(set(names) - set(here))
    if missing:
        do = f"run `lindecay data get {missing[0]}`"
        where = str(data_dir())
        raise Fault("a set is not here", found=", ".join(missing), where=where, do=do)
    found = [events.locate(n) for n in here if not names or n in names]
    return [{"set": f.name, "source": f.source, **f.counts} for f in found]


def get(name: str, source: str | None = None) -> str:
    """Fetch a set from its authors, or take archives from a folder.

    Raises Fault when the host cannot be reached or the archive is a wrong one.
    """
    known, home = events.facts(name), data_dir()
    home.mkdir(parents=True, exist_ok=True)
    if (home / known.tonic / "SOURCE.json").exists():
        return f"{known.title} is here already: {home / known.tonic}"
    if source:
        _take(known, Path(source), home)
    try:
        for train in (True, False):
            reader(name)(save_to=str(home), train=train)
    except (OSError, RuntimeError) as error:
        raise Fault(
            f"could not get {known.title}",
            expected="the authors' host, or archives in a folder",
            found=f"{type(error).__name__}: {str(error)[:80]}",
            do=f"fetch {', '.join(known.archives.values())} by hand, then"
            f" `lindecay data get {name} --from FOLDER`",
        ) from None
    return f"{known.title}: {events.locate(name).counts} in {home / known.tonic}"


def _take(known, source: Path, home: Path) -> None:
    """Copy archives into tonic's place; it checks their md5 itself."""
    (home / known.tonic).mkdir(exist_ok=True)
    for archive in known.archives.values():
        if not (source / archive).is_file():
            where = str(source)
            raise Fault("an archive is missing", expected=archive, where=where)
        shutil.copyfile(source / archive, home / known.tonic / archive)
