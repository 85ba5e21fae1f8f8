"""What a network of torch does, seen while it runs: any forward, hooks and all.

Every tensor carries the paths that lead to it: terms (leaf, operations), where a leaf
is the clips, the spikes or the membrane of a layer, in one step or in all. Functions of
torch that are linear add an operation; a spiking layer starts a new leaf. After the run
each layer's input must be the same sum of paths in every step: that sum is its row of
the graph.

The run is the network's own: a loop over time in `forward`, hooks, a layer that is used
twice are seen as they are. Only branches that depend on values are not followed.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from lindecay.checkpoints import CLIPS
from lindecay.graphs import functions, ir, laws
from lindecay.graphs.floats import Floats
from lindecay.graphs.values import Leaf, Value
from lindecay.settings import Fault

LOOK = 2  # clips of the run that is looked at


@dataclass
class Instance:
    """A layer of neurons as it was met: one module may be several."""

    name: str
    module: nn.Module
    inputs: list[Value]  # one a step, or one for all
    shape: tuple[int, ...]
    whole: bool


class Tracer(TorchFunctionMode):
    """Watches the functions of torch while a network runs."""

    def __init__(self, steps: int, names: dict):
        super().__init__()
        self.steps, self.names, self.values = steps, names, {}
        self.instances: list[Instance] = []
        self.hidden: dict[int, tuple[int, int, torch.Tensor]] = {}
        self.calls: list[tuple[int, int | None]] = []
        self.quiet, self.kept, self.last = False, {}, -1
        self.batch, self.shape, self.sequence = LOOK, (), False

    def op(self, make, *fields):
        """The one operation with these fields."""
        return self.kept_as((make, *fields), lambda: make(*fields))

    def weights(self, make, w: torch.Tensor, *fields, turned: bool = False):
        """The one operation with this weight; the tensor is kept with it."""
        real = w.detach().double()
        real = real.T if turned else real
        real = real[:, :, None] if make is ir.Conv and real.dim() == 3 else real
        key = (make, id(w), turned, *fields)
        return self.kept_as(key, lambda: make(real.numpy().copy(), *fields), w)

    def kept_as(self, key, made, held=None):
        """What was made under `key` before, or by `made` now."""
        if key not in self.kept:
            self.kept[key] = (made(), held)
        return self.kept[key][0]

    def knows_step(self, x) -> bool:
        """Whether a tensor is a value of one step."""
        value = self.of(x)
        return value is not None and not value.whole

    def give(self, x: torch.Tensor, value: Value) -> torch.Tensor:
        """Remember what a tensor is; it is kept, so that its id stays its own."""
        self.values[id(x)] = (x, value)
        return x

    def of(self, x) -> Value | None:
        """What a tensor is, or None for a constant."""
        held = self.values.get(id(x)) if isinstance(x, torch.Tensor) else None
        return held[1] if held else None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not self.quiet:
            functions.seen(self, func, args, kwargs, out)
        return out

    def neuron(self, module: nn.Module, forward: Callable) -> Callable:
        """The forward of a spiking layer that writes down what came in."""

        def run(*args, **kwargs):
            given = dict(zip(self._arguments(module), args)) | kwargs
            value, mem = self.of(given.get("input_")), given.get("mem")
            number, step = self._place(module, value, mem, given["input_"])
            self._fed_back(module, given.get("spk"), number, step)
            self.quiet = True
            try:
                out = forward(*args, **kwargs)
            finally:
                self.quiet = False
            self.calls.append((number, step))
            pair = out if isinstance(out, tuple) else (out,)
            for kind, x in zip(("spikes", "mem"), (pair[0], pair[-1])):
                if kind == "spikes" or len(pair) > 1:
                    lead = 2 if step is None else 1
                    self.give(x, Value.leaf(Leaf(kind, number, step), lead))
            self.hidden[id(module)] = (number, step or 0, module.mem)
            return out

        return run

    def _fed_back(self, module, spk, number: int, step: int | None) -> None:
        """Fault where a recurrent layer is handed other spikes than its own last."""
        if spk is None:
            return
        name = self.instances[number].name
        value = self.of(spk)
        if value is None and not step:
            return _at_rest(name, spk, "spikes")
        leaf = value.only() if value is not None else None
        own = leaf is not None and (leaf.kind, leaf.index) == ("spikes", number)
        if not own or leaf.step != step - 1:
            raise Fault(
                f"{name}: what it is handed as its last spikes is something else",
                expected="the spikes that the layer returned in the step before",
                found="another value",
            )

    @staticmethod
    def _arguments(module) -> tuple[str, ...]:
        recurrent = hasattr(module, "recurrent")
        return ("input_", "spk", "mem") if recurrent else ("input_", "mem")

    def _place(self, module, value: Value | None, mem, x) -> tuple[int, int | None]:
        """(instance, step) of a call: its membrane tells which one it continues."""
        name = self.names.get(module, type(module).__name__)
        if not laws.known(module):
            raise Fault(
                f"layer {name} ({type(module).__name__}) has no array form",
                found="a neuron with more than one state, or a rule of its own",
                do="snn.Leaky, snn.RLeaky or LinearDecayLIF",
            )
        if value is None:
            raise Fault(f"{name}: its input does not come from the clips")
        whole = getattr(module, "whole_sequence", False)
        if not whole and value.whole:
            raise Wrong(f"{name} is given all steps at once")
        if whole:
            _at_rest(name, mem)
            return self._new(name, module, value, x, 2), None
        known = self.of(mem) if mem is not None else None
        if known is not None:
            leaf = known.only()
            if leaf is None or leaf.kind != "mem":
                raise Fault(
                    f"{name}: its membrane is changed between the steps",
                    expected="the membrane that the layer returned",
                    found=known.bad or "a sum",
                )
            number, step = leaf.index, leaf.step + 1
        elif mem is None and id(module) in self.hidden:
            number, before, held = self.hidden[id(module)]
            step = before + 1
            if held is not module.mem:
                number, step = self._new(name, module, value, x, 1), 0
        else:
            _at_rest(name, mem)
            number, step = self._new(name, module, value, x, 1), 0
        return self._continued(number, step, value, name)

    def _continued(self, number, step, value, name) -> tuple[int, int]:
        inputs = self.instances[number].inputs
        if step and step != len(inputs):
            raise Fault(
                f"{name}: its membrane takes two ways",
                expected="one call a step",
                found=f"step {step} after step {len(inputs) - 1}",
            )
        if step:
            inputs.append(value)
        return number, step

    def _new(self, name, module, value, x, lead) -> int:
        same = sum(i.module is module for i in self.instances)
        told = name if not same else f"{name}_{same + 1}"
        shape, whole = tuple(x.shape[lead:]), lead == 2
        self.instances.append(Instance(told, module, [value], shape, whole))
        if len(self.instances) > 4096:
            raise Fault(f"{name}: its membranes start at rest in every step")
        return len(self.instances) - 1


def _at_rest(name: str, mem, what: str = "membrane") -> None:
    """Fault where a layer is started from a membrane or spikes of its own."""
    if isinstance(mem, torch.Tensor) and mem.numel() and bool((mem != 0).any()):
        raise Fault(
            f"{name}: its {what} starts from no rest",
            expected="zeros, or none given",
            found=f"{mem.flatten()[mem.flatten() != 0][0].item():g} before step 0",
            do="the array clears its membranes before a clip",
        )


class Wrong(Exception):
    """The network was called in a way that is not its own."""


class Chain(nn.Module):
    """Layers in order, as a list or a plain Sequential means them: [time, batch, …]."""

    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            if laws.is_neuron(layer):
                x = self._fired(layer, x)
            else:
                if isinstance(layer, nn.Linear) and x.dim() > 3:
                    x = x.flatten(2)
                x = layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return x

    @staticmethod
    def _fired(layer, current):
        if getattr(layer, "whole_sequence", False):
            out = layer(current)
            return out if isinstance(out, torch.Tensor) else out[0]
        out = [layer(now) for now in current.unbind(0)]
        spikes = [x if isinstance(x, torch.Tensor) else x[0] for x in out]
        return torch.stack(spikes)


def plain_list(net) -> list[nn.Module] | None:
    """The layers of lists and plain Sequentials, or None where a forward is its own."""
    if isinstance(net, list | tuple | nn.ModuleList):
        parts = [plain_list(x) for x in net]
        if all(p is not None for p in parts):
            return [leaf for p in parts for leaf in p]
        return None
    if not isinstance(net, nn.Module):
        return None
    hooked = net._forward_hooks or net._forward_pre_hooks
    if type(net).forward is nn.Sequential.forward and not hooked:
        return plain_list(list(net))
    alone = laws.is_neuron(net) or not any(map(laws.is_neuron, net.modules()))
    return [net] if alone else None


class Steps(nn.Module):
    """A list that holds networks with a forward of their own, one step at a time."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
            x = x[0] if isinstance(x, tuple) and laws.is_neuron(layer) else x
        return x


