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
