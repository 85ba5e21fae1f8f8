"""What else could update a membrane: the rivals, with the array's own constants.

One neuron, one step: decay, add the input, clamp, compare, reset. Words are B bits on
both sides. Each rival is a sum of named parts, in pJ a neuron update:

    word-sequential    one word after another through one unit; cycles = N
    row-wide           a full row read, C / B small units, the row written; the
                       membrane never leaves the array's edge
    in the array       the ledger's own programs (see `model.Bill.per_update_pj`)

The unit differs by law: a product for v-LIF, one subtraction for linear decay (the
sign steers add or subtract), one shift and one subtraction for the shift-exponential.
"""

from dataclasses import dataclass

import numpy as np

from lindecay.energy import events, memory
from lindecay.settings import Fault

LAWS = ("v-LIF, 8-bit β", "v-LIF, 16-bit β", "LD-LIF", "shift-exponential")
ACCESSES = ("word-sequential", "row-wide")


@dataclass(frozen=True)
class Update:
    """Energy of one neuron update by part, and the cycles of a layer's update."""

    law: str
    access: str
    parts: dict[str, float]  # pJ
    cycles: int  # for all neurons of a layer

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


def decay_pj(v: dict, law: str, bits: int, rounding: bool = False):
    """The decay alone, pJ a neuron; no memory, no registers.

    Linear, sign-aware: one addition and one comparison of signs. Shift: one
    subtraction (the shift is wire), one more addition to round to nearest.
    """
    if law.startswith("v-LIF"):
        return events.multiplier_pj(v, bits, 16 if "16-bit" in law else 8)
    if law == "LD-LIF":
        return adders_pj(v, bits)
    if law == "shift-exponential":
        return adders_pj(v, bits) * (2 if rounding else 1)
    raise Fault("no such law", expected=", ".join(LAWS), found=law)


def rest_pj(v: dict, bits: int):
    """Add the input, compare with θ, subtract θ: three additions.

    The clamp is a selection by two overflow bits and is not billed on either side.
    """
    return 3 * adders_pj(v, bits)


def logic(v: dict, law: str, bits: int) -> dict:
    """Parts of the unit that every access needs: law, rest, two registers."""
    return {
        "decay": decay_pj(v, law, bits),
        "add, compare, reset": rest_pj(v, bits),
        "registers": 2 * bits * v["register_bit"],
    }


def word_sequential(v: dict, law: str, bits: int, neurons: int) -> Update:
    """One unit, one word a cycle, from a memory of just these membranes.

    Its clock drives the unit's registers, not 256 columns; its control is a counter
    and a pipeline, not a sequencer of microcode.
    """
    read, write = memory.pair(v, neurons, bits)
    parts = {"memory read": read, "memory write": write} | logic(v, law, bits)
    parts |= {
        "clock": 2 * bits * v["clock_column"],
        "control": v["control_unit"],
        "leakage": leaking(v, neurons, bits, cycles=1.0),
    }
    return Update(law, "word-sequential", parts, neurons)


def row_wide(v: dict, law: str, bits: int, rows: int = 256, cols: int = 256) -> Update:
    """C / B units below the array that holds the membranes: one row a cycle.

    The same cells, bitlines and ports as the in-array update, read and written once.
    """
    per_row = cols // bits
    share = 1 / per_row  # of what a row costs
    parts = {
        "memory read": bits * memory.row_read_bit_pj(v, rows),
        "memory write": cols * share * memory.row_write_bit_pj(v, rows),
        "wordlines": 2 * share * memory.wordline_pj(v, cols),
    } | logic(v, law, bits)
    parts |= {
        "clock": 2 * bits * v["clock_column"],
        "control": share * v["control_cycle"],
        "leakage": share * events.leakage_pj(v),
    }
    return Update(law, "row-wide", parts, 1)


def leaking(v: dict, words: int, bits: int, cycles: float):
    """Leakage of a memory of words x bits for some cycles, by its share of a macro."""
    return events.leakage_pj(v) * cycles * words * bits / (256 * 256)


def rivals(
    v: dict, bits: int, neurons: int, rows: int = 256, cols: int = 256
) -> list[Update]:
    """Every law with every access."""
    sequential = [word_sequential(v, law, bits, neurons) for law in LAWS]
    wide = [
        Update(u.law, u.access, u.parts, -(-neurons // (cols // bits)))
        for u in (row_wide(v, law, bits, rows, cols) for law in LAWS)
    ]
    return sequential + wide


def find(updates: list[Update], law: str, access: str) -> Update:
    """The rival of that law and access."""
    for one in updates:
        if one.law == law and one.access == access:
            return one
    raise Fault("no such rival", expected=", ".join(u.name for u in updates), found=law)


def shares(v: dict, bits: int, neurons: int, in_array_pj: float) -> dict[str, float]:
    """Where the gain over word-sequential v-LIF comes from, as factors that multiply.

    word-sequential v-LIF -> row-wide v-LIF -> row-wide LD-LIF -> LD-LIF in the array:
    wider access, a cheaper law, arithmetic inside the array. A factor below 1 loses.
    """
    table = rivals(v, bits, neurons)
    law = LAWS[0]
    start = find(table, law, "word-sequential").pj
    wide = find(table, law, "row-wide").pj
    linear = find(table, "LD-LIF", "row-wide").pj
    steps = (start / wide, wide / linear, linear / in_array_pj, start / in_array_pj)
    names = ("row-wide access", "linear decay", "in-array arithmetic", "all three")
    return {name: float(np.mean(step)) for name, step in zip(names, steps)}
