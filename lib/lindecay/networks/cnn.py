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

from dataclasses import dataclass

import torch
from torch.nn import functional

from lindecay import kernels
from lindecay.arms import BETA_BITS
from lindecay.events import Binning
from lindecay.networks.layer import Linear, Network, SpikingLayer, bound
from lindecay.networks.mlp import Matched
from lindecay.quantization import Grid

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
class CnnSpec(Matched):
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


class Convolution:
    """Valid convolution without bias; x: events, or [T, batch, C, H, W]."""

    def __init__(self, plane: tuple[int, int, int], conv: Conv):
        self.plane, self.conv = plane, conv
        self.shape = conv.channels, plane[0], conv.kernel, conv.kernel

    @property
    def map(self) -> tuple[int, int, int]:
        """(C, H, W) of the neurons."""
        k, s, p = self.conv.kernel, self.conv.stride, self.conv.pool
        high, wide = ((side // p - k) // s + 1 for side in self.plane[1:])
        return self.conv.channels, high, wide

    def __call__(self, x, w: torch.Tensor) -> torch.Tensor:
        """Currents [T, batch, H, W, C], channels together."""
        planes = self._planes(x, w)
        steps = (x.steps, x.batch) if sparse(x) else x.shape[:2]
        return planes.permute(0, 2, 3, 1).unflatten(0, steps)

    def _planes(self, x, w: torch.Tensor) -> torch.Tensor:
        """The currents of all frames at once, [T · batch, C, H, W]."""
        if sparse(x) and self.conv.stride == self.conv.pool == 1:
            return kernels.convolve(x, w, self.plane)
        if sparse(x):
            x = x.dense(w.dtype).unflatten(2, self.plane)
        frames = pooled(x.to(w.dtype).flatten(0, 1), self.conv.pool)
        # direct sums of whole numbers below 2^24 are exact in float32, in any order
        return functional.conv2d(frames, w, stride=self.conv.stride)

    def back(self, states: torch.Tensor) -> torch.Tensor:
        """[T, batch, C, H, W], as the next layer reads them."""
        return states.permute(0, 1, 4, 2, 3)


def sparse(x) -> bool:
    """Whether x is a batch of events and no tensor."""
    return isinstance(x, kernels.Events)


def pooled(frames: torch.Tensor, k: int) -> torch.Tensor:
    """OR of k x k neighbours of binary planes [frames, C, H, W]."""
    if k == 1:
        return frames
    return kernels.max_pool(frames) if k == 2 else functional.max_pool2d(frames, k)


class Cnn(Network):
    """Convolutions, then a spiking readout."""

    def __init__(self, spec: CnnSpec):
        layers, plane = {}, spec.plane
        for k, conv in enumerate(spec.convs):
            synapses = Convolution(plane, conv)
            gain = bound(GAIN[k > 0], plane[0] * conv.kernel**2)
            layer = SpikingLayer(spec.neurons, synapses, gain, spec.start)
            layers[f"conv{k + 1}"], plane = layer, synapses.map
        C, H, W = plane
        inputs = C * (H // spec.pool) * (W // spec.pool)
        last = Linear(inputs, spec.classes)
        gain = bound(GAIN[1], inputs)
        layers["fc1"] = SpikingLayer(spec.neurons, last, gain, spec.start)
        super().__init__(spec, layers)

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

    def place(self, k: int) -> dict:
        """Plane, pool and stride of layer k."""
        synapses = self.layers[k].synapses
        if isinstance(synapses, Convolution):
            conv = synapses.conv
            return {"plane": synapses.plane, "pool": conv.pool, "stride": conv.stride}
        return {"plane": self.layers[k - 1].synapses.map, "pool": self.spec.pool}
