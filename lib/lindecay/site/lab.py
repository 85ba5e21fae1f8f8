"""`make lab`: JupyterLab on copies of the chapters, never on the book's own sources.

Copies are notebooks in _build/lab: the prose shows the published values where the page
shows them, and a number that comes out otherwise is told beside the published one
(LINDECAY_LAB, see `results.publish_many`). A copy that was edited is kept when its
chapter changes; `make lab ARGS=--fresh` makes all anew.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat

from lindecay.settings import Fault, build_dir, profile, root
from lindecay.site import chapters, knobs, values
from lindecay.site.chapters import Chapter
from lindecay.site.place import Build
from lindecay.store import write_atomic

VIEWERS = {"markdown": "Markdown Preview"}
SETTINGS = {"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": VIEWERS}}
SHOWN = re.compile(r"```\{(show|show-table)\} (\S+)\n(.*?)```", re.S)
BOX = re.compile(r"```\{(?:admonition)\} ([^\n]*)\n(.*?)```", re.S)
START = """# Turn a knob, run again

These notebooks are copies of the chapters: what you change here changes no page. Open
one, change a constant in capitals, *Run → Run All Cells*. Where a number differs from
the book, the cell says `published …, yours …`.

| notebook | question | what to turn |
|---|---|---|
{rows}

The sizes of the profile (`hidden`, `epochs`, `seeds`, …) are turned from a terminal,
and told beside the published numbers: `lindecay run 04 -P hidden=64 -P seeds=2`.
"""


def prepare(prefix: str = sys.prefix) -> Path:
    """Write the setting below the environment; returns the file."""
    folder = Path(prefix) / "etc" / "jupyter" / "labconfig"
    text = json.dumps(SETTINGS, indent=1) + "\n"
    return write_atomic(folder / "default_setting_overrides.json", text)


def folder() -> Path:
    """Where the copies lie."""
    return build_dir() / "lab"


def copies(target: Path, profile_name: str = "quick", fresh: bool = False) -> list[str]:
    """Bring the copies up to date; names of edited ones that were kept as they are."""
    target.mkdir(parents=True, exist_ok=True)
    build = Build(build_dir(), profile(profile_name).name)
    note, kept = target / ".copies.json", []
    known = json.loads(note.read_text()) if note.exists() and not fresh else {}
    for chapter in chapters.chapters(root()):
        path = target / f"{chapter.name}.ipynb"
        if path.exists() and not fresh and known.get(path.name) != _digest(path):
            kept.append(path.name)
            continue
        write_atomic(path, nbformat.writes(copy_of(chapter, build)) + "\n")
        known[path.name] = _digest(path)
    write_atomic(note, json.dumps(known, indent=1) + "\n")
    write_atomic(target / "start.md", start())
    return kept


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def copy_of(chapter: Chapter, build: Build) -> nbformat.NotebookNode:
    """A chapter as a notebook whose prose shows values and captions."""
    notebook = jupytext.read(chapter.path)
    notebook.metadata.pop("jupytext", None)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{chapter.name}-{i:03d}"[-64:]
        if cell.cell_type == "markdown":
            cell.source = readable(cell.source, build)
    return notebook


def readable(text: str, build: Build) -> str:
    """Markdown without roles and directives: values, captions, boxes.

    A value that no run has published yet stands as its id.
    """
    text = SHOWN.sub(lambda m: _caption(m[1], m[2], m[3]), text)
    text = BOX.sub(lambda m: f"> **{m[1]}**\n>\n> " + _body(m[2], "\n> "), text)
    return values.IN_TEXT.sub(lambda m: _value(build, m[1], m[2]), text)


def _caption(kind: str, name: str, body: str) -> str:
    word = "Table" if kind == "show-table" else "Figure"
    return f"*{word} `{name}`, drawn by the cell above:* {_body(body, chr(10))}\n"


def _body(body: str, joint: str) -> str:
    lines = [line for line in body.strip().splitlines() if not line.startswith(":")]
    return joint.join(lines)


def _value(build: Build, role: str, target: str) -> str:
    try:
        return values.look_up(build, role, target)[0]
    except (KeyError, ValueError, Fault):
        pass
    try:  # no build here yet: the committed run
        return values.look_up(build, role, f"reference/{target}")[0]
    except (KeyError, ValueError, Fault):
        return f"`{target}`"


def start() -> str:
    """The page that opens first: every notebook, its question, its knobs."""
    rows = []
    for chapter in chapters.chapters(root()):
        own = knobs.constants(chapters.code(chapter))
        turned = ", ".join(f"`{name} = {value}`" for name, value in own.items())
        told = f"| [{chapter.name}]({chapter.name}.ipynb) | {_title(chapter)} "
        rows.append(f"{told}| {turned or 'its cells'} |")
    return START.format(rows="\n".join(sorted(rows)))


def _title(chapter: Chapter) -> str:
    found = re.search(r"^# (.+)$", chapter.path.read_text(), re.M)
    return found[1] if found else chapter.name


def command(*more: str, home: Path | None = None) -> list[str]:
    """The command that starts the server on the copies; as root too."""
    home = home or folder()
    ask = [sys.executable, "-m", "jupyter", "lab", f"--ServerApp.root_dir={home}"]
    ask += ["--LabApp.default_url=/lab/tree/start.md"]
    return [*ask, *(["--allow-root"] if os.geteuid() == 0 else []), *more]


def main(words: list[str]) -> None:
    """Make the copies, then become the server."""
    prepare()
    rest = [word for word in words if word != "--fresh"]
    for name in copies(folder(), fresh="--fresh" in words):
        print(f"kept as you left it: {name}", file=sys.stderr)
    os.environ["LINDECAY_LAB"] = "1"
    os.execv(sys.executable, command(*rest))


if __name__ == "__main__":
    main(sys.argv[1:])
