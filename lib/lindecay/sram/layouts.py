"""Layouts A, B and C behind one door: the same membranes, their own ledgers.

    A  bit-serial, a neuron is a column: `macro`, every bit by microcode
    B  words: a neuron is A adjacent columns; one ripple addition a cycle and row
    C  adder tree below the weights: all input spikes at once; the membranes elsewhere,
       updated in place (A's microcode), a row at a time, or word by word near memory

B and C have a word of logic below or beside the memory, so their arithmetic is on
words; what is kept between cycles is bits. How many cycles a tree takes is our own
assumption (`TREE_CYCLES`). These run clip by clip in numpy, for proofs on samples; A
alone is fast.
"""

from dataclasses import dataclass, replace

import numpy as np

from lindecay.events import Clips
from lindecay.integer import LayerTrace, Trace, as_events, fits
from lindecay.quantization import Checkpoint, Layer
from lindecay.settings import Fault
from lindecay.sram import macro
from lindecay.sram.array import Array
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.macro import Run
from lindecay.sram.mapping import MacroSpec, Mapping, check_layer, membrane_rows
from lindecay.sram.mapping import plan as plan_a
from lindecay.sram.microcode import Program, merge

TREE_CYCLES = 3  # of one pass through a pipelined adder tree


@dataclass(frozen=True)
class WordPlan:
    """A layer on macros of layout B or C."""

    name: str
    inputs: int
    outputs: int
    A: int  # bits of a membrane word
    row_tiles: int
    column_tiles: int
    macros: int
    utilisation: float


class Words:
    """Rows of words, `banks` macros in lockstep: bits between cycles, words within.

    Args:
        banks, rows, cols: macros that do the same at once, and their size.
        width: bits of a word; cols // width words a row.
    """

    def __init__(self, banks: int, rows: int, cols: int, width: int):
        self.cells = np.zeros((banks, rows, cols), bool)
        self.width, self.per_row = width, cols // width
        self.counts = Counts()

    def read(self, row: int) -> np.ndarray:
        """The words of a row of every bank, int64 [banks, words]."""
        bits = self.cells[:, row]
        self.counts.read_rows += len(bits)
        self.counts.columns_read += bits.size
        self.counts.sense_ops += bits.size
        self.counts.discharges += int(bits.sum())
        words = bits[:, : self.per_row * self.width]
        words = words.reshape(len(bits), self.per_row, self.width).astype(np.int64)
        weight = 2 ** np.arange(self.width, dtype=np.int64)
        weight[-1] = -weight[-1]
        return words @ weight

    def write(self, row: int, values: np.ndarray, where=None) -> None:
        """Write a row of words; `where` selects words, the others are written back."""
        bits = values[..., None] >> np.arange(self.width) & 1
        old = self.cells[:, row].copy()
        new = old.copy()
        new[:, : bits[0].size] = bits.reshape(len(bits), -1)
        if where is not None:
            meant = np.zeros_like(old)
            meant[:, : bits[0].size] = np.repeat(where, self.width, axis=1)
            new = np.where(meant, new, old)
        chosen = bits.size if where is None else int(np.sum(where)) * self.width
        self.cells[:, row] = new
        self.counts.write_rows += len(old)
        self.counts.columns_written += old.size
        self.counts.columns_selected += chosen
        self.counts.flips += int((old ^ new).sum())

    def tick(self, cycles: int = 1, adders: int = 0) -> None:
        """Time passes in every bank; `adders` full adders work."""
        self.counts.cycles += cycles
        self.counts.macro_cycles += cycles * len(self.cells)
        self.counts.adder_ops += adders

    def bill(self, **more: int) -> Counts:
        """What was counted since the last bill."""
        found, self.counts = self.counts, Counts()
        return found + Counts(**more)


def decayed(ck: Checkpoint, layer: Layer, v: np.ndarray) -> np.ndarray:
    """The decay as a word of logic does it; λ and β as broadcast."""
    lam = layer.row("lam").astype(np.int64)
    if ck.law == "shrink":
        return np.where(v < 0, np.minimum(v + lam, 0), np.maximum(v - lam, 0))
    if ck.law == "floor":
        return np.maximum(v - lam, 0)
    if ck.law == "drift":
        return v - lam
    if ck.law == "shift":
        return v - (v >> int(layer.beta))
    if ck.law == "exponential":
        half = (1 << layer.beta_shift) >> 1
        size = (np.abs(v) * int(layer.beta) + half) >> layer.beta_shift
        return np.where(v < 0, -size, size)
    return v


