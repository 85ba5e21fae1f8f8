"""Notebooks for Colab: valid, with values in the prose, and a cell that installs."""

import ast
import re
import sys
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from conftest import ROOT, chapter_names
from lindecay.site import colab, footer
from lindecay.site.place import Build

ADDRESS = "https://github.com/someone/lindecay"
PIP = re.compile(r'%pip install -q "lindecay\[data\] @ git\+\{REPOSITORY\}(@\w+)?"')


@pytest.fixture
def build(tmp_path):
    """Two executed chapters, one of which uses event data."""
    made = Build(tmp_path, "quick")
    for name in ("01_decay", "03_events"):
        cells = [new_markdown_cell("It is {result}`no.such` or {claim}`acc-drop-shd`.")]
        cells.append(new_code_cell("print(1)", execution_count=1))
        path = made.notebooks / "book" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(nbformat.writes(new_notebook(cells=cells)))
    return made


def test_every_executed_chapter_gets_one_and_no_other(build, tmp_path):
    made = colab.write(ROOT, build, tmp_path / "html", ADDRESS)
    assert sorted(p.name for p in made) == ["01_decay.ipynb", "03_events.ipynb"]
    for path in made:
        found = nbformat.read(path, 4)
        nbformat.validate(found)
        first, prose, code = found.cells
        assert first.cell_type == "code" and PIP.search(first.source)
        assert "{claim}" not in prose.source and "1.11" in prose.source
        assert code.source == "print(1)" and code.execution_count == 1


@pytest.mark.parametrize(
    ("revision", "at"),
    [("a37a9d96ecba", "@a37a9d96ecba"), ("a37a9d96ecba-dirty", ""), ("unknown", "")],
)
def test_only_a_commit_that_one_can_fetch_is_pinned(revision, at):
    told = colab.first_cell(ADDRESS, revision)
    assert PIP.search(told)[1] == (at or None)


@pytest.mark.parametrize("there", [True, False])
def test_the_first_cell_installs_where_the_library_is_not(monkeypatch, there):
    """As IPython reads it, a magic below an `if`; nothing where lindecay is."""
    code = TransformerManager().transform_cell(colab.first_cell(ADDRESS))
    ast.parse(code)
    asked = []
    magic = SimpleNamespace(run_line_magic=lambda *words: asked.append(words))
    spec = SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: there or None))
    monkeypatch.setitem(sys.modules, "importlib.util", spec.util)
    monkeypatch.setattr("importlib.util", spec.util, raising=False)
    exec(code, {"get_ipython": lambda: magic})
    assert [a[0] for a in asked] == ([] if there else ["pip"])


def test_without_an_address_the_first_cell_asks_for_it():
    code = TransformerManager().transform_cell(colab.first_cell(""))
    code = code.replace('find_spec("lindecay") is None', "find_spec('x.y') is None")
    code = code.replace("find_spec('x.y')", "find_spec('no_such_package')")
    with pytest.raises(AssertionError, match="fill in REPOSITORY"):
        exec(code, {})


@pytest.mark.parametrize(
    ("repository", "wanted"),
    [
        (ADDRESS, "github/someone/lindecay/blob/gh-pages/colab/01_decay.ipynb"),
        (f"{ADDRESS}.git", "github/someone/lindecay/blob/gh-pages/"),
        ("https://gitlab.com/a/b", ""),
        ("", ""),
    ],
)
def test_the_page_links_to_colab_where_the_address_is_on_github(
    build, repository, wanted
):
    told = dict(lindecay_repository=repository, lindecay_pages_branch="gh-pages")
    app = SimpleNamespace(config=SimpleNamespace(**told))
    links = "".join(footer._opens(app, build, "book/01_decay"))
    assert (wanted in links) if wanted else links == ""
    assert footer._opens(app, build, "book/index") == []


@pytest.mark.book
@pytest.mark.parametrize("name", chapter_names())
def test_notebook_of_the_page_is_valid_and_reads_like_the_page(book, name):
    found = nbformat.read(book.html / "colab" / f"{name}.ipynb", 4)
    nbformat.validate(found)
    assert PIP.search(found.cells[0].source)
    prose = "\n".join(c.source for c in found.cells if c.cell_type == "markdown")
    assert not re.search(r"\{(result|claim|show|show-table)\}", prose)
    assert any(c.get("outputs") for c in found.cells)
