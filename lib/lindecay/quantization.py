"""One integer grid for training, integer network, array and gates.

    w_int = clamp(round(W / s), -2^(b-1), 2^(b-1) - 1)      weights, b bits
    I     = sum_j w_int[j] x[j] * 2^f                       membrane LSB
    L     = 2^f / s                                         LSB per unit of threshold
    theta_int = round(L),  lam_int = round(lam * L)

Gradients pass straight through the rounding (Bengio et al. 2013) and stop at the
clamp. All integers stay below 2^24, so float32 holds them exactly and the training
forward equals the integer network bit for bit.
"""

from dataclasses import dataclass

import torch

from lindecay.checkpoints import (
    EXACT,
    FORMATS,
    LAWS,
    READOUTS,
    RESETS,
    ROUNDINGS,
    Checkpoint,
    Layer,
    Synapse,
    check,
    check_bits,
)

__all__ = [
    "EXACT",
    "FORMATS",
    "LAWS",
    "READOUTS",
    "RESETS",
    "ROUNDINGS",
    "Checkpoint",
    "Grid",
    "Layer",
    "Synapse",
    "check",
    "check_bits",
    "quantize_weights",
    "ste_round",
]


def ste_round(x: torch.Tensor) -> torch.Tensor:
    """Round to nearest (ties to even) with the gradient of the identity."""
    return x + (x.round() - x).detach()


def quantize_weights(w: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    """Integer-valued weights; gradient 1/scale inside the range, 0 outside.

    Args:
        w: real weights, any shape.
        scale: real value of one LSB, scalar or broadcastable.
        bits: width in two's complement, 1 to 8 (1 means -1 and 0).

    >>> quantize_weights(torch.tensor([-9.0, -0.4, 0.6, 9.0]), torch.tensor(1.0), 3)
    tensor([-4.,  0.,  1.,  3.])
    """
    check_bits("weight bits", bits, 1, 8)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return ste_round((w / scale).clamp(low, high))


@dataclass(frozen=True)
class Grid:
    """The fixed-point grid of one network."""

    weight_bits: int
    membrane_bits: int  # B, two's complement
    fraction_bits: int  # f, membrane bits below the weight's LSB

    def __post_init__(self):
        check_bits("weight bits", self.weight_bits, 1, 8)
        check_bits("membrane bits", self.membrane_bits, 4, 24)
        check_bits("fraction bits", self.fraction_bits, 0, self.membrane_bits - 2)

    @property
    def v_min(self) -> int:
        return -(2 ** (self.membrane_bits - 1))

    @property
    def v_max(self) -> int:
        return 2 ** (self.membrane_bits - 1) - 1

    def lsb_per_unit(self, scale: float) -> float:
        """Membrane LSB per unit of threshold for weights of LSB `scale`."""
        return 2.0**self.fraction_bits / scale

    def scale_for(self, w: torch.Tensor) -> float:
        """The weight LSB that spans the largest weight, and holds the threshold.

        The threshold takes 2^f/s LSB; the membrane must reach past it, so the LSB
        is never so fine that theta exceeds half of V_max.
        """
        reach = float(w.detach().abs().max()) / (2 ** (self.weight_bits - 1) - 0.5)
        finest = 2.0**self.fraction_bits / (self.v_max / 2)
        return max(reach, finest)
