"""Words of membranes in rows: bits between cycles, arithmetic on words within one.

`Words` is a memory whose periphery adds words; `LayerMachine` is a layer that takes one
step at a time, whatever its layout; `WordMachine` is layout B (near IMPULSE): a neuron
is A adjacent columns, one ripple addition a cycle and row.
"""

from dataclasses import dataclass, replace

import numpy as np

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.laws import OWN
from lindecay.settings import Fault
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.place.linear import check_layer, membrane_rows
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.stepwise.adders import Whole


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

    def added(self, rows: np.ndarray) -> None:
        """Row 0 += each of some rows, in turn: the same reads and writes, at once."""
        if not len(rows):
            return
        banks, cols = len(self.cells), self.cells.shape[2]
        weights = np.stack([self.peek(int(row)) for row in rows])
        held = np.cumsum(np.concatenate([self.peek(0)[None], weights]), axis=0)
        mask = (1 << self.width) - 1
        ones = np.bitwise_count((held[:-1] & mask).astype(np.uint64)).sum()
        ones += np.bitwise_count((weights & mask).astype(np.uint64)).sum()
        turned = ((held[:-1] ^ held[1:]) & mask).astype(np.uint64)
        n, room = len(rows) * banks, self.per_row * self.width
        self.counts += Counts(
            read_rows=2 * n,
            columns_read=2 * n * cols,
            sense_ops=2 * n * cols,
            discharges=int(ones),
            write_rows=n,
            columns_written=n * cols,
            columns_selected=n * room,
            flips=int(np.bitwise_count(turned).sum()),
        )
        bits = held[-1][..., None] >> np.arange(self.width) & 1
        self.cells[:, 0, :room] = bits.reshape(banks, -1)

    def tick(self, cycles: int = 1, adders: int = 0) -> None:
        """Time passes in every bank; `adders` full adders work."""
        self.counts.cycles += cycles
        self.counts.macro_cycles += cycles * len(self.cells)
        self.counts.adder_ops += adders

    def bill(self, **more: int) -> Counts:
        """What was counted since the last bill."""
        found, self.counts = self.counts, Counts()
        return found + Counts(**more)


def decayed(ck: Checkpoint, layer: Layer, v: np.ndarray, alu=Whole) -> np.ndarray:
    """The decay as a word of logic does it: additions, selections, wired shifts."""
    if ck.law in OWN:
        told = {"expected": "layout A, or C in place", "found": ck.law}
        raise Fault("no word program for this law", **told)
    lam, B = layer.row("lam").astype(np.int64), ck.B + 2
    if ck.law == "shrink":
        first = alu.add(v, np.where(v < 0, lam, ~lam), v >= 0, B)
        return np.where((v < 0) == (first < 0), first, 0)
    if ck.law == "floor":
        first = alu.add(v, ~lam, 1, B)
        return np.where((v < 0) | (first < 0), 0, first)
    if ck.law == "drift":
        return alu.add(v, ~lam, 1, B)
    factor, n = layer.row("beta").astype(np.int64), layer.beta_shift or 0
    if ck.law == "shift":
        lost = alu.add(v, _rounded(ck.rounding, v, factor), 0, 40) >> factor
        return alu.add(v, ~lost, 1, B)
    if ck.law == "exponential":
        out = _rounded(ck.rounding, v, np.int64(n))
        for i in range(int(factor.max()).bit_length()):
            out = np.where(factor >> i & 1, alu.add(out, v << i, 0, B + n + 1), out)
        return out >> n
    return v


def additions(ck: Checkpoint, layer: Layer) -> int:
    """Word additions of one decay: those of a product, or one (two if it rounds)."""
    factors = np.unique(layer.row("beta"))
    if ck.law == "exponential":
        one = bin(int(factors[0])).count("1") if len(factors) == 1 else 0
        return max(1, one or int(factors[-1]).bit_length())
    return 2 if ck.law == "shift" and ck.rounding != "floor" else 1


def _rounded(how: str, v: np.ndarray, n: np.ndarray) -> np.ndarray:
    """What is added before a shift by n, so that its floor rounds."""
    if how == "floor":
        return np.zeros_like(v)
    if how == "trunc":
        return np.where(v < 0, (1 << n) - 1, 0)
    half = (1 << n) >> 1
    return np.where((v < 0) & (n > 0), half - 1, half)


def integrated(ck: Checkpoint, layer: Layer, v, current, alu=Whole, width: int = 40):
    """The sum before the clamp."""
    raw = alu.add(v, current, 0, width)
    if layer.bias is not None:
        raw = alu.add(raw, layer.row("bias").astype(np.int64), 0, width)
    if ck.law == "floor_after":
        raw = alu.add(raw, ~layer.row("lam").astype(np.int64), 1, width)
        raw = np.where(raw < 0, 0, raw)
    return raw


def fires(layer: Layer, U: np.ndarray, alu=Whole, width: int = 40) -> np.ndarray:
    """U > θ: the sign of U - θ - 1."""
    return alu.add(U, ~layer.row("theta").astype(np.int64), 0, width) >= 0


