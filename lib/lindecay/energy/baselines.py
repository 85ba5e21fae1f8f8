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

from lindecay.energy import events, memory
from lindecay.settings import Fault

ROUNDED = "shift-exponential, rounding"
LAWS = (
    "v-LIF, 8-bit β",
    "v-LIF, 16-bit β",
    "LD-LIF",
    "shift-exponential",  # truncating: V - (V >> k)
    ROUNDED,
)
ACCESSES = ("word-sequential", "row-wide")


@dataclass(frozen=True)
class Update:
    """A layer's update in one step: energy a neuron by part, cycles of the layer.

    Leakage is not in `parts`: it depends on what else is powered, see `compare`.
    """

    law: str
    access: str
    parts: dict[str, float]  # pJ a neuron
    cycles: int  # for all neurons of the layer

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
        return events.multiplier_pj(v, bits, 16 if "16-bit" in law else 8)
    if law == "LD-LIF":
        return adders_pj(v, bits)
    if law in ("shift-exponential", ROUNDED):
        return adders_pj(v, bits) * (2 if law == ROUNDED else 1)
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


def sum_pj(v: dict, sum_bits: int, rows: int = 256):
    """Read a partial sum from the array's columns and clear it; none where 0 bits."""
    read = memory.row_read_bit_pj(v, rows)
    return sum_bits * (read + memory.row_write_bit_pj(v, rows))


def word_sequential(
    v: dict, law: str, bits: int, neurons: int, sum_bits: int = 0
) -> Update:
    """One unit, one word a cycle, from a memory of just these membranes.

    Its clock drives the unit's registers, not 256 columns; its control is a counter
    and a pipeline, not a sequencer of microcode.

    Args:
        bits: membrane bits B.
        neurons: of the layer.
        sum_bits: width of the sum that the array hands over (0: it arrives by wire).
    """
    read, write = memory.pair(v, neurons, bits)
    parts = {"memory read": read, "memory write": write} | logic(v, law, bits)
    parts |= {
        "partial sums": sum_pj(v, sum_bits),
        "clock": 2 * bits * v["clock_column"],
        "control": v["control_unit"],
    }
    return Update(law, "word-sequential", parts, neurons)


def row_wide(
    v: dict,
    law: str,
    bits: int,
    neurons: int | None = None,
    sum_bits: int = 0,
    rows: int = 256,
    cols: int = 256,
) -> Update:
    """C // B units below the array that holds the membranes: one row a cycle.

    The same cells, bitlines and ports as the in-array update, read and written once.
    A row costs what it costs, full or not; by default it is full.
    """
    per_row = cols // bits
    neurons = neurons or per_row
    cycles = -(-neurons // per_row)
    share = cycles / neurons  # rows a neuron
    read = cols * memory.row_read_bit_pj(v, rows)
    write = cols * memory.row_write_bit_pj(v, rows)
    parts = {
        "memory read": share * read,
        "memory write": share * write,
        "wordlines": 2 * share * memory.wordline_pj(v, cols),
    } | logic(v, law, bits)
    parts |= {
        "partial sums": sum_pj(v, sum_bits, rows),
        "clock": share * cols * v["clock_column"],
        "control": share * v["control_cycle"],
    }
    return Update(law, "row-wide", parts, cycles)


def rival(v: dict, law: str, access: str, bits: int, neurons: int, **more) -> Update:
    """The rival of that law and access for one layer."""
    if access not in ACCESSES:
        raise Fault("no such access", expected=" or ".join(ACCESSES), found=access)
    make = word_sequential if access == "word-sequential" else row_wide
    return make(v, law, bits, neurons, **more)


def rivals(v: dict, bits: int, neurons: int, sum_bits: int = 0) -> list[Update]:
    """Every law with every access."""
    return [
        rival(v, law, access, bits, neurons, sum_bits=sum_bits)
        for access in ACCESSES
        for law in LAWS
    ]
