"""The command line with wrong input: one line, exit code 2, nothing done."""

import json
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT, lindecay
from lindecay import __version__
from lindecay.claims import given
from lindecay.settings import Fault
from lindecay.site import chapters, doctor

GOOD = {"id": "nmnist.drop", "value": 0.5, "n": 100, "interval": [-1, 2], "seeds": [0]}


def file_of(tmp_path, results, **more):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"schema": 1, "results": results} | more))
    return path


def test_a_good_file_is_taken(tmp_path):
    found = given.read(file_of(tmp_path, [GOOD | {"source": "official"}]))
    assert found["nmnist.drop"].value == 0.5


FILES = {
    "an unknown id": ([GOOD | {"id": "nmnist.dorp"}], "expected nmnist.drop"),
    "an id twice": ([GOOD, GOOD], "the same result twice: found nmnist.drop"),
    "no results": ([], "an empty list"),
    "a huge value": ([GOOD | {"value": 1e308}], r"up to 1e\+12, found 1e\+308"),
    "a huge negative": ([GOOD | {"value": -1e308}], "found -1e"),
    "nan": ([GOOD | {"value": float("nan")}], "finite number.*found nan"),
    "nan in a list": ([GOOD | {"value": [1, float("inf")]}], "found inf"),
    "n": ([GOOD | {"n": -7}], "n: expected at least 1, found -7"),
    "an interval": ([GOOD | {"interval": [5, -5]}], "expected low, high"),
    "interval of nan": ([GOOD | {"interval": [float("nan"), 1]}], "interval: expected"),
    "a source": ([GOOD | {"source": "moon"}], "recordings or official"),
    "a profile": ([GOOD | {"profile": "slow"}], "quick or paper"),
    "seeds": ([GOOD | {"seeds": [0, 0]}], "each once"),
    "a negative ratio": (
        [{"id": "energy.module.decay_alone", "value": -5.2}], "no negative number",
    ),
    "a field": ([GOOD | {"vlaue": 1}], "vlaue of a result"),
    "a type": ([GOOD | {"n": "many"}], "n of a result"),
}  # fmt: skip


@pytest.mark.parametrize("results, words", FILES.values(), ids=FILES)
def test_results_that_cannot_be_are_one_line(tmp_path, results, words):
    with pytest.raises(Fault, match=words):
        given.read(file_of(tmp_path, results))


@pytest.mark.parametrize(
    "text, words",
    [
        ("[]", "found a list"),
        ("{", "found no JSON"),
        ('{"schema": 1, "results": []}', "an empty list"),
        ('{"results": []}', "found schema None"),
        ('{"schema": 9, "results": [1]}', "found schema 9"),
        ('{"schema": 1, "results": [1]}', "of a result|a result"),
        ('{"schema": 1}', "found a dict"),
    ],
)
def test_files_of_another_kind_are_one_line(tmp_path, text, words):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(Fault, match=words):
        given.read(path)
    with pytest.raises(Fault, match="nothing there"):
        given.read(tmp_path / "gone.json")


def test_chapters_are_named_by_number_or_name():
    assert [c.name for c in chapters.select(ROOT, ["4"])] == ["04_training"]
    for word in ("", " ", "99", "nosuch"):
        with pytest.raises(Fault, match="no such chapter"):
            chapters.select(ROOT, [word])


COMMANDS = [
    (["check", "--against", "nosuch"], "no such commit.*'nosuch'"),
    (["check", "--json", "--markdown"], "found --json --markdown"),
    (["check", "--accept", "--with", "x.json"], "found --accept --with"),
    (["prove", "nmnist", "--seed", "-1"], "--seed: expected a whole number from 0"),
    (["prove", "nmnist", "--seed", "99"], "not trained yet.*or add --train"),
    (["sweep", "main", "--workers", "0"], "--workers: expected"),
    (["sweep", "main", "--workers=-3"], "--workers: expected"),
    (["run", ""], "no such chapter"),
]


@pytest.mark.parametrize(
    "words, told", COMMANDS, ids=[" ".join(c[0]) for c in COMMANDS]
)
def test_wrong_words_are_one_line_and_exit_code_2(words, told):
    done = lindecay(*words, cwd=ROOT)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2 and len(lines) == 1 and not done.stdout
    assert lines[0].startswith("lindecay: ") and re.search(told, lines[0]), lines


def test_version_is_told():
    done = lindecay("--version", cwd=ROOT)
    assert done.stdout.strip() == f"lindecay {__version__}" and done.returncode == 0


@pytest.mark.parametrize("kind", ["a file", "below a file", "nowhere"])
def test_a_store_that_cannot_be_written_is_one_line(tmp_path, kind, monkeypatch):
    (tmp_path / "file").write_text("")
    path = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "x"}
    place = str(path.get(kind, "/proc/nowhere"))
    done = lindecay("prove", "nmnist", cwd=ROOT, LINDECAY_STORE=place, LINDECAY_DATA="")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "LINDECAY_STORE" in done.stderr.splitlines()[-1]
    monkeypatch.setenv("LINDECAY_STORE", place)
    assert not next(c for c in doctor.examine() if c.name == "store").good


@pytest.mark.parametrize("name", ["mit Leerzeichen", "Umläute ß", "日本"])
def test_folders_with_any_name_and_plain_locales_work(tmp_path, name):
    home = tmp_path / name
    home.mkdir()
    env = {"LINDECAY_STORE": str(home), "LC_ALL": "C"}
    done = lindecay("data", "info", "--json", cwd=ROOT, **env)
    assert done.returncode == 0 and json.loads(done.stdout)["nmnist"], done.stderr


def test_two_processes_on_one_store_build_once(tmp_path):
    code = """
import sys
from pathlib import Path
from lindecay import store
def build(folder):
    Path(sys.argv[1]).open("a").write("built\\n")
    (folder / "x").write_text("1")
store.memo("test", {"a": 1}, [], build)
"""
    log, env = tmp_path / "log", {"LINDECAY_STORE": str(tmp_path / "store")}
    ask = [sys.executable, "-c", code, str(log)]
    two = [subprocess.Popen(ask, env=os.environ | env) for _ in range(2)]
    assert [one.wait() for one in two] == [0, 0]
    assert log.read_text() == "built\n"
