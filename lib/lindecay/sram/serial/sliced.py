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

What was compiled is kept on disk and forgotten when a file changed that it is made of
(`lindecay.compiled`): this one, `planes`, `ledger`, `encoding`.
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
    HOLDS,
    KIND,
    REGISTER,
    RUN,
    SEND,
    SUMS,
    W_ROW,
    W_SPACE,
)
from lindecay.sram.ledger import FIELDS, PROGRAMS
from lindecay.sram.serial.planes import WORDS, load, ones, splat, store, total, word

LONGEST = 64  # bits of the widest sum that can travel over the bus

CLEAR, DECAY, EXTEND, ACCUMULATE, MERGE, BIAS, CLAMP, FIRE, RESET = range(len(PROGRAMS))
_F = {name: i for i, name in enumerate(FIELDS)}
_CYCLES, _QUEUE = _F["cycles"], _F["queue_entries"]
_SOPS, _ZERO, _BITS = _F["sops"], _F["zero_sops"], _F["transport_bits"]
_FIRED, _CLEARED, _CLAMPED = _F["fired"], _F["cleared"], _F["clamped"]
_MACRO_CYCLES, _READ_ROWS = _F["macro_cycles"], _F["read_rows"]
_WRITE_ROWS, _ADDER = _F["write_rows"], _F["adder_ops"]
_SELECTED, _DISCHARGES, _FLIPS = _F["columns_selected"], _F["discharges"], _F["flips"]

# addresses of uint64 arrays: see above; latches [row tiles, planes, 3, words], bus
# [planes, LONGEST, words], used [planes, words]: where neurons are; two to compare
Cells = namedtuple("Cells", "own latches weights bus used before after")
# programs as tables (masks: an address); first cycle, and cycles, reads, writes, adds
# [programs, 4] of each; first row of each space [row tiles, 7]
Code = namedtuple("Code", "rows masks starts sums bases registers")
# planes, rows before the weights, planes and macros of a tile of columns, weight bits
Shape = namedtuple("Shape", "planes height span across bits")
# where events go (`machine.Wires`), their row tiles; merges [n, 5]; ids of programs
# runs: of `accumulate`, 0 where its programs are others; columns: neurons of each plane
WAYS = "first tile local fan zeros row_tile merges schedule ids acc0 runs columns"
Ways = namedtuple("Ways", WAYS)
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
def _mask(masks, k):
    """Choice k of a cycle, as a plane of all ones or none."""
    return splat(word(masks, k))


@njit(cache=True, inline="always")
def _kept(masks, T, line):
    """T at the end of a run of additions."""
    return (T & _mask(masks, 15)) | (line & _mask(masks, 17))


@njit(cache=True, inline="always")
def _latched(masks, X, line, S, T, G):
    """T and G at the end of a cycle."""
    turned = (S ^ _mask(masks, 20) ^ (T & _mask(masks, 21))) & _mask(masks, 22)
    tag = (G & _mask(masks, 19)) | turned | (X & _mask(masks, 23))
    sign = (T & _mask(masks, 15)) | (X & _mask(masks, 16))
    return sign | (line & _mask(masks, 17)) | (S & _mask(masks, 18)), tag


@njit(cache=True, inline="always")
def _written(own, w_at, masks, S, T, G, U):
    """One row takes sum, 0, T or not T in the columns that are meant."""
    sign = (T ^ _mask(masks, 13)) & _mask(masks, 12)
    value = (S & _mask(masks, 11)) | sign
    meant = U & (_mask(masks, 14) | G)
    old = load(own, w_at)
    change = (old ^ value) & meant
    store(own, w_at, old ^ change)
    return ones(change), ones(meant)


@njit(cache=True)
def _tally(sums, p, macros, count):
    """What follows from a program's rows: cycles, wordlines, additions."""
    count[_MACRO_CYCLES] += sums[p, 0] * macros
    count[_READ_ROWS] += sums[p, 1] * macros
    count[_WRITE_ROWS] += sums[p, 2] * macros
    count[_ADDER] += sums[p, 3] * macros  # times columns, when the run is over


