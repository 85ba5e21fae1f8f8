"""The same array at speed: 512 columns a plane, the programs as tables of masks.

`array.Array` is the meaning, this is the machine for whole test sets. One call runs a
program on one row tile: every cycle reads its rows from the packed cells, adds below
all columns at once, and writes its row back; latches stay in registers within a
program. Nothing is computed on integers: no sum of several events skips a membrane
that the array would have held.
"""

import numpy as np
from numba import njit

from lindecay.sram import microcode
from lindecay.sram.ledger import FIELDS
from lindecay.sram.microcode import SPACES, Cycle, Program
from lindecay.sram.planes import WORDS, load, ones, splat, store, total

ALL = 0xFFFFFFFFFFFFFFFF
LONGEST = 64  # bits of the widest sum that can travel over the bus

_MACRO_CYCLES = FIELDS.index("macro_cycles")
_READ_ROWS = FIELDS.index("read_rows")
_WRITE_ROWS = FIELDS.index("write_rows")
_ADDER = FIELDS.index("adder_ops")
_SELECTED = FIELDS.index("columns_selected")
_DISCHARGES = FIELDS.index("discharges")
_FLIPS = FIELDS.index("flips")

# columns of the table of rows
A_SPACE, A_ROW, B_SPACE, B_ROW, W_SPACE, W_ROW, MORE_SPACE, MORE_ROW = range(8)
MASKED, ADDS, EMIT, REGISTER, BIT, KIND = range(8, 14)
PLAIN, ADD_B, ADD_T, ADD_BUS = range(4)  # the common additions have a short way
ERRORS = {
    1: "too many wordlines on one port",
    2: "no such row",
    3: "masked write without write-back",
    4: "too many reads",
}