def integrated(ck: Checkpoint, layer: Layer, v: np.ndarray, current: np.ndarray):
    """The sum before the clamp."""
    raw = v + current + (0 if layer.bias is None else layer.bias.astype(np.int64))
    if ck.law == "floor_after":
        raw = np.maximum(raw - layer.row("lam"), 0)
    return raw


def reset(ck: Checkpoint, layer: Layer, U: np.ndarray, fired: np.ndarray):
    """The membrane after the reset."""
    theta = layer.row("theta").astype(np.int64)
    after = {"subtract": U - theta, "zero": np.zeros_like(U), "none": U}[ck.reset]
    return np.where(fired, after, U)


@dataclass
class Step:
    """What one step of a layer left behind, for the trace."""

    U: np.ndarray
    V: np.ndarray
    S: np.ndarray
    clears: int
    clamps: int


class LayerMachine:
    """A layer that takes one step at a time; subclasses say where its bits are."""

    plan: WordPlan

    def __init__(self, ck: Checkpoint, layer: Layer, spec: MacroSpec):
        check_layer(ck, layer)
        self.ck, self.layer, self.spec = ck, layer, spec
        self.A = membrane_rows(ck, layer)
        self.ledger = Ledger()

    def bill(self, program: str, counts: Counts) -> None:
        self.ledger += Ledger({(self.layer.name, program): counts})

    def clear(self) -> None:
        """Membranes to rest, at the start of a clip."""
        raise NotImplementedError

    def step(self, events: np.ndarray) -> Step:
        """One time step; `events` are the inputs that spike."""
        raise NotImplementedError

    def spiked(self, events: np.ndarray) -> dict[str, int]:
        """Counters that follow from the input spikes."""
        w = self.layer.w[:, events]
        zeros = int((w == 0).sum())
        return {"queue_entries": len(events), "sops": w.size, "zero_sops": zeros}


