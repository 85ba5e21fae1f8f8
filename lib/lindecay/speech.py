"""MLP-2 on Spiking Heidelberg Digits: a strong feed-forward network on the grid.

    n = gamma (I - mean)/sigma + b,  fires where the membrane passes 1       (training)
    I + round(b sigma/gamma - mean) against round(sigma/gamma)               (integers)

140 - 256 - 256 - 20. Batch normalisation (Ioffe and Szegedy 2015) becomes three rows of
the array: an always-on bias, a threshold and a decay for each neuron. The paper gives
no sizes; these are our choices (see 91_assumptions):

- five neighbouring channels are joined to one (700 to 140), 70 bins of 14 ms, a
  channel is on when it had at least one event in the bin; later events are dropped.
- training clips are varied as speakers vary: shifted and stretched along frequency
  and time. Dropout between layers. Nothing of this touches a test clip.
- the class whose output neuron fired most often wins.
"""

import math
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import nn

from lindecay import events, kernels, training
from lindecay.decay import learned
from lindecay.networks import BETA_BITS, dividing, rounding_of
from lindecay.quantization import (
    Checkpoint,
    Grid,
    Layer,
    quantize_weights,
    ste_round,
)
from lindecay.settings import profile

BINNING = events.Binning(dt_us=14_000, steps=70, downsample=5)
MOMENTUM = 0.1  # of the running statistics
EPS = 1.0  # LSB squared: a silent neuron divides by no zero


@dataclass(frozen=True)
class Variation:
    """How far a training clip is moved; channels and bins of the binned clip."""

    channels: int = 8  # shift along frequency, either way
    warp: float = 0.15  # stretch along frequency, log units, either way
    bins: int = 4  # shift in time
    stretch: float = 0.15  # stretch in time, log units


@dataclass(frozen=True)
class SpeechSpec:
    """MLP-2: sizes, neuron, grid and what training does to it; threshold 1."""

    law: str
    horizon: float = 16.0  # steps: 1/(1 - beta), or what lambda is matched to
    name: str = "MLP-2"
    hidden: tuple[int, ...] = (256, 256)
    channels: int = 140
    classes: int = 20
    grid: Grid | None = Grid(weight_bits=4, membrane_bits=12, fraction_bits=2)
    beta_bits: int = BETA_BITS
    dropout: float = 0.3
    slope: float = 3.0
    learn_decay: bool = True
    spread: float = 1.0  # log units: a layer's horizons start from 1/e to e times it
    rounding: str | None = None  # of the decay; None is the law's usual one
    decays: str = "clamp"  # as published; "open": without a dead zone
    decay_speed: float = 4.0  # of open decays, times the learning rate
    bias: str = "neuron"  # or "none": no bias row and no mean that is subtracted

    @property
    def open(self) -> bool:
        """Whether decays learn without a dead zone."""
        return self.decays == "open"

    def bits_of(self, law: str) -> int | None:
        """What divides on the grid: 2^n after beta_q, or 2^k = the horizon; or None."""
        if law == "shift":
            return round(math.log2(self.horizon))
        return self.beta_bits if law == "exponential" and self.grid else None

    @property
    def dtype(self) -> torch.dtype:
        """float64 where a product beta_q V leaves the 24 bits of float32."""
        bits = self.bits_of(self.law) if self.law == "exponential" else None
        wide = bits and bits + self.grid.membrane_bits > 24
        return torch.float64 if wide else torch.float32

    def starts(self, neurons: int) -> torch.Tensor:
        """What decays start at, [neurons]: beta, or lambda* = (1 - beta)/(1 + beta)."""
        log = torch.linspace(-1, 1, neurons) * self.spread
        beta = 1 - 1 / (self.horizon * log.exp()).clamp(min=1)
        factor = self.law == "exponential" or (self.open and self.law == "shift")
        return beta if factor else (1 - beta) / (1 + beta)


