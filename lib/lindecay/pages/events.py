"""Chapter 03: what the sensors give, as tables, images and numbers.

`known` is `events.manifest()`, `found` {set: where its clips lie}, `kinds` {set:
{"recordings" or "stand-in": where}}; a sample is a list of clips' events.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lindecay import events
from lindecay.events import readout, statistics
from lindecay.results import number

TITLES = {"nmnist": "N-MNIST", "shd": "SHD", "dvsgesture": "DVS Gesture"}
SPANS_US = {"nmnist": 340_000, "shd": 1_400_000, "dvsgesture": 1_450_000}
LENGTHS_US = {"nmnist": 310_000, "shd": 1_200_000, "dvsgesture": 1_450_000}
EVERY = {"nmnist": 10, "shd": 60, "dvsgesture": 1}  # clips that a sample skips
FEW = {"nmnist": 20, "shd": 20, "dvsgesture": 4}  # clips whose bins are counted


def sets(known: Mapping, found: Mapping) -> pd.DataFrame:
    """What a page was computed from, beside the official sizes."""
    return pd.DataFrame(
        {
            "set": one.title,
            "sensor": " × ".join(map(str, one.geometry)),
            "classes": len(one.classes),
            "this page": found[name].source,
            "train": found[name].counts["train"],
            "test": found[name].counts["test"],
            "official train": one.official["train"],
            "official test": one.official["test"],
            "licence": one.licence,
        }
        for name, one in known.items()
    )


def set_numbers(found: Mapping) -> dict:
    """Source and number of clips of each set."""
    told = {}
    for name, place in found.items():
        told[f"{name}.source"] = number(place.source, source=place.source)
        for split, clips in place.counts.items():
            told[f"{name}.{split}"] = number(clips, source=place.source)
    return told


def sources(known: Mapping, rows: Mapping) -> pd.DataFrame:
    """Counts, rates, polarity and length of recordings and stand-ins, a line each."""
    return pd.DataFrame(
        {"set": one.title, **line}
        for name, one in known.items()
        for line in statistics.lines(rows[name])
    )


def clip_numbers(found: Mapping, rows: Mapping) -> dict:
    """Median events of a clip and share of ON events, of what the page rests on."""
    told = {}
    for name, place in found.items():
        mine = rows[name][place.source]
        stamp = {"n": len(mine), "source": place.source}
        median, on = float(np.median(mine["events"])), float(mine["on"].mean())
        told[f"{name}.events_median"] = number(median, digits=0, **stamp)
        told[f"{name}.on_fraction"] = number(on, digits=3, **stamp)
    return told


def time_images(place, one, least: int, late: int, join: int = 1) -> tuple:
    """First clip of each class as an image of mean times, and its table.

    Args:
        place: where the clips lie; `one`: the set's entry in the manifest.
        least: events that a pixel needs; `late`: ms that are looked at.
        join: pixels that become one, along each side.

    Returns ({class: ms [height, width]}, table of class and events).
    """
    clips = statistics.first_of_each(events.open_split(place, "train"))
    width, height, _ = one.geometry
    images, sensor = {}, (width // join, height // join, 2)
    for label, clip in clips.items():
        early = clip[clip["t"] < 1000 * late]
        early["x"] //= join
        early["y"] //= join
        image = statistics.time_image(early, sensor, least)
        images[one.classes[label]] = image
    return images, _counted(clips, one, "events")


def rasters(place, one) -> tuple:
    """First clip of each class as spikes in ten channels and 14 ms, and its table."""
    clips = statistics.first_of_each(events.open_split(place, "train"))
    images = {
        one.classes[label]: statistics.raster(clip, (700, 1, 1), 14_000, 70, 10)
        for label, clip in clips.items()
    }
    return images, _counted(clips, one, "spikes")


def _counted(clips: Mapping, one, what: str) -> pd.DataFrame:
    names = [one.classes[label] for label in clips]
    return pd.DataFrame({"class": names, what: [len(c) for c in clips.values()]})


def sample(kinds: Mapping) -> dict:
    """{(set, kind): some training clips' events}, spread over the set."""
    some = {}
    for name, places in kinds.items():
        most = 20 if name == "dvsgesture" else 150
        for kind, place in places.items():
            opened = events.open_split(place, "train")
            picked = range(0, len(opened), EVERY[name])[:most]
            some[name, kind] = [opened[i][0] for i in picked]
    return some


def rates(some: Mapping) -> pd.DataFrame:
    """Events per ms over time: columns "SET, ms" and "SET, KIND"."""
    table = {}
    for (name, kind), clips in some.items():
        edges = np.linspace(0, SPANS_US[name], 69)
        table[f"{name}, ms"] = edges[:-1] / 1e3
        table[f"{name}, {kind}"] = statistics.rate(clips, edges)
    return pd.DataFrame(table)


def rate_numbers(table: pd.DataFrame, found: Mapping) -> dict:
    """Slowest and fastest span of DVS Gesture, in events per ms."""
    source = found["dvsgesture"].source
    rate = table[f"dvsgesture, {source}"]
    ends = [float(rate.min()), float(rate.max())]
    return {"dvsgesture.rate_span": number(ends, digits=0, source=source)}


def kept(some: Mapping, known: Mapping, used: Mapping, widths: list[int]) -> dict:
    """{(set, kind): per cent of events kept apart by bins of these widths in ms}."""
    return {
        (name, kind): [
            100
            * statistics.kept(
                clips[: FEW[name]],
                events.Binning(w * 1000, 1500 // w, downsample=used[name].downsample),
                known[name].geometry,
            )
            for w in widths
        ]
        for (name, kind), clips in some.items()
    }


def kept_table(shares: Mapping, widths: list[int]) -> pd.DataFrame:
    """Those shares as columns "SET, KIND" beside the width in ms."""
    columns = {f"{name}, {kind}": values for (name, kind), values in shares.items()}
    return pd.DataFrame({"ms": widths} | columns)


def kept_numbers(some: Mapping, known: Mapping, used: Mapping, found: Mapping) -> dict:
    """Share kept apart by the bins that the book uses, and their width."""
    told = {}
    for name, place in found.items():
        clips, binning = some[name, place.source][: FEW[name]], used[name]
        share = 100 * statistics.kept(clips, binning, known[name].geometry)
        stamp = {"n": len(clips), "source": place.source}
        told[f"{name}.kept"] = number(share, digits=0, unit="%", **stamp)
        told[f"{name}.dt_ms"] = number(binning.dt_us / 1000, unit="ms")
    return told


def readouts(kinds: Mapping, most: float) -> dict:
    """{(set, kind): readout of counts in slices}, where there are clips to judge.

    Args:
        most: clips of a readout; of a stand-in half as many, and 1,000 will do.
    """
    told = {}
    for name, places in kinds.items():
        options = {"downsample": 8} if name == "dvsgesture" else {}
        for kind, place in places.items():
            clips = place.counts["train"]
            if clips >= 100:  # else too few to judge
                limit = min(most / 2, 1_000) if kind == "stand-in" else most
                every = max(1, round(clips / limit))
                length = LENGTHS_US[name]
                told[name, kind] = readout.curve(place, length, every=every, **options)
    return told


def readout_numbers(told: Mapping, found: Mapping) -> dict:
    """Accuracy of the readout by slices, of what the page rests on."""
    made = {}
    for (name, kind), c in told.items():
        if kind == found[name].source:
            for k, share, low, high in zip(c.slices, c.share, c.low, c.high):
                stamp = dict(unit="%", digits=1, n=c.clips, source=kind)
                stamp["interval"] = [low, high]
                made[f"{name}.readout.{k}"] = number(share, **stamp)
    return made


def readout_table(told: Mapping) -> pd.DataFrame:
    """Columns "SET, KIND" with ", low" and ", high" beside the number of slices."""
    table = {"slices": (1, 2, 5, 10)}
    for (name, kind), c in told.items():
        head = f"{name}, {kind}"
        table |= {head: c.share, f"{head}, low": c.low, f"{head}, high": c.high}
    return pd.DataFrame(table)


def licences(known: Mapping) -> pd.DataFrame:
    """What whoever uses a set owes its authors."""
    return pd.DataFrame(
        {"set": one.title, "licence": one.licence, "cite": one.cite, "doi": one.doi}
        for one in known.values()
    )


def noise(sample: list, side: int = 3, seconds: float = 0.308) -> float:
    """Events per pixel and second in the corner, far from any digit."""
    corner = [((e["x"] < side) & (e["y"] < side)).sum() for e in sample]
    return float(np.mean(corner)) / side**2 / seconds


def by_source(shares: pd.DataFrame, name: str, x: str, bounds: bool = False):
    """The columns of one set, in rows: x, source, value (low, high)."""
    rows, kinds = [], ("stand-in", "recordings", "official")
    for kind in kinds:
        head = f"{name}, {kind}"
        if head in shares:
            part = {x: shares[x], "source": kind, "value": shares[head]}
            if bounds:
                ends = {end: shares[f"{head}, {end}"] for end in ("low", "high")}
                part |= ends
            rows.append(pd.DataFrame(part))
    return pd.concat(rows, ignore_index=True)
