"""Spikes of a tensor as lists: which channels of each row are not zero.

    channel[indptr[r] : indptr[r + 1]] = {c : x[r, c] != 0 and byte[r, c] < keep}

A row is read 16 numbers at a time and written eight places at a time, from a table of
all bytes; only where values differ are they looked at one by one. The bytes
are those of a dropout, whose spikes are then never written down.
"""

import numpy as np
from numba import njit
from torch import Tensor

from lindecay.kernels.vector import LANES, below, lowest, nonzero, others

NONE = np.empty(0, np.uint8)  # no dropout
MOST = 64  # the largest whole number that is worth listing so many times
BITS = np.arange(256)[:, None] >> np.arange(8) & 1
MANY = BITS.sum(1)  # bits of a byte, and where they are, the rest is 0
PLACES = np.array([[*np.flatnonzero(b), *[0] * 8][:8] for b in BITS], np.int32)


def of(x: Tensor, density: float, draws: Tensor | None = None, keep: int = 0):
    """(indptr int64 [rows + 1], channel int32 [events], factor) of x [..., channels].

    One value beside 0 becomes the factor; whole numbers (event counts) are listed as
    often as they say. None where the numbers are others, or more than `density` of
    the places are listed. draws: bytes shaped as x; a place is off where its byte is
    `keep` or more.

    >>> import torch
    >>> indptr, channel, factor = of(torch.tensor([[0.0, 2.0], [2.0, 2.0]]), 1.0)
    >>> indptr.tolist(), channel.tolist(), factor
    ([0, 1, 3], [1, 0, 1], 2.0)
    """
    flat, columns = _flat(x.detach()), x.shape[-1]
    rows, byte = x.numel() // max(1, columns), NONE if draws is None else _flat(draws)
    room = int(min(density, 1.0) * flat.size) + columns + 2 * LANES
    indptr, channel = np.empty(rows + 1, np.int64), np.empty(room, np.int32)
    events, factor, total = scan(flat, byte, np.uint8(keep), indptr, channel)
    if total < 0 or total > density * flat.size:
        return None
    channel = channel[:events]
    if total > events:
        flat = flat.reshape(rows, columns)
        return *repeated(flat, indptr, channel, total), 1.0
    return indptr, channel, float(factor)


def _flat(x: Tensor) -> np.ndarray:
    return x.contiguous().view(-1).numpy()


@njit(cache=True, error_model="numpy")
def scan(x, draws, keep, indptr, channel):
    """Lists x; returns the events, their value, and how many they are if counted
    (more than the events where values differ; −1: not to be listed).

    x, draws: flat, no part of them is a view, because views are counted.
    """
    rows = indptr.size - 1
    columns = x.size // max(1, rows)
    n, value = 0, x.dtype.type(1)
    same = whole = True
    total = 0.0  # of the values, from where they differ on
    indptr[0] = 0
    for r in range(rows):
        if n + columns + LANES > channel.size or not (same or whole):
            return n, value, -1
        for c0 in range(0, columns, LANES):
            at = r * columns + c0
            if c0 + LANES <= columns:
                mask = nonzero(x, at)
                if draws.size:
                    mask &= below(draws, at, keep)
                odd = others(x, at, value) if n else mask
            else:
                mask = odd = _rest(x, draws, keep, at, columns - c0)
            if same and mask & odd:
                value = value if n else x[at + lowest(mask)]
                same = _same(x, at, mask, value)
                total = n * np.float64(value)
                whole = same or (1 <= value <= MOST and value == np.floor(value))
            first, c = n, c0
            while mask:  # eight places at once, what lies beyond is written over
                for k in range(8):
                    channel[n + k] = c + PLACES[mask & 255, k]
                n += MANY[mask & 255]
                mask, c = mask >> 8, c + 8
            if not same:
                for e in range(first, n):
                    v = x[r * columns + channel[e]]
                    whole &= 1 <= v <= MOST and v == np.floor(v)
                    total += v
        indptr[r + 1] = n
    if same:
        return n, value, n
    return n, value, int(total) if whole else -1


@njit(cache=True)
def _rest(x, draws, keep, at, lanes):
    """Mask of the less than 16 places from `at` on that are on."""
    mask = 0
    for k in range(at, at + lanes):
        kept = draws[k] < keep if draws.size else True
        mask |= (1 if kept and x[k] != 0 else 0) << (k - at)
    return mask


@njit(cache=True)
def _same(x, at, mask, value):
    """Whether all places of a mask hold this value."""
    same = True
    while mask:
        same &= x[at + lowest(mask)] == value
        mask &= mask - 1
    return same


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
