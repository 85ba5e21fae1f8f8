"""Closed forms: what a decay law does to memory, firing rate and error.

    horizon      linear ⌈V/λ⌉ steps, exponential for ever
    f–I          linear (I − λ)+/θ, exponential 1/⌈log_β(1 − θ(1 − β)/I)⌉
    scan         V[t] = Y[t] − min(0, min Y[s ≤ t]),  Y = cumsum(I − λ)

Sources: Lindley, Proc. Camb. Phil. Soc. 48 (1952) for the recursion and its solution;
the rest follows from the laws in a line each (book/01_decay.md).
"""

from math import ceil, inf, log

import numpy as np
import torch
from torch import Tensor

from lindecay.decay.laws import LAWS, shift_exponential


def horizon_linear(v, lam) -> int:
    """Steps after which a membrane `v` is exactly at rest: ⌈|V|/λ⌉.

    >>> horizon_linear(1.0, 0.25)
    4
    """
    return ceil(abs(v) / lam - 1e-12) if lam > 0 else inf


def horizon_exponential(v, beta, lsb) -> float:
    """Steps after which βᵗ·V lies below `lsb` (it is never at rest)."""
    return max(0, ceil(log(lsb / abs(v)) / log(beta) - 1e-12)) if beta < 1 else inf


def rate_linear(current, lam, theta=1.0):
    """Spikes per step under constant current, reset by subtraction: (I − λ)+/θ ≤ 1.

    Exact for drift and for the floor after integration. The default order decays
    first, and a residual below λ cannot lose all of λ: the rate lies between this
    and `rate_linear(current, lam, theta - lam)`.
    """
    return np.clip((np.asarray(current) - lam) / theta, 0, 1)


def rate_exponential(current, beta, theta=1.0):
    """Spikes per step under constant current, reset to zero: one in n steps.

    n = the first step in which I(1 − βⁿ)/(1 − β) > θ; 0 below the rheobase θ(1 − β).

    >>> rate_exponential([0.05, 0.5, 2.0], 0.9).tolist()
    [0.0, 0.3333333333333333, 1.0]
    """
    current = np.asarray(current, float)
    ratio = theta * (1 - beta) / np.maximum(current, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.floor(np.log1p(-ratio) / log(beta) + 1e-9) + 1
    return np.where(ratio < 1, 1 / np.where(ratio < 1, n, 1), 0.0)


def step_error(beta, lam, theta=1.0) -> dict:
    """|max(V − λ, 0) − βV| of one step over V in [0, θ]: its maximum and mean.

    The error is a triangle up to βλ (at V = λ), one down to 0 at V = λ/(1 − β), and
    grows again to θ(1 − β) − λ at V = θ.

    >>> step_error(0.9, 1 / 19)["max"] - 0.9 / 19 < 1e-12
    True
    """
    crossing = min(lam / (1 - beta), theta)
    last = abs(theta * (1 - beta) - lam)
    up, down = beta * lam**2 / 2, (beta * lam + _at(crossing, beta, lam)) / 2
    area = up + down * (crossing - lam) + last * (theta - crossing) / 2
    return {"max": max(beta * lam, last), "mean": area / theta}


def _at(v, beta, lam):
    return abs(v - lam - beta * v)


def path_error(beta, lam, theta=1.0) -> dict:
    """Both decays from θ side by side: largest and mean distance, and the areas.

    The mean is over the steps until the linear one is at rest; `area` is
    Σ linear − Σ exponential, in units of θ·steps.
    """
    steps = horizon_linear(theta, lam)
    t = np.arange(steps + 1)
    line, curve = np.maximum(theta - lam * t, 0), theta * beta**t
    distance = np.abs(line - curve)
    return {
        "max": float(distance.max()),
        "mean": float(distance.mean()),
        "area": float(line.sum() - theta / (1 - beta)),
    }


def lazy(v, lam, steps, law: str = "shrink"):
    """`steps` idle steps at once: max(V − kλ, 0), bit-exact in whole numbers.

    Only right while nothing else happens: no input, no bias, no spike left to fire.
    """
    return LAWS[law].step(v, lam * steps)


def scan(current: Tensor, lam, start=0.0, law: str = "floor_after") -> Tensor:
    """A whole sequence [T, …] without reset, by prefix sums: no loop over time.

    Each step is x → max(x + a, b) with a = I − λ, and b = 0 (floor_after) or I
    (floor); such maps compose, (a₂, b₂)∘(a₁, b₁) = (a₁ + a₂, max(b₁ + a₂, b₂)), so
    U = Y + max(start, running max of b − Y) with Y = cumsum(a). Exact in whole
    numbers; in floating point cumsum rounds where the loop would not.

    >>> scan(torch.tensor([3.0, -1.0, -4.0, 2.0]), 1.0).tolist()
    [2.0, 0.0, 0.0, 1.0]
    """
    a = current - lam
    y = a.cumsum(0)
    least = torch.zeros_like(current) if law == "floor_after" else current
    start = torch.as_tensor(start, dtype=current.dtype)
    return y + torch.maximum((least - y).cummax(0).values, start)


def compose(later, earlier):
    """(a, b) of x → max(x + a, b) applied after another: max-plus multiplication."""
    return earlier[0] + later[0], torch.maximum(earlier[1] + later[0], later[1])


def stalls(shift: int, rounding: str, bits: int = 11) -> dict:
    """Whole membranes that V − V/2^k leaves where they are: the stalled range.

    >>> stalls(4, "floor"), stalls(4, "nearest")
    ({'lowest': 0, 'highest': 15}, {'lowest': -7, 'highest': 7})
    """
    v = torch.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)).double()
    still = v[shift_exponential(v, shift, rounding) == v]
    return {"lowest": int(still.min()), "highest": int(still.max())}
