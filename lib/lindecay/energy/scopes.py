"""Every energy claim in every scope that the frozen design lists, second edition.

A scope says what is inside: layout, layers, leakage, the rival's access. Each is a
function of the constants' values, so that one call gives a value and an interval.
"""

from collections.abc import Callable

from lindecay.arms import LINEAR, PRODUCT
from lindecay.energy import baselines, compare
from lindecay.energy import constants as table
from lindecay.energy.choices import Case
from lindecay.energy.compare import Design

BY_WORD, BY_ROW = baselines.ACCESSES
Quantity = Callable[[dict], object]
LP = table.flavoured(table.load(), "LP")["leakage_macro"].headline()[0]


def low_leak(v: dict) -> dict:
    """The same constants with devices of low standby power."""
    gp = table.load()["leakage_macro"].headline()[0]
    return v | {"leakage_macro": v["leakage_macro"] * LP / gp}


INSIDE = {  # design: (ledger of the case, law of that ledger)
    "A": ("ours", "shrink"),
    "A product": ("product", "exponential"),
    "C": ("tree", "shrink"),
}
OUTSIDE = {  # design: (ledger of the case, law, access)
    "A word": ("ours", PRODUCT, BY_WORD),
    "A word LD": ("ours", LINEAR, BY_WORD),
    "A row": ("ours", PRODUCT, BY_ROW),
    "A row LD": ("ours", LINEAR, BY_ROW),
    "C word": ("sums", PRODUCT, BY_WORD),
    "C row": ("sums", LINEAR, BY_ROW),
}


def design(case: Case, v: dict, name: str) -> Design:
    """One of the designs that the scopes are made of, as the choices price it."""
    make = compare.in_array if name in INSIDE else compare.rival
    ledger, *more = (INSIDE | OUTSIDE)[name]
    return case.choices.priced(make(getattr(case, ledger), v, *more))


def sop(case: Case) -> dict[str, Quantity]:
    """pJ a synaptic operation, everything included."""

    def of(name: str, *layer: str) -> Quantity:
        def pj(v: dict):
            one = design(case, v, name)
            return (one.only(*layer) if layer else one).sop

        return pj

    place = of("C")
    return {
        "A in place": of("A"),
        "C in place": place,
        "C in place LP": lambda v: place(low_leak(v)),
        "C row-wide": of("C row"),
        "hidden layer of C": of("C", case.hidden),
    }


def module(case: Case) -> dict[str, Quantity]:
    """v-LIF over LD-LIF: energy of one neuron's update."""
    bits, top = case.ours.shape.bits, case.hidden

    def ratio(a: str, b: str, change=lambda d: d, prices=lambda v: v) -> Quantity:
        def of(v: dict):
            v = prices(v)
            one, other = (change(design(case, v, name)).update for name in (a, b))
            return one / other

        return of

    def logic(v: dict):
        both = (sum(baselines.logic(v, k, bits).values()) for k in (PRODUCT, LINEAR))
        one, other = both
        return one / other

    def decay(v: dict):
        one, other = (baselines.decay_pj(v, k, bits) for k in (PRODUCT, LINEAR))
        return one / other

    def hidden(d: Design) -> Design:
        return d.only(top)

    pair = ("A word", "A")
    return {
        "decay alone": decay,
        "neuron without memory": logic,
        "both word by word": ratio("A word", "A word LD"),
        "both row-wide": ratio("A row", "A row LD"),
        "A, both layers one after the other": ratio(*pair),
        "A, both layers overlapped": ratio(*pair, Design.overlapped),
        "A, hidden layer alone": ratio(*pair, hidden),
        "A, hidden layer alone, no leakage": ratio(
            *pair, lambda d: d.only(top).leaking("none")
        ),
        "A, hidden layer alone, LP": ratio(*pair, hidden, low_leak),
        "C, hidden layer alone": ratio("C word", "C", hidden),
        "both in the array": ratio("A product", "A"),
    }


def bottleneck(case: Case) -> dict[str, tuple[Quantity, Quantity]]:
    """Share of the update in time and in energy, in per cent."""

    def share(name: str, which: int, how: str = "", prices=lambda v: v) -> Quantity:
        def of(v: dict):
            one = design(case, prices(v), name)
            return 100 * (one.leaking(how) if how else one).update_share[which]

        return of

    def both(name: str, *more) -> tuple[Quantity, Quantity]:
        return share(name, 1, *more), share(name, 0, *more)

    return {
        "A": both("A word"),
        "C": both("C word"),
        "C, no leakage": both("C word", "none"),
        "C, LP": both("C word", "", low_leak),
        "C, row-wide": both("C row"),
        "C, in place": both("C"),
    }


def slug(scope: str) -> str:
    """A scope as the end of a result id.

    >>> slug("A, hidden layer alone, LP")
    'a_hidden_layer_alone_lp'
    """
    return "_".join(scope.replace(",", "").lower().replace("-", " ").split())


def inside(scope: str, layout: str | None, update: str | None) -> bool:
    """Whether a scope is one of that layout and update; any, where none is chosen.

    >>> inside("C in place LP", "C", "in-place"), inside("A", "C", None)
    (True, False)
    >>> inside("decay alone", "B", None)
    True
    """
    first = scope.replace(",", " ").split()[0]
    told = next((k for k in "ABC" if k == first or scope.endswith(f"of {k}")), None)
    if layout and told and told != layout:
        return False
    words = {"row": ("row-wide",), "in-place": ("in place", "of C")}.get(update, ())
    return not (told and words) or any(word in scope for word in words)
