"""The archive: every part with its sum, the same bytes from the same tree."""

import hashlib
import zipfile

import pytest

from lindecay.settings import Fault
from lindecay.site import archive


@pytest.fixture
def home(tmp_path):
    """A small finished build."""
    files = ["_build/html/index.html", "_build/html/book/01.html", "data/a.csv"]
    files += ["_build/notebooks/quick/book/01.ipynb", "_build/results/quick/01.json"]
    files += ["_build/html/colab/01.ipynb"]
    files += ["_build/results/paper/01.json", "LICENSE", "lib/code.py"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    return tmp_path


def made(home, name):
    files = list(archive.parts(home, home / "_build", "quick"))
    return archive.write(home / name, files)


def test_all_parts_are_in_it_with_their_sums(home):
    with zipfile.ZipFile(made(home, "a.zip")) as found:
        names = set(found.namelist())
        sums = dict(
            reversed(line.split("  ", 1))
            for line in found.read("SHA256SUMS").decode().splitlines()
        )
        assert names == {*sums, "SHA256SUMS"}
        for name, digest in sums.items():
            assert hashlib.sha256(found.read(name)).hexdigest() == digest
    assert {"html/index.html", "notebooks/book/01.ipynb", "results/01.json"} <= names
    assert {
        "html/colab/01.ipynb",
        "data/a.csv",
        "LICENSE",
    } <= names and "lib/code.py" not in names


def test_the_same_tree_gives_the_same_bytes(home):
    first = made(home, "a.zip").read_bytes()
    (home / "data" / "a.csv").touch()
    assert made(home, "b.zip").read_bytes() == first


def test_without_a_book_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "build_dir", lambda: tmp_path)
    with pytest.raises(Fault, match="no book to archive.*run `make book` first"):
        archive.archive()
