"""What one electrical event costs at 65 nm and 1.0 V, in pJ.

    bitline that falls       swing C V^2       C = rows x capacitance of a cell
    bitline that is driven   toggle C V^2
    adder bit                one eighth of an 8-bit addition
    leakage of a cycle       P t ((1 - e) cells / 64 K + e (rows + columns) / 512)

P is an 8 KB macro's, e the share of it that goes with the edge and not the cells.

Every argument may be an array of draws: the formulas are the same for one value and
for a Monte Carlo.
"""

from lindecay.energy.scaling import HEADLINE

FJ = 1e-3  # pJ per fJ; fF V^2 is fJ
VDD = HEADLINE[1]


def bitline_pj(v: dict, rows: int):
    """A bitline of `rows` cells through the whole supply."""
    return FJ * v["bitline_cell"] * rows * VDD**2


def adder_bit_pj(v: dict):
    """One full adder, one addition."""
    return v["add8"] / 8


def multiplier_pj(v: dict, bits: int, factor_bits: int):
    """A product of `bits` by `factor_bits`: energy goes with the partial products."""
    return v["mul8"] * bits * factor_bits / 64


def transposed_bit_pj(v: dict):
    """One bit into the buffer that turns upright sums into words or back, and out."""
    return 2 * v["register_bit"]


def cycle_us(v: dict):
    """One clock cycle in µs."""
    return 1 / v["clock_mhz"]


def macros_worth(v: dict, rows: float, cols: int):
    """Leakage of a macro of that size over that of 256 x 256.

    >>> macros_worth({"leakage_edge": 0.2}, 256, 256)
    1.0
    >>> round(macros_worth({"leakage_edge": 0.2}, 64, 256), 3)
    0.325
    """
    edge = v["leakage_edge"]
    return (1 - edge) * rows * cols / 256**2 + edge * (rows + cols) / 512


def leakage_pj(v: dict, rows: float = 256, cols: int = 256):
    """One macro of that size over one cycle: mW x µs = nJ."""
    return v["leakage_macro"] * macros_worth(v, rows, cols) * cycle_us(v) * 1e3


def prices(v: dict, rows: int, cols: int, address_bits: float = 12) -> dict:
    """pJ for each of the ledger's events, by component: (ledger field, pJ).

    A component is one field of the ledger times one price. `half` and `leaking` are
    derived fields, see `model`; `tree_ops` and
    `transposed_bits` only layout C has.

    Args:
        v: values of the constants, from `constants.values` or `constants.draw`.
        rows, cols: cells of a macro.
        address_bits: bits of one queue entry.

    >>> from lindecay.energy.constants import load, values
    >>> field, pj = prices(values(load()), 256, 256)["bitlines"]
    >>> field, round(1e3 * pj)
    ('discharges', 57)
    """
    line = bitline_pj(v, rows)
    row = v["wordline_column"] * cols + v["decoder"]
    bit_sent = v["wire_mm"] * v["hop_mm"] * v["wire_toggle"]
    return {
        "bitlines": ("discharges", v["read_swing"] * line),
        "precharge": ("columns_read", v["precharge_column"]),
        "sense": ("sense_ops", v["sense_amp"]),
        "wordlines": ("row_activations", row),
        "adders": ("adder_ops", adder_bit_pj(v)),
        "latches": ("adder_ops", v["register_bit"]),
        "write-back": ("columns_selected", v["write_toggle"] * line),
        "half-selected": ("half_selected", v["write_toggle"] * line),
        "cell flips": ("flips", FJ * v["cell_node"] * VDD**2),
        "clock": ("macro_cycles", v["clock_column"] * cols),
        "control": ("macro_cycles", v["control_cycle"]),
        "leakage": ("leaking_cycles", leakage_pj(v, rows, cols)),
        "event queue": ("queue_entries", v["queue_bit"] * address_bits),
        "transport": ("transport_bits", bit_sent),
        "adder tree": ("tree_ops", adder_bit_pj(v)),
        "transposition": ("transposed_bits", transposed_bit_pj(v)),
    }
