"""Runs chapters with papermill and keeps what they made, or nothing of it.

source .md -> jupytext -> papermill -> executed .ipynb, results, figures; each
written aside and moved into place together when the last cell has run.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jupytext
import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError

from lindecay import results, store
from lindecay.settings import profile
from lindecay.site import chapters
from lindecay.site.chapters import Chapter
from lindecay.site.place import Build
from lindecay.site.provenance import machine

THREADS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
Tick = Callable[[int, int], None]  # (cells done, cells in all)


class ChapterFailed(Exception):
    """A cell raised: which, in which chapter, with its traceback."""

    def __init__(self, chapter: Chapter, error: PapermillExecutionError):
        self.chapter, self.traceback = chapter, "\n".join(error.traceback)
        name, cell = chapter.name, error.cell_index
        super().__init__(f"{name}: cell {cell} raised {error.ename}: {error.evalue}")


class QuietKernel(AsyncKernelManager):
    """Talks through files instead of TCP ports: no ports, no warnings.

    peak: MB that the last kernel held at most; None where the system does not tell.
    """

    peak: float | None = None

    def __init__(self, **kw):
        # sockets beside the connection file, else they land in the chapter's folder
        sockets = os.path.join(os.environ["JUPYTER_RUNTIME_DIR"], "k")
        super().__init__(transport="ipc", ip=sockets, **kw)

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """As the base does, after a last look at the kernel's memory."""
        QuietKernel.peak = peak_mb(getattr(self.provisioner, "pid", None))
        await super().shutdown_kernel(now=now, restart=restart)


