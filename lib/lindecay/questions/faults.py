"""Faults in the array's cells: which bits are wrong, and what the network makes of it.

    Faults(place, rate, seed)
        V                   each stored bit flips with `rate` in each step (transient)
        W, decay, theta     each stored bit flips with `rate` once, and stays so
        all                 all of them at one rate

The same flips run in two tiers: `run`, the integer network with words that are damaged
between steps, and `bits`, the emulator's own cells. They agree bit for bit
(tests/test_faults.py). W, decay (lambda, beta or k) and theta make another checkpoint
(`damaged`), which runs everywhere. With rate 0 nothing differs.
"""

from dataclasses import dataclass, replace

import numpy as np

from lindecay import integer
from lindecay.checkpoints import Checkpoint, Layer
from lindecay.events import Clips
from lindecay.integer import LayerTrace
from lindecay.settings import Fault
from lindecay.sram import MacroSpec
from lindecay.sram.place.wiring import joined
from lindecay.sram.serial import bitwise
from lindecay.sram.serial.array import Array
from lindecay.sram.serial.macro import build, most_events, now

PLACES = ("V", "W", "decay", "theta")
CONSTANTS = PLACES[1:]


@dataclass(frozen=True)
class Faults:
    """Which stored bits are wrong.

    place: V, W, decay, theta, or all.
    rate: share of bits; of V in each step, of the others once.
    """

    place: str = "all"
    rate: float = 0.0
    seed: int = 0

    def __post_init__(self):
        if self.place not in (*PLACES, "all"):
            wanted = ", ".join((*PLACES, "all"))
            raise Fault("place of faults", expected=wanted, found=repr(self.place))
        if not 0 <= self.rate <= 1:
            raise Fault("rate of faults", expected="0 to 1", found=self.rate)

    def hits(self, place: str) -> bool:
        """Whether bits of a place are wrong at all."""
        return self.rate > 0 and self.place in (place, "all")

    def random(self, place: str, layer: int) -> np.random.Generator:
        """The same draws for the same place and layer, in both tiers."""
        return np.random.default_rng([self.seed, (*PLACES, "all").index(place), layer])


