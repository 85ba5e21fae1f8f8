"""What a tensor is while a network is watched: a sum of paths from leaves."""

from dataclasses import dataclass, field, replace

import numpy as np

from lindecay.graphs.ir import Op


@dataclass(frozen=True)
class Leaf:
    """The clips, or the spikes or the membrane of a layer, in a step or in all."""

    kind: str  # clips | spikes | mem | constant
    index: int
    step: int | None  # None: all steps


@dataclass(frozen=True, eq=False)
class Term:
    """A leaf, or a constant frame, behind operations."""

    leaf: Leaf | None
    ops: tuple[Op, ...] = ()
    constant: np.ndarray | None = None  # [frame], where there is no leaf


@dataclass(frozen=True, eq=False)
class Value:
    """A sum of terms; `lead` axes come before a frame: [time, batch] or [batch]."""

    terms: tuple[Term, ...] = ()
    lead: int = 1
    bad: str = ""  # the function that no path can hold
    added: bool = False  # summed over time
    parts: tuple = field(default=())

    @classmethod
    def leaf(cls, leaf: Leaf, lead: int) -> "Value":
        return cls((Term(leaf),), lead)

    @property
    def whole(self) -> bool:
        """Whether it holds all steps."""
        return any(t.leaf is not None and t.leaf.step is None for t in self.terms)

    def only(self) -> Leaf | None:
        """The leaf that it is, untouched; None for anything else."""
        if self.bad or len(self.terms) != 1 or self.terms[0].ops:
            return None
        return self.terms[0].leaf

    def then(self, *ops: Op, lead: int | None = None) -> "Value":
        """Every term behind further operations."""
        terms = tuple(replace(t, ops=(*t.ops, *ops)) for t in self.terms)
        return replace(self, terms=terms, lead=self.lead if lead is None else lead)

    def plus(self, *terms: Term) -> "Value":
        return replace(self, terms=(*self.terms, *terms))

    def at(self, step: int) -> "Value":
        """One step of all."""

        def one(t: Term) -> Term:
            return t if t.leaf is None else replace(t, leaf=replace(t.leaf, step=step))

        return replace(self, terms=tuple(map(one, self.terms)), lead=1)
