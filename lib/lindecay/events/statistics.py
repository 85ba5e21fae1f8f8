"""What a sensor gives: counts, polarity, time range, and what binning loses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lindecay.events.binning import Binning, bins_of
from lindecay.events.clips import seen
from lindecay.events.readers import EventSet
from lindecay.events.sources import Location
from lindecay.events.split_log import open_split
from lindecay.store import memo

ROW = np.dtype(
    [("label", "i8"), ("group", "i8"), ("events", "i8"), ("on", "f8")]
    + [("first_us", "i8"), ("last_us", "i8"), ("active", "i8")]
)


FEW = 5  # below as many values a percentile is one of them


def per_clip(found: Location, split: str = "train") -> np.ndarray:
    """One ROW per clip: events, ON fraction, first and last µs, active pixels.

    Kept in the store.
    """
    opened = open_split(found, split)

    def build(folder: Path) -> None:
        rows = [_row(events) for events, _ in opened]
        np.save(folder / "rows.npy", np.array(rows, ROW))

    params = {"set": found.name, "split": split, "files": seen(opened)}
    params |= {"sha256": found.sha256}
    home = memo("clip-statistics", params, [__name__], build)
    rows = np.load(home / "rows.npy")
    rows["label"], rows["group"] = opened.labels, opened.groups
    return rows


def _row(events: np.ndarray) -> tuple:
    pixels = len(np.unique(events["y"].astype(np.int64) * 4096 + events["x"]))
    ends = int(events["t"][0]), int(events["t"][-1])
    return 0, 0, len(events), events["p"].mean(), *ends, pixels


def by_class(rows: np.ndarray, classes: Sequence[str]) -> dict[str, list]:
    """Columns of a table with one line per class that occurs."""
    there = [k for k in range(len(classes)) if (rows["label"] == k).any()]
    mine = [rows[rows["label"] == k] for k in there]
    return {
        "class": [classes[k] for k in there],
        "clips": [len(m) for m in mine],
        "events, median": [_median(m["events"]) for m in mine],
        "events, 5 to 95 %": [_span(m["events"]) for m in mine],
        "ON, %": [round(100 * m["on"].mean(), 1) for m in mine],
        "last event, ms": [round(np.median(m["last_us"]) / 1e3) for m in mine],
    }


def _median(values: np.ndarray) -> int:
    """To the nearest whole number, as a page prints it.

    >>> _median(np.array([1, 2, 4, 5])), _median(np.array([3, 4]))
    (3, 4)
    """
    return round(float(np.median(values)))


def _span(values: np.ndarray) -> str:
    """5th to 95th percentile; a handful of values has none.

    >>> _span(np.arange(101)), _span(np.array([7]))
    ('5 to 95', '')
    """
    if len(values) < FEW:
        return ""
    low, high = np.percentile(values, (5, 95))
    return f"{low:.0f} to {high:.0f}"


def kept(clips: Sequence[np.ndarray], binning: Binning, sensor: tuple) -> float:
    """Share of events that are still told apart: entries that are on / events.

    >>> e = np.zeros(4, [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i2")])
    >>> kept([e], Binning(dt_us=10, steps=1), (3, 3, 2))
    0.25
    """
    entries = sum(len(bins_of(events, binning, sensor)[0]) for events in clips)
    return entries / sum(map(len, clips))


def lines(kinds: dict[str, np.ndarray]) -> list[dict]:
    """One line of a table per kind of source (rows of `per_clip`)."""
    return [{"source": kind, **_line(rows)} for kind, rows in kinds.items()]


def _line(rows: np.ndarray) -> dict:
    rate = rows["events"] / rows["last_us"] * 1e6
    return {
        "clips": len(rows),
        "events, median": _median(rows["events"]),
        "events, 5 to 95 %": _span(rows["events"]),
        "events per s": _median(rate),
        "ON fraction": round(float(rows["on"].mean()), 3),
        "last event, ms": round(float(np.median(rows["last_us"])) / 1e3),
        "active pixels": _median(rows["active"]),
    }


def time_image(events: np.ndarray, sensor: tuple, least: int = 1) -> np.ndarray:
    """Mean time in ms of each pixel's events, float [H, W].

    NaN where there were fewer than `least`.
    """
    width, height, _ = sensor
    place = events["y"].astype(np.int64) * width + events["x"]
    many = np.bincount(place, minlength=width * height)
    total = np.bincount(place, events["t"] / 1e3, minlength=width * height)
    mean = np.divide(total, many, np.full(len(total), np.nan), where=many >= least)
    return mean.reshape(height, width)


def rate(clips: Sequence[np.ndarray], edges_us: np.ndarray) -> np.ndarray:
    """Mean events per clip and ms in each span of time."""
    times = np.concatenate([events["t"] for events in clips])
    return np.histogram(times, edges_us)[0] / len(clips) / np.diff(edges_us) * 1e3


def first_of_each(opened: EventSet) -> dict[int, np.ndarray]:
    """Events of the first clip of each class that occurs."""
    labels, at = np.unique(opened.labels, return_index=True)
    return {int(label): opened[int(i)][0] for label, i in zip(labels, at)}


def raster(events: np.ndarray, sensor: tuple, dt_us: int, steps: int, join: int):
    """Events per bin of time and `join` channels, [channels / join, steps]."""
    edges = np.arange(0, sensor[0] + 1, join), np.arange(steps + 1) * dt_us
    return np.histogram2d(events["x"], events["t"], bins=edges)[0]
