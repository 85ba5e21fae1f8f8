"""The inventory: no number of the source text without an entry.

Each run of digits in the text has to lie inside a quote of a claim that prints it,
or inside an exemption with a reason. Quotes are found verbatim (white space aside).
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from lindecay.claims.registry import Claim, registry
from lindecay.settings import Fault, committed, root

NUMBER = re.compile(r"\d+(?:\.\d+)?")


def source_path() -> Path | None:
    """The text that the claims quote, where it lies beside the checkout."""
    try:
        beside = root().parent / "shared" / "paper" / registry().source.file
    except Fault:
        return None
    own = committed("claims/paper.yml").with_name(registry().source.file)
    return next((path for path in (own, beside) if path.is_file()), None)


def flat(text: str) -> str:
    """White space as single blanks, so that a quote may be wrapped."""
    return " ".join(text.split())


def spans(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """Where `quote` stands in `text`, both flat."""
    start = text.find(quote)
    while start >= 0:
        yield start, start + len(quote)
        start = text.find(quote, start + 1)


def _covered(text: str) -> set[tuple[int, int]]:
    """The digits that an entry or an exemption accounts for."""
    found: set[tuple[int, int]] = set()
    for claim in registry().claims:
        own = {*claim.printed, *NUMBER.findall(claim.says)}
        for quote in claim.quotes:
            found |= set(_digits(flat(quote), text, own))
    for exempt in registry().exempt:
        found |= set(_digits(flat(exempt.quote), text, None))
    return found


def _digits(quote: str, text: str, own: set[str] | None) -> Iterator[tuple[int, int]]:
    for start, end in spans(quote, text):
        for match in NUMBER.finditer(text):
            inside = start <= match.start() and match.end() <= end
            if inside and (own is None or match[0] in own):
                yield match.span()


def unlisted(text: str) -> list[str]:
    """Numbers of `text` without an entry, each with the words around it."""
    text = flat(text)
    known = _covered(text)
    return [
        f"{match[0]} in '…{text[max(match.start() - 25, 0) : match.end() + 25]}…'"
        for match in NUMBER.finditer(text)
        if match.span() not in known
    ]


def unquoted(text: str) -> list[tuple[str, str]]:
    """(claim or 'exempt', quote) pairs that are not verbatim in `text`."""
    text = flat(text)
    pairs = [(c.id, q) for c in registry().claims for q in c.quotes]
    pairs += [("exempt", e.quote) for e in registry().exempt]
    return [(id, quote) for id, quote in pairs if flat(quote) not in text]


def silent(claim: Claim) -> list[str]:
    """Printed numbers of a claim that none of its own quotes contains."""
    said = {n for quote in claim.quotes for n in NUMBER.findall(quote)}
    return [p for p in claim.printed if p not in said]


def same_text(path: Path) -> bool:
    """Whether the text is the one that the registry was written from."""
    return hashlib.sha256(path.read_bytes()).hexdigest() == registry().source.sha256
