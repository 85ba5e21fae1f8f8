"""The Sphinx extension of the book: roles, directives, footers, downloads.

Loaded by _config.yml as `lindecay.site.extension`. Two ways lead here: the
staged tree of executed notebooks (`lindecay run --book`), and a stranger's
plain `jupyter-book build .`, which executes the sources page by page; then
each kernel is told where to publish, as `lindecay run` would tell it.
"""

import hashlib
import os
import re
import shutil
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from lindecay import __version__
from lindecay.settings import Fault
from lindecay.site import (
    colab,
    directives,
    footer,
    glossary,
    library,
    numbering,
    playground,
    provenance,
    values,
)
from lindecay.site.place import Build

log = logging.getLogger(__name__)
TO_PAGE = re.compile(r"\]\(((?:\.\./book/)?(?:\d\d[a-z]?_\w+|index))\.md([#)])")
LABELS = {"csv": "data (CSV)"}
PLAIN = Path("_build", "plain")  # what a plain jupyter-book build publishes


@cache
def _build(home: str, profile: str) -> Build:
    return Build(Path(home), profile)


def build_of(app: Sphinx) -> Build:
    """The build whose results the pages show."""
    return _build(app.config.lindecay_home, app.config.lindecay_profile)


class Resolve(SphinxPostTransform):
    """Values, figures and tables, once every page has been read."""

    default_priority = 5

    def run(self) -> None:
        self.build = build_of(self.app)
        self.chapter = self.env.docname.rsplit("/", 1)[-1]
        for node in list(self.document.findall(values.value)):
            node.replace_self(self.value(node))
        for node in list(self.document.findall(provenance.told)):
            group = directives.table_group(*provenance.TABLES[node["what"]](self.build))
            node.replace_self(nodes.table("", group, classes=["shown-table"]))
        for kind in (directives.drawing, directives.rows, directives.files):
            for node in list(self.document.findall(kind)):
                getattr(self, kind.__name__)(node)
        if self.env.docname != glossary.PAGE:
            here = self.env.docname
            uri = self.app.builder.get_relative_uri(here, glossary.PAGE)
            glossary.link(self.document, uri, glossary.meanings(self.env))

    def value(self, node: values.value) -> nodes.Node:
        try:
            told = values.look_up(self.build, node["role"], node["target"])
        except (KeyError, ValueError, Fault) as error:
            self.warn(f"{{{node['role']}}}`{node['target']}`: {_words(error)}", node)
            return nodes.problematic(text=f"?{node['target']}?")
        text, mark, tip = told
        made = values.shown("", text, mark=mark, tip=tip)
        if node["role"] == "claim":
            return self.to_claim(made, node["target"].partition(".")[0])
        return made

    def to_claim(self, made: nodes.Node, id: str) -> nodes.Node:
        page = self.app.config.lindecay_claims_page
        if page not in self.env.found_docs or page == self.env.docname:
            return made
        uri = self.app.builder.get_relative_uri(self.env.docname, page)
        link = nodes.reference("", "", made, internal=True, refuri=f"{uri}#{id}")
        return link

    def drawing(self, node: directives.drawing) -> None:
        kinds = ("svg", "narrow.svg")
        path, small = (self.build.figure(node["name"], k, self.chapter) for k in kinds)
        if path is None or small is None:
            self.warn(f"{{show}} {node['name']}: no such figure in this build", node)
            node.replace_self(nodes.problematic(text=f"?{node['name']}?"))
            return
        try:
            for told in ("alt", "explore"):
                node[told] = values.plain(self.build, node[told])
        except (KeyError, ValueError, Fault) as error:
            self.warn(f"alt text or sliders of {node['name']}: {_words(error)}", node)
        node["svg"], node["narrow"] = path.read_text(), small.read_text()
        name = node["table"] or node["name"]
        table = self.build.figure(name, "csv", self.chapter)
        if table is None and node["table"]:
            self.warn(f"{{show}} {node['name']}: no table {name} in this build", node)
        node["rows"] = directives.table_for(node["explore"], table)

    def rows(self, node: directives.rows) -> None:
        path = self.build.figure(node["name"], "csv", self.chapter)
        if path is None:
            self.warn(f"{{show-table}} {node['name']}: no such table", node)
            node.replace_self(nodes.problematic(text=f"?{node['name']}?"))
            return
        node.replace_self(directives.table_of_file(path))

    def files(self, node: directives.files) -> None:
        base = self.app.builder.get_relative_uri(self.env.docname, "figures/x")
        base = base[: base.rindex("figures/")]
        wanted = [
            (node["name"], kind, LABELS.get(kind, kind.upper()))
            for kind in node["kinds"]
        ]
        if node.get("table"):
            wanted.append((node["table"], "csv", "knobs (CSV)"))
        node["links"] = []
        for name, kind, label in wanted:
            path = self.build.figure(name, kind, self.chapter)
            if path is not None:
                href = f"{base}figures/{path.parent.name}/{path.name}"
                node["links"].append((href, label))

    def warn(self, text: str, node: nodes.Node) -> None:
        log.warning(text, location=node, type="lindecay", subtype="unknown")


