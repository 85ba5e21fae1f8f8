"""Reading ease: words a sentence on every page, counted as a reader meets them."""

import pytest

from conftest import ROOT, pages
from lindecay.site import reading


def told(page):
    return reading.read((ROOT / f"{page}.md").read_text("utf-8"))


@pytest.mark.parametrize("page", pages())
def test_sentences_are_short_on_average_and_none_is_a_maze(page):
    found = told(page)
    assert len(found.sentences) >= 5, "the page's prose was not found"
    assert found.average < reading.MOST, found.longest()
    assert found.longest(1)[0][0] <= reading.LONGEST, found.longest()


@pytest.mark.parametrize(
    ("source", "sentences"),
    [
        (
            "---\nname: x\n---\n# A title of a page\n\nOne is here. Two.",
            ["One is here."],
        ),
        ("It holds at 0.55 V, i.e. here.", ["It holds at 0.55 V, ie here."]),
        ("Both stop. v-LIF does not.", ["Both stop.", "v-LIF does not."]),
        (
            "- first item\n- second item\n  goes on\n",
            ["first item", "second item goes on"],
        ),
        ("| a table | of two |\n|---|---|\n\nWords after it.", ["Words after it."]),
        ("```{code-cell} ipython3\nx = 1\n```\nAfter code.", ["After code."]),
        ("See [a page](x.md) of {result}`a.b|.1f` %.", ["See a page of 1 %."]),
        (
            "```{show} a\n:alt: not read here\nCaption one.\n```\nBetween them.\n\n"
            "```{show} b\n:alt: nor this\nCaption two.\n```",
            ["Caption one.", "Between them.", "Caption two."],
        ),
    ],
)
def test_what_counts_as_a_sentence(source, sentences):
    assert list(reading.read(source).sentences) == sentences


def test_a_planted_maze_is_found():
    planted = " ".join(["word"] * (reading.LONGEST + 1)) + "."
    assert reading.read(planted).longest(1)[0][0] > reading.LONGEST
    assert reading.read("").average == 0