def encode(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """A program as int64 [cycles, 14] (rows, flags) and uint64 [cycles, 24] (masks)."""
    rows = [_rows(cycle) for cycle in program.cycles]
    masks = [_masks(cycle) for cycle in program.cycles]
    return (
        np.array(rows, np.int64).reshape(-1, 14),
        np.array(masks, np.uint64).reshape(-1, 24),
    )


def _rows(cycle: Cycle) -> list[int]:
    further = cycle.a[1:] + cycle.b[1:] + cycle.w[1:]  # refused when it runs
    out = []
    for rows in (cycle.a, cycle.b, cycle.w, further):
        out += [SPACES.index(rows[0][0]), rows[0][1]] if rows else [-1, 0]
    register = {"lam": 0, "theta": 1}.get(cycle.y, -1)
    masked = bool(cycle.masked and cycle.w)
    flags = [masked, cycle.adds, cycle.emit, register, cycle.bit]
    return [*out, *flags, PLAIN if further else _kind(cycle)]


def _kind(c: Cycle) -> int:
    """Which short way means the same as the masks: Vk <- Vk + B, T or the bus."""
    adds = c.a and c.a == c.w and c.x == "A" and c.carry in ("0", "C")
    holds = c.G == "hold" and c.T in ("hold", "Y") and not (c.masked or c.emit)
    if not (adds and holds and c.value == "sum" and not c.invert):
        return PLAIN
    if c.y == "B" and c.b:
        return ADD_B
    return {"T": ADD_T, "bus": ADD_BUS}.get(c.y, PLAIN) if not c.b else PLAIN


def _masks(c: Cycle) -> list[int]:
    tests = [
        c.x == "A",
        c.x == "G",
        c.y == "B",
        c.y == "T",
        c.y == "bus",
        c.invert in ("~", "^~T"),
        c.invert in ("^T", "^~T"),
        c.carry == "C",
        c.carry in ("1", "~T"),
        c.carry == "~T",
        c.adds,
        c.value == "sum",
        c.value in ("T", "~T"),
        c.value == "~T",
        not c.masked,
        c.T == "hold",
        c.T == "X",
        c.T == "Y",
        c.T == "sum",
        c.G in ("hold", "G|sum"),
        c.G == "~sum",
        c.G == "sum^T",
        "sum" in c.G,
        c.G in ("X", "X|sum"),
    ]
    return [ALL if test else 0 for test in tests]


@njit(cache=True)
def execute(
    cells, latches, height, words, rows, masks, starts, work, n, bases, registers,
    used, bus, macros, ports, counts, err,
):  # fmt: skip
    """Run n jobs (a program on a row tile); -1, or the program that broke a rule.

    Args:
        cells: uint64, flat [tiles, height, words]; latches: flat [tiles, 3, words].
        rows, masks: encoded programs; starts: first cycle of each, int64.
        work: int64 [n, 4]: program, row tile, first row of the weight, round.
        bases: first row of each space, int64 [tiles, 5]; registers: λ and θ, int64 [2].
        used: uint64 [words], columns that hold a neuron.
        bus: uint64, flat [LONGEST, words], bits between macros.
        macros: column tiles that work side by side.
        counts: int64 [fields]; err: int64 [3] code, cycle, row.
    """
    nothing = splat(np.uint64(0))
    down, flips, chosen = nothing, nothing, nothing
    length = reads = writes = adds = 0
    for j in range(n):  # a loop out here would touch every array's count of uses
        p, tile = work[j, 0], work[j, 1]
        start, stop = starts[p], starts[p + 1]
        bases[tile, 1] = work[j, 2]
        length += stop - start
        for block in range(0, words, WORDS):
            at = tile * 3 * words + block
            T = load(latches, at)
            G = load(latches, at + words)
            C = load(latches, at + 2 * words)
            U = load(used, block)
            for i in range(start, stop):
                kind = rows[i, KIND]
                if kind:
                    a = bases[tile, rows[i, A_SPACE]] + rows[i, A_ROW]
                    if a < 0 or a >= height:
                        err[:] = 2, i, a
                        return p
                    where = (tile * height + a) * words + block
                    A = load(cells, where)
                    if kind == ADD_B:
                        b = bases[tile, rows[i, B_SPACE]] + rows[i, B_ROW]
                        if b < 0 or b >= height:
                            err[:] = 2, i, b
                            return p
                        if ports == 1:
                            err[:] = 4, i, b
                            return p
                        line = load(cells, (tile * height + b) * words + block)
                        down = down + ones(line)
                        reads += block == 0
                    elif kind == ADD_T:
                        line = T
                    else:
                        line = load(bus, (i - start) * words + block)
                    carry = C & splat(masks[i, 7])
                    half = A ^ line
                    change = (line ^ carry) & U
                    C = (A & line) | (carry & half)
                    T = (T & splat(masks[i, 15])) | (line & splat(masks[i, 17]))
                    store(cells, where, A ^ change)
                    down = down + ones(A)
                    flips = flips + ones(change)
                    chosen = chosen + ones(U)
                    if block == 0:
                        reads += 1
                        writes += 1
                        adds += 1
                    continue
                A, B, a, b, w = nothing, nothing, -1, -1, -1
                if rows[i, A_SPACE] >= 0:
                    a = bases[tile, rows[i, A_SPACE]] + rows[i, A_ROW]
                    if a < 0 or a >= height:
                        err[:] = 2, i, a
                        return p
                    A = load(cells, (tile * height + a) * words + block)
                    down = down + ones(A)
                if rows[i, B_SPACE] >= 0:
                    b = bases[tile, rows[i, B_SPACE]] + rows[i, B_ROW]
                    if b < 0 or b >= height:
                        err[:] = 2, i, b
                        return p
                    B = load(cells, (tile * height + b) * words + block)
                    down = down + ones(B)
                if rows[i, W_SPACE] >= 0:
                    w = bases[tile, rows[i, W_SPACE]] + rows[i, W_ROW]
                    if w < 0 or w >= height:
                        err[:] = 2, i, w
                        return p
                if rows[i, MORE_SPACE] >= 0:
                    err[:] = 1, i, bases[tile, rows[i, MORE_SPACE]] + rows[i, MORE_ROW]
                    return p
                if ports == 1 and a >= 0 and b >= 0:
                    err[:] = 4, i, b
                    return p
                if rows[i, MASKED] and w != a and w != b:
                    err[:] = 3, i, w
                    return p
                line = (B & splat(masks[i, 2])) | (T & splat(masks[i, 3]))
                if masks[i, 4]:
                    line = load(bus, (i - start) * words + block)
                if rows[i, EMIT]:
                    store(bus, (i - start) * words + block, A)
                if rows[i, REGISTER] >= 0:
                    bit = registers[rows[i, REGISTER]] >> rows[i, BIT] & 1
                    line = splat(np.uint64(0) - np.uint64(bit))
                X = (A & splat(masks[i, 0])) | (G & splat(masks[i, 1]))
                Y = line ^ splat(masks[i, 5]) ^ (T & splat(masks[i, 6]))
                carry = (C & splat(masks[i, 7])) ^ splat(masks[i, 8])
                carry = carry ^ (T & splat(masks[i, 9]))
                S = X ^ Y ^ carry
                if w >= 0:
                    value = (S & splat(masks[i, 11])) | (
                        (T ^ splat(masks[i, 13])) & splat(masks[i, 12])
                    )
                    meant = U & (splat(masks[i, 14]) | G)
                    where = (tile * height + w) * words + block
                    old = load(cells, where)
                    change = (old ^ value) & meant
                    store(cells, where, old ^ change)
                    flips = flips + ones(change)
                    chosen = chosen + ones(meant)
                tagged = (S ^ splat(masks[i, 20]) ^ (T & splat(masks[i, 21]))) & splat(
                    masks[i, 22]
                )
                G = (G & splat(masks[i, 19])) | tagged | (X & splat(masks[i, 23]))
                T = (
                    (T & splat(masks[i, 15]))
                    | (X & splat(masks[i, 16]))
                    | (line & splat(masks[i, 17]))
                    | (S & splat(masks[i, 18]))
                )
                if rows[i, ADDS]:
                    C = (X & Y) | (carry & (X ^ Y))
                    adds += block == 0
                if block == 0:
                    reads += (a >= 0) + (b >= 0)
                    writes += w >= 0
            store(latches, at, T)
            store(latches, at + words, G)
            store(latches, at + 2 * words, C)
    counts[_MACRO_CYCLES] += length * macros
    counts[_READ_ROWS] += reads * macros
    counts[_WRITE_ROWS] += writes * macros
    counts[_ADDER] += adds * macros  # times columns, when the run is over
    counts[_DISCHARGES] += total(down)
    counts[_FLIPS] += total(flips)
    counts[_SELECTED] += total(chosen)
    return -1


def port_fault(err: np.ndarray, program: str, first: int, height: int) -> None:
    """Turn the interpreter's error code into the error that names cycle and row."""
    code, cycle, row = err.tolist()
    expected = f"rows 0 to {height - 1}" if code == 2 else "one wordline a port"
    microcode.refuse(ERRORS[code], program, cycle - first, str(row), expected)
