"""Event files as one kind of array, read by tonic and checked before use.

A clip is a structured array x, y, t (µs), p, sorted by time, inside the sensor's
geometry and below the set's time limit; anything else is one Fault, no wrap.
tonic's classes find and decode the files; told that a partial set is complete,
they never start a download.
"""

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from lindecay.events.facts import EVENT, Facts, checked_split, facts
from lindecay.settings import Fault

# what tonic, numpy and h5py raise on a file that is not what its name says
DAMAGE = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError)
DAMAGE += (RuntimeError, MemoryError, SyntaxError, AttributeError, NotImplementedError)


@cache
def reader(name: str) -> type:
    """tonic's class for the set; here every set that has a folder is complete."""
    import tonic.datasets

    known = facts(name).tonic

    def complete(self) -> bool:
        return True

    def download(self) -> None:
        raise Fault("a reader never downloads", where=self.location_on_system)

    own = {"_check_exists": complete, "download": download}
    return type(known, (getattr(tonic.datasets, known),), own)


def foreign(path, *, expected, found, do=None) -> Fault:
    """The one error for a file that does not hold what it should."""
    what = "not a usable event file"
    return Fault(what, expected=expected, found=found, where=str(path), do=do)


class EventSet:
    """One split of a set: a sequence of (events, label), sorted by path.

    Opened through `lindecay.events.dataset`, which knows where the set lies.
    """

    def __init__(self, name: str, split: str, folder: Path):
        self.facts, self.split, self.folder = facts(name), checked_split(split), folder
        home = folder / self.facts.tonic
        self.paths, self.labels = _listing(self.facts, split, home)
        self._tonic = None

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        i = range(len(self))[i]
        raw = self._decode(i)
        return checked(raw, self.facts, self.paths[i]), int(self.labels[i])

    def _decode(self, i: int) -> np.ndarray:
        """What tonic makes of the file; whatever it stumbles over is a Fault."""
        path = self.paths[i]
        _precheck(self.facts, path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return self._source()[self._place(i)][0]
        except (*DAMAGE, Warning) as error:
            found = f"{type(error).__name__}: {str(error)[:80]}"
            raise foreign(path, expected=self.facts.title, found=found) from None

    def _source(self):
        if self._tonic is None:
            train = self.split == "train"
            self._tonic = reader(self.facts.name)(str(self.folder), train=train)
            order = {str(Path(p)): k for k, p in enumerate(self._tonic.data)}
            self._order = [order[str(p)] for p in self.paths]
        return self._tonic

    def _place(self, i: int) -> int:
        return self._order[i]


def _listing(known: Facts, split: str, home: Path) -> tuple[list[Path], np.ndarray]:
    """Paths and labels of a split, sorted by path; Fault on a stray folder."""
    folder = home / known.folders[split]
    paths = sorted(folder.glob("*/*.bin"))
    labels = [path.parent.name for path in paths]
    strays = sorted({label for label in labels if label not in known.classes})
    if strays:
        raise foreign(
            folder, expected="folders named by a class, 0 to 9", found=strays[0]
        )
    return paths, np.array(labels, dtype=np.int64)


def _precheck(known: Facts, path: Path) -> None:
    """What the decoder would silently swallow."""
    size = path.stat().st_size if path.is_file() else None
    if not size or size % 5:
        found = "no file" if size is None else f"{size} bytes"
        raise foreign(path, expected="5 bytes an event, at least one", found=found)


def checked(raw: np.ndarray, known: Facts, path) -> np.ndarray:
    """`raw` as EVENT, sorted by time, when every event lies within the sensor.

    Checked before the cast: nothing wraps into the geometry.
    """
    width, height, _ = known.geometry
    fields = {"x": width - 1, "y": height - 1, "t": known.limit_us - 1, "p": 1}
    if len(raw) == 0:
        raise foreign(path, expected="at least one event", found="none")
    events = np.zeros(len(raw), EVENT)
    for field, most in fields.items():
        if field not in raw.dtype.names:
            continue
        values = raw[field]
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= most):
            worst = low if not low >= 0 else high
            told = {"expected": f"{field} in 0..{most}", "found": f"{field}={worst}"}
            raise foreign(path, **told)
        events[field] = values
    if (np.diff(events["t"]) < 0).any():
        events = events[np.argsort(events["t"], kind="stable")]
    return events
