"""The first page: the findings as one picture, and the chapters by question.

```{findings}```      accuracy lost, energy and cycles by design, the verdict strip
```{chapter-map}```   every chapter: its question, and how long it takes to read

Both are drawn when the pages are rendered, from the numbers of this build; a number
that is missing is a warning, which fails the build.
"""

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from lindecay.settings import Fault
from lindecay.site import card, chapters, numbering, values
from lindecay.site.place import Build

log = logging.getLogger(__name__)
EXP, LIN, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#767676"
DROPS = {  # set: (our result, the paper's claim)
    "SHD": ("protocol.open.linear", "acc-drop-shd"),
    "N-MNIST": ("protocol.nmnist.drop", "acc-drop-nmnist"),
}
ENERGY = {  # design: (result in pJ, colour)
    "v-LIF, word by word": ("energy.vlif_seq_update_pj", EXP),
    "LD-LIF, in the array": ("energy.update_pj", LIN),
    "LD-LIF, a row at a time": ("energy.rowwide_update_pj", PURPLE),
}
CYCLES = {  # at equal area, for any number of neurons
    "word by word": ("networks.area_word", EXP),
    "in the array": ("networks.area_array", LIN),
    "a row at a time": ("networks.area_row", PURPLE),
}
SHADES = {  # verdict: (fill, sign); the sign repeats the colour
    "exact": ("#009E73", "="),
    "within-tolerance": ("#56B4E9", "~"),
    "trend-only": ("#56B4E9", "/"),
    "unresolved": ("#CC79A7", "u"),
    "scope-dependent": ("#CC79A7", "s"),
    "differs": ("#E69F00", "x"),
    "consistent": ("#BBBBBB", "c"),
    "adopted": ("#BBBBBB", "a"),
    "holds-in-our-array": ("#009E73", "h"),
    "paper-inconsistent": ("#E69F00", "!"),
    "not-comparable": ("none", "?"),
    "not-attempted": ("none", "-"),
}
QUESTION = re.compile(r"\*\*Question\.\*\*\s+(.+?)\n\n", re.S)
ALT = "What was found, in four numbers: points lost, picojoules, claims."
MINUTES = re.compile(r"Reading time: (\d+) minutes")


class findings(nodes.General, nodes.Element):
    """The place of the picture."""


class chapter_map(nodes.General, nodes.Element):
    """The place of the map."""


class Findings(SphinxDirective):
    """{findings}"""

    def run(self) -> list[nodes.Node]:
        return [findings()]


class ChapterMap(SphinxDirective):
    """{chapter-map}"""

    def run(self) -> list[nodes.Node]:
        return [chapter_map()]


class Draw(SphinxPostTransform):
    """Picture and map, once every page has been read."""

    default_priority = 4  # before words of the glossary are linked

    def run(self) -> None:
        config = self.app.config
        build = Build(Path(config.lindecay_home), config.lindecay_profile)
        for kind, made in ((findings, self._picture), (chapter_map, self._map)):
            for node in list(self.document.findall(kind)):
                try:
                    node.replace_self(made(build))
                except (KeyError, Fault) as error:
                    log.warning(f"{kind.__name__}: {error}", location=node)
                    node.replace_self(nodes.problematic(text="?"))

    def _picture(self, build: Build) -> nodes.Node:
        claims = self.app.config.lindecay_claims_page
        uri = self.app.builder.get_relative_uri(self.env.docname, claims)
        return nodes.raw("", picture(build, uri), format="html")

    def _map(self, build: Build) -> nodes.Node:
        listed = nodes.bullet_list()
        root = Path(self.app.config.lindecay_root or self.app.srcdir)
        for chapter in sorted(chapters.chapters(root), key=lambda c: c.name):
            title, question, minutes = told_of(chapter.path.read_text("utf-8"))
            uri = self.app.builder.get_relative_uri(self.env.docname, chapter.page)
            number = numbering.CHAPTER.match(chapter.page)
            title = f"{number[1]}. {title}" if number else title
            link = nodes.reference("", title, internal=True, refuri=uri)
            words = f": {without_markup(values.plain(build, question))}"
            if minutes:
                words += f" ({minutes} min)"
            listed += nodes.list_item(
                "", nodes.paragraph("", "", link, nodes.Text(words))
            )
        return listed


def told_of(source: str) -> tuple[str, str, str]:
    """(title, question in one line, minutes) of a chapter's source.

    >>> told_of("# A\\n\\n**Question.** What is\\nlost?\\n\\nReading time: 9 minutes.")
    ('A', 'What is lost?', '9')
    """
    title = re.search(r"^# (.+)$", source, re.M)
    question, minutes = QUESTION.search(source), MINUTES.search(source)
    words = " ".join(question[1].split()) if question else ""
    return (title[1] if title else "", words, minutes[1] if minutes else "")


def without_markup(text: str) -> str:
    """A line of Markdown as plain words.

    >>> without_markup("Is *this* the `V` of $N$, or **that**?")
    'Is this the V of N, or that?'
    """
    return re.sub(r"[*`$]", "", text)


def picture(build: Build, claims_uri: str) -> str:
    """The findings of a build as HTML: three small pictures above a strip."""
    cycles = {n: (_of(build, id), c) for n, (id, c) in CYCLES.items()}
    energy = {n: (_of(build, id), c) for n, (id, c) in ENERGY.items()}
    return (
        '<div class="findings">'
        + _figure(
            drops(build), "Accuracy lost to the linear leak, points (ring: paper)"
        )
        + _figure(bars(energy, "pJ", 1), "Energy of one neuron update, pJ")
        + _figure(bars(cycles, "cycles", 0), "Cycles of an update at equal area")
        + strip(build, claims_uri)
        + "</div>"
    )