@njit(cache=True)
def execute(cells, code, shape, work, n, many, counts):
    """Run n jobs: programs on planes of row tiles. Ports were checked before.

    Args:
        work: int64 [n, 5]: program, row tile, number of the input there, first plane,
            round of the merging.
        many: planes of a job: those of one tile of columns, or all.
        counts: int64 [fields], of the phase.
    """
    own, latches, weights, bus, used, _, _ = cells
    rows, tables, starts, _, bases, registers = code
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
            home = (tile * planes + plane) * height * WORDS
            ours = (work[j, 2] * span + plane - first) * bits * WORDS
            i = start
            while i < stop:
                masks, kind = tables + i * 24 * 8, rows[i, KIND]
                over = (plane * LONGEST + i - start) * WORDS
                a_at = home + (bases[tile, rows[i, A_SPACE]] + rows[i, A_ROW]) * WORDS
                if kind:  # a run of like cycles, row after row
                    m = min(rows[i, RUN], stop - i)
                    carry = C & _mask(masks, 7)
                    last = masks + (m - 1) * 24 * 8
                    if kind == ADD_T:
                        C, fell, turned = _add_sign(own, a_at, m, carry, T, U)
                    elif kind == SEND:
                        fell, turned = _send(own, a_at, bus, over, m, U)
                    else:
                        source, line_at = bus, over
                        if kind == ADD_W:
                            source, line_at = weights, ours + rows[i, B_ROW] * WORDS
                        C, line, fell, turned = _add(
                            own, a_at, source, line_at, m, carry, T, U
                        )
                        T = _kept(last, T, line)
                        for k in range(m if kind == ADD_W else 0):
                            fell = fell + ones(load(weights, line_at + k * WORDS) & U)
                    down, flips = down + fell, flips + turned
                    selected += total(ones(U)) * m
                    i += m
                    continue
                A, B = nothing, nothing
                if rows[i, A_SPACE] >= 0:
                    A = load(own, a_at)
                    if rows[i, A_SPACE] == 1:
                        A = load(weights, ours + rows[i, A_ROW] * WORDS) & U
                    down = down + ones(A)
                if rows[i, B_SPACE] >= 0:
                    b = bases[tile, rows[i, B_SPACE]] + rows[i, B_ROW]
                    if rows[i, B_SPACE] == 1:
                        B = load(weights, ours + rows[i, B_ROW] * WORDS) & U
                    else:
                        B = load(own, home + b * WORDS)
                    down = down + ones(B)
                line = (B & _mask(masks, 2)) | (T & _mask(masks, 3))
                if word(masks, 4):
                    line = load(bus, over)
                if rows[i, REGISTER] >= 0:
                    bit = registers[rows[i, REGISTER]] >> rows[i, BIT] & 1
                    line = splat(np.uint64(0) - np.uint64(bit))
                if rows[i, EMIT]:
                    store(bus, over, A)
                X = (A & _mask(masks, 0)) | (G & _mask(masks, 1))
                Y = line ^ _mask(masks, 5) ^ (T & _mask(masks, 6))
                carry = (C & _mask(masks, 7)) ^ _mask(masks, 8) ^ (T & _mask(masks, 9))
                S = X ^ Y ^ carry
                if rows[i, W_SPACE] >= 0:
                    w = bases[tile, rows[i, W_SPACE]] + rows[i, W_ROW]
                    w_at = home + w * WORDS
                    if rows[i, SUMS]:
                        old = load(own, w_at)
                        turned, meant = ones((old ^ S) & U), ones(U)
                        store(own, w_at, old ^ ((old ^ S) & U))
                    else:
                        turned, meant = _written(own, w_at, masks, S, T, G, U)
                    flips, chosen = flips + turned, chosen + meant
                if not rows[i, HOLDS]:
                    T, G = _latched(masks, X, line, S, T, G)
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
def accumulate(own, weights, latches, used, columns, shape, work, n, runs):
    """n events, weight after weight: what `execute` does for a run of W and one of T.

    runs: int64 [row tiles, 3]: first row of the sum, rows of the weight, rows of the
    sign. Returns falls, flips and selected columns. The weights end in unused columns,
    so that nothing has to be masked again.
    """
    planes, height, span, _, bits = shape
    nothing = splat(np.uint64(0))
    down, flips, selected = nothing, nothing, 0
    for j in range(n):
        tile, plane = work[j, 1], work[j, 3]
        low, first, more = runs[tile, 0], runs[tile, 1], runs[tile, 2]
        ours = work[j, 2] * span * bits * WORDS
        for _ in range(span):
            U, carry, T = load(used, plane * WORDS), nothing, nothing
            at = ((tile * planes + plane) * height + low) * WORDS
            for k in range(first):
                A, T = load(own, at), load(weights, ours + k * WORDS) & U
                change = T ^ carry
                carry = (A & T) | (carry & (A ^ T))
                store(own, at, A ^ change)
                down = down + ones(A) + ones(T)
                flips = flips + ones(change)
                at += WORDS
            for _ in range(more):
                A = load(own, at)
                change = T ^ carry
                carry = (A & T) | (carry & (A ^ T))
                store(own, at, A ^ change)
                down = down + ones(A)
                flips = flips + ones(change)
                at += WORDS
            latch = (tile * planes + plane) * 3 * WORDS
            store(latches, latch, T)
            store(latches, latch + 2 * WORDS, carry)
            selected += columns[plane] * (first + more)
            ours += bits * WORDS
            plane += 1
    return total(down), total(flips), selected


