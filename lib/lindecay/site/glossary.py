"""Glossary terms in the prose: the first one on each page leads to its meaning.

Each page links a term once, in its running text or in a caption, with the definition as
the link's title: seen on hover, one tap away on a phone, and reachable by keyboard.
"""

import re

from docutils import nodes
from sphinx.environment import BuildEnvironment

PAGE = "book/93_reference"
RUNNING = (nodes.document, nodes.section, nodes.list_item, nodes.definition)
RUNNING += (nodes.figure, nodes.legend, nodes.table, nodes.admonition)
SIGNS = {"beta": "β", "lambda": "λ", "theta": "θ", "cdot": "·", "times": "×"}
COMMON = {"clear", "profile"}  # in prose mostly the ordinary words


def meanings(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """Term -> (anchor on the glossary's page, definition in one line)."""
    if PAGE not in env.found_docs:
        return {}
    known = env.get_domain("std").objects
    ids = {t: o[1] for (kind, t), o in known.items() if kind == "term"}
    items = env.get_doctree(PAGE).findall(nodes.definition_list_item)
    found = {}
    for item in items:
        term = item[0].astext()
        if term in ids and term not in COMMON:
            found[term] = (ids[term], in_words(item[-1]))
    return found


def in_words(node: nodes.Element) -> str:
    """The text of a definition in one line, its formulas without TeX."""
    copy = node.deepcopy()
    for formula in list(copy.findall(nodes.math)):
        formula.replace_self(nodes.Text(without_tex(formula.astext())))
    return " ".join(copy.astext().split())


def without_tex(formula: str) -> str:
    r"""A short formula as plain text.

    >>> without_tex(r"V' = \operatorname{sign}(V)\max(|V| - \lambda, 0)")
    "V' = sign(V) max(|V| \u2212 λ, 0)"
    >>> without_tex(r"V' = \beta V")
    "V' = β V"
    """
    text = re.sub(r"\\operatorname\{(\w+)\}", r" \1", formula)
    for name, sign in SIGNS.items():
        text = re.sub(rf"\\{name}(?![a-z])", sign, text)
    text = re.sub(r"\\(\w+)", r" \1", text).replace(" - ", " \u2212 ")
    return " ".join(re.sub(r"[{}$]", "", text).split())


def link(document: nodes.document, uri: str, known: dict) -> None:
    """Link the first mention of each term in the running text of a page.

    `uri`: the glossary's page, seen from this one.
    """
    left = dict(known)
    for paragraph in list(document.findall(_told)):
        if isinstance(paragraph.parent, RUNNING):
            for text in [n for n in paragraph.children if isinstance(n, nodes.Text)]:
                _link_in(paragraph, text, uri, left)


def _told(node: nodes.Node) -> bool:
    """Whether a node holds words of running text or of a caption."""
    if isinstance(node, nodes.title):
        return isinstance(node.parent, nodes.table)
    return isinstance(node, nodes.paragraph | nodes.caption)


def _link_in(parent: nodes.Element, text: nodes.Text, uri: str, left: dict) -> None:
    words, made = str(text), []
    while left:
        first = _first(words, left)
        if first is None:
            break
        at, mention, term = first
        anchor, meaning = left.pop(term)
        ref = nodes.reference("", mention, internal=True, refuri=f"{uri}#{anchor}")
        ref["reftitle"] = meaning
        ref["classes"].append("term")
        made += [nodes.Text(words[:at]), ref]
        words = words[at + len(mention) :]
    if made:
        parent.replace(text, [n for n in [*made, nodes.Text(words)] if n.astext()])


def _first(words: str, left: dict) -> tuple[int, str, str] | None:
    """(place, as it is written, term) of the first term in a text.

    >>> _first("Two macros hold the membranes.", {"membrane": (), "macro": ()})
    (4, 'macros', 'macro')
    """
    hits = ((_pattern(term).search(words), term) for term in left)
    found = [(m.start(), m[0], term) for m, term in hits if m]
    # at one place the longer term wins: v-LIF before LIF
    return min(found, key=lambda hit: (hit[0], -len(hit[1])), default=None)


def _pattern(term: str) -> re.Pattern:
    """A term as a whole word, also in the plural; names keep their capitals."""
    flags = 0 if re.search("[A-Z]", term) else re.I
    return re.compile(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", flags)
