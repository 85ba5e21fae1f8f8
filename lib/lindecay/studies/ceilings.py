"""What the bins and speakers of SHD allow: networks of MLP-2's size without spikes.

    mlp   140 channels x 10 coarse bins - 72 - 20, ReLU        (102,000 weights)
    gru   140 - 128 gated units - 20, logits averaged over time (106,000 weights)

Both see the same bins, speakers, variation, epochs and optimiser as MLP-2, which has
107,000 weights. They are no arm of the comparison: they say what limits it.
"""

from dataclasses import dataclass

import torch
from torch import nn

from lindecay import kernels
from lindecay.settings import Fault
from lindecay.training import speech

COARSE = 7  # bins of 14 ms joined to one for the network without memory


class Coarse(nn.Module):
    """Two dense layers over a clip's counts in coarse bins; logits [1, batch, 20]."""

    def __init__(self, channels: int, steps: int = 70, hidden: int = 72):
        super().__init__()
        inputs = channels * (steps // COARSE)
        self.first, self.last = nn.Linear(inputs, hidden), nn.Linear(hidden, 20)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        counts = x.unflatten(0, (-1, COARSE)).sum(1)  # [10, batch, channels]
        hidden = torch.relu(self.first(counts.transpose(0, 1).flatten(1)))
        return self.last(self.drop(hidden))[None]


class Gated(nn.Module):
    """A GRU over the bins (Cho et al. 2014); its mean logits [1, batch, 20]."""

    def __init__(self, channels: int, hidden: int = 128):
        super().__init__()
        self.memory, self.last = nn.GRU(channels, hidden), nn.Linear(hidden, 20)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.memory(x)
        return self.last(self.drop(states)).mean(0, keepdim=True)


KINDS = {"mlp": Coarse, "gru": Gated}


class Ceiling(nn.Module):
    """One of KINDS behind the interface of MLP-2."""

    layers = ()  # no spiking layer: no decay, no running statistics

    def __init__(self, kind: str, channels: int):
        super().__init__()
        self.net = KINDS[kind](channels)

    def forward(self, x, generator=None) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """[(logits, logits)], [1, batch, classes]; x: events or [T, batch, in]."""
        x = x.dense(torch.float32) if isinstance(x, kernels.Events) else x.float()
        if generator is None:
            return [(self.net(x),) * 2]
        with torch.random.fork_rng(devices=[]):  # dropout follows the run's generator
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
            return [(self.net(x),) * 2]


@dataclass(frozen=True)
class Plan(speech.Plan):
    """One training run of a ceiling; Fault for an unknown kind."""

    kind: str = "gru"

    def __post_init__(self):
        if self.kind not in KINDS:
            found = repr(self.kind)
            raise Fault("unknown ceiling", expected=" or ".join(KINDS), found=found)

    def params(self, clips) -> dict:
        return super().params(clips) | {"kind": self.kind}

    def network(self, clips) -> nn.Module:
        return Ceiling(self.kind, clips.channels)

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits[0], target)

    @property
    def modules(self) -> tuple[str, ...]:
        return (__name__,)
