"""How hard a page is to read: words in a sentence, and words before their meaning.

Counted is what a reader reads: paragraphs, list items, captions. Left out are code,
headings, tables, alt texts and formulas that stand alone; a number that a role fills in
counts as one word, and so does a formula in a line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean

from lindecay.claims.typed import HIDDEN

MOST = 25  # words a sentence, on average over a page
LONGEST = 45  # words in any one sentence
BLANKED = HIDDEN[:3]  # front matter, code cells, code: as for the lint of numbers
ROLE = re.compile(r"\{(\w+)\}`([^`]*)`")
ONE_WORD = [re.compile(told) for told in (r"\$[^$\n]+\$", r"`[^`\n]*`", r"<?http\S+")]
# comments, tables, fences, headings, options
NO_PROSE = r"(?m)^\s*(?:%|\||:::|```|#|:\w+:).*$"
GONE = [re.compile(r"\$\$.*?\$\$", re.S), re.compile(NO_PROSE)]
BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+\.|:)\s)")
BEGINS = r"(?=[\"\u201c(*]*(?:v-LIF|[A-Z\u0370-\u03ff\d]))"
END = re.compile(r"(?<=[.?!])[\"\u201d)*]*\s+" + BEGINS)
WORD = re.compile(r"[^\W_][^\s\u2014]*")
SHORT = re.compile(r"\b(?:e\.g|i\.e|cf|vs|approx|Fig|No)\.")


@dataclass(frozen=True)
class Page:
    """The sentences of a page, and how long they are."""

    sentences: tuple[str, ...]

    @property
    def words(self) -> list[int]:
        return [len(WORD.findall(s)) for s in self.sentences]

    @property
    def average(self) -> float:
        """Words a sentence; 0 for a page without any."""
        return mean(self.words) if self.sentences else 0.0

    def longest(self, n: int = 3) -> list[tuple[int, str]]:
        """(words, sentence) of the longest ones, the longest first."""
        return sorted(zip(self.words, self.sentences), reverse=True)[:n]


def read(source: str) -> Page:
    """The sentences of a page's Markdown.

    >>> page = read("# Title\\n\\nIt holds. Of {result}`a.b` cells $x+y$ are\\nopen.")
    >>> page.sentences, page.words
    (('It holds.', 'Of 1 cells 1 are open.'), [2, 6])
    """
    found = (" ".join(block.split()) for block in BLOCK.split(bare(source)))
    return Page(tuple(s for block in found for s in _sentences(block)))


def bare(source: str) -> str:
    """Markdown without code, options and headings; roles and formulas as one word."""
    for hidden in (*BLANKED, *GONE):
        source = hidden.sub("\n\n", source)
    source = ROLE.sub(lambda m: "1" if m[1] in ("result", "claim") else m[2], source)
    for one in ONE_WORD:
        source = one.sub("1", source)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", source)


def _sentences(block: str) -> Iterator[str]:
    """Sentences of one paragraph; labels without a verb's worth of words are none."""
    text = re.sub(r"^(?:[-*+:]|\d+\.)\s", "", block)
    text = SHORT.sub(lambda m: m[0].replace(".", ""), text)
    yield from (s for s in END.split(text) if len(WORD.findall(s)) > 1)
