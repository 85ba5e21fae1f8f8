"""What an arm of the comparison is, in one table.

Training, array, energy, gates and figures read it; a new arm is a row.
"""

from dataclasses import dataclass

BETA_BITS = 8  # width of the exponential arm's multiplier


@dataclass(frozen=True)
class Arm:
    """One neuron model of the comparison.

    rounding: of the decay in whole numbers, where the law rounds (quantization).
    beta_bits: width of beta where the law multiplies.
    hardware: what the array adds for it, in words.
    """

    name: str
    law: str
    label: str
    colour: str
    marker: str = "o"
    rounding: str | None = None
    beta_bits: int | None = None
    hardware: str = ""


USUAL = {"exponential": "nearest", "shift": "floor"}  # roundings of a checkpoint
NEAREST, TOWARDS_REST = "nearest", "trunc"
_ROWS = (  # name, law, label, colour, marker, rounding, beta bits, hardware
    ("vlif", "exponential", "v-LIF (exponential)", "#0072B2", "o", NEAREST, 8)
    + ("bit-serial product, 8 bits",),
    ("ldlif", "shrink", "LD-LIF (linear)", "#D55E00", "s", None, None)
    + ("subtract towards rest",),
    ("if", "none", "IF (no decay)", "#009E73", "^", None, None, "nothing"),
    ("floor", "floor", "LD-LIF, floor at rest", "#CC79A7", "D", None, None)
    + ("subtract, clear below rest",),
    ("shift", "shift", "v-LIF by shift", "#56B4E9", "v", "floor", None)
    + ("subtract a shifted copy",),
    ("drift", "drift", "LD-LIF without rest (drift)", "#999933", "P", None, None)
    + ("subtract",),
    ("vlif_trunc", "exponential", "v-LIF, towards rest", "#332288", "<", TOWARDS_REST)
    + (8, "bit-serial product, 8 bits"),
    ("vlif16", "exponential", "v-LIF, 16-bit β", "#6699CC", ">", NEAREST, 16)
    + ("bit-serial product, 16 bits",),
    ("shift_near", "shift", "v-LIF by shift, nearest", "#44AA99", "X", "nearest", None)
    + ("subtract a shifted copy, one bit fetched first",),
)
ARMS = {row[0]: Arm(*row) for row in _ROWS}
