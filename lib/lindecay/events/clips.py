"""Binned clips of one split, sparse until the first layer, kept in the store."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lindecay.events.binning import Binning, bins_of
from lindecay.events.facts import checked_split, facts
from lindecay.events.readers import EventSet
from lindecay.events.sources import Location, locate
from lindecay.settings import Fault, Profile, profile
from lindecay.store import memo

ARRAYS = ("indptr", "channel", "labels")


@dataclass(frozen=True)
class Clips:
    """Binary events per time bin and channel, as compressed rows.

    Row (clip * steps + t) holds the channels that are on, sorted and unique.
    """

    indptr: np.ndarray  # int64 [clips * steps + 1]
    channel: np.ndarray  # int32 [entries]
    labels: np.ndarray  # int64 [clips]
    steps: int
    channels: int
    dt_us: int
    name: str
    split: str
    source: str  # recordings | official | stand-in
    sha256: str  # of the contents: what was really fed

    def __len__(self) -> int:
        return len(self.labels)

    def events(self, clip: int, t: int) -> np.ndarray:
        """Channels that are on in bin `t` of `clip`, int32, a view."""
        row = clip * self.steps + t
        return self.channel[self.indptr[row] : self.indptr[row + 1]]

    def subset(self, idx) -> "Clips":
        """The clips `idx` (indices or mask), in that order."""
        idx = self._indices(idx)
        rows = (idx[:, None] * self.steps + np.arange(self.steps)).ravel()
        size = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        source = np.arange(indptr[-1]) + np.repeat(
            self.indptr[:-1][rows] - indptr[:-1], size
        )
        part = replace(
            self, indptr=indptr, channel=self.channel[source], labels=self.labels[idx]
        )
        return replace(part, sha256=fingerprint(part))

    def dense(self, idx=slice(None)) -> np.ndarray:
        """uint8 [steps, len(idx), channels]: time, batch, channels."""
        idx = self._indices(idx)
        out = np.zeros((self.steps, len(idx), self.channels), np.uint8)
        for place, clip in enumerate(idx):
            ends = self.indptr[clip * self.steps : (clip + 1) * self.steps + 1]
            step = np.repeat(np.arange(self.steps), np.diff(ends))
            out[step, place, self.channel[ends[0] : ends[-1]]] = 1
        return out

    def _indices(self, idx) -> np.ndarray:
        return np.atleast_1d(np.arange(len(self))[idx])


def fingerprint(clips: Clips) -> str:
    """sha256 of the contents, the same wherever they were binned."""
    shape = f"{clips.steps},{clips.channels},{clips.dt_us}".encode()
    digest = hashlib.sha256(shape)
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(getattr(clips, name)).data)
    return digest.hexdigest()


def clips(name: str, split: str, size: Profile | str) -> Clips:
    """Clips of the set `name`, binned as the profile `size` says.

    Raises Fault on an unknown name, a damaged file, an empty split.
    """
    size = profile(size) if isinstance(size, str) else size
    found = locate(name, size.name)
    binning = Binning(dt_us=size.dt_us, steps=size.steps)
    return binned(found, checked_split(split), binning)


def binned(found: Location, split: str, binning: Binning) -> Clips:
    """The split of a set that was found, binned once and kept."""
    opened = EventSet(found.name, split, found.folder)
    if not len(opened):
        raise Fault(
            f"no {split} clips",
            expected=f"a set with {split} clips",
            found=f"{found.counts} ({found.origin})",
            where=str(found.folder),
        )
    params = {"set": found.name, "split": split, **binning.describe()}
    params |= {"source": found.source, "sha256": found.sha256, "files": seen(opened)}
    modules = ["lindecay.events.binning", "lindecay.events.readers"]
    home = memo("clips", params, modules, lambda out: _build(opened, binning, out))
    return _load(home, found, split)


def seen(opened: EventSet) -> str:
    """What the files look like from outside: a changed file is binned anew."""
    digest = hashlib.sha256()
    for path in sorted(set(opened.paths)):
        stat = path.stat()
        digest.update(f"{path.name},{stat.st_size},{stat.st_mtime_ns};".encode())
    return digest.hexdigest()


def _build(opened: EventSet, binning: Binning, out: Path) -> None:
    """Bin every clip into `out`: three arrays and their description."""
    geometry, steps = opened.facts.geometry, binning.steps
    channels = opened.facts.channels
    keys = [bins_of(events, binning, geometry) for events, _ in opened]
    rows = [np.bincount(k // channels, minlength=steps) for k in keys]
    arrays = {
        "indptr": np.concatenate([[0], np.cumsum(np.concatenate(rows))]),
        "channel": (np.concatenate(keys) % channels).astype(np.int32),
        "labels": opened.labels,
    }
    for name, values in arrays.items():
        np.save(out / f"{name}.npy", values)
    meta = {"steps": steps, "channels": channels, "dt_us": binning.dt_us}
    whole = Clips(**arrays, **meta, name="", split="", source="", sha256="")
    meta["sha256"] = fingerprint(whole)
    (out / "meta.json").write_text(json.dumps(meta))


def _load(home: Path, found: Location, split: str) -> Clips:
    """Kept clips, memory-mapped."""
    arrays = {k: np.load(home / f"{k}.npy", mmap_mode="r") for k in ARRAYS}
    arrays |= {k: np.array(arrays[k]) for k in ("indptr", "labels")}
    meta = json.loads((home / "meta.json").read_text())
    return Clips(**arrays, **meta, name=found.name, split=split, source=found.source)


def classes(name: str) -> tuple[str, ...]:
    """Names of the classes, by label."""
    return facts(name).classes
