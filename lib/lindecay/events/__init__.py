"""Event recordings: where they lie, how they are read, how they are binned.

`locate` says what a set is; `dataset` gives raw events; `clips` gives binned ones.
"""

from lindecay.events.binning import Binning
from lindecay.events.clips import Clips, binned, clips
from lindecay.events.facts import Facts, checked_split, facts, manifest
from lindecay.events.readers import EventSet
from lindecay.events.sources import Location, locate

__all__ = [
    "Binning",
    "Clips",
    "EventSet",
    "Facts",
    "Location",
    "binned",
    "clips",
    "dataset",
    "facts",
    "info",
    "locate",
    "manifest",
]


def dataset(name: str, split: str, size: str | None = None) -> EventSet:
    """Raw clips: a sequence of (events x, y, t, p; label), sorted by path.

    size: profile whose stand-in is meant, where there are no recordings.
    """
    found = locate(name, size)
    return EventSet(name, checked_split(split), found.folder)


def info(size: str | None = None) -> dict[str, dict]:
    """What `lindecay data info --json` prints: every set that can be had."""
    rows = {}
    for name in ("nmnist",):
        found = locate(name, size)
        rows[name] = {
            "source": found.source,
            **found.counts,
            "classes": len(facts(name).classes),
            "origin": found.origin,
            "sha256": found.sha256,
            "folder": str(found.folder),
        }
    return rows
