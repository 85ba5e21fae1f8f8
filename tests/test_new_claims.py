"""Another paper's claims: from an empty folder to a green and a red verdict."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lindecay.claims import scaffold
from lindecay.settings import Fault, root

LINDECAY = [sys.executable, "-m", "lindecay"]


def lindecay(home: Path, *words: str) -> subprocess.CompletedProcess:
    env = os.environ | {"LINDECAY_STORE": str(home.parent / "store")}
    env = {k: v for k, v in env.items() if k != "LINDECAY_CHAPTER"}
    told = dict(cwd=home, env=env, capture_output=True, text=True)
    return subprocess.run([*LINDECAY, *words], **told)


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    """The template, filled in, its chapter run, its verdicts accepted."""
    home = scaffold.new(tmp_path_factory.mktemp("papers") / "toy", "Two dice")
    ran = lindecay(home, "run")
    assert ran.returncode == 0, ran.stderr
    assert lindecay(home, "check", "--accept").returncode == 0
    return home


def test_green_as_accepted_with_the_verdicts_that_arithmetic_gives(toy):
    found = lindecay(toy, "check", "--json")
    told = json.loads(found.stdout)
    assert found.returncode == 0 and told["problems"] == [] and told["ours"] == []
    rows = {row["id"]: (row["verdict"], row["ours"]) for row in told["claims"]}
    assert rows["mean-sum"] == ("exact", 7.0)
    assert rows["larger-die"] == ("exact", pytest.approx(161 / 36))
    assert rows["third-die"] == ("differs", pytest.approx(1071 / 216 / (161 / 36)))


@pytest.fixture
def spoiled(toy):
    """What a test changes is put back."""
    files = [toy / "_build/results/quick/index.json", toy / "data/claims/paper.txt"]
    kept = {path: path.read_text() for path in files}
    yield files
    for path, text in kept.items():
        path.write_text(text)


def test_red_when_a_number_is_doctored(toy, spoiled):
    data = json.loads(spoiled[0].read_text())
    next(r for r in data["results"] if r["id"] == "dice.larger")["value"] = 5.1
    spoiled[0].write_text(json.dumps(data))
    found = lindecay(toy, "check")
    assert found.returncode == 1
    assert "red: moved: larger-die: worse: committed exact" in found.stdout


def test_red_when_the_text_prints_a_number_without_an_entry(toy, spoiled):
    spoiled[1].write_text(spoiled[1].read_text() + "It takes 12 throws.\n")
    found = lindecay(toy, "check")
    assert found.returncode == 1 and "unlisted" in found.stdout + found.stderr


def test_why_follows_the_chain_in_the_other_project(toy):
    told = lindecay(toy, "check", "--why", "third-die").stdout
    for where in ("data/claims/paper.txt:2", "data/claims/paper.yml", "index.json"):
        assert where in told


def test_pages_ask_for_the_other_papers_numbers(toy):
    made = lindecay(toy, "run", "--book")
    assert made.returncode == 0, made.stderr[-2000:]
    page = (toy / "_build/html/book/index.html").read_text()
    assert '<span class="value paper"' in page and ">4.47</span>" in page
    assert (toy / "_build/html/figures/index/larger.csv").exists()


def test_nothing_is_overwritten(toy):
    with pytest.raises(Fault, match="the folder is not empty"):
        scaffold.new(toy)


def test_the_book_keeps_its_own_claims_beside_it():
    found = lindecay(root(), "check", "--why", "third-die")
    assert found.returncode == 2 and "unknown claim" in found.stderr


def test_the_action_runs_what_it_says(tmp_path):
    """The step that other repositories call, on a file of measurements."""
    action = yaml.safe_load((root() / "action.yml").read_text())
    judge = action["runs"]["steps"][-1]["run"]
    assert "lindecay check --with" in judge and action["inputs"]["results"]["required"]
    mine = tmp_path / "mine.json"
    for cycles, code in ((58, 0), (59, 1)):  # of an update, for any number of neurons
        sizes = (16, 64, 256, 1024, 4096)
        told = {
            "array.update_cycles": [[n, cycles if n > 16 else 58] for n in sizes],
            "array.update_cycles_sequential": [[n, 58 * n] for n in sizes],
            "array.update_closed_form": 58,
        }
        results = [{"id": id, "value": value} for id, value in told.items()]
        mine.write_text(json.dumps({"schema": 1, "results": results}))
        found = lindecay(root(), "check", "--with", str(mine), "--markdown")
        assert found.returncode == code, found.stderr + found.stdout[:500]
        assert "| claim |" in found.stdout
