"""What a layer's columns are wired to: all its bundles of synapses side by side.

    inputs of a layer = those of its first bundle, then those of the next, …

A wordline belongs to one input of one bundle; it rises once for every event, so events
that repeat (sums of pooled spikes, counted clips) need no other array, only wider sums.
Bundles of convolutions over one map share its tiles; where a convolution meets a linear
bundle, or has a value for each neuron, its kernel is written out as a matrix.
"""

from dataclasses import replace

import numpy as np

from lindecay.checkpoints import CLIPS, Layer, Synapse, pair
from lindecay.settings import Fault

LARGEST = 2**31  # weights of a written-out matrix


def size(b: Synapse) -> int:
    """Inputs that the weights of a bundle see."""
    return int(np.prod(b.seen))


def offsets(bundles: tuple[Synapse, ...]) -> np.ndarray:
    """First input of each bundle, int64."""
    return np.cumsum([0, *map(size, bundles)])[:-1]


def joined(bundles: tuple[Synapse, ...], parts: list) -> tuple[np.ndarray, np.ndarray]:
    """Events of all bundles as one CSR list over the inputs of the layer.

    parts: (indptr, channel) of each bundle, pooled.
    """
    if len(parts) == 1:
        return parts[0]
    rows = [np.repeat(np.arange(len(p) - 1), np.diff(p)) for p, _ in parts]
    order = np.argsort(np.concatenate(rows), kind="stable")
    channel = [c + first for (_, c), first in zip(parts, offsets(bundles))]
    indptr = np.sum([p for p, _ in parts], axis=0)
    return indptr, np.concatenate(channel)[order].astype(np.int32)


def often(bundles: tuple[Synapse, ...], most: int) -> np.ndarray:
    """Events of each input that a step may hold, int64 [inputs]."""
    parts = []
    for b in bundles:
        again = b.pool**2 if b.pooling == "sum" else 1
        again *= most if b.source == CLIPS else 1
        parts.append(np.full(size(b), again, np.int64))
    return np.concatenate(parts)


def tiled(layer: Layer, bundles: tuple[Synapse, ...]) -> bool:
    """Whether the layer lies in tiles of its map: convolutions, a value a channel."""
    rows = (getattr(layer, key) for key in ("theta", "lam", "bias", "beta"))
    each = any(np.size(x) > len(layer.w) for x in rows if x is not None)
    same = all(b.kind == "conv" and b.map == layer.map for b in bundles)
    return same and not each


def matrix(b: Synapse, ones: bool = False) -> np.ndarray:
    """Weights of a bundle as int8 [out, inputs]; `ones`: where it connects at all."""
    if b.kind == "linear":
        return np.ones_like(b.w) if ones else b.w
    (C, H, W), (out, high, wide) = b.seen, b.map
    if out * high * wide * C * H * W >= LARGEST:
        raise Fault(
            "a convolution too large to be written out as a matrix",
            expected=f"fewer than {LARGEST} weights",
            found=f"{out * high * wide} neurons on {C * H * W} inputs",
        )
    kernel = dense_kernel(b, ones)
    (s, z), (p, q), (d, e) = (pair(x) for x in (b.stride, b.padding, b.dilation))
    tall, broad = kernel.shape[2:]
    w = np.zeros((out, high, wide, C, H + 2 * p, W + 2 * q), np.int8)
    for i in range(high):
        rows = slice(i * s, i * s + d * (tall - 1) + 1, d)
        for k in range(wide):
            columns = slice(k * z, k * z + e * (broad - 1) + 1, e)
            w[:, i, k, :, rows, columns] = kernel
    return w[..., p : p + H, q : q + W].reshape(out * high * wide, -1)


def dense_kernel(b, ones: bool = False) -> np.ndarray:
    """A kernel on all input channels, int8 [out, C, kh, kw]: groups leave zeros."""
    w = np.ones_like(b.w) if ones else b.w
    if b.groups == 1:
        return w
    (out, own), each = w.shape[:2], len(w) // b.groups
    full = np.zeros((out, own * b.groups, *w.shape[2:]), np.int8)
    for o in range(out):
        first = o // each * own
        full[o, first : first + own] = w[o]
    return full


def flat(layer: Layer, bundles: tuple[Synapse, ...]) -> tuple[Layer, np.ndarray | None]:
    """A layer as one matrix on all its inputs; where it connects (None: everywhere)."""
    w = np.concatenate([matrix(b) for b in bundles], axis=1)
    names = ("theta", "lam", "bias", "beta")
    rows = {k: layer.row(k) for k in names if np.ndim(getattr(layer, k))}
    plain = {"plane": None, "pool": 1, "stride": 1, "padding": 0, "dilation": 1}
    plain |= {"groups": 1, "pooling": "or", "more": ()}
    one = replace(layer, w=w, **plain, **rows)
    if all(b.kind == "linear" for b in bundles):
        return one, None
    return one, np.concatenate([matrix(b, True) for b in bundles], axis=1) > 0
