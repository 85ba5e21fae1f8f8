"""Rule: everything about a neuron that is no tensor, checked once."""

from dataclasses import dataclass, replace
from math import isfinite
from numbers import Integral, Real

from lindecay.decay import LAWS as _LAWS
from lindecay.decay.laws import ROUNDINGS as _ROUNDINGS
from lindecay.laws import known
from lindecay.settings import Fault

LAWS = tuple(_LAWS)
RESETS = ("subtract", "zero", "none")
SURROGATES = ("fast_sigmoid", "atan", "sigmoid", "straight")
ROUNDINGS = tuple(_ROUNDINGS)


@dataclass(frozen=True)
class Rule:
    """Decay → integrate → clamp → fire (U > θ) → reset, and how gradients pass.

    law: shrink | floor | floor_after | drift | exponential | shift | none, or one of
        `lindecay.laws`.
    delayed: snnTorch's habit, a spike resets one step later.
    clamp: (lowest, highest) membrane after integration; no gradient on the bounds.
    scale: the membrane's LSB as the surrogate sees it, (U − θ)/scale.
    shift: 2^shift divides β·V (exponential) or V (shift), rounded to whole numbers.
    """

    law: str = "shrink"
    reset: str = "subtract"
    detach_reset: bool = True
    delayed: bool = False
    clamp: tuple[float, float] | None = None
    surrogate: str = "fast_sigmoid"
    slope: float = 25.0
    scale: float = 1.0
    shift: int | None = None
    rounding: str = "nearest"

    def __post_init__(self):
        _among("decay law", self.law, known())
        _among("reset", self.reset, RESETS)
        _among("surrogate", self.surrogate, SURROGATES)
        _among("rounding", self.rounding, ROUNDINGS)
        if not (_real(self.scale) and self.scale > 0):
            raise Fault("scale must be positive", found=self.scale, where="scale=")
        if not (_real(self.slope) and self.slope >= 0):
            raise Fault("slope must not be negative", found=self.slope, where="slope=")
        if self.clamp is not None:
            _check_clamp(self.clamp)
        if self.law == "shift" and self.shift is None:
            raise Fault("law 'shift' needs shift=k", expected="0 … 30", found="None")
        if self.shift is not None and not (
            _whole(self.shift) and 0 <= self.shift <= 30
        ):
            raise Fault(
                "shift out of range",
                expected="a whole number, 0 … 30",
                found=self.shift,
            )

    def but(self, **changes) -> "Rule":
        """A copy with some fields changed."""
        return replace(self, **changes)


def _among(what, found, allowed):
    if found not in allowed:
        raise Fault(f"unknown {what}", expected=" | ".join(allowed), found=repr(found))


def _real(x) -> bool:
    return isinstance(x, Real) and not isinstance(x, bool) and isfinite(x)


def _whole(x) -> bool:
    return isinstance(x, Integral) and not isinstance(x, bool)


def _check_clamp(clamp):
    ok = isinstance(clamp, tuple) and len(clamp) == 2
    ok = ok and all(isinstance(x, Real) for x in clamp) and clamp[0] < clamp[1]
    if not ok:
        raise Fault("bad clamp", expected="(lowest, highest) or None", found=clamp)
