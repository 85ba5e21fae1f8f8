"""NIR (Neuromorphic Intermediate Representation): export, and a node for linear leaks.

    τ dv/dt = (v_leak − v) + R·I,  v ← v_reset at a spike     (LIF; IF without leak)

With one Euler step of dt, β = 1 − dt/τ and R = τ/dt give βv + I, our exponential law.
Source: Pedersen et al., Nature Communications 15, 8122 (2024); package `nir`.

NIR has no linear leak. `node(nir)` proposes one, in the form of NIR's own pages:

    LinearDecayLIF
    dv/dt = − leak · sign(v) + R·I,  and v rests at 0 where the leak would cross it
    z = 1 where v > v_threshold, else 0
    v ← v − v_threshold   (reset "subtract"), or v_reset = 0 (reset "zero")

    leak [V/s], r, v_threshold: arrays of one shape;  law, reset: text.

`nir.write` and `nir.read` carry it once `register(nir)` has made it known; a reader
that does not know the type stops with an error, rather than run another neuron.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lindecay.neurons.lif import LinearDecayLIF
from lindecay.settings import Fault

DT = 1e-4  # seconds a step stands for, as in snnTorch's own export


def to_nir(net: nn.Sequential, extension: bool = False):
    """A chain of nn.Linear and LinearDecayLIF as an nir.NIRGraph.

    Args:
        net: nn.Sequential whose forward is its own class's; nested ones are flattened.
        extension: write what NIR has no node for as the node `LinearDecayLIF`.

    Raises Fault for what NIR has no node for: a linear leak, reset by subtraction or
    none, a reset one step late, a clamp. Needs the extra package `nir`. Networks with a
    forward of their own: `graphs.to_nir`, which sees what runs.
    """
    layers = list(_chain(net, "net"))
    for place, layer in layers:
        if isinstance(layer, LinearDecayLIF):
            _whole_spikes(layer, place)
            if not extension:
                _expressible(layer, place)
    nir = _nir()
    nodes, width = [], None
    for place, layer in layers:
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


def _chain(net, place: str, seen=None):
    """(place, layer) of a plain chain in the order in which it works.

    Raises:
        Fault: a forward or a hook of its own, or neurons that stand in two places.
    """
    seen = set() if seen is None else seen
    hooks = net._forward_hooks or net._forward_pre_hooks
    if type(net).forward is not nn.Sequential.forward or hooks:
        raise Fault(
            "the order of the layers is not that of their definition",
            expected="a plain nn.Sequential",
            found=f"{type(net).__name__} with a forward or hook of its own",
            where=place,
            do="graphs.to_nir(net, frames) sees what runs",
        )
    for key, layer in net._modules.items():
        if isinstance(layer, nn.Sequential):
            yield from _chain(layer, f"{place}.{key}", seen)
            continue
        if layer._forward_hooks or layer._forward_pre_hooks:
            raise Fault("a hook has no NIR node", found=key, where=f"layer {key}")
        if isinstance(layer, LinearDecayLIF) and id(layer) in seen:
            what = "one membrane in two places of a chain"
            raise Fault(what, expected="a neuron layer each", where=f"layer {key}")
        seen.add(id(layer))
        yield key, layer


def _whole_spikes(layer: LinearDecayLIF, place: str) -> None:
    """Fault for spikes that are not 0 or 1, or a state that is rounded."""
    odd = {"graded spikes": layer.graded, "inhibition": layer.inhibition}
    odd["a quantised state"] = layer.state_quant
    for what, there in odd.items():
        if there:
            raise Fault(f"NIR cannot express {what}", where=f"layer {place}")


def register(nir) -> type:
    """Make the node `LinearDecayLIF` known to the package nir; returns its class."""
    known = nir.ir.__dict__["__all_ir"]
    if "LinearDecayLIF" not in known:
        nir.ir.LinearDecayLIF = nir.LinearDecayLIF = node(nir)
        known.add("LinearDecayLIF") if isinstance(known, set) else known.append(
            "LinearDecayLIF"
        )
    return nir.ir.LinearDecayLIF


def node(nir) -> type:
    """The class of the extension node, on the nir that is installed."""

    @dataclass(eq=False)
    class LinearDecayLIF(nir.NIRNode):
        """Leaky integrate-and-fire with a linear leak: see `lindecay.neurons.exchange`.

        dv/dt = − leak · sign(v) + R·I, resting at 0;  z = v > v_threshold.
        """

        leak: np.ndarray  # V/s
        r: np.ndarray
        v_threshold: np.ndarray
        law: str = "shrink"
        reset: str = "subtract"

        def __post_init__(self):
            shapes = {np.shape(x) for x in (self.leak, self.r, self.v_threshold)}
            if len(shapes) != 1:
                what = "parameters of a LinearDecayLIF node"
                raise Fault(what, expected="one shape", found=f"{shapes}")
            self.law, self.reset = (
                x.decode() if isinstance(x, bytes) else str(x)
                for x in (self.law, self.reset)
            )
            self.input_type = {"input": np.array(np.shape(self.leak))}
            self.output_type = {"output": np.array(np.shape(self.leak))}

    return LinearDecayLIF


def linear_node(leak, theta, law: str, reset: str, shape, dt: float = DT):
    """The extension node of neurons: λ = leak·dt, and a current counts once a step."""
    kind = register(_nir())

    def spread(x):
        return np.broadcast_to(np.asarray(x, np.float64), shape).copy()

    r = np.full(shape, 1 / dt)
    return kind(spread(leak) / dt, r, spread(theta), law, reset)


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
    exponential = layer.law.name == "exponential" and layer.rule.shift is None
    if not exponential and layer.law.name != "none" or layer.rule.reset != "zero":
        return _extension(layer, theta, width)
    if layer.law.name == "none":
        return nir.IF(r=rest + 1, v_threshold=theta, v_reset=rest)
    beta = spread(layer._beta_now(torch.zeros(())))  # within [0, 1], as forward has it
    if (beta == 1).all():
        return nir.IF(r=rest + 1, v_threshold=theta, v_reset=rest)
    if (beta == 1).any():
        raise Fault("beta of 1 and below 1 in one layer", do="one layer each")
    tau = DT / (1 - beta)
    return nir.LIF(
        tau=tau, r=tau / DT, v_leak=rest, v_threshold=theta, v_reset=rest.copy()
    )


def _extension(layer, theta, width):
    """A layer as the extension node."""
    rule = layer.rule
    linear = ("shrink", "floor", "drift", "none")
    if layer.law.name not in linear or rule.delayed or rule.clamp is not None:
        raise Fault(
            "the extension node holds linear leaks alone",
            expected=" or ".join(linear) + ", reset at once, no clamp",
            found=f"law {rule.law!r}, delayed {rule.delayed}, clamp {rule.clamp}",
        )
    lam = layer._lam_now().detach().double().numpy()
    return linear_node(lam, theta, rule.law, rule.reset, (width,))


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
