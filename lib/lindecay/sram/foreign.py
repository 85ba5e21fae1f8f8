"""Other people's networks as integers: snnTorch layers on the array's grid.

    w = clip(round(W / s), b bits)      s: the LSB with the least squared error
    theta, lam, bias = round(x 2^f / s) f: as fine as B membrane bits allow

A network is a chain of Linear or Conv2d, each followed by LinearDecayLIF or snn.Leaky;
max pooling of spikes is their OR. What has no array form is refused with the layer and
the reason. `fold` takes a batch normalisation into the weights before it.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from lindecay.quantization import Checkpoint, Grid, Layer, check
from lindecay.settings import Fault

IGNORED = (nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)
RECURRENT = ("RLeaky", "RSynaptic", "SLSTM", "SConv2dLSTM", "RNN", "LSTM", "GRU")
MOVE = "pool the spikes: put it behind the neuron"


@dataclass(frozen=True)
class Stage:
    """One layer of the array: synapses, neurons, and what pools the spikes before."""

    name: str
    synapses: nn.Module
    neuron: nn.Module
    pool: int = 1


def modules(net) -> list[nn.Module]:
    """The layers in the order in which they work.

    Raises:
        Fault: for a module whose `forward` decides the order.
    """
    if isinstance(net, nn.Sequential | nn.ModuleList | list | tuple):
        return [leaf for layer in net for leaf in modules(layer)]
    if isinstance(net, nn.Module) and not list(net.children()):
        return [net]
    if isinstance(net, nn.Module) and hasattr(net, "spike_grad"):
        return [net]
    raise Fault(
        "the order of the layers is not known",
        expected="nn.Sequential, nn.ModuleList or a list of layers",
        found=type(net).__name__,
        do="pass its layers in order: [net.fc1, net.lif1, …]",
    )


def _refuse(i: int, layer: nn.Module, why: str, do: str | None = None):
    what = f"layer {i} ({type(layer).__name__}) has no array form"
    raise Fault(what, found=why, do=do)


def stages(net) -> list[Stage]:
    """Synapses and neurons in pairs; Fault names the layer that has no array form."""
    from lindecay.neurons import LinearDecayLIF

    found, waiting, pool = [], None, 1
    leaky = _snn().Leaky
    for i, layer in enumerate(modules(net)):
        if type(layer) in (leaky, LinearDecayLIF):
            if waiting is None:
                _refuse(i, layer, "neurons without synapses before them")
            found.append(Stage(*waiting, layer, pool))
            waiting, pool = None, 1
        elif type(layer) in (nn.Linear, nn.Conv2d):
            if waiting:
                _refuse(i, layer, "synapses without neurons before them")
            waiting = (f"{type(layer).__name__.lower()}{i}", layer)
        elif isinstance(layer, nn.MaxPool2d):
            if waiting or not found:
                _refuse(i, layer, "it pools currents, not spikes", MOVE)
            pool *= _square(i, layer)
        elif not isinstance(layer, IGNORED):
            _unknown(i, layer)
    if waiting or not found:
        what = f"no neurons behind {waiting[0]}" if waiting else "no neurons at all"
        raise Fault(what, expected="LinearDecayLIF or snn.Leaky behind each layer")
    return found


def _snn():
    import snntorch  # slow to import: only where a network of its own is given

    return snntorch


def _unknown(i: int, layer: nn.Module):
    name = type(layer).__name__
    if isinstance(layer, NORMS):
        _refuse(i, layer, "unfolded normalisation", "sram.fold(net), after training")
    if name in RECURRENT:
        _refuse(i, layer, "recurrent: its spikes come back as input")
    if "Pool" in name:
        _refuse(i, layer, "its output is not binary", "MaxPool2d or a stride")
    if hasattr(layer, "spike_grad"):
        _refuse(i, layer, "a neuron with more than one state", "snn.Leaky")
    _refuse(i, layer, "not one of Linear, Conv2d, MaxPool2d, LinearDecayLIF, Leaky")


def _square(i: int, layer) -> int:
    """Side of a pooling window that does not overlap."""
    k, stride = layer.kernel_size, layer.stride or layer.kernel_size
    sides = {*np.atleast_1d(k).tolist(), *np.atleast_1d(stride).tolist()}
    plain = np.all(np.atleast_1d(layer.padding) == 0) and not layer.ceil_mode
    if len(sides) != 1 or not plain or np.any(np.atleast_1d(layer.dilation) != 1):
        _refuse(i, layer, "windows that overlap or are padded", "stride = kernel size")
    return int(sides.pop())


def leak(stage: Stage) -> tuple[str, str, dict]:
    """(law, reset, its parameters in real units) of a neuron."""
    neuron, where = stage.neuron, f"the neurons of {stage.name}"
    plain = not (neuron.inhibition or neuron.state_quant)
    if not plain or bool((neuron.graded_spikes_factor != 1).any()):
        raise Fault(f"{where}: inhibition, graded spikes and quantised states stay out")
    rule = getattr(neuron, "rule", None)
    reset = neuron.reset_mechanism
    if reset == "subtract" and neuron.reset_delay:
        reset = "late"  # reset to zero is the same spikes now or one step later
    if rule is None:
        return "exponential", reset, {"beta": neuron.beta.clamp(0, 1)}
    if rule.clamp is not None:
        what = f"{where}: a clamp of its own"
        raise Fault(what, expected="none: the grid has one", found=rule.clamp)
    if rule.law == "shift":
        if rule.rounding != "floor":
            what = f"{where}: a shift that rounds to nearest has no program"
            raise Fault(what, expected='rounding="floor"', found=rule.rounding)
        return "shift", reset, {"beta": torch.tensor(rule.shift)}
    linear = {"lam": neuron.lam} if rule.law not in ("exponential", "none") else {}
    own = {"beta": neuron.beta} if rule.law == "exponential" else linear
    return rule.law, reset, own


def _common(found: list[tuple[Stage, str]], what: str) -> str:
    """The one value that all stages share."""
    first = found[0][1]
    for stage, value in found:
        if value != first:
            raise Fault(
                f"the neurons of {stage.name}: another {what} than the layers before",
                expected=first,
                found=value,
            )
    return first


def best_scale(w: np.ndarray, bits: int) -> float:
    """The LSB whose rounded weights lie nearest, in least squares.

    >>> best_scale(np.array([-4.0, 1.0, 3.0]), 3)
    1.0
    """
    half, top = 2 ** (bits - 1), float(np.abs(w).max()) or 1.0
    tried = [
        top / half * share for share in (*np.linspace(0.3, 1, 29), half / (half - 1))
    ]
    errors = [
        np.square(w - s * np.clip(np.rint(w / s), -half, half - 1)) for s in tried
    ]
    return float(tried[int(np.argmin([e.sum() for e in errors]))])


@dataclass(frozen=True)
class Choice:
    """How wide everything is; f None: as fine as the membrane allows."""

    weight_bits: int = 4
    membrane_bits: int = 12
    fraction_bits: int | None = None
    beta_bits: int = 8

    def grid(self, found: list[Stage]) -> tuple[Grid, list[float]]:
        """The grid and each layer's LSB: θ never beyond half of V_max."""
        half = (2 ** (self.membrane_bits - 1) - 1) / 2
        scales = [
            best_scale(s.synapses.weight.detach().double().numpy(), self.weight_bits)
            for s in found
        ]
        tops = [float(stage.neuron.threshold.max()) for stage in found]
        f = self.fraction_bits
        if f is None:
            finest = min(s * half / top for s, top in zip(scales, tops))
            f = int(np.clip(np.floor(np.log2(finest)), 0, self.membrane_bits - 2))
        grid = Grid(self.weight_bits, self.membrane_bits, f)
        least = [2.0**f * top / half for top in tops]
        return grid, [max(s, low) for s, low in zip(scales, least)]


