"""Where a build keeps what it made, and what is published in it.

_build/notebooks/P/book/NN.ipynb   executed chapters of profile P
_build/results/P/NN.json           the numbers that they published
_build/figures/P/NN/NAME.svg       their figures and tables (.narrow.svg: for phones)
_build/runs/P/NN.json              key, run time, commit of each run
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lindecay.results import Result, read, reference


@dataclass(frozen=True)
class Build:
    """The folders of one build and what lies in them (read once)."""

    home: Path  # holds notebooks/, results/, figures/, runs/
    profile: str

    @property
    def notebooks(self) -> Path:
        return self.home / "notebooks" / self.profile

    @property
    def results(self) -> Path:
        return self.home / "results" / self.profile

    @property
    def figures(self) -> Path:
        return self.home / "figures" / self.profile

    @property
    def runs(self) -> Path:
        return self.home / "runs" / self.profile

    @cached_property
    def published(self) -> dict[str, Result]:
        """This build's results by id, the committed ones as `reference/ID`."""
        here: dict[str, Result] = {}
        for path in sorted(self.results.glob("*.json")):
            here |= read(path)
        return here | {f"reference/{id}": r for id, r in reference().items()}

    def figure(self, name: str, suffix: str, chapter: str = "") -> Path | None:
        """The file of a figure; the page's own chapter wins over the others."""
        found = sorted(self.figures.glob(f"*/{name}.{suffix}"))
        own = [p for p in found if p.parent.name == chapter]
        return next(iter(own or found), None)

    def run(self, chapter: str) -> dict:
        """The record of a chapter's last good run, or {}."""
        path = self.runs / f"{chapter}.json"
        return json.loads(path.read_text()) if path.exists() else {}
