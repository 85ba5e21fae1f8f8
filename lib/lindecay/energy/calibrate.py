"""One in-array bit operation of the model beside silicon: IMPULSE, 65 nm, 1.0 V.

    op / bit = 2 reads + adder + latch + write-back + a column's share of the rest

IMPULSE reports 1 / 0.99 TOPS/W for a signed 11-bit operation at 0.85 V: 129 fJ a bit
at 1.0 V. An operation is taken as one in-array addition with its reads and its
write-back; were an addition counted as two operations, silicon would be at twice that.
"""

from lindecay.energy import constants as table
from lindecay.energy import events, memory

LEAST, MOST = 0.5, 2.0  # a ratio outside says that the model is of another machine


def silicon_fj(constants: dict) -> float:
    """IMPULSE's energy a bit at 1.0 V in fJ.

    >>> round(silicon_fj(table.load()))
    129
    """
    op, bits = (constants[k].headline()[0] for k in ("impulse_op", "impulse_bits"))
    return 1e3 * op / bits


def bit_op_fj(v: dict, rows: int, cols: int = 256):
    """Model: two rows read, one full adder, one row written back, per column, in fJ."""
    read = 2 * memory.row_read_bit_pj(v, rows)
    write = memory.row_write_bit_pj(v, rows)
    logic = events.adder_bit_pj(v) + v["register_bit"] + v["clock_column"]
    row = (
        3 * memory.wordline_pj(v, cols)
        + v["control_cycle"]
        + events.leakage_pj(v, rows, cols)
    )
    return 1e3 * (read + write + logic + row / cols)


def impulse(constants: dict | None = None, n: int = 20_000) -> dict[str, float]:
    """The ratio model / silicon, its band, and the same at our own macro's height.

    Returns:
        silicon_fj, model_fj (at IMPULSE's rows), ratio, low, high (95 % of the draws),
        ours_fj (256 rows), ours_ratio, cacti_fj (CACTI's row read twice and written,
        as the tool bills it), cacti_ratio.
    """
    constants = constants if constants is not None else table.load()
    silicon, v = silicon_fj(constants), table.values(constants)
    rows = constants["impulse_rows"]
    model, ours = bit_op_fj(v, int(rows.value)), bit_op_fj(v, 256)
    draws = table.draw(constants, n, seed=7)
    heights = table.draw(constants, n, seed=8, role="anchor")["impulse_rows"]
    ratios = sorted(bit_op_fj(draws, heights) / silicon)
    tool = 2 * constants["cacti_row4k_read"].headline()[0]
    tool = 1e3 * (tool + constants["cacti_row4k_write"].headline()[0]) / 128
    return {
        "silicon_fj": silicon,
        "model_fj": model,
        "ratio": model / silicon,
        "low": float(ratios[int(0.025 * n)]),
        "high": float(ratios[int(0.975 * n)]),
        "ours_fj": ours,
        "ours_ratio": ours / silicon,
        "cacti_fj": tool,
        "cacti_ratio": tool / silicon,
    }


def widths(constants: dict | None = None) -> dict[int, float]:
    """Model over silicon for arrays of other widths: the chip's columns are not known.

    >>> told = widths()
    >>> list(told), told[64] > told[256] > told[512]
    ([64, 128, 256, 512], True)
    """
    constants = constants if constants is not None else table.load()
    silicon, v = silicon_fj(constants), table.values(constants)
    rows = int(constants["impulse_rows"].value)
    return {c: float(bit_op_fj(v, rows, c) / silicon) for c in (64, 128, 256, 512)}


def explained(constants: dict | None = None) -> list[tuple[str, float]]:
    """From CACTI's bill to ours, one change at a time: (what, fJ a bit).

    CACTI's write bills both lines of a pair through the whole supply, though one of
    them moves; its read bills both through the small swing of a sense amplifier,
    where a single-ended port falls further, but only over a cell that holds 1.
    """
    constants = constants if constants is not None else table.load()
    v, told = table.values(constants), impulse(constants, n=100)
    line, rows = events.bitline_pj(v, 128) * 1e3, int(constants["impulse_rows"].value)
    write = told["cacti_fj"] - line  # one of the two lines rests
    fall = 2 * 2 * v["differential_swing"] * line
    single = write - fall + 2 * 0.5 * v["read_swing"] * line
    return [
        ("CACTI 7, two row reads and a write, 128 rows", told["cacti_fj"]),
        ("one line of a pair moves in a write", write),
        ("single-ended reads, half of the cells hold 1", single),
        ("no output drivers, our adder, latch, clock, control", bit_op_fj(v, 128)),
        (f"bitlines of {rows} cells (IMPULSE)", told["model_fj"]),
        ("bitlines of 256 cells (ours)", told["ours_fj"]),
        ("IMPULSE, silicon", told["silicon_fj"]),
    ]