def quantised(
    net, steps: int, plane: tuple[int, int, int] | None = None, **choice
) -> Checkpoint:
    """A network of snnTorch layers as an integer checkpoint.

    Args:
        net: nn.Sequential, nn.ModuleList or a list of layers, in order.
        steps: time steps T of the clips that it will see.
        plane: (C, H, W) of the input, where a Conv2d comes first.
        choice: weight_bits, membrane_bits, fraction_bits, beta_bits (see Choice).

    Raises:
        Fault: names the layer that has no array form, and why.
    """
    found, choice = stages(net), Choice(**choice)
    leaks = [leak(stage) for stage in found]
    law = _common([(s, x[0]) for s, x in zip(found, leaks)], "decay law")
    reset = _common([(s, x[1]) for s, x in zip(found, leaks)], "reset")
    grid, scales = choice.grid(found)
    layers = []
    for stage, (_, _, own), s in zip(found, leaks, scales):
        layer = _layer(stage, own, grid, s, choice.beta_bits, law)
        layer = _placed(layer, stage, plane)
        plane = layer.map if layer.kind == "conv" else None
        layers.append(layer)
    if law == "none" and reset == "late":  # nothing decays in between
        reset = "subtract"
    meta = {"B": grid.membrane_bits, "f": grid.fraction_bits, "law": law}
    meta |= {"reset": reset, "T": steps, "readout": "count", "scales": scales}
    return check(Checkpoint(meta, tuple(layers)), "the network given")


