"""Layout A: a layer as bits on its macros, and a whole step as a schedule of programs.

    decay -> extend -> accumulate (every input spike) -> merge -> bias
          -> clamp -> fire -> reset

A neuron is a column. The sequencer broadcasts λ and θ where they are one value for the
layer; otherwise they are rows. Phases follow one another without overlap; row tiles
accumulate side by side, and the slowest decides the cycles. All membranes, weights and
partial sums are bits of `cells`; integers appear only when a trace is read out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from lindecay.events import Clips
from lindecay.integer import LayerTrace, Trace, as_events, fits
from lindecay.quantization import Checkpoint, Layer
from lindecay.sram import microcode
from lindecay.sram.ledger import FIELDS, PROGRAMS, Ledger
from lindecay.sram.mapping import LayerPlan, MacroSpec, Mapping, plan
from lindecay.sram.microcode import Program
from lindecay.sram.planes import COLUMNS, WORDS, pack
from lindecay.sram.sliced import LONGEST, encode, execute, port_fault

CLEAR, DECAY, EXTEND, ACCUMULATE, MERGE, BIAS, CLAMP, FIRE, RESET = range(len(PROGRAMS))
_F = {name: i for i, name in enumerate(FIELDS)}
_CYCLES, _MACRO, _QUEUE = _F["cycles"], _F["macro_cycles"], _F["queue_entries"]
_SOPS, _ZERO, _BITS = _F["sops"], _F["zero_sops"], _F["transport_bits"]
_FIRED, _CLEARED, _CLAMPED = _F["fired"], _F["cleared"], _F["clamped"]


@dataclass
class Run:
    """What the array did: states, events, and where everything lay."""

    trace: Trace
    ledger: Ledger
    mapping: Mapping


class LayerMachine:
    """One layer on its macros: bits, programs, schedule. Open to be looked at.

    `programs` maps a name to its Program (accumulate: one a row tile; drain, merge: one
    a merge); `schedule` names what a step does, in order. Tests break both on purpose.
    """

    def __init__(self, ck: Checkpoint, layer: Layer, plan: LayerPlan, spec: MacroSpec):
        self.layer, self.plan, self.spec, self.law = layer, plan, spec, ck.law
        self.words = WORDS * -(-plan.outputs // COLUMNS)
        self.used = pack(np.ones(plan.outputs, bool))
        self.cells = np.zeros((plan.row_tiles, plan.rows, self.words), np.uint64)
        lam, theta = layer.row("lam"), layer.row("theta")
        self.registers = np.array([lam[0], theta[0]], np.int64)
        self.programs = _programs(ck, layer, plan, spec.ports)
        self.schedule = _schedule(ck, layer)
        self.merges = list(plan.merges)
        self.events = np.zeros(0, np.int32)  # inputs that will spike, for mutants
        self._load(ck, lam, theta)

    def _load(self, ck: Checkpoint, lam: np.ndarray, theta: np.ndarray) -> None:
        """Write weights and per-neuron rows: the state before the first clip."""
        p = self.plan
        for k in range(p.bits):
            self.cells[p.tile_of, p.weight_row + k] = pack(self.layer.w.T >> k & 1)
        if "L" in self._rows_held():
            self._store(p.bases["L"], lam, ck.B - 1)
        if "H" in self._rows_held():
            self._store(p.bases["H"], theta, ck.B - 1)
        if p.bias_bits:
            self._store(p.bases["bias"], self.layer.bias, p.bias_bits)

    def _rows_held(self) -> str:
        b = self.plan.bases
        return "L" * (b["H"] > b["L"]) + "H" * (b["M"] > b["H"])

    def _store(self, base: int, values: np.ndarray, bits: int) -> None:
        planes = values[None, :] >> np.arange(bits)[:, None] & 1
        self.cells[0, base : base + bits] = pack(planes)

    def bases(self, tile: int) -> list[int]:
        """First row of each space (V, W, L, H, M) on a row tile."""
        b = self.plan.bases
        if tile == 0:
            return [0, b["W"], b["L"], b["H"], b["M"]]
        return [0, self.plan.weight_base(tile), 0, 0, 0]

    def zero_weights(self) -> np.ndarray:
        """For each input, the neurons whose weight is 0, int64 [inputs]."""
        p = self.plan
        held = np.zeros((p.inputs, self.words), np.uint64)
        for k in range(p.bits):
            held |= self.cells[p.tile_of, p.weight_row + k]
        return p.outputs - np.bitwise_count(held).sum(1, dtype=np.int64)

    def check(self) -> None:
        """Refuse programs that break a port rule or leave the array."""
        names = microcode.SPACES
        for program, tile in self._listed():
            bases = dict(zip(names, self.bases(tile)))
            if program.name == "bias":
                bases["W"] = self.plan.bases["bias"]
            last = self.plan.slot_of[self.plan.tile_of == tile].max(initial=0)
            if program.name == "accumulate":
                bases["W"] += int(last) * self.plan.bits
            microcode.check(program, bases, self.plan.rows, self.spec.ports)

    def _listed(self) -> list[tuple[Program, int]]:
        """Every program with the row tile that runs it, in the order of the table."""
        one = [(self.programs[name], 0) for name in PROGRAMS if name not in _MANY]
        one += [(p, t) for t, p in enumerate(self.programs["accumulate"])]
        for m, drain, merge in zip(
            self.plan.merges, self.programs["drain"], self.programs["merge"]
        ):
            one += [(drain, m.src), (merge, m.dst)]
        return one

    def table(self):
        """All programs in one table: rows, masks, first cycle of each, and names."""
        programs = [program for program, _ in self._listed()]
        coded = [encode(program) for program in programs]
        starts = np.cumsum([0, *map(len, programs)])
        rows, masks = (np.concatenate([c[i] for c in coded]) for i in (0, 1))
        return rows, masks, starts.astype(np.int64), [p.name for p in programs]

    def merge_table(self) -> np.ndarray:
        """int64 [merges, 5]: round, dst, src, program of the drain, bits sent."""
        first = len(PROGRAMS) - len(_MANY) + self.plan.row_tiles
        order = {m: first + 2 * i for i, m in enumerate(self.plan.merges)}
        rows = [(m.round, m.dst, m.src, order[m], m.sent) for m in self.merges]
        return np.array(rows, np.int64).reshape(-1, 5)


_MANY = ("accumulate", "merge")  # one program a tile, one a merge
_ONE = [name for name in PROGRAMS if name not in _MANY]
_ID = np.array([_ONE.index(n) if n in _ONE else -1 for n in PROGRAMS], np.int64)


def _programs(ck: Checkpoint, layer: Layer, p: LayerPlan, ports: int) -> dict:
    per_lam, per_theta = p.bases["H"] > p.bases["L"], p.bases["M"] > p.bases["H"]
    beta = 0 if layer.beta is None else int(layer.beta)
    bias = microcode.accumulate(0, p.A, p.bias_bits, ports).cycles
    low = [p.f] + [0] * (p.row_tiles - 1)
    return {
        "clear": microcode.clear(p.B),
        "decay": microcode.decay(ck.law, p.B, p.A, beta, layer.beta_shift, per_lam),
        "extend": microcode.extend(p.B, p.A),
        "bias": Program("bias", bias if p.bias_bits else ()),
        "clamp": microcode.clamp(p.B, p.A, ports),
        "fire": microcode.fire(p.B, per_theta),
        "reset": microcode.reset(ck.reset, p.B, per_theta),
        "accumulate": [
            microcode.accumulate(a, a + width, p.bits, ports)
            for a, width in zip(low, p.widths)
        ],
        "drain": [microcode.drain(m.sent) for m in p.merges],
        "merge": [microcode.merge(m.low, m.own, m.sent, m.width) for m in p.merges],
    }


def _schedule(ck: Checkpoint, layer: Layer) -> list[str]:
    """The order of the contract; programs that are empty stay out."""
    steps = ["decay", "extend", "accumulate", "merge", "bias", "clamp", "fire", "reset"]
    if ck.law == "drift":  # extends the sign itself
        steps.remove("extend")
    if ck.law == "none":
        steps.remove("decay")
    if ck.law == "floor_after":
        steps = ["extend", "accumulate", "merge", "bias", "decay", *steps[5:]]
    if layer.bias is None:
        steps.remove("bias")
    return steps


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
    n = 0
    for word in words:
        while word:
            word &= word - np.uint64(1)
            n += 1
    return n


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
def _run(
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
                count[_FIRED] += _ones(latches[words : 2 * words] & used)
                for j in range(neurons):
                    tag = latches[words + (j >> 6)]
                    S[c, t, j] = tag >> np.uint64(j & 63) & np.uint64(1)
            if V.size and s >= 0 and (s + 1) % len(schedule) == 0:
                _integers(cells, words, B, V[c, t])
    return -1


def run_layer(
    machine: LayerMachine,
    indptr: np.ndarray,
    channel: np.ndarray,
    clips: int,
    steps: int,
    record: bool,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LayerTrace, Ledger]:
    """One layer over all clips; events as CSR over (clip, step)."""
    p, words = machine.plan, machine.words
    machine.check()
    rows, masks, starts, names = machine.table()
    shape = (clips, steps, p.outputs)
    U, V = (np.zeros(shape if record else (0, 0, 0), np.int32) for _ in range(2))
    S = np.zeros(shape, np.uint8)
    counts = np.zeros((len(PROGRAMS), len(FIELDS)), np.int64)
    err = np.zeros(3, np.int64)
    bases = np.array([machine.bases(t) for t in range(p.row_tiles)], np.int64)
    cells = machine.cells.copy().reshape(-1)
    latches = np.zeros(p.row_tiles * 3 * words, np.uint64)
    bus = np.zeros(LONGEST * words, np.uint64)
    schedule = np.array([PROGRAMS.index(name) for name in machine.schedule], np.int64)
    zeros, merges = machine.zero_weights(), machine.merge_table()
    busiest = int(np.diff(indptr).max(initial=0))
    work = np.zeros((max(busiest, 2 * len(merges), 1), 4), np.int64)
    chunk = max(1, clips if progress is None else -(-clips // 20))
    for first in range(0, clips, chunk):
        last = min(clips, first + chunk)
        broke = _run(
            first, last, steps, indptr, channel, p.tile_of, p.weight_row, zeros, p.B,
            p.outputs, p.column_tiles, machine.spec.ports, schedule, _ID, cells,
            latches, p.rows, words, rows, masks, starts, bases, p.bases["bias"],
            machine.registers, machine.used, bus, merges, len(_ONE),
            machine.law != "floor_after", work, U, V, S, counts, err,
        )  # fmt: skip
        if broke >= 0:
            port_fault(err, names[broke], int(starts[broke]), p.rows)
        if progress:
            progress(last, clips)
    ledger = Ledger.from_array(p.name, _in_columns(counts, p.cols))
    kept = (U, V) if record else (None, None)
    found = ledger.by_layer()[p.name]
    state = LayerTrace(p.name, *kept, S, found.cleared, found.clamped, found.sops)
    return state, ledger


def _in_columns(counts: np.ndarray, cols: int) -> np.ndarray:
    """Fill in what follows from the rows: every row is C bitlines."""
    counts[:, _F["adder_ops"]] *= cols
    counts[:, _F["columns_read"]] = counts[:, _F["read_rows"]] * cols
    counts[:, _F["sense_ops"]] = counts[:, _F["columns_read"]]
    counts[:, _F["columns_written"]] = counts[:, _F["write_rows"]] * cols
    return counts


def build(ck: Checkpoint, spec: MacroSpec) -> tuple[Mapping, list[LayerMachine]]:
    """Lay a network out and load its bits."""
    mapping = plan(ck, spec)
    pairs = zip(ck.layers, mapping.layers)
    return mapping, [LayerMachine(ck, layer, p, spec) for layer, p in pairs]


def emulate(
    ck: Checkpoint,
    clips: Clips,
    spec: MacroSpec | None = None,
    record: bool = True,
    progress: Callable[[int, int], None] | None = None,
    alter: Callable[[int, LayerMachine], None] | None = None,
) -> Run:
    """Run an integer checkpoint on emulated macros, bit by bit.

    Args:
        ck: integer checkpoint, fully connected layers.
        clips: events, binary per bin and channel.
        spec: size and kind of macro; 256 x 256, 10T by default.
        record: keep U and V of every neuron and step.
        progress: called with clips done and clips in all, layer by layer.
        alter: called with index and machine of each layer before it runs; mutants.

    Returns:
        Run: trace (equal to `integer.run`'s), ledger, mapping.

    Raises:
        Fault: clips and network do not fit, or a value lies off the grid.
        PortFault: a program breaks a rule of the array.
    """
    fits(ck, clips)
    mapping, machines = build(ck, spec or MacroSpec())
    indptr, channel = clips.indptr, clips.channel
    states, ledger = [], Ledger()
    for i, machine in enumerate(machines):
        machine.events = channel
        if alter:
            alter(i, machine)
        state, book = run_layer(
            machine, indptr, channel, len(clips), ck.steps, record, progress
        )
        states, ledger = [*states, state], ledger + book
        if i + 1 < len(machines):
            indptr, channel = as_events(state.S)
    return Run(Trace(states), ledger, mapping)