def as_module(net) -> tuple[nn.Module, bool | None]:
    """(module, whether it takes all steps at once); None: to be tried."""
    layers = plain_list(net)
    if layers is not None:
        if not layers:
            raise Fault(
                "a network without layers", expected="at least one neuron layer"
            )
        return Chain(layers), True
    if isinstance(net, list | tuple):
        return Steps(list(net)), False
    return net, None


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Run in eval mode from rest; afterwards everything is as it was found."""
    parts = list(module.modules())
    kept = [(copy.copy(m.__dict__), dict(m._buffers)) for m in parts]
    try:
        for m in parts:
            m.training = False
            if laws.is_neuron(m):
                rest(m)
        yield
    finally:
        for m, (own, buffers) in zip(parts, kept):
            m.__dict__.clear()
            m.__dict__.update(own)
            m._buffers.clear()
            m._buffers.update(buffers)


def rest(neuron: nn.Module) -> None:
    """An empty state: the first step makes it anew."""
    for key in ("mem", "spk"):
        if isinstance(getattr(neuron, key, None), torch.Tensor):
            setattr(neuron, key, torch.zeros(0))


@dataclass
class Traced:
    """A network that was watched: its graph, and the way to run it itself."""

    module: nn.Module
    whole: bool
    graph: ir.Graph
    calls: list  # (instance, step) of each call of a neuron
    rows: list[int]  # layer of the graph of each instance, -1 for none
    dtype: torch.dtype

    @torch.no_grad()
    def run(self, frames: np.ndarray, progress=None, few: int = 64) -> Floats:
        """The network itself over frames [T, clips, inputs]; see `floats.run`."""
        parts = []
        clips = frames.shape[1]
        for first in range(0, clips, few):
            parts.append(self._some(frames[:, first : first + few]))
            if progress:
                progress(min(first + few, clips), clips)
        if not parts:
            parts = [self._some(np.repeat(frames, 1, 1))] if clips else []
        return _joined(parts, self.graph, frames.shape[0])

    def _some(self, frames: np.ndarray) -> Floats:
        steps, batch = frames.shape[:2]
        layers = self.graph.layers
        S = [np.zeros((batch, steps, x.size), np.uint8) for x in layers]
        last, over = {}, {}
        count = iter(self.calls)

        def watch(module, forward):
            def call(*args, **kwargs):
                out = forward(*args, **kwargs)
                number, step = next(count)
                row = self.rows[number]
                if row >= 0:
                    if layers[row].spiking:
                        self._write(S[row], out, step)
                    pair = out if isinstance(out, tuple) else (out, module.mem)
                    last[row] = pair[-1] if step is not None else pair[-1][-1]
                    if layers[row].note:
                        many = (pair[-1] > module.threshold).sum().item()
                        over[row] = over.get(row, 0) + many
                return out

            return call

        out = _run(self.module, self.whole, self._frames(frames), watch)
        scores = S[-1].sum(1, dtype=np.int64)
        if self.graph.readout == "membrane":
            scores = last[len(layers) - 1].flatten(1).double().numpy()
        if self.graph.readout == "sum":
            scores = _summed(out, steps, layers[-1].shape)
        told = [(layers[k].note, n, S[k].size) for k, n in over.items() if n]
        return Floats(S, scores, [], [], tuple(told))

    def _frames(self, frames: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(frames.astype(np.float32)).to(self.dtype)
        return x.reshape(*frames.shape[:2], *self.graph.shape)

    @staticmethod
    def _write(S: np.ndarray, out, step) -> None:
        spk = (out if isinstance(out, torch.Tensor) else out[0]) != 0
        if step is None:
            S[:] = spk.flatten(2).transpose(0, 1).to(torch.uint8).numpy()
        else:
            S[:, step] = spk.flatten(1).to(torch.uint8).numpy()


def _summed(out: list, steps: int, frame: tuple[int, ...]) -> np.ndarray:
    """Outputs added over time, [clips, classes]: of each step, of all, or summed."""
    found = [first_tensor(x) for x in out]
    if len(out) == 1 and isinstance(out[0], list | tuple):
        one = out[0][0] if isinstance(out[0][0], list | tuple) else out[0]
        if len(one) == steps and all(x.dim() == 1 + len(frame) for x in one):
            found = list(one)
    if len(found) == 1 and found[0].dim() == 2 + len(frame):
        found = list(found[0])
    return sum(x.double() for x in found).flatten(1).numpy()


def _joined(parts: list[Floats], graph: ir.Graph, steps: int) -> Floats:
    if not parts:
        S = [np.zeros((0, steps, x.size), np.uint8) for x in graph.layers]
        return Floats(S, np.zeros((0, graph.layers[-1].size)), [], [])
    S = [np.concatenate(s) for s in zip(*(p.spikes for p in parts))]
    told: dict[str, list[int]] = {}
    for p in parts:
        for note, n, of in p.notes:
            told.setdefault(note, [0, 0])
            told[note][0] += n
            told[note][1] += of
    notes = tuple(
        f"{k} (here after {n} of {of} updates)" for k, (n, of) in told.items()
    )
    return Floats(S, np.concatenate([p.scores for p in parts]), [], [], notes)


def _run(module, whole: bool, x: torch.Tensor, watch: Callable) -> list:
    """Run from rest with every neuron's forward replaced by watch(module, forward)."""
    with untouched(module):
        for m in module.modules():
            if laws.is_neuron(m):
                m.forward = watch(m, m.forward)
        return [module(x)] if whole else [module(now) for now in x.unbind(0)]


