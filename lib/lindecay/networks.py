"""The networks of the book: sizes as dataclasses, layers as thin modules.

Each layer: I = W x for all time steps at once, then the neuron's time loop. With a
grid the same code runs on integers held in float32 (see quantization).

The summary gives no layer sizes: 2312-512-10 is our choice (see 91_assumptions).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lindecay import kernels
from lindecay.decay import learned
from lindecay.quantization import (
    Checkpoint,
    Grid,
    Layer,
    quantize_weights,
    ste_round,
)

BETA_BITS = 8  # width of the exponential arm's multiplier
SLOPE = 2.0  # of snnTorch's fast sigmoid
GAIN = (0.4, 6.0)  # variance of the first and the later layers' start, x inputs / 3


@dataclass(frozen=True)
class Arm:
    """One neuron model of the comparison: training, array, energy and figures read it.

    rounding: of the decay in whole numbers, where the law rounds (quantization).
    beta_bits: width of beta where the law multiplies.
    hardware: what the array adds for it, in words.
    """

    name: str
    law: str
    label: str
    colour: str
    marker: str = "o"
    rounding: str | None = None
    beta_bits: int | None = None
    hardware: str = ""


USUAL = {"exponential": "nearest", "shift": "floor"}  # roundings of a checkpoint
NEAREST, TOWARDS_REST = "nearest", "trunc"
_ROWS = (  # name, law, label, colour, marker, rounding, beta bits, hardware
    ("vlif", "exponential", "v-LIF (exponential)", "#0072B2", "o", NEAREST, 8)
    + ("bit-serial product, 8 bits",),
    ("ldlif", "shrink", "LD-LIF (linear)", "#D55E00", "s", None, None)
    + ("subtract towards rest",),
    ("if", "none", "IF (no decay)", "#009E73", "^", None, None, "nothing"),
    ("floor", "floor", "LD-LIF, floor at rest", "#CC79A7", "D", None, None)
    + ("subtract, clear below rest",),
    ("shift", "shift", "v-LIF by shift", "#56B4E9", "v", "floor", None)
    + ("subtract a shifted copy",),
    ("drift", "drift", "LD-LIF without rest (drift)", "#999933", "P", None, None)
    + ("subtract",),
    ("vlif_trunc", "exponential", "v-LIF, towards rest", "#332288", "<", TOWARDS_REST)
    + (8, "bit-serial product, 8 bits"),
    ("vlif16", "exponential", "v-LIF, 16-bit β", "#6699CC", ">", NEAREST, 16)
    + ("bit-serial product, 16 bits",),
    ("shift_near", "shift", "v-LIF by shift, nearest", "#44AA99", "X", "nearest", None)
    + ("subtract a shifted copy, one bit fetched first",),
)
ARMS = {row[0]: Arm(*row) for row in _ROWS}


@dataclass(frozen=True)
class MlpSpec:
    """A fully connected network; threshold 1 in real units."""

    name: str
    sizes: tuple[int, ...]
    law: str
    beta: float  # decay factor per step, or what lambda is matched to
    grid: Grid
    rounding: str | None = None  # of the decay; None is the law's usual one
    beta_bits: int = BETA_BITS

    @property
    def dtype(self) -> torch.dtype:
        """float64 where a product beta_q V leaves the 24 bits of float32."""
        wide = self.beta_bits + self.grid.membrane_bits > 24
        return torch.float64 if wide else torch.float32

    @property
    def lam(self) -> float:
        """lambda* = (1 - beta)/(1 + beta), least squares on [0, 1]."""
        return (1 - self.beta) / (1 + self.beta)

    @property
    def halvings(self) -> int:
        """k of the shift-exponential V - (V >> k): 2^k is the horizon 1/(1 - beta)."""
        return round(-math.log2(1 - self.beta))


class SpikingLinear(nn.Module):
    """Linear synapses without bias, then one decaying neuron per output."""

    def __init__(self, spec: MlpSpec, inputs: int, outputs: int, gain: float):
        super().__init__()
        self.law, self.grid = spec.law, spec.grid
        self.shift, self.rounding = _shift(spec), spec.rounding
        self.dtype = spec.dtype
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.uniform_(self.weight, -gain, gain)
        # the fixed LSB: what the weights span at the start
        self.register_buffer("scale", torch.tensor(spec.grid.scale_for(self.weight)))
        start = spec.beta if self.law == "exponential" else spec.lam
        self.decay = nn.Parameter(torch.tensor(start))

    def integers(self) -> dict:
        """Weights, theta and decay on the grid, integer-valued, with gradients."""
        lsb = 2.0**self.grid.fraction_bits / self.scale
        theta = lsb.round()
        w = quantize_weights(self.weight, self.scale, self.grid.weight_bits)
        if self.law == "exponential":
            top = 2.0**self.shift
            beta = learned.held(self.decay * top, 0, top - 1)
            return {"w": w, "theta": theta, "beta_q": ste_round(beta)}
        if self.law == "shift":
            return {"w": w, "theta": theta}
        lam = ste_round(learned.held(self.decay * lsb, 0, theta - 1))
        return {"w": w, "theta": theta, "lam": lam}

    def forward(self, x) -> tuple[torch.Tensor, torch.Tensor]:
        """Spikes and membranes before reset, both [T, batch, out].

        `x`: [T, batch, in], or the events of a batch (only what is on is added).
        """
        q = self.integers()
        sparse = isinstance(x, kernels.Events)
        synapses = kernels.synapses if sparse else nn.functional.linear
        x = x if sparse else x.to(q["w"].dtype)  # spikes of a wider layer
        current = synapses(x, q["w"] * 2.0**self.grid.fraction_bits)
        lsb = float(2.0**self.grid.fraction_bits / self.scale)
        q = {name: row.to(self.dtype) for name, row in q.items()}
        return kernels.sequence(
            current.to(self.dtype),
            lam=q.get("lam", 0.0),
            **dividing(self.law, self.rounding, self.shift, q.get("beta_q")),
            theta=q["theta"],
            clamp=(self.grid.v_min, self.grid.v_max),
            scale=lsb,
            slope=SLOPE,
        )


class Mlp(nn.Module):
    """A stack of SpikingLinear layers; output = spikes of the last one."""

    def __init__(self, spec: MlpSpec):
        super().__init__()
        self.spec = spec
        pairs = zip(spec.sizes[:-1], spec.sizes[1:])
        self.layers = nn.ModuleList(
            SpikingLinear(spec, i, o, gain=_gain(i, first=k == 0))
            for k, (i, o) in enumerate(pairs)
        )

    def forward(self, x) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(spikes, membranes) of every layer; x: events, or binary [T, batch, in]."""
        states = []
        for layer in self.layers:
            states.append(layer(x))
            x = states[-1][0]
        return states


