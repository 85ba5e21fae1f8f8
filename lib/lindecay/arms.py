"""What an arm of the comparison is, in one table.

Training, array, energy, gates and figures read it; a new arm is a row.
"""

from dataclasses import dataclass

BETA_BITS = 8  # width of the exponential arm's multiplier
USUAL = {"exponential": "nearest", "shift": "floor"}  # roundings of a checkpoint
NEAREST, TOWARDS_REST = "nearest", "trunc"

# what a unit beside the memory computes, as energy and gates call it
PRODUCT, WIDE_PRODUCT = "v-LIF, 8-bit β", "v-LIF, 16-bit β"
LINEAR, SHIFT, NO_DECAY = "LD-LIF", "shift-exponential", "IF"
ROUNDED = "shift-exponential, rounding"
UNITS = (PRODUCT, WIDE_PRODUCT, LINEAR, SHIFT, ROUNDED)  # those that decay


@dataclass(frozen=True)
class Arm:
    """One neuron model of the comparison.

    rounding: of the decay in whole numbers, where the law rounds (quantization).
    beta_bits: width of beta where the law multiplies.
    hardware: what the array adds for it, in words.
    unit: what a unit beside the memory computes for it, one of `UNITS`, or nothing.
    module: of its decay in Verilog (energy/verilog/neuron.v).
    """

    name: str
    law: str
    label: str
    colour: str
    marker: str = "o"
    rounding: str | None = None
    beta_bits: int | None = None
    hardware: str = ""
    unit: str = LINEAR
    module: str = ""


_ROWS = (  # the fields of an arm in their order
    ("vlif", "exponential", "v-LIF (exponential)", "#0072B2", "o", NEAREST, 8)
    + ("bit-serial product, 8 bits", PRODUCT, "decay_beta"),
    ("ldlif", "shrink", "LD-LIF (linear)", "#D55E00", "s", None, None)
    + ("subtract towards rest", LINEAR, "decay_shrink"),
    ("if", "none", "IF (no decay)", "#009E73", "^", None, None) + ("nothing", NO_DECAY),
    ("floor", "floor", "LD-LIF, floor at rest", "#CC79A7", "D", None, None)
    + ("subtract, clear below rest", LINEAR, "decay_floor"),
    ("shift", "shift", "v-LIF by shift", "#56B4E9", "v", "floor", None)
    + ("subtract a shifted copy", SHIFT, "decay_shift"),
    ("drift", "drift", "LD-LIF without rest (drift)", "#999933", "P", None, None)
    + ("subtract", LINEAR, "decay_drift"),
    ("vlif_trunc", "exponential", "v-LIF, towards rest", "#332288", "<", TOWARDS_REST)
    + (8, "bit-serial product, 8 bits", PRODUCT, "decay_beta"),
    ("vlif16", "exponential", "v-LIF, 16-bit β", "#6699CC", ">", NEAREST, 16)
    + ("bit-serial product, 16 bits", WIDE_PRODUCT, "decay_beta"),
    ("shift_near", "shift", "v-LIF by shift, nearest", "#44AA99", "X", NEAREST, None)
    + ("subtract a shifted copy, one bit fetched first", ROUNDED)
    + ("decay_shift_round",),
)
ARMS = {row[0]: Arm(*row) for row in _ROWS}
MODULES = {arm.module: arm.law for arm in ARMS.values() if arm.module}


def unit_of(law: str, beta_bits: int | None = None) -> str | None:
    """What a unit beside the memory computes for a checkpoint's law; None: no unit.

    beta_bits: width of beta where the law multiplies.

    >>> unit_of("exponential", 16), unit_of("drift"), unit_of("mine")
    ('v-LIF, 16-bit β', 'LD-LIF', None)
    """
    if law == "exponential":
        return WIDE_PRODUCT if (beta_bits or 0) > BETA_BITS else PRODUCT
    law = "floor" if law == "floor_after" else law
    return next((arm.unit for arm in ARMS.values() if arm.law == law), None)
