"""Decay laws of a membrane, and which linear decay matches which exponential one.

    linear:       V' = sign(V)·max(|V| − λ, 0)      (soft threshold, "shrink")
    exponential:  V' = β·V

Sources: linear, sign-aware leak: Cassidy et al., IJCNN 2013 (TrueNorth); the floor
after integration is Lindley's recursion (Proc. Camb. Phil. Soc. 48, 1952).
V membrane, λ decay per step, β factor per step, θ threshold: all in one unit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, exp, log

import numpy as np
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
    """`x` on whole numbers: "nearest" (ties away) or "floor" (two's complement)."""
    return round_half_away(x) if rounding == "nearest" else torch.floor(x)


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


# ---- which λ matches which β


def lam_least_squares(beta, theta=1.0):
    """λ* = θ(1 − β)/(1 + β) = θ·tanh(−½ ln β).

    Least squares of max(V − λ, 0) against βV for V uniform on [0, θ]; the same λ
    gives equal area under the decay from θ when (1 + β)/(1 − β) is whole.

    >>> round(lam_least_squares(0.9), 6)
    0.052632
    """
    return theta * (1 - beta) / (1 + beta)


def lam_half_life(beta, theta=1.0):
    """θ(−ln β)/(2 ln 2): both reach θ/2 after the same number of steps."""
    return theta * -np.log(beta) / (2 * log(2))


def lam_rheobase(beta, theta=1.0):
    """θ(1 − β): the smallest constant current that ever fires is the same."""
    return theta * (1 - beta)


MATCHES = {
    "least squares": lam_least_squares,
    "half-life": lam_half_life,
    "rheobase": lam_rheobase,
}


def beta_least_squares(lam, theta=1.0) -> float:
    """The β whose λ* is `lam`: exp(−2·artanh(λ/θ)) = (θ − λ)/(θ + λ)."""
    return exp(-2 * atanh(lam / theta))
