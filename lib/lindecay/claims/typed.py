"""The lint against typed numbers: prose shows what runs computed, or says why not.

A number in prose, caption or alt text that equals a published value or a result at
its printed precision should have come through {claim} or {result}. Where it is a
coincidence, or a number of ours, a line above the paragraph says `% typed: reason`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from lindecay.claims.registry import load
from lindecay.results import Result

NUMBER = re.compile(r"(?<![\w.,/–-])\d[\d,]*(?:\.\d+)?(?![\w/-]|\.\d)")
EXCUSE = re.compile(r"^% typed: \S.{9,}$", re.M)
HIDDEN = [
    re.compile(r"\A---\n.*?\n---\n", re.S),  # front matter
    re.compile(r"^```\{(?:code-cell|raw)\}.*?^```$", re.S | re.M),
    # a language, always: a bare fence is the end of a directive, not a beginning
    re.compile(r"^```(?:python|bash|console|text|json|bibtex)\n.*?^```$", re.S | re.M),
    re.compile(r"\$\$.*?\$\$", re.S),
    re.compile(r"\$[^$\n]+\$"),
    re.compile(r"\{[a-z:-]+\}`[^`]*`"),  # roles
    re.compile(r"`[^`\n]*`"),
    re.compile(r"\]\([^)]*\)"),  # addresses of links
    re.compile(r"<?https?://\S+"),
    re.compile(r"(?i)\b(?:chapters?|arxiv:|section|layout)\s*\d[\d.]*"),
]


def prose(page: str) -> str:
    """The page with everything blanked that is not prose; lines keep their place."""
    for hidden in HIDDEN:
        page = hidden.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), page)
    return page


def known(results: Iterable[Result]) -> dict[str, str]:
    """Printed text -> where it should have come from; small counts are left out."""
    found = {
        p: f"{{claim}}`{claim.id}`" for claim in load().values() for p in claim.printed
    }
    for result in results:
        values = result.value if isinstance(result.value, list) else [result.value]
        for value in values:
            if isinstance(value, int | float) and not isinstance(value, bool):
                one = result.model_copy(update={"value": value})
                found.setdefault(one.text(), f"{{result}}`{result.id}`")
    return {text: source for text, source in found.items() if telling(text)}


def telling(text: str) -> bool:
    """Whether a printed number is unlikely to stand there by coincidence.

    >>> [telling(t) for t in ("10", "0.5", "0.96", "16.7", "1,176", "300", "98.7")]
    [False, False, True, True, True, False, True]
    """
    digits = text.replace(",", "").lstrip("-0.").replace(".", "")
    return len(digits.strip("0") if "." not in text else digits) >= (
        2 if "." in text else 3
    )


def typed(page: str, results: Mapping[str, Result]) -> Iterator[tuple[int, str, str]]:
    """(line, number, where it should have come from) of each typed number.

    >>> [hit[:2] for hit in typed("We lose 0.96 points.", {})]
    [(1, '0.96')]
    >>> list(typed("% typed: the ratio of two lengths\\nIt is 0.96 here.", {}))
    []
    """
    sources, excused = known(results.values()), False
    for i, (line, raw) in enumerate(zip(prose(page).split("\n"), page.split("\n"))):
        excused = bool(EXCUSE.match(raw)) or (excused and raw.strip() != "")
        for match in NUMBER.finditer("" if excused else line):
            text = match[0].rstrip(",")
            if text in sources:
                yield i + 1, text, sources[text]


def swallowed(page: str) -> list[int]:
    """Lines of prose that open with a per cent sign: MyST takes them for comments.

    >>> swallowed("It is 70\\n% of the clips.\\n\\n% typed: a share of ours, no claim")
    [2]
    """
    return [
        i + 1
        for i, line in enumerate(prose(page).split("\n"))
        if line.startswith("%") and not EXCUSE.match(line)
    ]
