"""The first page and what stands around every page, from made-up builds."""

import importlib
import inspect
import pkgutil
import re
import struct
from types import SimpleNamespace

import pytest
from docutils import nodes

import lindecay
from conftest import ROOT
from lindecay.claims import VERDICTS
from lindecay.results import Result, save
from lindecay.site import card, footer, front, glossary, library, phone
from lindecay.site.place import Build


@pytest.fixture
def build(tmp_path):
    """A build with the numbers that the picture needs."""
    made = Build(tmp_path, "quick")
    rows = [Result(id=f"claims.{v}", value=k) for k, v in enumerate(VERDICTS)]
    rows += [Result(id="claims.total", value=21), Result(id="claims.cited", value=5)]
    for ids in (front.ENERGY, front.CYCLES):
        rows += [
            Result(id=id, value=10.0 * k + 1) for k, (id, _) in enumerate(ids.values())
        ]
    for id, _ in front.DROPS.values():
        rows.append(Result(id=id, value=-0.16, interval=(-1.4, 1.2)))
    made.results.mkdir(parents=True)
    save(made.results / "x.json", {row.id: row for row in rows})
    return made


def test_picture_shows_every_verdict_and_every_number(build):
    told = front.picture(build, "book/90.html")
    cells = re.search(r'class="cells".*?</p>', told)[0]
    assert cells.count("<i ") == sum(range(len(VERDICTS)))
    assert "21 claims of the paper" in told and "5 numbers that it cites" in told
    labels = re.findall(r'role="img" aria-label="([^"]+)"', told)
    assert len(labels) == 3 and "-0.16 (-1.40 to 1.20), paper 1.11" in labels[0]
    assert "LD-LIF, in the array 11.0 pJ" in labels[1]


def test_every_verdict_has_a_look_of_its_own():
    assert tuple(front.SHADES) == VERDICTS
    assert len({sign for _, sign in front.SHADES.values()}) == len(VERDICTS)


def test_missing_number_is_named(build):
    (build.results / "x.json").write_text('{"schema": 1, "results": []}')
    with pytest.raises(KeyError, match="no result 'networks.area_word'"):
        front.picture(Build(build.home, "quick"), "x")


def test_every_chapter_has_a_question_and_its_minutes():
    for path in sorted((ROOT / "book").glob("0[1-9]_*.md")):
        title, question, minutes = front.told_of(path.read_text("utf-8"))
        assert title and question.endswith("?") and int(minutes) > 3, path.name


# ------------------------------------------------------------------- page 93


def test_page_93_has_every_public_function_of_the_package():
    shown = {library.name_of(p) for r in library.rooms() for p in library.files(r)}
    found = pkgutil.walk_packages(lindecay.__path__, "lindecay.")
    modules = {m.name for m in found if not m.name.rsplit(".", 1)[1].startswith("_")}
    assert modules - shown == set(), "modules that the page leaves out"
    for name in ("lindecay.events", "lindecay.pages.decay", "lindecay.plots.lines"):
        module = importlib.import_module(name)
        section = library._section(library.HOME.joinpath(*_path(module)))
        ids = {id for term in section.findall(nodes.term) for id in term["ids"]}
        own = {
            f"{name}.{n}"
            for n, what in vars(module).items()
            if inspect.isfunction(what) and what.__module__ == name and n[0] != "_"
        }
        assert own <= ids


def _path(module):
    return module.__file__.rsplit("lindecay/", 1)[1].split("/")


def test_rooms_come_after_those_that_they_import():
    rooms = library.rooms()
    for room in rooms:
        assert all(
            rooms.index(b) < rooms.index(room)
            for b in library._imported(room)
            if b in rooms and b != room
        )


# ------------------------------------------------------------- around a page


def test_banner_says_how_much_of_a_page_is_made_up():
    made_up, real = (
        Result(id="a", value=1, source="stand-in"),
        Result(id="b", value=1, source="recordings"),
    )
    assert footer.banner([real]) == "" and footer.banner([]) == ""
    assert footer.banner([made_up]) == footer.STAND_IN
    both = footer.banner([made_up, real, Result(id="c", value=1)])
    assert "1 of this page's 2 numbers" in both and "made-up" in both


def test_glossary_tells_its_formulas_without_tex():
    body = nodes.definition(
        "", nodes.paragraph("", "A share, ", nodes.math("", r"V' = \beta V"))
    )
    assert glossary.in_words(body) == "A share, V' = β V"
    source = (ROOT / "book" / "93_reference.md").read_text()
    for formula in re.findall(r"\$([^$]+)\$", source):
        assert not re.search(r"[\\{}$]", glossary.without_tex(formula)), formula


def test_card_has_the_size_that_networks_ask_for_and_this_builds_numbers(build):
    path = card.draw(build, build.home / "card.png")
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    assert (width, height) == (1200, 630)
    numbers = [number for number, _ in card.lines(build)]
    assert numbers[0] == "\u22120.16" and numbers[-1] == "21"


def test_card_of_a_part_of_the_book_has_what_is_there(build):
    (build.results / "x.json").write_text('{"schema": 1, "results": []}')
    part = Build(build.home, "quick")
    assert card.lines(part) == []
    assert card.draw(part, build.home / "part.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "home, page, address",
    [
        ("", "book/01_decay", "../_static/card.png"),
        ("", "index", "_static/card.png"),
        ("https://a.org/b/", "book/01", "https://a.org/b/_static/card.png"),
    ],
)
def test_card_is_found_from_every_page(home, page, address):
    app = SimpleNamespace(config=SimpleNamespace(html_baseurl=home))
    assert front._address(app, page) == address


def test_wide_tables_name_their_columns_in_every_cell_and_narrow_ones_stay():
    def table(columns, rows):
        head = "".join(
            f"<th class='head'><p>{c} &amp; <i>more</i></p></th>" for c in columns
        )
        line = "".join(
            f'<td class="number"><p>{k}</p></td>' for k in range(len(columns))
        )
        body = f"<tbody>{f'<tr>{line}</tr>' * rows}</tbody>"
        start = '<table class="shown-table table"><thead>'
        return f"{start}<tr>{head}</tr></thead>{body}</table>"

    narrow, wide = table("abc", 2), table("abcd", 3)
    page = f"<p>before</p>{narrow}{wide}<table><tr><td>other</td></tr></table>"
    made = phone.labelled(page)
    assert narrow in made and "<td>other</td>" in made
    assert made.count('data-label="d &amp; more"') == 3
    assert made.count("data-label") == 12 and made.count(" cards") == 1
    assert re.sub(r' data-label="[^"]*"| cards', "", made) == page
