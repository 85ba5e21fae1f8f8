"""Convolutions on bit-serial macros: one tile's machine, run for every place.

Where tiles lie and what that costs is `place.conv`. A spike is queued at every tile
whose inputs it belongs to; the latency of a step is that of its slowest tile.
"""

from collections.abc import Iterator
from copy import copy

import numpy as np

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.sram.place.conv import TiledPlan, unrolled
from lindecay.sram.place.plans import LayerPlan
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.tiling import Tiling
from lindecay.sram.serial.machine import LayerMachine
from lindecay.sram.serial.planes import aligned, pack


class TiledMachine(Tiling):
    """A convolution on its macros.

    `machine` is one tile, open to be looked at and altered; all tiles follow it.
    """

    def __init__(self, ck: Checkpoint, layer: Layer, plan: TiledPlan, spec: MacroSpec):
        self.plan, self.spec = plan, spec
        flat = unrolled(layer, *plan.places, plan.bundles)
        linked = unrolled(layer, *plan.places, plan.bundles, ones=True).w > 0
        self.machine = LayerMachine(ck, flat, plan.tile, spec, linked)
        super().__init__(layer, plan.bundles, plan.places, linked, flat.w)

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


def waiting(plan: LayerPlan, indptr, channel) -> np.ndarray:
    """Spikes of each step that wait before each row tile, int64 [steps, row tiles]."""
    steps = len(indptr) - 1
    step = np.repeat(np.arange(steps), np.diff(indptr))
    key = step * plan.row_tiles + plan.tile_of[channel]
    found = np.bincount(key, minlength=steps * plan.row_tiles)
    return found.reshape(steps, plan.row_tiles)
