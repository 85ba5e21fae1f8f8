"""The rendered book as a reader meets it: in a browser, and as files."""

import functools
import json
import os
import shutil

import pytest

import site_checks as checks
from conftest import pages
from lindecay.site.doctor import browser as browser_path
from site_checks import BeautifulSoup

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
pytestmark = pytest.mark.book


@pytest.fixture
def open_page(browser, address):
    """open_page(page, size, scheme) -> (page in the browser, what it complained of)."""
    contexts = []

    def open_(page, size="desktop", scheme="light"):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            is_mobile=size == "phone",
        )
        contexts.append(context)
        tab, heard = context.new_page(), []
        tab.on("console", functools.partial(_console, heard))
        tab.on("pageerror", lambda e: heard.append(f"error: {e}"))
        tab.on("request", functools.partial(_request, heard, address))
        tab.on("response", functools.partial(_response, heard))
        tab.goto(f"{address}{page}.html", wait_until="load")
        tab.wait_for_timeout(300)  # late scripts complain late
        return tab, heard

    yield open_
    for context in contexts:
        context.close()


def _console(heard, message):
    if message.type in ("error", "warning"):
        heard.append(f"{message.type}: {message.text[:200]}")


def _request(heard, address, request):
    if not request.url.startswith((address, "data:", "blob:")):
        heard.append(f"foreign request: {request.url}")


def _response(heard, response):
    if response.status >= 400:
        heard.append(f"{response.status}: {response.url}")


@functools.cache
def _soups(html):
    found = sorted(html.rglob("*.html"))
    return {p.resolve(): checks.soup_of(p) for p in found if "_static" not in p.parts}


@pytest.mark.parametrize("page", pages())
def test_page_is_whole(book, page):
    path = (book.html / f"{page}.html").resolve()
    soup = _soups(book.html)[path]
    wrong = {check.__name__: check(soup) for check in checks.STATIC}
    wrong["dead_links"] = checks.dead_links(book.html, path, _soups(book.html))
    assert not {name: bad for name, bad in wrong.items() if bad}


@pytest.mark.parametrize("page", pages())
def test_page_is_light(book, page):
    ours = [p for p in (book.html / "_static").glob("*.css") if p.name in OURS]
    assert checks.weight(book.html / f"{page}.html", ours) < checks.OWN_BYTES


OURS = ("lindecay.css", "claims.css")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("page", pages())
def test_page_opens_quietly(open_page, page, size, scheme):
    tab, heard = open_page(page, size, scheme)
    assert heard == []
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    assert tab.evaluate(WIDER) == [], "the page scrolls sideways"
    assert tab.evaluate(UNREAD) == [], "a formula was not set"
    wide = tab.evaluate(CUT, "table.cards" if size == "phone" else "table")
    assert wide == [], "a table is wider than the text"
    small = tab.evaluate(SMALL, [10, 7] if size == "phone" else [9, 7])
    assert small == [], "text of a figure is too small to read"
    assert tab.evaluate(LEAVES) == [], "text leaves its figure"
    if size == "desktop":
        assert tab.evaluate(LONG) == [], "more digits than a reader needs"


# axe-core at WCAG 2.2 AA: (rule, selector, reason) that may stay; stale ones fail
KNOWN: list[tuple[str, str, str]] = []
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(tab) -> set[tuple[str, str]]:
    """What axe-core finds on a page: (rule, selector)."""
    from axe_playwright_python.sync_playwright import Axe

    options = {
        "runOnly": {"type": "tag", "values": TAGS},
        "resultTypes": ["violations"],
    }
    found = Axe().run(tab, options=options).response["violations"]
    return {(v["id"], str(n["target"][-1])) for v in found for n in v["nodes"]}


@pytest.fixture(scope="session")
def met():
    """Known violations that were met, so that stale ones are found."""
    return set()


@pytest.mark.parametrize("size, scheme", [("desktop", "light"), ("phone", "dark")])
@pytest.mark.parametrize("page", pages())
def test_page_is_accessible(open_page, met, page, size, scheme):
    tab, _ = open_page(page, size, scheme)
    found = violations(tab)
    known = {(rule, selector) for rule, selector, _ in KNOWN}
    met |= found & known
    assert found <= known, sorted(found - known)


def test_no_known_violation_is_stale(met):
    assert {(rule, selector) for rule, selector, _ in KNOWN} <= met


def test_a_planted_table_is_seen_to_be_cut_and_long(open_page):
    tab, _ = open_page("search")
    row = f"<tr>{'<td>0.123456789012</td>' * 40}</tr>"
    planted = f"<div style='overflow-x:auto'><table>{row}</table></div>"
    tab.evaluate("x => document.body.insertAdjacentHTML('afterbegin', x)", planted)
    assert len(tab.evaluate(CUT, "table")) == 1 and len(tab.evaluate(LONG)) == 40


def test_a_figure_of_the_desktop_is_too_small_for_a_phone(open_page, book):
    drawn = [p for p in pages() if 'class="drawing wide"' in _text(book, p)]
    tab, _ = open_page(drawn[0], "phone")
    shown = "svg.drawing >> visible=true"
    assert "narrow" in tab.locator(shown).first.get_attribute("class")
    assert tab.evaluate(SMALL, [10, 7]) == [] and tab.evaluate(LEAVES) == []
    first = "document.querySelector('svg.narrow text').setAttribute('x', 999)"
    tab.evaluate(first)
    assert len(tab.evaluate(LEAVES)) == 1
    tab.add_style_tag(content="svg.drawing.wide { display: block !important }")
    assert tab.evaluate(SMALL, [10, 7])


def test_axe_finds_a_planted_violation(open_page):
    tab, _ = open_page("search")
    tab.evaluate("document.body.insertAdjacentHTML('afterbegin', '<img src=x>')")
    assert "image-alt" in {rule for rule, _ in violations(tab)}


