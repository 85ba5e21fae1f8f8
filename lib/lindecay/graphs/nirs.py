"""NIR graphs and files as graphs of ours.

    IF   dv/dt = R I                          v += r I a step
    LIF  tau dv/dt = (v_leak - v) + R I       beta = 1 - dt/tau, I r dt/tau a step

(Pedersen et al., Nature Communications 15, 8122 (2024).) One Euler step is `dt`; NIR
itself holds no dt: snnTorch writes 1e-4 s. A spike sets v to v_reset; networks that
were trained with a reset by subtraction say so by `reset`.
"""

from collections.abc import Iterable
from pathlib import Path as File

import numpy as np

from lindecay.checkpoints import CLIPS
from lindecay.graphs import ir
from lindecay.settings import Fault

DT = 1e-4  # seconds a step stands for, as in snnTorch's own export
LARGEST = 2**31  # bytes that the arrays of a file may take
NODES = 10_000
SPIKING = ("IF", "LIF", "Threshold", "LinearDecayLIF")
READOUTS = ("I", "LI")
MEANT = "Linear, Affine, Conv1d, Conv2d, Flatten, SumPool2d, AvgPool2d, IF, LIF, Scale"


def nir():
    """The package nir; Fault where it is not installed."""
    try:
        import nir as package
    except ImportError:
        raise Fault(
            "the package nir is not installed", do="pip install nir nirtorch"
        ) from None
    from lindecay.neurons import exchange

    exchange.register(package)
    return package


def read_file(path: File):
    """An nir.NIRGraph from a file that a stranger wrote; sizes are checked first.

    Raises:
        Fault: no such file, no NIR, larger than memory should hold, or links that
            lead out of the file.
    """
    path = File(path)
    if not path.is_file():
        raise Fault("no such file", expected="a .nir file", found=str(path))
    package = nir()
    try:
        import h5py

        with h5py.File(path, "r") as file:
            _sized(file, path)
        return package.read(path, type_check=False)  # it knows no groups; `ir` checks
    except Fault:
        raise
    except Exception as error:
        raise Fault(
            "not a NIR graph that can be read",
            expected="a .nir file (HDF5) of the package nir",
            found=f"{type(error).__name__}: {str(error)[:120]}",
            where=str(path),
        ) from None


def _sized(file, path: File) -> None:
    """Fault where a file's arrays, as they say themselves, are too large."""
    import h5py

    total = count = 0
    groups = [file]
    while groups:
        group = groups.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise Fault("a link in a NIR file", found=str(key), where=str(path))
            item, count = group[key], count + 1
            if isinstance(item, h5py.Group):
                groups.append(item)
                continue
            if item.external or item.is_virtual:
                raise Fault("data outside a NIR file", found=str(key), where=str(path))
            total += (
                int(np.prod(item.shape or (1,), dtype=object)) * item.dtype.itemsize
            )
            if total > LARGEST or count > 100 * NODES:
                raise Fault(
                    "a NIR file too large for memory",
                    expected=f"at most {LARGEST >> 20} MiB of arrays",
                    found=f"{total >> 20} MiB up to {item.name}",
                    where=str(path),
                )


def read(graph, reset: str = "zero", dt: float = DT) -> ir.Graph:
    """An nir.NIRGraph as a graph of neurons.

    Args:
        graph: nir.NIRGraph with one Input and one Output.
        reset: "zero" as NIR has it (v_reset = 0), or "subtract".
        dt: seconds of a step, for LIF and LI.

    Raises:
        Fault: names the node that has no array form, and why.
    """
    if reset not in ("zero", "subtract"):
        raise Fault("unknown reset", expected="zero or subtract", found=repr(reset))
    if not np.isfinite(dt) or dt <= 0:
        raise Fault("dt of a step", expected="seconds above 0", found=repr(dt))
    return _Reader(graph, reset, dt).graph()


