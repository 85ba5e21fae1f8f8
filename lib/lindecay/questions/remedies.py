"""Remedies of a linear decay, each a law from training to joules.

    slopes   V ∓ (2^s + 1) λ where |V| >= 2^k, V ∓ λ below      two slopes, one tag
    above    V ∓ λ where |V| >= 2^k, V below                     a floor above rest
    every    V ∓ λ in every n-th step                            a clock
    dither   V ∓ floor((λ + r) / 2^m), r < 2^m from an LFSR      λ below one LSB

|V| >= 2^k means that a bit from k up differs from the sign, so of negative values
-2^k itself is still near. No law crosses rest: λ is held where its step could. The
random bits are shared by all neurons and begin again with each clip, so that training,
integers and array see the same ones. λ for each neuron needs no new law: rows L.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache

import numpy as np
import torch

from lindecay import decay, integer
from lindecay.laws import OwnLaw, registered
from lindecay.sram.isa.language import Cycle, Program
from lindecay.sram.isa.programs import shrink

KNEE, TIMES = 4, 2  # far is |V| >= 2^4 LSB, a third of θ; there (2^2 + 1) λ
PERIOD, FRACTION = 4, 4  # steps; bits of λ below one LSB
TAPS, SEED = (16, 14, 13, 11), 0xACE1  # of a 16-bit LFSR of full length


# ---- what the laws share: which membranes are far, and a masked subtraction


def far(v, knee: int):
    """|V| >= 2^knee as the tag sees it; numpy or torch."""
    return (v >= 2.0**knee) | (v < -(2.0**knee))


def tagged(B: int, knee: int) -> list[Cycle]:
    """T <- sign, G <- some bit from `knee` up differs from it."""
    out = [Cycle(a=(("V", B - 1),), T="X")]
    for k in range(knee, B - 1):
        tag = "sum" if k == knee else "G|sum"
        out.append(Cycle(a=(("V", k),), y="T", carry="0", G=tag))
    return out


def towards(B: int, rows: bool, s: int = 0) -> list[Cycle]:
    """Where G: V ∓ 2^s λ, towards rest; T holds the sign."""
    out = []
    for k in range(s, B):
        line: dict = {"y": "lam", "bit": k - s}
        if rows:
            line = {"y": "B", "b": (("L", k - s),)}
        if k - s >= B - 1:  # λ has B - 1 bits
            line = {"y": "0"}
        carry = "C" if k > s else "~T"
        row = (("V", k),)
        more = {"invert": "^~T", "carry": carry, "masked": True}
        out.append(Cycle(a=row, w=row, **line, **more))
    return out


# ---- two slopes


def slopes(knee: int = KNEE, s: int = TIMES) -> OwnLaw:
    """(2^s + 1) λ where |V| >= 2^knee, λ below: an exponential in two pieces."""
    most = 2 ** (knee - s)

    def steep(v, lam):
        return v - torch.sign(v) * lam * 2**s * far(v, knee)

    def step(v, lam):
        return decay.shrink(steep(v, lam), lam)

    def back(v, lam):
        alive = (steep(v, lam).abs() > lam).to(v.dtype)
        return alive, -torch.sign(v) * alive * (1 + 2**s * far(v, knee))

    def whole(v, lam):
        v = v - np.sign(v) * (lam << s) * far(v, knee)
        return linear_whole(v, lam)

    def program(B, rows):
        first = Program("decay", (*tagged(B, knee), *towards(B, rows, s)))
        return first + shrink(B, rows)

    return OwnLaw("slopes", step, back, whole, program, held_at(most))


def held_at(most: int):
    """λ of a step: at most so much, so that no subtraction crosses rest.

    The gradient passes beyond it, so that a λ which left finds back.
    """

    def timed(lam, step):
        return lam.clip(max=most), 1.0

    return timed


# ---- a floor above rest


def above(knee: int = KNEE) -> OwnLaw:
    """λ where |V| >= 2^knee; what is nearer to rest stays: nothing small is lost."""

    def step(v, lam):
        return v - torch.sign(v) * lam * far(v, knee)

    def back(v, lam):
        return torch.ones_like(v), -torch.sign(v) * far(v, knee)

    def whole(v, lam):
        return v - np.sign(v) * lam * far(v, knee)

    def program(B, rows):
        return Program("decay", (*tagged(B, knee), *towards(B, rows)))

    return OwnLaw("above", step, back, whole, program, held_at(2**knee))


# ---- λ in time: a clock, and random bits


def linear_slopes(v, lam):
    """(∂V'/∂V, ∂V'/∂λ) of sign(V) max(|V| - λ, 0); 1 where nothing is taken off."""
    alive = ((v.abs() > lam) | (lam == 0)).to(v.dtype)
    return alive, -torch.sign(v) * alive


def linear_whole(v, lam):
    """The linear decay in whole numbers."""
    return integer.leak("shrink", v, lam)


def every(n: int = PERIOD) -> OwnLaw:
    """The linear decay in every n-th step, and no cycle of it in the others."""

    def timed(lam, step):
        runs = step % n == n - 1
        return lam * runs, float(runs)

    return OwnLaw("every", decay.shrink, linear_slopes, linear_whole, shrink, timed)


def dither(m: int = FRACTION) -> OwnLaw:
    """λ in units of 2^-m LSB, rounded up or down by m random bits a step.

    The gradient is that of the mean, 2^-m.
    """

    def timed(lam, step):
        return (lam + drawn(m, step)) // 2**m, 2.0**-m

    return OwnLaw("dither", decay.shrink, linear_slopes, linear_whole, shrink, timed)


def drawn(m: int, step: int) -> int:
    """The m bits of the shared LFSR in a step of a clip, 0 ... 2^m - 1.

    >>> [drawn(4, t) for t in range(6)]
    [1, 14, 12, 10, 2, 2]
    """
    return _table(m, 1 << max(10, step.bit_length()))[step]


@lru_cache(maxsize=16)
def _table(m: int, steps: int) -> tuple[int, ...]:
    """Low m bits of the register in every step; it shifts m times a step."""
    state, out = SEED, []
    for _ in range(steps):
        out.append(state & (2**m - 1))
        for _ in range(m):
            bit = sum(state >> (16 - t) for t in TAPS) & 1
            state = state >> 1 | bit << 15
    return tuple(out)


LAWS = {"slopes": slopes, "above": above, "every": every, "dither": dither}
GAIN = {"every": PERIOD, "dither": 2**FRACTION}  # of λ over the linear decay's


@contextmanager
def known() -> Iterator[dict[str, OwnLaw]]:
    """The four laws, registered for a while."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(registered(f())) for name, f in LAWS.items()}
