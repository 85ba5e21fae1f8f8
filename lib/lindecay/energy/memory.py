"""A membrane memory beside the array, billed with the same wires as the array.

A word is read through a column multiplexer: every column of its row discharges, a
word's worth is sensed, and leaves. A rival gets the organisation that suits it best:
words per row are chosen for the least energy of one read and one write.

    read  = columns (d C V^2 + precharge) + wordline + decoder + bits (sense + out)
    write = bits C V^2 + (columns - bits)(d C V^2 + precharge) + wordline + decoder

C: bitline of that memory's rows, d: share of Vdd by which a 6T pair falls. A word
costs what its row costs, not a price per bit: CACTI asks nearly the same for 8, 16
and 32 bits of 1 KB (data/technology.csv), so no word is billed by the bit here.
"""

import numpy as np

from lindecay.energy import events

WORDS_PER_ROW = (1, 2, 4, 8, 16)


def read_pj(v: dict, rows: int, columns: int, bits: int):
    """Read `bits` of a row of `columns` 6T cells, out to the edge."""
    line = events.bitline_pj(v, rows)
    fall = v["differential_swing"] * line + v["precharge_column"]
    out = v["sense_amp"] + v["output_bit"]
    return columns * fall + bits * out + v["wordline_column"] * columns + v["decoder"]


def write_pj(v: dict, rows: int, columns: int, bits: int):
    """Write `bits` of a row; the other columns of the row are read in vain."""
    line = events.bitline_pj(v, rows)
    fall = v["differential_swing"] * line + v["precharge_column"]
    driven = bits * line + (columns - bits) * fall
    return driven + v["wordline_column"] * columns + v["decoder"]


def update_pj(v: dict, words: int, bits: int):
    """One read and one write of a word, at the best number of words a row."""
    return sum(pair(v, words, bits))


def pair(v: dict, words: int, bits: int):
    """(read, write) in pJ of a word, at the best organisation for the two."""
    options = []
    for per_row in WORDS_PER_ROW:
        rows, columns = max(-(-words // per_row), 1), bits * per_row
        read, write = (f(v, rows, columns, bits) for f in (read_pj, write_pj))
        options.append((np.asarray(read + write), np.asarray(read), np.asarray(write)))
    sums = np.stack([total for total, _, _ in options])
    best = np.argmin(sums, axis=0)
    reads, writes = (np.stack([o[i] for o in options]) for i in (1, 2))
    return tuple(np.take_along_axis(x, best[None], 0)[0] for x in (reads, writes))


def row_read_bit_pj(v: dict, rows: int, share_of_ones: float = 0.5):
    """One bit of a full row through a read port of the array, down to the sense."""
    fall = v["read_swing"] * share_of_ones * events.bitline_pj(v, rows)
    return fall + v["precharge_column"] + v["sense_amp"]


def row_write_bit_pj(v: dict, rows: int):
    """One bit of a full row, all columns driven."""
    return v["write_toggle"] * events.bitline_pj(v, rows)


def wordline_pj(v: dict, cols: int):
    """One row activation of an array `cols` wide."""
    return v["wordline_column"] * cols + v["decoder"]