class _Reader:
    """Nodes of a NIR graph, flat, with the neurons in the order in which they work."""

    def __init__(self, graph, reset: str, dt: float):
        self.reset, self.dt = reset, dt
        self.nodes, self.into = {}, {}
        self._flatten(graph, "")
        self._bridge()
        self.kind = {k: type(v).__name__ for k, v in self.nodes.items()}
        self.input, self.output = self._one("Input"), self._one("Output")
        self.shape = tuple(int(x) for x in self.nodes[self.input].input_type["input"])
        self.shape = self.shape or (1,)
        for key in self.nodes:
            if key not in self.wires and key != self.output:
                self._known(key)
        self.order = self._order()
        self.known: dict[str, ir.Shape] = {}

    def _flatten(self, graph, prefix: str) -> None:
        """All nodes of a graph and of those inside it, names joined by dots."""
        for key, node in graph.nodes.items():
            if type(node).__name__ == "NIRGraph":
                self._flatten(node, f"{prefix}{key}.")
            else:
                self.nodes[f"{prefix}{key}"] = node
        ends = {k: type(v).__name__ == "NIRGraph" for k, v in graph.nodes.items()}
        for a, b in graph.edges:
            for end in (a, b):
                if end not in ends:
                    known = ", ".join(graph.nodes)
                    raise Fault("an edge to no node", expected=known, found=repr(end))
            a = (
                f"{prefix}{a}." + self._end(graph.nodes[a], "Output")
                if ends[a]
                else (f"{prefix}{a}")
            )
            b = (
                f"{prefix}{b}." + self._end(graph.nodes[b], "Input")
                if ends[b]
                else (f"{prefix}{b}")
            )
            self.into.setdefault(b, []).append(a)
        if len(self.nodes) > NODES:
            raise Fault("too many nodes", expected=str(NODES), found=len(self.nodes))

    def _end(self, graph, kind: str) -> str:
        """The one Input or Output of a graph inside the graph."""
        found = [k for k, v in graph.nodes.items() if type(v).__name__ == kind]
        if len(found) != 1:
            raise Fault(f"one {kind} of a graph inside", expected="1", found=len(found))
        return found[0]

    def _bridge(self) -> None:
        """Inputs and outputs of inner graphs are wires, nothing more."""
        self.wires = {
            k
            for k, v in self.nodes.items()
            if "." in k and type(v).__name__ in ("Input", "Output") and self.into.get(k)
        }

    def _one(self, kind: str) -> str:
        found = [k for k, v in self.kind.items() if v == kind and k not in self.wires]
        if len(found) != 1:
            what = f"a network of one {kind}"
            raise Fault(what, expected="1", found=f"{len(found)}")
        return found[0]

    def _known(self, key: str) -> None:
        """Fault for a kind of node that has no array form."""
        kind = self.kind[key]
        if kind in ("CubaLIF", "CubaLI"):
            why = "a second state, the synaptic current, that is no spike"
            self._refuse(key, why, "LIF, whose one state the array holds")
        if kind not in (*MEANT.split(", "), *SPIKING, *READOUTS, "Input"):
            self._refuse(key, f"not one of {MEANT}", "replace it before the export")

    def _neuron(self, key: str) -> bool:
        return self.kind[key] in SPIKING + READOUTS

    def _order(self) -> list[str]:
        """Neurons in the order in which they work: depth first from the output."""
        done, open_, order = set(), set(), []
        stack = [(self.output, iter(self.into.get(self.output, ())))]
        open_.add(self.output)
        while stack:
            key, sources = stack[-1]
            for source in sources:
                if source not in done and source not in open_:
                    open_.add(source)
                    stack.append((source, iter(self.into.get(source, ()))))
                    break
            else:
                stack.pop()
                done.add(key)
                if self._neuron(key):
                    order.append(key)
        return order

    def graph(self) -> ir.Graph:
        """All neurons with their paths; readout by count, or by membrane."""
        if not self.order:
            raise Fault("no neurons in the network", expected="IF or LIF nodes")
        direct = [k for k in self._sources(self.output, ()) if k[0] is not None]
        self.number = {key: i for i, key in enumerate(self.order)}
        last = self.order[-1]
        linear = len(direct) != 1 or direct[0][0] != last or direct[0][1]
        layers = []
        for key in self.order:
            layers.append(self._layer(key, layers))
        if linear:
            layers.append(self._sums(layers))
            return ir.Graph(self.shape, tuple(layers), "sum")
        kind = "membrane" if self.kind[last] in READOUTS else "count"
        if kind == "membrane" and self.kind[last] == "I":
            kind = "sum"
        for key in self.order[:-1]:
            if self.kind[key] in READOUTS:
                self._refuse(key, "a membrane that other layers read", "spikes: LIF")
        return ir.Graph(self.shape, tuple(layers), kind)

    def _sources(self, key: str, ops: tuple) -> Iterable[tuple]:
        """(source, ops) of every path that ends in `key`; None is a constant."""
        for source in self.into.get(key, ()):
            yield from self._back(source, ops, (key,))

    def _back(self, key: str, ops: tuple, seen: tuple) -> Iterable[tuple]:
        if key == self.input or self._neuron(key):
            yield key, ops
            return
        if key in seen:
            self._refuse(key, "a loop without neurons in it", "a neuron in the loop")
        for source in self.into.get(key, ()):
            own = () if key in self.wires else self._ops(key)
            yield from self._back(source, (*own, *ops), (*seen, key))
        bias = getattr(self.nodes[key], "bias", None)
        if bias is not None and np.any(bias):
            yield None, (key, *ops)

    def _constant(self, key: str) -> np.ndarray:
        bias = np.asarray(self.nodes[key].bias, np.float64)
        _finite(key, "bias", bias)
        sides = {"Conv2d": 2, "Conv1d": 1}.get(self.kind[key], 0)
        return bias.reshape(-1, *[1] * sides)

    def _ops(self, key: str) -> tuple:
        """A node as operations."""
        node, kind = self.nodes[key], self.kind[key]
        if kind in ("Linear", "Affine"):
            w = np.asarray(node.weight, np.float64)
            _finite(key, "weight", w)
            return (ir.Linear(w),)
        if kind in ("Conv1d", "Conv2d"):
            return (_conv(key, node, kind),)
        if kind in ("SumPool2d", "AvgPool2d"):
            size, stride, padding = (
                _two(getattr(node, k)) for k in ("kernel_size", "stride", "padding")
            )
            pool = (ir.Sum(size, stride, padding),)
            factor = ir.Scale(np.asarray(1 / (size[0] * size[1])))
            return pool if kind == "SumPool2d" else (*pool, factor)
        if kind == "Scale":
            return (ir.Scale(np.asarray(node.scale, np.float64)),)
        return (ir.Shaped((-1,)),)  # Flatten

    def _refuse(self, key: str, why: str, do: str):
        what = f"node {key!r} ({self.kind[key]}) has no array form"
        raise Fault(what, found=why, do=do)

    def _paths(self, key: str, layers: list) -> tuple[tuple, np.ndarray | None, tuple]:
        """(paths, bias, shape) of what comes into a node."""
        number = self.number.get(key, len(self.order))
        paths, constants = [], []
        for source, ops in self._sources(key, ()):
            if source is None:
                constants.append(ops)
            elif source == self.input:
                paths.append(ir.Path(CLIPS, ops))
            else:
                k = self.number[source]
                paths.append(ir.Path(k, ops, int(k >= number)))
        first = next((p for p in paths if not p.delay), None)
        if first is None:
            self._refuse(key, "nothing comes in", "an edge from the input or a layer")
        given = self.shape if first.source == CLIPS else layers[first.source].shape
        shape = _shape(key, first.ops, given)
        bias = None
        for node, *ops in constants:
            full = np.broadcast_to(self._constant(node), self._frame(node, layers))
            full = ir.constant(tuple(ops), full).reshape(shape)
            bias = full if bias is None else bias + full
        return tuple(paths), bias, shape

    def _frame(self, key: str, layers: list) -> ir.Shape:
        """The shape of one frame behind a node that is no neuron."""
        for source, ops in self._back(key, (), ()):
            if source == self.input:
                return _shape(key, ops, self.shape)
            if source is not None and self.number[source] < len(layers):
                return _shape(key, ops, layers[self.number[source]].shape)
        own = self.kind[key] in ("Linear", "Affine")
        return (len(self.nodes[key].weight),) if own else ()

    def _layer(self, key: str, layers: list) -> ir.Neurons:
        paths, bias, shape = self._paths(key, layers)
        node, kind = self.nodes[key], self.kind[key]
        name = f"{kind.lower()}_{key}"
        if kind == "Threshold":
            theta = _spread(key, "threshold", node.threshold, shape)
            own = {"law": "exponential", "beta": np.zeros(()), "reset": "none"}
            return ir.Neurons(name, shape, paths, theta=theta, bias=bias, **own)
        if kind == "LinearDecayLIF":
            return self._linear_leak(key, name, shape, paths, bias)
        gain, beta, rest = self._gains(key, node, kind, shape)
        paths = tuple(_gained(p, gain) for p in paths)
        bias = None if bias is None else bias * gain
        if rest is not None:
            bias = rest if bias is None else bias + rest
        law = "none" if beta is None or (beta == 1).all() else "exponential"
        own = {"law": law, "beta": np.ones(()) if beta is None else beta, "bias": bias}
        if kind in READOUTS:
            own |= {"theta": np.ones(()), "reset": "none", "spiking": False}
            return ir.Neurons(name, shape, paths, **own)
        theta = _spread(key, "v_threshold", node.v_threshold, shape)
        if np.any(np.asarray(node.v_reset) != 0):
            self._refuse(key, "v_reset is not 0", "shift v so that it rests at 0")
        return ir.Neurons(name, shape, paths, theta=theta, reset=self.reset, **own)

    def _linear_leak(self, key, name, shape, paths, bias) -> ir.Neurons:
        node = self.nodes[key]
        theta = _spread(key, "v_threshold", node.v_threshold, shape)
        lam = _spread(key, "leak", node.leak, shape) * self.dt
        lam = np.clip(lam, 0, theta * (1 - 1e-9))
        gain = _spread(key, "r", node.r, shape) * self.dt
        own = {"law": str(node.law), "reset": str(node.reset), "lam": lam}
        bias = None if bias is None else bias * gain
        paths = tuple(_gained(p, gain) for p in paths)
        return ir.Neurons(name, shape, paths, theta=theta, bias=bias, **own)

    def _gains(self, key, node, kind, shape):
        """(factor of the current, beta or None, constant of v_leak or None)."""
        r = _spread(key, "r", node.r, shape)
        if kind in ("IF", "I"):
            return r, None, None
        tau = _spread(key, "tau", node.tau, shape)
        share = self.dt / tau
        if (share > 1).any() or (share < 0).any():
            raise Fault(
                f"node {key!r}: tau of less than a step",
                expected=f"tau of at least dt = {self.dt} s",
                found=f"{tau.min()}",
                do="pass the dt that the network was trained with",
            )
        leak = _spread(key, "v_leak", node.v_leak, shape) * share
        return r * share, 1 - share, leak if leak.any() else None

    def _sums(self, layers: list) -> ir.Neurons:
        """A readout of sums behind the last weights, which no neuron follows."""
        paths, bias, shape = self._paths(self.output, layers)
        own = {"law": "none", "reset": "none", "theta": np.ones(()), "bias": bias}
        return ir.Neurons("readout", shape, paths, **own, spiking=False)


