"""Convolutions on bit-serial macros: one tile's machine, run for every place.

Where tiles lie and what that costs is `place.conv`. A spike is queued at every tile
whose inputs it belongs to; the latency of a step is that of its slowest tile.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
from numba import njit

from lindecay.integer import LayerTrace
from lindecay.quantization import Checkpoint, Layer
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.place.conv import TiledPlan, unrolled
from lindecay.sram.place.plans import LayerPlan
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial.machine import LayerMachine
from lindecay.sram.serial.planes import aligned, pack


class TiledMachine:
    """A convolution on its macros.

    `machine` is one tile, open to be looked at and altered; all tiles follow it.
    """

    def __init__(self, ck: Checkpoint, layer: Layer, plan: TiledPlan, spec: MacroSpec):
        self.layer, self.plan, self.spec = layer, plan, spec
        th, tw = plan.places
        self.machine = LayerMachine(ck, unrolled(layer, th, tw), plan.tile, spec)
        connected = replace(layer, w=np.ones_like(layer.w))
        self.connected = unrolled(connected, th, tw).w > 0

    @cached_property
    def neurons(self) -> np.ndarray:
        """Neuron of each column of each tile, -1 where there is none: [tiles, cols]."""
        out, high, wide = self.layer.map
        (th, tw), (down, across) = self.plan.places, self.plan.grid
        index = np.full((out, down * th, across * tw), -1, np.int64)
        index[:, :high, :wide] = np.arange(self.layer.out).reshape(out, high, wide)
        index = index.reshape(out, down, th, across, tw).transpose(1, 3, 0, 2, 4)
        return index.reshape(down * across, -1)

    def events(self, indptr, channel) -> list[tuple[np.ndarray, np.ndarray]]:
        """The spikes that each tile's queues get, numbered as its inputs."""
        th, tw = self.plan.places
        _, high, wide = self.layer.map
        s, (tall, broad) = self.layer.stride, self.layer.w.shape[2:]
        full = (th - 1) * s + tall, (tw - 1) * s + broad
        out = []
        for i in range(self.plan.grid[0]):
            for k in range(self.plan.grid[1]):
                corner = (
                    i * th * s - self.layer.padding,
                    k * tw * s - self.layer.padding,
                )
                rows, columns = min(th, high - i * th), min(tw, wide - k * tw)
                seen = (rows - 1) * s + tall, (columns - 1) * s + broad
                part = _window(indptr, channel, self.layer.seen, corner, seen, full)
                out.append(part)
        return out

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

    def joined(self, parts: list, events: list) -> tuple[LayerTrace, Ledger]:
        """Traces and ledgers of all tiles as those of the layer."""
        clips, steps, _ = parts[0][0].S.shape
        shape = clips, steps, self.layer.out
        kept = np.int32 if parts[0][0].U is not None else None
        whole = {key: None if kept is None else np.zeros(shape, kept) for key in "UV"}
        whole["S"] = np.zeros(shape, np.uint8)
        for mine, (state, _) in zip(self.neurons, parts):
            for key, held in whole.items():
                if held is not None:
                    held[:, :, mine[mine >= 0]] = getattr(state, key)[:, :, mine >= 0]
        ledger = self._billed(parts, events)
        found = ledger.by_layer()[self.layer.name]
        done = found.cleared, found.clamped, found.sops
        return LayerTrace(self.layer.name, *whole.values(), *done), ledger

    def _billed(self, parts: list, events: list) -> Ledger:
        """Sums over tiles; cycles are those of the slowest tile, step by step."""
        table: dict[tuple[str, str], Counts] = {}
        for mine, (_, book), (_, channel) in zip(self.neurons, parts, events):
            table_of = {key: book[key] for key in book}
            for key, counts in table_of.items():
                own = self._own(key[1], counts, mine >= 0, channel)
                cycles = max(table.get(key, own).cycles, own.cycles)
                table[key] = replace(table.get(key, Counts()) + own, cycles=cycles)
        key = self.layer.name, "accumulate"
        slowest = np.max([self.latency(*part) for part in events], axis=0)
        if key in table:
            table[key] = replace(table[key], cycles=int(slowest.sum()))
        return Ledger(table)

    def _own(self, program: str, counts: Counts, used, channel) -> Counts:
        """A tile's counts with its own columns and connections, not a full tile's."""
        columns, n = self.plan.tile.outputs, int(used.sum())
        sent = counts.transport_bits // columns * n
        if program != "accumulate":
            return replace(counts, transport_bits=sent)
        linked = self.connected[used]
        zeros = (linked & (self.machine.layer.w[used] == 0)).sum(0)
        fan_out, spikes = linked.sum(0), np.bincount(channel, minlength=linked.shape[1])
        return replace(
            counts, sops=int(spikes @ fan_out), zero_sops=int(spikes @ zeros)
        )


@njit(cache=True)
def _window(indptr, channel, plane, corner, seen, full):
    """Events inside a window of the plane, as CSR; inputs numbered within `full`."""
    starts, n = np.zeros_like(indptr), 0
    out = np.empty(channel.size, np.int32)
    for r in range(indptr.size - 1):
        for e in range(indptr[r], indptr[r + 1]):
            c, left = divmod(channel[e], plane[1] * plane[2])
            y, x = left // plane[2] - corner[0], left % plane[2] - corner[1]
            if 0 <= y < seen[0] and 0 <= x < seen[1]:
                out[n] = (c * full[0] + y) * full[1] + x
                n += 1
        starts[r + 1] = n
    return starts, out[:n].copy()


def waiting(plan: LayerPlan, indptr, channel) -> np.ndarray:
    """Spikes of each step that wait before each row tile, int64 [steps, row tiles]."""
    steps = len(indptr) - 1
    step = np.repeat(np.arange(steps), np.diff(indptr))
    key = step * plan.row_tiles + plan.tile_of[channel]
    found = np.bincount(key, minlength=steps * plan.row_tiles)
    return found.reshape(steps, plan.row_tiles)
