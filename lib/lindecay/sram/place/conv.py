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

from lindecay.checkpoints import CLIPS, Checkpoint, Layer, pair
from lindecay.settings import Fault
from lindecay.sram.place.linear import plan_layer
from lindecay.sram.place.plans import LayerPlan, Mapping
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.wiring import dense_kernel, flat, often, size, tiled


@dataclass(frozen=True)
class TiledPlan:
    """A convolution on its macros: one tile's plan, repeated over the map."""

    layer: Layer
    tile: LayerPlan
    places: tuple[int, int]  # (th, tw) of one tile
    bundles: tuple = ()
    kernel: int = 0  # weights of a neuron

    name = property(lambda self: self.tile.name)
    bits = property(lambda self: self.tile.bits)
    B = property(lambda self: self.tile.B)
    A = property(lambda self: self.tile.A)
    f = property(lambda self: self.tile.f)
    row_tiles = property(lambda self: self.tile.row_tiles)

    @property
    def inputs(self) -> int:
        """Channels that the weights see."""
        return sum(map(size, self.bundles))

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
        return 1 - self.kernel / self.tile.inputs

    @property
    def cells_used(self) -> int:
        """Bits that hold something; the zeros of what is not connected do not count."""
        p = self.tile
        own = p.bases["W"] + (p.row_tiles - 1) * p.sum_rows
        return self.outputs * (own + self.kernel * p.bits)

    @property
    def utilisation(self) -> float:
        """Share of the macros' cells that hold something."""
        return self.cells_used / (self.macros * self.tile.rows * self.tile.cols)


def reach(b, th: int, tw: int) -> tuple[int, int]:
    """Rows and columns of inputs that th x tw places see."""
    sides = zip((th, tw), pair(b.stride), pair(b.dilation), b.w.shape[2:])
    return tuple((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in sides)


def _window(b, th: int, tw: int, ones: bool) -> np.ndarray:
    """th x tw places of one bundle, int8 [channels·th·tw, C·ph·pw]."""
    kernel = dense_kernel(b, ones)
    out, C, tall, wide = kernel.shape
    (s, z), (d, e) = pair(b.stride), pair(b.dilation)
    w = np.zeros((out, th, tw, C, *reach(b, th, tw)), np.int8)
    for i in range(th):
        rows = slice(i * s, i * s + d * (tall - 1) + 1, d)
        for k in range(tw):
            w[:, i, k, :, rows, k * z : k * z + e * (wide - 1) + 1 : e] = kernel
    return w.reshape(out * th * tw, -1)


def unrolled(layer: Layer, th: int, tw: int, bundles=None, ones=False) -> Layer:
    """th x tw places of a convolution as a linear layer, [channels·th·tw, C·ph·pw].

    bundles: its synapses, by default those of its own fields alone; their windows lie
    side by side. ones: where it connects, instead of the weights.
    """
    parts = [_window(b, th, tw, ones) for b in bundles or (layer,)]
    rows = {key: getattr(layer, key) for key in ("theta", "lam", "bias", "beta")}
    rows = {
        key: np.repeat(value, th * tw)
        if np.ndim(value) and np.size(value) > 1
        else value
        for key, value in rows.items()
    }
    plain = {"plane": None, "pool": 1, "dilation": 1, "groups": 1, "pooling": "or"}
    w = np.concatenate(parts, axis=1)
    return replace(layer, w=w, **plain, **rows, stride=1, padding=0, more=())


def plan_tiles(
    ck: Checkpoint, layer: Layer, spec: MacroSpec, bundles=None, most: int = 1
) -> TiledPlan:
    """Lay a convolution onto macros: the tile that takes the fewest of them.

    Args:
        ck: law, reset and grid of this layer (`Checkpoint.of`).
        bundles: its synapses, by default those of its own fields alone.
        most: events of an input of the clips that a step may hold.

    Raises:
        Fault: names the dimension that does not fit and the least that would do.
    """
    bundles = bundles or (layer,)
    out, high, wide = layer.map
    if out > spec.cols:
        raise Fault(
            f"layer {layer.name} does not fit a macro",
            expected=f"at least {out} columns, one a channel",
            found=f"{spec.cols}",
            do=f"use MacroSpec(cols={out}).",
        )
    one = _tile(ck, layer, spec, bundles, most, 1, 1)  # widths are those of any tile
    home = (spec.rows - one.bases["W"]) // layer.bits
    more = max((spec.rows - one.sum_rows) // layer.bits, 1)
    best = None
    for th in range(1, high + 1):
        for tw in range(1, min(wide, spec.cols // (out * th)) + 1):
            tiles = -(-high // th) * -(-wide // tw)
            wordlines = sum(_wordlines(b, th, tw) for b in bundles)
            macros = tiles * (1 + max(0, -(-(wordlines - home) // more)))
            found = (macros, tiles * wordlines, th, tw)
            best = found if best is None else min(best, found)
    th, tw = best[2:]
    tile = _tile(ck, layer, spec, bundles, most, th, tw)
    connected = int(sum(b.w[0].size for b in bundles))
    return TiledPlan(layer, tile, (th, tw), tuple(bundles), connected)


def _tile(ck, layer, spec, bundles, most: int, th: int, tw: int) -> LayerPlan:
    """One tile of th x tw places as a fully connected layer."""
    parts = []
    for b in bundles:
        again = b.pool**2 if b.pooling == "sum" else 1
        again *= most if getattr(b, "source", None) in (CLIPS, None) else 1
        parts.append(np.full(_wordlines(b, th, tw), again, np.int64))
    flat = unrolled(layer, th, tw, bundles)
    return plan_layer(ck, flat, spec, np.concatenate(parts))


def _wordlines(b, th: int, tw: int) -> int:
    high, wide = reach(b, th, tw)
    return b.seen[0] * high * wide


def plan(ck: Checkpoint, spec: MacroSpec, most: int = 1) -> Mapping:
    """Lay a network onto macros, layer by layer.

    most: events of an input of the clips that a step may hold.
    """
    plans = []
    for i, layer in enumerate(ck.layers):
        own, bundles = ck.of(layer), ck.bundles(i)
        if tiled(layer, bundles):
            plans.append(plan_tiles(own, layer, spec, bundles, most))
        else:
            one, _ = flat(layer, bundles)
            plans.append(plan_layer(own, one, spec, often(bundles, most)))
    return Mapping(spec, tuple(plans), most)