WIDER = """() => {
  const room = document.documentElement.clientWidth
  if (document.documentElement.scrollWidth <= room) return []
  const wide = [...document.querySelectorAll('main *')].filter(
    e => e.getBoundingClientRect().right > room + 1)
  return ['page', ...wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120))]
}"""
CUT = """which => [...document.querySelectorAll(which)].filter(t => {
  let box = t.parentElement
  while (getComputedStyle(box).overflowX == 'visible' && box != document.body)
    box = box.parentElement
  return t.scrollWidth > box.clientWidth + 2
}).map(t => t.innerText.slice(0, 120))"""
LONG = """() => [...document.querySelectorAll('td')]
  .map(e => e.innerText).filter(text => /(^|\\s)-?\\d+\\.\\d{7,}(\\s|$)/.test(text))"""
# text of figures below so many pixels of the screen: [words, exponents and indices]
SMALL = """([words, raised]) => [...document.querySelectorAll('svg.drawing text')]
  .filter(e => e.getClientRects().length).flatMap(e => {
    const m = e.getScreenCTM(), scale = Math.hypot(m.a, m.b)
    const parts = e.querySelector('tspan') ? [...e.querySelectorAll('tspan')] : [e]
    const sizes = parts.map(p => parseFloat(getComputedStyle(p).fontSize) * scale)
    const bad = Math.max(...sizes) < words || Math.min(...sizes) < raised
    return bad ? [`${e.textContent.trim()}: ${sizes.map(s => s.toFixed(1))} px`] : []
  })"""
LEAVES = """() => [...document.querySelectorAll('svg.drawing text')]
  .filter(e => e.getClientRects().length && e.textContent.trim()).filter(e => {
    const word = e.getBoundingClientRect()
    const room = e.closest('svg').getBoundingClientRect()
    return word.left < room.left - 3 || word.right > room.right + 3
      || word.top < room.top - 8 || word.bottom > room.bottom + 8
  }).map(e => e.textContent.trim())"""
UNREAD = """() => [...document.querySelectorAll('.math, mjx-merror')]
  .filter(e => e.tagName == 'MJX-MERROR' || !e.querySelector('mjx-container'))
  .map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figure_takes_the_colour_of_the_page(open_page, book, scheme):
    drawn = [p for p in pages() if 'class="drawing wide"' in _text(book, p)]
    if not drawn:
        pytest.skip("no figure in the book yet")
    tab, _ = open_page(drawn[0], scheme=scheme)
    text, page = tab.evaluate(
        """() => ['svg.drawing text', 'article p'].map(
          s => getComputedStyle(document.querySelector(s)))
          .map((c, i) => i ? c.color : c.fill)"""
    )
    assert text == page


def _text(book, page):
    return (book.html / f"{page}.html").read_text("utf-8")


def test_search_finds_a_term(open_page):
    tab, _ = open_page("search")
    tab.goto(tab.url + "?q=membrane")
    tab.wait_for_selector("#search-results li a")


def test_menu_opens_on_a_phone(open_page):
    tab, heard = open_page(pages()[0], "phone")
    tab.click("button.primary-toggle")
    tab.wait_for_selector("nav.bd-links a.reference >> visible=true")
    assert heard == []


def test_downloads_are_what_ran(book):
    chapter = next(iter(book.build.notebooks.rglob("*.ipynb")))
    offered = book.html / "sources" / chapter.name
    assert offered.read_bytes() == chapter.read_bytes()
    assert json.loads(offered.read_text())["cells"]


# The checks themselves: each finds what was planted

PLANTED = {
    "numbers": "<span class='value here'>nan</span>",
    "tracebacks": "<div class='cell_output'>Traceback (most recent call last)</div>",
    "alternatives": "<svg class='drawing'></svg>",
    "headings": "<h4>too deep</h4>",
    "doubled_ids": "<p id='a'></p><p id='a'></p>",
    "foreign": "<script src='https://example.org/x.js'></script>",
    "needless_mathjax": "<script src='_static/mathjax/tex.js'></script>",
    "tells": "",
}


@pytest.mark.parametrize("name", list(PLANTED))
def test_check_finds_what_was_planted(name):
    page = f"<article><h1>Page</h1>{PLANTED[name]}</article>"
    soup = BeautifulSoup(page, "html.parser")
    assert getattr(checks, name)(soup)


def test_a_warning_of_somebody_elses_code_is_found():
    page = "<div class='cell_output'>auto.py:21: TqdmWarning: IProgress</div>"
    assert checks.tracebacks(BeautifulSoup(page, "html.parser"))


@pytest.mark.parametrize("href", ["gone.html", "page.html#gone", "#gone"])
def test_dead_link_is_found(tmp_path, href):
    page = (tmp_path / "page.html").resolve()
    page.write_text(f"<article><h1 id='top'>Page</h1><a href='{href}'>x</a></article>")
    assert checks.dead_links(tmp_path, page, {page: checks.soup_of(page)}) == [href]


def test_console_error_and_sideways_scroll_are_found(open_page, book):
    planted = book.html / "planted.html"
    source = (book.html / f"{pages()[0]}.html").read_text("utf-8")
    wide = "<div style='width: 3000px'>wide</div><script>missing()</script></article>"
    planted.write_text(source.replace("</article>", wide).replace("../", ""))
    try:
        tab, heard = open_page("planted", "phone")
        assert any("missing" in line for line in heard)
        assert tab.evaluate(WIDER)
    finally:
        planted.unlink()


def test_browser_is_there_in_ci():
    if os.environ.get("REQUIRE_BROWSER"):
        assert browser_path() and shutil.which(browser_path())