def reset(ck: Checkpoint, layer: Layer, U, fired, alu=Whole, width: int = 40):
    """The membrane after the reset."""
    theta = layer.row("theta").astype(np.int64)
    if ck.reset == "subtract":
        return np.where(fired, alu.add(U, ~theta, 1, width), U)
    return np.where(fired, 0, U) if ck.reset == "zero" else U


def late(ck: Checkpoint, layer: Layer, v: np.ndarray, alu=Whole) -> np.ndarray:
    """What a late reset subtracts now: θ where the last step's membrane had fired."""
    theta = layer.row("theta").astype(np.int64)
    return theta * fires(layer, v, alu, ck.B + 2) * (ck.reset == "late")


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

    def __init__(
        self, ck: Checkpoint, layer: Layer, spec: MacroSpec, linked=None, often=None,
        alu=Whole,
    ):  # fmt: skip
        """`ck` speaks for this layer (`Checkpoint.of`), which is one matrix.

        linked: where it connects, bool [out, in]; often: events of an input that a step
        may hold; alu: how it adds, `Whole` or `Ripple`.
        """
        check_layer(ck, layer)
        self.ck, self.layer, self.spec, self.alu = ck, layer, spec, alu
        self.linked = np.ones(layer.w.shape, bool) if linked is None else linked
        self.often = np.ones(layer.w.shape[1], np.int64) if often is None else often
        self.A = membrane_rows(ck, layer, self.often)
        self.late = ck.reset == "late"
        self.ledger = Ledger()

    @classmethod
    def takes(cls, ck: Checkpoint, spec: MacroSpec, N: int, K: int, A: int, bits: int):
        """Macros of N neurons on K inputs."""
        raise NotImplementedError

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
        linked = self.linked[:, events]
        zeros = int((linked & (self.layer.w[:, events] == 0)).sum())
        sops = int(linked.sum())
        return {"queue_entries": len(events), "sops": sops, "zero_sops": zeros}


class WordMachine(LayerMachine):
    """Layout B: weights, membranes and partial sums as words in the same columns."""

    @classmethod
    def takes(cls, ck, spec, N, K, A, bits) -> int:
        if A > spec.cols or spec.rows < 2:
            raise Fault(
                "a membrane word does not fit a macro",
                expected=f"at least {A} columns and 2 rows",
                found=f"{spec.cols} and {spec.rows}",
            )
        return -(-N // (spec.cols // A)) * -(-K // (spec.rows - 1))

    def __init__(self, ck: Checkpoint, layer: Layer, spec: MacroSpec, *more, **told):
        super().__init__(ck, layer, spec, *more, **told)
        N, K = layer.w.shape
        self.takes(ck, spec, N, K, self.A, layer.bits)
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
        alu, A = self.alu, self.A
        owed = late(ck, layer, self.flat(home.peek(0)), alu) if self.late else 0
        clears = self.decay() if ck.law not in ("none", "floor_after") else 0
        if self.late:
            self.write(alu.add(self.read(), ~owed, 1, A), owed > 0)
            self.bill("reset", home.bill())
        self.accumulate(events)
        self.merge()
        held = self.read()
        raw = integrated(ck, layer, held, 0 * held, alu, A + 1)
        U = np.clip(raw, ck.v_min, ck.v_max)
        self.write(U, held != U)
        clamps = int((raw != U).sum())
        self.bill("clamp", home.bill(clamped=clamps))
        fired = fires(layer, self.read(), alu, A + 1)
        self.bill("fire", home.bill(fired=int(fired.sum())))
        if self.late:
            return Step(U, U, fired, clears, clamps)
        V = reset(ck, layer, self.read(), fired, alu, A + 1)
        self.write(V, fired)
        self.bill("reset", home.bill())
        return Step(U, V, fired, clears, clamps)

    def decay(self) -> int:
        """Add -λ or λ by the sign, then clear where the sign turned: two passes."""
        ck, v = self.ck, self.read()
        lam = self.layer.row("lam").astype(np.int64)
        rest, turns = (
            decayed(ck, self.layer, v, self.alu),
            ck.law in ("shrink", "floor"),
        )
        up = (v < 0) & (ck.law == "shrink")
        first = self.alu.add(v, np.where(up, lam, ~lam), ~up, self.A)
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
            rows = 1 + events[events % tiles == t] // tiles
            if self.alu is Whole:
                words.added(rows)
            for row in rows if self.alu is not Whole else ():
                weight, own = words.read(int(row)), words.read(0)
                words.write(0, self.alu.add(weight, own, 0, self.A))
            words.tick(len(rows), len(rows) * self.plan.outputs * self.A)
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
                dst.write(0, self.alu.add(dst.read(0), sent, 0, self.A))
                src.tick()
                dst.tick(1, bits)
                round_ += src.bill() + dst.bill(transport_bits=bits)
            self.bill("merge", replace(round_, cycles=1))
            active = active[::2]
