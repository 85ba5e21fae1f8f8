"""Other people's networks as integers: a graph of neurons on the array's grid.

    w = clip(round(W / s), b bits)      s: the LSB with the least squared error
    theta, lam, bias = round(x 2^f / s) f: as fine as B membrane bits allow

θ takes V_max / R at most: R is the membrane's headroom, 4 where nobody looked. With
clips to look at (`calibrated`) R and the bias are chosen by what they do to the spikes,
without training.
"""

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from lindecay import graphs, integer
from lindecay.checkpoints import Checkpoint, Layer, Synapse, check
from lindecay.decay.matching import MATCHES
from lindecay.events import Clips
from lindecay.graphs import Floats, Graph, Neurons
from lindecay.quantization import Grid
from lindecay.settings import Fault

HEADROOMS = (2, 4, 8, 16, 32, 64)  # V_max over θ that a calibration tries
FEW = 16  # clips that a calibration looks at
LARGE = 2**18  # weights beyond which the search for an LSB looks at a part first


def best_scale(w: np.ndarray, bits: int) -> float:
    """The LSB whose rounded weights lie nearest, in least squares.

    Weights that lie on a grid of `bits` bits keep it, without an error.

    >>> best_scale(np.array([-4.0, 1.0, 3.0]), 3)
    1.0
    >>> round(best_scale(np.arange(-3, 4) * 0.1, 4), 6)
    0.1
    """
    half, top = 2 ** (bits - 1), float(np.abs(w).max(initial=0)) or 1.0
    shares = (*np.linspace(0.3, 1, 29), half / max(half - 1, 0.5))
    tried = np.array(
        [*(top / k for k in range(1, half + 1)), *(top / half * x for x in shares)]
    )
    flat = w.reshape(-1)
    part = flat[:: max(1, flat.size // LARGE)]
    near = np.argsort([_error(part, s, half) for s in tried], kind="stable")
    if part.size < flat.size:
        near = sorted(near[:4], key=lambda k: _error(flat, tried[k], half))
    return float(tried[near[0]])


def _error(w: np.ndarray, s: float, half: int) -> float:
    return float(np.square(w - s * np.clip(np.rint(w / s), -half, half - 1)).sum())


@dataclass(frozen=True)
class Choice:
    """How wide everything is; f None: as fine as the membrane allows."""

    weight_bits: int = 4
    membrane_bits: int = 12
    fraction_bits: int | None = None
    beta_bits: int = 8
    per_channel: bool = False  # an LSB for each channel or neuron
    headroom: float | None = None  # V_max over θ, at least; 4, less where B is narrow

    def __post_init__(self):
        Grid(self.weight_bits, self.membrane_bits, self.fraction_bits or 0)
        if not 1 <= self.beta_bits <= 16:
            known = "1 to 16"
            raise Fault("beta bits", expected=known, found=repr(self.beta_bits))


@dataclass
class Wired:
    """A layer of neurons with its paths folded into bundles of real weights."""

    neurons: Neurons
    bundles: list[Synapse]

    @property
    def weights(self) -> np.ndarray:
        """All weights by neuron or channel, [rows, …]."""
        parts = [b.w.reshape(len(b.w), -1) for b in self.bundles]
        same = len({len(p) for p in parts}) == 1
        return (
            np.concatenate(parts, 1)
            if same
            else np.concatenate([p.ravel() for p in parts])[None]
        )


def wired(graph: Graph) -> list[Wired]:
    """Every layer's paths as bundles, the one that leads furthest first."""
    out = []
    for i, layer in enumerate(graph.layers):
        shapes = graphs.ir.sources(graph, i)
        found = [
            graphs.bundle(p, shape, layer.name) for p, shape in zip(layer.paths, shapes)
        ]
        found = _even(found, layer)
        _finite(layer, found)
        out.append(Wired(layer, found))
    return out


def _even(found: list[Synapse], layer: Neurons) -> list[Synapse]:
    """Bundles of one layer: convolutions have its map, or all are matrices."""
    found = sorted(found, key=lambda b: (b.delay, b.w.ndim != 4))
    if len(layer.shape) == 3 and any(b.w.ndim == 4 for b in found):
        ways = {b.map for b in found if b.w.ndim == 4}
        if ways == {tuple(layer.shape)}:
            return found
    return found


def _finite(layer: Neurons, found: list[Synapse]) -> None:
    for b in found:
        bad = np.argwhere(~np.isfinite(b.w))
        if len(bad):
            at = tuple(bad[0].tolist())
            raise Fault(
                f"{layer.name}: a weight is no number",
                expected="finite weights",
                found=f"{b.w[at]} at {list(at)}",
            )


def checkpoint(
    graph: Graph,
    steps: int,
    choice: Choice | None = None,
    layers: list[Wired] | None = None,
    biases: list | None = None,
) -> Checkpoint:
    """A graph on the grid.

    Args:
        graph: what `graphs.read` made.
        steps: time steps T of the clips that it will see.
        choice: widths.
        layers: `wired(graph)`, where it was made before.
        biases: real values added to each layer's bias (`bias_shifts`), or None.

    Raises:
        Fault: names the layer whose values the grid cannot hold.
    """
    choice, layers = choice or Choice(), layers or wired(graph)
    biases = biases or [None] * len(layers)
    scales = [_scale(one, choice) for one in layers]
    f, scales = _fractions(layers, scales, choice)
    made = [
        _layer(i, one, s, f[i], choice, more, steps)
        for i, (one, s, more) in enumerate(zip(layers, scales, biases))
    ]
    laws = [one.neurons.law for one in layers], [one.neurons.reset for one in layers]
    common = {"B": choice.membrane_bits, "f": f[0], "law": laws[0][0]}
    common |= {"reset": laws[1][0], "T": steps, "readout": graph.readout}
    common["scales"] = [float(np.max(s)) for s in scales]
    made = [
        replace(
            x,
            law=None if law == common["law"] else law,
            reset=None if reset == common["reset"] else reset,
            f=None if own == common["f"] else own,
        )
        for x, law, reset, own in zip(made, *laws, f)
    ]
    return check(Checkpoint(common, tuple(made)), "the network given")


def _scale(one: Wired, choice: Choice) -> np.ndarray:
    """The weight LSB of a layer, [] or [rows]."""
    w = one.weights
    if choice.per_channel and len(w) > 1:
        return np.array([best_scale(row, choice.weight_bits) for row in w])
    return np.asarray(best_scale(w, choice.weight_bits))


def _fractions(layers, scales, choice) -> tuple[list[int], list[np.ndarray]]:
    """(f of each layer, LSBs): θ never beyond V_max / headroom.

    An LSB that would push θ further is made coarser. A readout without θ takes as much
    of the membrane as its sums may need: f = 0.
    """
    top = 2 ** (choice.membrane_bits - 1) - 1
    room = top / (choice.headroom or min(4, max(2, (top + 1) / 32)))
    out, kept = [], []
    for one, s in zip(layers, scales):
        theta = float(np.max(one.neurons.theta)) if one.neurons.spiking else 0.0
        f = choice.fraction_bits
        if f is None:
            still = 1.0 if one.neurons.law == "none" else 16.0  # a readout's own LSBs
            finest = float(np.min(s)) * room / theta if theta else still
            f = int(
                np.clip(
                    np.floor(np.log2(max(finest, 1e-9))), 0, choice.membrane_bits - 2
                )
            )
        out.append(f)
        kept.append(np.maximum(s, 2.0**f * theta / room) if theta else s)
    return out, kept


def _layer(i, one: Wired, s, f: int, choice: Choice, more, steps: int) -> Layer:
    n, half = one.neurons, 2 ** (choice.weight_bits - 1)
    unit = _unit(one, s, f)
    ints = [_rounded(b, s, half) for b in one.bundles]
    first, *others = ints
    B = choice.membrane_bits if n.spiking else _wide(one, ints, unit, f, choice, steps)
    top = 2 ** (B - 1) - 1
    theta = _whole(one, "theta", n.theta, unit) if n.spiking else np.int32(top)
    if np.min(theta) < 1:
        raise Fault(
            f"{n.name}: θ rounds to nothing",
            expected="at least 1 LSB of the membrane",
            found=f"θ = {np.min(n.theta):g}, LSB {float(np.max(s)) / 2**f:g}",
            do="more weight_bits or fraction_bits",
        )
    own = {"theta": theta, "lam": _lam(one, unit, theta)}
    bias = n.bias if more is None else (0 if n.bias is None else n.bias) + more
    if bias is not None:
        own["bias"] = _bias(one, bias, unit, ints, f, choice)
    own |= _beta(one, choice)
    keys = ("plane", "pool", "pooling", "stride", "padding", "dilation", "groups")
    place = {k: getattr(first, k) for k in keys} | {"delay": first.delay}
    place["source"] = (
        None if (first.source, first.delay) == (i - 1, 0) else first.source
    )
    place["B"] = B if B != choice.membrane_bits else None
    return Layer(
        n.name, first.w, bits=choice.weight_bits, **own, **place, more=tuple(others)
    )


def _wide(one: Wired, ints, unit, f: int, choice: Choice, steps: int) -> int:
    """Membrane bits of a readout that never resets: none of its sums is cut off."""
    n, beta = one.neurons, float(np.max(one.neurons.beta))
    bias = 0.0 if n.bias is None else float(np.max(np.abs(n.bias * unit)))
    sums = sum(
        int(np.abs(b.w.reshape(len(b.w), -1).astype(int)).sum(1).max()) * b.pool**2
        for b in ints
    )
    often = min(steps, 1 / (1 - beta)) if beta < 1 else steps
    bits = int(np.ceil(np.log2(((sums << f) + bias) * often + 2))) + 1
    return int(np.clip(bits, choice.membrane_bits, 24))


def _unit(one: Wired, s: np.ndarray, f: int) -> np.ndarray:
    """Membrane LSB per real unit, [] or [rows, 1 …] against the neurons' shape."""
    unit = 2.0**f / np.asarray(s, np.float64)
    if not unit.ndim:
        return unit
    if len(unit) == one.neurons.size:
        return unit.reshape(one.neurons.shape)
    return unit.reshape(-1, *[1] * (len(one.neurons.shape) - 1))


def _rounded(b: Synapse, s: np.ndarray, half: int) -> Synapse:
    scale = s.reshape(-1, *[1] * (b.w.ndim - 1)) if np.ndim(s) else s
    w = np.clip(np.rint(b.w / scale), -half, half - 1)
    return replace(b, w=w.astype(np.int8))


def _lam(one: Wired, unit, theta) -> np.ndarray:
    """λ on the membrane's grid, below θ, each spread over the neurons as it is."""
    n = one.neurons
    lam = np.broadcast_to(np.rint(np.asarray(n.lam) * unit), n.shape)
    if n.spiking:
        theta = np.rint(np.asarray(n.theta) * unit)
    return _short(one, "lam", np.minimum(lam, theta - 1))


def _whole(one: Wired, what: str, value, unit) -> np.ndarray:
    """int32 [], [channels] or [neurons]: real values on the membrane's grid."""
    n = one.neurons
    full = np.broadcast_to(np.rint(np.asarray(value) * unit), n.shape)
    return _short(one, what, full)


def _short(one: Wired, what: str, full: np.ndarray) -> np.ndarray:
    """One value where all are the same, one a channel where those are, else all."""
    if not (np.abs(full) < 2**31).all():
        worst = full.ravel()[np.abs(full).argmax()]
        raise Fault(
            f"{one.neurons.name}: {what} beyond 32 bits",
            expected="below 2^31 LSB of the membrane",
            found=f"{worst:g}",
        )
    full = full.astype(np.int32)
    rows = full.reshape(len(full), -1)
    if what != "bias" and (full == full.flat[0]).all():
        return full.flat[0]
    channels = one.bundles[0].w.ndim == 4 and (rows == rows[:, :1]).all()
    return rows[:, 0].copy() if channels else full.reshape(-1).copy()


def _bias(one: Wired, bias, unit, ints, f: int, choice: Choice) -> np.ndarray:
    """The bias on the grid, no further than where it clamps the membrane for ever."""
    full = np.broadcast_to(np.asarray(bias, np.float64), one.neurons.shape)
    bad = np.argwhere(~np.isfinite(full))
    if len(bad):
        at = tuple(bad[0].tolist())
        found = f"{full[at]} at {list(at)}"
        raise Fault(f"{one.neurons.name}: a bias is no number", found=found)
    widest = sum(
        int(np.abs(b.w.reshape(len(b.w), -1).astype(int)).sum(1).max()) * b.pool**2
        for b in ints
    )
    end = 2.0**choice.membrane_bits + (widest << f)
    return _short(one, "bias", np.clip(np.rint(full * unit), -end, end))


def _beta(one: Wired, choice: Choice) -> dict:
    """beta and its shift, where the law has one."""
    n, bits = one.neurons, choice.beta_bits
    if n.law == "shift":
        return {"beta": np.int32(n.shift), "beta_shift": None}
    if n.law != "exponential":
        return {}
    beta = np.broadcast_to(np.rint(np.asarray(n.beta) * 2**bits), n.shape)
    if (beta >= 2**bits).any():
        raise Fault(
            f"the neurons of {n.name}: beta rounds to 1",
            expected=f"below 1 - 2^-{bits + 1}",
            found=f"{np.max(n.beta):.6g}",
            do="more beta_bits, or beta = 1 where nothing leaks",
        )
    return {"beta": _short(one, "beta", beta), "beta_shift": bits}


def linear(graph: Graph, rule: str = "least squares") -> Graph:
    """The graph with every exponential leak made linear.

        λ = θ (1 - β) / (1 + β), or what another rule of `decay.MATCHES` says

    Raises:
        Fault: an unknown rule.
    """
    if rule not in MATCHES:
        known = ", ".join(MATCHES)
        raise Fault("no such rule for λ", expected=known, found=repr(rule))
    return replace(graph, layers=tuple(_linear(x, MATCHES[rule]) for x in graph.layers))


def _linear(layer: Neurons, rule) -> Neurons:
    if layer.law != "exponential" or not layer.spiking:
        return layer
    lam = np.asarray(rule(layer.beta, layer.theta))
    lam = np.minimum(lam, np.asarray(layer.theta) * (1 - 1e-6))
    reset = "subtract" if layer.reset == "late" else layer.reset
    return replace(layer, law="shrink", lam=lam, beta=np.ones(()), reset=reset)


def bias_shifts(graph: Graph, layers, ck: Checkpoint, found: Floats, clips: Clips):
    """What each neuron's bias lacks because its weights were rounded, in real units.

        E[(W - s w) x], x the mean spikes of the calibration clips

    One number a neuron, or a channel of a convolution.
    """
    n = len(found.scores)
    given = np.bincount(clips.channel, integer_counts(clips), clips.channels)
    rates = [s.sum((0, 1)) / max(s.shape[0] * s.shape[1], 1) for s in found.spikes]
    given = given / (n * clips.steps)
    out = []
    for i, (one, layer) in enumerate(zip(layers, ck.layers)):
        f, scale = ck.of(layer).f, _scale_of(ck, layer, one)
        del f
        total = np.zeros(one.neurons.shape)
        for real, held in zip(one.bundles, ck.bundles(i)):
            rate = given if real.source < 0 else rates[real.source]
            wide = scale.reshape(-1, *[1] * (real.w.ndim - 1)) if scale.ndim else scale
            lost = replace(real, w=real.w - held.w * wide)
            total += _mean_current(lost, rate).reshape(total.shape)
        if total.ndim == 3:
            total = np.broadcast_to(total.mean((1, 2), keepdims=True), total.shape)
        out.append(total)
    return out


def integer_counts(clips: Clips):
    """How often each entry of clips came, or None for once."""
    return None if clips.count is None else np.asarray(clips.count, np.float64)


def _scale_of(ck: Checkpoint, layer: Layer, one: Wired) -> np.ndarray:
    """The LSB that a layer got: that of its θ, or of its largest weight."""
    i = next(k for k, x in enumerate(ck.layers) if x is layer)
    return np.asarray(ck.meta["scales"][i])


def _mean_current(b: Synapse, rate: np.ndarray) -> np.ndarray:
    """The current of real weights at mean rates of spikes."""
    x = torch.as_tensor(rate, dtype=torch.float64)
    if b.plane is not None:
        x = x.reshape(1, *b.plane)
        if b.pool > 1:
            pool = (
                nn.functional.avg_pool2d
                if b.pooling == "sum"
                else nn.functional.max_pool2d
            )
            x = pool(x, b.pool) * (b.pool**2 if b.pooling == "sum" else 1)
    if b.w.ndim == 2:
        return b.w @ x.reshape(-1).numpy()
    sides = [graphs.nirs._two(v) for v in (b.stride, b.padding, b.dilation)]
    conv = graphs.ir.Conv(b.w, *sides, b.groups)
    return conv(x)[0].numpy()


@dataclass
class Step:
    """One width of the grid, and what it costs."""

    name: str
    agreement: float  # share of clips whose class is that of the floats
    spikes: float  # share of all neurons, steps and clips with the same spike
    accuracy: float | None  # where labels are known


def judged(name: str, trace, found: Floats, labels=None) -> Step:
    """How far integers and floats agree."""
    same = [float((a.S == s).mean()) for a, s in zip(trace.layers, found.spikes)]
    agreement = float((trace.predictions == found.predictions).mean())
    right = None if labels is None else float((trace.predictions == labels).mean())
    return Step(name, agreement, float(np.mean(same)), right)


def calibrated(
    graph: Graph, clips: Clips, found: Floats, choice: Choice
) -> tuple[Checkpoint, list[dict]]:
    """The grid that keeps most classes of the floats on some clips: R and biases.

    Args:
        graph: what `graphs.read` made.
        clips: to look at; no labels are used.
        found: what the network itself did with them in floating point.
        choice: widths; its headroom is chosen here.

    Returns:
        The checkpoint, and a row for each grid that was tried.
    """
    layers, tried = wired(graph), []

    def look(headroom: float, shifts=None) -> None:
        own = replace(choice, headroom=headroom)
        ck = checkpoint(graph, clips.steps, own, layers, shifts)
        told = judged("", integer.run(ck, clips, record=False), found)
        bias = "as given" if shifts is None else "corrected"
        row = {"headroom": headroom, "bias": bias, "agreement": told.agreement}
        tried.append((row | {"spikes": told.spikes}, ck))

    def best():
        return max(tried, key=lambda x: (x[0]["agreement"], x[0]["spikes"]))

    for headroom in HEADROOMS:
        try:
            look(float(headroom))
        except Fault:
            break  # θ rounds to nothing: no coarser grid either
    if not tried:
        return checkpoint(graph, clips.steps, choice, layers), []
    if not choice.per_channel:
        row, ck = best()
        look(row["headroom"], bias_shifts(graph, layers, ck, found, clips))
    return best()[1], [row for row, _ in tried]


def fold(net) -> nn.Sequential:
    """The network with each batch normalisation taken into the weights before it.

        W' = W g,  b' = (b - mean) g + shift,  g = gain / sqrt(variance + eps)

    Uses the running statistics: for a trained network, as in `eval()`. The layers
    given are not changed.
    """
    out: list[nn.Module] = []
    for layer in _in_order(net):
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


def _in_order(net) -> list[nn.Module]:
    """The layers of lists and Sequentials in order; Fault where a forward decides."""
    layers = graphs.trace.plain_list(net)
    if layers is None:
        raise Fault(
            "the order of the layers is not known",
            expected="nn.Sequential, nn.ModuleList or a list of layers",
            found=type(net).__name__,
            do="emulate folds by itself what it sees: pass the network",
        )
    return layers


def quantised(net, steps: int, plane=None, readout="auto", **choice) -> Checkpoint:
    """A network as an integer checkpoint, without clips to look at.

    Args:
        net: as in `emulate`.
        steps: time steps T of the clips that it will see.
        plane: (C, H, W) of the input, where a convolution comes first.
        readout: "auto", "count" or "membrane".
        choice: weight_bits, membrane_bits, fraction_bits, beta_bits, per_channel.

    Raises:
        Fault: names the layer that has no array form, and why.
    """
    if graphs.is_nir(net):
        shape = graphs.frame_of(net)
    else:
        shape = tuple(plane) if plane else (inputs_of(net),)
    frames = np.zeros((steps, 1, int(np.prod(shape))), np.uint8)
    graph = graphs.read(net, frames, shape, readout).graph
    return checkpoint(graph, steps, Choice(**choice))


def inputs_of(net) -> int:
    """Inputs of the first Linear layer; Fault where a convolution comes first."""
    parts = net if isinstance(net, list | tuple) else [net]
    every = (m for part in parts for m in part.modules())
    first = next(
        (m for m in every if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv1d)), None
    )
    if isinstance(first, nn.Linear):
        return first.in_features
    what = f"the plane of the input of {type(first).__name__} is not known"
    raise Fault(what, expected="plane=(C, H, W)", found="none")
