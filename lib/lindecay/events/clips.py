"""Binned clips of one split, sparse until the first layer, kept in the store."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lindecay.events import rows
from lindecay.events.binning import MOST, Binning, bins_of
from lindecay.events.facts import checked_split, facts
from lindecay.events.readers import EventSet
from lindecay.events.sources import Location, locate
from lindecay.events.split_log import open_split
from lindecay.settings import Fault, Profile, profile
from lindecay.store import memo


@dataclass(frozen=True)
class Clips:
    """Binary events per time bin and channel, as compressed rows.

    Row (clip * steps + t) holds the channels that are on, sorted and unique; how often
    each of them spiked stands in `count`. Clips made by hand are checked before
    anything reads them, because compiled loops follow these pointers blindly; what the
    store maps into memory was checked when it was binned.

    Raises:
        Fault: pointers, channels, counts or labels that do not fit together.
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
    sha256: str  # of the contents, and of the choice in a subset
    count: np.ndarray | None = None  # uint16 [entries]: events, where counted

    def __post_init__(self):
        where = f"clips {self.name}/{self.split}".rstrip("/")
        rows.check(self.indptr, len(self.labels) * self.steps, self.channel, where)
        rows.check_whole("labels", self.labels, where)
        if not isinstance(self.channel, np.memmap):
            rows.check_channels(self.indptr, self.channel, self.channels, where)
            rows.check_counts(self.count, self.channel, where)

    def __len__(self) -> int:
        return len(self.labels)

    def events(self, clip: int, t: int) -> np.ndarray:
        """Channels that are on in bin `t` of `clip`, int32, a view."""
        row = clip * self.steps + t
        return self.channel[self.indptr[row] : self.indptr[row + 1]]

    def subset(self, idx) -> "Clips":
        """The clips `idx` (indices or mask), in that order."""
        idx = self._indices(idx)
        bins = (idx[:, None] * self.steps + np.arange(self.steps)).ravel()
        size = self.indptr[bins + 1] - self.indptr[bins]
        spans = [slice(*ends) for ends in zip(*self.indptr[self._ends(idx)])]

        def joined(column):
            parts = [column[span] for span in spans]
            return np.concatenate(parts) if parts else column[:0]

        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
            channel=joined(self.channel),
            count=None if self.count is None else joined(self.count),
            labels=self.labels[idx],
            sha256=self._chosen(idx),
        )

    def _ends(self, idx: np.ndarray) -> np.ndarray:
        """Rows at which the clips `idx` begin and end, [2, clips]."""
        return np.stack([idx, idx + 1]) * self.steps

    def _chosen(self, idx: np.ndarray) -> str:
        """sha256 of a choice: of these contents and which of them, in order."""
        if len(idx) == len(self) and (idx == np.arange(len(self))).all():
            return self.sha256
        return hashlib.sha256(
            self.sha256.encode() + idx.astype("<i8").tobytes()
        ).hexdigest()

    def dense(self, idx=slice(None)) -> np.ndarray:
        """uint8, counted uint16 [steps, len(idx), channels]: time, batch, channels."""
        idx = self._indices(idx)
        kind = np.uint8 if self.count is None else np.uint16
        out = np.zeros((self.steps, len(idx), self.channels), kind)
        for place, clip in enumerate(idx):
            ends = self.indptr[clip * self.steps : (clip + 1) * self.steps + 1]
            span = slice(ends[0], ends[-1])
            step = np.repeat(np.arange(self.steps), np.diff(ends))
            value = 1 if self.count is None else self.count[span]
            out[step, place, self.channel[span]] = value
        return out

    def _indices(self, idx) -> np.ndarray:
        try:
            return np.atleast_1d(np.arange(len(self))[idx])
        except (IndexError, TypeError) as error:
            raise Fault(
                "no such clips", expected=f"indices below {len(self)}, or a mask",
                found=str(error)[:80],
            ) from None  # fmt: skip


def fingerprint(clips: Clips) -> str:
    """sha256 of the contents, the same wherever they were binned."""
    shape = f"{clips.steps},{clips.channels},{clips.dt_us}".encode()
    digest = hashlib.sha256(shape)
    for part in (clips.indptr, clips.channel, clips.labels, clips.count):
        digest.update(b"" if part is None else np.ascontiguousarray(part).data)
    return digest.hexdigest()


