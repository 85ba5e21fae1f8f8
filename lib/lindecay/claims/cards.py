"""Assumptions for the page: one card each, with what rests on it."""

from collections.abc import Mapping
from html import escape

from lindecay.claims import assumptions
from lindecay.claims.assumptions import Assumption
from lindecay.claims.display import minus
from lindecay.results import Result


def html(profile: str, group: str, results: Mapping[str, Result]) -> str:
    """The assumptions of one group, in the order of the registry."""
    known = assumptions.load().values()
    return "\n".join(_card(a, profile, results) for a in known if a.group == group)


def _card(a: Assumption, profile: str, results: Mapping[str, Result]) -> str:
    facts = {
        "The summary": escape(a.open),
        "Our choice": escape(assumptions.choice(a, profile)),
        "Because": escape(a.because),
        "Instead": escape("; ".join(a.alternatives) + "."),
        "What moves": escape(a.moves),
        "Measured here": escape(_measured(a, results)),
        "Keys": ", ".join(f"<code>{k.key}</code>" for k in a.keys),
        "Rests on it": _links(a.id),
    }
    rows = "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in facts.items() if v)
    head = f'<h3 id="assume-{a.id}">{escape(a.title)}</h3>'
    return f'<div class="assume-card">{head}<dl>{rows}</dl></div>'


def _measured(a: Assumption, results: Mapping[str, Result]) -> str:
    found = [results[id] for id in a.measured if id in results]
    told = [f"{r.id} = {r.text()} {r.unit}".strip() for r in found if _short(r)]
    return minus("; ".join(told))


def _short(result: Result) -> bool:
    return not isinstance(result.value, list) or len(result.value) <= 2


def _links(id: str) -> str:
    names = assumptions.dependants(id)
    return ", ".join(f'<a href="90_claims.html#{n}">{n}</a>' for n in names)
