"""What all tests share: recordings if they are here, and the book, built once."""

import functools
import http.server
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lindecay.settings import data_dir
from lindecay.site import chapters
from lindecay.site.doctor import browser as browser_path
from lindecay.site.place import Build
from lindecay.store import write_atomic

ROOT = Path(__file__).resolve().parents[1]
LINDECAY = [sys.executable, "-c", "from lindecay.cli import main; main()"]


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; without them the test is skipped."""
    base = data_dir()
    if not (base / "NMNIST" / "SOURCE.json").exists():
        pytest.skip(f"no recordings in {base} (LINDECAY_DATA)")
    return base


def _wants_the_book(item) -> bool:
    return "attempt" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items):
    """Tests of the book come last: it is built while the others run."""
    items.sort(key=lambda x: _wants_the_book(x) or bool(x.get_closest_marker("book")))


def lindecay(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess:
    """The command line in a process of its own."""
    ask, env = [*LINDECAY, *words], os.environ | env
    return subprocess.run(ask, cwd=cwd, env=env, capture_output=True, text=True)


@dataclass
class Book:
    """The book of this checkout, executed and rendered by this session."""

    build: Build
    rc: int
    output: str

    @property
    def html(self) -> Path:
        return ROOT / "_build" / "html"


@dataclass
class Building:
    """A build beside the tests: one for all workers of pytest-xdist.

    home: a folder that they share. The worker that leaves its number there first starts
    the build; the build's return code stands in `ended` when it has ended.
    """

    home: Path
    running: subprocess.Popen | None = None

    @property
    def told(self) -> Path:
        return self.home / "stderr"

    @property
    def ended(self) -> Path:
        return self.home / "rc"

    def begin(self) -> None:
        with suppress(FileExistsError):
            (self.home / "worker").symlink_to(str(os.getpid()))
            ask = [*LINDECAY, "run", "--book"]
            with self.told.open("w") as log:
                self.running = subprocess.Popen(ask, cwd=ROOT, stdout=log, stderr=log)
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        write_atomic(self.ended, str(self.running.wait()))

    def wait(self) -> int:
        while not self.ended.exists():
            os.kill(int((self.home / "worker").readlink().name), 0)  # gone: an error
            time.sleep(0.2)
        return int(self.ended.read_text())


@pytest.fixture(scope="session", autouse=True)
def building(request, tmp_path_factory):
    """`lindecay run --book` beside the tests, once, where one of them wants it."""
    if not any(map(_wants_the_book, request.session.items)):
        yield None
        return
    home, worker = tmp_path_factory.getbasetemp(), "PYTEST_XDIST_WORKER" in os.environ
    found = Building(home.parent if worker else home)
    found.begin()
    yield found
    if worker:  # others may want it still
        found.wait()
    elif found.running:
        found.running.terminate()  # of no effect on one that has ended


@pytest.fixture(scope="session")
def attempt(building) -> Book:
    """The build when it has ended, whatever became of it."""
    rc = building.wait()
    return Book(Build(ROOT / "_build", "quick"), rc, building.told.read_text())


@pytest.fixture(scope="session")
def book(attempt: Book) -> Book:
    """The rendered book; a build that failed fails each test that wants it."""
    if attempt.rc:
        pytest.fail(f"the book did not build:\n{attempt.output}", pytrace=False)
    return attempt


@pytest.fixture(scope="session")
def address(book: Book):
    """The rendered book behind a server on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    handler = functools.partial(Quiet, directory=str(book.html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def pages() -> list[str]:
    """Every page of the book, for parametrized tests."""
    return chapters.pages(ROOT)


def chapter_names() -> list[str]:
    """Every page that runs."""
    return [chapter.name for chapter in chapters.chapters(ROOT)]


@pytest.fixture(scope="session")
def browser():
    """Chromium; without one the test is skipped, or fails in CI."""
    found = browser_path()
    if found is None:
        told = "no chromium here (`lindecay doctor`)"
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(told)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # a container's /dev/shm is small, and root has no sandbox
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=found, args=flags)
        yield running
        running.close()
