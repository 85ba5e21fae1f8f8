"""What stands around each page: where its numbers come from, how to redo it."""

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from lindecay.results import Result
from lindecay.site import colab, phone
from lindecay.site.place import Build

READING = re.compile(
    r"<em>(Reading time: [^.<]*\.)(?: Run time: [^.<]*\.)?([^<]*)</em>"
)
STAND_IN = (
    "<p class='stand-in'><strong>Stand-in data.</strong> No recordings were found, "
    "so this page was computed from made-up event streams with the same geometry. "
    "Its accuracies say nothing about the paper. <code>lindecay data get nmnist</code> "
    "fetches the recordings.</p>"
)
MIXED = (
    "<p class='stand-in'><strong>Partly stand-in data.</strong> {few} of this page's "
    "{all} numbers on event streams come from made-up ones with the same geometry, the "
    "others from recordings; the source stands in each number's note. What comes from "
    "stand-ins says nothing about the paper.</p>"
)
LEGEND = (
    "<span class='value here'>computed by this build</span>, "
    "<span class='value carried'>carried from the committed reference run</span>, "
    "<span class='value paper'>printed in the paper's summary</span>"
)


def dress(app: Sphinx, build: Build, page: str, body: str) -> str:
    """The page's body with its banner and its footer."""
    chapter = page.rsplit("/", 1)[-1]
    own = [r for k, r in build.published.items() if _of(k, r, chapter)]
    body = body.replace("</h1>", "</h1>\n" + banner(own), 1)
    body = READING.sub(lambda m: _times(build, chapter, *m.groups()), body, count=1)
    marked = 'class="value' in body
    body = phone.labelled(phone.signed(body))
    return body + _footer(app, build, page, own, marked)


def banner(own: list[Result]) -> str:
    """What stands above a page whose numbers rest on stand-ins, all or some."""
    kinds = [r.source for r in own if r.source != "computed"]
    few = kinds.count("stand-in")
    if not few:
        return ""
    return STAND_IN if few == len(kinds) else MIXED.format(few=few, all=len(kinds))


def _times(build: Build, chapter: str, reading: str, rest: str) -> str:
    """The line at the top with the run time that was measured, not the one guessed."""
    seconds = build.run(chapter).get("seconds")
    told = f" Run time in this build: {duration(seconds)}." if seconds else ""
    return f"<em>{reading}{told}{rest}</em>"


def described(doctree: nodes.document, most: int = 160) -> str:
    """A <meta> tag that says what the page is about: the start of its first words."""
    found = [p.astext() for p in doctree.findall(nodes.paragraph)]
    text = " ".join(" ".join(found[:2]).split()).removeprefix("Question. ")
    if len(text) > most:
        text = text[:most].rsplit(" ", 1)[0].rstrip(",;:.") + " \u2026"
    return f'<meta name="description" content="{html.escape(text)}" />' if text else ""


def _of(key: str, result: Result, chapter: str) -> bool:
    return result.chapter == chapter and not key.startswith("reference/")


def _footer(
    app: Sphinx, build: Build, page: str, own: list[Result], marked: bool
) -> str:
    chapter = page.rsplit("/", 1)[-1]
    facts = _facts(build, chapter, own)
    links = [
        f'<a href="{href}" download>{text}</a>'
        for href, text in _links(app, build, page)
    ]
    links += _opens(app, build, page)
    told = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts.items())
    marks = f"<p>Numbers: {LEGEND}.</p>" if marked else ""
    return (
        '<section class="provenance" aria-label="Provenance of this page">'
        f"{marks}<dl>{told}</dl><p>{' · '.join(links)}</p></section>"
    )


def _facts(build: Build, chapter: str, own: list[Result]) -> dict[str, str]:
    run = build.run(chapter)
    seeds = sorted({s for r in own for s in r.seeds})
    sources = sorted({r.source for r in own if r.source != "computed"})
    facts = {
        "commit": run.get("commit"),
        "profile": build.profile if run or own else None,
        "data": ", ".join(sources),
        "seeds": ", ".join(map(str, seeds)),
        "run time": duration(run["seconds"]) if "seconds" in run else None,
        "recompute": command(build, chapter) if run or own else None,
    }
    facts = {k: html.escape(v) for k, v in facts.items() if v}
    if "recompute" in facts:
        facts["recompute"] = f"<code>{facts['recompute']}</code>"
    return facts


def command(build: Build, chapter: str) -> str:
    """The command that computes this page anew."""
    return f"lindecay run --profile {build.profile} {chapter} --force --book"


def duration(seconds: float) -> str:
    """A run time for people.

    >>> duration(0.4), duration(12.6), duration(192)
    ('under 1 s', '13 s', '3 min 12 s')
    """
    if seconds < 1:
        return "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _source(app: Sphinx, page: str) -> Path:
    """The page's Markdown source: the checkout's own, even for a staged page."""
    root = Path(app.config.lindecay_root or app.srcdir)
    return root / f"{page}.md"


def _links(app: Sphinx, build: Build, page: str) -> list[tuple[str, str]]:
    base = app.builder.get_relative_uri(page, "sources/x")
    base = base[: base.rindex("sources/")]
    found = []
    offers = {
        "source (.md)": _source(app, page),
        "executed notebook (.ipynb)": build.notebooks / f"{page}.ipynb",
    }
    for text, kept in offers.items():
        if kept.exists():
            found.append((f"{base}sources/{kept.name}", text))
    if (build.notebooks / f"{page}.ipynb").exists():
        name = f"{page.rsplit('/', 1)[-1]}.ipynb"
        folder = base.removesuffix("sources/") + colab.FOLDER
        found.append((f"{folder}/{name}", "notebook for Colab (.ipynb)"))
    return found


def _opens(app: Sphinx, build: Build, page: str) -> list[str]:
    """The link that opens an executed chapter in Colab, where that is possible."""
    config, name = app.config, page.rsplit("/", 1)[-1]
    there = colab.address(
        config.lindecay_repository, config.lindecay_pages_branch, name
    )
    executed = (build.notebooks / f"{page}.ipynb").exists()
    return [f'<a href="{there}">open in Colab</a>'] if there and executed else []


def downloads(app: Sphinx, build: Build, out: Path) -> dict[Path, Path]:
    """Sources and executed notebooks: {where they lie: where pages offer them}."""
    pages = sorted(app.env.found_docs)
    found = [_source(app, page) for page in pages]
    found += [build.notebooks / f"{page}.ipynb" for page in pages]
    return {p: out / "sources" / p.name for p in found if p.exists()}