def masks(random, shape: tuple[int, ...], bits: int, rate: float) -> np.ndarray:
    """Which bits of words flip: int32 `shape`, to be joined by exclusive or.

    The number of flips is binomial, their places uniform; linear in the flips.
    """
    words = int(np.prod(shape))
    flips = random.integers(0, words * bits, random.binomial(words * bits, rate))
    out = np.zeros(words, np.int32)
    flips = np.unique(flips)  # a bit flips once
    np.bitwise_xor.at(out, flips // bits, (1 << flips % bits).astype(np.int32))
    return out.reshape(shape)


def flipped(values: np.ndarray, mask: np.ndarray, bits: int) -> np.ndarray:
    """Two's complement words of `bits` bits with some of them flipped.

    >>> flipped(np.array([3, -1]), np.array([8, 1]), 4).tolist()
    [-5, -2]
    """
    word = (np.asarray(values, np.int64) ^ mask) & ((1 << bits) - 1)
    return word - ((word >> (bits - 1)) << bits)


def damaged(ck: Checkpoint, faults: Faults) -> Checkpoint:
    """The network as its weights, decays and thresholds now stand in the cells."""
    layers = (_damaged(ck, layer, k, faults) for k, layer in enumerate(ck.layers))
    return Checkpoint(ck.meta, tuple(layers))


def _damaged(ck: Checkpoint, layer: Layer, k: int, faults: Faults) -> Layer:
    told = {}
    if faults.hits("W"):
        mask = masks(faults.random("W", k), layer.w.shape, layer.bits, faults.rate)
        told["w"] = flipped(layer.w, mask, layer.bits).astype(layer.w.dtype)
    for place, (name, bits) in {
        "theta": ("theta", ck.B - 1),
        **_decay(ck, layer),
    }.items():
        if faults.hits(place):
            row = np.asarray(getattr(layer, name))
            mask = masks(faults.random(place, k), row.shape, bits, faults.rate)
            told[name] = (row.astype(np.int64) ^ mask).astype(row.dtype)
    return replace(layer, **told) if told else layer


def _decay(ck: Checkpoint, layer: Layer) -> dict[str, tuple[str, int]]:
    """Where the decay is stored: the field of the layer, and its bits."""
    if ck.law == "none":
        return {}
    if ck.law == "exponential":
        return {"decay": ("beta", layer.beta_shift)}
    return {"decay": ("beta", 3) if ck.law == "shift" else ("lam", ck.B - 1)}


def run(ck: Checkpoint, clips: Clips, faults: Faults) -> list[LayerTrace]:
    """The integer network with faults; U, V (as written) and S of every layer.

    Raises:
        Fault: a network that is no plain chain of linear layers.
    """
    _plain(ck)
    ck, found = damaged(ck, faults), []
    events = clips.indptr, clips.channel
    for k, layer in enumerate(ck.layers):
        found.append(_layer(ck, layer, k, events, len(clips), faults))
        events = integer.as_events(found[-1].S)
    return found


def _plain(ck: Checkpoint) -> None:
    kinds = [layer.kind for layer in ck.layers]
    if set(kinds) != {"linear"} or any(
        len(ck.bundles(i)) > 1 for i in range(len(kinds))
    ):
        wanted = "linear layers one after another"
        raise Fault("faults in membranes", expected=wanted, found=", ".join(kinds))


def _layer(ck, layer: Layer, k: int, events, clips: int, faults: Faults) -> LayerTrace:
    shape = (clips, ck.steps, layer.out)
    current = np.zeros((clips * ck.steps, layer.out), np.int32) + layer.row("bias")
    rows = layer.w.T.astype(np.int32) << ck.f
    sops = integer._add_rows(*events, rows, current)
    U, V, S = (
        np.zeros(shape, np.int32),
        np.zeros(shape, np.int32),
        np.zeros(shape, np.uint8),
    )
    v, how = (
        np.zeros((clips, layer.out), np.int32),
        integer._dynamics(ck, layer, np.int32),
    )
    flips, counts = upset(ck, layer, k, clips, faults), np.zeros(2, np.int64)
    current = current.reshape(shape)
    for t in range(ck.steps):
        counts += integer._settled(current[:, t : t + 1], *how, v, U, V, S, t)
        if flips is not None:
            v[:] = flipped(v, flips[:, t], ck.B)
    return LayerTrace(layer.name, U, V, S, *counts.tolist(), int(sops), v)


def upset(ck, layer: Layer, k: int, clips: int, faults: Faults) -> np.ndarray | None:
    """Which membrane bits flip after each step, int32 [clips, steps, out]."""
    if not faults.hits("V"):
        return None
    shape = (clips, ck.steps, layer.out)
    return masks(faults.random("V", k), shape, ck.B, faults.rate)


class Cells(bitwise.Bits):
    """A layer in single bits whose membrane cells are upset after each step."""

    def __init__(self, machine, clips: int, steps: int, flips: np.ndarray | None):
        super().__init__(machine, clips, steps)
        self.flips = flips

    def step(self, events: np.ndarray, c: int, t: int) -> None:
        super().step(events, c, t)
        if self.flips is not None:
            for mine, part in zip(self.machine.neurons, self.parts):
                self._upset(mine, part, c, t)

    def _upset(self, mine: np.ndarray, part, c: int, t: int) -> None:
        mask = np.where(mine >= 0, self.flips[c, t, mine], 0)
        array, B = part.home, part.plan.B
        for k in range(B):
            array.cells[array.bases["V"] + k] ^= (mask >> k & 1).astype(bool)


@dataclass(frozen=True)
class Broken:
    """Hardware that stays broken, in single bits only: it acts within a step.

    part: cell (a membrane cell that holds one value), carry (a column's carry latch
        that does), or column (a column that never fires).
    rate: share of membrane cells, or of columns; half of them stand at 1.
    """

    part: str
    rate: float
    seed: int = 0

    def __post_init__(self):
        if self.part not in ("cell", "carry", "column"):
            raise Fault("a part that breaks", expected="cell, carry, column",
                        found=repr(self.part))  # fmt: skip

    def draw(self, shape: tuple[int, ...], layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Which are broken, and where they stand, bool `shape` each."""
        random = np.random.default_rng([self.seed, len(self.part), layer])
        return random.random(shape) < self.rate, random.random(shape) < 0.5


class BrokenArray(Array):
    """An array some of whose cells or carry latches stand still."""

    def broken(self, faults: Broken, rows: slice, layer: int) -> "BrokenArray":
        """Break it, in place: `rows` hold the membranes."""
        columns = self.cells.shape[1]
        shape = (rows.stop - rows.start, columns)
        shape = shape if faults.part == "cell" else (columns,)
        self.part, self.rows = faults.part, rows
        self.stands, self.at = faults.draw(shape, layer)
        return self

    def step(self, program, i: int):
        self._hold()
        seen = super().step(program, i)
        self._hold()
        return seen

    def _hold(self) -> None:
        if self.part == "cell":
            held = self.cells[self.rows]
            held[self.stands] = self.at[self.stands]
        elif self.part == "carry":
            self.C = np.where(self.stands, self.at, self.C)


class BrokenCells(bitwise.Bits):
    """A layer in single bits on broken hardware."""

    def __init__(self, machine, clips: int, steps: int, faults: Broken, layer: int):
        super().__init__(machine, clips, steps)
        self.mute = np.zeros(machine.plan.outputs, bool)
        if faults.part == "column":
            self.mute, _ = faults.draw(self.mute.shape, layer)
        for part in self.parts:
            first = part.home.bases["V"]
            part.home.__class__ = BrokenArray
            part.home.broken(faults, slice(first, first + part.plan.B), layer)

    def step(self, events: np.ndarray, c: int, t: int) -> None:
        super().step(events, c, t)
        self.S[c, t, self.mute] = 0


def broken(ck: Checkpoint, clips: Clips, faults: Broken) -> list[LayerTrace]:
    """A network on broken hardware, cycle by cycle, on layout A."""
    _plain(ck)

    def made(machine, layer, k):
        return BrokenCells(machine, len(clips), ck.steps, faults, k)

    return _through(ck, clips, made)


def bits(ck: Checkpoint, clips: Clips, faults: Faults) -> list[LayerTrace]:
    """The same faults in the emulator's cells, cycle by cycle, on layout A."""
    _plain(ck)
    ck = damaged(ck, faults)

    def made(machine, layer, k):
        return Cells(
            machine, len(clips), ck.steps, upset(ck, layer, k, len(clips), faults)
        )

    return _through(ck, clips, made)


def _through(ck: Checkpoint, clips: Clips, made) -> list[LayerTrace]:
    """All clips through single bits; made: (machine, layer, k) -> a layer of them."""
    walk = integer.Walk(ck, clips)
    _, machines = build(ck, MacroSpec(), most_events(clips))
    layers = [made(m, one, k) for k, (m, one) in enumerate(zip(machines, ck.layers))]
    for c in range(len(clips)):
        for t in range(ck.steps):
            for i, layer in enumerate(layers):
                parts = [now(walk, layers, b, c, t) for b in ck.bundles(i)]
                layer.step(joined(ck.bundles(i), parts)[1], c, t)
    return [layer.trace() for layer in layers]


def accuracy(ck: Checkpoint, clips: Clips, faults: Faults) -> float:
    """Per cent of clips whose class the damaged network still tells."""
    counts = run(ck, clips, faults)[-1].S.sum(1, dtype=np.int32)
    return 100 * float((counts.argmax(1) == clips.labels).mean())
