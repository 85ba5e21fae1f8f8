"""Chapters run, are skipped when nothing changed, and stop the build when they fail."""

import io
import json
import os
import re
import shutil
import subprocess
import sys

import jupytext
import pytest
from rich.console import Console

import cell_checks
from cell_checks import Cell
from conftest import ROOT, chapter_names, lindecay
from lindecay.settings import Fault
from lindecay.site import build

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: Python 3
---

# {title}

```{{code-cell}} ipython3
:tags: [parameters]
profile = "quick"
```

```{{code-cell}} ipython3
{code}
```

{prose}
"""
PUBLISH = """\
from lindecay import results
results.publish("small.number", 6.5, digits=1, seeds=(0,), source="stand-in")
print(profile)"""
TABLE = """
from lindecay import figures
figures.table("small", {"law": ["linear"], "steps": [17]})"""
TOC = """\
format: jb-book
root: book/index
chapters:
  - file: book/01_small
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A book of one page and one chapter; the tests stand in it."""
    (tmp_path / "book").mkdir()
    shutil.copy(ROOT / "_config.yml", tmp_path)
    for path in (ROOT / "book" / "_static").glob("*.*"):
        target = tmp_path / "book" / "_static" / path.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    (tmp_path / "_toc.yml").write_text(TOC)
    write(tmp_path, PUBLISH)
    (tmp_path / "book" / "index.md").write_text("# Index\n\n{result}`small.number`\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path / "store"))
    return tmp_path


def write(book, code, prose="The number is {result}`small.number`."):
    text = HEADER.format(title="Small", code=code, prose=prose)
    (book / "book" / "01_small.md").write_text(text)


def run(**options):
    """Run the chapters in this process; what was printed."""
    told = io.StringIO()
    build.run_chapters([], "quick", console=Console(file=told, width=200), **options)
    return told.getvalue()


def kept(book):
    """Everything that is published, by name."""
    names = ("notebooks", "results", "figures", "html")
    found = [p for n in names for p in (book / "_build" / n).rglob("*") if p.is_file()]
    return {str(p.relative_to(book)): p.read_bytes() for p in found}


def test_a_wrong_word_does_not_wait_for_another_build(small):
    with build.alone():
        for words in (["nosuch"], ["01", "-P", "nonsense"]):
            done = lindecay("run", *words, cwd=small)
            assert done.returncode == 2 and "waiting" not in done.stderr


# The book of this checkout


@pytest.mark.book
@pytest.mark.parametrize("name", chapter_names())
def test_chapter_runs(attempt, name):
    record = attempt.build.run(name)
    assert record and f"{name}: cell" not in attempt.output, attempt.output
    assert all((attempt.build.home / path).exists() for path in record["outputs"])


@pytest.mark.book
def test_book_renders_without_a_warning(book):
    assert (book.html / "index.html").exists()


@pytest.mark.book
def test_second_run_skips_every_chapter(book):
    again = lindecay("run", cwd=ROOT)
    assert again.returncode == 0
    skipped = [line for line in again.stderr.splitlines() if line.startswith("skip")]
    assert len(skipped) == len(chapter_names()), again.stderr


def test_a_chapter_s_memory_is_measured(small):
    write(
        small, PUBLISH + "\nheld = bytearray(400_000_000)\nheld[::4096] = b'x' * 97657"
    )
    run()
    assert 400 < told(small)["peak_mb"] < 1500


def told(book) -> dict:
    """The record of the small book's chapter."""
    (path,) = book.glob("_build/runs/*/01_small.json")
    return json.loads(path.read_text())


# Their cells


@pytest.mark.parametrize("name", chapter_names())
def test_cells_are_short_and_shown_ones_stand_by_themselves(name):
    cells = cell_checks.cells_of(jupytext.read(ROOT / "book" / f"{name}.md"))
    assert cell_checks.too_long(cells) == []
    assert cell_checks.made_out_of_sight(cells) == []
    assert cell_checks.wrong_names(cells) == []


