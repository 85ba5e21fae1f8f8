"""From exponential leaks to linear ones, layer by layer.

    λ = θ(1 − β)/(1 + β)          "least squares", the book's rule
    λ = θ(−ln β)/(2 ln 2)         "half-life"
    λ = θ(1 − β)                  "rheobase"

(`decay.MATCHES`, chapter 01.) No training: what it costs is for the caller to measure.
"""

import copy

import snntorch as snn
import torch
from torch import nn

from lindecay.decay import MATCHES
from lindecay.neurons.lif import LinearDecayLIF
from lindecay.settings import Fault


def from_leaky(leaky: snn.Leaky, rule: str = "least squares") -> LinearDecayLIF:
    """A LinearDecayLIF with the threshold, reset, surrogate and habits of a snn.Leaky.

    Args:
        leaky: the layer; it is not changed.
        rule: a key of `decay.MATCHES`: which λ stands for β.

    Raises:
        Fault: an unknown rule, or a layer that is not plainly a snn.Leaky.

    >>> layer = from_leaky(snn.Leaky(0.9))
    >>> round(float(layer.lam), 6), layer.reset_mechanism
    (0.052632, 'subtract')
    """
    if rule not in MATCHES:
        known = " or ".join(MATCHES)
        raise Fault("no such rule for λ", expected=known, found=repr(rule))
    if type(leaky) is not snn.Leaky:
        raise Fault(
            "no linear twin of this layer is known",
            expected="snn.Leaky",
            found=type(leaky).__name__,
        )
    beta = torch.as_tensor(leaky.beta).detach().clamp(0, 1).double()
    theta = torch.as_tensor(leaky.threshold).detach().double()
    return LinearDecayLIF(_lam(beta, theta, rule), **_habits(leaky))


def _lam(beta, theta, rule: str) -> torch.Tensor:
    """λ of the rule, below θ: β = 0 forgets all, which λ → θ comes nearest to."""
    floor = torch.finfo(torch.float64).tiny
    lam = torch.as_tensor(MATCHES[rule](beta.clamp(min=floor), theta))
    return torch.minimum(lam, theta * (1 - 1e-6)).float()


def _habits(leaky: snn.Leaky) -> dict:
    """Everything that both layers have, as it stands."""
    return {
        "threshold": leaky.threshold.detach().clone(),
        "spike_grad": leaky.spike_grad,
        "reset_mechanism": leaky.reset_mechanism,
        "reset_delay": False,  # the linear leak resets at once
        "init_hidden": leaky.init_hidden,
        "output": leaky.output,
        "inhibition": leaky.inhibition,
        "graded_spikes_factor": leaky.graded_spikes_factor,
        "learn_threshold": isinstance(leaky.threshold, nn.Parameter),
        "learn_lam": isinstance(leaky.beta, nn.Parameter),
    }


def convert(net: nn.Module, rule: str = "least squares") -> nn.Module:
    """A copy of a network in which every snn.Leaky is a LinearDecayLIF.

    A layer that stands in two places stays one layer. The network given is not changed.

    Raises:
        Fault: a spiking layer of another kind, by name; or none at all.

    >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True))
    >>> type(convert(net)[1]).__name__
    'LinearDecayLIF'
    """
    if type(net) is snn.Leaky:
        return from_leaky(net, rule)
    new, twins = copy.deepcopy(net), {}
    for path, module in list(new.named_modules(remove_duplicate=False)):
        if not hasattr(module, "spike_grad") or isinstance(module, LinearDecayLIF):
            continue
        if type(module) is not snn.Leaky:
            kind = type(module).__name__
            what = f"layer {path} ({kind}) has no linear twin"
            raise Fault(what, expected="snn.Leaky")
        if id(module) not in twins:
            twins[id(module)] = from_leaky(module, rule)
        parent, _, name = path.rpartition(".")
        setattr(new.get_submodule(parent), name, twins[id(module)])
    if not twins and not any(isinstance(m, LinearDecayLIF) for m in new.modules()):
        raise Fault("no neurons to convert", expected="snn.Leaky", found="none")
    return new


LinearDecayLIF.from_leaky = staticmethod(from_leaky)
