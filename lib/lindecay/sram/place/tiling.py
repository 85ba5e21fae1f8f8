"""A map cut into tiles: which neuron stands where, and where each event goes.

tile (i, k) holds all channels of places i·th … and k·tw …; its inputs are the
windows that these places see, one after the other for each bundle of synapses
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from lindecay.checkpoints import Layer, pair
from lindecay.sram.place.conv import reach
from lindecay.sram.place.wiring import offsets, size


@dataclass(frozen=True)
class Wires:
    """Where the events of each input go, int64: entries first[i] … first[i + 1] - 1.

    tile: a tile of columns; local: the input's number there; fan: neurons that it
    reaches there; zeros: those of them with a weight of 0.
    """

    first: np.ndarray
    tile: np.ndarray
    local: np.ndarray
    fan: np.ndarray
    zeros: np.ndarray


class Tiling:
    """The tiles of one convolution.

    Args:
        layer, bundles: the map, and the synapses that all lie over it.
        places: (th, tw) of one tile.
        linked, w: of one whole tile, bool and int8 [channels·th·tw, inputs].
    """

    def __init__(self, layer: Layer, bundles: tuple, places: tuple, linked, w):
        self.layer, self.bundles, self.places = layer, bundles, places
        self.linked, self.w = linked, w
        self.grid = tuple(-(-n // t) for n, t in zip(layer.map[1:], places))
        self.inputs = sum(map(size, bundles))

    @cached_property
    def neurons(self) -> np.ndarray:
        """Neuron of each column of each tile, -1 where there is none: [tiles, cols]."""
        out, high, wide = self.layer.map
        (th, tw), (down, across) = self.places, self.grid
        index = np.full((out, down * th, across * tw), -1, np.int64)
        index[:, :high, :wide] = np.arange(self.layer.out).reshape(out, high, wide)
        index = index.reshape(out, down, th, across, tw).transpose(1, 3, 0, 2, 4)
        return index.reshape(down * across, -1)

    @cached_property
    def wires(self) -> Wires:
        """The tiles that each input's events go to."""
        parts, (down, across) = [], self.grid
        starts = offsets(self.bundles)
        for t in range(down * across):
            used, first = self.neurons[t] >= 0, 0
            fan = self.linked[used].sum(0, dtype=np.int64)
            silent = self.linked[used] & (self.w[used] == 0)
            zeros = silent.sum(0, dtype=np.int64)
            for b, start in zip(self.bundles, starts):
                seen, local = self._window(b, *divmod(t, across))
                local += first
                told = (start + seen, 0 * seen + t, local, fan[local], zeros[local])
                parts.append(np.array(told))
                first += int(np.prod([b.seen[0], *reach(b, *self.places)]))
        every = np.concatenate(parts, axis=1)
        every = every[:, np.argsort(every[0], kind="stable")]
        ends = np.searchsorted(every[0], np.arange(self.inputs + 1))
        return Wires(ends, *(np.ascontiguousarray(x) for x in every[1:]))

    def _window(self, b, i: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of a bundle that tile (i, k) sees, and their numbers there."""
        (th, tw), (_, high, wide) = self.places, self.layer.map
        sides = zip(
            ((i, th, high), (k, tw, wide)), pair(b.stride), pair(b.padding), b.seen[1:]
        )
        full = reach(b, th, tw)
        within = reach(b, min(th, high - i * th), min(tw, wide - k * tw))
        at = []
        for ((n, many, _), stride, padding, side), span in zip(sides, within):
            corner = n * many * stride - padding
            here = np.arange(max(corner, 0), min(corner + span, side))
            at.append((here, here - corner))
        (y, v), (x, u) = at
        c, C = np.arange(b.seen[0])[:, None, None], b.seen
        seen = (c * C[1] + y[:, None]) * C[2] + x
        local = (c * full[0] + v[:, None]) * full[1] + u
        return seen.ravel(), local.ravel()

    def events(self, indptr, channel) -> list[tuple[np.ndarray, np.ndarray]]:
        """The spikes that each tile's queues get, numbered as its inputs."""
        tiles, w = len(self.neurons), self.wires
        told = _dealt(indptr, channel, w.first, w.tile, w.local, tiles)
        return list(zip(*told))


@njit(cache=True)
def _dealt(indptr, channel, first, tile, local, tiles):
    """CSR lists of each tile: starts [tiles, rows + 1] and inputs of each."""
    starts = np.zeros((tiles, indptr.size), np.int64)
    for r in range(indptr.size - 1):
        for e in range(indptr[r], indptr[r + 1]):
            for q in range(first[channel[e]], first[channel[e] + 1]):
                starts[tile[q], r + 1] += 1
    for t in range(tiles):
        for r in range(indptr.size - 1):
            starts[t, r + 1] += starts[t, r]
    out = [np.empty(starts[t, -1], np.int32) for t in range(tiles)]
    filled = np.zeros(tiles, np.int64)
    for e in channel[indptr[0] : indptr[-1]]:
        for q in range(first[e], first[e + 1]):
            t = tile[q]
            out[t][filled[t]] = local[q]
            filled[t] += 1
    return starts, out
