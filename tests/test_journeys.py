"""Three users, each followed from door to door: a reader, a re-runner, a validator."""

import csv
import io
import json
import os
import subprocess
import sys

import jupytext
import pytest

from conftest import ROOT, lindecay
from lindecay import claims, results

pytestmark = pytest.mark.book


# ------------------------------------------------------------------ the reader


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_reader_walks_from_the_first_page_to_the_data_of_a_figure(
    browser, address, book, width
):
    """index -> claim -> chapter -> figure -> its CSV, by what is on the pages alone."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    tab, lost = context.new_page(), []
    tab.on("response", lambda r: lost.append(r.url) if r.status >= 400 else None)
    tab.goto(address)
    tab.get_by_role("link", name="answer for each number").click()
    row = tab.locator("tr#acc-drop-nmnist")
    assert row.locator(".verdict").inner_text().split()[-1] in claims.VERDICTS
    why = tab.locator("tr#acc-drop-nmnist + tr.why")
    why.get_by_role("link", name="04_training").click()
    figure = tab.locator("figure").filter(has=tab.locator("svg.drawing")).last
    figure.scroll_into_view_if_needed()
    name = tab.locator("figure#fig-paired-drop")
    assert name.locator("svg.drawing.wide").get_attribute("aria-label")
    with tab.expect_download() as waiting:
        name.get_by_role("link", name="data (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    drop = book.build.published["nmnist.drop"]
    assert float(rows[0]["mean"]) == pytest.approx(drop.value)
    assert lost == []
    context.close()


# --------------------------------------------------------------- the re-runner


def test_rerunner_turns_lambda_in_chapter_04_and_disturbs_nothing(book, tmp_path):
    """The chapter's own cells in a kernel, λ eight times instead of twice."""
    before = {p: p.read_bytes() for p in book.build.results.glob("*.json")}
    notebook = jupytext.read(ROOT / "book" / "04_training.md")
    knob = [c for c in notebook.cells if "lambda lam: lam * 2" in c.source]
    assert len(knob) == 1, "the knob of chapter 04: `lambda lam: lam * 2`"
    knob[0].source = knob[0].source.replace("lam * 2", "lam * 8")
    _execute(notebook, tmp_path)
    mine = results.read(tmp_path / "results.json")
    published = book.build.published
    assert mine["nmnist.acc.ldlif"].value == published["nmnist.acc.ldlif"].value
    assert (
        mine["nmnist.acc.ldlif.lam2"].value < published["nmnist.acc.ldlif.lam2"].value
    )
    assert {p: p.read_bytes() for p in before} == before
    assert (tmp_path / "figures" / "paired-drop.csv").exists()


def _execute(notebook, folder):
    """In a kernel of its own, as a notebook from anywhere; what it makes goes aside."""
    jupytext.write(notebook, folder / "mine.ipynb")
    own = {
        "LINDECAY_RESULT_FILE": str(folder / "results.json"),
        "LINDECAY_FIGURES": str(folder / "figures"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "OMP_NUM_THREADS": "1",
    }
    words = ["--to", "notebook", "--execute", "--output", "ran", "mine.ipynb"]
    ask = [sys.executable, "-m", "nbconvert", *words]
    done = subprocess.run(
        ask, cwd=folder, env=os.environ | own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# --------------------------------------------------------------- the validator


def theirs(path, drops):
    """A result file as CONTRIBUTING.md asks for it, written by hand."""
    mean = sum(drops) / len(drops)
    stamp = {"unit": "points", "source": "official", "profile": "paper", "n": 50_000}
    rows = [
        {"id": "nmnist.drop", "value": mean, **stamp},
        {"id": "nmnist.drop_per_seed", "value": drops, **stamp},
    ]
    path.write_text(json.dumps({"schema": 1, "results": rows}))
    return str(path)


@pytest.mark.book
def test_validator_finds_this_build_green(book, recordings):
    done = lindecay("check", "--json", cwd=ROOT)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["problems"] == [], found["problems"]


def test_validator_contradicts_a_claim_with_a_file(tmp_path):
    file = theirs(tmp_path / "theirs.json", [9.0, 9.1, 9.2, 9.0, 9.1])
    done = lindecay("check", "--with", file, cwd=ROOT, COLUMNS="200")
    assert done.returncode == 1 and done.stderr == ""
    red = [line for line in done.stdout.splitlines() if line.startswith("red: ")]
    assert len(red) == 1 and red[0].startswith("red: moved: acc-drop-nmnist: ")
    told = lindecay("check", "--with", file, "--json", cwd=ROOT)
    rows = {row["id"]: row for row in json.loads(told.stdout)["claims"]}
    mine = rows["acc-drop-nmnist"]
    assert (mine["verdict"], mine["status"]) == ("differs", "recomputed")
    assert mine["ours"] == pytest.approx(9.08) and mine["source"] == "official"
    assert "Not compatible" in mine["why"]


def test_validator_who_agrees_or_errs_is_told_so(tmp_path):
    file = theirs(tmp_path / "theirs.json", [0.94, 0.96, 0.98])
    done = lindecay("check", "--with", file, cwd=ROOT)
    assert done.returncode == 0 and "red:" not in done.stdout
    (tmp_path / "bad.json").write_text("{")
    done = lindecay("check", "--with", str(tmp_path / "bad.json"), cwd=ROOT)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "not a result file" in done.stderr
    done = lindecay("check", "--with", str(tmp_path / "gone.json"), cwd=ROOT)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
