"""The same array at speed: 512 columns a plane, the programs as tables of masks.

`array.Array` is the meaning, this is the machine for whole test sets. A phase is a list
of jobs, a program on a row tile: every cycle reads its rows from the packed cells, adds
below all columns at once and writes its row back; latches stay in registers within a
program. Nothing is computed on integers: no sum of several events skips a membrane that
the array would have held.

All compiled code stands in this file: numba's cache on disk sees changes of the file of
the outermost function only. Whoever edits `planes` or `ledger.FIELDS` touches it too.
"""

import numpy as np
from numba import njit

from lindecay.sram.isa.encoding import (
    A_ROW,
    A_SPACE,
    ADD_B,
    ADD_T,
    ADDS,
    B_ROW,
    B_SPACE,
    BIT,
    EMIT,
    KIND,
    MASKED,
    MORE_ROW,
    MORE_SPACE,
    REGISTER,
    RUN,
    SEND,
    W_ROW,
    W_SPACE,
)
from lindecay.sram.ledger import FIELDS, PROGRAMS
from lindecay.sram.serial.planes import WORDS, load, ones, splat, store, total

LONGEST = 64  # bits of the widest sum that can travel over the bus

CLEAR, DECAY, EXTEND, ACCUMULATE, MERGE, BIAS, CLAMP, FIRE, RESET = range(len(PROGRAMS))
_F = {name: i for i, name in enumerate(FIELDS)}
_CYCLES, _QUEUE = _F["cycles"], _F["queue_entries"]
_SOPS, _ZERO, _BITS = _F["sops"], _F["zero_sops"], _F["transport_bits"]
_FIRED, _CLEARED, _CLAMPED = _F["fired"], _F["cleared"], _F["clamped"]
_MACRO_CYCLES = FIELDS.index("macro_cycles")
_READ_ROWS = FIELDS.index("read_rows")
_WRITE_ROWS = FIELDS.index("write_rows")
_ADDER = FIELDS.index("adder_ops")
_SELECTED = FIELDS.index("columns_selected")
_DISCHARGES = FIELDS.index("discharges")
_FLIPS = FIELDS.index("flips")


@njit(cache=True, inline="always")
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
            many = ones(U)
            i = start - 1
            while i + 1 < stop:
                i += 1
                kind = rows[i, KIND]
                if kind:  # a run of like cycles, row after row
                    a = bases[tile, rows[i, A_SPACE]] + rows[i, A_ROW]
                    n_run = min(rows[i, RUN], stop - i)
                    if a < 0 or a + n_run > height:
                        n_run = 1
                        if a < 0 or a >= height:
                            err[:] = 2, i, a
                            return p
                    where = (tile * height + a) * words + block
                    over = (i - start) * words + block
                    if kind == SEND:
                        for k in range(n_run):
                            A = load(cells, where + k * words)
                            store(bus, over + k * words, A)
                            change = A & U
                            store(cells, where + k * words, A ^ change)
                            down = down + ones(A)
                            flips = flips + ones(change)
                            chosen = chosen + many
                    else:
                        last = i + n_run - 1
                        carry = C & splat(masks[i, 7])
                        if kind == ADD_T:
                            for k in range(n_run):
                                A = load(cells, where + k * words)
                                half = A ^ T
                                change = (T ^ carry) & U
                                carry = (A & T) | (carry & half)
                                store(cells, where + k * words, A ^ change)
                                down = down + ones(A)
                                flips = flips + ones(change)
                                chosen = chosen + many
                        elif kind == ADD_B:
                            b = bases[tile, rows[i, B_SPACE]] + rows[i, B_ROW]
                            if b < 0 or b + n_run > height:
                                n_run, last = 1, i
                                if b < 0 or b >= height:
                                    err[:] = 2, i, b
                                    return p
                            if ports == 1:
                                err[:] = 4, i, b
                                return p
                            line, second = T, (tile * height + b) * words + block
                            for k in range(n_run):
                                A = load(cells, where + k * words)
                                line = load(cells, second + k * words)
                                half = A ^ line
                                change = (line ^ carry) & U
                                carry = (A & line) | (carry & half)
                                store(cells, where + k * words, A ^ change)
                                down = down + ones(A)
                                down = down + ones(line)
                                flips = flips + ones(change)
                                chosen = chosen + many
                            T = (T & splat(masks[last, 15])) | (
                                line & splat(masks[last, 17])
                            )
                            if block == 0:
                                reads += n_run
                        else:
                            line = T
                            for k in range(n_run):
                                A = load(cells, where + k * words)
                                line = load(bus, over + k * words)
                                half = A ^ line
                                change = (line ^ carry) & U
                                carry = (A & line) | (carry & half)
                                store(cells, where + k * words, A ^ change)
                                down = down + ones(A)
                                flips = flips + ones(change)
                                chosen = chosen + many
                            T = (T & splat(masks[last, 15])) | (
                                line & splat(masks[last, 17])
                            )
                        C = carry
                        if block == 0:
                            adds += n_run
                    if block == 0:
                        reads += n_run
                        writes += n_run
                    i += n_run - 1
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


