"""`lindecay run NN -P name=value`: another value, beside the published one."""

import json

import pytest

from conftest import ROOT, lindecay
from lindecay.results import Result
from lindecay.settings import Fault
from lindecay.site import chapters, knobs
from test_chapters import small, write  # noqa: F401  a fixture

CODE = """\
from lindecay import results, settings
BETA = 0.9  # a step
size = settings.profile(profile)
results.publish("small.number", 10 * BETA)
results.publish("small.hidden", size.hidden)
results.publish("small.same", 7)"""


@pytest.fixture
def book(small):  # noqa: F811
    write(small, CODE)
    return small


def chapter(name="01_decay"):
    return next(c for c in chapters.chapters(ROOT) if c.name == name)


def test_a_run_with_other_knobs_stands_beside_the_published_one(book):
    assert lindecay("run", cwd=book).returncode == 0
    kept = book / "_build" / "results" / "quick" / "01_small.json"
    before = kept.read_bytes()
    words = ("run", "01", "-P", "beta=0.5", "-P", "hidden=64")
    done = lindecay(*words, cwd=book, COLUMNS="100")
    assert done.returncode == 0, done.stderr
    rows = [line.split("│") for line in done.stdout.splitlines() if "small" in line]
    told = {r[1].strip(): (r[2].strip(), r[3].strip()) for r in rows}
    assert told == {"small.number": ("9", "5"), "small.hidden": ("512", "64")}
    assert kept.read_bytes() == before, "nothing is published"
    mine = json.loads((book / "_build/mine/results/quick/01_small.json").read_text())
    assert len(mine["results"]) == 3


def test_unknown_knob_names_those_that_there_are(book):
    done = lindecay("run", "01", "-P", "gamma=1", cwd=book)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "no such knob of 01_small" in done.stderr and "BETA=0.9" in done.stderr


def test_a_value_of_another_kind_is_a_fault():
    with pytest.raises(Fault, match="not a value of BETA: expected float, like 0.9"):
        knobs.turn(chapter(), "quick", {"BETA": "slow"})
    with pytest.raises(Fault, match="name=value"):
        knobs.parsed(["BETA"])


@pytest.mark.parametrize(
    "name, knob",
    [("01_decay", "BETA"), ("05_accuracy", "SEEDS"), ("04_training", "hidden")],
)
def test_chapters_have_the_knobs_that_the_start_page_names(name, knob):
    assert knob in knobs.known(chapter(name), "quick")


def test_only_numbers_that_moved_are_told():
    published = {"a": Result(id="a", value=1), "b": Result(id="b", value=2)}
    mine = {**published, "b": Result(id="b", value=3), "c": Result(id="c", value=4)}
    assert knobs.beside(mine, published) == [
        {"id": "b", "published": "2", "yours": "3"},
        {"id": "c", "published": "not published", "yours": "4"},
    ]
