"""Convolution of events, and max-pooling, on planes whose channels lie together.

    O[y, x, :] += W[:, c, dy, dx]   for each event (c, y + dy, x + dx)

A row of the kernel touches one contiguous run of the output (dx · channels floats), so
an event costs `width` short vector additions instead of a sweep over the plane.
"""

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn import functional

from lindecay.kernels import pool
from lindecay.kernels.sparse import Events
from lindecay.settings import Fault

CROSSOVER = 0.3  # density above which dense convolution was faster


def convolve(events: Events, weight: Tensor, plane, crossover=CROSSOVER) -> Tensor:
    """Valid convolution, stride 1: events -> [time · batch, out, height, width].

    events: channels numbered c·H·W + y·W + x; plane: (c, H, W); weight: [out, c, k, k].
    The result has channels_last memory. Dense where events are not sparse.

    >>> x = torch.tensor([[[0.0, 1.0, 0.0, 0.0]]])  # one frame of 1 x 2 x 2
    >>> convolve(Events.of(x), torch.ones(1, 1, 2, 2), (1, 2, 2)).flatten().tolist()
    [1.0]
    """
    if events.channels != np.prod(plane) or weight.shape[1] != plane[0]:
        raise Fault(
            "events do not fit the plane",
            expected=f"{np.prod(plane)} channels, weight [out, {plane[0]}, k, k]",
            found=f"{events.channels} channels, weight {list(weight.shape)}",
        )
    fits = weight.device.type == "cpu" and weight.dtype in pool.NUMPY
    if not fits or events.density > crossover:
        x = events.dense(weight.dtype).to(weight.device).unflatten(2, plane)
        return functional.conv2d(x.flatten(0, 1), weight)
    return Scatter.apply(weight, events, plane)


class Scatter(torch.autograd.Function):
    """weight [out, c, k, k] -> planes [frames, out, height, width]."""

    @staticmethod
    def forward(ctx, weight, events, plane):
        out, _, tall, wide = weight.shape
        _, high, broad = plane
        shape = (events.steps * events.batch, high - tall + 1, broad - wide + 1, out)
        planes = pool.empty(shape, weight.dtype)
        # kernel rows reversed, so that a run of the output meets a run of weights
        turned = weight.detach().flip(3).permute(1, 2, 3, 0).contiguous()
        scatter(*_listed(events), turned.numpy(), planes.numpy(), high, broad)
        ctx.events, ctx.plane, ctx.shape = events, plane, turned.shape
        return planes.permute(0, 3, 1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        g = g.permute(0, 2, 3, 1).contiguous()
        turned = torch.zeros(ctx.shape, dtype=g.dtype)
        _, high, broad = ctx.plane
        collect(*_listed(ctx.events), g.numpy(), turned.numpy(), high, broad)
        return turned.permute(3, 0, 1, 2).flip(3).contiguous(), None, None


def _listed(events: Events):
    return events.indptr, events.channel, events.place


@njit(cache=True, error_model="numpy")
def scatter(indptr, channel, place, turned, planes, high, broad):
    """Add each event's kernel to its frame."""
    _, rows, columns, out = planes.shape
    _, tall, wide, _ = turned.shape
    for r in range(indptr.size - 1):
        frame = planes[place[r]].reshape(rows, columns * out)
        frame[:] = 0
        for e in range(indptr[r], indptr[r + 1]):
            c, left = divmod(channel[e], high * broad)
            y, x = divmod(left, broad)
            first, last = max(0, x - wide + 1), min(columns, x + 1)
            kernel = turned[c].reshape(tall, wide * out)
            skip = (first - (x - wide + 1)) * out
            for dy in range(max(0, y - rows + 1), min(tall, y + 1)):
                run = frame[y - dy, first * out : last * out]
                weights = kernel[dy, skip : skip + run.size]
                for j in range(run.size):
                    run[j] += weights[j]


@njit(cache=True, error_model="numpy")
def collect(indptr, channel, place, g, turned, high, broad):
    """The adjoint: gradients at each event's places add up to its kernel's."""
    _, rows, columns, out = g.shape
    _, tall, wide, _ = turned.shape
    for r in range(indptr.size - 1):
        frame = g[place[r]].reshape(rows, columns * out)
        for e in range(indptr[r], indptr[r + 1]):
            c, left = divmod(channel[e], high * broad)
            y, x = divmod(left, broad)
            first, last = max(0, x - wide + 1), min(columns, x + 1)
            kernel = turned[c].reshape(tall, wide * out)
            skip = (first - (x - wide + 1)) * out
            for dy in range(max(0, y - rows + 1), min(tall, y + 1)):
                run = frame[y - dy, first * out : last * out]
                weights = kernel[dy, skip : skip + run.size]
                for j in range(run.size):
                    weights[j] += run[j]


def max_pool(planes: Tensor) -> Tensor:
    """2 x 2 max-pooling, stride 2, of [frames, channels, height, width].

    As torch's, ties included; one pass instead of three where channels lie together.
    """
    together = planes.permute(0, 2, 3, 1)
    fits = planes.device.type == "cpu" and planes.dtype in pool.NUMPY
    if not fits or not together.is_contiguous():
        return functional.max_pool2d(planes, 2)
    return MaxPool.apply(planes)


class MaxPool(torch.autograd.Function):
    """Remembers which of four won in a byte."""

    @staticmethod
    def forward(ctx, planes):
        together = planes.detach().permute(0, 2, 3, 1)
        frames, high, broad, channels = together.shape
        out = pool.empty((frames, high // 2, broad // 2, channels), planes.dtype)
        ctx.won = np.empty(out.shape, np.uint8)
        ctx.shape = together.shape
        largest(together.numpy(), out.numpy(), ctx.won)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        g = g.permute(0, 2, 3, 1).contiguous()
        back = pool.empty(ctx.shape, g.dtype)
        spread(g.numpy(), ctx.won, back.numpy())
        return back.permute(0, 3, 1, 2)


@njit(cache=True, error_model="numpy")
def largest(x, out, won):
    """The first largest of each 2 x 2 block, and where it was."""
    frames, high, broad, channels = out.shape
    for f in range(frames):
        for i in range(high):
            for k in range(broad):
                a, b = x[f, 2 * i, 2 * k], x[f, 2 * i, 2 * k + 1]
                c, d = x[f, 2 * i + 1, 2 * k], x[f, 2 * i + 1, 2 * k + 1]
                o, w = out[f, i, k], won[f, i, k]
                for j in range(channels):  # two short loops: both run on vectors
                    up = b[j] if b[j] > a[j] else a[j]
                    down = d[j] if d[j] > c[j] else c[j]
                    o[j] = down if down > up else up
                for j in range(channels):
                    later = 2 if c[j] == o[j] else 3
                    later = 1 if b[j] == o[j] else later
                    w[j] = 0 if a[j] == o[j] else later


@njit(cache=True, error_model="numpy")
def spread(g, won, back):
    """Gradients to the winners, zero to everybody else."""
    frames, high, broad, channels = g.shape
    zero = g.dtype.type(0)
    for f in range(frames):
        back[f, 2 * high :] = zero  # rows and columns that no block covers
        back[f, :, 2 * broad :] = zero
        for i in range(high):
            for k in range(broad):
                o, w = g[f, i, k], won[f, i, k]
                for at in range(4):
                    to = back[f, 2 * i + at // 2, 2 * k + at % 2]
                    for j in range(channels):
                        to[j] = o[j] if w[j] == at else zero
