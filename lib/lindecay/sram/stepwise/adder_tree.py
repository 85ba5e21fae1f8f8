"""Layout C: an adder tree below the weights, membranes elsewhere.

    I = sum over bits b of +-2^b (ones among the spiking inputs' weight bits)

All input spikes of a step enter at once (all-digital in-memory computing, near Chih et
al.). The membranes are updated a row at a time or word by word near memory, or in place
by layout A's microcode, once the sum has entered bit by bit. How many cycles a tree
takes is our own assumption.
"""

from dataclasses import replace

import numpy as np

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.settings import Fault
from lindecay.sram.isa.programs import Program, merge
from lindecay.sram.ledger import Counts
from lindecay.sram.place.linear import plan_layer
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial.array import Array
from lindecay.sram.serial.machine import LayerMachine as BitSerial
from lindecay.sram.stepwise.words import (
    LayerMachine,
    Step,
    WordPlan,
    Words,
    decayed,
    integrated,
    late,
    reset,
)

TREE_CYCLES = 3  # of one pass through a pipelined adder tree


class TreeMachine(LayerMachine):
    """Layout C: sums from adder trees, membranes near memory, by rows or by words."""

    def __init__(self, ck: Checkpoint, layer: Layer, spec: MacroSpec):
        super().__init__(ck, layer, spec)
        N, K = layer.w.shape
        self.bits = layer.w.astype(np.int64)[..., None] >> np.arange(layer.bits) & 1
        self.row_tiles = -(-K // spec.rows)
        across = -(-N // (spec.cols // layer.bits))
        self.trees = self.row_tiles * across
        per_row = spec.cols // ck.B
        self.rows = -(-N // per_row)
        extra = self.membranes()
        macros = self.trees + extra
        used = N * (K * layer.bits + ck.B) / (macros * spec.rows * spec.cols)
        self.plan = WordPlan(
            layer.name, K, N, ck.B, self.row_tiles, across, macros, used
        )

    def membranes(self) -> int:
        """Lay the membranes out; the macros that they take."""
        spec = self.spec
        self.memory = Words(1, self.rows, spec.cols, self.ck.B)
        return -(-self.rows // spec.rows)

    def clear(self) -> None:
        for row in range(self.rows):
            self.memory.write(row, np.zeros((1, self.memory.per_row), np.int64))
            self.memory.tick()
        self.bill("clear", self.memory.bill())

    def tree(self, events: np.ndarray) -> np.ndarray:
        """Sum of the weights of all spiking inputs: ones counted in each bit plane."""
        ones = self.bits[:, events].sum(1)  # [out, bits]: what the trees add
        weight = 2 ** np.arange(self.layer.bits, dtype=np.int64)
        weight[-1] = -weight[-1]
        spent = Counts(cycles=TREE_CYCLES, macro_cycles=TREE_CYCLES * self.trees)
        self.bill("accumulate", spent + Counts(**self.spiked(events)))
        if self.row_tiles > 1:
            width = self.layer.bits + int(np.ceil(np.log2(self.layer.w.shape[1])))
            moved = (self.row_tiles - 1) * len(self.layer.w) * width
            cycles = int(np.ceil(np.log2(self.row_tiles)))
            more = {"transport_bits": moved, "macro_cycles": cycles * self.trees}
            self.bill("merge", Counts(cycles=cycles, adder_ops=moved, **more))
        return ones @ weight << self.ck.f

    def step(self, events: np.ndarray) -> Step:
        current, out = self.tree(events), []
        per = self.memory.per_row
        spare = self.rows * per - self.plan.outputs
        currents = np.pad(current, (0, spare)).reshape(self.rows, per)
        for row in range(self.rows):
            out.append(self.row_update(row, currents[row]))
        joined = [np.concatenate(parts) for parts in zip(*out)]
        v, rest, raw, U, fired, V = joined
        clears = int(np.sum((v != 0) & (rest == 0))) * (self.ck.law != "floor_after")
        clamps = int(np.sum(raw != U))
        done = {"fired": int(fired.sum()), "cleared": clears, "clamped": clamps}
        self.bill("update", self.memory.bill(**done))
        return Step(U, V, fired, clears, clamps)

    def row_update(self, row: int, current: np.ndarray) -> tuple:
        """Read a row, do the whole update beside it, write it back."""
        per, words = self.memory.per_row, self.spec.update == "word"
        mine = slice(row * per, min((row + 1) * per, self.plan.outputs))
        n = mine.stop - mine.start
        layer = _rows_of(self.layer, mine)
        v = self.memory.read(row)[0][:n]
        rest = decayed(self.ck, layer, v)
        raw = integrated(self.ck, layer, rest - late(self.ck, layer, v), current[:n])
        U = np.clip(raw, self.ck.v_min, self.ck.v_max)
        fired = U > layer.row("theta")
        V = reset(self.ck, layer, U, fired)
        kept = np.zeros((1, per), np.int64)
        kept[0, :n] = V
        where = (np.arange(per) < n)[None]
        for _ in range(n - 1 if words else 0):  # every word raises the row again
            self.memory.read(row)
            self.memory.write(row, kept, where & False)
        self.memory.write(row, kept, where)
        ports = 2 if self.spec.ports == 1 else 1
        self.memory.tick(ports * (n if words else 1), 4 * n * self.ck.B)
        return v, rest, raw, U, fired, V


class InPlaceMachine(TreeMachine):
    """Layout C with the membranes in columns: the tree's sum enters bit by bit."""

    def membranes(self) -> int:
        if np.ndim(self.layer.beta) and len(np.unique(self.layer.beta)) > 1:
            what, found = f"{self.layer.name}: a beta for each neuron", "layout C"
            expected = 'layout A or B, or update="row"'
            raise Fault(what, expected=expected, found=f"{found}, in place")
        self.home = plan_layer(self.ck, self.layer, self.spec)
        self.array = Array(self.home.bases["W"], len(self.layer.w), 2)
        machine = BitSerial(self.ck, self.layer, self.home, self.spec)
        self.programs = machine.programs
        width = self.A - self.ck.f
        self.enter = merge(self.ck.f, width, width, width)
        self.array.bases |= dict(zip("VWLHM", machine.bases(0)))
        if machine.plan.bias_bits:
            raise Fault("no bias row in layout C", expected="bias-free layers")
        for space, name in (("L", "lam"), ("H", "theta")):
            if space in machine._rows_held():
                self.array.poke(space, self.layer.row(name), self.ck.B - 1)
        lam, theta = machine.registers.tolist()
        self.array.registers = {"lam": lam, "theta": theta}
        return -(-len(self.layer.w) // self.spec.cols)

    def clear(self) -> None:
        self.array.G[:] = False  # no spike is owed a reset
        self.run("clear")

    def run(self, name: str, program: Program | None = None, **more: int) -> None:
        """One program of layout A on the single-bit array, billed on whole macros."""
        program = program or self.programs[name]
        self.array.counts = {}
        self.array.run(program)
        found, cols = Counts(**self.array.counts), self.spec.cols
        across = -(-len(self.layer.w) // cols)
        found.macro_cycles = found.cycles * across
        for key in ("read_rows", "write_rows"):
            setattr(found, key, found[key] * across)
        found.columns_read = found.sense_ops = found.read_rows * cols
        found.columns_written = found.write_rows * cols
        found.adder_ops = found.adder_ops // len(self.layer.w) * cols * across
        self.bill(name, found + Counts(**more))

    def step(self, events: np.ndarray) -> Step:
        ck, a = self.ck, self.array
        current = self.tree(events) >> ck.f
        v, clears = a.peek("V", ck.B), 0
        after = ck.law == "floor_after"
        if not after and ck.law != "none":
            self.run("decay")
            clears = int(np.sum((v != 0) & (a.peek("V", ck.B) == 0)))
            self.bill("decay", Counts(cleared=clears))
        if self.late:
            self.run("reset")
        if ck.law != "drift":
            self.run("extend")
        width = self.A - ck.f
        a.bus[:width] = current >> np.arange(width)[:, None] & 1
        self.run("merge", self.enter)
        if after:
            self.run("decay")
        self.run("clamp")
        clamps = int(a.G.sum())
        self.bill("clamp", Counts(clamped=clamps))
        U = a.peek("V", ck.B)
        self.run("fire")
        fired = a.G.copy()
        self.bill("fire", Counts(fired=int(fired.sum())))
        if not self.late:
            self.run("reset")
        return Step(U, a.peek("V", ck.B), fired, clears, clamps)


def _rows_of(layer: Layer, mine: slice) -> Layer:
    """The part of a layer whose membranes stand in one row."""
    bias = None if layer.bias is None else layer.bias[mine]
    names = ("theta", "lam") + (() if layer.beta is None else ("beta",))
    own = {name: layer.row(name)[mine] for name in names}
    return replace(layer, w=layer.w[mine], bias=bias, **own)
