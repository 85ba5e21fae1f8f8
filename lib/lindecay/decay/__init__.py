"""Decay laws of a membrane, which λ matches which β, and closed forms.

linear:       V' = sign(V)·max(|V| − λ, 0)      (soft threshold, "shrink")
exponential:  V' = β·V
"""

from lindecay.decay.forms import (
    compose,
    horizon_exponential,
    horizon_linear,
    lazy,
    path_error,
    rate_exponential,
    rate_linear,
    scan,
    stalls,
    step_error,
)
from lindecay.decay.laws import (
    LAWS,
    Law,
    exponential_int,
    law,
    round_half_away,
    rounded,
    shift_exponential,
    shrink,
)
from lindecay.decay.learned import held
from lindecay.decay.matching import (
    MATCHES,
    beta_least_squares,
    lam_equal_area,
    lam_half_life,
    lam_least_squares,
    lam_rheobase,
)

__all__ = [
    "LAWS",
    "MATCHES",
    "Law",
    "beta_least_squares",
    "compose",
    "exponential_int",
    "held",
    "horizon_exponential",
    "horizon_linear",
    "lam_equal_area",
    "lam_half_life",
    "lam_least_squares",
    "lam_rheobase",
    "law",
    "lazy",
    "path_error",
    "rate_exponential",
    "rate_linear",
    "round_half_away",
    "rounded",
    "scan",
    "shift_exponential",
    "shrink",
    "stalls",
    "step_error",
]
