"""The registry: one entry for every number that the paper's summary prints.

data/claims/paper.yml says what was printed and where, how close counts as close
(written before the run that it judges), what it takes to check it, and which rule
compares. Numbers stay as printed: 0.96 is the window [0.955, 0.965].
"""

import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lindecay.settings import Fault, committed

Verdict = Literal[
    "exact",  # where it could have come out otherwise
    "within-tolerance",
    "trend-only",
    "unresolved",  # the interval holds the printed number and its opposite
    "scope-dependent",  # the answer turns with what is inside: see the scopes
    "differs",
    "consistent",  # arithmetic on printed numbers
    "adopted",  # set by us as printed
    "holds-in-our-array",  # our closed form is what our emulator counts
    "paper-inconsistent",
    "not-comparable",
    "not-attempted",
]
VERDICTS: tuple[str, ...] = Verdict.__args__
Kind = Literal[
    "stochastic",
    "derived",
    "definition",
    "qualitative",
    "simulated",
    "exact",
    "historical",
    "citation",
]


class Strict(BaseModel):
    """An entry whose misspelt field is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tolerance(Strict):
    """How far from the printed value still counts, and why that far."""

    value: float | None = None  # in the claim's unit
    relative: float | None = None  # as a share of the printed value
    basis: str = Field(min_length=20)

    def reach(self, printed: float) -> float:
        """Half-width of the tolerance around a printed value.

        >>> Tolerance(relative=0.5, basis="an example of a basis").reach(4.0)
        2.0
        """
        return max(self.value or 0.0, abs(printed) * (self.relative or 0.0))


class Claim(Strict):
    """One published number (or statement) and how it is judged."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str
    group: str = Field(pattern=r"^[a-z]+$")  # a heading of the page of claims
    kind: Kind
    quote: str = Field(min_length=4)  # verbatim in the source text
    again: tuple[str, ...] = ()  # where the text says it again
    printed: tuple[str, ...] = ()  # the numbers, with the digits as printed
    says: str = ""  # the statement, where the claim is not a number
    unit: str = ""
    tolerance: Tolerance | None = None
    needs: Literal["none", "nmnist", "shd", "dvsgesture"] = "none"
    rule: str
    args: dict[str, Any] = {}
    reads: tuple[str, ...] = ()  # result ids without which there is no verdict
    scopes: dict[str, tuple[str, ...]] = {}  # what is inside: ids read in its place
    may_read: tuple[str, ...] = ()  # result ids that add to it
    assumes: tuple[str, ...] = ()  # ids in data/claims/assumptions.yml
    chapter: str
    why: str
    settles: str = Field(min_length=10)  # what would settle it
    command: str
    not_yet: str = ""  # why no run has tried it; empty once one has

    @model_validator(mode="after")
    def _says_something(self) -> "Claim":
        if not (self.printed or self.says):
            raise ValueError(f"{self.id}: neither printed nor says")
        judged = self.kind in ("stochastic", "simulated")
        if judged and self.printed and self.tolerance is None:
            raise ValueError(f"{self.id}: no tolerance with a basis")
        return self

    @property
    def ids(self) -> tuple[str, ...]:
        """All results that its verdict rests on, in every scope."""
        return tuple(dict.fromkeys([*self.reads, *sum(self.scopes.values(), ())]))

    def within(self, scope: str) -> "Claim":
        """The claim as it is judged in one scope."""
        return self.model_copy(update={"reads": self.scopes[scope], "scopes": {}})

    @property
    def published(self) -> tuple[float, ...]:
        """The printed numbers: none, one, or the two ends of a range."""
        return tuple(float(p) for p in self.printed)

    @property
    def face(self) -> float | list[float] | str:
        """As in JSON: a number, a two-element list, or the statement."""
        if not self.printed:
            return self.says
        return self.published[0] if len(self.printed) == 1 else list(self.published)

    @property
    def text(self) -> str:
        """As in prose: `0.96`, `1.1 to 16.7`, or the statement."""
        return " to ".join(self.printed) or self.says

    @property
    def quotes(self) -> tuple[str, ...]:
        return (self.quote, *self.again)


class Exemption(Strict):
    """Digits of the source text that are no published number."""

    quote: str
    reason: str = Field(min_length=10)


class Spare(Strict):
    """Result ids that stay in the result files although no page shows them."""

    ids: str  # a pattern, as in a shell
    reason: str = Field(min_length=10)


class Source(Strict):
    """What the claims are quoted from."""

    file: str
    sha256: str
    title: str
    arxiv: str
    authors: str
    date: str
    licence: str
    note: str


class Registry(Strict):
    """The whole file; ids are unique."""

    schema_: Literal[1] = Field(alias="schema")
    source: Source
    exempt: tuple[Exemption, ...]
    spare: tuple[Spare, ...] = ()
    claims: tuple[Claim, ...]

    @model_validator(mode="after")
    def _unique(self) -> "Registry":
        ids = [claim.id for claim in self.claims]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        if twice:
            raise ValueError(f"id used twice: {', '.join(twice)}")
        return self


def window(printed: str) -> tuple[float, float]:
    """All values that print as `printed`.

    >>> window("0.96")
    (0.955, 0.965)
    >>> window("69")
    (68.5, 69.5)
    """
    number = Decimal(printed)
    half = Decimal((0, (5,), number.as_tuple().exponent - 1))
    return float(number - half), float(number + half)


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"


def read(path: Path, model: type[BaseModel]) -> Any:
    """A YAML file as `model`; Fault with the first thing that is wrong."""
    expected = f"YAML that fits {model.__name__}"
    try:
        return model.model_validate(yaml.safe_load(Path(path).read_text("utf-8")))
    except ValidationError as error:
        found = _one_line(error)
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:120]
    raise Fault("bad registry", expected=expected, found=found, where=str(path))


@cache
def registry() -> Registry:
    """data/claims/paper.yml, validated."""
    return read(committed("claims/paper.yml"), Registry)


def load() -> dict[str, Claim]:
    """Every claim by id, in the order of the registry."""
    return {claim.id: claim for claim in registry().claims}


class Own(Strict):
    """The book's own claims, in the form of the paper's."""

    schema_: Literal[1] = Field(alias="schema")
    claims: tuple[Claim, ...]


@cache
def own() -> dict[str, Claim]:
    """The book's own claims by id, from data/claims/ours.yml."""
    found = read(committed("claims/ours.yml"), Own)
    return {claim.id: claim for claim in found.claims}


def every() -> dict[str, Claim]:
    """The paper's claims and our own, by id: what a verdict is committed for."""
    return load() | own()


def claim(id: str) -> Claim:
    """The claim called `id`, the paper's or our own; Fault when there is none."""
    if id in load():
        return load()[id]
    if id not in own():
        expected = "an id of data/claims/paper.yml or ours.yml"
        raise Fault("unknown claim", expected=expected, found=id)
    return own()[id]
