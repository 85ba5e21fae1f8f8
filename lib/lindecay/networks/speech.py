"""MLP-2 for Spiking Heidelberg Digits: 140 - 256 - 256 - 20, normalised.

A threshold, a bias and a decay for each neuron. The summary gives no sizes; these are
our choices (see 91_assumptions). The class whose output neuron fired most often wins.
"""

import math
from dataclasses import dataclass

import torch

from lindecay import kernels
from lindecay.arms import BETA_BITS
from lindecay.networks.decays import Neurons
from lindecay.networks.layer import Linear, Network, SpikingLayer
from lindecay.quantization import Grid


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
    def neurons(self) -> Neurons:
        """The neurons of every layer."""
        bits = self.beta_bits if self.law == "exponential" and self.grid else None
        if self.law == "shift":  # 2^k is the horizon
            bits = round(math.log2(self.horizon))
        how = {"rounding": self.rounding, "decays": self.decays, "bias": self.bias}
        how |= {"learns": self.learn_decay, "slope": self.slope}
        return Neurons(self.law, self.grid, bits, **how)

    def starts(self, neurons: int) -> torch.Tensor:
        """What decays start at, [neurons]: beta, or lambda* = (1 - beta)/(1 + beta)."""
        log = torch.linspace(-1, 1, neurons) * self.spread
        beta = 1 - 1 / (self.horizon * log.exp()).clamp(min=1)
        opened = self.decays == "open" and self.law == "shift"
        factor = self.law == "exponential" or opened
        return beta if factor else (1 - beta) / (1 + beta)

    def layer(self, inputs: int, outputs: int) -> SpikingLayer:
        """One layer: normalised, a decay for each neuron."""
        gain, synapses = 1 / math.sqrt(inputs), Linear(inputs, outputs, gathered=True)
        start = self.starts(outputs)
        return SpikingLayer(self.neurons, synapses, gain, start, normalised=True)


class SpeechMlp(Network):
    """Normalised layers, dropout between them while training."""

    def __init__(self, spec: SpeechSpec):
        sizes = (spec.channels, *spec.hidden, spec.classes)
        pairs = enumerate(zip(sizes, sizes[1:]))
        super().__init__(spec, {f"fc{k + 1}": spec.layer(i, o) for k, (i, o) in pairs})

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
                x = kernels.Dropped.of(x, self.spec.dropout, generator)
        return states
