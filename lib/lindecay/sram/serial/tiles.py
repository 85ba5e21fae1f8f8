"""Convolutions on bit-serial macros: one tile's machine, run for every place.

Where tiles lie and what that costs is `place.conv`. A spike is queued at every tile
whose inputs it belongs to; the latency of a step is that of its slowest tile.
"""

from collections.abc import Iterator
from copy import copy
from functools import cached_property

import numpy as np
from numba import njit

from lindecay.checkpoints import Checkpoint, Layer, pair
from lindecay.sram.place.conv import TiledPlan, reach, unrolled
from lindecay.sram.place.plans import LayerPlan
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.wiring import offsets
from lindecay.sram.serial.machine import LayerMachine, Wires
from lindecay.sram.serial.planes import aligned, pack


class TiledMachine:
    """A convolution on its macros.

    `machine` is one tile, open to be looked at and altered; all tiles follow it.
    """

    def __init__(self, ck: Checkpoint, layer: Layer, plan: TiledPlan, spec: MacroSpec):
        self.layer, self.plan, self.spec = layer, plan, spec
        flat = unrolled(layer, *plan.places, plan.bundles)
        linked = unrolled(layer, *plan.places, plan.bundles, ones=True).w > 0
        self.machine = LayerMachine(ck, flat, plan.tile, spec, linked)

    @cached_property
    def neurons(self) -> np.ndarray:
        """Neuron of each column of each tile, -1 where there is none: [tiles, cols]."""
        out, high, wide = self.layer.map
        (th, tw), (down, across) = self.plan.places, self.plan.grid
        index = np.full((out, down * th, across * tw), -1, np.int64)
        index[:, :high, :wide] = np.arange(self.layer.out).reshape(out, high, wide)
        index = index.reshape(out, down, th, across, tw).transpose(1, 3, 0, 2, 4)
        return index.reshape(down * across, -1)

    @cached_property
    def wires(self) -> Wires:
        """The tiles that each input's events go to."""
        parts, (down, across) = [], self.plan.grid
        starts = offsets(self.plan.bundles)
        for t in range(down * across):
            used, first = self.neurons[t] >= 0, 0
            fan, zeros = self.machine.fan_out(used), self.machine.zero_weights(used)
            for b, start in zip(self.plan.bundles, starts):
                seen, local = self._window(b, *divmod(t, across))
                local += first
                told = (start + seen, 0 * seen + t, local, fan[local], zeros[local])
                parts.append(np.array(told))
                first += int(np.prod([b.seen[0], *reach(b, *self.plan.places)]))
        every = np.concatenate(parts, axis=1)
        every = every[:, np.argsort(every[0], kind="stable")]
        ends = np.searchsorted(every[0], np.arange(self.plan.inputs + 1))
        return Wires(ends, *(np.ascontiguousarray(x) for x in every[1:]))

    def _window(self, b, i: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of a bundle that tile (i, k) sees, and their numbers there."""
        (th, tw), (_, high, wide) = self.plan.places, self.layer.map
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

    def spikes(self, indptr, channel) -> np.ndarray:
        """The inputs of all tiles that will spike, for mutants."""
        return np.concatenate([seen for _, seen in self.events(indptr, channel)])

    def tiles(self) -> Iterator[LayerMachine]:
        """The machine of each tile: columns without a neuron hold nothing."""
        for mine in self.neurons:
            tile = copy(self.machine)
            used = pack(mine >= 0)
            tile.used, tile.cells = aligned(used), self.machine.cells & used
            yield tile

    def latency(self, indptr, channel) -> np.ndarray:
        """Cycles of a tile's accumulation, row by row of events: its slowest queue."""
        cycles = np.array([len(x) for x in self.machine.programs["accumulate"]])
        return (waiting(self.plan.tile, indptr, channel) * cycles).max(1, initial=0)


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


def waiting(plan: LayerPlan, indptr, channel) -> np.ndarray:
    """Spikes of each step that wait before each row tile, int64 [steps, row tiles]."""
    steps = len(indptr) - 1
    step = np.repeat(np.arange(steps), np.diff(indptr))
    key = step * plan.row_tiles + plan.tile_of[channel]
    found = np.bincount(key, minlength=steps * plan.row_tiles)
    return found.reshape(steps, plan.row_tiles)
