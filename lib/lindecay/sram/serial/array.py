"""The array itself, one bit a cell: what a cycle does, and what the ports allow.

A 10T cell has two single-ended read ports and one write port: a cycle reads at most
two rows on two bitlines, then writes at most one row. A read bitline is precharged
and discharges where the cell holds 1. A masked write drives every column: those whose
tag is off get back what their bitline said (half-selected columns).

Read, add and write share a cycle, the write last. Not modelled: sense margin, read
disturb, timing, and the analog of it all.
"""

from dataclasses import dataclass

import numpy as np

from lindecay.sram.isa.programs import (
    SPACES,
    Cycle,
    Program,
    check_cycle,
    refuse,
    rows_text,
)


@dataclass(frozen=True)
class Seen:
    """One cycle as it happened: all arrays bool [columns]."""

    cycle: Cycle
    A: np.ndarray  # bitlines of read port A (0 where no wordline rose)
    B: np.ndarray
    X: np.ndarray  # adder inputs
    Y: np.ndarray
    carry_in: np.ndarray
    sum: np.ndarray
    selected: np.ndarray  # columns that the write meant
    before: np.ndarray  # the written row
    after: np.ndarray
    T: np.ndarray  # latches at the end of the cycle
    G: np.ndarray
    C: np.ndarray


class Array:
    """Cells [rows, columns] with a full adder and three latches below each column.

    Args:
        rows, columns: size of the array.
        ports: read ports of a cell, 2 (10T) or 1 (8T).

    >>> from lindecay.sram import microcode
    >>> array = Array(rows=8, columns=3)
    >>> array.poke("V", [5, -2, 1], bits=4)
    >>> array.registers["lam"] = 2
    >>> _ = array.run(microcode.shrink(4))
    >>> array.peek("V", bits=4)
    array([3, 0, 0])
    """

    def __init__(self, rows: int, columns: int, ports: int = 2):
        self.cells = np.zeros((rows, columns), bool)
        self.used = np.ones(columns, bool)  # columns that hold a neuron
        self.T, self.G, self.C = (np.zeros(columns, bool) for _ in range(3))
        self.bases = dict.fromkeys(SPACES, 0)
        self.registers = {"lam": 0, "theta": 0}
        self.bus = np.zeros((64, columns), bool)  # what another macro sent, bit by bit
        self.ports = ports
        self.counts: dict[str, int] = {}

    def poke(self, space: str, values, bits: int) -> None:
        """Store integers [columns] in two's complement, LSB in the first row."""
        base, values = self.bases[space], np.asarray(values)
        for k in range(bits):
            self.cells[base + k] = values >> k & 1

    def peek(self, space: str, bits: int) -> np.ndarray:
        """The integers [columns] that rows of a space hold."""
        rows = self.cells[self.bases[space] :][:bits].astype(np.int64)
        weight = 2 ** np.arange(bits, dtype=np.int64)
        weight[-1] = -weight[-1]
        return weight @ rows

    def run(self, program: Program) -> list[Seen]:
        """All cycles of a program."""
        return [self.step(program, i) for i in range(len(program))]

    def step(self, program: Program, i: int) -> Seen:
        """Cycle i of a program; PortFault where it breaks a rule of the ports."""
        cycle = program.cycles[i]
        check_cycle(cycle, i, program.name, self.ports)
        A, B = self._read(cycle.a, program, i), self._read(cycle.b, program, i)
        if cycle.emit:
            self.bus[i] = A
        zero = np.zeros_like(A)
        X = {"0": zero, "A": A, "G": self.G}[cycle.x]
        line = self._line(cycle, B, i)
        turn = {"": zero, "~": ~zero, "^T": self.T, "^~T": ~self.T}[cycle.invert]
        Y = line ^ turn
        rest = {"": zero, "0": zero, "1": ~zero, "~T": ~self.T}
        rest |= {"C": self.C, "~C": ~self.C}
        carry = rest[cycle.carry]
        total = X ^ Y ^ carry
        selected, before, after = self._write(cycle, total, program, i)
        self._latch(cycle, X, line, total, (X & Y) | (X & carry) | (Y & carry))
        latches = (self.T.copy(), self.G.copy(), self.C.copy())
        return Seen(cycle, A, B, X, Y, carry, total, selected, before, after, *latches)

    def _count(self, **found) -> None:
        for name, n in found.items():
            self.counts[name] = self.counts.get(name, 0) + int(n)

    def _row(self, rows, program, i) -> int:
        (space, k), height = rows[0], len(self.cells)
        row = self.bases[space] + k
        if not 0 <= row < height:
            found = f"{rows_text(rows)} = {row}"
            refuse("no such row", program.name, i, found, f"0 to {height - 1}")
        return row

    def _read(self, rows, program, i) -> np.ndarray:
        if not rows:
            return np.zeros(self.cells.shape[1], bool)
        bits = self.cells[self._row(rows, program, i)].copy()
        self._count(read_rows=1, columns_read=bits.size, discharges=bits.sum())
        return bits

    def _line(self, cycle: Cycle, B: np.ndarray, i: int) -> np.ndarray:
        if cycle.y in self.registers:
            bit = self.registers[cycle.y] >> cycle.bit & 1
            return np.full_like(B, bool(bit))
        if cycle.y == "bus":
            return self.bus[i]
        return {"0": np.zeros_like(B), "B": B, "T": self.T}[cycle.y]

    def _write(self, cycle: Cycle, total, program, i):
        none = np.zeros_like(total)
        if not cycle.w:
            return none, none, none
        row = self._row(cycle.w, program, i)
        value = {"sum": total, "0": none, "T": self.T, "~T": ~self.T}[cycle.value]
        selected = self.used & (self.G if cycle.masked else ~none)
        before = self.cells[row].copy()
        after = np.where(selected, value, before)
        self.cells[row] = after
        self._count(write_rows=1, columns_written=total.size)
        self._count(columns_selected=selected.sum(), flips=(before ^ after).sum())
        return selected, before, after

    def _latch(self, cycle: Cycle, X, line, total, carry) -> None:
        G = {"hold": self.G, "X": X, "sum": total, "~sum": ~total}
        G |= {"sum^T": total ^ self.T, "X|sum": X | total, "G|sum": self.G | total}
        T = {"hold": self.T, "X": X, "Y": line, "sum": total}
        self.G, self.T = G[cycle.G].copy(), T[cycle.T].copy()
        if cycle.adds:
            self.C = carry
        self._count(cycles=1, adder_ops=self.G.size if cycle.adds else 0)
