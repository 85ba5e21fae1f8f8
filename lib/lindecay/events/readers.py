"""Event files as one kind of array, read by tonic and checked before use.

A clip is a structured array x, y, t (µs), p, sorted by time, inside the sensor's
geometry and below the set's time limit; anything else is one Fault, no wrap.
tonic's classes decode the files; told that a partial set is complete, they never
start a download. SHD's h5 file is opened once a split (tonic opens it per clip,
30 times slower). DVS Gesture's arrays are numpy's own: tonic multiplies times in
the file's type and casts before anyone can look, so the cast happens here.
"""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from tokenize import TokenError

import numpy as np

from lindecay.events.facts import EVENT, Facts, checked_split, facts
from lindecay.settings import Fault
from lindecay.store import memo

# what tonic, numpy and h5py raise on a file that is not what its name says
DAMAGE = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError)
DAMAGE += (RuntimeError, MemoryError, SyntaxError, TokenError)


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


def visible(home: Path, pattern: str) -> list[Path]:
    """The files one folder down, without what a system hides there (macOS' `._x`)."""
    return sorted(p for p in home.glob(f"*/{pattern}") if not p.name.startswith("."))


class EventSet:
    """One split of a set: a sequence of (events, label), sorted by path.

    Opened through `lindecay.events.dataset`, which knows where the set lies.
    paths, labels and groups (speaker, user; 0 where there is none, -1 where the file
    does not tell) go by clip.
    """

    def __init__(self, name: str, split: str, folder: Path):
        self.facts, self.split, self.folder = facts(name), checked_split(split), folder
        self.home = folder / self.facts.tonic / self.facts.folders[split]
        self.paths, self.labels, self.groups = self._listing()
        self.noted = split != "test"  # see `opened`

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        if not self.noted:
            raise Fault(
                "a test split is opened through one door",
                expected="lindecay.events.dataset or clips, which write it down",
                found="EventSet itself",
                where=self.facts.title,
            )
        i = range(len(self))[i]
        raw = guarded(self._where(i), self.facts.title, self._decode, i)
        return checked(raw, self.facts, self._where(i)), int(self.labels[i])

    def _where(self, i: int) -> str:
        return str(self.paths[i])

    def _listing(self) -> tuple[list[Path], np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _decode(self, i: int) -> np.ndarray:
        raise NotImplementedError

    @cached_property
    def tonic(self):
        """tonic's own data set for this split."""
        return reader(self.facts.name)(str(self.folder), train=self.split == "train")


def guarded(where, title: str, work, *args):
    """`work(*args)`; whatever it stumbles over is one Fault that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return work(*args)
    except (*DAMAGE, Warning) as error:
        found = " ".join(f"{type(error).__name__}: {str(error)[:80]}".split())
        raise foreign(where, expected=f"a clip of {title}", found=found) from None


class NMNIST(EventSet):
    """Train/<digit>/<id>.bin, 5 bytes an event."""

    def _listing(self):
        paths = visible(self.home, "*.bin")
        names = [path.parent.name for path in paths]
        strays = sorted({n for n in names if n not in self.facts.classes})
        if strays:
            wanted = "folders named by a class, 0 to 9"
            raise foreign(self.home, expected=wanted, found=strays[0])
        labels = np.array(names, dtype=np.int64)
        return paths, labels, np.zeros_like(labels)

    def _decode(self, i):
        size = self.paths[i].stat().st_size
        if not size or size % 5:  # tonic's decoder would swallow the rest
            raise ValueError(f"{size} bytes, where an event takes 5")
        return self.tonic[self._order[str(self.paths[i])]][0]

    @cached_property
    def _order(self) -> dict[str, int]:
        return {str(Path(path)): k for k, path in enumerate(self.tonic.data)}


class SHD(EventSet):
    """shd_train.h5: spikes/times float16 s, spikes/units, labels, extra/speaker."""

    CHUNK = 256  # clips read at once

    def _listing(self):
        if not self.home.exists():
            return [], np.zeros(0, np.int64), np.zeros(0, np.int64)
        labels, groups = guarded(self.home, self.facts.title, self._columns)
        known = len(self.facts.classes)
        if len(labels) and not 0 <= labels.min() <= labels.max() < known:
            raise foreign(
                self.home, expected=f"labels 0 to {known - 1}", found="others"
            )
        return [self.home] * len(labels), labels, groups

    def _columns(self):
        lengths = {len(self._column(f"spikes/{k}")) for k in ("times", "units")}
        labels = self._whole("labels")
        told = "extra/speaker" in self.file  # only who splits by speaker needs it
        groups = self._whole("extra/speaker") if told else np.full(len(labels), -1)
        if lengths | {len(groups)} != {len(labels)}:
            raise ValueError("columns of different length")
        return labels, groups

    def _column(self, name: str):
        """A data set of the file; ValueError says which one is missing."""
        if name not in self.file:
            raise ValueError(f"no data set {name!r} in it")
        return self.file[name]

    def _whole(self, name: str) -> np.ndarray:
        values = np.asarray(self._column(name)[()])
        if values.dtype.kind not in "iu" and (values != np.floor(values)).any():
            raise ValueError(f"{name} that are no whole numbers")
        return values.astype(np.int64)

    @cached_property
    def file(self):
        """The h5 file, opened once."""
        import h5py

        sound(self.home)
        return h5py.File(self.home, "r")

    def _where(self, i):
        return f"{self.home}, clip {i}"

    def _decode(self, i):
        start = i - i % self.CHUNK
        if getattr(self, "_at", None) != start:
            span = slice(start, start + self.CHUNK)
            spikes = self.file["spikes"]
            self._held, self._at = (spikes["times"][span], spikes["units"][span]), start
        times, units = (held[i - start] for held in self._held)
        if len(times) != len(units):
            raise ValueError(f"{len(times)} times for {len(units)} units")
        kind = "<f8" if np.asarray(units).dtype.kind == "f" else "<i8"  # 3.5 is told
        raw = np.zeros(
            len(times), [("x", kind), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")]
        )
        raw["x"], raw["p"] = units, 1  # the polarity that tonic gives
        raw["t"] = np.rint(times.astype(np.float64) * 1e6)  # µs overflow float16
        return raw


def sound(path: Path) -> None:
    """Return when libhdf5 reads the whole file without harm, else raise ValueError.

    Asked once per file and kept in the store until the file changes.
    """
    stat = path.stat()
    params = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}

    def build(folder: Path) -> None:
        patience = 10 + stat.st_size / 4e6  # s; a sound file takes 1 s per 200 MB
        ask = [
            sys.executable,
            "-I",
            str(Path(__file__).with_name("hdf5_check.py")),
            str(path),
        ]
        try:
            done = subprocess.run(ask, capture_output=True, text=True, timeout=patience)
        except subprocess.TimeoutExpired:
            raise ValueError("libhdf5 does not come to an end with it") from None
        if done.returncode:
            crash = f"libhdf5 crashed on it (status {done.returncode})"
            raise ValueError(done.stdout.strip() or crash)
        (folder / "sound").touch()

    memo("h5-sound", params, ["lindecay.events.hdf5_check"], build)


class DVSGesture(EventSet):
    """ibmGestureTrain/<user>_<light>/<class>.npy, rows x, y, p, t in ms."""

    def _listing(self):
        paths = visible(self.home, "*.npy")
        places = [guarded(path, self.facts.title, self._place, path) for path in paths]
        columns = np.array(places, dtype=np.int64).reshape(-1, 2)
        return paths, columns[:, 0], columns[:, 1]

    def _place(self, path: Path) -> tuple[int, int]:
        """Label and user, as tonic takes them from the names."""
        label, user = int(path.stem), int(path.parent.name.split("_", 1)[0][4:])
        if label not in range(len(self.facts.classes)):
            raise ValueError(f"class {label} in a file's name")
        return label, user

    def _decode(self, i):
        rows = np.load(self.paths[i], mmap_mode="r", allow_pickle=False)
        if rows.ndim != 2 or rows.shape[1] != 4 or rows.dtype.kind not in "fiu":
            raise ValueError(
                f"an array {rows.dtype} {rows.shape}, not rows of x, y, p, t"
            )
        values = np.asarray(rows, dtype=np.float64)  # µs overflow float16: cast first
        raw = np.zeros(len(values), [(k, "<f8") for k in "xypt"])
        for k, name in enumerate("xyp"):
            raw[name] = values[:, k]
        raw["t"] = np.rint(values[:, 3] * 1000)
        return raw


KINDS = {"nmnist": NMNIST, "shd": SHD, "dvsgesture": DVSGesture}


def open_set(name: str, split: str, folder: Path) -> EventSet:
    """The split `split` of the set `name` below `folder` (tonic's save_to)."""
    return KINDS[facts(name).name](name, split, folder)


def checked(raw: np.ndarray, known: Facts, where: str) -> np.ndarray:
    """`raw` as EVENT, sorted by time, when every event lies within the sensor.

    Checked before the cast: nothing wraps into the geometry.
    """
    width, height, _ = known.geometry
    fields = {"x": width - 1, "y": height - 1, "t": known.limit_us - 1, "p": 1}
    if len(raw) == 0:
        raise foreign(where, expected="at least one event", found="none")
    events = np.zeros(len(raw), EVENT)
    for field, most in fields.items():
        events[field] = _within(raw[field], field, most, where)
    if (np.diff(events["t"]) < 0).any():
        events = events[np.argsort(events["t"], kind="stable")]
    return events


def _within(values: np.ndarray, field: str, most: int, where: str) -> np.ndarray:
    """Whole numbers in 0..most, else a Fault that names the worst."""
    low, high = values.min(), values.max()
    whole = values.dtype.kind != "f" or (values == np.floor(values)).all()
    if low >= 0 and high <= most and whole:
        return values
    worst = high if low >= 0 else low
    found = f"{field}={worst}" if not (low >= 0 and high <= most) else "a fraction"
    signed = field == "p" and low == -1
    do = "write 0 for OFF where this file has -1" if signed else None
    raise foreign(where, expected=f"whole {field} in 0..{most}", found=found, do=do)
