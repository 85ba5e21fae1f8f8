"""Layouts A, B and C behind one door: the same membranes, their own ledgers.

    A  bit-serial, a neuron is a column: `macro`, every bit by microcode
    B  words: a neuron is A adjacent columns: `words`
    C  adder tree below the weights, membranes near memory or in place: `adder_tree`

B and C run step by step in numpy, for proofs on samples; A alone is fast. `bitwise`
runs any of them through its adders' single bits.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.events import Clips
from lindecay.integer import LayerTrace, Trace, Walk
from lindecay.settings import Fault
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.place.conv import reach, unrolled
from lindecay.sram.place.linear import membrane_rows
from lindecay.sram.place.plans import Mapping
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.tiling import Tiling
from lindecay.sram.place.wiring import flat, joined, often, tiled
from lindecay.sram.serial import bitwise as serial
from lindecay.sram.serial import macro
from lindecay.sram.serial.macro import Run, most_events, now
from lindecay.sram.stepwise.adder_tree import (
    TREE_CYCLES,
    InPlaceMachine,
    TreeMachine,
)
from lindecay.sram.stepwise.adders import Ripple, Whole
from lindecay.sram.stepwise.words import WordMachine, WordPlan

__all__ = ["MACHINES", "TREE_CYCLES", "bitwise", "emulate"]

MACHINES = {
    ("B", "in-place"): WordMachine,
    ("C", "in-place"): InPlaceMachine,
    ("C", "row"): TreeMachine,
    ("C", "word"): TreeMachine,
}


def emulate(
    ck: Checkpoint,
    clips: Clips,
    spec: MacroSpec | None = None,
    record: bool = True,
    progress: Callable[[int, int], None] | None = None,
    alter: Callable | None = None,
) -> Run:
    """Run an integer checkpoint on emulated macros of any layout.

    Args:
        ck: integer checkpoint; any graph of linear layers and convolutions.
        clips: events; one that comes again in a bin is an event more.
        spec: macro, layout and update; 256 x 256 of layout A by default.
        record: keep U and V of every neuron and step.
        progress: called with clips done and clips in all.
        alter: of layout A alone, see `macro.emulate`.

    Returns:
        Run: trace (equal to `integer.run`'s), ledger, mapping.

    Raises:
        Fault: clips and network do not fit, or a value lies off the grid.
        PortFault: a program breaks a rule of the array.
    """
    spec = spec or MacroSpec()
    _known_inputs(clips)
    if spec.layout == "A":
        return macro.emulate(ck, clips, spec, record, progress, alter)
    if alter is not None:
        what = "alter= is of layout A"
        raise Fault(what, expected="layout A", found=f"layout {spec.layout}")
    return _stepwise(ck, clips, spec, record, Whole, progress)


def bitwise(ck: Checkpoint, clips: Clips, spec: MacroSpec) -> Run:
    """The same through single bits, for samples: array, ripple adders, adder trees."""
    if spec.layout != "A":
        return _stepwise(ck, clips, spec, True, Ripple, None)
    states, ledger = serial.emulate(ck, clips, spec)
    return Run(Trace(states, ck.readout), ledger, macro.build(ck, spec)[0])


def _stepwise(ck, clips, spec, record, alu, progress) -> Run:
    walk, most = Walk(ck, clips), most_events(clips)
    told = spec, alu, most, len(clips), record
    layers = [_Layer(ck, i, *told) for i in range(len(ck.layers))]
    for c in range(len(clips)):
        for layer in layers:
            layer.clear()
        for t in range(ck.steps):
            for i, layer in enumerate(layers):
                parts = [now(walk, layers, b, c, t) for b in ck.bundles(i)]
                layer.step(joined(ck.bundles(i), parts)[1], c, t)
        if progress:
            progress(c + 1, len(clips))
    ledger = sum((layer.ledger for layer in layers), Ledger())
    plans = tuple(layer.plan for layer in layers)
    states = [layer.trace() for layer in layers]
    return Run(Trace(states, ck.readout), ledger, Mapping(spec, plans, most))


class _Layer:
    """A layer on macros of layout B or C: one machine, or one a tile of its map."""

    def __init__(self, ck, i: int, spec, alu, most: int, clips: int, record: bool):
        self.layer, own, bundles = ck.layers[i], ck.of(ck.layers[i]), ck.bundles(i)
        kind, self.ledger = MACHINES[spec.layout, spec.update], Ledger()
        if tiled(self.layer, bundles):
            self._tiles(own, bundles, kind, spec, most, alu)
        else:
            one, linked = flat(self.layer, bundles)
            again = often(bundles, most)
            self.tiling = None
            self.machines = [kind(own, one, spec, linked, again, alu)]
            self.mine = [np.arange(self.layer.out)]
        shape = clips, ck.steps, self.layer.out
        kept = shape if record else (0, 0, 0)
        self.U, self.V = np.zeros(kept, np.int32), np.zeros(kept, np.int32)
        self.S, self.done = np.zeros(shape, np.uint8), np.zeros(2, np.int64)
        self.last = np.zeros((clips, self.layer.out), np.int32)
        self.plan = self._plan()

    def _tiles(self, own, bundles, kind, spec, most, alu) -> None:
        """The tiles that take the fewest macros, a machine each."""
        again = often(bundles, most)
        firsts = np.cumsum([0, *(int(np.prod(b.seen)) for b in bundles)])[:-1]
        times = again[firsts]  # the same for all inputs of a bundle
        places = _places(own, self.layer, bundles, kind, spec, times)
        whole = unrolled(self.layer, *places, bundles)
        linked = unrolled(self.layer, *places, bundles, ones=True).w > 0
        self.tiling = Tiling(self.layer, bundles, places, linked, whole.w)
        sizes = [b.seen[0] * int(np.prod(reach(b, *places))) for b in bundles]
        wide = np.repeat(times, sizes)
        self.mine = [row[row >= 0] for row in self.tiling.neurons]
        self.machines = []
        for row in self.tiling.neurons:
            used = row >= 0
            one = _part(whole, used)
            told = spec, linked[used], wide, alu
            self.machines.append(kind(own, one, *told))

    def _plan(self) -> WordPlan:
        """The machines' plans as one."""
        plans = [m.plan for m in self.machines]
        macros = sum(p.macros for p in plans)
        share = sum(p.utilisation * p.macros for p in plans) / macros
        inputs = plans[0].inputs if self.tiling is None else self.tiling.inputs
        across = sum(p.column_tiles for p in plans)
        first = plans[0]
        told = first.A, first.row_tiles, across, macros, share
        return WordPlan(self.layer.name, inputs, self.layer.out, *told)

    def clear(self) -> None:
        for machine in self.machines:
            machine.clear()
        self._bill()

    def step(self, events: np.ndarray, c: int, t: int) -> None:
        """One step of one clip; `events` are inputs of the layer."""
        for machine, mine, seen in zip(self.machines, self.mine, self._dealt(events)):
            done = machine.step(seen)
            self.S[c, t, mine], self.last[c, mine] = done.S, done.V
            if self.U.size:
                self.U[c, t, mine], self.V[c, t, mine] = done.U, done.V
            self.done += done.clears, done.clamps
        self._bill()

    def _dealt(self, events) -> list[np.ndarray]:
        """What each tile's queues get."""
        if self.tiling is None:
            return [events]
        row = np.array([0, len(events)], np.int64)
        dealt = self.tiling.events(row, events.astype(np.int32))
        return [seen for _, seen in dealt]

    def _bill(self) -> None:
        """Tiles work side by side: their sums, and the cycles of the slowest."""
        found: dict[tuple[str, str], Counts] = {}
        for machine in self.machines:
            for key in machine.ledger:
                own = machine.ledger[key]
                most = max(found.get(key, own).cycles, own.cycles)
                found[key] = replace(found.get(key, Counts()) + own, cycles=most)
            machine.ledger = Ledger()
        self.ledger += Ledger(found)

    def trace(self) -> LayerTrace:
        kept = (self.U, self.V) if self.U.size else (None, None)
        sops = self.ledger[self.layer.name, "accumulate"].sops
        done = (*map(int, self.done), sops, self.last)
        return LayerTrace(self.layer.name, *kept, self.S, *done)


def _places(own, layer: Layer, bundles, kind, spec, times) -> tuple[int, int]:
    """(th, tw) of the tile with which a map takes the fewest macros."""
    (out, high, wide), best = layer.map, None
    sizes = [b.seen[0] * int(np.prod(reach(b, 1, 1))) for b in bundles]
    A = membrane_rows(own, unrolled(layer, 1, 1, bundles), np.repeat(times, sizes))
    for th in range(1, high + 1):
        for tw in range(1, wide + 1):
            if (th, tw) != (1, 1) and out * th * tw > spec.cols:
                break
            tiles = -(-high // th) * -(-wide // tw)
            K = sum(b.seen[0] * int(np.prod(reach(b, th, tw))) for b in bundles)
            macros = kind.takes(own, spec, out * th * tw, K, A, layer.bits)
            found = tiles * macros, tiles * K, th, tw
            best = found if best is None else min(best, found)
    return best[2:]


def _part(layer: Layer, used: np.ndarray) -> Layer:
    """Some neurons of a layer that is one matrix."""
    names = ("theta", "lam", "bias", "beta")
    rows = {k: getattr(layer, k) for k in names}
    rows = {k: v[used] if np.size(v) > 1 else v for k, v in rows.items()}
    return replace(layer, w=layer.w[used], **rows)


def _known_inputs(clips: Clips) -> None:
    """Fault where an event names an input that is not there."""
    low, high = clips.channel.min(initial=0), clips.channel.max(initial=0)
    if low < 0 or high >= clips.channels:
        raise Fault(
            "an event at an unknown input",
            expected=f"channels 0 to {clips.channels - 1}",
            found=f"{low if low < 0 else high}",
            where=f"{clips.name}/{clips.split}",
        )
