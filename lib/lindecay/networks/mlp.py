"""MLP-1 for N-MNIST: fully connected, one threshold and one decay a layer, no bias.

The summary gives no layer sizes: 2312-512-10 is our choice (see 91_assumptions).
"""

import math
from dataclasses import dataclass

from lindecay.arms import BETA_BITS
from lindecay.networks.decays import Neurons
from lindecay.networks.layer import Linear, Network, SpikingLayer, bound
from lindecay.quantization import Grid

GAIN = (0.4, 6.0)  # variance of the first and the later layers' start, x inputs / 3


class Matched:
    """What one beta says of all arms; for specs with law, beta, grid and beta_bits."""

    @property
    def lam(self) -> float:
        """lambda* = (1 - beta)/(1 + beta), least squares on [0, 1]."""
        return (1 - self.beta) / (1 + self.beta)

    @property
    def halvings(self) -> int:
        """k of the shift-exponential V - (V >> k): 2^k is the horizon 1/(1 - beta)."""
        return round(-math.log2(1 - self.beta))

    @property
    def neurons(self) -> Neurons:
        """The neurons of every layer."""
        bits = {"shift": self.halvings, "exponential": self.beta_bits}.get(self.law)
        return Neurons(self.law, self.grid, bits, self.rounding)

    @property
    def start(self) -> float:
        """What the decays start at."""
        return self.beta if self.law == "exponential" else self.lam


@dataclass(frozen=True)
class MlpSpec(Matched):
    """A fully connected network; threshold 1 in real units."""

    name: str
    sizes: tuple[int, ...]
    law: str
    beta: float  # decay factor per step, or what lambda is matched to
    grid: Grid
    rounding: str | None = None  # of the decay; None is the law's usual one
    beta_bits: int = BETA_BITS


class Mlp(Network):
    """Fully connected layers; output = spikes of the last one."""

    def __init__(self, spec: MlpSpec):
        layers = {}
        for k, (i, o) in enumerate(zip(spec.sizes, spec.sizes[1:])):
            gain = bound(GAIN[k > 0], i)
            layer = SpikingLayer(spec.neurons, Linear(i, o), gain, spec.start)
            layers[f"fc{k + 1}"] = layer
        super().__init__(spec, layers)
