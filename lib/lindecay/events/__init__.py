"""Event recordings: where they lie, how they are read, how they are binned.

`locate` says what a set is; `dataset` gives raw events; `clips` gives binned ones.
"""

from lindecay.events.binning import Binning
from lindecay.events.clips import Clips, binned, clips, default_binning
from lindecay.events.download import get
from lindecay.events.facts import Facts, checked_split, facts, manifest
from lindecay.events.readers import EventSet
from lindecay.events.sources import Location, locate, stand_in
from lindecay.events.speed import bench
from lindecay.events.split_log import open_split, openings
from lindecay.events.splits import validation
from lindecay.events.verify import verify

__all__ = [
    "Binning",
    "Clips",
    "EventSet",
    "Facts",
    "Location",
    "bench",
    "binned",
    "clips",
    "dataset",
    "default_binning",
    "facts",
    "get",
    "info",
    "listing",
    "locate",
    "manifest",
    "open_split",
    "openings",
    "stand_in",
    "validation",
    "verify",
]


def dataset(
    name: str, split: str, size: str | None = None, why: str | None = None
) -> EventSet:
    """Raw clips: a sequence of (events x, y, t, p; label), sorted by path.

    size: profile whose stand-in is meant, where there are no recordings.
    why: what a test split is opened for; that it was is written down.
    """
    return open_split(locate(name, size), checked_split(split), why)


def listing() -> list[dict]:
    """What `lindecay data list` prints: every set that this project can read."""
    return [
        {
            "name": known.name,
            "title": known.title,
            "sensor": " x ".join(map(str, known.geometry)),
            "classes": len(known.classes),
            "official": known.official,
            "archives": known.archives,
            "licence": known.licence,
            "cite": known.cite,
            "doi": known.doi,
        }
        for known in manifest().values()
    ]


def info(size: str | None = None) -> dict[str, dict]:
    """What `lindecay data info --json` prints: every set."""
    rows = {}
    for name in manifest():
        found = locate(name, size)
        rows[name] = {
            "source": found.source,
            **found.counts,
            "classes": len(facts(name).classes),
            "origin": found.origin,
            "sha256": found.sha256,
        }
    return rows
