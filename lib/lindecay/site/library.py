"""Directive {library}: the public functions and classes, from their docstrings.

Read from the source with ast, not imported: no reference can break, and the page
needs none of the packages that the library needs.
"""

import ast
import inspect
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

HOME = Path(__file__).resolve().parents[1]
OURS = re.compile(r"^\s*(?:from|import) lindecay(?:\.(\w+)| import (.+))", re.M)


class Library(SphinxDirective):
    """{library}: one section a module, in the order of the imports."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        return [section for room in rooms() for section in map(_section, files(room))]


def rooms() -> list[str]:
    """Every module and folder of the package, those that it builds on before it.

    >>> found = rooms()
    >>> found.index("settings") < found.index("decay") < found.index("site")
    True
    """
    near = [
        p for p in HOME.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    ]
    names = {p.stem for p in near if p.stem[0] != "_"}
    below = {name: _imported(name) & names - {name} for name in names}
    return sorted(names, key=lambda name: (len(_all_below(name, below)), name))


def _imported(room: str) -> set[str]:
    found: set[str] = set()
    for path in files(room):
        for module, listed in OURS.findall(path.read_text("utf-8")):
            found |= {module} if module else set(re.findall(r"\w+", listed))
    return found


def _all_below(room: str, below: dict[str, set[str]]) -> set[str]:
    found, todo = set(), [room]
    while todo:
        new = below[todo.pop()] - found
        found |= new
        todo += new
    return found


def files(room: str) -> list[Path]:
    """The modules of a room: one file, or its folder's own files, the folder first.

    >>> [path.name for path in files("settings")]
    ['settings.py']
    >>> [path.name for path in files("decay")][:2]
    ['__init__.py', 'forms.py']
    """
    folder = HOME / room
    if not folder.is_dir():
        return [HOME / f"{room}.py"]
    found = sorted(folder.rglob("*.py"))
    return [p for p in found if p.stem[0] != "_" or p.stem == "__init__"]


def name_of(path: Path) -> str:
    """lindecay.energy.model for .../lindecay/energy/model.py

    >>> name_of(HOME / "decay" / "__init__.py")
    'lindecay.decay'
    """
    parts = path.relative_to(HOME).with_suffix("").parts
    return ".".join(["lindecay", *(part for part in parts if part != "__init__")])


def _section(path: Path) -> nodes.section:
    tree, name = ast.parse(path.read_text("utf-8")), name_of(path)
    section = nodes.section(ids=[name], names=[name])
    section += nodes.title("", "", nodes.literal(text=name))
    section += _words(ast.get_docstring(tree) or "")
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [n for n in tree.body if isinstance(n, kinds) and n.name[0] != "_"]
    if public:
        entries = [_entry(name, node) for node in public]
        section += nodes.definition_list("", *entries)
    return section


def _entry(module: str, node: ast.FunctionDef | ast.ClassDef) -> nodes.Node:
    term = nodes.term("", "", nodes.literal(text=signature(node)))
    term["ids"] = [f"{module}.{node.name}"]
    body = nodes.definition("", *_words(ast.get_docstring(node) or ""))
    return nodes.definition_list_item("", term, body)


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """As it is written, without the word def.

    >>> signature(ast.parse("def f(a: int, b=1) -> str: pass").body[0])
    'f(a: int, b=1) -> str'
    """
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, node.bases))
        return f"class {node.name}" + (f"({bases})" if bases else "")
    back = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){back}"


def _words(doc: str) -> list[nodes.Node]:
    """First paragraph as text, the rest (equations, lists, examples) as it stands."""
    first, _, rest = inspect.cleandoc(doc).partition("\n\n")
    found = [nodes.paragraph(text=" ".join(first.split()))] if first else []
    return found + ([nodes.literal_block(rest, rest, language="text")] if rest else [])
