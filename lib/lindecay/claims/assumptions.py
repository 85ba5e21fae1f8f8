"""What the summary leaves open: our choice, the alternatives, what depends on it."""

from functools import cache
from typing import Literal

from pydantic import Field

from lindecay.claims.registry import Strict, read
from lindecay.claims.registry import load as claims
from lindecay.settings import Profile, committed, profile


class Key(Strict):
    """What a reader may put in the place of a choice, in a file of one's own."""

    key: str = Field(pattern=r"^(network|array|energy)\.[a-z_]+$")
    sets: str  # the field of energy.choices.Choices
    default: int | float | str
    unit: str = ""  # of a number
    low: float | None = None
    high: float | None = None
    words: tuple[str | int, ...] = ()  # or one of these
    source: str = "ours"


class Assumption(Strict):
    """One open point; `choice` may name fields of the profile in braces."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str
    group: Literal["network", "data", "array", "energy"]
    open: str  # what the text leaves open
    choice: str
    because: str
    alternatives: tuple[str, ...] = Field(min_length=1)
    moves: str  # how far a verdict moves otherwise, or that nobody measured it
    measured: tuple[str, ...] = ()  # result ids that show it
    keys: tuple[Key, ...] = ()  # what `lindecay check --assume` can replace
    full_text: str = ""  # what of the paper's full text would settle it


class Assumptions(Strict):
    """The file of choices: every key with its default and its source."""

    schema_: Literal[1] = Field(alias="schema")
    assumptions: tuple[Assumption, ...]


@cache
def load() -> dict[str, Assumption]:
    """Every assumption by id, in the order of data/claims/assumptions.yml."""
    found = read(committed("claims/assumptions.yml"), Assumptions)
    return {a.id: a for a in found.assumptions}


def choice(assumption: Assumption, name: str) -> str:
    """Our choice in words, with the values of a profile.

    >>> a = next(iter(load().values()))
    >>> "{" in choice(a, "quick")
    False
    """
    fields = {f: getattr(profile(name), f) for f in Profile.__dataclass_fields__}
    return assumption.choice.format(**fields)


def keys() -> dict[str, Key]:
    """Every key that a file of assumptions may hold."""
    return {key.key: key for a in load().values() for key in a.keys}


def dependants(id: str) -> list[str]:
    """Claims whose verdict rests on this assumption."""
    return [claim.id for claim in claims().values() if id in claim.assumes]