@njit(cache=True)
def _integers(own, shape, bits, neuron, out):
    """Read rows V0 … of the home tile as integers: the observer, not the array."""
    for plane in range(shape.planes):
        home = plane * shape.height * WORDS
        for w in range(WORDS):
            for j in range(64):
                n = neuron[(plane * WORDS + w) * 64 + j]
                if n < 0:
                    continue
                value = 0
                for k in range(bits):
                    held = word(own, home + k * WORDS + w) >> np.uint64(j)
                    value |= np.int64(held & np.uint64(1)) << k
                out[n] = value - ((value >> (bits - 1)) << bits)


@njit(cache=True)
def _awake(own, used, shape, bits, out):
    """1 in every column that holds a neuron whose V rows are not all 0."""
    for plane in range(shape.planes):
        home, held = plane * shape.height * WORDS, splat(np.uint64(0))
        for k in range(bits):
            held = held | load(own, home + k * WORDS)
        store(out, plane * WORDS, held & load(used, plane * WORDS))


@njit(cache=True)
def _cleared(before, after, planes):
    """How many columns are set in `before` and not in `after`."""
    n = splat(np.uint64(0))
    for at in range(0, planes * WORDS, WORDS):
        was = load(before, at)
        n = n + ones(was ^ (was & load(after, at)))
    return total(n)


@njit(cache=True)
def _tags(latches, used, planes):
    """How many columns of the home tile have their tag G set."""
    n = splat(np.uint64(0))
    for plane in range(planes):
        G = load(latches, (3 * plane + 1) * WORDS)
        n = n + ones(G & load(used, plane * WORDS))
    return total(n)


@njit(cache=True)
def _fired(latches, used, planes, neuron, S):
    """The tags G of the home tile as bytes of S, which holds 0."""
    for plane in range(planes):
        for w in range(WORDS):
            tag = word(latches, (3 * plane + 1) * WORDS + w)
            tag &= word(used, plane * WORDS + w)
            j = (plane * WORDS + w) * 64
            while tag:
                if tag & np.uint64(1):
                    S[neuron[j]] = 1
                tag >>= np.uint64(1)
                j += 1


@njit(cache=True)
def _queued(
    events, first, tile, local, fan, zeros, row_tile, span, length, acc0, work, busy
):
    """The jobs of all events of a step: (jobs, SOPs, SOPs on a weight of 0)."""
    n, sops, silent = 0, 0, 0
    row_tiles = len(length)
    for e in events:
        for q in range(first[e], first[e + 1]):
            i, t = local[q], tile[q]
            r = row_tile[i]
            work[n, 0], work[n, 1], work[n, 2], work[n, 3] = acc0 + r, r, i, t * span
            busy[t * row_tiles + r] += length[r]
            sops += fan[q]
            silent += zeros[q]
            n += 1
    return n, sops, silent


