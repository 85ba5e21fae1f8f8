"""Where things lie, how large a run is, and the one kind of error that users see."""

import os
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import platformdirs


class Fault(Exception):
    """A user's problem in one line: what, expected, found, where, and what to do."""

    def __init__(self, what, *, expected=None, found=None, where=None, do=None):
        facts = {"expected": expected, "found": found, "in": where}
        told = [f"{key} {value}" for key, value in facts.items() if value is not None]
        line = ": ".join([what, ", ".join(told)] if told else [what])
        super().__init__(" ".join(f"{line}; {do}".split() if do else line.split()))


OWN = ("claims/", "reference")  # what each project has of its own


@dataclass(frozen=True)
class Profile:
    """Sizes of a run; the profile changes these, never a code path."""

    name: str
    seeds: tuple[int, ...]  # paired over the arms
    epochs: int
    hidden: int  # neurons of MLP-1's hidden layer
    dt_us: int  # width of a time bin
    steps: int  # time bins of a clip
    batch: int
    weight_bits: int
    membrane_bits: int
    fraction_bits: int  # membrane bits below the weight's LSB
    stand_in: tuple[int, int]  # clips of the stand-in: train, test
    prove_clips: int  # test clips that are proved membrane by membrane

    def describe(self) -> str:
        """The whole profile on one line, printed at the start of a run."""
        return ", ".join(f"{k}={v}" for k, v in asdict(self).items())


PROFILES = {
    "quick": Profile(
        name="quick",
        seeds=(0, 1, 2),
        epochs=12,
        hidden=512,
        dt_us=10_000,
        steps=31,
        batch=50,
        weight_bits=3,
        membrane_bits=10,
        fraction_bits=2,
        stand_in=(1000, 100),
        prove_clips=100,
    ),
    "paper": Profile(
        name="paper",
        seeds=(0, 1, 2, 3, 4),
        epochs=20,
        hidden=512,
        dt_us=10_000,
        steps=31,
        batch=50,
        weight_bits=3,
        membrane_bits=10,
        fraction_bits=2,
        stand_in=(4000, 1000),
        prove_clips=10_000,
    ),
}


def profile(name: str) -> Profile:
    """The profile called `name`; Fault when there is none.

    >>> profile("quick").weight_bits
    3
    """
    if name not in PROFILES:
        raise Fault(
            "unknown profile",
            expected=" or ".join(PROFILES),
            found=repr(name),
            where="the profile's name",
        )
    return PROFILES[name]


def data_dir() -> Path:
    """Recordings in tonic's layouts: LINDECAY_DATA or the user's data folder."""
    return Path(
        os.environ.get("LINDECAY_DATA") or platformdirs.user_data_path("lindecay")
    )


def store_dir() -> Path:
    """Finished work: LINDECAY_STORE or the user's cache folder."""
    return Path(
        os.environ.get("LINDECAY_STORE") or platformdirs.user_cache_path("lindecay")
    )


def root() -> Path:
    """The checkout of the book: the nearest folder above that holds _toc.yml."""
    here = Path(__file__).resolve().parents[2]
    for folder in [Path.cwd(), *Path.cwd().parents, here]:
        if (folder / "_toc.yml").exists() and (folder / "book").is_dir():
            return folder
    raise Fault(
        "no book here",
        expected="a checkout of lindecay (_toc.yml beside book/)",
        found="none",
        where=str(Path.cwd()),
        do="run the command inside a clone",
    )


def build_dir() -> Path:
    """Everything that is generated from the checkout."""
    return root() / "_build"


def committed(name: str) -> Path:
    """A committed data file: data/NAME of the checkout or its packaged copy.

    A project of another paper (`lindecay new-claims`) has claims and a reference of its
    own, and never sees the book's.
    """
    beside = Path(__file__).resolve().parents[2] / "data" / name
    packaged = Path(str(files("lindecay") / "_data" / name))
    places, theirs = [beside, packaged], foreign()
    if theirs:
        own = theirs / "data" / name
        places = [own] if name.startswith(OWN) else [own, *places]
    for path in places:
        if path.exists():
            return path
    where = str(places[0].parent)
    raise Fault("a committed file is missing", expected=name, where=where)


def foreign() -> Path | None:
    """The project of another paper around this folder, if there is one."""
    try:
        found = root()
    except Fault:
        return None
    here = (found / "lib" / "lindecay").is_dir()  # a checkout of the book itself
    return None if here or not (found / "data/claims/paper.yml").exists() else found
