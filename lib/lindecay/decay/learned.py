"""Decays that learn: one number behind every law, and no place where it is stuck.

    s = sigmoid(r):   beta = s,   k = -log2(1 - s),   lambda = s · theta

r is what the optimiser moves; the horizon is 1 + e^r steps. A clamp of beta to [0, 1]
or of lambda to >= 0 has the gradient 0 outside: who left once never returns. `held`
cuts off only the gradients that lead further out, and sigmoid's own slope is 0 nowhere
within ±REACH.
"""

import math

import torch
from torch import Tensor

REACH = 8.0  # of r: horizons up to e^8 steps, lambda from theta/3000
SHIFTS = (1.0, 7.0)  # k that a shifter of the array offers
SHIFT_BITS = 7  # V - V/2^k = (2^7 - 2^(7-k)) V / 2^7 for whole k up to 7


class Held(torch.autograd.Function):
    """Clamp to [low, high]; outside, only gradients that lead back in pass."""

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x, low, high)
        return torch.minimum(torch.maximum(x, low), high)

    @staticmethod
    def backward(ctx, g):
        x, low, high = ctx.saved_tensors
        out = ((x <= low) & (g > 0)) | ((x >= high) & (g < 0))
        return torch.where(out, 0.0, g), None, None


def held(x: Tensor, low, high) -> Tensor:
    """`x` within [low, high], with a way back in for whoever is outside.

    Args:
        x: any shape.
        low, high: numbers or tensors that broadcast to `x`; no gradient goes to them.

    >>> x = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    >>> held(x, 0, 1).sum().neg().backward(); x.grad.tolist()
    [-1.0, -1.0, 0.0]
    """
    low, high = (torch.as_tensor(a, dtype=x.dtype).detach() for a in (low, high))
    return Held.apply(x, low, high)


def whole(x: Tensor) -> Tensor:
    """Nearest whole number (ties to even); the gradient of the identity."""
    return x + (x.round() - x).detach()


def raw(share: Tensor) -> Tensor:
    """The number r whose sigmoid is `share`, within ±REACH; shares beyond 0 and 1 too.

    >>> raw(torch.tensor([0.0, 0.5, 1.0])).tolist()
    [-8.0, 0.0, 8.0]
    """
    share = torch.as_tensor(share).double().clamp(0, 1)
    return (share.log() - torch.log1p(-share)).clamp(-REACH, REACH).float()


def share(r: Tensor) -> Tensor:
    """sigmoid(r), r held within ±REACH: beta, or lambda as a part of theta."""
    return torch.sigmoid(held(r, -REACH, REACH))


def beta_int(r: Tensor, bits: int) -> Tensor:
    """beta · 2^bits as whole numbers 0 ... 2^bits - 1: what fits the multiplier.

    >>> beta_int(torch.tensor([-8.0, 0.0, 8.0]), 8).tolist()
    [0.0, 128.0, 255.0]
    """
    top = 2.0**bits
    return held(whole(share(r) * top), 0, top - 1)


def shift_int(r: Tensor) -> Tensor:
    """k of V - V/2^k as whole numbers 1 ... 7: -log2(1 - beta), rounded.

    >>> shift_int(torch.tensor([-8.0, 1.0, 2.0, 8.0])).tolist()
    [1.0, 2.0, 3.0, 7.0]
    """
    r = held(r, -REACH, REACH)
    k = torch.nn.functional.softplus(r) / math.log(2)
    return held(whole(k), *SHIFTS)


def lam_int(r: Tensor, unit: Tensor, theta: Tensor) -> Tensor:
    """lambda as whole numbers 0 ... theta - 1.

    Args:
        r: [] or [neurons].
        unit: real threshold in LSB, with gradient.
        theta: whole threshold in LSB.
    """
    return held(whole(share(r) * unit), 0, (theta - 1).clamp(min=0))


def shift_as_beta(k: Tensor) -> Tensor:
    """The whole beta of 7 bits that a shift by `k` multiplies with; gradient to k.

    >>> shift_as_beta(torch.tensor([1.0, 4.0, 7.0])).tolist()
    [64.0, 120.0, 127.0]
    """
    return 2.0**SHIFT_BITS - 2.0 ** (SHIFT_BITS - k)
