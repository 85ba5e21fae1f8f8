"""The one door to test splits: whoever reads one is written down.

A line of test-openings.jsonl in the store says when, which set, how many clips and
what for; without that line no event of a test split can be read.
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from lindecay.events.facts import checked_split
from lindecay.events.readers import EventSet, open_set
from lindecay.events.sources import Location
from lindecay.settings import store_dir


def logbook() -> Path:
    """Where openings are written down."""
    return store_dir() / "test-openings.jsonl"


def open_split(found: Location, split: str, why: str | None = None) -> EventSet:
    """A split of a set; the test split only after it was written down.

    why: what for (default: the chapter that runs, else the program's name).
    """
    opened = open_set(found.name, checked_split(split), found.folder)
    if split == "test":
        _write_down(found, why)
        opened.noted = True
    return opened


def _write_down(found: Location, why: str | None) -> None:
    """Append one line; short appends do not tear between processes."""
    program = os.environ.get("LINDECAY_CHAPTER") or Path(sys.argv[0]).name
    row = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "set": found.name,
        "source": found.source,
        "sha256": found.sha256,
        "clips": found.counts["test"],
        "why": why or program,
        "profile": os.environ.get("LINDECAY_PROFILE", "quick"),
    }
    logbook().parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(logbook(), os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(handle, (json.dumps(row) + "\n").encode())
    finally:
        os.close(handle)


def openings(name: str | None = None) -> list[dict]:
    """Every opening so far, oldest first; of one set when `name` is given."""
    lines = logbook().read_text().splitlines() if logbook().exists() else []
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if name in (None, row["set"])]
