"""Chapters for Colab: executed, values in the prose, a first cell that installs.

Colab opens notebooks that lie in a repository on GitHub. `_config.yml` names the one
(`lindecay_repository`) and the branch on which the rendered pages lie
(`lindecay_pages_branch`): then each chapter's footer has a link that opens it there.
Without an address the notebooks are offered all the same, and their first cell asks.
"""

import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from lindecay.results import commit
from lindecay.site import chapters, lab
from lindecay.site.chapters import Chapter
from lindecay.site.place import Build
from lindecay.store import write_atomic

FOLDER = "colab"
OPEN = "https://colab.research.google.com/github/{name}/blob/{branch}/{path}"
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?$")
FIRST = """\
# Not on your own machine? This installs lindecay with its readers of event files,
# without the tools of the book.
import importlib.util

REPOSITORY = "{repository}"  # the address that one clones
if importlib.util.find_spec("lindecay") is None:
    assert REPOSITORY, "fill in REPOSITORY, the address that you would clone"
    %pip install -q "lindecay[data] @ git+{{REPOSITORY}}{at}"
"""


def first_cell(repository: str, revision: str = "") -> str:
    """The code that makes the library importable where it is not.

    `revision`: the commit of the build; one that nobody can fetch (dirty, unknown) is
    left out.
    """
    at = f"@{revision}" if re.fullmatch(r"[0-9a-f]{7,40}", revision) else ""
    return FIRST.format(repository=repository, at=at).rstrip()


def notebook(chapter: Chapter, build: Build, repository: str) -> nbformat.NotebookNode:
    """The executed chapter with values in its prose, below the cell that installs."""
    made = nbformat.read(build.notebooks / f"{chapter.page}.ipynb", 4)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = lab.readable(cell.source, build)
    first = new_code_cell(first_cell(repository, commit()), id="install")
    made.cells.insert(0, first)
    made.metadata["colab"] = {"name": f"{chapter.name}.ipynb"}
    nbformat.validate(made)
    return made


def write(root: Path, build: Build, out: Path, repository: str) -> list[Path]:
    """Every chapter that was executed, below OUT/colab."""
    found = [
        chapter
        for chapter in chapters.chapters(root)
        if (build.notebooks / f"{chapter.page}.ipynb").exists()
    ]
    return [
        write_atomic(
            out / FOLDER / f"{chapter.name}.ipynb",
            nbformat.writes(notebook(chapter, build, repository)) + "\n",
        )
        for chapter in found
    ]


def address(repository: str, branch: str, name: str) -> str:
    """Where Colab opens a chapter; empty for a repository that is not on GitHub.

    >>> address("https://github.com/a/b.git", "pages", "01_decay").split("/", 4)[4]
    'a/b/blob/pages/colab/01_decay.ipynb'
    >>> address("", "pages", "01_decay")
    ''
    """
    found = GITHUB.fullmatch(repository)
    path = f"{FOLDER}/{name}.ipynb"
    return OPEN.format(name=found[1], branch=branch, path=path) if found else ""
