"""`lindecay run`: runs what changed, tells why, renders the pages.

The first chapter that fails stops everything: no page is rendered from half
of a build.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lindecay.results import Result
from lindecay.settings import build_dir, profile, root
from lindecay.site import chapters, knobs, runner, stage
from lindecay.site.chapters import Chapter
from lindecay.site.footer import duration
from lindecay.site.place import Build


class Stopped(Exception):
    """The build stopped; `details` is what the failing tool printed."""

    def __init__(self, line: str, details: str):
        self.details = details
        super().__init__(line)


@contextmanager
def alone() -> Iterator[None]:
    """One build at a time in a checkout: the second one waits and says so."""
    build_dir().mkdir(exist_ok=True)
    lock = FileLock(str(build_dir() / ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _console().print("another build is running here; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def run_chapters(
    wanted: list[str], profile_name: str, force: bool = False, console=None
) -> list[str]:
    """Run the chapters that changed (or all, with `force`); names of those run."""
    build = Build(build_dir(), profile(profile_name).name)
    console = console or _console()
    todo = chapters.select(root(), wanted)
    order = [chapter.name for chapter in chapters.chapters(root())]
    runner.prune(root(), build)
    console.print(f"profile {profile(profile_name).describe()}", style="dim")
    began, ran = time.perf_counter(), []
    for chapter in todo:
        key = chapters.key(chapter, build, order[: order.index(chapter.name)])
        why = "asked to" if force else runner.why_run(chapter, build, key)
        if not force and runner.only_prose(chapter, build, key):
            runner.reword(chapter, build, key)
            console.print(f"[dim]text[/] {chapter.name}: only words changed, none runs")
        elif why:
            _run(chapter, build, key, why, console)
            ran.append(chapter.name)
        else:
            console.print(f"[dim]skip[/] {chapter.name}: nothing changed since its run")
    took = duration(time.perf_counter() - began)
    console.print(f"{len(ran)} of {len(todo)} chapters run, {took}")
    return ran


def _run(chapter: Chapter, build: Build, key: dict, why: str, console: Console) -> None:
    before = build.run(chapter.name).get("seconds")
    hint = f", {duration(before)} last time" if before else ""
    console.print(f"[bold]run[/]  {chapter.name} ({escape(why)}{hint})")
    columns = ["{task.completed}/{task.total} cells"]
    with Progress(
        TextColumn("     "),
        BarColumn(),
        *map(TextColumn, columns),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(chapter.name, total=None)
        try:
            seconds = runner.run(
                chapter, build, key, lambda i, n: bar.update(task, completed=i, total=n)
            )
        except runner.ChapterFailed as failed:
            raise Stopped(
                f"{failed}; nothing was published", failed.traceback
            ) from None
    console.print(f"     {chapter.name} done in {duration(seconds)}")


def run_turned(words: list[str], profile_name: str, given: knobs.Knobs, console=None):
    """Run chapters with other knobs; returns the numbers that moved, a row each.

    Everything goes to _build/mine; nothing of the book changes.
    """
    console = console or _console()
    mine = Build(build_dir() / "mine", profile(profile_name).name)
    rows = []
    for chapter in chapters.select(root(), words):
        notebook = knobs.turn(chapter, profile_name, given)
        console.print(f"[bold]run[/]  {chapter.name} with {given}")
        try:
            found = runner.run_turned(chapter, mine, notebook)
        except runner.ChapterFailed as failed:
            raise Stopped(str(failed), failed.traceback) from None
        rows += knobs.beside(found, published(profile_name))
    console.print(f"kept in {mine.home}; nothing was published")
    return rows


def published(profile_name: str) -> dict[str, Result]:
    """This build's numbers, else the committed ones."""
    build = Build(build_dir(), profile(profile_name).name)
    carried = (k for k in build.published if k.startswith("reference/"))
    known = {k.removeprefix("reference/"): build.published[k] for k in carried}
    here = {k: r for k, r in build.published.items() if "/" not in k}
    return known | here


def render(profile_name: str, console=None) -> Path:
    """Render the staged book; returns the index page."""
    console = console or _console()
    began = time.perf_counter()
    build = Build(build_dir(), profile(profile_name).name)
    changed = stage.fill(root(), build)
    console.print(f"render: {changed} staged files changed")
    words = io.StringIO()
    try:
        index = stage.render(root(), build, words)
    except stage.RenderFailed as failed:
        raise Stopped(str(failed), words.getvalue()) from None
    console.print(f"rendered in {duration(time.perf_counter() - began)}: {index}")
    return index