def _layer(stage: Stage, own: dict, grid: Grid, s: float, n: int, law: str) -> Layer:
    unit, synapses = grid.lsb_per_unit(s), stage.synapses
    half = 2 ** (grid.weight_bits - 1)
    w = np.clip(np.rint(synapses.weight.detach().double().numpy() / s), -half, half - 1)
    theta = _whole(stage, "threshold", stage.neuron.threshold, unit)
    lam = _whole(stage, "lam", own.get("lam", torch.zeros(())), unit)
    more = {"lam": np.minimum(lam, theta - 1).astype(np.int32), "theta": theta}
    if synapses.bias is not None:
        more["bias"] = _whole(stage, "bias", synapses.bias, unit)
    if "beta" in own:
        beta = _whole(stage, "beta", own["beta"], 1 if law == "shift" else 2**n)
        if beta.ndim:
            what = f"the neurons of {stage.name}: beta per neuron has no program"
            raise Fault(what, expected="one beta for the layer", found=f"{beta.size}")
        if law == "exponential" and beta >= 2**n:
            what = f"the neurons of {stage.name}: beta rounds to 1"
            do = "a law 'none' where nothing leaks, or more beta_bits"
            raise Fault(what, expected=f"below 1 - 2^-{n + 1}", do=do)
        more |= {"beta": beta, "beta_shift": n if law == "exponential" else None}
    return Layer(stage.name, w.astype(np.int8), bits=grid.weight_bits, **more)


def _whole(stage: Stage, what: str, value: torch.Tensor, unit: float) -> np.ndarray:
    """int32 [] or [out]: a real value on the membrane's grid."""
    flat = np.rint(value.detach().double().numpy() * unit).reshape(-1)
    out = stage.synapses.weight.shape[0]
    if flat.size not in (1, out):
        raise Fault(
            f"the neurons of {stage.name}: {what}",
            expected=f"one value, or {out}",
            found=f"{flat.size}",
        )
    flat = flat.astype(np.int32)
    return flat if what == "bias" or (flat != flat[0]).any() else flat[0]


