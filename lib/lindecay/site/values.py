"""Roles {result}`ID` and {claim}`ID`: each number on a page comes from a run.

Resolved after every page is read, so that a page may show what a later one
computes. An unknown id is a warning, and warnings fail the build.
    {result}`nmnist.drop|.2f`  {result}`nmnist.drop#interval`  {result}`a.range#span`
    {result}`reference/nmnist.drop`  {claim}`acc-drop-nmnist.verdict`
"""

import re

from docutils import nodes
from sphinx.util.docutils import SphinxRole

from lindecay.claims.display import minus
from lindecay.results import Result
from lindecay.site.place import Build

IN_TEXT = re.compile(r"\{(result|claim)\}`([^`]+)`")
HERE, CARRIED, PAPER, REGISTRY, NONE = "here", "carried", "paper", "registry", "none"
QUOTED = ("published", "quote")
WRITTEN = ("title", "unit", "settles", "tolerance", "basis", "command", "chapter")
TOLD = {
    HERE: "computed by this build",
    CARRIED: "carried from the committed reference run",
    PAPER: "printed in the paper's summary",
    REGISTRY: "written in the registry of claims, before any run",
    NONE: "no run has tried it",
}


class value(nodes.Inline, nodes.TextElement):
    """A number that waits for its value; `shown` once it has one."""


class shown(nodes.Inline, nodes.TextElement):
    """A number with its mark (computed here, carried, published)."""


class ValueRole(SphinxRole):
    """{result} or {claim}: leaves a `value` node behind."""

    def run(self) -> tuple[list[nodes.Node], list]:
        node = value("", "", role=self.name, target=self.text)
        node["line"] = self.lineno
        return [node], []


def look_up(build: Build, role: str, target: str) -> tuple[str, str, str]:
    """(text, mark, tooltip) of a target; KeyError says what is unknown."""
    if role == "claim":
        return _claim(build, target)
    name, _, fmt = target.partition("|")
    name, _, part = name.partition("#")
    scope, _, rest = name.rpartition("/")
    id = f"reference/{rest}" if scope == "reference" else rest
    if scope not in ("", "reference", "quick", "paper", build.profile):
        raise KeyError(f"unknown scope {scope!r}")
    if id not in build.published:
        raise KeyError(f"no result {id!r} in this build ({build.profile})")
    result = build.published[id]
    mark = CARRIED if scope == "reference" or carried(result) else HERE
    return _part(result, part, fmt or None), mark, _tooltip(result, mark)


def carried(result: Result) -> bool:
    """Whether a chapter only evaluated committed rows: their numbers are no new run's.

    >>> [carried(Result(id=id, value=1)) for id in ("protocol.shd.drop", "shd.drop")]
    [True, False]
    """
    return result.id.startswith("protocol.") or result.note.startswith("committed")


def _part(result: Result, part: str, fmt: str | None) -> str:
    if not part or part == "span":
        return minus(_listed(result, fmt, " to " if part else " and "))
    if part not in ("interval", "n", "seeds", "unit", "source", "note", "profile"):
        raise KeyError(f"{result.id} has no part {part!r}")
    found = getattr(result, part)
    if found is None or found == []:
        raise KeyError(f"{result.id} was published without {part!r}")
    if part == "interval":
        ends = [result.model_copy(update={"value": v}).text(fmt) for v in found]
        return minus(" to ".join(ends))
    if part == "seeds":
        return ", ".join(map(str, found))
    return f"{found:,}" if isinstance(found, int) else str(found)


def _listed(result: Result, fmt: str | None, last: str) -> str:
    """Several values as one says them, in order; `#span`: the ends of a range.

    >>> _listed(Result(id="x", value=[2, 4, 16]), None, " and ")
    '2, 4 and 16'
    """
    if not isinstance(result.value, list):
        return result.text(fmt)
    one = [result.model_copy(update={"value": v}).text(fmt) for v in result.value]
    return last.join([", ".join(one[:-1])] * (len(one) > 1) + one[-1:])


def _tooltip(result: Result, mark: str) -> str:
    told = [TOLD[mark], f"id {result.id}", f"source: {result.source}"]
    if result.n is not None:
        told.append(f"n = {result.n:,}")
    if result.interval is not None:
        told.append(f"interval {_part(result, 'interval', None)}")
    if result.seeds:
        told.append(f"seeds {_part(result, 'seeds', None)}")
    return "; ".join([*told, f"profile {result.profile}", f"commit {result.commit}"])


def _claim(build: Build, target: str) -> tuple[str, str, str]:
    id, dot, field = target.partition(".")
    field = field if dot else "published"
    text = judged(build).text(id, field)
    mark = _mark_of(id, field, build)
    return text, mark, f"claim {id}: {field}; {TOLD[mark]}"


def judged(build: Build):
    """The claims of a build, each judged once however often its pages name it."""
    from lindecay.claims import display, sets  # pages without claims do without them

    if "judged" not in vars(build):
        both = sets.split(build.published, build.profile)
        vars(build)["judged"] = display.Judged(*both, build.profile)
    return vars(build)["judged"]


def _mark_of(id: str, field: str, build: Build) -> str:
    """Whose words these are: the paper's, the registry's, or a judgement's."""
    from lindecay.claims.registry import own

    if field in QUOTED:
        return REGISTRY if id in own() else PAPER
    if field in WRITTEN:
        return REGISTRY
    row = judged(build).row(id)
    if row.verdict == "not-attempted":
        return NONE
    return HERE if row.status == "recomputed" else CARRIED


def plain(build: Build, text: str) -> str:
    """Alt text with its roles replaced by their values."""
    return IN_TEXT.sub(lambda m: look_up(build, m[1], m[2])[0], text)


def visit_shown(self, node: shown) -> None:
    """Open the span of a number, with its provenance as a tip."""
    tip = self.attval(node["tip"])
    self.body.append(f'<span class="value {node["mark"]}" title="{tip}">')


def depart_shown(self, node: shown) -> None:
    """Close it."""
    self.body.append("</span>")