@pytest.mark.parametrize("code", ["kept('broken')", "import numpy as np", "if x ="])
def test_names_that_nobody_makes_or_uses_are_found(code):
    good = Cell("import math\n%time x = 1\nprint(math.pi)")
    assert cell_checks.wrong_names([good]) == []
    assert len(cell_checks.wrong_names([good, Cell(code)])) >= 1


def test_long_cells_are_found():
    line, short = "x = 1\n", Cell("x = 1")
    assert cell_checks.too_long([Cell(line * 21), *[short] * 20]) == ["shown: 21 lines"]
    assert "median" in cell_checks.too_long([Cell(line * 8)] * 3)[0]
    hidden = [Cell(line * 21, shown=False)] * 2 + [short] * 9
    assert cell_checks.too_long(hidden) == ["only 9 of 11 cells have at most 20 lines"]
    assert cell_checks.too_long([Cell(line * 21, shown=False), *[short] * 9]) == []


HIDDEN_NAMES = {
    "a name of a hidden cell": ([("rows = 1", False), ("print(rows)", True)], "rows"),
    "made again out of sight": (
        [("rows = 1", True), ("rows = 2", False), ("rows", True)],
        "rows",
    ),
    "a hidden function": ([("def f(): pass", False), ("f()", True)], "f"),
    "in a comprehension": ([("b = 1", False), ("[a + b for a in (1,)]", True)], "b"),
    "used before it is made": ([("n = 1", False), ("n = n + 1", True)], "n"),
}


@pytest.mark.parametrize("cells, name", HIDDEN_NAMES.values(), ids=list(HIDDEN_NAMES))
def test_name_made_out_of_sight_is_found(cells, name):
    found = cell_checks.made_out_of_sight([Cell(*cell) for cell in cells])
    assert found == [f"cell {len(cells) - 1}: {name}"]


def test_imports_the_profile_and_names_made_in_the_open_are_no_finding():
    cells = [
        ("import numpy as np\nfrom a import b\nprofile = 'quick'", False),
        ("x = np.zeros(3)\nprint(b, profile)", True),
        ("y = [x for x in (1, 2)]", False),
        (
            "for k in x:\n    z = k\nprint(x, z, {k: v for k, v in ()}, lambda q: q)",
            True,
        ),
    ]
    assert cell_checks.made_out_of_sight([Cell(*cell) for cell in cells]) == []


# Running a small one


def test_rerun_gives_the_same_bytes_and_holds_no_times(small):
    write(small, PUBLISH + TABLE)
    run()
    first = kept(small)
    assert "_build/results/quick/01_small.json" in first
    assert "_build/figures/quick/01_small/small.csv" in first
    run(force=True)
    assert kept(small) == first
    text = first["_build/notebooks/quick/book/01_small.ipynb"].decode()
    assert "papermill" not in text and "start_time" not in text
    cells = json.loads(text)["cells"]
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    assert ["injected-parameters", "remove-cell"] in tags
    assert sorted(p.name for p in (small / "book").iterdir()) == [
        "01_small.md",
        "_static",
        "index.md",
    ], "nothing generated lies under book/"
    assert [cell["id"] for cell in cells] == [f"01_small-{i:03d}" for i in range(5)]


