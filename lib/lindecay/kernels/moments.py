"""Mean and variance over rows, and their gradient, each in one pass over memory.

    mean = Σ x/n,  var = Σ x²/n − mean²
    g_x  = g_mean/n + 2 g_var (x − mean)/n  (+ g_y, where x also goes on as y)

Rounded as torch rounds linalg.vector_norm and addcmul, whose numbers these are.
"""

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from lindecay.kernels import pool
from lindecay.kernels.vector import product_sum


class Moments(torch.autograd.Function):
    """x [rows, columns] -> x itself, mean and variance [columns].

    Who reads x on through the first output gets one gradient instead of a sum of two.
    """

    @staticmethod
    def forward(ctx, x):
        mean = x.mean(0)
        ctx.save_for_backward(x, mean)
        return x, mean, squares(x) / len(x) - mean**2

    @staticmethod
    @once_differentiable
    def backward(ctx, g, g_mean, g_var):
        x, mean = ctx.saved_tensors
        slope = 2 / len(x) * g_var
        return added(g, x, slope, g_mean / len(x) - mean * slope)


def fits(x: Tensor) -> bool:
    """Whether the compiled loops can run this."""
    return x.device.type == "cpu" and x.dtype in pool.NUMPY


def squares(x: Tensor) -> Tensor:
    """Σ x² over rows, [columns].

    >>> squares(torch.tensor([[3.0, 2.0], [4.0, 0.0]])).tolist()
    [25.0, 4.0]
    """
    if not fits(x):
        return torch.linalg.vector_norm(x, dim=0) ** 2
    out = torch.zeros(x.shape[1], dtype=x.dtype)
    _norms(x.detach().contiguous().numpy(), out.numpy())
    return out**2


def added(g: Tensor, x: Tensor, slope: Tensor, rest: Tensor) -> Tensor:
    """g + (rest + x · slope); g, x: [rows, columns]."""
    if not fits(x):
        return g + torch.addcmul(rest, x, slope)
    out = pool.empty(x.shape, x.dtype)
    parts = [part.contiguous().numpy() for part in (g, x, slope, rest)]
    _added(*parts, out.numpy())
    return out


@njit(cache=True, error_model="numpy")
def _norms(x, out):
    """The norms of columns; torch's sqrt is not always the nearest number."""
    for r in range(x.shape[0]):
        row = x[r]
        for j in range(row.size):
            out[j] += row[j] * row[j]
    for j in range(out.size):
        out[j] = np.sqrt(out[j])


@njit(cache=True, error_model="numpy")
def _added(g, x, slope, rest, out):
    for r in range(x.shape[0]):
        g_, x_, out_ = g[r], x[r], out[r]
        for j in range(x_.size):
            out_[j] = g_[j] + product_sum(x_[j], slope[j], rest[j])