class NormalisedLinear(nn.Module):
    """Linear synapses, batch normalisation, one decaying neuron per output."""

    def __init__(self, spec: SpeechSpec, inputs: int, outputs: int):
        super().__init__()
        self.spec, self.grid, self.law = spec, spec.grid, spec.law
        gain = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-gain, gain))
        self.gamma = nn.Parameter(torch.full((outputs,), 0.5))
        self.shift = nn.Parameter(torch.zeros(outputs))
        self._start(spec, outputs)
        top = 2.0 ** ((spec.grid.weight_bits if spec.grid else 4) - 1) - 0.5
        self.register_buffer("scale", torch.tensor(1.5 * gain / top))
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("var", torch.ones(outputs))
        self.momentum = MOMENTUM

    def _start(self, spec: SpeechSpec, outputs: int) -> None:
        """The parameter behind the decays: `raw` where they are open, else `decay`."""
        first, learns = spec.starts(outputs), spec.learn_decay
        if spec.open:
            self.raw = nn.Parameter(learned.raw(first), requires_grad=learns)
        else:
            self.decay = nn.Parameter(first, requires_grad=learns)
        self.shift.requires_grad_(spec.bias == "neuron")

    def _load_from_state_dict(self, state, prefix, *rest):
        """An open layer also takes decays that were learned under a clamp."""
        if self.spec.open and f"{prefix}decay" in state:
            state[f"{prefix}raw"] = learned.raw(state.pop(f"{prefix}decay"))
        super()._load_from_state_dict(state, prefix, *rest)

    def synapses(self, x: torch.Tensor) -> torch.Tensor:
        """Currents in membrane LSB, [T, batch, out]."""
        if self.grid is None:
            return kernels.synapses(x, self.weight / self.scale)
        w = quantize_weights(self.weight, self.scale, self.grid.weight_bits)
        return kernels.synapses(x, w * 2.0**self.grid.fraction_bits)

    def statistics(self, current: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of the batch while training, the running ones after."""
        if not self.training:
            return self.mean, self.var
        mean, var = Moments.apply(current.flatten(0, 1))
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.var.lerp_(var, self.momentum)
        return mean, var

    def rows(self, mean: torch.Tensor, var: torch.Tensor) -> dict[str, torch.Tensor]:
        """theta, bias and decay of each neuron, [out]; whole numbers on a grid."""
        whole = ste_round if self.grid else lambda x: x
        highest = self.grid.v_max / 2 if self.grid else 1e6
        if self.spec.bias == "none":  # size instead of spread
            var, mean = var + mean**2, mean * 0
        unit = torch.sqrt(var.clamp(min=0) + EPS) / self.gamma.clamp(min=0.05)
        unit = unit.clamp(2, highest)  # LSB per unit of threshold
        rows = {"theta": whole(unit), "bias": whole(self.shift * unit - mean)}
        if self.spec.open:
            return rows | self.opened(unit, rows["theta"])
        if self.law == "exponential" and self.grid:
            top = 2.0**self.spec.beta_bits
            rows["beta_q"] = ste_round((self.decay * top).clamp(0, top))
        elif self.law == "exponential":
            rows["beta"] = self.decay.clamp(0, 1)
        elif self.law not in ("none", "shift"):
            lam = whole(self.decay * unit)
            rows["lam"] = torch.minimum(lam.clamp(min=0), 0.99 * rows["theta"])
            rows["lam"] = whole(rows["lam"])
        return rows

    def opened(self, unit: torch.Tensor, theta: torch.Tensor) -> dict:
        """The decay row of each neuron, learned without a dead zone."""
        if self.law == "none":
            return {}
        if self.law == "shift":
            return {"k": learned.shift_int(self.raw)}
        if self.law == "exponential":
            if self.grid is None:
                return {"beta": learned.share(self.raw)}
            return {"beta_q": learned.beta_int(self.raw, self.spec.beta_bits)}
        if self.grid is None:
            return {"lam": learned.share(self.raw) * unit}
        return {"lam": learned.lam_int(self.raw, unit, theta)}

    def dividing(self, rows: dict) -> dict:
        """Law, rounding and beta as the time loop takes them; uses up their rows."""
        k, beta_q = rows.pop("k", None), rows.pop("beta_q", None)
        bits, rounding = self.spec.bits_of(self.law), self.spec.rounding
        if k is None:
            return dividing(self.law, rounding, bits, beta_q)
        near = rounding == "nearest"
        how = {"shift": learned.SHIFT_BITS, "beta_q": learned.shift_as_beta(k)}
        how["rounding"] = "half_in" if near else "ceil"  # of what is left
        return {"law": "exponential"} | how

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Spikes and membranes before reset in LSB, both [T, batch, out]."""
        current, dtype = self.synapses(x.float()), self.spec.dtype
        rows = self.rows(*self.statistics(current))
        rows = {name: row.to(dtype) for name, row in rows.items()}
        return kernels.sequence(
            current.to(dtype) + rows.pop("bias"),
            clamp=(self.grid.v_min, self.grid.v_max) if self.grid else None,
            **self.dividing(rows),
            scale=float(rows["theta"].detach().mean()),
            slope=self.spec.slope,
            check="none",
            **rows,
        )


class Moments(torch.autograd.Function):
    """Mean and variance over rows; one pass back: g_mean/n + 2 g_var (x - mean)/n."""

    @staticmethod
    def forward(ctx, x):
        mean = x.mean(0)
        ctx.save_for_backward(x, mean)
        return mean, torch.linalg.vector_norm(x, dim=0) ** 2 / len(x) - mean**2

    @staticmethod
    def backward(ctx, g_mean, g_var):
        x, mean = ctx.saved_tensors
        slope = 2 / len(x) * g_var
        return torch.addcmul(g_mean / len(x) - mean * slope, x, slope)


class SpeechMlp(nn.Module):
    """A stack of NormalisedLinear layers; the interface of networks.Mlp."""

    def __init__(self, spec: SpeechSpec):
        super().__init__()
        self.spec = spec
        sizes = (spec.channels, *spec.hidden, spec.classes)
        pairs = zip(sizes, sizes[1:])
        self.layers = nn.ModuleList(NormalisedLinear(spec, i, o) for i, o in pairs)

    def forward(self, x, generator=None) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(spikes, membranes) of every layer; x: events, or binary [T, batch, in].

        generator: of the dropout between layers; without one there is none.
        """
        x = x.dense(torch.float32) if isinstance(x, kernels.Events) else x.float()
        states = []
        for layer in self.layers:
            states.append(layer(x))
            x = states[-1][0]
            if generator is not None and self.spec.dropout:
                x = x * self._kept(x, generator)
        return states

    def _kept(self, x: torch.Tensor, generator) -> torch.Tensor:
        """0 or 1/keep; a random byte each, because drawing floats takes 8 x as long."""
        keep = round(256 * (1 - self.spec.dropout))
        draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64)
        draws.random_(-(2**63), None, generator=generator)
        kept = draws.view(torch.uint8)[: x.numel()].view(x.shape) < keep
        return kept.float().mul_(256 / keep)

    def export(self, meta: dict) -> Checkpoint:
        """The network as integers; `meta` says what it was trained on."""
        contract = {
            "network": self.spec.name,
            "law": self.spec.law,
            "reset": "subtract",
            "fires": "U > theta",
            "order": "decay, integrate, clamp, fire, reset",
            "bins": "binary",
            "readout": "count",
            "B": self.spec.grid.membrane_bits,
            "f": self.spec.grid.fraction_bits,
        } | rounding_of(self.spec)
        layers = [_whole(f"fc{k + 1}", layer) for k, layer in enumerate(self.layers)]
        return Checkpoint(contract | meta, tuple(layers))


def _whole(name: str, layer: NormalisedLinear) -> Layer:
    grid = layer.grid
    w = quantize_weights(layer.weight.detach(), layer.scale, grid.weight_bits)
    rows = layer.rows(layer.mean, layer.var)
    rows = {k: v.detach().round().int().numpy() for k, v in rows.items()}
    return Layer(
        name=name,
        w=w.round().to(torch.int8).numpy(),
        theta=rows["theta"],
        lam=rows.get("lam", rows["theta"] * 0),
        bits=grid.weight_bits,
        bias=rows["bias"] if layer.spec.bias == "neuron" else None,
        **_divided(layer, rows),
    )


def _divided(layer: NormalisedLinear, rows: dict) -> dict:
    bits = layer.spec.bits_of(layer.law)
    if layer.law == "shift":
        return {"beta": rows.get("k", np.int32(bits))}
    return {"beta": rows.get("beta_q"), "beta_shift": bits}


def vary(x: torch.Tensor, how: Variation, generator) -> torch.Tensor:
    """Clips uint8 [batch, T, channels], each moved along frequency and time."""
    batch, steps, channels = x.shape

    def places(size: int, shift: int, stretch: float) -> torch.Tensor:
        by = torch.randint(-shift, shift + 1, (batch, 1), generator=generator)
        log = (torch.rand(batch, 1, generator=generator) * 2 - 1) * stretch
        at = (torch.arange(size) - size / 2) * log.exp() + size / 2 - by
        return at.round().long()

    for axis, (size, shift, stretch) in {
        2: (channels, how.channels, how.warp),
        1: (steps, how.bins, how.stretch),
    }.items():
        at = places(size, shift, stretch)
        inside = ((at >= 0) & (at < size)).to(x.dtype)
        at, inside = (a.unsqueeze(3 - axis) for a in (at.clamp(0, size - 1), inside))
        x = torch.gather(x, axis, at.expand_as(x)) * inside
    return x


@dataclass(frozen=True)
class Plan(training.Plan):
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
        x = vary(dense(clips, idx), self.variation, generator)
        return net(x.transpose(0, 1).float().contiguous(), generator)

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
