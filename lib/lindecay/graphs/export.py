"""Graphs and integer checkpoints as NIR.

Exponential leaks become LIF, none IF, linear ones the extension node of
`neurons.exchange`; joins are several edges into a node, recurrence is an edge back.
A checkpoint is written in membrane LSB: w·2^f, θ, λ, bias as they are, so that what is
read back rounds to the same integers with an LSB of 2^-f.
"""

import numpy as np

from lindecay.checkpoints import CLIPS, Checkpoint, Synapse, pair
from lindecay.graphs import ir
from lindecay.graphs.nirs import DT, nir
from lindecay.neurons.exchange import linear_node
from lindecay.settings import Fault


def to_nir(given, frames=None, shape=None, dt: float = DT):
    """A network, a graph or a checkpoint as an nir.NIRGraph.

    Args:
        given: `ir.Graph`, integer `Checkpoint`, or a network of torch.
        frames: [T, clips, inputs] to watch a network of torch with.
        shape: of one frame.
        dt: seconds that a step stands for.

    Raises:
        Fault: names the layer that NIR and its extension cannot express.
    """
    if isinstance(given, Checkpoint):
        return _written(_layers_of(given), _frame(given), dt)
    if not isinstance(given, ir.Graph):
        from lindecay import graphs

        if frames is None:
            raise Fault("frames to watch the network with", expected="[T, clips, …]")
        given = graphs.read(given, frames, shape).graph
    layers = []
    for i, n in enumerate(given.layers):
        sources = ir.sources(given, i)
        parts = [ir.bundle(p, s, n.name) for p, s in zip(n.paths, sources)]
        layers.append((n, parts))
    return _written(layers, given.shape, dt)


def _frame(ck: Checkpoint) -> tuple[int, ...]:
    parts = (b for i in range(len(ck.layers)) for b in ck.bundles(i))
    first = next(b for b in parts if b.source == CLIPS)
    return tuple(first.plane or (first.inputs,))


def _layers_of(ck: Checkpoint) -> list[tuple[ir.Neurons, list[Synapse]]]:
    """A checkpoint's layers as neurons in membrane LSB."""
    out = []
    for i, layer in enumerate(ck.layers):
        own = ck.of(layer)
        if own.law not in ("shrink", "floor", "drift", "none", "exponential"):
            raise Fault(f"{layer.name}: NIR cannot express law {own.law!r}")
        last = i == len(ck.layers) - 1 and ck.readout != "count"
        shape = layer.map if layer.kind == "conv" else (layer.out,)

        def spread(key, layer=layer, shape=shape):
            return layer.row(key).astype(np.float64).reshape(shape)

        beta = np.ones(())
        if own.law == "exponential":
            beta = spread("beta") / 2**layer.beta_shift
        bias = None if layer.bias is None else spread("bias")
        n = ir.Neurons(
            layer.name, shape, (), own.law, own.reset, spread("theta"),
            lam=spread("lam"), beta=beta, bias=bias, spiking=not last,
        )  # fmt: skip
        parts = [_scaled(b, 2**own.f) for b in ck.bundles(i)]
        out.append((n, parts))
    return out


def _scaled(b: Synapse, factor: int) -> Synapse:
    from dataclasses import replace

    return replace(b, w=b.w.astype(np.float64) * factor)


def _written(layers: list, shape, dt: float):
    """Nodes and edges of neurons with bundles of weights."""
    package = nir()
    nodes = {"input": package.Input(input_type={"input": np.array(shape)})}
    edges = []
    for i, (n, parts) in enumerate(layers):
        nodes[n.name] = _neuron(package, n, dt)
        for k, b in enumerate(parts):
            frame = shape if b.source == CLIPS else layers[b.source][0].shape
            if b.delay and b.source < i:
                told = "a delay that is no loop"
                raise Fault(f"{n.name}: NIR cannot express {told} here")
            at = "input" if b.source == CLIPS else layers[b.source][0].name
            for key, node in _weights(package, n, b, k, frame):
                nodes[key] = node
                edges.append((at, key))
                at = key
            edges.append((at, n.name))
    last = layers[-1][0]
    nodes["output"] = package.Output(output_type={"output": np.array(last.shape)})
    edges.append((last.name, "output"))
    return package.NIRGraph(nodes=nodes, edges=edges, type_check=False)


def _weights(package, n: ir.Neurons, b: Synapse, k: int, frame):
    """The nodes of a bundle: pooling, then weights; the first has the bias."""
    name = f"{n.name}_w{k}"
    if b.pool > 1:
        if b.pooling == "or":
            raise Fault(
                f"{n.name}: NIR has no OR of spikes", do="sum or average pooling"
            )
        side = np.array([b.pool, b.pool])
        zero = np.zeros(2, int)
        pool = package.SumPool2d(kernel_size=side, stride=side, padding=zero)
        yield f"{name}_pool", pool
    bias = None if n.bias is None or k else np.asarray(n.bias)
    if b.w.ndim == 2:
        if b.plane is not None and len(frame) > 1:
            seen = np.array((frame[0], *(x // b.pool for x in frame[1:])))
            flat = package.Flatten(input_type={"input": seen}, start_dim=0, end_dim=-1)
            yield f"{name}_flat", flat
        if bias is None:
            yield name, package.Linear(weight=b.w)
        else:
            yield name, package.Affine(weight=b.w, bias=bias.reshape(-1))
        return
    channels = np.zeros(len(b.w))
    if bias is not None:
        rows = np.broadcast_to(bias, n.shape).reshape(len(b.w), -1)
        if (rows != rows[:, :1]).any():
            raise Fault(f"{n.name}: NIR has one bias a channel of a convolution")
        channels = rows[:, 0].copy()
    seen = tuple(x // b.pool for x in b.plane[1:])
    sides = {k: pair(getattr(b, k)) for k in ("stride", "padding", "dilation")}
    yield name, package.Conv2d(seen, b.w, **sides, groups=b.groups, bias=channels)


def _neuron(package, n: ir.Neurons, dt: float):
    """A layer of neurons as a node."""

    def spread(x):
        return np.broadcast_to(np.asarray(x, np.float64), n.shape).copy()

    rest, beta = np.zeros(n.shape), spread(n.beta)
    if n.reset == "late":
        raise Fault(
            f"{n.name}: NIR cannot express a reset one step late",
            expected="a reset at once",
            do="reset_delay=False, or convert to LinearDecayLIF",
        )
    if not n.spiking:
        if n.law == "none":
            return package.I(r=rest + 1)
        tau = dt / (1 - beta)
        return package.LI(tau=tau, r=tau / dt, v_leak=rest)
    if n.law in ("none", "exponential") and n.reset == "zero":
        if n.law == "none":
            return package.IF(r=rest + 1, v_threshold=spread(n.theta), v_reset=rest)
        tau = dt / (1 - beta)
        theta = spread(n.theta)
        return package.LIF(
            tau=tau, r=tau / dt, v_leak=rest, v_threshold=theta, v_reset=rest.copy()
        )
    if n.law == "exponential":
        raise Fault(
            f"{n.name}: NIR's LIF resets to v_reset",
            expected='reset "zero"',
            found=repr(n.reset),
        )
    return linear_node(n.lam, n.theta, n.law, n.reset, n.shape, dt)
