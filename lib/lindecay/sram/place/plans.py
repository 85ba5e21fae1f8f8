"""Plans: what a layer takes on its macros, row by row, and a network's in all."""

from dataclasses import dataclass

import numpy as np

from lindecay.sram.place.spec import MacroSpec


@dataclass(frozen=True)
class Merge:
    """One partial sum that travels: widths of ours, theirs and the result."""

    round: int
    dst: int
    src: int
    low: int  # first row of the sum at the destination (f at home, else 0)
    own: int
    sent: int
    width: int


@dataclass(frozen=True)
class LayerPlan:
    """A layer on its macros."""

    name: str
    inputs: int
    outputs: int
    bits: int  # of a weight
    B: int
    A: int  # membrane rows with guard rows
    f: int
    bases: dict[str, int]  # first row of each space of the home tile, and "bias"
    bias_bits: int
    sum_rows: int  # rows that a partial sum may take
    tile_of: np.ndarray  # row tile of each input, int64 [inputs]
    slot_of: np.ndarray  # its place among the tile's weights
    widths: tuple[int, ...]  # bits that one tile's own events can fill
    merges: tuple[Merge, ...]
    rows: int
    cols: int

    @property
    def row_tiles(self) -> int:
        return len(self.widths)

    @property
    def column_tiles(self) -> int:
        return -(-self.outputs // self.cols)

    @property
    def macros(self) -> int:
        return self.row_tiles * self.column_tiles

    def weight_base(self, tile: int) -> int:
        """First weight row of a row tile."""
        return self.bases["W"] if tile == 0 else self.sum_rows

    @property
    def weight_row(self) -> np.ndarray:
        """First weight row of each input on its row tile, int64 [inputs]."""
        base = np.where(self.tile_of == 0, self.bases["W"], self.sum_rows)
        return base + self.slot_of * self.bits

    @property
    def cells_used(self) -> int:
        """Bits that hold something: weights, membranes, partial sums, θ, λ, bias."""
        own = self.bases["W"] + (self.row_tiles - 1) * self.sum_rows
        return self.outputs * (own + self.inputs * self.bits)

    @property
    def utilisation(self) -> float:
        """Share of the macros' cells that hold something."""
        return self.cells_used / (self.macros * self.rows * self.cols)


@dataclass(frozen=True)
class Mapping:
    """All layers of a network on macros of one kind."""

    spec: MacroSpec
    layers: tuple[LayerPlan, ...]
    most: int = 1  # events of an input of the clips that a step may hold

    @property
    def macros(self) -> int:
        return sum(plan.macros for plan in self.layers)

    def to_rows(self) -> list[dict]:
        """One dict a layer, for tables."""
        return [
            {
                "layer": p.name,
                "inputs": p.inputs,
                "neurons": p.outputs,
                "membrane rows": p.A,
                "row tiles": p.row_tiles,
                "column tiles": p.column_tiles,
                "macros": p.macros,
                "cells used": round(p.utilisation, 3),
            }
            for p in self.layers
        ]
