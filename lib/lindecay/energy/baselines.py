"""What else could update a membrane: the rivals, with the array's own constants.

One neuron, one step: decay, add the input, clamp, compare, reset. Words are B bits on
both sides. Each rival is a sum of named parts, in pJ a neuron update:

    word-sequential    one word after another through one unit; N cycles
    row-wide           a full row read, C // B small units, the row written; the
                       membrane never leaves the array's edge; N / (C // B) cycles
    in the array       the ledger's own programs (see `model.Bill.per_update_pj`)

The unit differs by law: a product for v-LIF, one subtraction for linear decay (the
sign steers add or subtract), one shift and one subtraction for the shift-exponential.

Both have the array's ports, two to read and one to write: a word or a row a cycle. How
the sum of a step comes to the unit is the layout's (`HANDED`); what stands upright in
A rows is read and cleared row by row, A cycles for each column tile, and turned into
words in a buffer.
"""

from dataclasses import dataclass
from math import ceil

from lindecay.arms import (
    LINEAR,
    NO_DECAY,
    ROUNDED,
    SHIFT,
    UNITS,
    WIDE_PRODUCT,
)
from lindecay.energy import events, memory
from lindecay.settings import Fault

ACCESSES = ("word-sequential", "row-wide")
HANDED = {"A": "upright", "B": "words", "C": "wire"}  # sums of a step, by layout


@dataclass(frozen=True)
class Update:
    """A layer's update in one step: energy a neuron by part, cycles of the layer.

    Leakage is not in `parts`: it depends on what else is powered, see `compare`.
    """

    law: str
    access: str
    parts: dict[str, float]  # pJ a neuron
    cycles: int  # for all neurons of the layer
    reading: int = 0  # of those, cycles in which the array hands over its sums

    @property
    def name(self) -> str:
        """Law and access."""
        return f"{self.law}, {self.access}"

    @property
    def pj(self):
        """Sum of the parts."""
        return sum(self.parts.values())


def adders_pj(v: dict, bits: int):
    """A carry-propagate addition of `bits`."""
    return bits * events.adder_bit_pj(v)


def decay_pj(v: dict, law: str, bits: int):
    """The decay alone, pJ a neuron; no memory, no registers.

    Linear, sign-aware: one addition and one comparison of signs. Shift: one
    subtraction (the shift is wire), one more addition to round to nearest: billed as
    a row of half adders would be, dear; a carry-in would do.
    """
    if law.startswith("v-LIF"):
        return events.multiplier_pj(v, bits, 16 if law == WIDE_PRODUCT else 8)
    if law == NO_DECAY:
        return 0.0
    if law == LINEAR:
        return adders_pj(v, bits)
    if law in (SHIFT, ROUNDED):
        return adders_pj(v, bits) * (2 if law == ROUNDED else 1)
    raise Fault("no such law", expected=", ".join(UNITS), found=law)


def logic(v: dict, law: str, bits: int) -> dict:
    """Parts of the unit that every access needs: law, rest, two registers.

    Adding the input, comparing with θ and subtracting θ are three additions. The clamp
    is a selection of B bits after two overflow bits: billed as B adder bits, dear.
    """
    return {
        "decay": decay_pj(v, law, bits),
        "add, compare, reset": 3 * adders_pj(v, bits),
        "clamp": adders_pj(v, bits),
        "registers": 2 * bits * v["register_bit"],
    }


@dataclass(frozen=True)
class Sums:
    """How the sums of a step reach a unit outside the array.

    Args:
        how: "upright" (A rows of the columns), "words" (rows of words), "wire".
        bits: A, the width of a sum.
        rows, cols: of the macro that holds them.
        tiles: column tiles that hold them; as few as can be where it is 0.
    """

    how: str = "wire"
    bits: int = 0
    rows: int = 256
    cols: int = 256
    tiles: int = 0

    def cycles(self, neurons: int) -> int:
        """Cycles in which nothing but the hand-over happens.

        Words share their cycles with the membranes: the second read port fetches them.
        """
        return self.bits * self._tiles(neurons) if self.how == "upright" else 0

    def _tiles(self, neurons: int) -> int:
        return self.tiles or ceil(neurons / self.cols)

    def parts(self, v: dict, neurons: int) -> dict:
        """pJ a neuron: bits read and cleared, wordlines, buffer, clock, control."""
        if self.how == "wire":
            return {}
        upright = self.how == "upright"
        per_row = max(self.cols // self.bits, 1)
        rows = self.cycles(neurons) if upright else ceil(neurons / per_row)  # a step
        read = memory.row_read_bit_pj(v, self.rows)
        driven = self.cols * (read + memory.row_write_bit_pj(v, self.rows))
        lines = 2 * memory.wordline_pj(v, self.cols)
        told = {"partial sums": rows * (driven + lines) / neurons}
        if upright:
            beat = self.cols * v["clock_column"] + v["control_cycle"]
            told["transposition"] = self.bits * events.transposed_bit_pj(v)
            told["cycles of the sums"] = self.cycles(neurons) * beat / neurons
        return told


WIRE = Sums()


def word_sequential(
    v: dict, law: str, bits: int, neurons: int, sums: Sums = WIRE
) -> Update:
    """One unit, one word a cycle, from a memory of just these membranes.

    Its clock drives the unit's registers, not 256 columns; its control is a counter
    and a pipeline, not a sequencer of microcode. The memory is billed as 6T cells, the
    cheapest, though its read and write share a cycle.

    Args:
        bits: membrane bits B.
        neurons: of the layer.
        sums: how the sum of a step arrives.
    """
    read, write = memory.pair(v, neurons, bits)
    parts = {"memory read": read, "memory write": write} | logic(v, law, bits)
    parts |= sums.parts(v, neurons)
    parts |= {"clock": 2 * bits * v["clock_column"], "control": v["control_unit"]}
    reading = sums.cycles(neurons)
    return Update(law, "word-sequential", parts, neurons + reading, reading)


def row_wide(
    v: dict, law: str, bits: int, neurons: int | None = None, sums: Sums = WIRE
) -> Update:
    """C // B units below the array that holds the membranes: one row a cycle.

    The same cells, bitlines and ports as the in-array update, read and written once.
    A row costs what it costs, full or not; by default it is full.
    """
    per_row = sums.cols // bits
    neurons = neurons or per_row
    cycles = -(-neurons // per_row)
    share, cols = cycles / neurons, sums.cols  # rows a neuron
    parts = {
        "memory read": share * cols * memory.row_read_bit_pj(v, sums.rows),
        "memory write": share * cols * memory.row_write_bit_pj(v, sums.rows),
        "wordlines": 2 * share * memory.wordline_pj(v, cols),
    } | logic(v, law, bits)
    parts |= sums.parts(v, neurons)
    parts |= {
        "clock": share * cols * v["clock_column"],
        "control": share * v["control_cycle"],
    }
    reading = sums.cycles(neurons)
    return Update(law, "row-wide", parts, cycles + reading, reading)


def rival(
    v: dict, law: str, access: str, bits: int, neurons: int, sums: Sums = WIRE
) -> Update:
    """The rival of that law and access for one layer."""
    if access not in ACCESSES:
        raise Fault("no such access", expected=" or ".join(ACCESSES), found=access)
    make = word_sequential if access == "word-sequential" else row_wide
    return make(v, law, bits, neurons, sums)
