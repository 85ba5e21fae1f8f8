"""Networks and events from files that strangers wrote.

Files are data: nothing is unpickled or evaluated, and sizes are checked as the file
tells them, before memory is taken. `module:attribute` is the one way that runs code.
"""

import importlib
import math
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from lindecay.checkpoints import Checkpoint
from lindecay.events import Binning, Clips
from lindecay.settings import Fault, profile

LARGEST = 2**32  # bytes that the arrays of a file may take
SETS = ("nmnist", "shd", "dvsgesture")
SPLITS = ("train", "test")
CLIPS = 100  # of a data set, where nobody said how many


def network(text: str):
    """What NETWORK on the command line means.

    A path that ends in .nir (kept as a path) or .npz (an integer checkpoint), or
    `module:attribute`: a network, or something that returns one when it is called.

    Raises:
        Fault: no such file, or no network there.
    """
    path = Path(text)
    if path.suffix == ".nir":
        return _there(path)
    if path.suffix == ".npz":
        _sized(_there(path))
        return Checkpoint.load(path)
    module, colon, attribute = text.partition(":")
    if colon and module and attribute:
        return _imported(module, attribute)
    raise Fault(
        "no network is known by that name",
        expected="FILE.nir, CHECKPOINT.npz or module:attribute",
        found=repr(text),
    )


def _there(path: Path) -> Path:
    if not path.is_file():
        raise Fault("no such file", expected="a file that is there", found=str(path))
    return path


def _imported(module: str, attribute: str):
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise Fault(
            "the network cannot be imported",
            expected="module:attribute, from here or installed",
            found=f"{type(error).__name__}: {str(error)[:120]}",
        ) from None
    finally:
        sys.path.pop(0)
    is_network = isinstance(found, list | tuple | Checkpoint) or (
        hasattr(found, "forward") and not isinstance(found, type)
    )
    return found if is_network or not callable(found) else found()


def bits(text: str) -> tuple[int, int] | None:
    """ "4,16" as (4, 16); None for nothing.

    Raises:
        Fault: anything else.
    """
    if not text:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(p.strip().isdigit() for p in parts):
        raise Fault("bits", expected="WEIGHT,MEMBRANE as in 4,16", found=repr(text))
    return int(parts[0]), int(parts[1])


def events(text: str, clips=None, dt_us=None, steps=None, labels: str = ""):
    """What EVENTS on the command line means: (events in a form of `emulate`, labels).

    A .npz (`events` [T, clips, …], or `indptr`, `channel`, `steps`, `channels`; with
    `labels`), a .npy [T, clips, …], a .h5 in SHD's layout, or a set: nmnist, shd/train.

    Args:
        text: file or set.
        clips: the first of them; all of a file, 100 of a set, where None.
        dt_us, steps: width and number of bins, of .h5 and of sets.
        labels: a .npy with a class for each clip, where the events have none.

    Raises:
        Fault: no such file, too large, or not what it should hold.
    """
    for what, value in (("clips", clips), ("dt_us", dt_us), ("steps", steps)):
        if value is not None and value < 1:
            raise Fault(
                f"--{what}".replace("_", "-"), expected="1 or more", found=value
            )
    found, known = _events(text, clips, dt_us, steps)
    if labels:
        known = _npy(_there(Path(labels)), None, None)[0]
        many = len(found) if isinstance(found, Clips) else found.shape[1]
        known = known[:many] if clips else known
    return found, known


def _events(text, clips, dt_us, steps):
    path = Path(text)
    name, _, split = text.partition("/")
    if name in SETS and (split or "test") in SPLITS and not path.exists():
        return _set(name, split or "test", clips or CLIPS, dt_us, steps)
    readers = {".npz": _npz, ".npy": _npy, ".h5": _h5, ".hdf5": _h5}
    if path.suffix not in readers:
        raise Fault(
            "no events are known by that name",
            expected="FILE.npz, .npy, .h5, or nmnist, shd, dvsgesture (/train, /test)",
            found=repr(text),
        )
    found, labels = readers[path.suffix](_there(path), dt_us, steps)
    if isinstance(found, Clips):
        few = (
            found if clips is None else found.subset(np.arange(min(clips, len(found))))
        )
        return few, None if labels is None else labels[: len(few)]
    few = found[:, :clips]
    return few, None if labels is None else labels[:clips]


def _set(name, split, clips, dt_us, steps) -> tuple[Clips, np.ndarray]:
    from lindecay import events as room

    size = profile("quick")
    usual = room.default_binning(name, size)
    binning = replace(usual, counted=True)
    if dt_us:
        many = steps or math.ceil(usual.steps * (usual.dt_us or dt_us) / dt_us)
        binning = replace(binning, dt_us=dt_us, steps=many)
    elif steps:
        binning = replace(binning, steps=steps)
    found = room.clips(name, split, "quick", binning)
    found = found.subset(np.arange(min(clips, len(found))))
    return found, found.labels


def _sized(path: Path) -> None:
    """Fault where the arrays of an .npz, as it tells them, are too large."""
    try:
        with zipfile.ZipFile(path) as file:
            rows = file.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise Fault("not an .npz file", found=f"{error}", where=str(path)) from None
    total = sum(row.file_size for row in rows)
    if total > LARGEST:
        raise Fault(
            "a file too large for memory",
            expected=f"at most {LARGEST >> 20} MiB of arrays",
            found=f"{total >> 20} MiB",
            where=str(path),
        )


