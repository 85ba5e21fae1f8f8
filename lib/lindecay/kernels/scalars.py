"""One neuron, one step, in numba: the arithmetic that the fused loops inline.

d(V), ∂d/∂V, ∂d/∂parameter and σ'(x), chosen by whole numbers known to the compiler.
"""

import numpy as np
from numba import njit

SHRINK, FLOOR, AFTER, DRIFT, EXPONENTIAL, SHIFT, NONE = range(7)  # as in rule.LAWS


@njit(forceinline=True)
def whole_number(x, rounding, half):
    """A whole number near x; rounding as in rule.ROUNDINGS, half = 0.5."""
    if rounding == 0:  # nearest, ties away from zero
        near = np.floor(abs(x) + half)
        return near if x > 0 else -near
    if rounding == 1:
        return np.floor(x)
    if rounding == 2:  # towards zero
        return np.trunc(x)
    if rounding == 3:
        return np.ceil(x)
    near = np.ceil(abs(x) - half)  # nearest, ties towards zero
    return near if x > 0 else -near


@njit(forceinline=True)
def decay(law, v, p, power, whole, rounding, zero, half):
    """d(V); `power` = 2^−shift."""
    if law == SHRINK:
        left = abs(v) - p
        left = zero if left < zero else left
        return -left if v < zero else left
    if law == FLOOR:
        left = v - p
        return zero if left < zero else left
    if law == DRIFT:
        return v - p
    if law == EXPONENTIAL:
        return whole_number(p * v * power, rounding, half) if whole else p * v
    if law == SHIFT:
        return v - whole_number(v * power, rounding, half)
    return v


@njit(forceinline=True)
def slope(law, v, p, power, whole, zero, one):
    """∂d/∂V."""
    if law == SHRINK:
        return one if abs(v) > p else zero
    if law == FLOOR:
        return one if v > p else zero
    if law == EXPONENTIAL:
        return p * power if whole else p
    return one - power if law == SHIFT else one


@njit(forceinline=True)
def tilt(law, v, p, power, whole, zero, one):
    """∂d/∂parameter."""
    if law == SHRINK:
        sign = -one if v > zero else one
        return sign if abs(v) > p else zero
    if law == FLOOR:
        return -one if v > p else zero
    if law == EXPONENTIAL:
        return v * power if whole else v
    return -one if law == DRIFT or law == AFTER else zero


@njit(forceinline=True)
def bump(surrogate, x, k, atan, half_k, one):
    """σ'(x), as in snntorch.surrogate; atan = k·π/2, half_k = k/2."""
    if surrogate == 0:
        y = one / (one + k * abs(x))
        return y * y
    if surrogate == 1:
        y = atan * x
        return half_k / (one + y * y)
    if surrogate == 2:
        y = np.exp(-k * abs(x))
        return k * y / ((one + y) * (one + y))
    return one