def test_unchanged_chapter_is_skipped_and_a_changed_one_says_why(small):
    run()
    assert "skip 01_small: nothing changed" in run()
    write(small, PUBLISH + "\n1 + 1")
    assert "run  01_small (changed: its code, its text" in run()
    (small / "_build/results/quick/01_small.json").unlink()
    assert "missing: results/quick/01_small.json" in run()
    (small / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    run()
    assert not kept(small), "a chapter that left the contents leaves its results"


def test_changed_prose_runs_nothing_and_gives_what_a_run_would_give(small):
    write(small, PUBLISH + TABLE)
    run()
    write(small, PUBLISH + TABLE, prose="Other words.\n\n## A heading\n\nAnd more.")
    told = run()
    assert "text 01_small: only words changed" in told and "run  " not in told
    reworded = kept(small)
    assert b"Other words" in reworded["_build/notebooks/quick/book/01_small.ipynb"]
    assert "skip 01_small" in run()
    run(force=True)
    assert kept(small) == reworded


def test_changed_prose_and_a_lost_result_run_the_chapter(small):
    run()
    (small / "_build/results/quick/01_small.json").unlink()
    write(small, PUBLISH, prose="Other words.")
    assert "run  01_small (changed: its text" in run()


def test_raising_chapter_stops_the_build_and_publishes_nothing(small):
    run()
    before = kept(small)
    write(small, PUBLISH.replace("6.5", "7.5") + "\nraise ValueError('planted')")
    done = lindecay("run", "--book", cwd=small)
    assert done.returncode == 1
    assert "lindecay: 01_small: cell 3 raised ValueError: planted" in done.stderr
    assert "Traceback" in done.stderr and "raise ValueError('planted')" in done.stderr
    assert kept(small) == before
    assert not list((small / "_build" / "running" / "quick").iterdir())


def test_reader_outside_a_run_publishes_into_scratch(small, monkeypatch):
    from lindecay import results

    monkeypatch.delenv("LINDECAY_RESULT_FILE", raising=False)
    results.publish("small.number", 1)
    assert not kept(small) and (small / "store" / "scratch").is_dir()


@pytest.mark.parametrize(
    "wanted, profile, told",
    [
        (["77"], "quick", "no such chapter: expected 01_small, found 77"),
        ([], "huge", "unknown profile: expected quick or paper, found 'huge'"),
    ],
)
def test_bad_word_is_a_fault(small, wanted, profile, told):
    with pytest.raises(Fault, match=re.escape(told)):
        build.run_chapters(wanted, profile)


def test_fault_is_one_line_and_exit_2(small):
    done = lindecay("run", "77", cwd=small)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "lindecay: no such chapter: expected 01_small, found 77\n"


def test_missing_page_is_named(small):
    (small / "_toc.yml").write_text(TOC + "  - file: book/02_gone\n")
    with pytest.raises(Fault, match="book/02_gone.md"):
        run()


# Rendering a small one


@pytest.mark.book
def test_book_of_one_chapter_renders_with_its_number(small):
    done = lindecay("run", "--book", cwd=small)
    assert done.returncode == 0, done.stderr
    page = (small / "_build/html/book/index.html").read_text()
    assert ">6.5</span>" in page and "//" not in loads(page)
    assert "0 staged files changed" in lindecay("run", "--book", cwd=small).stderr


def loads(page: str) -> str:
    """What the page loads."""
    found = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', page)
    return " ".join(found)


WRONG = {
    "{result}`small.nothing`": "no result 'small.nothing'",
    "{result}`reference/small.number`": "no result 'reference/small.number'",
    "{result}`small.number#interval`": "published without 'interval'",
    "{claim}`no-such-claim`": "no-such-claim",
    "```{show} nothing\n:alt: x\nCaption.\n```": "nothing: no such figure",
    "```{show} small\nCaption.\n```": "no :alt:",
    "[x](02_missing)": "02_missing",
}


@pytest.mark.book
def test_every_unknown_name_fails_the_build(small):
    write(small, PUBLISH, "\n\n".join(WRONG))
    done = lindecay("run", "--book", cwd=small)
    assert done.returncode == 1
    assert not [told for told in WRONG.values() if told not in done.stderr]


@pytest.mark.book
def test_plain_jupyter_book_build_executes_the_sources(small):
    call = "from jupyter_book.cli.main import main; main()"
    ask = [sys.executable, "-c", call, "build", ".", "-q", "-W", "-n", "--keep-going"]
    done = subprocess.run(
        ask, cwd=small, env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ">6.5</span>" in (small / "_build/html/book/index.html").read_text()
