"""All that one training run depends on; data sets turn what is theirs.

Same initial weights, data order, surrogate and reset for every arm of a seed; only
the decay differs. The loss is cross entropy on output spike counts (snnTorch's
`ce_count_loss`).
"""

from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from snntorch import functional as sf
from torch import nn

from lindecay import events, kernels
from lindecay.networks import ARMS, BETA_BITS, Mlp, MlpSpec
from lindecay.quantization import Checkpoint, Grid
from lindecay.settings import Fault, Profile, profile

MODULES = ("lindecay.training.loop",)
BETA = 0.9  # per 10 ms bin, not tuned (see 91_assumptions)
LEARNING_RATE = 2.5e-4  # chosen on 200 training clips held out


@dataclass(frozen=True)
class Plan:
    """All that one training run depends on."""

    arm: str
    seed: int
    profile: Profile
    data: str = "nmnist"
    beta: float = BETA  # lambda starts at its match
    watch: bool = field(default=True, kw_only=True)  # judge held-out clips each epoch

    def spec(self, clips: events.Clips) -> MlpSpec:
        p = self.profile
        grid = Grid(p.weight_bits, p.membrane_bits, p.fraction_bits)
        sizes = (clips.channels, p.hidden, 10)
        chosen = arm(self.arm)
        how = {"rounding": chosen.rounding, "beta_bits": chosen.beta_bits or BETA_BITS}
        return MlpSpec("MLP-1", sizes, chosen.law, self.beta, grid, **how)

    def clips(self) -> events.Clips:
        """What it trains on."""
        return events.clips(self.data, "train", self.profile)

    def network(self, clips: events.Clips) -> nn.Module:
        """A fresh network for these clips."""
        return Mlp(self.spec(clips))

    def export(self, net: nn.Module, meta: dict) -> Checkpoint | None:
        """The trained network as integers; None where it has no grid."""
        return net.export(meta)

    def params(self, clips: events.Clips) -> dict:
        """What tells this run from every other, beside the source."""
        sizes = asdict(self.profile)
        for unused in ("name", "seeds", "prove_clips"):
            sizes.pop(unused)
        own = {"arm": self.arm, "seed": self.seed, "beta": self.beta, "sizes": sizes}
        return own | {"data": clips.sha256, "source": clips.source}

    def optimizer(self, net: nn.Module) -> torch.optim.Optimizer:
        """What moves the weights."""
        return torch.optim.Adam(net.parameters(), lr=self.rate)

    def schedule(self, optimizer, steps: int):
        """What moves the learning rate over `steps` batches."""
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)

    def states(self, net: nn.Module, clips, idx: np.ndarray, generator) -> list:
        """(spikes, membranes) of every layer for the training clips `idx`."""
        return net(events_of(clips, idx))

    def loss(self, spikes: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """From output spikes [T, batch, out]: snnTorch's cross entropy on counts."""
        return sf.ce_count_loss()(spikes, target)

    def split(self, clips: events.Clips) -> tuple[np.ndarray, np.ndarray]:
        """Clips to train on and clips held out for validation (here none)."""
        return np.arange(len(clips)), np.arange(0)

    def settle(self, net: nn.Module, clips, idx: np.ndarray) -> None:
        """What a network needs after its last batch, such as running statistics."""

    @property
    def patience(self) -> int | None:
        """Epochs without a better validation accuracy after which it stops."""
        return None

    @property
    def rate(self) -> float:
        """Learning rate."""
        return LEARNING_RATE

    @property
    def modules(self) -> tuple[str, ...]:
        """Whose source the result depends on."""
        return MODULES


def arm(name: str):
    """The arm called `name`; Fault when there is none."""
    if name not in ARMS:
        raise Fault("unknown arm", expected=" or ".join(ARMS), found=repr(name))
    return ARMS[name]


def clips_for(profile_name: str, split: str) -> events.Clips:
    """Binned N-MNIST clips at the profile's sizes."""
    return events.clips("nmnist", split, profile(profile_name))


def events_of(clips: events.Clips, idx: np.ndarray) -> kernels.Events:
    """The clips `idx` as a batch for the first layer."""
    part = clips.subset(idx)
    return kernels.Events(
        part.indptr, part.channel, part.steps, len(part), part.channels
    )
