"""Decay laws of a membrane, as pure functions with their slopes.

    linear:       V' = sign(V)·max(|V| − λ, 0)      (soft threshold, "shrink")
    exponential:  V' = β·V

Source: the linear, sign-aware leak is TrueNorth's (Cassidy et al., IJCNN 2013).
V membrane, λ decay per step, β factor per step: one unit for V and λ.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lindecay.settings import Fault


def round_half_away(x: Tensor) -> Tensor:
    """Nearest whole number, ties away from zero.

    >>> round_half_away(torch.tensor([-1.5, -0.4, 0.5, 2.5])).tolist()
    [-2.0, -0.0, 1.0, 3.0]
    """
    return torch.copysign(torch.floor(x.abs() + 0.5), x)


def rounded(x: Tensor, rounding: str) -> Tensor:
    """`x` on whole numbers.

    "nearest" (ties away from zero), "floor" (two's complement), "trunc" (towards zero),
    "ceil", or "half_in" (nearest, ties towards zero).

    >>> x = torch.tensor([-1.5, -0.6, 0.5, 1.5])
    >>> rounded(x, "trunc").tolist(), rounded(x, "half_in").tolist()
    ([-1.0, -0.0, 0.0, 1.0], [-1.0, -1.0, 0.0, 1.0])
    """
    return ROUNDINGS[rounding](x)


ROUNDINGS = {  # their order is known to the kernels
    "nearest": round_half_away,
    "floor": torch.floor,
    "trunc": torch.trunc,
    "ceil": torch.ceil,
    "half_in": lambda x: torch.copysign(torch.ceil(x.abs() - 0.5), x),
}


# ---- the laws: V before the step and its parameter -> V after the decay


def none(v, p):
    """No leak (IF): V."""
    return v


def drift(v, lam):
    """V − λ, unbounded: λ is exactly a negative bias."""
    return v - lam


def floor(v, lam):
    """max(V − λ, 0): erases every negative membrane in one step."""
    return (v - lam).clamp(min=0)


def shrink(v, lam):
    """sign(V)·max(|V| − λ, 0): towards rest from both sides, never across it.

    >>> shrink(torch.tensor([-3.0, -0.5, 0.5, 3.0]), 1.0).tolist()
    [-2.0, -0.0, 0.0, 2.0]
    """
    return torch.copysign((v.abs() - lam).clamp(min=0), v)


def exponential(v, beta):
    """β·V."""
    return beta * v


def exponential_int(v, beta_q, shift, rounding="nearest"):
    """β_q·V / 2^shift on whole numbers.

    >>> exponential_int(torch.tensor([-3.0, 1.0, 3.0, 100.0]), 7, 3).tolist()
    [-3.0, 1.0, 3.0, 88.0]
    """
    return rounded(beta_q * v * 2.0**-shift, rounding)


def shift_exponential(v, shift, rounding="nearest"):
    """V − V/2^k on whole numbers; "floor" is V − (V >> k), "nearest" is fairer.

    >>> shift_exponential(torch.tensor([15.0, 16.0, -1.0]), 4, "floor").tolist()
    [15.0, 15.0, 0.0]
    """
    return v - rounded(v * 2.0**-shift, rounding)


# ---- their slopes: (∂V'/∂V, ∂V'/∂parameter)


def _one(v):
    return torch.ones_like(v)


def _shrink_slopes(v, lam):
    alive = (v.abs() > lam).to(v.dtype)
    return alive, -torch.sign(v) * alive


def _floor_slopes(v, lam):
    alive = (v > lam).to(v.dtype)
    return alive, -alive


@dataclass(frozen=True)
class Law:
    """A decay law: `step(v, p)`, `slopes(v, p)` and the name of its parameter."""

    name: str
    parameter: str | None  # "lam", "beta", "shift" or None
    step: Callable
    slopes: Callable
    after: bool = False  # decays after the input has been added
    linear: bool = False


LAWS = {
    law.name: law
    for law in (
        Law("shrink", "lam", shrink, _shrink_slopes, linear=True),
        Law("floor", "lam", floor, _floor_slopes, linear=True),
        Law("floor_after", "lam", floor, _floor_slopes, after=True, linear=True),
        Law("drift", "lam", drift, lambda v, p: (_one(v), -_one(v)), linear=True),
        Law("exponential", "beta", exponential, lambda v, p: (p * _one(v), v)),
        Law(
            "shift",
            "shift",
            shift_exponential,
            lambda v, p: (_one(v) * (1 - 2.0**-p), 0 * v),
        ),
        Law("none", None, none, lambda v, p: (_one(v), 0 * v)),
    )
}


def law(name: str) -> Law:
    """The law called `name`; Fault when there is none."""
    if name not in LAWS:
        raise Fault("unknown decay law", expected=" | ".join(LAWS), found=repr(name))
    return LAWS[name]
