"""Studies of damage: MLP-2 under four laws, trained once, judged with damaged cells.

    faults     bits that flip: place x rate x law, three draws a row
    broken     cells, carry latches and columns that stand still, MLP-1 in single bits
    memories   weights of another memory: spread, drift, stuck cells

The networks are those of the study `open-main` (data/reference/shd_open); the clips are
SHD's two test speakers. MLP-1's are the committed ones, on few clips: single
bits are slow. Nothing is chosen on them: every rate and every place is told.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lindecay import integer, results, training
from lindecay.checkpoints import Checkpoint
from lindecay.questions import faults
from lindecay.settings import committed
from lindecay.studies import designs, protocol
from lindecay.training import speech

ARMS = ("vlif", "ldlif", "shift", "if")
RATES = (1e-7, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
DRAWS = (0, 1, 2)
SPREADS = (0.02, 0.05, 0.1, 0.2)  # standard deviation, share of the largest weight
GAINS = (0.9, 0.8, 0.66)  # what drift leaves of a conductance
STUCK = (1e-3, 1e-2, 5e-2)  # share of cells
MOST = 127  # weights with their fraction in 8 bits


def kept() -> dict[str, Path]:
    """The committed networks with open decays, by arm."""
    found = sorted((committed("reference") / "shd_open").glob("*.npz"))
    return {path.name.split("-")[0]: path for path in found}


def network(arm: str) -> Checkpoint:
    """One of them."""
    return Checkpoint.load(kept()[arm])


@dataclass(frozen=True)
class Flipped:
    """A network whose stored bits flip."""

    arm: str
    place: str
    rate: float
    clips: int | None = None  # only so many; all where it is None

    @property
    def key(self) -> str:
        return ",".join(f"{k}={v}" for k, v in asdict(self).items() if v is not None)

    def row(self) -> dict:
        """Accuracy of each draw, per cent."""

        def one(ck, clips, draw):
            return faults.accuracy(
                ck, clips, faults.Faults(self.place, self.rate, draw)
            )

        return judged(self, one)


@dataclass(frozen=True)
class Foreign:
    """A network whose weights lie in another memory.

    how: spread, drift, repaired (drift, with theta, lambda and bias scaled alike),
        zero or full (cells stuck at either end).
    """

    arm: str
    how: str
    size: float
    clips: int | None = None

    @property
    def key(self) -> str:
        return ",".join(f"{k}={v}" for k, v in asdict(self).items() if v is not None)

    def row(self) -> dict:
        """Accuracy of each draw, per cent."""

        def one(ck, clips, draw):
            made = foreign(ck, self.how, self.size, draw)
            return faults.accuracy(made, clips, faults.Faults())

        return judged(self, one)


@dataclass(frozen=True)
class Standing:
    """MLP-1 on hardware that stays broken."""

    arm: str
    part: str
    rate: float
    clips: int = 20

    @property
    def key(self) -> str:
        return ",".join(f"{k}={v}" for k, v in asdict(self).items())

    def row(self) -> dict:
        """Accuracy, and spikes of the hidden layer that come otherwise, per cent."""
        clips, began = training.clips_for("paper", "test"), time.process_time()
        each = np.linspace(0, len(clips) - 1, self.clips).astype(int)
        clips = clips.subset(each)
        path = committed(f"reference/nmnist/{self.arm}-seed0.npz")
        ck, made = Checkpoint.load(path), faults.Broken(self.part, self.rate)
        whole, told = integer.run(ck, clips), faults.broken(ck, clips, made)
        moved = (told[0].S != whole.layers[0].S).sum() / whole.layers[0].spikes
        right = told[-1].S.sum(1, dtype=np.int32).argmax(1) == clips.labels
        found = {"accuracy": 100 * float(right.mean()), "moved": 100 * float(moved)}
        found |= {"whole": 100 * float((whole.predictions == clips.labels).mean())}
        stamp = {"source": clips.source, "commit": results.commit()}
        stamp |= {"cpu_s": round(time.process_time() - began, 1)}
        return {"key": self.key} | asdict(self) | stamp | found


def judged(task, one) -> dict:
    """A row: what `one(network, clips, draw)` gives for each draw."""
    clips, began = speech.clips_for("paper", "test"), time.process_time()
    if task.clips:
        clips = clips.subset(np.arange(min(task.clips, len(clips))))
    ck = network(task.arm)
    told = [round(one(ck, clips, draw), 3) for draw in DRAWS]
    stamp = {"source": clips.source, "clips": len(clips), "commit": results.commit()}
    spent = {"cpu_s": round(time.process_time() - began, 1)}
    return {"key": task.key} | asdict(task) | stamp | {"accuracy": told} | spent


def foreign(ck: Checkpoint, how: str, size: float, draw: int) -> Checkpoint:
    """The network with its weights as that memory gives them back.

    Weights keep their fraction bits, so that they need not be whole.
    """
    random, layers = np.random.default_rng([draw, len(how)]), []
    for layer in ck.layers:
        w = layer.w.astype(float)
        top = float(2 ** (layer.bits - 1))
        told = CHANGES[how](w, top, size, random) * 2**ck.f
        whole = np.rint(told).clip(-MOST - 1, MOST).astype(np.int8)
        made = replace(layer, w=whole, bits=8)
        layers.append(_scaled(made, size) if how == "repaired" else made)
    return Checkpoint(ck.meta | {"f": 0}, tuple(layers))


def _scaled(layer, gain: float):
    """Thresholds, decays and biases as much smaller as the weights."""
    names = [n for n in ("theta", "lam", "bias") if getattr(layer, n) is not None]
    made = {n: np.rint(np.asarray(getattr(layer, n)) * gain).astype(np.int32)
            for n in names}  # fmt: skip
    return replace(layer, **made)


def _spread(w, top, size, random):
    return w + random.normal(0, size * top, w.shape)


def _drift(w, top, size, random):
    return w * size


def _stuck(at: float):
    def change(w, top, size, random):
        ends = np.where(random.random(w.shape) < 0.5, -at * top, at * top)
        return np.where(random.random(w.shape) < size, ends, w)

    return change


CHANGES = {
    "spread": _spread,
    "drift": _drift,
    "repaired": _drift,
    "zero": _stuck(0.0),
    "full": _stuck(1.0),
}


def _faults() -> Iterator[Flipped]:
    """Bits that flip: four laws, four places and all of them, eight rates."""
    for rate in (0.0, *RATES):
        for place in ("all", *faults.PLACES):
            for arm in ARMS:
                nothing = rate == 0 and place != "all"
                if not nothing and not (arm == "if" and place == "decay"):
                    yield Flipped(arm, place, rate)


def _broken() -> Iterator[Standing]:
    """What stays broken: membrane cells, carry latches, columns; in single bits."""
    for part, rate in (
        ("cell", 1e-3),
        ("cell", 1e-2),
        ("carry", 1e-2),
        ("column", 1e-2),
    ):
        for arm in ("ldlif", "vlif", "if"):
            yield Standing(arm, part, rate)


def _memories() -> Iterator[Foreign]:
    """Weights of another memory: conductance spread, drift over a day, stuck cells."""
    for arm in ("vlif", "ldlif"):
        for how, sizes in (
            ("spread", SPREADS),
            ("drift", GAINS),
            ("repaired", GAINS),
            ("zero", STUCK),
            ("full", STUCK),
        ):
            for size in sizes:
                yield Foreign(arm, how, size)


def lost(arm: str, place: str, rate: float) -> float | None:
    """Points that faults cost an arm, mean over draws; None without such a row."""
    at = {
        (r["arm"], r["place"], r["rate"]): float(np.mean(r["accuracy"]))
        for r in protocol.kept("faults")
    }
    if (arm, place, rate) not in at:
        return None
    return at[arm, "all", 0.0] - at[arm, place, rate]


def follows() -> dict[str, float]:
    """Result ids of chapter 12 and what the committed rows give for them."""
    told = {f"memories.lost.{arm}": lost(arm, "V", 1e-3) for arm in ARMS}
    return {id: value for id, value in told.items() if value is not None}


STUDIES = designs.added({"faults": _faults, "memories": _memories, "broken": _broken})
