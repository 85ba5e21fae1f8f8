"""The chapters: which pages run, in which order, and what each depends on.

A chapter's key holds its text, its code, the source of the lindecay modules it imports
(with their imports), the data it can see, the profile and the versions of the numerical
packages. Nothing changed: nothing runs. Only prose changed: the outputs are kept.
"""

import ast
import hashlib
import re
import sys
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import jupytext
import yaml

from lindecay import store
from lindecay.settings import Fault, profile
from lindecay.site.place import Build

PACKAGES = ("torch", "snntorch", "numpy", "numba", "scipy", "tonic", "matplotlib")
READS = re.compile(
    r"\bclaims\.check\(|\bresults\.load\(|lindecay\.results import .*\bload\b"
)
TELLS_WHERE = re.compile(r"\bwhy\.chains\(")  # lines of the book's own pages
SETS = ("nmnist", "shd", "dvsgesture")


@dataclass(frozen=True)
class Chapter:
    """A page of the book that runs."""

    page: str  # book/04_training
    path: Path

    @property
    def name(self) -> str:
        return self.page.rsplit("/", 1)[-1]


def pages(root: Path) -> list[str]:
    """Every page that _toc.yml names, in its order."""
    try:
        toc = yaml.safe_load((root / "_toc.yml").read_text())
    except (OSError, yaml.YAMLError) as error:
        raise Fault(
            "cannot read the table of contents", found=error, where=root
        ) from None
    return [toc["root"], *_files(toc)]


def _files(part) -> list[str]:
    if isinstance(part, list):
        return [name for entry in part for name in _files(entry)]
    if not isinstance(part, dict):
        return []
    own = [part["file"]] if "file" in part else []
    return own + [n for v in part.values() if isinstance(v, list) for n in _files(v)]


def source_of(root: Path, page: str) -> Path:
    """The source of a page; Fault when _toc.yml names one that is not there."""
    path = root / f"{page}.md"
    if not path.exists():
        raise Fault("a page is missing", expected=f"{page}.md", where=root / "_toc.yml")
    return path


def runs(path: Path) -> bool:
    """Is this page a notebook? Its header names a kernel."""
    text = path.read_text()
    head = text.split("\n---", 1)[0] if text.startswith("---") else ""
    return "kernelspec:" in head


def chapters(root: Path) -> list[Chapter]:
    """All pages that run; those that judge the others' results come last."""
    found = [Chapter(page, source_of(root, page)) for page in pages(root)]
    found = [chapter for chapter in found if runs(chapter.path)]
    return sorted(found, key=reads_results)


def select(root: Path, wanted: list[str]) -> list[Chapter]:
    """The chapters whose name starts with a wanted word (`04`, `04_training`)."""
    known = chapters(root)
    stems = [_stem(word) for word in wanted]
    for word, stem in zip(wanted, stems):
        if not stem or not any(c.name.startswith(stem) for c in known):
            names = ", ".join(c.name for c in known)
            raise Fault("no such chapter", expected=names, found=word.strip() or "''")
    return [c for c in known if not wanted or any(map(c.name.startswith, stems))]


def _stem(word: str) -> str:
    """A wanted word as the beginning of a chapter's name; 4 is 04.

    >>> _stem("4"), _stem("book/04_training.md"), _stem("  ")
    ('04', '04_training', '')
    """
    stem = Path(word.strip()).stem
    return stem.zfill(2) if stem.isdigit() else stem


def cells(chapter: Chapter) -> list[str]:
    """The source of each code cell."""
    return list(_cells(chapter.path, chapter.path.stat().st_mtime_ns))


@cache
def _cells(path: Path, changed: int) -> tuple[str, ...]:
    found = jupytext.read(path).cells
    return tuple(cell.source for cell in found if cell.cell_type == "code")


def code(chapter: Chapter) -> str:
    """The chapter's code cells, line magics left out."""
    text = "\n".join(cells(chapter))
    return re.sub(r"(?m)^\s*[%!].*$", "", text)


