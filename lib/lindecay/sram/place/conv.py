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

from dataclasses import dataclass, replace

import numpy as np

from lindecay.quantization import Checkpoint, Layer
from lindecay.settings import Fault
from lindecay.sram.place.linear import plan_layer
from lindecay.sram.place.plans import LayerPlan, Mapping
from lindecay.sram.place.spec import MacroSpec


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
