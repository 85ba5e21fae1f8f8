"""Directive {provenance} WHAT: where this build comes from, told late.

WHAT: `chapters` (run time, commit, seeds, data of each), `environment` (packages,
machine), `data` (sets with checksums). Filled in when every chapter has run.
"""

import os
import platform
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lindecay.site.chapters import versions
from lindecay.site.footer import duration
from lindecay.site.place import Build


class told(nodes.General, nodes.Element):
    """The place of a table of provenance (attribute what)."""


class Provenance(SphinxDirective):
    """{provenance} chapters | environment | data"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        what = self.arguments[0]
        if what in TABLES:
            return [told(what=what)]
        expected = " or ".join(TABLES)
        report = self.state.document.reporter.warning
        return [report(f"{{provenance}} {what}: expected {expected}", line=self.lineno)]


def machine() -> dict[str, str]:
    """This machine and its packages, as a run records them.

    >>> sorted(machine())[:2]
    ['cores', 'matplotlib']
    """
    gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    own = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{gb:.0f} GB",
        "python": sys.version.split()[0],
    }
    return own | versions()


def _processor() -> str:
    """The name that Linux gives it; elsewhere what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")]
    return (named or [platform.processor() or "unknown"])[0]


def _chapters(build: Build) -> tuple[list[str], list[list[str]]]:
    head = ["chapter", "run time", "memory", "seeds", "data", "results", "commit"]
    names = [path.stem for path in sorted(build.runs.glob("*"))]
    rows = [_chapter(build, name) for name in names]
    whole = duration(sum(build.run(name)["seconds"] for name in names))
    return head, [*rows, ["all together", whole, "", "", "", "", ""]] if rows else rows


def _chapter(build: Build, name: str) -> list[str]:
    run = build.run(name)
    own = [r for k, r in build.published.items() if _own(k) and r.chapter == name]
    seeds = sorted({s for r in own for s in r.seeds})
    data = sorted({r.source for r in own if r.source != "computed"})
    words = [", ".join(map(str, seeds)) or "none", ", ".join(data) or "none"]
    took, peak = duration(run["seconds"]), run.get("peak_mb")
    held = f"{peak / 1e3:.1f} GB" if peak else "not told"
    return [name, took, held, *words, str(len(own)), run["commit"]]


def _own(key: str) -> bool:
    return not key.startswith("reference/")


def _environment(build: Build) -> tuple[list[str], list[list[str]]]:
    runs = [build.run(path.stem) for path in sorted(build.runs.glob("*"))]
    latest = runs[-1].get("machine", {}) if runs else {}
    return ["what", "found"], [[k, v] for k, v in latest.items()]


def _data(build: Build) -> tuple[list[str], list[list[str]]]:
    """Sets as the chapters' keys name them: source, sha256, counts."""
    seen = {}
    for path in sorted(build.runs.glob("*")):
        key = build.run(path.stem)["key"]
        seen |= {k[5:]: v for k, v in key.items() if k.startswith("data ")}
    rows = [[name, *f"{what} - -".split(" ", 2)] for name, what in seen.items()]
    return ["set", "source", "sha256", "clips"], [_cut(row) for row in rows]


def _cut(row: list[str]) -> list[str]:
    name, source, sha, counts = row
    return [name, source, sha[:16], counts.strip(" -{}").replace("'", "") or "-"]


TABLES = {"chapters": _chapters, "environment": _environment, "data": _data}
