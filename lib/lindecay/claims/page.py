"""The report for people: terminal, page, Markdown, badge.

The page's table becomes cards on a narrow screen (book/_static/claims.css); each
verdict carries a sign as well as a word, so that no meaning hangs on colour.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from html import escape

from rich import box
from rich.table import Table

from lindecay.claims import assumptions
from lindecay.claims.display import number
from lindecay.claims.judge import Row
from lindecay.claims.registry import Claim, load, own
from lindecay.settings import Fault, root

SIGNS = {
    "exact": "\u2713\u2713",
    "within-tolerance": "\u2713",
    "trend-only": "\u2197",
    "unresolved": "?",
    "scope-dependent": "\u21c4",
    "differs": "\u2717",
    "consistent": "=",
    "adopted": "\u2261",
    "holds-in-our-array": "\u2713",
    "paper-inconsistent": "\u2260",
    "not-comparable": "\u2014",
    "not-attempted": "\u25cb",
}
HOLD = ("exact", "within-tolerance", "trend-only", "holds-in-our-array")
ON_PAGE = ("moved", "missing", "carried", "inconsistent", "unsourced", "seal")
STATUS = {"recomputed": "recomputed in this build", "carried": "carried"}
MARKS = {STATUS["recomputed"]: "\u25cf", "carried": "\u25cb", "not run": "\u2013"}
Chains = Mapping[str, list[dict]]


def ours(row: Row) -> str:
    """Our value with its interval; words for a claim without one."""
    told = number(row.ours) if row.ours is not None else "no value"
    return told + (f" ({number(row.interval)})" if row.interval else "")


def published(claim: Claim) -> str:
    """The paper's number with its unit."""
    return f"{claim.text} {claim.unit}".strip()


def basis(row: Row) -> str:
    """What our value rests on: seeds, clips, source, profile."""
    if row.ours is None:
        return f"{row.profile} profile"
    counted = [
        f"{row.seeds} seeds" if row.seeds else "",
        f"{row.clips:,} clips" if row.clips else "",
        row.source,
        f"{row.profile} profile",
    ]
    return ", ".join(c for c in counted if c)


def status(row: Row) -> str:
    """Where a row's numbers come from, in a word."""
    return "not run" if row.verdict == "not-attempted" else STATUS[row.status]