def peak_mb(pid: int | None) -> float | None:
    """Peak resident memory of a running process in MB (Linux), else None."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peak = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return round(int(peak[0]) / 1e3) if peak else None


def why_run(chapter: Chapter, build: Build, key: dict[str, str]) -> str:
    """Why this chapter has to run; empty when nothing changed."""
    record = build.run(chapter.name)
    if not record:
        return "never run"
    moved = _moved(record["key"], key)
    if moved:
        more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
        return "changed: " + ", ".join(moved[:3]) + more
    lost = [p for p in record["outputs"] if not (build.home / p).exists()]
    return f"missing: {lost[0]}" if lost else ""


def _moved(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [k for k in sorted({*old, *new}) if old.get(k) != new.get(k)]


def only_prose(chapter: Chapter, build: Build, key: dict[str, str]) -> bool:
    """Whether what ran would run the same: words around the cells changed, no cell."""
    record = build.run(chapter.name)
    return (
        bool(record)
        and _moved(record["key"], key) == ["its text"]
        and all((build.home / p).exists() for p in record["outputs"])
    )


def reword(chapter: Chapter, build: Build, key: dict[str, str]) -> None:
    """New words around the kept outputs: the notebook that a run would give."""
    path = build.notebooks / f"{chapter.page}.ipynb"
    kept, fresh = nbformat.read(path, 4), jupytext.read(chapter.path)
    ran = iter([cell for cell in kept.cells if cell.cell_type == "code"])
    cells = []
    for cell in fresh.cells:
        cells.append(
            _with_outputs(cell, next(ran)) if cell.cell_type == "code" else cell
        )
        cell.metadata.setdefault("tags", [])  # as papermill does
        if "parameters" in cell.metadata["tags"]:
            cells.append(next(ran))  # the profile's cell, injected below it
    kept.cells = cells
    text = nbformat.writes(tidy(kept, chapter.name))
    store.write_atomic(path, text + "\n")
    record = build.run(chapter.name) | {"key": key}
    _write_record(chapter, build, record)


def _with_outputs(cell, ran):
    cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    return cell


def run(chapter: Chapter, build: Build, key: dict[str, str], tick: Tick) -> float:
    """Execute one chapter and publish what it made; returns the seconds.

    Raises ChapterFailed; then everything that it wrote is gone.
    """
    with _workplace(build, chapter) as part:
        began = time.perf_counter()
        try:
            notebook = _execute(chapter, build, part, tick)
        except PapermillExecutionError as error:
            raise ChapterFailed(chapter, error) from None
        seconds = time.perf_counter() - began
        _publish(chapter, build, part, notebook)
    _record(chapter, build, key, seconds)
    return seconds


@contextmanager
def _workplace(build: Build, chapter: Chapter) -> Iterator[Path]:
    part = build.home / "running" / build.profile / f"{chapter.name}.{os.getpid()}"
    part.mkdir(parents=True)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _environment(chapter: Chapter, build: Build, part: Path) -> Iterator[None]:
    """What the kernel inherits; one thread, so that sums add up the same way."""
    before = dict(os.environ)
    # sockets of the kernel: their path must stay short
    runtime = tempfile.mkdtemp(prefix="ldk")
    os.environ |= {f"{name}_NUM_THREADS": "1" for name in THREADS}
    os.environ |= {
        "LINDECAY_PROFILE": build.profile,
        "LINDECAY_CHAPTER": chapter.name,
        "LINDECAY_RESULT_FILE": str(part / "results.json"),
        "LINDECAY_FIGURES": str(part / "figures"),
        "JUPYTER_RUNTIME_DIR": runtime,
        "PYTHONHASHSEED": "0",
        # a progress bar in a page would tell whether work was kept or done anew
        "LINDECAY_QUIET": "1",
        # tqdm misses widgets that a page could not show, and names a path in saying so
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(runtime, ignore_errors=True)


def run_turned(chapter: Chapter, build: Build, notebook) -> dict[str, results.Result]:
    """Execute a notebook with other knobs into a build of its own; its numbers.

    Raises ChapterFailed as `run` does.
    """
    with _workplace(build, chapter) as part:
        try:
            made = _execute(chapter, build, part, lambda i, n: None, notebook)
        except PapermillExecutionError as error:
            raise ChapterFailed(chapter, error) from None
        _publish(chapter, build, part, made)
    return results.read(build.results / f"{chapter.name}.json")


def _execute(chapter: Chapter, build: Build, part: Path, tick: Tick, given=None):
    notebook = given or jupytext.read(chapter.path)
    notebook.metadata["kernelspec"] = dict(PYTHON)  # papermill asks for its language
    total = len(notebook.cells) + 1  # papermill adds the profile's cell

    def done(cell, cell_index, **_):
        tick(cell_index + 1, total)

    with _environment(chapter, build, part):
        return papermill.execute_notebook(
            notebook,
            None,
            parameters={"profile": profile(build.profile).name},
            cwd=str(chapter.path.parent),
            progress_bar=False,
            kernel_manager_class=QuietKernel,
            on_cell_start=done,
            # its farewell to the interrupt that ends it is no news
            extra_arguments=["--log-level=CRITICAL"],
        )


def tidy(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """The executed notebook without what differs from run to run."""
    for key in ("papermill", "jupytext"):
        notebook.metadata.pop(key, None)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{name}-{i:03d}"[-64:]
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags and "remove-cell" not in tags:
            cell.metadata["tags"] = [*tags, "remove-cell"]
    return notebook


def _publish(chapter: Chapter, build: Build, part: Path, notebook) -> None:
    """Everything into place: figures, numbers, and the notebook last."""
    (part / "figures").mkdir(exist_ok=True)
    target = build.figures / chapter.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(part / "figures", target)
    if not (part / "results.json").exists():
        results.save(part / "results.json", {})
    build.results.mkdir(parents=True, exist_ok=True)
    os.replace(part / "results.json", build.results / f"{chapter.name}.json")
    text = nbformat.writes(tidy(notebook, chapter.name))
    store.write_atomic(build.notebooks / f"{chapter.page}.ipynb", text + "\n")


def _record(chapter: Chapter, build: Build, key: dict, seconds: float) -> None:
    outputs = [build.results / f"{chapter.name}.json"]
    outputs += [build.notebooks / f"{chapter.page}.ipynb"]
    outputs += sorted((build.figures / chapter.name).iterdir())
    record = {
        "chapter": chapter.name,
        "seconds": round(seconds, 1),
        "peak_mb": QuietKernel.peak,
        "commit": results.commit(),
        "machine": machine(),
        "key": key,
        "outputs": [str(p.relative_to(build.home)) for p in outputs],
    }
    _write_record(chapter, build, record)


def _write_record(chapter: Chapter, build: Build, record: dict) -> None:
    text = json.dumps(record, indent=1, sort_keys=True)
    store.write_atomic(build.runs / f"{chapter.name}.json", text + "\n")


def prune(root: Path, build: Build) -> None:
    """Forget chapters that left the table of contents."""
    known = {c.name: c.page for c in chapters.chapters(root)}
    for folder in (build.results, build.runs):
        for path in folder.glob("*.json"):
            if path.stem not in known:
                path.unlink()
    for path in build.figures.glob("*"):
        if path.name not in known:
            shutil.rmtree(path)
    for path in build.notebooks.rglob("*.ipynb"):
        if path.stem not in known:
            path.unlink()