def first_tensor(out) -> torch.Tensor | None:
    """The first tensor of what a network returns."""
    if isinstance(out, torch.Tensor):
        return out
    parts = out.values() if isinstance(out, dict) else out
    if isinstance(parts, list | tuple) or isinstance(out, dict):
        return next((t for x in parts if (t := first_tensor(x)) is not None), None)
    return None


@torch.no_grad()
def read(net, frames: np.ndarray, shape: tuple[int, ...], readout="auto") -> Traced:
    """Watch a network run on a few clips, and write its graph down.

    Args:
        net: nn.Module, or a list of layers.
        frames: [T, clips, inputs]; two clips are looked at.
        shape: of one frame, as the network takes it.
        readout: "auto" (what the network returns), "count" or "membrane".

    Raises:
        Fault: names the layer that has no array form, and why.
    """
    module, whole = as_module(net)
    if not any(map(laws.is_neuron, module.modules())):
        raise Fault("no neurons at all", expected="LinearDecayLIF or snn.Leaky in it")
    _finite(module)
    if not len(frames):
        raise Fault("no time steps", expected="at least one", found="0")
    few = np.take(frames, np.arange(LOOK) % frames.shape[1], axis=1)
    x = torch.from_numpy(few.astype(np.float32)).reshape(len(few), LOOK, *shape)
    module, way, tracer, out = _found(module, whole, x, shape)
    from lindecay.graphs.build import graph_of

    graph, rows = graph_of(tracer, out, shape, readout)
    return Traced(module, way, graph, tracer.calls, rows, _dtype(module))