def _npz(path: Path, dt_us, steps):
    _sized(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            held = {key: stored[key] for key in stored.files}
    except (ValueError, OSError, EOFError) as error:
        raise Fault(
            "an .npz of plain arrays", found=str(error)[:100], where=str(path)
        ) from None
    labels = held.get("labels")
    if "events" in held:
        return held["events"], labels
    keys = ("indptr", "channel", "steps", "channels")
    if any(key not in held for key in keys):
        raise Fault(
            "no events in this file",
            expected="`events` [T, clips, …], or " + ", ".join(keys),
            found=", ".join(sorted(held)) or "nothing",
            where=str(path),
        )
    try:
        steps, channels = int(held["steps"]), int(held["channels"])
    except (TypeError, ValueError):
        raise Fault("steps and channels", expected="numbers", where=str(path)) from None
    many = max(len(held["indptr"]) - 1, 0)
    if steps < 1 or many % steps:
        found = f"{many} rows of {steps} steps"
        raise Fault("rows of the clips", expected="clips x steps + 1", found=found)
    n = many // steps
    made = Clips(
        indptr=held["indptr"].astype(np.int64),
        channel=held["channel"].astype(np.int32),
        labels=np.zeros(n, np.int64),
        steps=steps,
        channels=channels,
        dt_us=0,
        name=path.name,
        split="given",
        source="given",
        sha256="",
        count=held.get("count"),
    )
    from lindecay.sram.given import as_clips

    return as_clips(made)[0], labels


def _npy(path: Path, dt_us, steps):
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise Fault(
            "not a plain .npy array", found=str(error)[:100], where=str(path)
        ) from None
    if held.nbytes > LARGEST:
        raise Fault(
            "a file too large for memory",
            expected=f"at most {LARGEST >> 20} MiB",
            found=f"{held.nbytes >> 20} MiB, {held.shape}",
            where=str(path),
        )
    return np.asarray(held), None


def _h5(path: Path, dt_us, steps):
    """SHD's layout: spikes/times in seconds, spikes/units, labels."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            for key in ("spikes/times", "spikes/units", "labels"):
                if key not in file:
                    what = f"no data set {key} in this file"
                    raise Fault(what, expected="SHD's layout", where=str(path))
            times, units = file["spikes/times"], file["spikes/units"]
            _plain(times, units, file["labels"], path)
            labels = file["labels"][()]
            clips = [
                (np.asarray(t, np.float64), np.asarray(u, np.float64))
                for t, u in zip(times[()], units[()])
            ]
    except OSError as error:
        raise Fault(
            "not an HDF5 file", found=str(error)[:100], where=str(path)
        ) from None
    return _binned(clips, labels, dt_us or 14_000, steps, path), labels.astype(np.int64)


def _plain(times, units, labels, path) -> None:
    """Fault where clips, labels or sizes do not fit."""
    n = labels.shape[0] if labels.shape else 0
    if times.shape != (n,) or units.shape != (n,) or not n:
        found = f"{times.shape}, {units.shape}, {labels.shape}"
        raise Fault(
            "times, units and labels of each clip", found=found, where=str(path)
        )
    for one in (times, units, labels):
        if one.external or one.is_virtual:
            raise Fault("data outside the file", found=one.name, where=str(path))
    if path.stat().st_size > LARGEST:
        raise Fault("a file too large for memory", found=f"{path.stat().st_size} bytes")


def _binned(clips, labels, dt_us: int, steps, path: Path) -> Clips:
    if not all(np.isfinite(t).all() and (t >= 0).all() for t, _ in clips):
        raise Fault("times of spikes", expected="seconds from 0", where=str(path))
    last = max((float(t.max(initial=0)) for t, _ in clips), default=0.0)
    steps = steps or max(1, math.ceil(last * 1e6 / dt_us + 1e-9))
    if steps > 100_000:
        found = f"{steps} bins of {dt_us} us"
        raise Fault("too many time steps", expected="at most 100000", found=found)
    top = 700
    for i, (t, u) in enumerate(clips):
        whole = (u == np.rint(u)).all() and (u >= 0).all() and (u < top).all()
        if len(t) != len(u) or not whole:
            found = f"{u[:3].tolist()} …"
            told = f"whole units 0 to {top - 1}, one a time"
            raise Fault(
                "units of spikes", expected=told, found=found, where=f"clip {i}"
            )
    rows = [
        np.unique(
            (t * 1e6 // dt_us).astype(np.int64)[keep] * top + u.astype(np.int64)[keep],
            return_counts=True,
        )
        for t, u in clips
        for keep in [t * 1e6 < steps * dt_us]
    ]
    per_bin = np.concatenate([np.bincount(k // top, minlength=steps) for k, _ in rows])
    return Clips(
        indptr=np.concatenate([[0], np.cumsum(per_bin)]).astype(np.int64),
        channel=np.concatenate([k % top for k, _ in rows]).astype(np.int32),
        labels=np.asarray(labels, np.int64),
        steps=steps,
        channels=top,
        dt_us=dt_us,
        name=path.name,
        split="given",
        source="given",
        sha256="",
        count=np.concatenate([c for _, c in rows]).astype(np.uint16),
    )


__all__ = ["Binning", "bits", "events", "network"]
