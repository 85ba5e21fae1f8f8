"""Convolutions on macros: a tile holds all channels of th x tw places of the map.

    columns:   channels · th · tw neurons of neighbouring places
    wordlines: the C · ph · pw inputs that any of them sees, ph = (th - 1)·stride + k

Every tile holds the same unrolled kernels, so one plan and one program serve them all,
and all neurons are updated at once. What that costs, stated rather than hidden: each
kernel weight lies in the array once for every place of the map (`replication`), a
column spends a cell of 0 on each input of the tile that it does not see (`unconnected`)
and a spike is queued at every tile whose inputs it belongs to. Time-multiplexing one
tile over the places would store the kernels once, but its membranes would have to move.

OR pooling joins spikes before the queue, in logic that no counter bills.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numba import njit

from lindecay.integer import LayerTrace
from lindecay.quantization import Checkpoint, Layer
from lindecay.settings import Fault
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.machine import LayerMachine
from lindecay.sram.mapping import LayerPlan, MacroSpec, Mapping, plan_layer
from lindecay.sram.planes import aligned, pack


@dataclass(frozen=True)
class TiledPlan:
    """A convolution on its macros: one tile's plan, repeated over the map."""

    layer: Layer
    tile: LayerPlan
    places: tuple[int, int]  # (th, tw) of one tile

    name = property(lambda self: self.tile.name)
    bits = property(lambda self: self.tile.bits)
    B = property(lambda self: self.tile.B)
    A = property(lambda self: self.tile.A)
    f = property(lambda self: self.tile.f)
    row_tiles = property(lambda self: self.tile.row_tiles)

    @property
    def inputs(self) -> int:
        """Channels that the weights see."""
        return int(np.prod(self.layer.seen))

    @property
    def outputs(self) -> int:
        """Neurons of the whole map."""
        return self.layer.out

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles down and across."""
        return tuple(-(-n // t) for n, t in zip(self.layer.map[1:], self.places))

    @property
    def column_tiles(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def macros(self) -> int:
        return self.column_tiles * self.tile.row_tiles

    @property
    def replication(self) -> int:
        """Copies of each kernel weight: one a place."""
        return self.layer.map[1] * self.layer.map[2]

    @property
    def unconnected(self) -> float:
        """Share of a tile's weight cells that hold 0 because nothing connects there."""
        return 1 - self.layer.w[0].size / self.tile.inputs

    @property
    def cells_used(self) -> int:
        """Bits that hold something; the zeros of what is not connected do not count."""
        p = self.tile
        own = p.bases["W"] + (p.row_tiles - 1) * p.sum_rows
        return self.outputs * (own + self.layer.w[0].size * p.bits)

    @property
    def utilisation(self) -> float:
        """Share of the macros' cells that hold something."""
        return self.cells_used / (self.macros * self.tile.rows * self.tile.cols)


def unrolled(layer: Layer, th: int, tw: int) -> Layer:
    """th x tw places of a convolution as a linear layer, [channels·th·tw, C·ph·pw]."""
    out, C, tall, wide = layer.w.shape
    s = layer.stride
    high, broad = (th - 1) * s + tall, (tw - 1) * s + wide
    w = np.zeros((out, th, tw, C, high, broad), np.int8)
    for i in range(th):
        for k in range(tw):
            w[:, i, k, :, i * s : i * s + tall, k * s : k * s + wide] = layer.w
    rows = {key: getattr(layer, key) for key in ("theta", "lam", "bias", "beta")}
    rows = {
        key: value if value is None or not np.ndim(value) else np.repeat(value, th * tw)
        for key, value in rows.items()
    }
    flat = {"w": w.reshape(out * th * tw, -1), "plane": None, "pool": 1}
    return replace(layer, **flat, **rows, stride=1, padding=0)


def plan_tiles(ck: Checkpoint, layer: Layer, spec: MacroSpec) -> TiledPlan:
    """Lay a convolution onto macros: the tile that takes the fewest of them.

    Raises:
        Fault: names the dimension that does not fit and the least that would do.
    """
    out, high, wide = layer.map
    if out > spec.cols:
        raise Fault(
            f"layer {layer.name} does not fit a macro",
            expected=f"at least {out} columns, one a channel",
            found=f"{spec.cols}",
            do=f"use MacroSpec(cols={out}).",
        )
    one = plan_layer(ck, unrolled(layer, 1, 1), spec)  # widths are those of any tile
    home = (spec.rows - one.bases["W"]) // layer.bits
    more = max((spec.rows - one.sum_rows) // layer.bits, 1)
    best = None
    for th in range(1, high + 1):
        for tw in range(1, min(wide, spec.cols // (out * th)) + 1):
            tiles = -(-high // th) * -(-wide // tw)
            wordlines = _wordlines(layer, th, tw)
            macros = tiles * (1 + max(0, -(-(wordlines - home) // more)))
            found = (macros, tiles * wordlines, th, tw)
            best = found if best is None else min(best, found)
    th, tw = best[2:]
    return TiledPlan(layer, plan_layer(ck, unrolled(layer, th, tw), spec), (th, tw))


def _wordlines(layer: Layer, th: int, tw: int) -> int:
    sides = zip((th, tw), layer.w.shape[2:])
    high, wide = ((n - 1) * layer.stride + k for n, k in sides)
    return layer.w.shape[1] * high * wide


def plan(ck: Checkpoint, spec: MacroSpec) -> Mapping:
    """Lay a network onto macros, layer by layer."""
    ways = {"conv": plan_tiles, "linear": plan_layer}
    return Mapping(spec, tuple(ways[x.kind](ck, x, spec) for x in ck.layers))


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
