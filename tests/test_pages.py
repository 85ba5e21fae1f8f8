"""What every page carries besides its text: checked on each, new chapters included."""

import re
import sys

import pytest

import site_checks as checks
from conftest import chapter_names, pages
from lindecay.site import glossary

pytestmark = pytest.mark.book
CHAPTERS = chapter_names()
TERMS = "dl.glossary dt"


@pytest.fixture(scope="session")
def soups(book):
    return {page: checks.soup_of(book.html / f"{page}.html") for page in pages()}


def chapter(soups, name):
    return checks.article(soups[f"book/{name}"])


def heading(article, words):
    """The section whose heading begins so."""
    found = [
        h for h in article.find_all(["h2", "h3"]) if re.search(words, h.get_text())
    ]
    assert found, f"no section '{words}'"
    return found[0].find_parent("section")


def test_each_page_describes_itself_in_its_own_words(soups):
    told = {
        page: soup.select_one('meta[name="description"]')
        for page, soup in soups.items()
    }
    words = {page: tag["content"] if tag else "" for page, tag in told.items()}
    assert not {p: w for p, w in words.items() if not 40 <= len(w) <= 170}
    assert len(set(words.values())) == len(words)


@pytest.mark.parametrize("page", pages())
def test_page_has_an_icon_and_its_source(book, soups, page):
    icon = soups[page].select_one('link[rel~="icon"]')["href"]
    assert (book.html / page).parent.joinpath(icon).resolve().is_file()
    offered = [a["href"] for a in soups[page].select(".provenance a[download]")]
    name = page.rsplit("/", 1)[-1]
    wanted = [f"{name}.md"] + [f"{name}.ipynb"] * 2 * (name in CHAPTERS)
    assert [href.rsplit("/", 1)[-1] for href in offered] == wanted


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_opens_with_question_answer_and_times(book, soups, name):
    top = chapter(soups, name).get_text(" ", strip=True)[:6000]
    places = [top.find(w) for w in ("Question.", "Answer.", "Reading time:")]
    assert places == sorted(places) and min(places) >= 0
    line = re.search(r"Reading time: \d+ minutes\. Run time in this build: \S", top)
    assert line, top[places[-1] : places[-1] + 120]


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_closes_with_summary_exercises_and_next_question(soups, name):
    article = chapter(soups, name)
    heading(article, "What surprised us")
    exercises = heading(article, "Exercises?")
    solutions = exercises.select(".cell_output")
    assert solutions and all(s.get_text(strip=True) for s in solutions)
    told = exercises.get_text(" ", strip=True)
    assert re.search(r"Next( question)?\b", told[-400:]), told[-200:]
    assert exercises.select("p a[href]"), "the next question leads nowhere"


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_links_the_words_of_the_glossary(soups, name):
    known = {
        dt.get_text().rstrip("#"): dt.find_next("dd").get_text(" ", strip=True)
        for dt in soups["book/93_reference"].select("dl.glossary dt")
    }
    linked = chapter(soups, name).select("a.term")
    assert linked
    for link in linked:
        assert len(link["title"]) > 20 and "93_reference.html#term-" in link["href"]
    anchors = [link["href"] for link in linked]
    assert len(anchors) == len(set(anchors)), "each word once a page"
    assert len(known) >= 15


@pytest.mark.parametrize("page", [p for p in pages() if "93" not in p])
def test_words_of_the_glossary_are_explained_where_they_first_stand(soups, page):
    terms = [d.get_text().rstrip("#") for d in soups["book/93_reference"].select(TERMS)]
    known = [term for term in terms if term not in glossary.COMMON]
    assert len(known) > 20
    assert checks.unmet(soups[page], known) == []


def test_a_word_that_nobody_explained_is_found():
    page = (
        "<article><p>A macro. <a class='term'>Bitlines</a> and bitlines.</p></article>"
    )
    soup = checks.BeautifulSoup(page, "html.parser")
    assert [b.split(":")[0] for b in checks.unmet(soup, ["macro", "bitline"])] == [
        "macro"
    ]


def test_run_time_of_every_chapter_stands_in_the_table(book, soups):
    section = heading(checks.article(soups["book/92_provenance"]), "Chapters")
    rows = [tr.get_text(" ", strip=True) for tr in section.select("tbody tr")]
    assert sorted(r.split()[0] for r in rows[:-1]) == sorted(CHAPTERS)
    assert all(re.search(r"\d+ (s|min)", row) for row in rows)
    if sys.platform == "linux":
        held = [float(re.search(r"([\d.]+) GB", row)[1]) for row in rows[:-1]]
        assert all(0.05 < gb < 24 for gb in held)
    assert rows[-1].startswith("all together")


HIDDEN = ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header, .prev-next-footer"
WIDE = """() => [...document.querySelectorAll('article svg, article p, article table')]
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().left < -1)
  .map(e => e.outerHTML.slice(0, 90))"""


@pytest.mark.parametrize("page", pages())
def test_page_prints_without_its_navigation(browser, address, page):
    context = browser.new_context(
        viewport={"width": 760, "height": 1000}, color_scheme="dark"
    )
    tab = context.new_page()
    tab.goto(f"{address}{page}.html")
    tab.emulate_media(media="print")
    shown = tab.evaluate(
        """s => [...document.querySelectorAll(s)]
          .filter(e => getComputedStyle(e).display != 'none').map(e => e.className)""",
        HIDDEN,
    )
    ink = tab.evaluate(
        """() => [document.body, ...document.querySelectorAll('article p, svg.drawing')]
          .filter(e => e.getClientRects().length).map(e => getComputedStyle(e).color)"""
    )
    context.close()
    assert shown == []
    dark = [c for c in set(ink) if sum(map(int, re.findall(r"\d+", c)[:3])) > 380]
    assert dark == [], "light ink on white paper"