class WordMachine(LayerMachine):
    """Layout B: weights, membranes and partial sums as words in the same columns."""

    def __init__(self, ck: Checkpoint, layer: Layer, spec: MacroSpec):
        super().__init__(ck, layer, spec)
        N, K = layer.w.shape
        per_row = spec.cols // self.A
        self.groups = -(-N // per_row)
        self.held = spec.rows - 1  # one row for V or a partial sum
        tiles = -(-K // self.held)
        self.tiles: list[Words] = []
        self.spare = self.groups * per_row - N
        for t in range(tiles):
            words = Words(self.groups, spec.rows, spec.cols, self.A)
            for slot, i in enumerate(range(t, K, tiles)):
                words.write(1 + slot, self.placed(layer.w[:, i].astype(int) << ck.f))
            words.bill()  # loading weights is not part of a step
            self.tiles.append(words)
        used = N * (K * layer.bits + self.A * tiles)
        cells = self.groups * tiles * spec.rows * spec.cols
        macros = self.groups * tiles
        self.plan = WordPlan(
            layer.name, K, N, self.A, tiles, self.groups, macros, used / cells
        )

    def placed(self, values: np.ndarray) -> np.ndarray:
        """Values of the neurons as words [groups, per row]."""
        return np.pad(values, (0, self.spare)).reshape(self.groups, -1)

    def flat(self, words: np.ndarray) -> np.ndarray:
        return words.reshape(-1)[: self.plan.outputs]

    def clear(self) -> None:
        home = self.tiles[0]
        home.write(0, self.placed(np.zeros(self.plan.outputs, int)))
        home.tick()
        self.bill("clear", home.bill())

    def read(self) -> np.ndarray:
        """The membranes, as the periphery of the home tiles sees them in a cycle."""
        self.tiles[0].tick(1, self.plan.outputs * self.A)
        return self.flat(self.tiles[0].read(0))

    def write(self, values: np.ndarray, where=None) -> None:
        """Write the membranes back in the same cycle, or some of them."""
        chosen = None if where is None else self.placed(where.astype(int)) > 0
        self.tiles[0].write(0, self.placed(values), chosen)

    def step(self, events: np.ndarray) -> Step:
        ck, layer, home = self.ck, self.layer, self.tiles[0]
        clears = self.decay() if ck.law not in ("none", "floor_after") else 0
        self.accumulate(events)
        self.merge()
        held = self.read()
        raw = integrated(ck, layer, held, 0)
        U = np.clip(raw, ck.v_min, ck.v_max)
        self.write(U, held != U)
        clamps = int((raw != U).sum())
        self.bill("clamp", home.bill(clamped=clamps))
        fired = self.read() > layer.row("theta")
        self.bill("fire", home.bill(fired=int(fired.sum())))
        V = reset(ck, layer, self.read(), fired)
        self.write(V, fired)
        self.bill("reset", home.bill())
        return Step(U, V, fired, clears, clamps)

    def decay(self) -> int:
        """Add -λ or λ by the sign, then clear where the sign turned: two passes."""
        ck, v = self.ck, self.read()
        lam, rest = self.layer.row("lam").astype(np.int64), decayed(ck, self.layer, v)
        turns = ck.law in ("shrink", "floor")
        first = v - np.where((v < 0) & (ck.law == "shrink"), -lam, lam)
        self.write(first if turns else rest)
        if turns:
            self.write(0 * self.read(), first != rest)
        clears = int(np.sum((v != 0) & (rest == 0)))
        self.bill("decay", self.tiles[0].bill(cleared=clears))
        return clears

    def accumulate(self, events: np.ndarray) -> None:
        """Every spike adds its weight row to row 0 of its tile: a cycle each."""
        tiles, spent = len(self.tiles), Counts()
        for t, words in enumerate(self.tiles):
            for i in events[events % tiles == t]:
                weight, own = words.read(1 + int(i) // tiles), words.read(0)
                words.write(0, weight + own)
                words.tick(1, self.plan.outputs * self.A)
            spent += words.bill()
        slowest = np.bincount(events % tiles, minlength=tiles).max()
        self.bill(
            "accumulate",
            replace(spent, cycles=int(slowest)) + Counts(**self.spiked(events)),
        )

    def merge(self) -> None:
        """Pairs of row tiles, a word of every neuron in a cycle."""
        active, bits = list(self.tiles), self.plan.outputs * self.A
        while len(active) > 1:
            round_ = Counts()
            for dst, src in zip(active[::2], active[1::2]):
                sent = src.read(0)
                src.write(0, np.zeros_like(sent))
                dst.write(0, dst.read(0) + sent)
                src.tick()
                dst.tick(1, bits)
                round_ += src.bill() + dst.bill(transport_bits=bits)
            self.bill("merge", replace(round_, cycles=1))
            active = active[::2]


class TreeMachine(LayerMachine):
    """Layout C: sums from adder trees, membranes near memory, by rows or by words."""

    def __init__(self, ck: Checkpoint, layer: Layer, spec: MacroSpec):
        super().__init__(ck, layer, spec)
        N, K = layer.w.shape
        self.bits = layer.w.astype(np.int64)[..., None] >> np.arange(layer.bits) & 1
        self.row_tiles = -(-K // spec.rows)
        across = -(-N // (spec.cols // layer.bits))
        self.trees = self.row_tiles * across
        per_row = spec.cols // ck.B
        self.rows = -(-N // per_row)
        extra = self.membranes()
        macros = self.trees + extra
        used = N * (K * layer.bits + ck.B) / (macros * spec.rows * spec.cols)
        self.plan = WordPlan(
            layer.name, K, N, ck.B, self.row_tiles, across, macros, used
        )

    def membranes(self) -> int:
        """Lay the membranes out; the macros that they take."""
        spec = self.spec
        self.memory = Words(1, self.rows, spec.cols, self.ck.B)
        return -(-self.rows // spec.rows)

    def clear(self) -> None:
        for row in range(self.rows):
            self.memory.write(row, np.zeros((1, self.memory.per_row), np.int64))
            self.memory.tick()
        self.bill("clear", self.memory.bill())

    def tree(self, events: np.ndarray) -> np.ndarray:
        """Sum of the weights of all spiking inputs: ones counted in each bit plane."""
        ones = self.bits[:, events].sum(1)  # [out, bits]: what the trees add
        weight = 2 ** np.arange(self.layer.bits, dtype=np.int64)
        weight[-1] = -weight[-1]
        spent = Counts(cycles=TREE_CYCLES, macro_cycles=TREE_CYCLES * self.trees)
        self.bill("accumulate", spent + Counts(**self.spiked(events)))
        if self.row_tiles > 1:
            width = self.layer.bits + int(np.ceil(np.log2(self.layer.w.shape[1])))
            moved = (self.row_tiles - 1) * len(self.layer.w) * width
            cycles = int(np.ceil(np.log2(self.row_tiles)))
            more = {"transport_bits": moved, "macro_cycles": cycles * self.trees}
            self.bill("merge", Counts(cycles=cycles, adder_ops=moved, **more))
        return ones @ weight << self.ck.f

    def step(self, events: np.ndarray) -> Step:
        current, out = self.tree(events), []
        per = self.memory.per_row
        spare = self.rows * per - self.plan.outputs
        currents = np.pad(current, (0, spare)).reshape(self.rows, per)
        for row in range(self.rows):
            out.append(self.row_update(row, currents[row]))
        joined = [np.concatenate(parts) for parts in zip(*out)]
        v, rest, raw, U, fired, V = joined
        clears = int(np.sum((v != 0) & (rest == 0))) * (self.ck.law != "floor_after")
        clamps = int(np.sum(raw != U))
        done = {"fired": int(fired.sum()), "cleared": clears, "clamped": clamps}
        self.bill("update", self.memory.bill(**done))
        return Step(U, V, fired, clears, clamps)

    def row_update(self, row: int, current: np.ndarray) -> tuple:
        """Read a row, do the whole update beside it, write it back."""
        per, words = self.memory.per_row, self.spec.update == "word"
        mine = slice(row * per, min((row + 1) * per, self.plan.outputs))
        n = mine.stop - mine.start
        layer = _rows_of(self.layer, mine)
        v = self.memory.read(row)[0][:n]
        rest = decayed(self.ck, layer, v)
        raw = integrated(self.ck, layer, rest, current[:n])
        U = np.clip(raw, self.ck.v_min, self.ck.v_max)
        fired = U > layer.row("theta")
        V = reset(self.ck, layer, U, fired)
        kept = np.zeros((1, per), np.int64)
        kept[0, :n] = V
        where = (np.arange(per) < n)[None]
        for _ in range(n - 1 if words else 0):  # every word raises the row again
            self.memory.read(row)
            self.memory.write(row, kept, where & False)
        self.memory.write(row, kept, where)
        ports = 2 if self.spec.ports == 1 else 1
        self.memory.tick(ports * (n if words else 1), 4 * n * self.ck.B)
        return v, rest, raw, U, fired, V


class InPlaceMachine(TreeMachine):
    """Layout C with the membranes in columns: the tree's sum enters bit by bit."""

    def membranes(self) -> int:
        p = plan_a(self.ck, self.spec).layers
        self.home = next(x for x in p if x.name == self.layer.name)
        self.array = Array(self.home.bases["W"], len(self.layer.w), 2)
        machine = macro.LayerMachine(self.ck, self.layer, self.home, self.spec)
        self.programs = machine.programs
        width = self.A - self.ck.f
        self.enter = merge(self.ck.f, width, width, width)
        self.array.bases |= dict(zip("VWLHM", machine.bases(0)))
        if machine.plan.bias_bits:
            raise Fault("no bias row in layout C", expected="bias-free layers")
        for space, name in (("L", "lam"), ("H", "theta")):
            if space in machine._rows_held():
                self.array.poke(space, self.layer.row(name), self.ck.B - 1)
        lam, theta = machine.registers.tolist()
        self.array.registers = {"lam": lam, "theta": theta}
        return -(-len(self.layer.w) // self.spec.cols)

    def clear(self) -> None:
        self.run("clear")

    def run(self, name: str, program: Program | None = None, **more: int) -> None:
        """One program of layout A on the single-bit array, billed on whole macros."""
        program = program or self.programs[name]
        self.array.counts = {}
        self.array.run(program)
        found, cols = Counts(**self.array.counts), self.spec.cols
        across = -(-len(self.layer.w) // cols)
        found.macro_cycles = found.cycles * across
        for key in ("read_rows", "write_rows"):
            setattr(found, key, found[key] * across)
        found.columns_read = found.sense_ops = found.read_rows * cols
        found.columns_written = found.write_rows * cols
        found.adder_ops = found.adder_ops // len(self.layer.w) * cols * across
        self.bill(name, found + Counts(**more))

    def step(self, events: np.ndarray) -> Step:
        ck, a = self.ck, self.array
        current = self.tree(events) >> ck.f
        v, clears = a.peek("V", ck.B), 0
        after = ck.law == "floor_after"
        if not after and ck.law != "none":
            self.run("decay")
            clears = int(np.sum((v != 0) & (a.peek("V", ck.B) == 0)))
            self.bill("decay", Counts(cleared=clears))
        if ck.law != "drift":
            self.run("extend")
        width = self.A - ck.f
        a.bus[:width] = current >> np.arange(width)[:, None] & 1
        self.run("merge", self.enter)
        if after:
            self.run("decay")
        self.run("clamp")
        clamps = int(a.G.sum())
        self.bill("clamp", Counts(clamped=clamps))
        U = a.peek("V", ck.B)
        self.run("fire")
        fired = a.G.copy()
        self.bill("fire", Counts(fired=int(fired.sum())))
        self.run("reset")
        return Step(U, a.peek("V", ck.B), fired, clears, clamps)


def _rows_of(layer: Layer, mine: slice) -> Layer:
    """The part of a layer whose membranes stand in one row."""
    bias = None if layer.bias is None else layer.bias[mine]
    own = {name: layer.row(name)[mine] for name in ("theta", "lam")}
    return replace(layer, w=layer.w[mine], bias=bias, **own)


MACHINES = {
    ("B", "in-place"): WordMachine,
    ("C", "in-place"): InPlaceMachine,
    ("C", "row"): TreeMachine,
    ("C", "word"): TreeMachine,
}


def emulate(
    ck: Checkpoint, clips: Clips, spec: MacroSpec | None = None, record=True, **more
) -> Run:
    """Run an integer checkpoint on emulated macros of any layout.

    Args:
        ck: integer checkpoint, fully connected layers.
        clips: events, binary per bin and channel.
        spec: macro, layout and update; 256 x 256 of layout A by default.
        record: keep U and V of every neuron and step.
        more: `progress` and `alter` of layout A (see `macro.emulate`).

    Returns:
        Run: trace (equal to `integer.run`'s), ledger, mapping.

    Raises:
        Fault: clips and network do not fit, or a value lies off the grid.
        PortFault: a program breaks a rule of the array.
    """
    spec = spec or MacroSpec()
    if spec.layout == "A":
        return macro.emulate(ck, clips, spec, record, **more)
    fits(ck, clips)
    machines = [MACHINES[spec.layout, spec.update](ck, x, spec) for x in ck.layers]
    indptr, channel, states, ledger = clips.indptr, clips.channel, [], Ledger()
    for machine in machines:
        state = _run(machine, indptr, channel, len(clips), ck.steps, record)
        states, ledger = [*states, state], ledger + machine.ledger
        indptr, channel = as_events(state.S)
    return Run(Trace(states), ledger, Mapping(spec, tuple(m.plan for m in machines)))


def _run(machine: LayerMachine, indptr, channel, clips, steps, record) -> LayerTrace:
    shape = (clips, steps, machine.plan.outputs)
    U, V = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    S, clears, clamps = np.zeros(shape, np.uint8), 0, 0
    for c in range(clips):
        machine.clear()
        for t in range(steps):
            here = c * steps + t
            done = machine.step(channel[indptr[here] : indptr[here + 1]])
            U[c, t], V[c, t], S[c, t] = done.U, done.V, done.S
            clears, clamps = clears + done.clears, clamps + done.clamps
    kept = (U, V) if record else (None, None)
    sops = len(channel) * machine.plan.outputs
    return LayerTrace(machine.layer.name, *kept, S, clears, clamps, sops)
