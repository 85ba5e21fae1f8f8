"""Words of membranes in rows: bits between cycles, arithmetic on words within one.

`Words` is a memory whose periphery adds words; `LayerMachine` is a layer that takes one
step at a time, whatever its layout; `WordMachine` is layout B (near IMPULSE): a neuron
is A adjacent columns, one ripple addition a cycle and row.
"""

from dataclasses import dataclass, replace

import numpy as np

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.place.linear import check_layer, membrane_rows
from lindecay.sram.place.spec import MacroSpec


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
        return self.peek(row)

    def peek(self, row: int) -> np.ndarray:
        """The same for an observer: latches that know, no wordline rises."""
        bits = self.cells[:, row]
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
        return v - (v >> layer.row("beta"))
    if ck.law == "exponential":
        half = (1 << layer.beta_shift) >> 1
        size = (np.abs(v) * layer.row("beta").astype(int) + half) >> layer.beta_shift
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
    after = {"subtract": U - theta, "zero": np.zeros_like(U)}.get(ck.reset, U)
    return np.where(fired, after, U)


def late(ck: Checkpoint, layer: Layer, v: np.ndarray) -> np.ndarray:
    """What a late reset subtracts now: θ where the last step's membrane had fired."""
    theta = layer.row("theta").astype(np.int64)
    return theta * (v > theta) * (ck.reset == "late")


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
        self.late = ck.reset == "late"
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
        owed = late(ck, layer, self.flat(home.peek(0))) if self.late else 0
        clears = self.decay() if ck.law not in ("none", "floor_after") else 0
        if self.late:
            self.write(self.read() - owed, owed > 0)
            self.bill("reset", home.bill())
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
        if self.late:
            return Step(U, U, fired, clears, clamps)
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
