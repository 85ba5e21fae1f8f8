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
from lindecay.laws import refuse_timed
from lindecay.settings import Fault
from lindecay.sram.isa.language import SPACES
from lindecay.sram.isa.programs import Program, merge
from lindecay.sram.ledger import Counts
from lindecay.sram.place.linear import plan_layer
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial.array import Array
from lindecay.sram.serial.machine import LayerMachine as BitSerial
from lindecay.sram.serial.planes import unpack
from lindecay.sram.stepwise.words import (
    LayerMachine,
    Step,
    WordPlan,
    Words,
    additions,
    decayed,
    fires,
    integrated,
    late,
    reset,
)

TREE_CYCLES = 3  # of one pass through a pipelined adder tree


class TreeMachine(LayerMachine):
    """Layout C: sums from adder trees, membranes near memory, by rows or by words."""

    @classmethod
    def takes(cls, ck, spec, N, K, A, bits) -> int:
        if spec.cols < max(bits, ck.B):
            raise Fault(
                "a word does not fit a macro",
                expected=f"at least {max(bits, ck.B)} columns",
                found=f"{spec.cols}",
            )
        trees = -(-K // spec.rows) * -(-N // (spec.cols // bits))
        return trees + cls.homes(ck, spec, N)

    @staticmethod
    def homes(ck: Checkpoint, spec: MacroSpec, N: int) -> int:
        """Macros of the membranes."""
        rows = -(-N // (spec.cols // ck.B))
        return -(-rows // spec.rows)

    def __init__(self, ck: Checkpoint, layer: Layer, spec: MacroSpec, *more, **told):
        super().__init__(ck, layer, spec, *more, **told)
        self.takes(ck, spec, *layer.w.shape, self.A, layer.bits)
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
        alu, passes = self.alu, _passes(events)
        ones = np.zeros((len(self.layer.w), self.layer.bits), np.int64)
        for seen in passes:  # an input that spikes again needs the tree again
            ones = alu.add(ones, alu.ones(self.bits[:, seen]), 0, 40)
        total = 0 * ones[:, 0]
        for k in range(self.layer.bits):
            top = k == self.layer.bits - 1  # the sign bit counts negative
            part = ones[:, k] << k
            total = alu.add(total, ~part if top else part, int(top), 40)
        times = TREE_CYCLES * max(1, len(passes))
        spent = Counts(cycles=times, macro_cycles=times * self.trees)
        self.bill("accumulate", spent + Counts(**self.spiked(events)))
        if self.row_tiles > 1:
            width = self.layer.bits + int(np.ceil(np.log2(self.layer.w.shape[1])))
            moved = (self.row_tiles - 1) * len(self.layer.w) * width
            cycles = int(np.ceil(np.log2(self.row_tiles)))
            more = {"transport_bits": moved, "macro_cycles": cycles * self.trees}
            self.bill("merge", Counts(cycles=cycles, adder_ops=moved, **more))
        return total << self.ck.f

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
        ck, alu, wide = self.ck, self.alu, self.A + 2
        rest = decayed(ck, layer, v, alu)
        owed = alu.add(rest, ~late(ck, layer, v, alu), 1, wide) if self.late else rest
        raw = integrated(ck, layer, owed, current[:n], alu, wide)
        U = np.clip(raw, self.ck.v_min, self.ck.v_max)
        fired = fires(layer, U, alu, wide)
        V = reset(ck, layer, U, fired, alu, wide)
        kept = np.zeros((1, per), np.int64)
        kept[0, :n] = V
        where = (np.arange(per) < n)[None]
        for _ in range(n - 1 if words else 0):  # every word raises the row again
            self.memory.read(row)
            self.memory.write(row, kept, where & False)
        self.memory.write(row, kept, where)
        ports = 2 if self.spec.ports == 1 else 1
        self.memory.tick(
            ports * (n if words else 1), (3 + additions(ck, layer)) * n * ck.B
        )
        return v, rest, raw, U, fired, V


class InPlaceMachine(TreeMachine):
    """Layout C with the membranes in columns: the tree's sum enters bit by bit."""

    @staticmethod
    def homes(ck: Checkpoint, spec: MacroSpec, N: int) -> int:
        return -(-N // spec.cols)

    def membranes(self) -> int:
        refuse_timed(self.ck.law, "layout C in place")
        self.home = plan_layer(self.ck, self.layer, self.spec, self.often)
        self.array = Array(self.home.bases["W"], len(self.layer.w), 2)
        machine = BitSerial(self.ck, self.layer, self.home, self.spec)
        self.programs = machine.programs
        width = self.A - self.ck.f
        self.enter = merge(self.ck.f, width, width, width)
        self.array.bases |= dict(zip(SPACES, machine.bases(0)))
        own, n = self.home.bases["W"], len(self.layer.w)
        self.array.cells[:] = unpack(machine.cells[0, :own], n)  # rows of λ, θ, β, bias
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
        if self.layer.bias is not None:
            self.run("bias")
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


def _passes(events: np.ndarray) -> list[np.ndarray]:
    """The inputs of each pass of the trees: those that spike at least so often.

    >>> [seen.tolist() for seen in _passes(np.array([4, 7, 4]))]
    [[4, 7], [4]]
    """
    inputs, often = np.unique(events, return_counts=True)
    return [inputs[often > n] for n in range(int(often.max(initial=0)))]


def _rows_of(layer: Layer, mine: slice) -> Layer:
    """The part of a layer whose membranes stand in one row."""
    names = ("theta", "lam", "bias", "beta")
    held = [name for name in names if getattr(layer, name) is not None]
    return replace(layer, w=layer.w[mine], **{k: layer.row(k)[mine] for k in held})