def _words(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _defaults(app: Sphinx, config) -> None:
    if not config.lindecay_home:
        config.lindecay_home = str(Path(app.srcdir) / PLAIN)


def _tell_kernel(app: Sphinx, docname: str, source: list[str]) -> None:
    """Before a page of a plain build is executed: where its kernel publishes."""
    if app.config.lindecay_staged:
        return
    build, chapter = build_of(app), docname.rsplit("/", 1)[-1]
    folder = build.figures / chapter
    shutil.rmtree(folder, ignore_errors=True)
    result = build.results / f"{chapter}.json"
    result.unlink(missing_ok=True)
    os.environ |= {
        "LINDECAY_PROFILE": build.profile,
        "LINDECAY_CHAPTER": chapter,
        "LINDECAY_RESULT_FILE": str(result),
        "LINDECAY_FIGURES": str(folder),
        "LINDECAY_QUIET": "1",
    }


def _links_without_suffix(app: Sphinx, docname: str, source: list[str]) -> None:
    """[x](06_sram.md) finds the page when it is staged as a notebook, too."""
    source[0] = TO_PAGE.sub(r"](\1\2", source[0])


def digest(build: Build) -> str:
    """One hash over all that a page may show besides its own text."""
    library = Path(__file__).parents[1]
    folders = [library, build.results, build.figures, build.runs]
    found = hashlib.sha256(build.profile.encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".json", ".csv", ".svg", ".yml"):
                found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def _outdated(app: Sphinx, env, added, changed, removed) -> list[str]:
    """All pages, when the library or a result moved: their text did not."""
    _build.cache_clear()
    if not app.config.lindecay_staged:
        return []
    words = Path(app.srcdir, f"{glossary.PAGE}.md")
    new = digest(build_of(app)) + (words.read_text("utf-8") if words.exists() else "")
    old, env.lindecay_digest = getattr(env, "lindecay_digest", None), new
    return [] if old in (None, new) else sorted(env.found_docs)


def _rewrite(app: Sphinx, env) -> list[str]:
    """A plain build ran some pages anew: the others may show their numbers."""
    _build.cache_clear()
    return [] if app.config.lindecay_staged else sorted(env.found_docs)


def _finish_page(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    _fewer_scripts(context)
    if 'data-explore="' in context.get("body", ""):
        app.add_js_file("explore.js", loading_method="defer")
    if doctree is not None and "body" in context:
        context["metatags"] = context.get("metatags", "") + footer.described(doctree)
        context["body"] = footer.dress(app, build_of(app), page, context["body"])


def _fewer_scripts(context: dict) -> None:
    """No thebe (its constant is declared twice: an error), no MathJax for nothing."""
    body = context.get("body", "")
    unwanted = ["thebe"] + ["mathjax"] * ('class="math' not in body)
    scripts = context.get("script_files", [])
    scripts[:] = [s for s in scripts if not any(u in _told(s) for u in unwanted)]


def _told(script) -> str:
    body = getattr(script, "attributes", {}).get("body", "")
    return f"{script} {body}".lower()


def _publish_files(app: Sphinx, error: Exception | None) -> None:
    """Figures, data, sources and executed notebooks beside the pages."""
    if error is not None or app.builder.format != "html":
        return
    build, out = build_of(app), Path(app.outdir)
    copies = {p: out / "figures" / p.parent.name / p.name for p in _files(build)}
    copies |= footer.downloads(app, build, out)
    home = Path(app.config.lindecay_root or app.srcdir)
    colab.write(home, build, out, app.config.lindecay_repository)
    for source, target in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _files(build: Build) -> list[Path]:
    return [
        p for p in build.figures.glob("*/*.*") if p.suffix in (".svg", ".csv", ".pdf")
    ]


def _unsupported(self, node: nodes.Node) -> None:
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    """What Sphinx calls: settings, roles, directives and nodes of this book."""
    app.add_config_value("lindecay_home", "", "env", str)
    app.add_config_value("lindecay_root", "", "env", str)
    app.add_config_value("lindecay_profile", "quick", "env", str)
    app.add_config_value("lindecay_staged", False, "env", bool)
    app.add_config_value("lindecay_repository", "", "env", str)
    app.add_config_value("lindecay_pages_branch", "gh-pages", "env", str)
    app.add_config_value("lindecay_claims_page", "book/90_claims", "env", str)
    for role in ("result", "claim"):
        app.add_role(role, values.ValueRole())
    app.add_directive("show", directives.Show)
    app.add_directive("show-table", directives.ShowTable)
    app.add_directive("provenance", provenance.Provenance)
    app.add_directive("library", library.Library)
    playground.setup(app)
    app.add_node(values.shown, html=(values.visit_shown, values.depart_shown))
    app.add_node(directives.drawing, html=(directives.visit_drawing, None))
    app.add_node(directives.files, html=(directives.visit_files, None))
    for kind in (values.value, directives.rows, provenance.told):
        app.add_node(kind, html=(_unsupported, None))
    app.add_post_transform(Resolve)
    app.connect("config-inited", _defaults)
    app.connect("source-read", _tell_kernel)
    app.connect("source-read", _links_without_suffix)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-updated", _rewrite)
    app.connect("env-check-consistency", numbering.rename)
    app.connect("html-page-context", _finish_page, priority=900)
    app.connect("build-finished", _publish_files)
    return {"version": __version__, "parallel_read_safe": False}
