"""`make archive`: the book as one file to deposit, with a sum of every part.

    lindecay-VERSION.zip
        html/         the pages as rendered, to open from disk
        notebooks/    the executed chapters
        results/      every published number with its stamp
        data/         claims, constants, the committed reference
        SHA256SUMS, LICENSE, LICENSE-text, CITATION.cff, CHANGELOG.md, README.md

The same tree gives the same bytes: names sorted, times fixed.
"""

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lindecay import __version__
from lindecay.settings import Fault, build_dir, profile, root

WORDS = ("LICENSE", "LICENSE-text", "CITATION.cff", "CHANGELOG.md", "README.md")
WHEN = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold


def parts(home: Path, build: Path, profile_name: str) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file), folder by folder."""
    folders = {"html": build / "html", "data": home / "data"}
    for kind in ("notebooks", "results"):
        folders[kind] = build / kind / profile_name
    for name, folder in folders.items():
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            yield f"{name}/{path.relative_to(folder).as_posix()}", path
    yield from ((name, home / name) for name in WORDS if (home / name).exists())


def write(path: Path, files: list[tuple[str, Path]]) -> Path:
    """A zip of the files with their SHA256SUMS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part, sums = path.with_suffix(".part"), []
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
        for name, file in files:
            data = file.read_bytes()
            sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
            out.writestr(_entry(name), data)
        out.writestr(_entry("SHA256SUMS"), "".join(sums))
    return part.replace(path)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, WHEN)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


def archive(profile_name: str = "quick") -> Path:
    """The archive of a finished build, below _build.

    Raises:
        Fault: the book was not rendered.
    """
    name, build = profile(profile_name).name, build_dir()
    if not (build / "html" / "index.html").exists():
        do = "run `make book` first"
        raise Fault("no book to archive", expected="_build/html", found="none", do=do)
    files = list(parts(root(), build, name))
    return write(build / "archive" / f"lindecay-{__version__}.zip", files)


if __name__ == "__main__":
    try:
        made = archive(*sys.argv[1:2])
        print(f"{made}: {made.stat().st_size / 1e6:.1f} MB")
    except Fault as fault:
        sys.exit(f"lindecay: {fault}")
