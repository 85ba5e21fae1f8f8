"""Accuracy against size: does the linear leak lose more as a network grows?

    drop = accuracy(v-LIF) - accuracy(LD-LIF), same seed, same clips, size by size

Short runs: few clips, few epochs, coarse bins. Both arms try the same starting horizons
on two held-out speakers (gestures: on ten held-out users of the stand-in); sizes are
judged on two other speakers. No test clip of a recording is read. N-MNIST's widths are
`studies.designs`' sizes.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from lindecay import integer, results, training
from lindecay.networks.speech import SpeechSpec
from lindecay.quantization import Checkpoint, Grid
from lindecay.questions import deeper, recurrent
from lindecay.settings import profile
from lindecay.studies import designs
from lindecay.studies.protocol import rounded
from lindecay.training import gestures

ARMS = ("vlif", "ldlif")
SEEDS = (0, 1, 2)
HORIZONS = (4.0, 12.0, 36.0)  # steps of 28 ms
SHORT = (2.0, 4.0, 8.0, 1.4)  # of gestures, steps of 58 ms; 1.4 once 2.0 was best
CHOSEN = {  # by scale-tune: (arm, recurrent), or (arm, "gestures") -> start horizon
    ("vlif", False): 12.0,
    ("ldlif", False): 36.0,
    ("vlif", True): 4.0,
    ("ldlif", True): 4.0,
    ("vlif", "gestures"): 4.0,
    ("ldlif", "gestures"): 1.4,
}
EPOCHS, LONGER, CLIPS = 6, 18, 1500
GESTURES, HELD = 220, 330  # clips that train; those up to here tune
GRID = Grid(weight_bits=4, membrane_bits=12, fraction_bits=2)


@dataclass(frozen=True)
class Task:
    """One network, trained once and judged once."""

    study: str
    data: str  # shd | commands | gestures
    arm: str
    seed: int
    size: int  # neurons of each hidden layer, or convolutions
    recurrent: bool = False
    horizon: float = 12.0
    fold: int = 1  # of SHD's speakers: who judges
    epochs: int | None = None  # EPOCHS where it is None

    @property
    def key(self) -> str:
        """Readable and unique; rows are merged by it."""
        return ",".join(f"{k}={v}" for k, v in asdict(self).items() if v is not None)

    @property
    def net(self) -> str:
        """The network in a word or two."""
        if self.data == "gestures":
            return f"CNN, {self.size} convolutions"
        longer = f", {self.epochs} epochs" if self.epochs else ""
        kind = "recurrent" if self.recurrent else "feed-forward"
        return f"{kind} {self.size}{longer}"

    def plan(self) -> training.Plan:
        """The run behind the task."""
        return _gestures(self) if self.data == "gestures" else _words(self)

    def judged(self) -> tuple[str, object]:
        """Who judges, and their clips."""
        if self.data == "gestures" and self.fold == 0:
            return "held users", deeper.stand_in("train").subset(slice(GESTURES, HELD))
        if self.data == "gestures":
            return "unseen users", deeper.stand_in("test")
        if self.data == "commands":
            return "unseen voices", recurrent.clips_for("commands", "test")
        plan = self.plan()
        clips = plan.clips()
        return f"fold {self.fold}", clips.subset(plan.split(clips)[1])

    def row(self) -> dict:
        """Train if need be, run the integers, and say what came out."""
        began = time.process_time()
        folder = training.train(self.plan(), quiet=True)
        spent = time.process_time() - began
        who, clips = self.judged()
        ck = Checkpoint.load(folder / "checkpoint.npz")
        trace = integer.run(ck, clips, record=False)
        right = clips.labels == trace.predictions
        told = {k: v for k, v in asdict(self).items() if v is not None}
        told |= {"key": self.key, "net": self.net, "judged": who}
        told |= {"source": clips.source, "sha256": clips.sha256}
        told |= {"judged_clips": len(clips), "accuracy": 100 * float(right.mean())}
        told |= {"sops": sum(s.sops for s in trace.layers) / len(clips)}
        told["spikes"] = [s.spikes / len(clips) for s in trace.layers]
        told |= {"commit": results.commit(), "train_cpu_s": round(spent, 1)}
        told["loss"] = training.curve(self.plan())[-1]["loss"]
        told |= {"labels": _text(clips.labels)}
        return rounded(told) | {"predictions": _text(trace.predictions)}


def _text(classes: np.ndarray) -> str:
    """Classes as characters, one a clip: 35 words are more than the alphabet.

    >>> _text(np.array([0, 9, 34]))
    '09R'
    """
    return (np.asarray(classes, np.uint8) + 48).tobytes().decode()


def _words(task: Task) -> training.Plan:
    chosen = training.arm(task.arm)
    spec = SpeechSpec(
        chosen.law,
        horizon=task.horizon,
        grid=GRID,
        hidden=(task.size, task.size),
        classes=20 if task.data == "shd" else 35,
        decays="open",
    )
    sizes = replace(profile("paper"), epochs=task.epochs or EPOCHS, batch=128)
    how = {"network_spec": spec, "fold": task.fold, "most": CLIPS, "watch": False}
    how |= {"recurrent": task.recurrent, "words": task.data}
    return recurrent.Plan(task.arm, task.seed, sizes, **how)


def _gestures(task: Task) -> training.Plan:
    whole = gestures.plan("paper", task.arm, task.seed)
    sizes = {"dt_us": deeper.BINNING.dt_us, "steps": deeper.BINNING.steps}
    sizes = replace(whole.profile, epochs=8, **sizes)
    how = {"beta": 1 - 1 / task.horizon, "most": GESTURES, "depth": task.size}
    return deeper.Plan(task.arm, task.seed, sizes, **how)


def _tuning() -> Iterator[Task]:
    """Short runs: the same starting horizons for both arms, speakers held out."""
    for again in (False, True):
        for horizon in HORIZONS:
            for arm in ARMS:
                told = {"recurrent": again, "horizon": horizon, "fold": 0}
                yield Task("scale-tune", "shd", arm, 0, 128, **told)

    for horizon in SHORT:
        for arm in ARMS:
            told = {"horizon": horizon, "fold": 0}
            yield Task("scale-tune", "gestures", arm, 0, 5, **told)


def _pairs(data: str, size: int, again: bool = False, **more) -> Iterator[Task]:
    for seed in more.pop("seeds", SEEDS):
        for arm in ARMS:
            start = CHOSEN[arm, data if data == "gestures" else again]
            told = {"recurrent": again, "horizon": start} | more
            yield Task("scale-sizes", data, arm, seed, size, **told)


def _sizes() -> Iterator[Task]:
    """Does v-LIF minus LD-LIF grow with width, recurrence, depth, inputs?"""
    for size in (128, 32):
        for again in (False, True):
            yield from _pairs("shd", size, again)
    for again in (False, True):
        yield from _pairs("commands", 128, again)
    yield from _pairs("shd", 512)
    yield from _pairs("shd", 256, True)
    yield from _pairs("gestures", 5)
    yield from _pairs("shd", 128, epochs=LONGER)
    yield from _pairs("gestures", 2)


STUDIES = designs.added({"scale-tune": _tuning, "scale-sizes": _sizes})
