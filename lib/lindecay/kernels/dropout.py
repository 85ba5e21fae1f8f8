"""Spikes behind dropout (Srivastava et al. 2014), written down only where needed.

    x = S · [byte < keep] · 256/keep

A random byte each, because drawing floats takes 8 times as long. `synapses` lists what
is left in the pass that reads S; only where there is too much of it, x is written.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from lindecay.kernels import pool


@dataclass(frozen=True)
class Dropped:
    """spikes: [time, batch, channels]; draws: uint8, same shape; keep: 1 … 255."""

    spikes: Tensor
    draws: Tensor
    keep: int

    @classmethod
    def of(cls, spikes: Tensor, share: float, generator) -> "Dropped | Tensor":
        """Drop about `share` of the spikes; themselves where that is none.

        >>> x = torch.ones(1, 1, 1000)
        >>> left = Dropped.of(x, 0.5, torch.Generator().manual_seed(1)).dense()
        >>> left.unique().tolist(), bool(abs(left.mean() - 1) < 0.1)
        ([0.0, 2.0], True)
        """
        words = torch.empty(-(-spikes.numel() // 8), dtype=torch.int64)
        words.random_(-(2**63), None, generator=generator)
        draws = words.view(torch.uint8)[: spikes.numel()].view(spikes.shape)
        keep = round(256 * (1 - share))
        return cls(spikes, draws, keep) if keep < 256 else spikes

    @property
    def shape(self) -> torch.Size:
        """Of the spikes."""
        return self.spikes.shape

    @property
    def factor(self) -> float:
        """What a spike that is left counts, in single precision as torch scales."""
        return float(np.float32(256 / self.keep))

    def fits(self, weight: Tensor) -> bool:
        """Whether `synapses` takes it as it is: of the weight's dtype."""
        return self.spikes.dtype == weight.dtype

    def dense(self) -> Tensor:
        """x, with gradients to the spikes."""
        return Thin.apply(self.spikes, self)

    def thin(self, x: Tensor, out: Tensor) -> Tensor:
        """out = x · [byte < keep] · 256/keep, all of one shape; out may be x."""
        parts = (x.contiguous(), self.draws.contiguous(), out)
        flat = [part.detach().view(-1).numpy() for part in parts]
        thinned(*flat, np.uint8(self.keep), flat[0].dtype.type(self.factor))
        return out


class Thin(torch.autograd.Function):
    """spikes -> x; back, the same factors on the gradient."""

    @staticmethod
    def forward(ctx, spikes, dropped):
        ctx.dropped = Dropped(spikes[:0], dropped.draws, dropped.keep)
        return dropped.thin(spikes, pool.empty(spikes.shape, spikes.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return ctx.dropped.thin(g, pool.empty(g.shape, g.dtype)), None


@njit(cache=True, error_model="numpy")
def thinned(x, draws, out, keep, factor):
    """out[i] = x[i] · factor where the byte is below keep, else x[i] · 0."""
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = x[i] * (factor if draws[i] < keep else zero)