def _dtype(module: nn.Module) -> torch.dtype:
    """The float type of a network's parameters, float32 where it has none."""
    kinds = [p.dtype for p in module.parameters() if p.is_floating_point()]
    return kinds[0] if kinds else torch.float32


def _found(module, whole, x, shape) -> tuple:
    """(module, whole, tracer, output) of the way in which the network runs.

    In its own float type, else in float32: snnTorch's spikes are float32 always, so
    that a network of another type does not run in torch either.
    """
    reasons = []
    for narrow in (False, True):
        if narrow and _dtype(module) == torch.float32:
            break
        module = copy.deepcopy(module).float() if narrow else module
        for way in (True, False) if whole is None else (whole,):
            try:
                return module, way, *_watched(module, way, x.to(_dtype(module)))
            except Wrong as wrong:
                reasons.append(str(wrong))
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                told = str(error).splitlines()[0][:120] if str(error) else ""
                reasons.append(f"{type(error).__name__}: {told}")
    raise Fault(
        "the network does not run on these events",
        expected=f"forward(x) of frames {tuple(shape)}, all steps or one at a time",
        found=reasons[-1],
        do="a list of its layers in order is taken as well",
    )


def _watched(module, whole: bool, x) -> tuple[Tracer, list]:
    names = {m: name.removeprefix("layers.") for name, m in module.named_modules()}
    tracer = Tracer(len(x), {m: _told(n, m) for m, n in names.items()})
    tracer.shape, tracer.sequence = tuple(x.shape[2:]), whole
    if whole:
        tracer.give(x, Value.leaf(Leaf("clips", CLIPS, None), 2))
    with untouched(module):
        for m in module.modules():
            if laws.is_neuron(m):
                m.forward = tracer.neuron(m, m.forward)
        out = []
        steps = [x] if whole else x.unbind(0)
        for t, now in enumerate(steps):
            if not whole:
                tracer.give(now, Value.leaf(Leaf("clips", CLIPS, t), 1))
            with tracer:
                out.append(module(now))
    if any(i.whole is False and len(i.inputs) != len(x) for i in tracer.instances):
        odd = next(i for i in tracer.instances if len(i.inputs) != len(x) > 0)
        raise Wrong(f"{odd.name} is called {len(odd.inputs)} times in {len(x)} steps")
    return tracer, out


def _told(name: str, module) -> str:
    kind = type(module).__name__.lower()
    return f"{kind}{name}" if name.isdigit() else (name or kind)


def _finite(module: nn.Module) -> None:
    """Fault where a parameter or a running statistic is no number."""
    for name, p in [*module.named_parameters(), *module.named_buffers()]:
        if p.is_floating_point() and not laws.is_neuron(p) and p.numel():
            if name.rsplit(".", 1)[-1] in (
                "weight",
                "bias",
                "running_mean",
                "running_var",
            ):
                laws.real(f"layer {name.removeprefix('layers.')}", "a value", p)


__all__ = ["Traced", "Tracer", "read", "replace"]
