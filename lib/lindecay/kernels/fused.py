"""The time loop as one pass over memory: forward and adjoint, compiled by numba.

    forward    U[t] = clamp(d(V[t−1]) + I[t]),  S = [U > θ],  V = reset(U, S)
    backward   g = δ[t+1]·d'(V[t]);  δ[t] = (reset'(g) + g_S·σ'(U[t] − θ))·[inside]

Blocks of neurons run through all time steps while their state stays in the cache;
of the forward pass only U is stored. Source of the adjoint: book/02_neuron.md.

Threads take neurons [lo, hi) of a row each. Where parameters learn these are whole
blocks, and `collected` adds up their sums in one order: the same for any number.
"""

from functools import cache, lru_cache

import numpy as np
from numba import njit

from lindecay.kernels.rule import LAWS, RESETS, ROUNDINGS, SURROGATES, Rule
from lindecay.kernels.scalars import AFTER, bump, decay, slope, tilt

SUBTRACT, ZERO = 0, 1  # as in rule.RESETS
# Neurons whose state stays in the cache (256 kB of float32). Long rows stream: with
# 2,048 neurons a block the same loop took 1.6 times as long.
BLOCK = 65536
SUM = 128  # terms of a parameter's gradient that are added up in the loop's dtype


@lru_cache(256)
def constants(rule: Rule, dtype) -> np.ndarray:
    """The rule's numbers in the dtype of the loop (a Python float would widen it)."""
    low, high = rule.clamp or (0.0, 0.0)
    power, k = 2.0 ** -(rule.shift or 0), rule.slope
    atan = np.pi / 2 * k
    half_k = k / 2
    huge = np.finfo(dtype).max
    return np.array(
        [0, 0.5, 1, power, low, high, huge, 1 / rule.scale, k, atan, half_k], dtype
    )


@lru_cache(256)
def kind(rule: Rule) -> Rule:
    """The rule without its numbers: what the compiler needs to know."""
    clamp = None if rule.clamp is None else (0.0, 1.0)
    shift = None if rule.shift is None else 1
    return rule.but(clamp=clamp, shift=shift, scale=1.0, slope=1.0)


@njit(cache=True)
def collected(out, sums):
    """out[j % len(out)] += sums[row, j], in float64, row by row."""
    for row in range(sums.shape[0]):
        a = 0
        for j in range(sums.shape[1]):
            out[a] += sums[row, j]
            a = a + 1 if a + 1 < out.size else 0


