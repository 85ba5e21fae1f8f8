"""Why a verdict is what it is: quote -> data -> rows -> statistic -> verdict.

A claim of our own begins with the question of its chapter, and where the book says it.

Each link says where it stands, file and line, so that a reader can follow it without
trusting this program.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lindecay.claims import sets
from lindecay.claims.assumptions import load as assumptions
from lindecay.claims.display import number
from lindecay.claims.inventory import source_path
from lindecay.claims.judge import judge
from lindecay.claims.registry import Claim, every, own
from lindecay.claims.registry import claim as find
from lindecay.claims.rules import RULES
from lindecay.results import Result, load, set_dir
from lindecay.settings import Fault, committed, root

Link = dict[str, Any]  # link, told, where
QUESTION = re.compile(r"\*\*Question\.\*\*\s+(.+?)\n\n", re.S)
NUMBER = r"\{\w+\}`[^`]+`(?:\s*%)?"  # a number of a page, as its source has it


def chain(id: str, profile: str = "quick", both=None) -> list[Link]:
    """The links of one claim, in order; both: this build's results, the reference's."""
    claim = find(id)
    here, kept = both or (load(profile), sets.reference())
    row, _ = judge(claim, here, kept, profile)
    home = _line(_registry(id), f"- id: {id}")
    links = _asked(claim) if id in own() else [_quote(claim, _quoted(claim))]
    links += [_link("claim", claim.face, home)]
    links += [
        _link("assumption", _title(a), _line(_open(), f"- id: {a}"))
        for a in claim.assumes
    ]
    links += _data(claim, row.source)
    links += list(_results(claim, here, kept, profile))
    links += [_statistic(claim)]
    for one in row.scopes:
        told = f"{one['scope']}: {number(one['ours'])}: {one['verdict']}"
        links.append(_link("scope", told, home))
    told = f"{row.verdict} ({row.status}, {row.source}, {row.profile}): {row.why}"
    pairs = _line(committed("claims/verdicts.json"), f'"{id}"')
    return [*links, _link("verdict", told, pairs)]


def chains(profile: str = "quick") -> dict[str, list[Link]]:
    """The links of every claim by its id, the paper's and our own."""
    both = load(profile), sets.reference()
    return {id: chain(id, profile, both) for id in every()}


def lines(links: list[Link]) -> list[str]:
    """For people: a line a link."""
    return [f"{one['link']:<13}{one['told']}  [{one['where']}]" for one in links]


def _link(kind: str, told: Any, where: str) -> Link:
    return {"link": kind, "told": told, "where": where}


def _registry(id: str) -> Path:
    """The file that holds a claim: the paper's, or our own."""
    return committed("claims/ours.yml" if id in own() else "claims/paper.yml")


def _open() -> Path:
    return committed("claims/assumptions.yml")


def _title(id: str) -> str:
    found = assumptions().get(id)
    return found.title if found else id


def _line(path: Path, text: str) -> str:
    """FILE:LINE of the first line that holds a text; FILE where none does."""
    told = path.read_text("utf-8").splitlines() if path.exists() else []
    at = next((i for i, line in enumerate(told, 1) if text in line), None)
    name = _short(path)
    return f"{name}:{at}" if at else name


def _short(path: Path) -> str:
    try:
        return path.resolve().relative_to(root()).as_posix()
    except (Fault, ValueError):
        return path.name


def _quote(claim: Claim, where: str) -> Link:
    return _link("quote", f"\u201c{claim.quote}\u201d", where)


def _asked(claim: Claim) -> list[Link]:
    """What a claim of ours answers, and where the book says it."""
    page = _page(claim.chapter)
    found = QUESTION.search(page.read_text("utf-8")) if page else None
    if found is None:
        return [_quote(claim, claim.chapter)]
    question = _link("question", _plain(found[1]), _at(page, found))
    return [question, _quote(claim, said(claim))]


def _plain(words: str) -> str:
    """A sentence of a page in one line, its roles as numbers or names.

    >>> _plain("Is it {claim}`acc-drop-shd` or {result}`shd.drop|.1f`?")
    'Is it 1.11 or shd.drop?'
    """
    words = re.sub(r"\{claim\}`([\w-]+)`", lambda m: find(m[1]).text, words)
    return " ".join(re.sub(r"\{\w+\}`([^`|#]+)[^`]*`", r"\1", words).split())


def said(claim: Claim) -> str:
    """FILE:LINE where the book says a claim of ours; empty where no page does.

    White space in a quote is any, and \u2026 stands for a number of the page.
    """
    words = (NUMBER if w == "\u2026" else re.escape(w) for w in claim.quote.split())
    wanted = re.compile(r"\s+".join(words))
    own_page = _page(claim.chapter)
    others = sorted(own_page.parent.glob("*.md")) if own_page else []
    for page in filter(None, [own_page, *others]):
        if found := wanted.search(page.read_text("utf-8")):
            return _at(page, found)
    return ""


def _page(chapter: str) -> Path | None:
    """The source of a chapter, where the book lies beside the library."""
    try:
        path = root() / "book" / f"{chapter}.md"
    except Fault:
        return None
    return path if path.exists() else None


def _at(path: Path, found: re.Match) -> str:
    return f"{_short(path)}:{found.string.count(chr(10), 0, found.start()) + 1}"


def _data(claim: Claim, source: str) -> list[Link]:
    """The event set that a claim needs, and what stands for it here."""
    if claim.needs == "none":
        return []
    told = f"{claim.needs}: {source}"
    return [_link("data", told, _line(committed("manifest.yml"), f"{claim.needs}:"))]


def _quoted(claim: Claim) -> str:
    """Where the source text says it, if it lies beside the checkout."""
    path = source_path()
    first = " ".join(claim.quote.split()[:4])
    return _line(path, first) if path else "the summary, not beside this checkout"


def _results(claim: Claim, here, kept, profile: str) -> Iterator[Link]:
    """Each result that the claim reads, this build's or the committed one."""
    for id in claim.ids:
        if id in here:
            yield _of_result(here[id], set_dir(profile), "row")
        if id in kept:
            yield _of_result(kept[id], set_dir("reference"), "carried row")
        if id not in here and id not in kept:
            yield _link("row", f"{id}: nobody published it", claim.chapter)


def _of_result(result: Result, folder: Path, kind: str) -> Link:
    band = f" ({number(list(result.interval))})" if result.interval else ""
    stamp = f"{result.source}, {result.profile}, commit {result.commit or 'unknown'}"
    told = f"{result.id} = {number(result.value)}{band}; {stamp}"
    path = folder / f"{result.chapter}.json"
    return _link(kind, told, _line(path, f'"{result.id}"'))


def _statistic(claim: Claim) -> Link:
    """The rule that compares: what it says, and where it is written."""
    rule = RULES[claim.rule]
    first = (inspect.getdoc(rule) or claim.rule).splitlines()[0]
    at = inspect.getsourcelines(rule)[1]
    where = f"{_short(Path(inspect.getsourcefile(rule)))}:{at}"
    return _link("statistic", f"{claim.rule}: {first}", where)
