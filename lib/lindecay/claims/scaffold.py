"""The claims machinery for another paper: a folder to fill in.

    lindecay new-claims mine --title "Two dice"

    _toc.yml _config.yml book/    chapters that publish, and pages that ask for numbers
    data/claims/paper.yml         what is printed, with tolerances and their reasons
    data/claims/paper.txt         the text that the quotes stand in
    .github/workflows             red when a verdict moves

Inside it `lindecay run`, `check` and `run --book` read that folder's claims.
"""

import hashlib
import shutil
from pathlib import Path

from lindecay.settings import Fault

TEMPLATE = Path(__file__).parent / "template"
NAMES = {"gitignore": ".gitignore"}  # a dot file would not be packaged everywhere


def new(folder: str | Path, title: str = "") -> Path:
    """Write the template; returns the folder.

    Raises:
        Fault: something is there already; nothing is overwritten.
    """
    home = Path(folder)
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Fault("the folder is not empty", expected="a new folder", found=str(home))
    shutil.copytree(TEMPLATE, home, dirs_exist_ok=True)
    for name, theirs in NAMES.items():
        (home / name).rename(home / theirs)
    told = {"PAPER": title or home.resolve().name, "SHA256": _sha256(home)}
    for name in ("_config.yml", "README.md", "data/claims/paper.yml"):
        _filled(home / name, told)
    return home


def _sha256(home: Path) -> str:
    return hashlib.sha256((home / "data/claims/paper.txt").read_bytes()).hexdigest()


def _filled(path: Path, told: dict[str, str]) -> None:
    text = path.read_text("utf-8")
    for blank, value in told.items():
        text = text.replace(blank, value)
    path.write_text(text, "utf-8")
