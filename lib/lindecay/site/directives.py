"""Directives {show} NAME and {show-table} NAME: what a run drew, on the page.

```{show} decay-laws
:alt: what the figure shows, in words; may hold {result}`id`
Caption that opens with the finding. Further paragraphs stand below it.
```

`:explore: KIND NUMBERS` puts sliders below the figure (book/_static/explore.js), which
start at these values; without scripts the figure stands alone. KINDs of READS get the
figure's table with them, or the one that `:table: NAME` names (`figures.kept`).
"""

import csv
import json
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

LARGE = re.compile(r"(?<![\w.,/\u2212-])[1-9]\d{4,}(?![\w.,/-])")  # no part of a name
READS = ("supply", "seeds", "bill", "faults")


class drawing(nodes.General, nodes.Element):
    """The place of an inline SVG (attributes name, alt; svg, narrow once resolved)."""


class rows(nodes.General, nodes.Element):
    """The place of a table's rows (attribute name)."""


class files(nodes.General, nodes.Element):
    """The links to the data and the vector file of a figure."""


class _Show(SphinxDirective):
    required_arguments = 1
    has_content = True
    options = ("alt", "name", "explore", "table")
    option_spec = dict.fromkeys(options, directives.unchanged)
    kind = "fig"

    def body(self) -> list[nodes.Node]:
        holder = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, holder)
        return holder.children

    def named(self, node: nodes.Element) -> nodes.Element:
        self.options.setdefault("name", f"{self.kind}-{self.arguments[0]}")
        self.set_source_info(node)
        self.add_name(node)
        return node

    def complain(self, what: str) -> list[nodes.Node]:
        where = f"{self.env.docname}, line {self.lineno}"
        return [self.state.document.reporter.warning(f"{what} ({where})")]


class Show(_Show):
    """A figure: inline SVG with a name, caption, links to CSV and PDF."""

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if not self.options.get("alt"):
            return self.complain(f"{{show}} {name}: no :alt:")
        figure = self.named(nodes.figure())
        alt = " ".join(self.options["alt"].split())
        told = {k: self.options.get(k, "") for k in ("explore", "table")}
        figure += drawing(name=name, alt=alt, **told)
        first, *rest = self.body() or [nodes.paragraph()]
        figure += nodes.caption("", "", *first.children)
        kinds = ["csv", "pdf", "svg"]
        links = files(name=name, kinds=kinds, table=told["table"])
        figure += nodes.legend("", *rest, links)
        return [figure]


class ShowTable(_Show):
    """A table that a chapter wrote with figures.table, with a caption."""

    kind = "table"

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        table = self.named(nodes.table(classes=["shown-table"]))
        first, *rest = self.body() or [nodes.paragraph()]
        table += nodes.title("", "", *first.children)
        table += rows(name=name)
        return [table, *rest, files(name=name, kinds=["csv"])]


def table_of_file(path) -> nodes.tgroup:
    """The rows of a CSV as docutils wants them; numbers stand right."""
    with open(path, newline="", encoding="utf-8") as file:
        head, *lines = list(csv.reader(file))
    return table_group([name.replace("_", " ") for name in head], lines)


def table_group(head: list[str], lines: list[list[str]]) -> nodes.tgroup:
    """Head and body of a table."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    right = [all(map(_number, column)) for column in zip(*lines)]
    group += nodes.thead("", _row(head, right))
    group += nodes.tbody("", *(_row(line, right) for line in lines))
    return group


def _row(cells: list[str], right: list[bool]) -> nodes.row:
    row = nodes.row()
    for text, number in zip(cells, right or [False] * len(cells)):
        entry = nodes.entry("", nodes.paragraph(text=printed(text)))
        entry["classes"] += ["number"] * number
        row += entry
    return row


def printed(text: str) -> str:
    """A cell as a page prints it: real minus and times signs, thousands apart.

    >>> printed("-0.16 [-1.43, 1.18]"), printed("-0.0"), printed("max-plus, 10-bit")
    ('\u22120.16 [\u22121.43, 1.18]', '0.0', 'max-plus, 10-bit')
    >>> printed("118653"), printed("34 x 34"), printed("0.123456"), printed("a 12345e")
    ('118,653', '34 \u00d7 34', '0.123456', 'a 12345e')
    """
    text = re.sub(r"(?<=\d) x (?=\d)", " \u00d7 ", text)
    text = LARGE.sub(lambda m: f"{int(m[0]):,}", text)
    text = re.sub(r"(?<![\w.])-(?=0(\.0*)?(?![\d.]))", "", text)
    return re.sub(r"(?<![\w.)])-(?=\d)", "\u2212", text)


def table_for(explore: str, path: Path | None) -> dict[str, list]:
    """The table of a figure's CSV for sliders that read one, else none."""
    if path is None or explore.split()[:1] not in [[kind] for kind in READS]:
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        return packed(list(csv.DictReader(file)))


def packed(lines: list[dict]) -> dict[str, list]:
    """Rows as columns; a column of words as its words and their places.

    >>> packed([{"arm": "if", "volts": "0.5"}, {"arm": "if", "volts": "0.6"}])
    {'arm': [['if'], [0, 0]], 'volts': [0.5, 0.6]}
    """
    columns = {k: [_short(row[k]) for row in lines] for k in lines[0]}
    return {k: _coded(cells) for k, cells in columns.items()}


def _coded(cells: list) -> list:
    if not any(isinstance(x, str) for x in cells):
        return cells
    words = list(dict.fromkeys(map(str, cells)))
    return [words, [words.index(str(x)) for x in cells]]


def _short(cell: str | float) -> float | str:
    """Five digits of a number are finer than a pixel.

    >>> _short("0.55705810"), _short("0.00123456"), _short("ldlif")
    (0.55706, 0.0012346, 'ldlif')
    """
    try:
        return float(f"{float(cell):.5g}")
    except ValueError:
        return cell


def _number(text: str) -> bool:
    """Empty cells count as numbers: they do not turn a column around.

    >>> _number("\u22121,234.5"), _number("3.11.2"), _number("")
    (True, False, True)
    """
    return bool(re.fullmatch(r"[+\-\u2212]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?( ?%)?|", text))


def visit_drawing(self, node: drawing) -> None:
    """A figure as SVG in the page, in its own colours; CSS shows one of the two."""
    alt = self.attval(node["alt"])
    for kind, svg in (("wide", node["svg"]), ("narrow", node["narrow"])):
        head = f'<svg role="img" class="drawing {kind}" aria-label="{alt}"'
        self.body.append(svg.strip().replace("<svg", head, 1) + "\n")
    if node["explore"]:
        kind, *given = node["explore"].split()
        at = f'data-explore="{self.attval(kind)}"'
        at += f' data-given="{self.attval(" ".join(given))}"'
        if node.get("rows"):  # the figure's own table
            told = json.dumps(node["rows"], separators=(",", ":"))
            at += f' data-rows="{self.attval(told)}"'
        self.body.append(f'<div class="explore" {at} hidden></div>\n')
    raise nodes.SkipNode


def visit_files(self, node: files) -> None:
    """Links to what a figure was drawn from."""
    links = [
        f'<a href="{self.attval(href)}" download>{text}</a>'
        for href, text in node["links"]
    ]
    joined = " \u00b7 ".join(links)
    self.body.append(f'<p class="files">{joined}</p>\n')
    raise nodes.SkipNode