def table(report) -> Table:
    """For the terminal."""
    told = "\u25cf recomputed in this build, \u25cb carried, \u2013 not run"
    title = f"Claims of the paper, profile {report.profile}"
    shown = Table(title=title, caption=told, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("claim", "published", "ours", "", "verdict"):
        shown.add_column(head, no_wrap=head not in ("published", "ours"))
    for row in report.rows:
        verdict = f"{SIGNS[row.verdict]} {row.verdict}"
        cells = row.id, published(load()[row.id]), ours(row), MARKS[status(row)]
        shown.add_row(*cells, verdict)
    return shown


def own_table(report) -> Table:
    """The book's own claims, for the terminal."""
    shown = Table(
        title="Claims of this book", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for head in ("claim", "says", "ours", "verdict"):
        shown.add_column(head, no_wrap=head in ("claim", "verdict"))
    for row in report.ours:
        verdict = f"{SIGNS[row.verdict]} {row.verdict}"
        shown.add_row(row.id, str(row.published), ours(row), verdict)
    return shown


def own_html(report, chains: Chains | None = None) -> str:
    """The book's own claims as the page shows them; chains: see `html`."""
    heads = "".join(
        f'<th scope="col">{h}</th>' for h in ("Claim", "Says", "Ours", "Verdict")
    )
    body = "\n".join(
        _own_tr(row, (chains or {}).get(row.id, [])) for row in report.ours
    )
    return (
        f'<div class="claims"><table class="claims-table"><thead><tr>{heads}</tr>'
        f"</thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _own_tr(row: Row, chain: list[dict]) -> str:
    claim = own()[row.id]
    cells = (
        ("Says", escape(claim.says)),
        ("Ours", f"<b>{escape(ours(row))}</b><small>{_basis(row)}</small>"),
        ("Verdict", _verdict(row.verdict)),
    )
    head = f'<th scope="row">{escape(claim.title)}<small>{row.id}</small></th>'
    rest = "".join(f'<td data-label="{name}">{cell}</td>' for name, cell in cells)
    told = f"<p>{escape(row.why)}</p>{_chain(chain)}"
    why = f'<tr class="why"><td colspan="4">{told}</td></tr>'
    return f'<tr id="{row.id}">{head}{rest}</tr>\n{why}'


def markdown(report) -> str:
    """For a comment or a wiki; one line a claim."""
    head = "| claim | published | ours | status | verdict | why |\n"
    lines = [head + "|---|---|---|---|---|---|"]
    for row in report.rows:
        cells = (row.id, published(load()[row.id]), ours(row), status(row))
        told = " | ".join(c.replace("|", "\\|") for c in (*cells, row.verdict, row.why))
        lines.append(f"| {told} |")
    return "\n".join(lines) + "\n"


def badge(report) -> dict:
    """shields.io's endpoint form: judged claims, red when the check is red."""
    judged = sum(report.tally[v] for v in HOLD)
    told = f"{judged} of {len(report.own)} hold, {report.tally['differs']} differ"
    color = "critical" if report.problems else "informational"
    return {"schemaVersion": 1, "label": "claims", "message": told, "color": color}


def html(report, group: str | None = None, chains: Chains | None = None) -> str:
    """For the page: one table, two lines and an anchor a claim.

    chains: links of a claim by its id (`why.chains`), folded below it.
    """
    rows = [r for r in report.rows if group in (None, load()[r.id].group)]
    heads = ("Claim", "Published", "Ours", "Verdict")
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    body = "\n".join(_tr(row, (chains or {}).get(row.id, [])) for row in rows)
    return (
        f'<div class="claims"><table class="claims-table"><thead><tr>{head}</tr>'
        f"</thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _tr(row: Row, chain: list[dict]) -> str:
    claim = load()[row.id]
    cells = (
        ("Published", f"<b>{escape(published(claim))}</b>{_quote(claim)}"),
        ("Ours", f"<b>{escape(ours(row))}</b><small>{_basis(row)}</small>"),
        ("Verdict", _verdict(row.verdict)),
    )
    head = f'<th scope="row">{escape(claim.title)}<small>{row.id}</small></th>'
    rest = "".join(f'<td data-label="{name}">{cell}</td>' for name, cell in cells)
    why = f'<tr class="why"><td colspan="4">{_why(row, claim)}{_chain(chain)}</td></tr>'
    return f'<tr id="{row.id}">{head}{rest}</tr>\n{why}'


def _quote(claim: Claim) -> str:
    return f"<small>\u201c{escape(claim.quote)}\u201d</small>"


def _basis(row: Row) -> str:
    mark = {"not run": "none"}.get(status(row), row.status)
    told = f'<span class="status {mark}">{status(row)}</span>'
    return f"{escape(basis(row))}<br>{told}"


def _verdict(verdict: str) -> str:
    sign = f'<span aria-hidden="true">{SIGNS[verdict]}</span>'
    return f'<span class="verdict {verdict}">{sign} {verdict}</span>'


def _why(row: Row, claim: Claim) -> str:
    parts = [f"<p>{escape(row.why)}</p>", _scopes(row), _others(row)]
    parts.append(_fine_print(claim))
    run = f"<code>{escape(claim.command)}</code>"
    return "".join(parts) + f"<p><small>{_chapter(claim)} \u00b7 {run}</small></p>"


def _scopes(row: Row) -> str:
    """Each scope with its own answer; nothing where there is only one."""
    if len(row.scopes) < 2:
        return ""
    heads = "".join(f'<th scope="col">{h}</th>' for h in ("Scope", "Ours", "Verdict"))
    body = "".join(
        f'<tr><th scope="row">{escape(one["scope"])}</th>'
        f'<td data-label="Ours">{escape(_in_scope(one))}</td>'
        f'<td data-label="Verdict">{_verdict(one["verdict"])}</td></tr>'
        for one in row.scopes
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="claims-scopes">{table}</div>'


def _in_scope(one: dict) -> str:
    """Our value in a scope with its interval, or with one for each end."""
    ours, band = one["ours"], one["interval"]
    if band and isinstance(band[0], list | tuple):
        pairs = zip(ours, band)
        return "; ".join(f"{number(x)} ({number(list(b))})" for x, b in pairs)
    return number(ours) + (f" ({number(list(band))})" if band else "")


def _chain(links: list[dict]) -> str:
    """From quote to verdict, each link with its file and line."""
    if not links:
        return ""
    items = "".join(
        f"<li><b>{escape(one['link'])}</b> {escape(str(one['told']))} "
        f"<code>{escape(str(one['where']))}</code></li>"
        for one in links
    )
    told = "From the quote to the verdict, link by link"
    return f"<details><summary>{told}</summary><ol>{items}</ol></details>"


def _chapter(claim: Claim) -> str:
    """A link to the chapter, or words where this edition has none."""
    name = claim.chapter
    try:
        there = (root() / "book" / f"{name}.md").exists()
    except Fault:
        there = False
    if not there:
        return f"Chapter {name} is not written yet"
    return f'Chapter <a href="{name}.html">{name}</a>'


def _others(row: Row) -> str:
    if not row.others:
        return ""
    items = "".join(f"<li>{_other(other)}</li>" for other in row.others)
    summary = "The numbers behind it"
    return f"<details><summary>{summary}</summary><ul>{items}</ul></details>"


def _other(other: dict) -> str:
    told = f"{other['what']}: {number(other.get('value'), 4)}"
    if other.get("interval"):
        told += f" ({number(other['interval'])})"
    extra = [str(other[k]) for k in ("verdict", "note") if other.get(k)]
    return escape("; ".join([told, *extra]))


def _fine_print(claim: Claim) -> str:
    near = claim.tolerance.basis if claim.tolerance else "The printed rounding."
    items = [f"Tolerance: {near}", f"What would settle it: {claim.settles}"]
    known = assumptions.load()
    rests = [known[id].title for id in claim.assumes if id in known]
    if rests:
        items.append("Rests on: " + "; ".join(rests) + ".")
    body = "".join(f"<li>{escape(item)}</li>" for item in items)
    summary = "Tolerance, assumptions, what would settle it"
    return f"<details><summary>{summary}</summary><ul>{body}</ul></details>"


def download(report) -> str:
    """A link that hands out the report as JSON, without a server."""
    data = base64.b64encode(of_results(report).to_json().encode()).decode()
    return (
        f'<p class="files"><a download="claims-{report.profile}.json" '
        f'href="data:application/json;base64,{data}">All of it as JSON</a></p>'
    )


def of_results(report):
    """The report without what depends on anything but results and verdicts.

    An executed page is kept while its inputs are the same; whether another page
    names an id, or git knows a commit, is not among them: `lindecay check` asks.
    """
    shown = [p for p in report.problems if p.kind in ON_PAGE]
    return replace(report, problems=shown)


def state(report) -> str:
    """Green or red, and why, for the top of the page."""
    problems = of_results(report).problems
    if not problems:
        return '<p class="claims-state green">\u2713 No verdict moved unnoticed.</p>'
    items = "".join(f"<li>{escape(str(p))}</li>" for p in problems)
    return f'<div class="claims-state red"><p>\u2717 Red:</p><ul>{items}</ul></div>'
