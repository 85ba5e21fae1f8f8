"""What an optimiser moves, and the rows of the array that come of it.

    held     beta or lambda itself, held in its domain with a way back in     MLP-1, CNN
    clamp    the same cut off hard: no gradient outside, as first published   MLP-2
    open     a number r behind a sigmoid: no dead zone anywhere               MLP-2

A way takes the neurons, the parameter ([] or [neurons]), the threshold in LSB before
rounding and after, and returns the rows: beta_q (whole), beta (float), lam or k.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lindecay.arms import USUAL
from lindecay.decay import learned
from lindecay.quantization import Grid, ste_round

SLOPE = 2.0  # of snnTorch's fast sigmoid


@dataclass(frozen=True)
class Neurons:
    """The neurons of a layer.

    grid: of whole numbers; None is a float network.
    bits: what divides: 2^bits after beta_q, or 2^k of a shift; None where nothing does.
    rounding: of the decay; None is the law's usual one.
    decays: held, clamp or open; learns: whether the optimiser moves them.
    bias: "neuron", or "none": no row of biases and no mean that is subtracted.
    """

    law: str
    grid: Grid | None
    bits: int | None = None
    rounding: str | None = None
    decays: str = "held"
    learns: bool = True
    bias: str = "neuron"
    slope: float = SLOPE

    @property
    def dtype(self) -> torch.dtype:
        """float64 where a product beta_q V leaves the 24 bits of float32."""
        product = self.law == "exponential" and self.bits is not None
        wide = product and self.bits + self.grid.membrane_bits > 24
        return torch.float64 if wide else torch.float32

    @property
    def clamp(self) -> tuple[int, int] | None:
        """What a membrane holds, in LSB."""
        return (self.grid.v_min, self.grid.v_max) if self.grid else None

    def whole(self, x: Tensor) -> Tensor:
        """Whole numbers with the gradient of the identity; without a grid, x itself."""
        return ste_round(x) if self.grid else x

    def rows(self, parameter: Tensor, unit: Tensor, theta: Tensor) -> dict:
        """The row of decays: {beta_q | beta | lam | k: values}, or nothing."""
        return WAYS[self.decays](self, parameter, unit, theta)

    def dividing(self, rows: dict) -> dict:
        """Law, rounding and beta as the time loop takes them; uses up their rows."""
        k, beta_q = rows.pop("k", None), rows.pop("beta_q", None)
        rounding = self.rounding or USUAL.get(self.law)
        near = self.law == "shift" and rounding == "nearest"
        if near and k is None:
            k = torch.tensor(float(self.bits))
        if k is None:
            told = {"law": self.law, "beta_q": beta_q, "shift": self.bits}
            return told | {"rounding": rounding or "nearest"}
        how = {"shift": learned.SHIFT_BITS, "beta_q": learned.shift_as_beta(k)}
        how["rounding"] = "half_in" if near else "ceil"  # of what is left
        return {"law": "exponential"} | how


def held(n: Neurons, decay: Tensor, unit: Tensor, theta: Tensor) -> dict:
    """beta to [0, 1), lambda to [0, theta): a gradient that leads back in passes."""
    if n.law == "exponential":
        top = 2.0**n.bits
        return {"beta_q": ste_round(learned.held(decay * top, 0, top - 1))}
    if n.law == "shift":
        return {}
    return {"lam": ste_round(learned.held(decay * unit, 0, theta - 1))}


def clamp(n: Neurons, decay: Tensor, unit: Tensor, theta: Tensor) -> dict:
    """beta to [0, 1], lambda to [0, 0.99 theta]; who is outside stays there."""
    if n.law == "exponential" and n.grid:
        top = 2.0**n.bits
        return {"beta_q": ste_round((decay * top).clamp(0, top))}
    if n.law == "exponential":
        return {"beta": decay.clamp(0, 1)}
    if n.law in ("none", "shift"):
        return {}
    lam = torch.minimum(n.whole(decay * unit).clamp(min=0), 0.99 * theta)
    return {"lam": n.whole(lam)}


def opened(n: Neurons, r: Tensor, unit: Tensor, theta: Tensor) -> dict:
    """Decays behind a sigmoid (`decay.learned`); of a shift, k for each neuron."""
    if n.law == "none":
        return {}
    if n.law == "shift":
        return {"k": learned.shift_int(r)}
    if n.law == "exponential":
        if n.grid is None:
            return {"beta": learned.share(r)}
        return {"beta_q": learned.beta_int(r, n.bits)}
    if n.grid is None:
        return {"lam": learned.share(r) * unit}
    return {"lam": learned.lam_int(r, unit, theta)}


WAYS = {"held": held, "clamp": clamp, "open": opened}
