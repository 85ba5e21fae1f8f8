"""The convolutional network of DVS Gesture: planes of decaying neurons on one grid.

    I[o, y, x] = sum W[o, c, dy, dx] · OR-pooled S[c, stride·y + dy, stride·x + dx]

2 x 32 x 32 - 16c5 stride 2 - 32c3 - OR pool 2 - fc11: 3136, 4608 and 11 neurons, no
bias, 4-bit weights, one threshold and one decay a layer. The summary gives no sizes
and no preprocessing; these are our choices (see 91_assumptions):

- window: the first 1.45 s of a clip; what comes later is dropped, a shorter clip ends
  in silence. One window a clip, so nothing is voted on: the class with most output
  spikes of the window, the first of equals.
- T = 50 bins of dt = 29 ms; a channel is on when it had at least one event in the bin.
- no crop; 128 x 128 pixels joined 4 x 4 to 32 x 32; both polarities, OFF first; no
  filter for noise, no augmentation.

A spike is an OR of its block after pooling, so a pooled map stays binary.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from lindecay import kernels
from lindecay.events import Binning
from lindecay.networks import (
    BETA_BITS,
    SLOPE,
    SpikingLinear,
    _divided,
    _shift,
    dividing,
    rounding_of,
)
from lindecay.quantization import Checkpoint, Grid, Layer

BINNING = Binning(dt_us=29_000, steps=50, downsample=4)
GAIN = (2.0, 6.0)  # variance of the first and the later layers' start, x inputs / 3


@dataclass(frozen=True)
class Conv:
    """One convolution: neurons a place, kernel, stride, OR pooling before it."""

    channels: int
    kernel: int
    stride: int = 1
    pool: int = 1


@dataclass(frozen=True)
class CnnSpec:
    """A convolutional network; threshold 1 in real units."""

    law: str
    name: str = "CNN"
    beta: float = 0.85  # decay factor per step, or what lambda is matched to
    grid: Grid = Grid(weight_bits=4, membrane_bits=10, fraction_bits=2)
    plane: tuple[int, int, int] = (2, 32, 32)
    convs: tuple[Conv, ...] = (Conv(16, 5, stride=2), Conv(32, 3))
    pool: int = 2  # OR before the readout
    classes: int = 11
    rounding: str | None = None  # of the decay; None is the law's usual one
    beta_bits: int = BETA_BITS

    @property
    def lam(self) -> float:
        """lambda* = (1 - beta)/(1 + beta), least squares on [0, 1]."""
        return (1 - self.beta) / (1 + self.beta)

    @property
    def halvings(self) -> int:
        """k of the shift-exponential V - (V >> k)."""
        return round(-math.log2(1 - self.beta))


class SpikingConv(nn.Module):
    """Valid convolution without bias, then one decaying neuron a channel and place."""

    def __init__(self, spec: CnnSpec, plane: tuple, conv: Conv, gain: float):
        super().__init__()
        self.law, self.grid, self.plane, self.conv = spec.law, spec.grid, plane, conv
        self.shift, self.rounding = _shift(spec), spec.rounding
        sides = conv.kernel, conv.kernel
        self.weight = nn.Parameter(torch.empty(conv.channels, plane[0], *sides))
        nn.init.uniform_(self.weight, -gain, gain)
        self.register_buffer("scale", torch.tensor(spec.grid.scale_for(self.weight)))
        start = spec.beta if self.law == "exponential" else spec.lam
        self.decay = nn.Parameter(torch.tensor(start))

    @property
    def map(self) -> tuple[int, int, int]:
        """(C, H, W) of the neurons."""
        k, s, p = self.conv.kernel, self.conv.stride, self.conv.pool
        high, wide = ((side // p - k) // s + 1 for side in self.plane[1:])
        return self.conv.channels, high, wide

    integers = SpikingLinear.integers

    def forward(self, x) -> tuple[torch.Tensor, torch.Tensor]:
        """Spikes and membranes before reset, both [T, batch, C, H, W].

        `x`: [T, batch, C, H, W], or the events of a batch.
        """
        q = self.integers()
        w = q["w"] * 2.0**self.grid.fraction_bits
        planes = self.convolved(x, w)  # (T · batch, C, H, W), channels together
        steps, batch = (x.steps, x.batch) if sparse(x) else x.shape[:2]
        current = planes.permute(0, 2, 3, 1).unflatten(0, (steps, batch))
        states = kernels.sequence(
            current,
            lam=q.get("lam", 0.0),
            **dividing(self.law, self.rounding, self.shift, q.get("beta_q")),
            theta=q["theta"],
            clamp=(self.grid.v_min, self.grid.v_max),
            scale=float(2.0**self.grid.fraction_bits / self.scale),
            slope=SLOPE,
        )
        return tuple(s.permute(0, 1, 4, 2, 3) for s in states)

    def convolved(self, x, w) -> torch.Tensor:
        """The currents of all frames at once, [T · batch, C, H, W]."""
        if sparse(x) and self.conv.stride == self.conv.pool == 1:
            return kernels.convolve(x, w, self.plane)
        if sparse(x):
            x = x.dense(w.dtype).unflatten(2, self.plane)
        frames = pooled(x.flatten(0, 1), self.conv.pool)
        # direct sums of whole numbers below 2^24 are exact in float32, in any order
        return functional.conv2d(frames, w, stride=self.conv.stride)


def sparse(x) -> bool:
    """Whether x is a batch of events and no tensor."""
    return isinstance(x, kernels.Events)


def pooled(frames: torch.Tensor, k: int) -> torch.Tensor:
    """OR of k x k neighbours of binary planes [frames, C, H, W]."""
    if k == 1:
        return frames
    return kernels.max_pool(frames) if k == 2 else functional.max_pool2d(frames, k)


class Cnn(nn.Module):
    """Convolutions, then a spiking readout; the interface of networks.Mlp."""

    def __init__(self, spec: CnnSpec):
        super().__init__()
        self.spec = spec
        layers, plane = [], spec.plane
        for conv in spec.convs:
            gain = _gain(plane[0] * conv.kernel**2, first=not layers)
            layers.append(SpikingConv(spec, plane, conv, gain))
            plane = layers[-1].map
        C, H, W = plane
        inputs = C * (H // spec.pool) * (W // spec.pool)
        last = SpikingLinear(spec, inputs, spec.classes, _gain(inputs, first=False))
        self.layers = nn.ModuleList([*layers, last])

    def forward(self, x) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(spikes, membranes) of every layer, [T, batch, neurons] as c·H·W + y·W + x.

        x: events, or binary [T, batch, channels].
        """
        if not sparse(x):
            x = x.unflatten(2, self.spec.plane)
        states = []
        for layer in self.layers[:-1]:
            spikes, membranes = layer(x)
            states.append((spikes.flatten(2), membranes.flatten(2)))
            x = spikes
        frames = pooled(x.flatten(0, 1), self.spec.pool)
        frames = frames.flatten(1).unflatten(0, x.shape[:2])
        return [*states, self.layers[-1](frames)]

    def export(self, meta: dict) -> Checkpoint:
        """The network as integers; `meta` says what it was trained on."""
        grid, spec = self.spec.grid, self.spec
        contract = {
            "network": spec.name,
            "law": spec.law,
            "reset": "subtract",
            "fires": "U > theta",
            "order": "decay, integrate, clamp, fire, reset",
            "bins": "binary",
            "readout": "count",
            "B": grid.membrane_bits,
            "f": grid.fraction_bits,
        } | rounding_of(spec)
        layers, names = [], [f"conv{k + 1}" for k in range(len(spec.convs))]
        for name, layer in zip([*names, "fc1"], self.layers):
            layers.append(whole(name, layer, grid.weight_bits, **self._place(layer)))
        return Checkpoint(contract | meta, tuple(layers))

    def _place(self, layer) -> dict:
        if isinstance(layer, SpikingConv):
            conv = layer.conv
            return {"plane": layer.plane, "pool": conv.pool, "stride": conv.stride}
        return {"plane": self.layers[-2].map, "pool": self.spec.pool}


def whole(name: str, layer, bits: int, **place) -> Layer:
    """A trained layer as whole numbers."""
    q = {key: v.detach() for key, v in layer.integers().items()}
    q = {key: v.round().to(torch.int32).numpy() for key, v in q.items()}
    return Layer(
        name=name,
        w=q["w"].astype("int8"),
        theta=q["theta"],
        lam=q.get("lam", q["theta"] * 0),
        bits=bits,
        **_divided(layer, q),
        **place,
    )


def _gain(inputs: int, first: bool) -> float:
    """Bound of the uniform start: few inputs must move a membrane, none flood it."""
    return math.sqrt((GAIN[0] if first else GAIN[1]) / inputs)
