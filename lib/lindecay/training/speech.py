"""MLP-2 trained on Spiking Heidelberg Digits; the network is `networks.speech`.

How clips are binned and varied are our choices (see 91_assumptions):

- five neighbouring channels are joined to one (700 to 140), 70 bins of 14 ms, a
  channel is on when it had at least one event in the bin; later events are dropped.
- training clips are varied as speakers vary: shifted and stretched along frequency
  and time. Dropout between layers. Nothing of this touches a test clip.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numba import njit
from torch import nn

from lindecay import events
from lindecay.kernels import pool
from lindecay.networks.layer import MOMENTUM
from lindecay.networks.speech import SpeechMlp, SpeechSpec
from lindecay.quantization import Checkpoint
from lindecay.settings import profile
from lindecay.training import plan

BINNING = events.Binning(dt_us=14_000, steps=70, downsample=5)


@dataclass(frozen=True)
class Variation:
    """How far a training clip is moved; channels and bins of the binned clip."""

    channels: int = 8  # shift along frequency, either way
    warp: float = 0.15  # stretch along frequency, log units, either way
    bins: int = 4  # shift in time
    stretch: float = 0.15  # stretch in time, log units


def vary(x: torch.Tensor, how: Variation, generator) -> torch.Tensor:
    """Clips uint8 [batch, T, channels], each moved along frequency and time.

    Returns them as the network reads them, float32 [T, batch, channels].
    """
    batch, steps, channels = x.shape

    def places(size: int, shift: int, stretch: float) -> np.ndarray:
        by = torch.randint(-shift, shift + 1, (batch, 1), generator=generator)
        log = (torch.rand(batch, 1, generator=generator) * 2 - 1) * stretch
        at = (torch.arange(size) - size / 2) * log.exp() + size / 2 - by
        return at.round().long().numpy()

    channel = places(channels, how.channels, how.warp)
    step = places(steps, how.bins, how.stretch)
    out = pool.empty((steps, batch, channels), torch.float32)
    move(x.contiguous().numpy(), step, channel, out.numpy())
    return out


@njit(cache=True)
def move(x, step, channel, out):
    """out[t, b, c] = x[b, step[b, t], channel[b, c]], 0 where that is outside."""
    batch, steps, channels = x.shape
    for t in range(steps):
        for b in range(batch):
            row, at, t0 = out[t, b], channel[b], step[b, t]
            row[:] = 0
            if 0 <= t0 < steps:
                old = x[b, t0]
                for c in range(channels):
                    if 0 <= at[c] < channels:
                        row[c] = old[at[c]]


@dataclass(frozen=True)
class Plan(plan.Plan):
    """One training run of MLP-2."""

    data: str = "shd"
    network_spec: SpeechSpec = SpeechSpec("shrink")
    variation: Variation = Variation()
    learning_rate: float = 5e-3
    gain: float = 0.3  # from spike counts to logits
    fold: int | None = None  # of events.validation: two speakers held out
    speaker: int | None = None  # or one speaker held out
    stop_after: int | None = None
    most: int | None = None  # training clips, chosen once; all where it is None

    def clips(self) -> events.Clips:
        return clips_for(self.profile.name, "train")

    def params(self, clips: events.Clips) -> dict:
        own = ("network_spec", "variation", "learning_rate", "gain")
        own += ("fold", "speaker", "stop_after", "most")
        chosen = {k: v for k, v in asdict(self).items() if k in own}
        return super().params(clips) | chosen

    def network(self, clips: events.Clips) -> nn.Module:
        return SpeechMlp(replace(self.network_spec, channels=clips.channels))

    def export(self, net: nn.Module, meta: dict) -> Checkpoint | None:
        return net.export(meta) if self.network_spec.grid else None

    def optimizer(self, net: nn.Module) -> torch.optim.Optimizer:
        learn = {n: p for n, p in net.named_parameters() if p.requires_grad}
        fast = [p for n, p in learn.items() if n.endswith(".raw")]
        if not fast:
            return torch.optim.Adam(list(learn.values()), lr=self.rate)
        rest = [p for n, p in learn.items() if not n.endswith(".raw")]
        speed = self.network_spec.decay_speed
        groups = [{"params": rest}, {"params": fast, "lr": speed * self.rate}]
        return torch.optim.Adam(groups, lr=self.rate)

    def schedule(self, optimizer, steps: int):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            total_steps=steps,
            pct_start=0.2,
        )

    def states(self, net: nn.Module, clips, idx: np.ndarray, generator) -> list:
        return net(vary(dense(clips, idx), self.variation, generator), generator)

    def loss(self, spikes: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(spikes.sum(0) * self.gain, target)

    def split(self, clips: events.Clips) -> tuple[np.ndarray, np.ndarray]:
        if self.fold is None and self.speaker is None:
            mixed = np.random.default_rng(0).permutation(len(clips))
            return np.sort(mixed[: self.most]), np.arange(0)
        opened = events.dataset("shd", "train", self.profile.name)
        if self.speaker is None:
            return events.validation(opened)[self.fold]
        held = opened.groups == self.speaker
        return np.flatnonzero(~held), np.flatnonzero(held)

    def settle(self, net: nn.Module, clips, idx: np.ndarray) -> None:
        """Running statistics from clips as they are, without dropout."""
        part = np.random.default_rng(0).permutation(idx)[:4000]
        net.train()
        with torch.no_grad():
            for k, start in enumerate(range(0, len(part), 250)):
                for layer in net.layers:
                    layer.momentum = 1 / (k + 1)
                rows = dense(clips, part[start : start + 250]).transpose(0, 1)
                net(rows.float().contiguous())
        for layer in net.layers:
            layer.momentum = MOMENTUM

    @property
    def patience(self) -> int | None:
        return self.stop_after

    @property
    def rate(self) -> float:
        return self.learning_rate

    @property
    def modules(self) -> tuple[str, ...]:
        return (__name__,)


def dense(clips: events.Clips, idx: np.ndarray) -> torch.Tensor:
    """Clips uint8 [batch, T, channels]."""
    return torch.from_numpy(clips.dense(idx)).transpose(0, 1).contiguous()


def clips_for(profile_name: str, split: str) -> events.Clips:
    """Binned SHD clips; every profile uses the same bins."""
    return events.clips("shd", split, profile(profile_name), BINNING)
