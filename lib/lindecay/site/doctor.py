"""`lindecay doctor`: what this machine has, what is missing, how to get it."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lindecay.settings import Fault, data_dir, root, store_dir
from lindecay.store import unwritable

PYTHON, DISK_GB, MEMORY_GB = (3, 11), 3.0, 4.0
CORE = ("torch", "snntorch", "numpy", "numba")
BOOK = ("tonic", "jupyter-book", "jupytext", "papermill", "matplotlib", "pytest")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass
class Check:
    """One thing that was looked at."""

    name: str
    good: bool
    found: str
    do: str = ""  # how to mend it
    needed: bool = True

    def __str__(self) -> str:
        sign = "ok  " if self.good else ("MISS" if self.needed else "note")
        told = f"{sign} {self.name}: {self.found}"
        return told if self.good or not self.do else f"{told}\n     -> {self.do}"


def examine() -> list[Check]:
    """Every check, in the order in which a newcomer meets them."""
    packages = [_package(name, "make setup") for name in CORE + BOOK]
    places = [_folder("store", store_dir(), "LINDECAY_STORE"), _disk(), _memory()]
    return [_python(), *packages, _book(), _data(), *places, _browser()]


def browser() -> str | None:
    """The program that the site tests drive, or None."""
    given = os.environ.get("LINDECAY_BROWSER")
    return given or next(filter(None, map(shutil.which, BROWSERS)), None)


def _python() -> Check:
    found = sys.version.split()[0]
    do = "install Python 3.11 or newer, then `make setup PYTHON=/path/to/python3`"
    return Check("Python", sys.version_info >= PYTHON, found, do)


def _package(name: str, do: str) -> Check:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, False, "not installed", do)
    if name == "jupyter-book" and not found.startswith("1."):
        return Check(name, False, f"{found}; version 2 ignores _config.yml", do)
    return Check(name, True, found)


def _book() -> Check:
    try:
        return Check("book", True, str(root()))
    except Fault as fault:
        return Check("book", False, str(fault), "git clone, then run it there", False)


def _data() -> Check:
    from lindecay import events

    try:
        found = {n: f["source"] for n, f in events.info().items()}
    except Fault as fault:
        return Check("recordings", False, str(fault), "fix or unset LINDECAY_DATA")
    told = ", ".join(f"{name} {source}" for name, source in found.items())
    real = any(source != "stand-in" for source in found.values())
    do = f"`lindecay data get nmnist` writes to {data_dir()}; stand-ins serve meanwhile"
    return Check("recordings", real, told or "none", do, needed=False)


def _folder(name: str, path: Path, variable: str) -> Check:
    reason = unwritable(path)
    told = f"{path}: {reason}" if reason else str(path)
    return Check(name, not reason, told, f"point {variable} at a folder you can write")


def _disk() -> Check:
    near = next(p for p in [store_dir(), *store_dir().parents] if p.exists())
    free = shutil.disk_usage(near).free / 1e9
    do = f"free {DISK_GB:.0f} GB, or point LINDECAY_STORE at a larger disk"
    return Check("disk", free >= DISK_GB, f"{free:.1f} GB free", do)


def _memory() -> Check:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError, AttributeError):
        return Check("memory", True, "unknown", needed=False)
    do = f"the quick profile wants {MEMORY_GB:.0f} GB"
    # firmware keeps some of what is sold as 4 GB
    return Check("memory", total >= 0.9 * MEMORY_GB, f"{total:.1f} GB", do)


def _browser() -> Check:
    found = browser()
    do = "apt-get install chromium (only the site tests want it)"
    return Check("browser", found is not None, found or "none", do, needed=False)
