"""The bit tier over whole clips: every row tile an `Array` of single bits.

    step = the machine's schedule, program by program, cycle by cycle

It shares the programs and where things lie with the bit-sliced tier, and nothing of how
a cycle is computed. Slow, some 20 µs a cycle: for sampled clips. Counters that follow
from rows are those of one column tile, times the column tiles in lockstep.
"""

from collections import defaultdict

import numpy as np

from lindecay.checkpoints import Checkpoint
from lindecay.events import Clips
from lindecay.integer import LayerTrace, Walk
from lindecay.laws import OWN
from lindecay.sram.isa.language import SPACES
from lindecay.sram.isa.programs import Program
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.wiring import joined
from lindecay.sram.serial.array import Array
from lindecay.sram.serial.machine import LayerMachine, turned
from lindecay.sram.serial.macro import build, most_events, now
from lindecay.sram.serial.planes import unpack
from lindecay.sram.serial.tiles import TiledMachine

FROM_ROWS = {"cycles": "macro_cycles", "read_rows": "read_rows"}
FROM_ROWS |= {"write_rows": "write_rows"}
FROM_BITS = ("discharges", "flips", "columns_selected")
COMPARED = (*FROM_ROWS.values(), *FROM_BITS, "fired", "cleared", "clamped")


class BitMachine:
    """One layer, or one tile of a convolution, in single bits."""

    def __init__(self, machine: LayerMachine):
        self.machine, self.plan = machine, machine.plan
        columns = self.plan.outputs
        self.used = unpack(machine.used, columns)
        lam, theta = machine.registers.tolist()
        self.arrays = []
        for t, cells in enumerate(machine.cells):
            array = Array(self.plan.rows, columns, machine.spec.ports)
            array.cells[:] = unpack(cells, columns)
            array.used = self.used
            array.bases = dict(zip(SPACES, machine.bases(t)))
            array.registers = {"lam": lam, "theta": theta}
            self.arrays.append(array)
        self.home = self.arrays[0]
        self.books: dict[str, Counts] = defaultdict(Counts)

    def go(self, name: str, program: Program, tile: int = 0, base: int = 0) -> None:
        """One program on a row tile, its counts billed to `name`."""
        array = self.arrays[tile]
        array.bases["W"], array.counts = base, {}
        array.run(program)
        told = {key: array.counts.get(key, 0) for key in (*FROM_ROWS, *FROM_BITS)}
        across = self.plan.column_tiles
        found = {new: told[old] * across for old, new in FROM_ROWS.items()}
        self.bill(name, **found, **{key: told[key] for key in FROM_BITS})

    def bill(self, name: str, **counts: int) -> None:
        self.books[name] += Counts(**counts)

    def clear(self) -> None:
        """Rest at the start of a clip."""
        for latch in (self.home.T, self.home.G, self.home.C):
            latch[:] = False
        self.go("clear", self.machine.programs["clear"])

    def _schedule(self, t: int) -> list[str]:
        """What step t does: a decay whose λ is turned to 0 stays out."""
        law = OWN.get(self.machine.law)
        timed = law is not None and law.timed is not None
        runs = not timed or turned(self.machine, self.home.registers, t)
        return [n for n in self.machine.schedule if runs or n != "decay"]

    def step(self, events: np.ndarray, t: int) -> tuple:
        """Time step t of a clip: U, V and fired columns."""
        U = fired = None
        for name in self._schedule(t):
            if name == "fire":
                U = self.home.peek("V", self.plan.B)
            before = self.home.peek("V", self.plan.B)
            getattr(self, f"_{name}", self._plain)(name, events)
            if name == "decay" and self.machine.law != "floor_after":
                rest = self.home.peek("V", self.plan.B) == 0
                self.bill(name, cleared=int((rest & (before != 0) & self.used).sum()))
            if name in ("clamp", "fire"):
                key = {"clamp": "clamped", "fire": "fired"}[name]
                self.bill(name, **{key: int((self.home.G & self.used).sum())})
            fired = self.home.G & self.used if name == "fire" else fired
        return U, self.home.peek("V", self.plan.B), fired

    def _plain(self, name: str, events) -> None:
        self.go(name, self.machine.programs[name])

    def _accumulate(self, name: str, events) -> None:
        for i in events:
            tile = int(self.plan.tile_of[i])
            program = self.machine.programs[name][tile]
            self.go(name, program, tile, int(self.plan.weight_row[i]))

    def _merge(self, name: str, events) -> None:
        programs = self.machine.programs
        for m, drain, merge in zip(
            self.plan.merges, programs["drain"], programs["merge"]
        ):
            self.go(name, drain, m.src)
            self.arrays[m.dst].bus[:] = self.arrays[m.src].bus
            self.go(name, merge, m.dst)