@njit
def every(period, many):
    """Steps after which sums over a block of `many` neurons are put aside."""
    return max(1, SUM * period // many)


def rows_of(steps: int, many: int, period: int) -> int:
    """How often the adjoint puts its sums aside."""
    blocks = [min(BLOCK, many - c) for c in range(0, many, BLOCK)]
    return sum(-(-steps // every.py_func(period, block)) for block in blocks)


def step_of(learn: bool) -> int:
    """Neurons between borders of threads: cache lines, or whole blocks."""
    return BLOCK if learn else 64


@cache
def forward(rule: Rule, vector, fires, stores, inplace, biased=False):
    """Compiled forward pass; `vector`: parameters differ between neurons, and repeat
    after `period` of them; `fires`, `stores`: whether spikes and U are written;
    `inplace`: U over the current; `biased`: each neuron has a current of its own."""
    LAW, RESET = LAWS.index(rule.law), RESETS.index(rule.reset)
    DELAYED, CLAMP = rule.delayed, rule.clamp is not None
    WHOLE, ROUND = rule.shift is not None, ROUNDINGS.index(rule.rounding)

    @njit(cache=True, error_model="numpy", nogil=True)
    def run(current, state, spikes, membrane, leak, theta, bias, const, period, lo, hi):
        zero, half, one, power, low, high, huge = const[:7]
        steps = current.shape[0]
        block = np.empty(BLOCK, current.dtype)
        p0, th0 = leak[0], theta[0]
        finite = True
        for row in range(-(-(hi - lo) // BLOCK) * steps):
            c, t = lo + row // steps * BLOCK, row % steps
            first, end = c, min(c + BLOCK, hi)
            while first < end:  # one stretch of parameters after the other
                a = first % period
                last = min(first + period - a, end)
                p, th, v = leak[a:], theta[a:], block[first - c : last - c]
                b = bias[a:]
                i_, s_ = current[t, first:last], spikes[t, first:last]
                u_ = i_ if inplace else membrane[t, first:last]
                if t == 0:
                    v[:] = state[first:last]
                for j in range(last - first):
                    if vector:
                        p0, th0 = p[j], th[j]
                    old, i = v[j], i_[j]
                    if biased:
                        i = i + b[j]
                    finite &= abs(i) <= huge
                    late = old > th0 if DELAYED else False
                    if RESET == ZERO and late:
                        old = zero
                    if LAW == AFTER:
                        u = old + i - p0
                        u = zero if u < zero else u
                    else:
                        u = decay(LAW, old, p0, power, WHOLE, ROUND, zero, half) + i
                    if RESET == SUBTRACT and DELAYED:
                        u -= th0 if late else zero
                    if CLAMP:
                        u = low if u < low else u
                        u = high if u > high else u
                    s = one if u > th0 else zero
                    if stores:
                        u_[j] = u
                    if fires:
                        s_[j] = s
                    if RESET == SUBTRACT and not DELAYED:
                        u -= s * th0
                    if RESET == ZERO and not DELAYED:
                        u = u * (one - s)
                    v[j] = u
                if t == steps - 1:
                    state[first:last] = v
                first = last
        return finite

    return run


@cache
def backward(rule: Rule, vector: bool, outer: bool, learn: bool, inplace: bool):
    """Compiled adjoint; `outer`: U has a gradient of its own; `learn`: so have
    the parameters, in rows of `sums`; `inplace`: g_I over U. On return `carry` holds
    δ[0]."""
    LAW, RESET = LAWS.index(rule.law), RESETS.index(rule.reset)
    DELAYED, DETACH, CLAMP = rule.delayed, rule.detach_reset, rule.clamp is not None
    WHOLE, BUMP = rule.shift is not None, SURROGATES.index(rule.surrogate)

    @njit(cache=True, error_model="numpy", nogil=True)
    def run(gs, gu, membrane, carry, grad, leak, theta, sums, const, period, lo, hi):
        zero, one, power, low, high = const[0], const[2], const[3], const[4], const[5]
        inverse, k, atan, half_k = const[7], const[8], const[9], const[10]
        steps = membrane.shape[0]
        block = np.empty(BLOCK, membrane.dtype)
        p0, th0 = leak[0], theta[0]
        put = lo // BLOCK * -(-steps // every(period, BLOCK))
        for row in range(-(-(hi - lo) // BLOCK) * steps):
            c, t = lo + row // steps * BLOCK, steps - 1 - row % steps
            first, end = c, min(c + BLOCK, hi)
            ts = t if gs.shape[0] > 1 else 0
            while first < end:  # one stretch of parameters after the other
                a = first % period
                last = min(first + period - a, end)
                p, th, d_ = leak[a:], theta[a:], block[first - c : last - c]
                s_, u_ = gs[ts, first:last], membrane[t, first:last]
                g_ = u_ if inplace else grad[t, first:last]
                o_ = gu[t, first:last] if outer else u_
                gp, gth = sums[0, put, a:], sums[1, put, a:]
                if t == steps - 1:
                    d_[:] = carry[first:last]
                for j in range(last - first):
                    if vector:
                        p0, th0 = p[j], th[j]
                    u, ahead = u_[j], d_[j]  # U[t], δ[t+1]
                    s = one if u > th0 else zero
                    v = u
                    if RESET == SUBTRACT and not DELAYED:
                        v = u - s * th0
                    if RESET == ZERO:
                        v = u * (one - s)
                    g = ahead * slope(LAW, v, p0, power, WHOLE, zero, one)
                    if learn and LAW != AFTER:
                        gp[j] += ahead * tilt(LAW, v, p0, power, WHOLE, zero, one)
                    x = (u - th0) * inverse
                    sigma = bump(BUMP, x, k, atan, half_k, one) * inverse
                    gspike = s_[j]
                    if RESET == SUBTRACT:
                        late = ahead if DELAYED else g
                        if not DETACH:
                            gspike -= th0 * late
                        if learn:
                            gth[j] -= s * late
                    if RESET == ZERO:
                        if not DETACH:
                            gspike -= u * g
                        g = g * (one - s)
                    if outer:
                        g += o_[j]
                    fire = gspike * sigma
                    if learn:
                        gth[j] -= fire
                    g += fire
                    if CLAMP:
                        g = g if u > low and u < high else zero
                    if LAW == AFTER:
                        g = g if u > zero else zero
                        if learn:
                            gp[j] -= g
                    g_[j] = g
                    d_[j] = g
                if t == 0:
                    carry[first:last] = d_
                first = last
            if learn and t % every(period, end - c) == 0:
                put += 1

    return run
