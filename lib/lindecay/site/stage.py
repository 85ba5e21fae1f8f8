"""The staged tree: executed notebooks and plain pages, as readers will see them.

Only files that changed are copied, so that Sphinx renders only those anew.
"""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from lindecay.settings import Fault
from lindecay.site import BLOCK, chapters
from lindecay.site.place import Build
from lindecay.store import write_atomic


class RenderFailed(Exception):
    """Sphinx gave warnings or errors; they were printed."""


def fill(root: Path, build: Build) -> int:
    """Bring _build/stage up to date; returns how many files changed."""
    stage = root / "_build" / "stage"
    wanted = {Path("_toc.yml"): root / "_toc.yml"}
    wanted |= _pages(root, build) | _assets(root)
    changed = sum(_copy(source, stage / name) for name, source in wanted.items())
    changed += _config(root, build, stage)
    keep = {stage / name for name in wanted} | {stage / "_config.yml"}
    for path in [p for p in stage.rglob("*") if p.is_file() and p not in keep]:
        path.unlink()
        changed += 1
    return changed


def _pages(root: Path, build: Build) -> dict[Path, Path]:
    found = {}
    for page in chapters.pages(root):
        source = chapters.source_of(root, page)
        if not chapters.runs(source):
            found[Path(f"{page}.md")] = source
            continue
        executed = build.notebooks / f"{page}.ipynb"
        if not executed.exists():
            name, do = (
                executed.name,
                f"run `lindecay run --profile {build.profile}` first",
            )
            raise Fault("an executed chapter is missing", expected=name, do=do)
        found[Path(f"{page}.ipynb")] = executed
    return found


def _assets(root: Path) -> dict[Path, Path]:
    static = [p for p in (root / "book" / "_static").rglob("*") if p.is_file()]
    bib = list((root / "book").glob("*.bib"))
    return {p.relative_to(root): p for p in static + bib}


def _copy(source: Path, target: Path) -> bool:
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return True


def _config(root: Path, build: Build, stage: Path) -> bool:
    """_config.yml of the stage: the checkout's own, nothing left to execute."""
    config = yaml.safe_load((root / "_config.yml").read_text())
    config["execute"] = {"execute_notebooks": "off"}
    config["sphinx"]["config"] |= {
        "lindecay_home": str(build.home),
        "lindecay_profile": build.profile,
        "lindecay_root": str(root),
        "lindecay_staged": True,
    }
    text = yaml.safe_dump(config, sort_keys=True)
    path = stage / "_config.yml"
    if path.exists() and path.read_text() == text:
        return False
    write_atomic(path, text)
    return True


def render(root: Path, build: Build, out) -> Path:
    """Run Jupyter Book on the stage, nitpicky, warnings as errors."""
    call = f"{BLOCK}; from jupyter_book.cli.main import main; main()"
    ask = [sys.executable, "-c", call, "build", str(root / "_build" / "stage")]
    ask += ["-n", "-W", "--keep-going", "-q", "--path-output", str(root)]
    env = os.environ | {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(ask, cwd=root, env=env, capture_output=True, text=True)
    index = root / "_build" / "html" / "index.html"
    # Jupyter Book 2 exits 0 without building anything: ask for the page itself
    if done.returncode or not index.exists():
        print(done.stdout, done.stderr, sep="\n", file=out)
        raise RenderFailed("the book did not render; the warnings above say where")
    return index