class Bits:
    """A layer, or all tiles of a convolution, in single bits; states step by step."""

    def __init__(self, machine, clips: int, steps: int):
        self.machine = machine
        self.tiled = isinstance(machine, TiledMachine)
        tiles = list(machine.tiles()) if self.tiled else [machine]
        self.parts = [BitMachine(tile) for tile in tiles]
        shape = (clips, steps, machine.plan.outputs)
        self.U, self.V = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        self.S = np.zeros(shape, np.uint8)
        self.sops = 0

    def step(self, events: np.ndarray, c: int, t: int) -> None:
        """One step of one clip; `events` are inputs of the layer."""
        dealt = self._dealt(events)
        for mine, part, seen in zip(self.machine.neurons, self.parts, dealt):
            if t == 0:
                part.clear()
            held = mine >= 0
            for whole, own in zip((self.U, self.V, self.S), part.step(seen, t)):
                whole[c, t, mine[held]] = own[held]
        self.sops += int(self.machine.wires.fan[self._entries(events)].sum())

    def _entries(self, events) -> np.ndarray:
        first = self.machine.wires.first
        spans = [np.arange(first[e], first[e + 1]) for e in events]
        return np.concatenate([np.zeros(0, np.int64), *spans])

    def _dealt(self, events) -> list[np.ndarray]:
        """What each tile's queues get."""
        if not self.tiled:
            return [events]
        row = np.array([0, len(events)], np.int64)
        return [seen for _, seen in self.machine.events(row, events.astype(np.int32))]

    def trace(self) -> LayerTrace:
        total = self.ledger().total()
        done = total.cleared, total.clamped, self.sops
        last = self.V[:, -1]
        return LayerTrace(self.machine.plan.name, self.U, self.V, self.S, *done, last)

    def ledger(self) -> Ledger:
        """The counters of COMPARED, over all tiles."""
        name, out = self.machine.plan.name, Ledger()
        for part in self.parts:
            out += Ledger({(name, key): counts for key, counts in part.books.items()})
        return out


def emulate(
    ck: Checkpoint, clips: Clips, spec: MacroSpec | None = None
) -> tuple[list[LayerTrace], Ledger]:
    """Run an integer checkpoint in single bits on layout A.

    Returns:
        the trace of each layer, and a ledger that holds the counters of COMPARED.
    """
    walk = Walk(ck, clips)
    _, machines = build(ck, spec or MacroSpec(), most_events(clips))
    layers = [Bits(machine, len(clips), ck.steps) for machine in machines]
    for c in range(len(clips)):
        for t in range(ck.steps):
            for i, layer in enumerate(layers):
                parts = [now(walk, layers, b, c, t) for b in ck.bundles(i)]
                layer.step(joined(ck.bundles(i), parts)[1], c, t)
    ledger = sum((layer.ledger() for layer in layers), Ledger())
    return [layer.trace() for layer in layers], ledger


def differences(
    states: list[LayerTrace], ledger: Ledger, run
) -> tuple[int, int, int, int]:
    """States compared, counters compared, and how many of each differ from a Run's."""
    pairs = [
        (getattr(mine, key), getattr(theirs, key))
        for mine, theirs in zip(states, run.trace.layers)
        for key in "UVS"
    ]
    counts = [
        (ledger[at][key], run.ledger[at][key]) for at in run.ledger for key in COMPARED
    ]
    wrong = sum(int((a != b).sum()) for a, b in pairs)
    return (
        sum(a.size for a, _ in pairs),
        len(counts),
        wrong,
        sum(a != b for a, b in counts),
    )