@njit(cache=True)
def _integers(cells, words, bits, out):
    """Read rows V0 … of the home tile as integers: the observer, not the array."""
    for j in range(len(out)):
        word, place, value = j >> 6, np.uint64(j & 63), 0
        for k in range(bits):
            value |= np.int64(cells[k * words + word] >> place & np.uint64(1)) << k
        out[j] = value - ((value >> (bits - 1)) << bits)


@njit(cache=True)
def _at_rest(cells, words, bits, out):
    """1 in every column whose V rows are all 0."""
    for word in range(words):
        held = np.uint64(0)
        for k in range(bits):
            held |= cells[k * words + word]
        out[word] = ~held


@njit(cache=True)
def _ones(words):
    """How many columns are set; `words` hold whole planes."""
    n = splat(np.uint64(0))
    for block in range(0, len(words), WORDS):
        n = n + ones(load(words, block))
    return total(n)


@njit(cache=True)
def _fired(latches, words, used, S):
    """The tags G of the home tile as bytes; how many there are."""
    n = splat(np.uint64(0))
    for block in range(0, words, WORDS):
        n = n + ones(load(latches, words + block) & load(used, block))
    for first in range(0, len(S), 64):
        tag = latches[words + (first >> 6)]
        for j in range(min(64, len(S) - first)):
            S[first + j] = tag >> np.uint64(j) & np.uint64(1)
    return total(n)


@njit(cache=True)
def _work(op, events, tile_of, weight_row, merges, acc0, ids, bias_base, work):
    """The jobs of one phase: program, row tile, first row of the weight, round."""
    n = 0
    if op == ACCUMULATE:
        for i in events:
            work[n, 0], work[n, 1] = acc0 + tile_of[i], tile_of[i]
            work[n, 2], work[n, 3] = weight_row[i], 0
            n += 1
    elif op == MERGE:
        for m in range(len(merges)):
            for end in (0, 1):  # the sender drains, the receiver adds
                work[n, 0], work[n, 1] = merges[m, 3] + end, merges[m, 2 - end]
                work[n, 2], work[n, 3] = 0, merges[m, 0]
                n += 1
    else:
        work[0, 0], work[0, 1], work[0, 2], work[0, 3] = ids[op], 0, bias_base, 0
        n = 1
    return n


@njit(cache=True)
def _latency(work, n, starts, busy):
    """Cycles of a phase: rounds follow one another, the busiest tile decides each."""
    cycles, now = 0, 0
    busy[:] = 0
    for j in range(n):
        if work[j, 3] != now:
            cycles += busy.max()
            busy[:] = 0
            now = work[j, 3]
        busy[work[j, 1]] += starts[work[j, 0] + 1] - starts[work[j, 0]]
    return cycles + busy.max()


@njit(cache=True)
def run(
    first, last, steps, indptr, channel, tile_of, weight_row, zeros, B, neurons,
    macros, ports, schedule, ids, cells, latches, height, words, rows, masks, starts,
    bases, bias_base, registers, used, bus, merges, acc0, count_clears, work, U, V, S,
    counts, err,
):  # fmt: skip
    """Clips first … last-1 of one layer; -1, or the program that broke a rule."""
    rest, after = np.zeros(words, np.uint64), np.zeros(words, np.uint64)
    busy = np.zeros(len(bases), np.int64)
    for c in range(first, last):
        latches[: 3 * words] = np.uint64(0)
        for s in range(-1, steps * len(schedule)):
            t = s // len(schedule)
            op = CLEAR if s < 0 else schedule[s % len(schedule)]
            here = c * steps + max(t, 0)
            events = channel[indptr[here] : indptr[here + 1]]
            n = _work(
                op, events, tile_of, weight_row, merges, acc0, ids, bias_base, work
            )
            if op == DECAY and count_clears:
                _at_rest(cells, words, B, rest)
            if op == FIRE and U.size:
                _integers(cells, words, B, U[c, t])
            count = counts[op]
            broke = execute(
                cells, latches, height, words, rows, masks, starts, work, n, bases,
                registers, used, bus, macros, ports, count, err,
            )  # fmt: skip
            if broke >= 0:
                return broke
            count[_CYCLES] += _latency(work, n, starts, busy)
            if op == ACCUMULATE:
                count[_QUEUE] += n
                count[_SOPS] += n * neurons
                for i in events:
                    count[_ZERO] += zeros[i]
            elif op == MERGE:
                count[_BITS] += merges[:, 4].sum() * neurons
            elif op == DECAY and count_clears:
                _at_rest(cells, words, B, after)
                count[_CLEARED] += _ones(after & ~rest & used)
            elif op == CLAMP:
                count[_CLAMPED] += _ones(latches[words : 2 * words] & used)
            elif op == FIRE:
                count[_FIRED] += _fired(latches, words, used, S[c, t])
            if V.size and s >= 0 and (s + 1) % len(schedule) == 0:
                _integers(cells, words, B, V[c, t])
    return -1
