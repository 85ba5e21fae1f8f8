"""The same array at speed: 256 columns a plane, the programs as tables of masks.

`array.Array` is the meaning, this is the machine for whole test sets. A phase is a list
of jobs, a program on a row tile: every cycle reads its rows from the packed cells, adds
below all columns at once and writes its row back; latches stay in registers within a
program. Nothing is computed on integers: no sum of several events skips a membrane that
the array would have held.

    own      [row tiles, planes, rows before the weights, words]    what is written
    weights  [inputs of a tile, planes of a tile, bits, words]      what is only read

Column tiles stand side by side as planes. Where they hold the same weights (the tiles
of a convolution), an event runs on the planes of its tile alone, and the weights are
stored once.

All compiled code stands in this file: numba's cache on disk sees changes of the file of
the outermost function only. Whoever edits `planes` or `ledger.FIELDS` touches it too.
"""

from collections import namedtuple

import numpy as np
from numba import njit

from lindecay.sram.isa.encoding import (
    A_ROW,
    A_SPACE,
    ADD_T,
    ADD_W,
    ADDS,
    B_ROW,
    B_SPACE,
    BIT,
    EMIT,
    KIND,
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
_MACRO_CYCLES, _READ_ROWS = _F["macro_cycles"], _F["read_rows"]
_WRITE_ROWS, _ADDER = _F["write_rows"], _F["adder_ops"]
_SELECTED, _DISCHARGES, _FLIPS = _F["columns_selected"], _F["discharges"], _F["flips"]

# uint64, flat: see above; latches [row tiles, planes, 3, words], bus [planes, LONGEST,
# words], used [planes, words]: the columns that hold a neuron
Cells = namedtuple("Cells", "own latches weights bus used")
# programs as tables; first cycle of each; cycles, reads, writes, additions of each
# [programs, 4]; first row of each space [row tiles, 7]
Code = namedtuple("Code", "rows masks starts sums bases registers")
# planes, rows before the weights, planes and macros of a tile of columns, weight bits
Shape = namedtuple("Shape", "planes height span across bits")
# where events go (`machine.Wires`), their row tiles; merges [n, 5]; ids of programs
Ways = namedtuple(
    "Ways", "first tile local fan zeros row_tile merges schedule ids acc0"
)
# neuron of each column; U, V [clips, steps, out] or empty, S; V of the last step
Seen = namedtuple("Seen", "neuron U V S last")


@njit(cache=True, inline="always")
def _add(own, at, source, line_at, n, carry, line, U):
    """n rows from `at` += n planes from `line_at`; carry, last line, falls, flips."""
    down = flips = splat(np.uint64(0))
    for k in range(n):
        A = load(own, at + k * WORDS)
        line = load(source, line_at + k * WORDS)
        change = (line ^ carry) & U
        carry = (A & line) | (carry & (A ^ line))
        store(own, at + k * WORDS, A ^ change)
        down = down + ones(A)
        flips = flips + ones(change)
    return carry, line, down, flips


@njit(cache=True, inline="always")
def _add_sign(own, at, n, carry, T, U):
    """n rows from `at` += T, the sign of what was added below."""
    down = flips = splat(np.uint64(0))
    for k in range(n):
        A = load(own, at + k * WORDS)
        change = (T ^ carry) & U
        carry = (A & T) | (carry & (A ^ T))
        store(own, at + k * WORDS, A ^ change)
        down = down + ones(A)
        flips = flips + ones(change)
    return carry, down, flips


@njit(cache=True, inline="always")
def _send(own, at, bus, over, n, U):
    """n rows from `at` go over the bus and are cleared behind."""
    down = flips = splat(np.uint64(0))
    for k in range(n):
        A = load(own, at + k * WORDS)
        store(bus, over + k * WORDS, A)
        change = A & U
        store(own, at + k * WORDS, A ^ change)
        down = down + ones(A)
        flips = flips + ones(change)
    return down, flips


@njit(cache=True, inline="always")
def _line(cells, code, i, B, T, over):
    """What the second input of the adder gets, before it is turned."""
    rows, masks = code.rows, code.masks
    line = (B & splat(masks[i, 2])) | (T & splat(masks[i, 3]))
    if masks[i, 4]:
        line = load(cells.bus, over)
    if rows[i, REGISTER] >= 0:
        bit = code.registers[rows[i, REGISTER]] >> rows[i, BIT] & 1
        line = splat(np.uint64(0) - np.uint64(bit))
    return line


@njit(cache=True, inline="always")
def _kept(masks, i, T, line):
    """T at the end of a run of additions."""
    return (T & splat(masks[i, 15])) | (line & splat(masks[i, 17]))


@njit(cache=True, inline="always")
def _latched(masks, i, X, line, S, T, G):
    """T and G at the end of a cycle."""
    sum_ = (S ^ splat(masks[i, 20]) ^ (T & splat(masks[i, 21]))) & splat(masks[i, 22])
    tag = (G & splat(masks[i, 19])) | sum_ | (X & splat(masks[i, 23]))
    sign = (T & splat(masks[i, 15])) | (X & splat(masks[i, 16]))
    return sign | (line & splat(masks[i, 17])) | (S & splat(masks[i, 18])), tag


@njit(cache=True, inline="always")
def _written(own, w_at, masks, i, S, T, G, U):
    """One row takes sum, 0, T or not T in the columns that are meant."""
    value = (S & splat(masks[i, 11])) | (
        (T ^ splat(masks[i, 13])) & splat(masks[i, 12])
    )
    meant = U & (splat(masks[i, 14]) | G)
    old = load(own, w_at)
    change = (old ^ value) & meant
    store(own, w_at, old ^ change)
    return ones(change), ones(meant)


@njit(cache=True)
def _tally(sums, macros, count):
    """What follows from a program's rows: cycles, wordlines, additions."""
    count[_MACRO_CYCLES] += sums[0] * macros
    count[_READ_ROWS] += sums[1] * macros
    count[_WRITE_ROWS] += sums[2] * macros
    count[_ADDER] += sums[3] * macros  # times columns, when the run is over


@njit(cache=True)
def execute(cells, code, shape, work, n, many, counts):
    """Run n jobs: programs on planes of row tiles. Ports were checked before.

    Args:
        work: int64 [n, 5]: program, row tile, number of the input there, first plane,
            round of the merging.
        many: planes of a job: those of one tile of columns, or all.
        counts: int64 [fields], of the phase.
    """
    own, latches, weights, bus, used = cells
    rows, masks, starts, _, bases, _ = code
    planes, height, span, across, bits = shape
    nothing = splat(np.uint64(0))
    down, flips, chosen, selected = nothing, nothing, nothing, 0
    for j in range(n):
        p, tile, first = work[j, 0], work[j, 1], work[j, 3]
        start, stop = starts[p], starts[p + 1]
        for plane in range(first, first + many):
            at = (tile * planes + plane) * 3 * WORDS
            T, G = load(latches, at), load(latches, at + WORDS)
            C, U = load(latches, at + 2 * WORDS), load(used, plane * WORDS)
            columns = total(ones(U))
            home = (tile * planes + plane) * height * WORDS
            ours = (work[j, 2] * span + plane - first) * bits * WORDS
            i = start
            while i < stop:
                over = (plane * LONGEST + i - start) * WORDS
                if rows[i, KIND]:  # a run of like cycles, row after row
                    m = min(rows[i, RUN], stop - i)
                    a = bases[tile, rows[i, A_SPACE]] + rows[i, A_ROW]
                    carry = C & splat(masks[i, 7])
                    if rows[i, KIND] == ADD_T:
                        C, fell, turned = _add_sign(
                            own, home + a * WORDS, m, carry, T, U
                        )
                    elif rows[i, KIND] == ADD_W:
                        line_at = ours + rows[i, B_ROW] * WORDS
                        C, line, fell, turned = _add(
                            own, home + a * WORDS, weights, line_at, m, carry, T, U
                        )
                        for k in range(m):
                            fell = fell + ones(load(weights, line_at + k * WORDS) & U)
                        last = i + m - 1
                        T = (T & splat(masks[last, 15])) | (
                            line & splat(masks[last, 17])
                        )
                    elif rows[i, KIND] == SEND:
                        fell, turned = _send(own, home + a * WORDS, bus, over, m, U)
                    else:
                        C, line, fell, turned = _add(
                            own, home + a * WORDS, bus, over, m, carry, T, U
                        )
                        last = i + m - 1
                        T = (T & splat(masks[last, 15])) | (
                            line & splat(masks[last, 17])
                        )
                    down, flips = down + fell, flips + turned
                    selected += columns * m
                    i += m
                    continue
                A, B = nothing, nothing
                if rows[i, A_SPACE] >= 0:
                    a = bases[tile, rows[i, A_SPACE]] + rows[i, A_ROW]
                    if rows[i, A_SPACE] == 1:
                        A = load(weights, ours + rows[i, A_ROW] * WORDS) & U
                    else:
                        A = load(own, home + a * WORDS)
                    down = down + ones(A)
                if rows[i, B_SPACE] >= 0:
                    b = bases[tile, rows[i, B_SPACE]] + rows[i, B_ROW]
                    if rows[i, B_SPACE] == 1:
                        B = load(weights, ours + rows[i, B_ROW] * WORDS) & U
                    else:
                        B = load(own, home + b * WORDS)
                    down = down + ones(B)
                line = _line(cells, code, i, B, T, over)
                if rows[i, EMIT]:
                    store(bus, over, A)
                X = (A & splat(masks[i, 0])) | (G & splat(masks[i, 1]))
                Y = line ^ splat(masks[i, 5]) ^ (T & splat(masks[i, 6]))
                carry = (C & splat(masks[i, 7])) ^ splat(masks[i, 8])
                carry = carry ^ (T & splat(masks[i, 9]))
                S = X ^ Y ^ carry
                if rows[i, W_SPACE] >= 0:
                    w = bases[tile, rows[i, W_SPACE]] + rows[i, W_ROW]
                    turned, meant = _written(
                        own, home + w * WORDS, masks, i, S, T, G, U
                    )
                    flips, chosen = flips + turned, chosen + meant
                T, G = _latched(masks, i, X, line, S, T, G)
                if rows[i, ADDS]:
                    C = (X & Y) | (carry & (X ^ Y))
                i += 1
            store(latches, at, T)
            store(latches, at + WORDS, G)
            store(latches, at + 2 * WORDS, C)
    counts[_DISCHARGES] += total(down)
    counts[_FLIPS] += total(flips)
    counts[_SELECTED] += total(chosen) + selected


@njit(cache=True)
def _integers(cells, shape, bits, neuron, out):
    """Read rows V0 … of the home tile as integers: the observer, not the array."""
    for plane in range(shape.planes):
        home = plane * shape.height * WORDS
        for word in range(WORDS):
            for j in range(64):
                n = neuron[(plane * WORDS + word) * 64 + j]
                if n < 0:
                    continue
                value = 0
                for k in range(bits):
                    held = cells.own[home + k * WORDS + word] >> np.uint64(j)
                    value |= np.int64(held & np.uint64(1)) << k
                out[n] = value - ((value >> (bits - 1)) << bits)


@njit(cache=True)
def _at_rest(cells, shape, bits, out):
    """1 in every column whose V rows are all 0."""
    for plane in range(shape.planes):
        home = plane * shape.height * WORDS
        for word in range(WORDS):
            held = np.uint64(0)
            for k in range(bits):
                held |= cells.own[home + k * WORDS + word]
            out[plane * WORDS + word] = ~held


@njit(cache=True)
def _ones(words):
    """How many columns are set; `words` hold whole planes."""
    n = splat(np.uint64(0))
    for block in range(0, len(words), WORDS):
        n = n + ones(load(words, block))
    return total(n)


@njit(cache=True)
def _tags(cells, shape):
    """How many columns of the home tile have their tag G set."""
    n = splat(np.uint64(0))
    for plane in range(shape.planes):
        G = load(cells.latches, (3 * plane + 1) * WORDS)
        n = n + ones(G & load(cells.used, plane * WORDS))
    return total(n)


@njit(cache=True)
def _fired(cells, shape, neuron, S):
    """The tags G of the home tile as bytes of S, which holds 0."""
    for plane in range(shape.planes):
        for word in range(WORDS):
            tag = cells.latches[(3 * plane + 1) * WORDS + word]
            tag &= cells.used[plane * WORDS + word]
            if tag:
                for j in range(64):
                    if tag >> np.uint64(j) & np.uint64(1):
                        S[neuron[(plane * WORDS + word) * 64 + j]] = 1


@njit(cache=True)
def _events(events, ways, shape, starts, work, busy, count):
    """The jobs of all events of a step; counts their queues, bills the slowest."""
    n = 0
    busy[:] = 0
    row_tiles = len(busy) // (shape.planes // shape.span)
    for e in events:
        for q in range(ways.first[e], ways.first[e + 1]):
            local, tile = ways.local[q], ways.tile[q]
            row_tile = ways.row_tile[local]
            p = ways.acc0 + row_tile
            work[n, 0], work[n, 1], work[n, 2] = p, row_tile, local
            work[n, 3], work[n, 4] = tile * shape.span, 0
            busy[tile * row_tiles + row_tile] += starts[p + 1] - starts[p]
            count[_SOPS] += ways.fan[q]
            count[_ZERO] += ways.zeros[q]
            n += 1
    count[_QUEUE] += n
    count[_CYCLES] += busy.max()
    return n


@njit(cache=True)
def _merging(ways, starts, work, busy, count):
    """The jobs of all merges; rounds follow one another, the busiest tile decides."""
    n, now = 0, 0
    busy[:] = 0
    for m in range(len(ways.merges)):
        if ways.merges[m, 0] != now:
            count[_CYCLES] += busy.max()
            busy[:] = 0
            now = ways.merges[m, 0]
        for end in (0, 1):  # the sender drains, the receiver adds
            p, tile = ways.merges[m, 3] + end, ways.merges[m, 2 - end]
            work[n, 0], work[n, 1], work[n, 2], work[n, 3] = p, tile, 0, 0
            busy[tile] += starts[p + 1] - starts[p]
            n += 1
    count[_CYCLES] += busy.max()
    return n


@njit(cache=True)
def _phase(op, events, cells, code, shape, ways, work, busy, counts):
    """One phase of a step on all planes, or that of its events."""
    count, many = counts[op], shape.planes
    macros = shape.planes // shape.span * shape.across
    if op == ACCUMULATE:
        n, many, macros = (
            _events(events, ways, shape, code.starts, work, busy, count),
            shape.span,
            shape.across,
        )
    elif op == MERGE:
        n = _merging(ways, code.starts, work, busy, count)
    else:
        p, n = ways.ids[op], 1
        work[0, 0], work[0, 1], work[0, 2], work[0, 3] = p, 0, 0, 0
        count[_CYCLES] += code.starts[p + 1] - code.starts[p]
    for j in range(n):
        _tally(code.sums[work[j, 0]], macros, count)
    execute(cells, code, shape, work, n, many, count)


@njit(cache=True)
def run(
    clips, times, steps, indptr, channel, cells, code, shape, ways, work, seen, B,
    count_clears, counts,
):  # fmt: skip
    """Steps times[0] … times[1]-1 of clips[0] … clips[1]-1 of one layer."""
    rest, after = np.zeros(cells.used.size, np.uint64), np.zeros_like(cells.used)
    row_tiles = len(code.bases)
    busy = np.zeros(row_tiles * (shape.planes // shape.span), np.int64)
    for c in range(clips[0], clips[1]):
        if times[0] == 0:
            cells.latches[: 3 * WORDS * shape.planes] = np.uint64(0)
            _phase(CLEAR, channel[:0], cells, code, shape, ways, work, busy, counts)
        for t in range(times[0], times[1]):
            here = c * steps + t
            events = channel[indptr[here] : indptr[here + 1]]
            for op in ways.schedule:
                if op == DECAY and count_clears:
                    _at_rest(cells, shape, B, rest)
                if op == FIRE and seen.U.size:
                    _integers(cells, shape, B, seen.neuron, seen.U[c, t])
                _phase(op, events, cells, code, shape, ways, work, busy, counts)
                if op == MERGE:
                    counts[op, _BITS] += ways.merges[:, 4].sum() * seen.S.shape[2]
                if op == DECAY and count_clears:
                    _at_rest(cells, shape, B, after)
                    counts[op, _CLEARED] += _ones(after & ~rest & cells.used)
                elif op == CLAMP:
                    counts[op, _CLAMPED] += _tags(cells, shape)
                elif op == FIRE:
                    counts[op, _FIRED] += _tags(cells, shape)
                    _fired(cells, shape, seen.neuron, seen.S[c, t])
            if seen.V.size:
                _integers(cells, shape, B, seen.neuron, seen.V[c, t])
        if times[1] == steps:
            _integers(cells, shape, B, seen.neuron, seen.last[c])
