"""Spikes of a tensor as lists: which channels of each row are not zero.

    channel[indptr[r] : indptr[r + 1]] = {c : x[r, c] != 0}

A row is read 16 numbers at a time; only what is on costs a step of its own.
"""

import numpy as np
from numba import njit
from torch import Tensor

from lindecay.kernels.vector import LANES, lowest, nonzero

MOST = 64  # the largest whole number that is worth listing so many times


def of(x: Tensor, density: float):
    """(indptr int64 [rows + 1], channel int32 [events], factor) of x [..., channels].

    One value beside 0 becomes the factor; whole numbers (event counts) are listed as
    often as they say. None where the numbers are others, or more than `density` of
    the places are listed.

    >>> import torch
    >>> indptr, channel, factor = of(torch.tensor([[0.0, 2.0], [2.0, 2.0]]), 1.0)
    >>> indptr.tolist(), channel.tolist(), factor
    ([0, 1, 3], [1, 0, 1], 2.0)
    """
    flat = x.detach().contiguous().reshape(-1, x.shape[-1]).numpy()
    room = int(min(density, 1.0) * flat.size) + flat.shape[1] + LANES
    indptr, channel = np.empty(len(flat) + 1, np.int64), np.empty(room, np.int32)
    events, factor, total = scan(flat, indptr, channel)
    if total < 0 or total > density * flat.size:
        return None
    channel = channel[:events]
    if total > events:
        return *repeated(flat, indptr, channel, total), 1.0
    return indptr, channel, float(factor)


@njit(cache=True, error_model="numpy")
def scan(x, indptr, channel):
    """Lists x; returns the events, their value, and how many they are if counted
    (more than the events where values differ; −1: not to be listed)."""
    rows, columns = x.shape
    n, total, value, same, whole = 0, 0.0, x.dtype.type(1), True, True
    indptr[0] = 0
    for r in range(rows):
        if n + columns > channel.size or not (same or whole):
            return n, value, -1
        row = x[r]
        for c0 in range(0, columns, LANES):
            if c0 + LANES <= columns:
                mask = nonzero(row, c0)
            else:
                mask = 0
                for c in range(c0, columns):
                    mask |= (1 if row[c] != 0 else 0) << (c - c0)
            while mask:
                c = c0 + lowest(mask)
                mask &= mask - 1
                channel[n] = c
                n += 1
                v = row[c]
                value = v if n == 1 else value
                same &= v == value
                whole &= 1 <= v <= MOST and v == np.floor(v)
                total += v
        indptr[r + 1] = n
    if same:
        return n, value, n
    return n, value, int(total) if whole else -1


@njit(cache=True)
def repeated(x, indptr, channel, total):
    """The same lists with every channel as often as its number says."""
    many, out = np.empty_like(indptr), np.empty(total, np.int32)
    n = many[0] = 0
    for r in range(len(x)):
        for e in range(indptr[r], indptr[r + 1]):
            for _ in range(int(x[r, channel[e]])):
                out[n] = channel[e]
                n += 1
        many[r + 1] = n
    return many, out