def _of(build: Build, id: str) -> float:
    if id not in build.published:
        raise KeyError(f"no result {id!r} in this build")
    return float(build.published[id].value)


def _figure(svg: str, words: str) -> str:
    return f"<div>{svg}<p>{words}</p></div>"


def _svg(body: str, label: str) -> str:
    return (
        f'<svg role="img" aria-label="{html.escape(label)}" viewBox="0 0 280 150" '
        f'font-family="inherit" font-size="14" fill="currentColor">{body}</svg>'
    )


def drops(build: Build) -> str:
    """Our drops with their intervals, the published ones as open circles."""
    from lindecay import claims

    rows, told = [], []
    for name, (id, claim) in DROPS.items():
        _of(build, id)
        ours = build.published[id]
        printed = claims.load()[claim].published[0]
        rows.append((name, float(ours.value), ours.interval, printed))
        low, high = ours.interval
        told.append(
            f"{name}: {ours.value:.2f} ({low:.2f} to {high:.2f}), paper {printed}"
        )
    ends = [v for _, _, i, p in rows for v in (*i, p, 0)]
    low, high = min(ends), max(ends)

    def x(v: float) -> float:
        return 20 + 240 * (v - low) / (high - low)

    body = f'<path d="M{x(0):.1f} 8V128" stroke="currentColor" stroke-opacity="0.5"/>'
    body += f'<text x="{x(0):.1f}" y="145" text-anchor="middle">0</text>'
    for k, (name, value, (a, b), printed) in enumerate(rows):
        y = 40 + 60 * k
        body += f'<text x="4" y="{y - 14}">{name} {_minus(value, 2)}</text>'
        body += (
            f'<path d="M{x(a):.1f} {y}H{x(b):.1f}" stroke="{LIN}" stroke-width="3"/>'
        )
        body += f'<circle cx="{x(value):.1f}" cy="{y}" r="5" fill="{LIN}"/>'
        ring = f'fill="none" stroke="{GREY}" stroke-width="2" stroke-dasharray="3 2"'
        body += f'<circle cx="{x(printed):.1f}" cy="{y}" r="6" {ring}/>'
    return _svg(body, "; ".join(told))


def _minus(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", "\u2212")


def bars(rows: dict[str, tuple[float, str]], unit: str, digits: int) -> str:
    """Horizontal bars from zero with their numbers, one a design."""
    most = max(value for value, _ in rows.values())
    body = ""
    for k, (name, (value, colour)) in enumerate(rows.items()):
        y, wide = 6 + 48 * k, 200 * value / most
        body += f'<text x="4" y="{y + 13}">{name}</text>'
        body += (
            f'<rect x="4" y="{y + 18}" width="{wide:.1f}" height="16" fill="{colour}"/>'
        )
        at = f'x="{wide + 10:.1f}" y="{y + 31}"'
        body += f"<text {at}>{_minus(value, digits)}</text>"
    told = (f"{n} {_minus(v, digits)} {unit}" for n, (v, _) in rows.items())
    return _svg(body, "; ".join(told))


def strip(build: Build, uri: str) -> str:
    """Every claim as a cell, grouped by verdict; leads to chapter 90."""
    cells, words = "", []
    for verdict, (fill, sign) in SHADES.items():
        count = int(_of(build, f"claims.{verdict}"))
        look = f"background:{fill}" if fill != "none" else ""
        name = verdict.replace("-", " ")
        cells += f'<i style="{look}" aria-hidden="true">{sign}</i>' * count
        if count:
            mark = f'<i style="{look}" aria-hidden="true">{sign}</i>'
            words.append(f"<span>{mark} {count} {name}</span>")
    total, cited = (int(_of(build, f"claims.{k}")) for k in ("total", "cited"))
    own = f"{total} claims of the paper"
    more = f" ({cited} numbers that it cites are listed beside them)"
    link = f'<p><a href="{uri}">{own}, each with its verdict</a>{more}</p>'
    return (
        f'<div class="strip"><p class="cells" aria-hidden="true">{cells}</p>'
        f"<p>{' '.join(words)}</p>{link}</div>"
    )


def cards(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """What a search engine or a social network shows of a page."""
    if doctree is None:
        return
    tags = context.get("metatags", "")
    found = re.search(r'name="description" content="([^"]*)"', tags)
    title = html.escape(re.sub(r"<[^>]+>", "", context.get("title", "")))
    told = {"og:title": title, "og:type": "article", "og:site_name": "lindecay"}
    if found:
        told["og:description"] = found[1]
    told |= {"og:image": _address(app, page), "og:image:alt": ALT}
    named = {"twitter:card": "summary_large_image"}
    context["metatags"] = tags + "".join(
        f'<meta {kind}="{name}" content="{text}" />'
        for kind, pairs in (("property", told), ("name", named))
        for name, text in pairs.items()
    )


def _address(app: Sphinx, page: str) -> str:
    """Of the card: whole where the site's address is known, else from the page."""
    below = f"_static/{card.NAME}"
    home = app.config.html_baseurl
    up = "../" * page.count("/")
    return f"{home.rstrip('/')}/{below}" if home else f"{up}{below}"


def _card(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    build = Build(Path(app.config.lindecay_home), app.config.lindecay_profile)
    card.draw(build, Path(app.outdir) / "_static" / card.NAME)


def setup(app: Sphinx) -> dict:
    """Loaded by _config.yml beside the book's extension."""
    app.add_directive("findings", Findings)
    app.add_directive("chapter-map", ChapterMap)
    for kind in (findings, chapter_map):
        app.add_node(kind)
    app.add_post_transform(Draw)
    app.connect("html-page-context", cards, priority=950)
    app.connect("build-finished", _card)
    return {"parallel_read_safe": False}
