"""One layer for every network: synapses, normalisation or none, decaying neurons.

    I = W x          for all time steps at once, in membrane LSB
    theta, bias, decay    one value a layer, or a row a neuron from a normalisation
    S, U             the neurons' time loop (`kernels.sequence`)

On a grid the same code runs on whole numbers held in floats (see quantization), so the
forward of training equals the integer network bit for bit. Batch normalisation (Ioffe
and Szegedy 2015) becomes three rows of the array:

    n = gamma (I - mean)/sigma + b,  fires where the membrane passes 1       (training)
    I + round(b sigma/gamma - mean) against round(sigma/gamma)               (integers)
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lindecay import kernels
from lindecay.arms import USUAL
from lindecay.decay import learned
from lindecay.networks.decays import Neurons
from lindecay.quantization import Checkpoint, Layer, quantize_weights

MOMENTUM = 0.1  # of the running statistics
EPS = 1.0  # LSB squared: a silent neuron divides by no zero
SPAN = 1.5  # of the start that the weights' LSB covers, where they are normalised


class Linear:
    """Fully connected; x: events, or [T, batch, in].

    gathered: dense spikes too are added row by row. Sums of whole numbers are exact in
    any order; gradients are not, and a network keeps the order it was published with.
    """

    def __init__(self, inputs: int, outputs: int, gathered: bool = False):
        self.shape, self.gathered = (outputs, inputs), gathered

    def __call__(self, x, w: Tensor) -> Tensor:
        """Currents [T, batch, out]; x: events, spikes, or spikes behind dropout."""
        if isinstance(x, kernels.Events):
            return kernels.synapses(x, w)
        if isinstance(x, kernels.Dropped) and not (self.gathered and x.fits(w)):
            x = x.dense()
        if isinstance(x, Tensor):
            x = x.to(w.dtype)  # spikes of a wider layer
        return kernels.synapses(x, w) if self.gathered else functional.linear(x, w)

    def back(self, states: Tensor) -> Tensor:
        """States as the next layer reads them."""
        return states


class SpikingLayer(nn.Module):
    """Synapses, then one decaying neuron for each output (of a map: for each place).

    Args:
        neurons: law, grid and how decays come about.
        synapses: `Linear`, or `cnn.Convolution`.
        gain: bound of the weights' uniform start.
        start: of the decays, [] or [neurons]: beta, or lambda in units of threshold.
        normalised: batch normalisation, with threshold and bias for each neuron.
    """

    def __init__(self, neurons: Neurons, synapses, gain, start, normalised=False):
        super().__init__()
        self.neurons, self.synapses, self.normalised = neurons, synapses, normalised
        weight = torch.empty(synapses.shape).uniform_(-gain, gain)
        self.weight = nn.Parameter(weight)
        if normalised:
            self._normalisation(synapses.shape[0])
        self._decays(torch.as_tensor(start))
        self.register_buffer("scale", torch.tensor(self._lsb(gain)))

    def _normalisation(self, outputs: int) -> None:
        self.gamma = nn.Parameter(torch.full((outputs,), 0.5))
        learns = self.neurons.bias == "neuron"
        self.shift = nn.Parameter(torch.zeros(outputs), requires_grad=learns)
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("var", torch.ones(outputs))
        self.momentum = MOMENTUM

    def _decays(self, start: Tensor) -> None:
        """The parameter behind the decays: `raw` where they are open, else `decay`."""
        learns = self.neurons.learns
        if self.neurons.decays == "open":
            self.raw = nn.Parameter(learned.raw(start), requires_grad=learns)
        else:
            self.decay = nn.Parameter(start, requires_grad=learns)

    def _lsb(self, gain: float) -> float:
        """The fixed LSB of the weights: what they span at the start."""
        grid = self.neurons.grid
        if not self.normalised:
            return grid.scale_for(self.weight)
        return SPAN * gain / (2.0 ** ((grid.weight_bits if grid else 4) - 1) - 0.5)

    def _load_from_state_dict(self, state, prefix, *rest):
        """An open layer also takes decays that were learned under a clamp."""
        if self.neurons.decays == "open" and f"{prefix}decay" in state:
            state[f"{prefix}raw"] = learned.raw(state.pop(f"{prefix}decay"))
        super()._load_from_state_dict(state, prefix, *rest)

    def integers(self) -> Tensor:
        """The weights as whole numbers, with gradients."""
        return quantize_weights(self.weight, self.scale, self.neurons.grid.weight_bits)

    def current(self, x) -> Tensor:
        """Currents in membrane LSB; the last axis: neurons, of a map its channels."""
        grid = self.neurons.grid
        if grid is None:
            return self.synapses(x, self.weight / self.scale)
        return self.synapses(x, self.integers() * 2.0**grid.fraction_bits)

    def statistics(self, current: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Currents to go on with; mean and variance of the batch while training, the
        running ones after."""
        if not self.training:
            return current, self.mean, self.var
        rows, mean, var = kernels.Moments.apply(current.flatten(0, -2))
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.var.lerp_(var, self.momentum)
        return rows.view(current.shape), mean, var

    def rows(self, mean=None, var=None) -> dict[str, Tensor]:
        """theta, decay and, where normalised, bias; whole numbers on a grid.

        mean, var: of the currents, [neurons]; of a normalised layer.
        """
        whole, open_ = self.neurons.whole, self.neurons.decays == "open"
        parameter = self.raw if open_ else self.decay
        if not self.normalised:
            unit = self.unit
            theta = unit.round()
            return {"theta": theta} | self.neurons.rows(parameter, unit, theta)
        unit, mean = self._measured(mean, var)
        rows = {"theta": whole(unit), "bias": whole(self.shift * unit - mean)}
        return rows | self.neurons.rows(parameter, unit, rows["theta"])

    @property
    def unit(self) -> Tensor:
        """LSB per unit of threshold where nothing is normalised."""
        return 2.0**self.neurons.grid.fraction_bits / self.scale

    def _measured(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """LSB per unit of threshold for each neuron, and the mean to subtract."""
        grid = self.neurons.grid
        if self.neurons.bias == "none":  # size instead of spread
            var, mean = var + mean**2, mean * 0
        unit = torch.sqrt(var.clamp(min=0) + EPS) / self.gamma.clamp(min=0.05)
        return unit.clamp(2, grid.v_max / 2 if grid else 1e6), mean

    def forward(self, x) -> tuple[Tensor, Tensor]:
        """Spikes and membranes before reset in LSB, both [T, batch, neurons].

        Of a map: [T, batch, C, H, W]. x: events of a batch, or such spikes.
        """
        current, moments, dtype = self.current(x), (), self.neurons.dtype
        if self.normalised:
            current, *moments = self.statistics(current)
        rows = {name: row.to(dtype) for name, row in self.rows(*moments).items()}
        theta = rows["theta"].detach()
        states = kernels.sequence(
            current.to(dtype),
            clamp=self.neurons.clamp,
            **self.neurons.dividing(rows),
            scale=float(theta.mean() if self.normalised else self.unit),
            slope=self.neurons.slope,
            # a clamped lambda of 0.99 theta may round to theta, which `all` refuses
            check="none" if self.normalised else "all",
            **rows,
        )
        return tuple(map(self.synapses.back, states))

    def exported(self, name: str, **place) -> Layer:
        """The layer as whole numbers; place: plane, pool and stride of a map."""
        n = self.neurons
        rows = self.rows(*((self.mean, self.var) if self.normalised else ()))
        rows = {k: v.detach().round().int().numpy() for k, v in rows.items()}
        divided = {"beta": rows.get("beta_q"), "beta_shift": n.bits}
        if n.law == "shift":
            divided = {"beta": rows.get("k", np.int32(n.bits))}
        return Layer(
            name=name,
            w=self.integers().detach().round().to(torch.int8).numpy(),
            theta=rows["theta"],
            lam=rows.get("lam", rows["theta"] * 0),
            bits=n.grid.weight_bits,
            bias=rows["bias"] if self.normalised and n.bias == "neuron" else None,
            **divided,
            **place,
        )


class Network(nn.Module):
    """Layers one after another; `spec` has name, law, grid and rounding."""

    def __init__(self, spec, layers: dict[str, SpikingLayer]):
        super().__init__()
        self.spec, self.names = spec, tuple(layers)
        self.layers = nn.ModuleList(layers.values())

    def forward(self, x) -> list[tuple[Tensor, Tensor]]:
        """(spikes, membranes) of every layer; x: events, or binary [T, batch, in]."""
        states = []
        for layer in self.layers:
            states.append(layer(x))
            x = states[-1][0]
        return states

    def place(self, k: int) -> dict:
        """Plane, pool and stride of layer k, where it lies over a map."""
        return {}

    def export(self, meta: dict) -> Checkpoint:
        """The network as integers; `meta` says what it was trained on."""
        spec = self.spec
        contract = {
            "network": spec.name,
            "law": spec.law,
            "reset": "subtract",
            "fires": "U > theta",
            "order": "decay, integrate, clamp, fire, reset",
            "bins": "binary",
            "readout": "count",
            "B": spec.grid.membrane_bits,
            "f": spec.grid.fraction_bits,
        }
        if spec.rounding not in (None, USUAL.get(spec.law)):
            contract["rounding"] = spec.rounding
        told = enumerate(zip(self.names, self.layers))
        layers = (layer.exported(n, **self.place(k)) for k, (n, layer) in told)
        return Checkpoint(contract | meta, tuple(layers))


def bound(variance: float, inputs: int) -> float:
    """Bound of a uniform start: few inputs must move a membrane, none flood it.

    variance: of a weight, times inputs / 3.
    """
    return math.sqrt(variance / inputs)