@njit(cache=True)
def _events(events, ways, shape, code, work, busy, count):
    """The jobs of all events of a step; counts their queues, bills the slowest."""
    busy[:] = 0
    row_tiles = len(code.bases)
    sums = code.sums[ways.acc0 : ways.acc0 + row_tiles]
    n, sops, silent = _queued(
        events, ways.first, ways.tile, ways.local, ways.fan, ways.zeros, ways.row_tile,
        shape.span, sums[:, 0], ways.acc0, work, busy,
    )  # fmt: skip
    count[_SOPS] += sops
    count[_ZERO] += silent
    count[_QUEUE] += n
    slowest = 0
    for at in range(len(busy)):
        slowest = max(slowest, busy[at])
        r = at % row_tiles
        jobs = busy[at] // max(sums[r, 0], 1)
        for k, field in enumerate((_MACRO_CYCLES, _READ_ROWS, _WRITE_ROWS, _ADDER)):
            count[field] += jobs * sums[r, k] * shape.across
    count[_CYCLES] += slowest
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
            _events(events, ways, shape, code, work, busy, count),
            shape.span,
            shape.across,
        )
    elif op == MERGE:
        n = _merging(ways, code.starts, work, busy, count)
    else:
        p, n = ways.ids[op], 1
        work[0, 0], work[0, 1], work[0, 2], work[0, 3] = p, 0, 0, 0
        count[_CYCLES] += code.starts[p + 1] - code.starts[p]
    for j in range(n if op != ACCUMULATE else 0):
        _tally(code.sums, work[j, 0], macros, count)
    if op == ACCUMULATE and ways.runs[0, 1]:
        fell, turned, meant = accumulate(
            cells.own, cells.weights, cells.latches, cells.used, ways.columns, shape,
            work, n, ways.runs,
        )  # fmt: skip
        count[_DISCHARGES] += fell
        count[_FLIPS] += turned
        count[_SELECTED] += meant
    else:
        execute(cells, code, shape, work, n, many, count)


@njit(cache=True)
def run(
    clips, times, steps, indptr, channel, cells, code, shape, ways, work, seen, B,
    count_clears, counts,
):  # fmt: skip
    """Steps times[0] … times[1]-1 of clips[0] … clips[1]-1 of one layer."""
    own, latches, used, planes = cells.own, cells.latches, cells.used, shape.planes
    busy = np.zeros(len(code.bases) * (planes // shape.span), np.int64)
    for c in range(clips[0], clips[1]):
        if times[0] == 0:
            for at in range(0, 3 * WORDS * planes, WORDS):
                store(latches, at, splat(np.uint64(0)))
            _phase(CLEAR, channel[:0], cells, code, shape, ways, work, busy, counts)
        for t in range(times[0], times[1]):
            here = c * steps + t
            events = channel[indptr[here] : indptr[here + 1]]
            for op in ways.schedule:
                if op == DECAY and count_clears:
                    _awake(own, used, shape, B, cells.before)
                if op == FIRE and seen.U.size:
                    _integers(own, shape, B, seen.neuron, seen.U[c, t])
                _phase(op, events, cells, code, shape, ways, work, busy, counts)
                if op == MERGE:
                    counts[op, _BITS] += ways.merges[:, 4].sum() * seen.S.shape[2]
                elif op == DECAY and count_clears:
                    _awake(own, used, shape, B, cells.after)
                    counts[op, _CLEARED] += _cleared(cells.before, cells.after, planes)
                elif op == CLAMP:
                    counts[op, _CLAMPED] += _tags(latches, used, planes)
                elif op == FIRE:
                    counts[op, _FIRED] += _tags(latches, used, planes)
                    _fired(latches, used, planes, seen.neuron, seen.S[c, t])
            if seen.V.size:
                _integers(own, shape, B, seen.neuron, seen.V[c, t])
        if times[1] == steps:
            _integers(own, shape, B, seen.neuron, seen.last[c])
