"""A decay law of one's own: one entry here, from training to joules.

    training    step(V, λ) and slopes(V, λ), in torch
    integers    whole(V, λ), in numpy
    array       program(B, rows), as microcode; cycles, events and joules follow from it
    sequencer   timed(λ, step), for a law whose λ is another one in another step

The laws of the book are compiled (`decay.laws`, `kernels.scalars`, `integer`); these
run in plain torch and numpy, slower, with the same checks. `tests/test_recipes.py` adds
one. `LinearDecayLIF`, and so networks that are read from torch, refuse such a law by
name; layout B and rows of C have no word program for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lindecay.settings import Fault

BUILT = ("shrink", "floor", "floor_after", "drift", "exponential", "shift", "none")


@dataclass(frozen=True)
class OwnLaw:
    """A law with a decay λ, before the input is added.

    step: torch, (V, λ) -> V after the decay.
    slopes: torch, (V, λ) -> (∂V'/∂V, ∂V'/∂λ).
    whole: numpy int64, (V [..., neurons], λ [neurons]) -> V'; must stay within B bits.
    program: (B, rows) -> sram Program; rows: λ of each neuron lies in rows L.
    timed: (λ, step of the clip) -> (λ that this step takes off, its slope), in numpy
        and in torch: a clock, or random bits that all neurons share. The functions
        above then see that λ. Where it is 0 for all, the array leaves the decay out.
    """

    name: str
    step: Callable
    slopes: Callable
    whole: Callable
    program: Callable
    timed: Callable | None = None


OWN: dict[str, OwnLaw] = {}


def known() -> tuple[str, ...]:
    """The names of all laws, the book's first."""
    return (*BUILT, *OWN)


def register(law: OwnLaw) -> OwnLaw:
    """Add a law for the rest of this process.

    Raises:
        Fault: the name is taken, or no word.
    """
    if not law.name.isidentifier() or law.name in known():
        told = "a new word"
        raise Fault("the name of a law", expected=told, found=repr(law.name))
    OWN[law.name] = law
    return law


def at_step(name: str, lam, step: int):
    """The λ that a law takes off in a step; λ itself where no sequencer turns it."""
    law = OWN.get(name)
    return law.timed(lam, step)[0] if law and law.timed else lam


def refuse_timed(name: str, where: str) -> None:
    """Fault where a law's λ changes from step to step and nothing there turns it."""
    law = OWN.get(name)
    if law is not None and law.timed is not None:
        told = {"expected": "layout A", "found": where}
        raise Fault(f"law {name} changes λ from step to step", **told)


@contextmanager
def registered(law: OwnLaw) -> Iterator[OwnLaw]:
    """Add a law for a while."""
    register(law)
    try:
        yield law
    finally:
        OWN.pop(law.name, None)
