"""What a chapter's cells must keep: short, and the shown ones readable by themselves.

A cell is shown when its code stands open on the page. Imports and the profile may come
from a hidden cell; any other name that a shown cell uses was last made in the open.
"""

import ast
import builtins
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

HIDING = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
GIVEN = {*dir(builtins), "profile", "display"}
INNER = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.ListComp)
INNER += (ast.SetComp, ast.DictComp, ast.GeneratorExp)
LONGEST, USUAL, MIDDLE = 20, 20, 7  # lines: shown, nine in ten of all, shown's median


@dataclass(frozen=True)
class Cell:
    """The code of a cell and whether it stands open."""

    code: str
    shown: bool = True

    @property
    def lines(self) -> int:
        return len(self.code.strip().splitlines())


def cells_of(notebook) -> list[Cell]:
    """The code cells of a notebook that jupytext read."""
    found = [c for c in notebook.cells if c.cell_type == "code"]
    tags = [set(c.metadata.get("tags", [])) for c in found]
    return [Cell(c.source, not t & HIDING) for c, t in zip(found, tags)]


def too_long(cells: list[Cell]) -> list[str]:
    """What breaks the lengths of the house."""
    shown = [c.lines for c in cells if c.shown]
    every = [c.lines for c in cells]
    told = [f"shown: {n} lines" for n in shown if n > LONGEST]
    if shown and median(shown) > MIDDLE:
        told.append(f"median of shown cells: {median(shown)} lines")
    short = sum(n <= USUAL for n in every)
    if short < 0.9 * len(every):
        told.append(f"only {short} of {len(every)} cells have at most {USUAL} lines")
    return told


def wrong_names(cells: list[Cell]) -> list[str]:
    """Names that no cell makes or nothing uses, by ruff: a cell runs minutes later."""
    code = "\n\n".join(_without_magics(cell.code) for cell in cells)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F,E9"]
    ruff += ["--output-format=concise", "--no-cache", "--quiet", "-"]
    told = subprocess.run(ruff, input=code, capture_output=True, text=True)
    assert told.returncode in (0, 1), told.stderr
    return told.stdout.splitlines()


def made_out_of_sight(cells: list[Cell]) -> list[str]:
    """Names that a shown cell uses though a hidden one made them last."""
    hidden: set[str] = set()
    told = []
    for k, cell in enumerate(cells):
        tree = ast.parse(_without_magics(cell.code))
        if cell.shown:
            told += [f"cell {k}: {name}" for name in sorted(used(tree) & hidden)]
        own = made(tree) - GIVEN
        hidden = hidden - own if cell.shown else hidden | own
        hidden -= imported(tree)
    return told


def _without_magics(code: str) -> str:
    return "\n".join(
        line for line in code.splitlines() if line.lstrip()[:1] not in "%!"
    )


def imported(tree: ast.AST) -> set[str]:
    """Names that imports bind."""
    aliases = [
        alias
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    return {(alias.asname or alias.name).split(".")[0] for alias in aliases}


def made(tree: ast.AST) -> set[str]:
    """Names that stay bound after a cell."""
    found, todo = set(), list(ast.iter_child_nodes(tree))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if not isinstance(node, INNER):
            todo += ast.iter_child_nodes(node)
    return found


def used(tree: ast.AST) -> set[str]:
    """Names that a cell reads and does not make itself before it reads them."""
    free, bound = set(), set()
    for statement in tree.body:
        inner = {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        inner |= {n.arg for n in ast.walk(statement) if isinstance(n, ast.arg)}
        own = made(ast.Module([statement], []))
        loads = {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        # a name that only a comprehension or a loop of this statement binds is its own
        loops = inner - own if not isinstance(statement, ast.For | ast.With) else inner
        free |= loads - bound - loops - GIVEN
        bound |= own
    return free