def _two(value) -> tuple[int, int]:
    flat = [int(x) for x in np.atleast_1d(value)]
    return (flat[0], flat[-1])


def _finite(key: str, what: str, value: np.ndarray) -> None:
    """Fault where a value is NaN or infinite: names node, place and value."""
    bad = np.argwhere(~np.isfinite(np.asarray(value, np.float64)))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise Fault(
            f"node {key!r}: {what} is no number",
            expected="finite values",
            found=f"{np.asarray(value)[at]} at {list(at)}",
        )


def _spread(key: str, what: str, value, shape) -> np.ndarray:
    """A parameter of neurons against their shape, float64; one value stays one."""
    value = np.asarray(value, np.float64)
    _finite(key, what, value)
    try:
        full = np.broadcast_to(value, shape)
    except ValueError:
        raise Fault(
            f"node {key!r}: {what} of another shape",
            expected=f"{tuple(shape)}",
            found=f"{value.shape}",
        ) from None
    same = full.size and (full == full.flat[0]).all()
    return np.asarray(full.flat[0]) if same else full.copy()


def _gained(path: ir.Path, gain: np.ndarray) -> ir.Path:
    if np.size(gain) == 1 and float(gain) == 1:
        return path
    return ir.Path(path.source, (*path.ops, ir.Scale(gain)), path.delay)


def _conv(key: str, node, kind: str) -> ir.Conv:
    w = np.asarray(node.weight, np.float64)
    _finite(key, "weight", w)
    if isinstance(node.padding, str) and node.padding not in ("valid", "same"):
        raise Fault(f"node {key!r}: padding", found=repr(node.padding))
    stride, dilation = (np.atleast_1d(x) for x in (node.stride, node.dilation))
    padding = node.padding
    if isinstance(padding, str):
        sides = np.asarray(w.shape[2:]) - 1
        padding = sides * dilation // 2 if padding == "same" else 0 * sides
    sides = [stride, np.atleast_1d(padding), dilation]
    if kind == "Conv1d":
        w = w[:, :, None]
        sides = [[plain_, int(x[0])] for plain_, x in zip((1, 0, 1), sides)]
    return ir.Conv(w, *(_two(x) for x in sides), int(node.groups))


def _shape(key: str, ops: tuple, given: ir.Shape) -> ir.Shape:
    """The shape behind a path; Fault where an operation does not fit."""
    try:
        return ir.shape_after(ops, given)
    except RuntimeError as error:
        raise Fault(
            f"what leads to node {key!r} does not fit together",
            expected=f"operations on {given}",
            found=str(error).splitlines()[0][:100],
        ) from None
