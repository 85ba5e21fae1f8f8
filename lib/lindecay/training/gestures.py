"""DVS Gesture end to end: the CNN trained on the stand-in, run on what is here.

Ten recordings, one a class, are too few to train on and too few for an accuracy. There
the network learns from the stand-in, and the recordings pass through it membrane by
membrane. Where the official files are, it learns from them and is judged on their test
split. How clips are binned is told in `networks.cnn`.
"""

from dataclasses import dataclass, replace

from torch import nn

from lindecay import events
from lindecay.networks import BETA_BITS, Cnn, CnnSpec
from lindecay.networks.cnn import BINNING
from lindecay.quantization import Checkpoint, Grid
from lindecay.settings import profile
from lindecay.training.loop import train
from lindecay.training.plan import Plan as AnyPlan
from lindecay.training.plan import arm

BATCH = 11  # clips: one user of the stand-in
RATE = 2e-3  # chosen on the stand-in
FEWEST = 300  # training clips that are worth learning from


@dataclass(frozen=True)
class Plan(AnyPlan):
    """One training run of the CNN on the stand-in."""

    data: str = "dvsgesture"
    beta: float = 0.85  # per 29 ms bin, not tuned

    def spec(self, clips: events.Clips | None = None) -> CnnSpec:
        p = self.profile
        grid = Grid(p.weight_bits, p.membrane_bits, p.fraction_bits)
        chosen = arm(self.arm)
        how = {"rounding": chosen.rounding, "beta_bits": chosen.beta_bits or BETA_BITS}
        return CnnSpec(chosen.law, beta=self.beta, grid=grid, **how)

    def clips(self) -> events.Clips:
        return training_clips(self.profile.name)

    def network(self, clips: events.Clips) -> nn.Module:
        return Cnn(self.spec())

    def export(self, net: nn.Module, meta: dict) -> Checkpoint:
        return net.export(meta)

    @property
    def rate(self) -> float:
        return RATE

    @property
    def modules(self) -> tuple[str, ...]:
        return (__name__,)


def plan(profile_name: str, arm: str = "ldlif", seed: int = 0) -> Plan:
    """The CNN's run at a profile's epochs: 4-bit weights, B = 10, f = 2."""
    sizes = {"dt_us": BINNING.dt_us, "steps": BINNING.steps, "batch": BATCH}
    sizes |= {"weight_bits": 4, "membrane_bits": 10, "fraction_bits": 2, "hidden": 0}
    return Plan(arm, seed, replace(profile(profile_name), **sizes))


def training_clips(profile_name: str) -> events.Clips:
    """Recordings where there are enough to learn from, else the stand-in's clips."""
    found = events.locate("dvsgesture", profile_name)
    if found.source == "stand-in" or not enough(found.counts):
        return stand_in_clips(profile_name, "train")
    return events.binned(found, "train", BINNING)


def enough(counts: dict[str, int]) -> bool:
    """Whether a set can be learned and judged: some hundred clips and a test split.

    >>> enough({"train": 10, "test": 0}), enough({"train": 1077, "test": 264})
    (False, True)
    """
    return counts["train"] >= FEWEST and counts["test"] > 0


def stand_in_clips(profile_name: str, split: str) -> events.Clips:
    """Clips of the stand-in, whatever recordings lie beside it."""
    return events.binned(events.stand_in("dvsgesture", profile_name), split, BINNING)


def clips_for(profile_name: str) -> events.Clips:
    """What the network is run on: test clips, else all recordings, else stand-in.

    The ten clips of CI are a training split without a test split; the network has not
    seen them either.
    """
    found = events.locate("dvsgesture", profile_name)
    if found.source == "stand-in":
        return stand_in_clips(profile_name, "test")
    return events.binned(found, "test" if found.counts["test"] else "train", BINNING)


def checkpoint_for(profile_name: str, arm: str = "ldlif", seed: int = 0) -> Checkpoint:
    """The trained integer network; trained now unless it is in the store."""
    folder = train(plan(profile_name, arm, seed))
    return Checkpoint.load(folder / "checkpoint.npz")
