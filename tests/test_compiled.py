"""A compiled loop follows every file that it is made of."""

import os
import subprocess
import sys

import pytest

from lindecay.compiled import PACKAGE, SOURCES, forget_stale, stamp

OUTER = """
from numba import njit
from inner import add

@njit(cache=True)
def loop(x):
    return add(x)
"""
INNER = """
from numba import njit

@njit(cache=True, inline="always")
def add(x):
    return x + {}
"""


@pytest.fixture
def package(tmp_path):
    """A package with one loop in integer.py that takes code from kernels/inner.py."""
    (tmp_path / "kernels").mkdir()
    (tmp_path / "integer.py").write_text(OUTER)
    inner(tmp_path, 1)
    return tmp_path


def inner(package, n):
    path = package / "kernels" / "inner.py"
    path.write_text(INNER.format(n))
    os.utime(path, ns=(n * 10**9, n * 10**9))


def answer(package):
    code = "import integer; print(integer.loop(10))"
    env = os.environ | {"PYTHONPATH": f"{package}:{package / 'kernels'}"}
    env.pop("NUMBA_CACHE_DIR", None)
    ask = [sys.executable, "-c", code]
    return int(subprocess.run(ask, env=env, capture_output=True, check=True).stdout)


def test_numba_alone_runs_a_loop_as_it_was_and_we_do_not(package):
    forget_stale(package)
    assert answer(package) == 11
    assert forget_stale(package) == 0
    inner(package, 2)
    assert answer(package) == 11  # why this module exists; 12 once numba mends it
    assert forget_stale(package) > 0
    assert answer(package) == 12


def test_every_source_of_a_loop_is_followed(package):
    before = stamp(package)
    for glob in SOURCES:
        path = package / glob.replace("*", "more")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# one line more\n")
        assert stamp(package) != before
        before = stamp(package)


# loops that take nothing from others
ALONE = {"bench/array.py", "bench/works.py"}
ALONE |= {"events/gestures.py", "training/speech.py"}


def test_every_file_with_loops_on_disk_is_a_source_or_stands_alone():
    followed = {path for glob in SOURCES for path in PACKAGE.glob(glob)}
    kept = [p for p in PACKAGE.rglob("*.py") if "njit(cache=True" in p.read_text()]
    left = {str(path.relative_to(PACKAGE)) for path in set(kept) - followed}
    assert left == ALONE


def test_a_folder_that_cannot_be_written_is_left_alone(package, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    assert forget_stale(package) == 0