def default_binning(name: str, size: Profile) -> Binning:
    """The binning that the book uses: N-MNIST's is the profile's own."""
    return {
        "nmnist": Binning(dt_us=size.dt_us, steps=size.steps),
        "shd": Binning(dt_us=14_000, steps=100),
        "dvsgesture": Binning(dt_us=14_500, steps=100, downsample=4),
    }[facts(name).name]


def clips(
    name: str, split: str, size: Profile | str, binning: Binning | None = None
) -> Clips:
    """Clips of the set `name`, binned as the profile `size` says, or as `binning`.

    Opening the test split is written down (see `opened`).
    Raises Fault on an unknown name, a damaged file, an empty split.
    """
    size = profile(size) if isinstance(size, str) else size
    split = checked_split(split)
    return binned(
        locate(name, size.name), split, binning or default_binning(name, size)
    )


def binned(found: Location, split: str, binning: Binning) -> Clips:
    """The split of a set that was found, binned once and kept."""
    opened = open_split(found, split)
    if not len(opened):
        raise Fault(
            f"no {split} clips",
            expected=f"a set with {split} clips",
            found=f"{found.counts} ({found.origin})",
            where=str(found.folder),
        )
    params = {"set": found.name, "split": split, **binning.describe()}
    params |= {"source": found.source, "sha256": found.sha256, "files": seen(opened)}
    home = memo("clips", params, [__name__], lambda out: _build(opened, binning, out))
    return _load(home, found, split)


def seen(opened: EventSet) -> str:
    """What the files look like from outside: a changed file is binned anew."""
    digest = hashlib.sha256()
    for path in sorted(set(opened.paths)):
        stat = path.stat()
        place = path.relative_to(opened.folder)
        digest.update(f"{place},{stat.st_size},{stat.st_mtime_ns};".encode())
    return digest.hexdigest()


def _build(opened: EventSet, binning: Binning, out: Path) -> None:
    """Bin every clip into `out`, one clip in memory at a time."""
    channels, sizes = binning.channels(opened.facts.geometry), [np.zeros(1, np.int64)]
    with (out / "channel.i4").open("wb") as on, (out / "count.u2").open("wb") as many:
        for i, (events, _) in enumerate(opened):
            keys, counts = bins_of(events, binning, opened.facts.geometry)
            sizes.append(np.bincount(keys // channels, minlength=binning.steps))
            (keys % channels).astype("<i4").tofile(on)
            if binning.counted:
                _fits(counts, opened, i).astype("<u2").tofile(many)
    np.save(out / "indptr.npy", np.cumsum(np.concatenate(sizes)))
    np.save(out / "labels.npy", opened.labels)
    meta = {"steps": binning.steps, "channels": channels}
    meta |= {"dt_us": binning.dt_us or 0, "counted": binning.counted}
    meta["sha256"] = fingerprint(_open(out, meta))
    (out / "meta.json").write_text(json.dumps(meta))


def _fits(counts: np.ndarray, opened: EventSet, i: int) -> np.ndarray:
    """Counts of one clip, when two bytes hold each."""
    if counts.size and counts.max() > MOST:
        raise Fault(
            "too many events in one bin and channel to count",
            expected=f"at most {MOST}",
            found=int(counts.max()),
            where=f"{opened.facts.title}, clip {i}",
            do="use shorter bins",
        )
    return counts


def _open(home: Path, meta: dict, **stamp) -> Clips:
    """The arrays of a folder, the long ones memory-mapped."""
    arrays = {k: np.load(home / f"{k}.npy") for k in ("indptr", "labels")}
    arrays["channel"] = _mapped(home / "channel.i4", "<i4")
    arrays["count"] = _mapped(home / "count.u2", "<u2") if meta["counted"] else None
    meta = {k: meta[k] for k in ("steps", "channels", "dt_us")}
    blank = {"name": "", "split": "", "source": "", "sha256": ""}
    return Clips(**arrays, **meta, **{**blank, **stamp})


def _mapped(path: Path, kind: str) -> np.ndarray:
    """A raw file as an array; mapping an empty file is an error of its own."""
    size = path.stat().st_size
    return np.memmap(path, kind, mode="r") if size else np.zeros(0, kind)


def _load(home: Path, found: Location, split: str) -> Clips:
    """Kept clips with their stamp."""
    meta = json.loads((home / "meta.json").read_text())
    stamp = {"name": found.name, "split": split, "source": found.source}
    return _open(home, meta, **stamp, sha256=meta["sha256"])
