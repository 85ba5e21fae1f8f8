"""What a page has to be: checks on built HTML that return what is wrong."""

import gzip
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag

from bs4 import BeautifulSoup

OWN_BYTES = 300_000  # gzipped, of what is ours on a page: its HTML and our CSS
NUMBERLESS = re.compile(r"(?i)^\s*(|nan|none|inf|\?.*\?)\s*$")
TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|^\w*Error: |\w+Warning: ", re.M
)


def soup_of(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def article(soup: BeautifulSoup):
    """The page without navigation and sidebars."""
    return soup.find("article") or soup


def numbers(soup: BeautifulSoup) -> list[str]:
    """Values that are empty, unknown or no number."""
    bad = [
        f"value {v.text!r}" for v in soup.select(".value") if NUMBERLESS.match(v.text)
    ]
    return bad + [f"unresolved {v.text!r}" for v in soup.select(".problematic")]


def tracebacks(soup: BeautifulSoup) -> list[str]:
    cells = soup.select(".cell_output, .output")
    return [c.text[:80] for c in cells if TRACEBACK.search(c.text)]


def alternatives(soup: BeautifulSoup) -> list[str]:
    """Pictures without words."""
    bad = [str(i)[:80] for i in soup.select("img") if not i.get("alt", "").strip()]
    for svg in article(soup).select("svg"):
        hidden = svg.find_parent(attrs={"aria-hidden": "true"}) or svg.get(
            "aria-hidden"
        )
        named = svg.get("aria-label") or svg.get("aria-labelledby")
        if not hidden and not (svg.get("role") == "img" and (named or "").strip()):
            bad.append(str(svg)[:80])
    return bad


def headings(soup: BeautifulSoup) -> list[str]:
    """One h1, and no level left out on the way down."""
    found = article(soup).find_all(re.compile(r"^h[1-6]$"))
    levels = [int(h.name[1]) for h in found]
    bad = [] if levels.count(1) == 1 else [f"{levels.count(1)} h1 headings"]
    for before, now, heading in zip(levels, levels[1:], found[1:]):
        if now > before + 1:
            bad.append(f"h{before} is followed by h{now}: {heading.text[:40]}")
    return bad


def doubled_ids(soup: BeautifulSoup) -> list[str]:
    ids = [e["id"] for e in article(soup).select("[id]")]
    return sorted({i for i in ids if ids.count(i) > 1})


def foreign(soup: BeautifulSoup) -> list[str]:
    """What the page would load from another host."""
    wanted = [e.get("src") for e in soup.select("script, img, iframe, source")]
    kinds = ("stylesheet", "icon", "preload", "preconnect", "dns-prefetch")
    links = [e for e in soup.select("link") if set(e.get("rel", [])) & set(kinds)]
    wanted += [e.get("href") for e in links]
    return [u for u in wanted if u and re.match(r"(https?:)?//", u)]


def dead_links(html: Path, page: Path, soups: dict[Path, BeautifulSoup]) -> list[str]:
    """Links inside the book whose page, file or anchor is not there."""
    bad = []
    for link in soups[page].select("a[href]"):
        target, anchor = urldefrag(link["href"])
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / unquote(target)).resolve() if target else page
        if not path.is_file():
            bad.append(link["href"])
        elif anchor and path in soups and not _anchored(soups[path], unquote(anchor)):
            bad.append(link["href"])
    return bad


def _anchored(soup: BeautifulSoup, anchor: str) -> bool:
    return (
        soup.find(id=anchor) is not None
        or soup.find(attrs={"name": anchor}) is not None
    )


def needless_mathjax(soup: BeautifulSoup) -> list[str]:
    """MathJax is 2.3 MB: only on pages with formulas."""
    loaded = [s["src"] for s in soup.select("script[src]") if "mathjax" in s["src"]]
    return loaded if not soup.select(".math, mjx-container") else []


def unmet(soup: BeautifulSoup, terms: list[str]) -> list[str]:
    """Words of the glossary that running text or a caption uses before their link."""
    linked = {a.get_text() for a in article(soup).select("a.term")}
    bad = []
    for term in terms:
        word = re.compile(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", _case(term))
        first = next((p for p in _running(soup) if word.search(_own(p))), None)
        if first is not None and not any(word.fullmatch(a) for a in linked):
            bad.append(f"{term}: {_own(first)[:60]}")
    return bad


def _case(term: str) -> int:
    return 0 if re.search("[A-Z]", term) else re.I


def _running(soup: BeautifulSoup) -> list:
    found = article(soup).select("p, figcaption .caption-text, caption .caption-text")
    apart = ("td", "th", "section.provenance", "div.cell", ".claims", "aside", "nav")
    return [p for p in found if not any(p.find_parent(*_named(a)) for a in apart)]


def _named(selector: str) -> tuple:
    name, _, own = selector.partition(".")
    return (name or True, own or None) if own else (name,)


def _own(node) -> str:
    """The words that stand in a node itself, not in its links, code or emphasis."""
    return "".join(node.find_all(string=True, recursive=False))


def weight(path: Path, extra: list[Path]) -> int:
    """Gzipped bytes of ours that the page makes a reader fetch."""
    return sum(len(gzip.compress(p.read_bytes())) for p in [path, *extra])


def tells(soup: BeautifulSoup) -> list[str]:
    """What the page fails to say about where it comes from."""
    footer = soup.select_one(".provenance")
    if footer is None:
        return ["no provenance footer"]
    if "executed notebook" not in footer.text:
        return []  # a plain page
    wanted = ("commit", "profile", "run time", "recompute")
    return [f"the footer lacks {w}" for w in wanted if w not in footer.text]


STATIC = [numbers, tracebacks, alternatives, headings, doubled_ids, foreign]
STATIC += [needless_mathjax, tells]
