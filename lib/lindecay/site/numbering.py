"""Figures and tables of chapter 12 are numbered 12.1, 12.2, …, as its page is called.

Sphinx counts pages: beside 08b it would call chapter 12 the thirteenth. The numbers
are rewritten after the environment was put away, so that no build sees them move.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CHAPTER = re.compile(r"(?:.*/)?0*(\d+[a-z]?)_")


def named(doc: str, number: tuple) -> tuple:
    """A page's number with the page's own name in front.

    >>> named("book/12_memories", (13, 2)), named("book/08b_printed", (9,))
    (('12', 2), ('8b',))
    >>> named("book/playground", (1,))
    (1,)
    """
    found = CHAPTER.match(doc)
    return (found.group(1), *number[1:]) if found and number else number


def _numbers(env: BuildEnvironment, doc: str) -> Iterator[dict]:
    """Every table of numbers that Sphinx keeps of a page."""
    yield env.toc_secnumbers.get(doc, {})
    yield from env.toc_fignumbers.get(doc, {}).values()


def rename(app: Sphinx, env: BuildEnvironment) -> None:
    """Each page's numbers under its own name: sections, menu, figures and tables."""
    for doc in env.found_docs:
        if not env.titles.get(doc, nodes.title()).get("secnumber"):
            continue  # a page without a number counts its figures alone
        for kept in _numbers(env, doc):
            kept |= {id: named(doc, number) for id, number in kept.items()}
        menu = env.tocs.get(doc, nodes.bullet_list()).findall(nodes.reference)
        for node in (*menu, env.titles[doc]):
            if node.get("secnumber"):
                node["secnumber"] = named(doc, node["secnumber"])
