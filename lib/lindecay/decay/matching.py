"""Which linear decay λ matches which exponential decay β.

    λ* = θ(1 − β)/(1 + β) = θ·tanh(−½ ln β)

λ* is the answer to three questions at once (least squares, smallest worst error of
one step, equal area under the decay from θ); half-life and rheobase give others.
"""

from math import atanh, exp, floor, log

import numpy as np


def lam_least_squares(beta, theta=1.0):
    """λ* = θ(1 − β)/(1 + β) = θ·tanh(−½ ln β).

    Least squares of max(V − λ, 0) against βV for V uniform on [0, θ]. It is also
    the λ of the smallest worst error: βλ (at V = λ) and θ(1 − β) − λ (at V = θ)
    are equal there.

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


def lam_equal_area(beta, theta=1.0):
    """The λ whose decay from θ encloses the exponential's area θ/(1 − β).

    Σ max(θ − tλ, 0) over t ≥ 0; equals `lam_least_squares` when (1 + β)/(1 − β) is
    whole, and lies within 1 % of it for β ≥ 0.8 otherwise.

    >>> abs(lam_equal_area(0.9) - lam_least_squares(0.9)) < 1e-12
    True
    """
    n = floor((1 + beta) / (1 - beta) + 1e-9)  # whole steps before rest
    # (n + 1)θ − λ·n(n + 1)/2 = θ/(1 − β), with λ such that rest comes in step n + 1
    return 2 * theta * (n + 1 - 1 / (1 - beta)) / (n * (n + 1))