def _placed(layer: Layer, stage: Stage, plane) -> Layer:
    """The layer with stride, padding, pooling and the plane that it reads."""
    conv = stage.synapses if layer.kind == "conv" else None
    if conv is None:
        if plane is not None:
            layer = replace(layer, plane=tuple(plane), pool=stage.pool)
        return layer
    if plane is None:
        what = f"{layer.name}: the plane of its input is not known"
        raise Fault(what, expected="plane=(C, H, W)", found="none")
    same = conv.stride[0] == conv.stride[1] and not isinstance(conv.padding, str)
    if not same or conv.padding[0] != conv.padding[1] or conv.groups != 1:
        found = f"stride {conv.stride}, padding {conv.padding}, groups {conv.groups}"
        raise Fault(f"{layer.name}: not square, or grouped", found=found)
    if conv.dilation != (1, 1) or conv.padding_mode != "zeros":
        raise Fault(f"{layer.name}: dilation or padding that is not 0", found="it is")
    steps = {"stride": conv.stride[0], "padding": conv.padding[0]}
    return replace(layer, plane=tuple(plane), pool=stage.pool, **steps)


def fold(net) -> nn.Sequential:
    """The network with each batch normalisation taken into the weights before it.

        W' = W g,  b' = (b - mean) g + shift,  g = gain / sqrt(variance + eps)

    Uses the running statistics: for a trained network, as in `eval()`. The layers
    given are not changed.
    """
    out: list[nn.Module] = []
    for layer in modules(net):
        before = out[-1] if out else None
        if not isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            out.append(layer)
        elif isinstance(before, nn.Linear | nn.Conv2d) and layer.track_running_stats:
            out[-1] = _folded(before, layer)
        else:
            raise Fault(
                "a normalisation that cannot be folded",
                expected="running statistics, right behind Linear or Conv2d",
                found=f"{type(layer).__name__} behind {type(before).__name__}",
            )
    return nn.Sequential(*out)


def _folded(synapses, norm):
    new = copy.deepcopy(synapses)
    with torch.no_grad():
        g = (norm.running_var + norm.eps).rsqrt()
        g = g * norm.weight if norm.affine else g
        b = -norm.running_mean if new.bias is None else new.bias - norm.running_mean
        b = b * g + (norm.bias if norm.affine else 0)
        new.weight.mul_(g.reshape(-1, *[1] * (new.weight.ndim - 1)))
        new.bias = nn.Parameter(b)
    return new


@torch.no_grad()  # as a decorator: a generator left half-way must not leave it on
def spikes(net, frames: torch.Tensor) -> Iterator[np.ndarray]:
    """What the network itself does, in floating point: S of every neuron layer.

    Args:
        net: as in `quantised`; its own state is left as it was found.
        frames: [T, batch, …], 0 and 1.

    Yields:
        uint8 [batch, T, neurons] for each layer of neurons, in order.
    """
    x = frames.float()
    for layer in modules(net):
        if hasattr(layer, "spike_grad"):
            x = _fired(layer, x)
            yield x.flatten(2).transpose(0, 1).to(torch.uint8).numpy()
        elif not isinstance(layer, nn.Flatten | nn.Dropout | nn.Dropout2d):
            x = x.flatten(2) if isinstance(layer, nn.Linear) else x
            x = layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _fired(layer, current: torch.Tensor) -> torch.Tensor:
    """All steps of a spiking layer from rest, by its own code."""
    own = copy.copy(layer.__dict__)
    own["_buffers"] = dict(layer._buffers)
    layer.mem = torch.zeros(0)
    if getattr(layer, "whole_sequence", False):
        out = layer(current)
        out = out if isinstance(out, torch.Tensor) else out[0]
    else:
        out, mem = [], None
        for now in current:
            got = layer(now) if layer.init_hidden or mem is None else layer(now, mem)
            spk, mem = (got, None) if isinstance(got, torch.Tensor) else got
            out.append(spk)
            mem = None if layer.init_hidden else mem
        out = torch.stack(out)
    layer.__dict__.update(own)
    return out
