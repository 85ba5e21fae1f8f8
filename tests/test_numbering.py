"""Figures and tables carry the name of their page, also beside 08b."""

import re
from types import SimpleNamespace

import pytest
from docutils import nodes

from conftest import ROOT, chapter_names
from lindecay.site import numbering

CAPTION = re.compile(r'class="caption-number">(?:Fig\.|Table) (\w+)\.')


def env(docs: dict[str, tuple]) -> SimpleNamespace:
    """An environment that holds what Sphinx counts of each page."""
    titles = {doc: nodes.title(secnumber=number) for doc, number in docs.items()}
    tocs = {}
    for doc, number in docs.items():
        menu = nodes.bullet_list()
        menu += nodes.reference(secnumber=(*number, 1)) if number else nodes.reference()
        tocs[doc] = menu
    return SimpleNamespace(
        found_docs=set(docs),
        titles=titles,
        tocs=tocs,
        toc_secnumbers={doc: {"": number} for doc, number in docs.items()},
        toc_fignumbers={doc: {"figure": {"f": (*n, 2)}} for doc, n in docs.items()},
    )


def test_every_number_of_a_page_is_renamed_and_pages_without_keep_theirs():
    made = env({"book/09_choosing": (10,), "book/08b_printed": (9,), "book/index": ()})
    numbering.rename(None, made)
    assert made.toc_fignumbers["book/09_choosing"]["figure"]["f"] == ("9", 2)
    assert made.toc_secnumbers["book/08b_printed"][""] == ("8b",)
    assert made.titles["book/08b_printed"]["secnumber"] == ("8b",)
    assert next(made.tocs["book/09_choosing"].findall(nodes.reference))[
        "secnumber"
    ] == (
        "9",
        1,
    )
    assert made.toc_fignumbers["book/index"]["figure"]["f"] == (2,)


@pytest.mark.book
@pytest.mark.parametrize("name", [n for n in chapter_names() if n[0] in "01"])
def test_captions_carry_the_chapter_s_own_number(book, name):
    page = (ROOT / "_build" / "html" / "book" / f"{name}.html").read_text()
    own = name.split("_")[0].lstrip("0")
    assert set(CAPTION.findall(page)) == {own}