def dividing(law: str, rounding: str | None, shift: int | None, beta_q=None) -> dict:
    """How the time loop decays, as keywords of kernels.sequence.

    A shift whose part is rounded to nearest is the product with 2^7 - 2^(7-k).
    """
    rounding = rounding or USUAL.get(law)
    if (law, rounding) == ("shift", "nearest"):
        beta_q = learned.shift_as_beta(torch.tensor(float(shift)))
        law, shift, rounding = "exponential", learned.SHIFT_BITS, "half_in"
    told = {"law": law, "beta_q": beta_q, "shift": shift}
    return told | {"rounding": rounding or "nearest"}


def rounding_of(spec) -> dict:
    """The field of a checkpoint that says how its decay rounds; none where usual."""
    usual = USUAL.get(spec.law)
    return {} if spec.rounding in (None, usual) else {"rounding": spec.rounding}


def _shift(spec: MlpSpec) -> int | None:
    if spec.law == "shift":
        return spec.halvings
    return spec.beta_bits if spec.law == "exponential" else None


def _gain(inputs: int, first: bool) -> float:
    """Bound of the uniform start: few inputs must move a membrane, none flood it."""
    return math.sqrt((GAIN[0] if first else GAIN[1]) / inputs)


def _divided(layer: SpikingLinear, whole: dict) -> dict:
    if layer.law == "shift":
        return {"beta": np.int32(layer.shift)}
    return {"beta": whole.get("beta_q"), "beta_shift": layer.shift}


def export(net: Mlp, meta: dict) -> Checkpoint:
    """The network as integers; `meta` says what it was trained on."""
    layers = []
    for k, layer in enumerate(net.layers):
        q = {key: v.detach() for key, v in layer.integers().items()}
        whole = {key: v.round().to(torch.int32).numpy() for key, v in q.items()}
        layers.append(
            Layer(
                name=f"fc{k + 1}",
                w=whole["w"].astype("int8"),
                theta=whole["theta"],
                lam=whole.get("lam", whole["theta"] * 0),
                bits=net.spec.grid.weight_bits,
                **_divided(layer, whole),
            )
        )
    contract = {
        "network": net.spec.name,
        "law": net.spec.law,
        "reset": "subtract",
        "fires": "U > theta",
        "order": "decay, integrate, clamp, fire, reset",
        "bins": "binary",
        "readout": "count",
        "B": net.spec.grid.membrane_bits,
        "f": net.spec.grid.fraction_bits,
    } | rounding_of(net.spec)
    return Checkpoint(contract | meta, tuple(layers))
