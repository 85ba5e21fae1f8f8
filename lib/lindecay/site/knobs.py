"""`lindecay run 05 -P seeds=3`: a chapter with other knobs, beside the published run.

A knob is a constant in capitals that a chapter sets in the open (`BETA = 0.9`), or a
size of the profile (`hidden`, `epochs`, `seeds`, …). What such a run makes goes to
_build/mine and is never published; its numbers are told beside those of the book.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import asdict

import jupytext
from nbformat.v4 import new_code_cell

from lindecay.results import Result
from lindecay.settings import Fault, profile
from lindecay.site import chapters
from lindecay.site.chapters import Chapter

Knobs = dict[str, object]


def parsed(words: Iterable[str]) -> Knobs:
    """{knob: value} of `name=value` words; a value is a Python literal or a word.

    >>> parsed(["seeds=3", "BETA=0.8", "law=floor"])
    {'seeds': 3, 'BETA': 0.8, 'law': 'floor'}
    """
    found = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name.isidentifier() and equals and text):
            raise Fault("not a knob", expected="name=value", found=repr(word))
        try:
            found[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            found[name] = text
    return found


def constants(code: str) -> Knobs:
    """Constants in capitals that code sets at its top level, with their values.

    >>> constants("BETA = 0.9\\nx = 3\\nN, M = 1, 2\\nLAM = f(BETA)")
    {'BETA': 0.9}
    """
    return {line.targets[0].id: ast.literal_eval(line.value) for line in _set(code)}


def _set(code: str) -> Iterator[ast.Assign]:
    for line in ast.parse(code).body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            literal = isinstance(line.value, ast.Constant)
            if literal and line.targets[0].id.isupper():
                yield line


def known(chapter: Chapter, profile_name: str) -> Knobs:
    """Every knob of a chapter and its value: its constants, and the profile's sizes."""
    sizes = asdict(profile(profile_name))
    sizes.pop("name")
    used = "profile" in chapters.code(chapter).replace('profile = "quick"', "")
    return constants(chapters.code(chapter)) | (sizes if used else {})


def turn(chapter: Chapter, profile_name: str, wanted: Knobs):
    """The chapter's notebook with these knobs turned.

    A constant may be written in small letters; `seeds=3` stands for the first three.
    Raises Fault for an unknown knob and for a size of another kind.
    """
    there, given = known(chapter, profile_name), {}
    for name, value in wanted.items():
        own = name if name in there else name.upper()
        if own not in there:
            told = ", ".join(f"{k}={v}" for k, v in there.items())
            raise Fault(f"no such knob of {chapter.name}", expected=told, found=name)
        given[own] = like(there[own], value, own)
    notebook = jupytext.read(chapter.path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = written(cell.source, given)
    sizes = {name: value for name, value in given.items() if not name.isupper()}
    if sizes:
        first = new_code_cell(SIZED.format(profile=profile_name, sizes=sizes))
        at = next(i for i, c in enumerate(notebook.cells) if c.cell_type == "code")
        notebook.cells.insert(at + 1, first)
    return notebook


SIZED = """from dataclasses import replace
from lindecay.settings import PROFILES
PROFILES["{profile}"] = replace(PROFILES["{profile}"], **{sizes})"""


def like(kept, value, name: str):
    """The value as the kind that it replaces; Fault where it is of another kind.

    >>> like((0, 1, 2), 2, "seeds"), like(0.9, 1, "BETA"), like(512, 64, "hidden")
    ((0, 1), 1.0, 64)
    """
    if isinstance(kept, tuple) and isinstance(value, int):
        return tuple(range(value))
    if isinstance(kept, float) and isinstance(value, int):
        return float(value)
    if type(value) is not type(kept):
        told = f"{type(kept).__name__}, like {kept!r}"
        raise Fault(f"not a value of {name}", expected=told, found=repr(value))
    return value


def written(code: str, given: Knobs) -> str:
    """Code with other values of its constants.

    >>> written("BETA = 0.9  # a step\\nprint(BETA)", {"BETA": 0.8})
    'BETA = 0.8  # a step\\nprint(BETA)'
    """
    if not any(name in code for name in given):
        return code
    lines = code.splitlines()
    for line in _set(code):
        name, value = line.targets[0].id, line.value
        if name in given:
            row = lines[value.lineno - 1].encode()
            head, tail = row[: value.col_offset], row[value.end_col_offset :]
            lines[value.lineno - 1] = head.decode() + repr(given[name]) + tail.decode()
    return "\n".join(lines)


def beside(mine: dict[str, Result], published: dict[str, Result]) -> list[dict]:
    """The numbers that moved: id, published, yours; a row each."""
    rows = []
    for id, result in sorted(mine.items()):
        theirs = published.get(id)
        if theirs is None or theirs.value != result.value:
            told = theirs.text() if theirs else "not published"
            rows.append({"id": id, "published": told, "yours": result.text()})
    return rows