def modules(chapter: Chapter) -> tuple[str, ...]:
    """The lindecay modules that the chapter imports by itself."""
    try:
        tree = ast.parse(code(chapter))
    except SyntaxError as error:
        what = f"line {error.lineno} of the code cells: {error.msg}"
        raise Fault("not Python", found=what, where=chapter.path) from None
    named = {name for node in ast.walk(tree) for name in _imported(node)}
    return tuple(sorted(n for n in named if n.startswith("lindecay.")))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lindecay"):
        inner = [f"{node.module}.{name.name}" for name in node.names]
        return [n if _is_module(n) else node.module for n in inner]
    return []


def _is_module(name: str) -> bool:
    return _file_of(name) is not None


def _file_of(module: str) -> Path | None:
    """The file of a module of ours; looked up, since find_spec imports its parents.

    >>> _file_of("lindecay.settings").name, _file_of("lindecay.decay").parent.name
    ('settings.py', 'decay')
    >>> _file_of("lindecay.settings.profile")
    """
    base = Path(__file__).parents[1].joinpath(*module.split(".")[1:])
    near = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in near if path.is_file()), None)


def closure(chapter: Chapter) -> set[str]:
    """Those modules with all that they import."""
    return {name for module in modules(chapter) for name in store.closure(module)}


def reads_results(chapter: Chapter) -> bool:
    """Does it look at what other chapters published?"""
    return bool(READS.search(code(chapter)))


def key(chapter: Chapter, build: Build, before: list[str]) -> dict[str, str]:
    """All that the chapter's outcome depends on, by name.

    `before`: the chapters that run before it, whose results it may read.
    """
    used = modules(chapter)
    parts = {"its text": _hash(chapter.path.read_bytes()), "python": sys.version[:4]}
    parts |= {"its code": _hash("\0".join(cells(chapter)).encode())}
    parts |= {f"profile {k}": str(v) for k, v in asdict(profile(build.profile)).items()}
    parts |= {n: d for n, d in store.source_digests(used).items()} if used else {}
    parts |= {f"package {n}": v for n, v in versions().items()}
    parts |= _committed(tuple(sorted(closure(chapter))))
    if "lindecay.events" in closure(chapter):
        parts |= {f"data {name}": _located(name, build.profile) for name in SETS}
    if reads_results(chapter):
        parts |= _others(build, before)
    if TELLS_WHERE.search(code(chapter)):
        pages = sorted(chapter.path.parent.glob("*.md"))
        parts |= {"the book's words": _hash(b"".join(p.read_bytes() for p in pages))}
    return parts


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that could move a number."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


@cache
def _committed(used: tuple[str, ...]) -> dict[str, str]:
    """Hashes of the files under data/ that these modules open by name."""
    data, found = Path(__file__).parents[3] / "data", {}
    for module in set(used) - {"lindecay.results", "lindecay.settings"}:
        for name in re.findall(r'committed\(\s*f?"([^"{]+)', _text(module)):
            near = [data / name] if (data / name).is_file() else data.glob(f"{name}*")
            for path in near:
                for file in path.rglob("*") if path.is_dir() else [path]:
                    if file.is_file():
                        found[f"data/{file.relative_to(data)}"] = _hash(
                            file.read_bytes()
                        )
    return found


def _text(module: str) -> str:
    path = _file_of(module)
    return path.read_text("utf-8") if path else ""


@cache
def _located(name: str, profile_name: str) -> str:
    """Which data a chapter would see under this name, with its checksum."""
    from lindecay import events

    try:
        where = events.locate(name, profile_name)
    except Fault as fault:
        return f"refused: {fault}"
    return f"{where.source} {where.sha256} {where.counts}"


def _others(build: Build, before: list[str]) -> dict[str, str]:
    reference = Path(__file__).parents[3] / "data" / "reference" / "results"
    files = [build.results / f"{name}.json" for name in before]
    files += sorted(reference.glob("*.json"))
    kept = [p for p in files if p.exists()]
    return {f"results {p.parent.name}/{p.stem}": _hash(p.read_bytes()) for p in kept}
