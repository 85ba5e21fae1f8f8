"""Export to NIR (Neuromorphic Intermediate Representation) of what NIR can express.

    τ dv/dt = (v_leak − v) + R·I,  v ← v_reset at a spike     (LIF; IF without leak)

With one Euler step of dt, β = 1 − dt/τ and R = τ/dt give βv + I, our exponential law.
Source: Pedersen et al., Nature Communications 15, 8122 (2024); package `nir`.
"""

import numpy as np
from torch import nn

from lindecay.neurons.lif import LinearDecayLIF
from lindecay.settings import Fault

DT = 1e-4  # seconds a step stands for, as in snnTorch's own export


def to_nir(net: nn.Sequential):
    """A chain of nn.Linear and LinearDecayLIF as an nir.NIRGraph.

    Raises Fault for what NIR has no node for: a linear leak, reset by subtraction or
    none, a reset one step late, a clamp. Needs the extra package `nir`.
    """
    for place, layer in net.named_children():
        if isinstance(layer, LinearDecayLIF):
            _expressible(layer, place)
    nir = _nir()
    nodes, width = [], None
    for place, layer in net.named_children():
        if isinstance(layer, nn.Linear):
            width = layer.out_features
            nodes.append(_synapses(nir, layer))
        elif isinstance(layer, LinearDecayLIF):
            nodes.append(_neuron(nir, layer, width))
        else:
            raise Fault(
                "no NIR node is known for this layer",
                expected="Linear or LinearDecayLIF",
                found=type(layer).__name__,
                where=f"layer {place}",
            )
    return nir.NIRGraph.from_list(*nodes)


def _nir():
    try:
        import nir
    except ImportError:
        raise Fault(
            "the package nir is not installed", do="pip install nir nirtorch"
        ) from None
    return nir


def _synapses(nir, layer):
    weight = layer.weight.detach().numpy()
    if layer.bias is None:
        return nir.Linear(weight=weight)
    return nir.Affine(weight=weight, bias=layer.bias.detach().numpy())


def _neuron(nir, layer, width):
    def spread(x):
        return np.broadcast_to(x.detach().numpy(), (width,)).copy()

    theta, rest = spread(layer.threshold), np.zeros(width, np.float32)
    if layer.law.name == "none":
        return nir.IF(r=rest + 1, v_threshold=theta, v_reset=rest)
    tau = DT / (1 - spread(layer.beta))
    return nir.LIF(
        tau=tau, r=tau / DT, v_leak=rest, v_threshold=theta, v_reset=rest.copy()
    )


def _expressible(layer, place):
    rule, where = layer.rule, f"layer {place}"
    if layer.law.name not in ("exponential", "none") or rule.shift is not None:
        raise Fault(
            "NIR cannot express this leak",
            expected="exponential or none: NIR's LIF and CubaLIF decay by a share of v",
            found=f"law {rule.law!r}, which takes an amount that does not depend on v",
            where=where,
        )
    if rule.reset != "zero" or rule.delayed or rule.clamp is not None:
        raise Fault(
            "NIR cannot express this reset",
            expected="reset 'zero', at once, no clamp (NIR sets v to v_reset)",
            found=f"reset {rule.reset!r}, delayed {rule.delayed}, clamp {rule.clamp}",
            where=where,
        )


def register(nir) -> None:
    """Make the extension node known to the package nir (see `LinearDecay`)."""
