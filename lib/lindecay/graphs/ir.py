"""A network as a graph of neurons: what every reader makes, what the array takes.

    current of neuron i = bias + sum over paths of  op_n(… op_1(spikes of the source))

A path leads from spikes (the clips, or a layer of neurons, perhaps a step late) to a
membrane through operations that are linear: weights, convolutions, sums, factors.
`bundle` folds a path into one set of weights, exactly; the one operation before weights
that is not linear is the OR of neighbouring spikes.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F

from lindecay.checkpoints import CLIPS, Synapse, plain
from lindecay.settings import Fault

MOST = 2**26  # weights that a path may become as a matrix
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Linear:
    """y = W x, [out, in]."""

    w: np.ndarray

    def __call__(self, x):
        return F.linear(x, torch.as_tensor(self.w).to(x))


@dataclass(frozen=True, eq=False)
class Conv:
    """A convolution [channels, in_channels / groups, kh, kw]; sides are pairs."""

    w: np.ndarray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __call__(self, x):
        w = torch.as_tensor(self.w).to(x)
        place = (self.stride, self.padding, self.dilation, self.groups)
        if x.dim() == 3:  # one side: [n, channels, length]
            return F.conv2d(x[:, :, None], w, None, *place)[:, :, 0]
        return F.conv2d(x, w, None, *place)


@dataclass(frozen=True)
class Sum:
    """Sums over windows of a plane (an average is a sum and a factor)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    def __call__(self, x):
        many = self.size[0] * self.size[1]
        return F.avg_pool2d(x, self.size, self.stride, self.padding) * many


@dataclass(frozen=True)
class Or:
    """The largest of a window: of spikes, their OR."""

    size: tuple[int, int]
    stride: tuple[int, int]

    def __call__(self, x):
        return F.max_pool2d(x, self.size, self.stride)


@dataclass(frozen=True, eq=False)
class Scale:
    """y = g x, g broadcast against the shape of one frame."""

    g: np.ndarray

    def __call__(self, x):
        return x * torch.as_tensor(self.g).to(x)


@dataclass(frozen=True)
class Shaped:
    """Another shape of the same numbers, row by row; () keeps the batch alone."""

    shape: Shape

    def __call__(self, x):
        return x.reshape(len(x), *self.shape)


Op = Linear | Conv | Sum | Or | Scale | Shaped


@dataclass(frozen=True)
class Path:
    """From spikes to a membrane."""

    source: int  # CLIPS or the number of a layer of neurons
    ops: tuple[Op, ...] = ()
    delay: int = 0


@dataclass(frozen=True, eq=False)
class Neurons:
    """A layer of neurons, in real units; theta, lam, beta broadcast against `shape`."""

    name: str
    shape: Shape  # of one frame of them
    paths: tuple[Path, ...]
    law: str
    reset: str
    theta: np.ndarray
    lam: np.ndarray = field(default_factory=lambda: np.zeros(()))
    beta: np.ndarray = field(default_factory=lambda: np.ones(()))
    bias: np.ndarray | None = None  # [shape]
    shift: int | None = None
    spiking: bool = True  # False: a readout whose membrane alone is read
    note: str = ""  # where the rule here is not quite the neuron's own

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Graph:
    """Layers of neurons in the order in which they work; the last is the output."""

    shape: Shape  # of one frame of the clips
    layers: tuple[Neurons, ...]
    readout: str = "count"

    @property
    def inputs(self) -> int:
        return math.prod(self.shape)


def shape_after(ops: tuple[Op, ...], shape: Shape) -> Shape:
    """The shape of one frame behind some operations."""
    x = torch.zeros((1, *shape), dtype=torch.float64)
    for op in ops:
        x = op(x)
    return tuple(x.shape[1:])


def applied(ops: tuple[Op, ...], x: torch.Tensor) -> torch.Tensor:
    """Operations on frames [n, …]."""
    for op in ops:
        x = op(x)
    return x


def constant(ops: tuple[Op, ...], value: np.ndarray) -> np.ndarray:
    """What a constant frame becomes behind some linear operations, float64."""
    x = torch.as_tensor(np.array(value, np.float64))[None]
    return applied(ops, x)[0].numpy()


def bundle(path: Path, shape: Shape, name: str) -> Synapse:
    """A path as one set of real weights, exactly, with the plane that they read.

    Args:
        path: from the source to the neurons.
        shape: of one frame of the source.
        name: of the neurons, for a Fault.

    Raises:
        Fault: a largest value of currents, or a matrix beyond memory.
    """
    shape, ops = _settled(path.ops, shape)
    pool, pooling, ops = _pooled(ops, shape, name)
    plane = tuple(shape) if len(shape) == 3 else None
    seen = shape if pool == 1 else (shape[0], shape[1] // pool, shape[2] // pool)
    one = _weights(ops, seen, name)
    place = {"source": path.source, "delay": path.delay, "pool": pool}
    place |= {"plane": plane, "pooling": pooling}
    if isinstance(one, Linear):
        return Synapse(one.w, **place)
    sides = {k: plain(getattr(one, k)) for k in ("stride", "padding", "dilation")}
    place["plane"] = plane or _plane(path.ops, shape)
    return Synapse(one.w, **place, **sides, groups=one.groups)


def _settled(ops: tuple[Op, ...], shape: Shape) -> tuple[Shape, tuple[Op, ...]]:
    """(shape, operations) without shapes that only say how a source is read."""
    ops = list(ops)
    while ops and isinstance(ops[0], Shaped):
        shape = shape_after((ops.pop(0),), shape)
    return shape, tuple(ops)


def _plane(ops, shape) -> Shape:
    """The plane of a line of channels, or of a flat source that is given one."""
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    return next(x.shape for x in ops if isinstance(x, Shaped) and len(x.shape) == 3)


def _pooled(ops, shape, name) -> tuple[int, str, tuple[Op, ...]]:
    """(pool, how, what is left): square windows of spikes, before any weights."""
    pool, how, left = 1, "or", list(ops)
    while left and isinstance(left[0], Or | Sum) and len(shape) == 3:
        op, kind = left[0], "or" if isinstance(left[0], Or) else "sum"
        square = op.size[0] == op.size[1] and op.size == op.stride
        padded = kind == "sum" and op.padding != (0, 0)
        if not square or padded or (pool > 1 and kind != how):
            break
        pool, how, left = pool * op.size[0], kind, left[1:]
    _no_largest(left, name)
    return pool, how, tuple(left)


def _no_largest(left, name) -> None:
    """Fault where the largest of currents, or of sums, would be needed."""
    for op in left:
        if isinstance(op, Or):
            k = op.size[0] * op.size[1]
            raise Fault(
                f"{name}: the largest of {k} currents has no program here",
                expected="max pooling of spikes, behind neurons, without overlap",
                found=f"max pooling {op.size}, stride {op.stride}, before the neurons",
                do=f"it would take {k} columns a neuron and {k - 1} comparisons a step:"
                " put it behind the neuron, or pool by average",
            )


def _weights(ops: tuple[Op, ...], shape: Shape, name: str) -> Linear | Conv:
    """One Linear or Conv that does what `ops` do, exactly."""
    one, left, now = None, list(ops), shape
    while left:
        joined = _join(one, left[0], now)
        if joined is None:
            return _matrix(ops, shape, name)
        one, now, left = joined, shape_after((left[0],), now), left[1:]
        if isinstance(one, Scale | Shaped):  # nothing but a factor or a shape so far
            nothing = isinstance(one, Shaped)
            one, left = None, left if nothing else _carried(one, left)
            if left is None:
                return _matrix(ops, shape, name)
    if one is None:
        one = _identity(now)
    return one if isinstance(one, Conv) or one.w.ndim == 2 else None


def _identity(shape: Shape) -> Linear | Conv:
    """Each neuron reads one spike."""
    if len(shape) == 3:
        return Conv(np.ones((shape[0], 1, 1, 1)), groups=shape[0])
    return Linear(np.eye(math.prod(shape)))


def _carried(scale: Scale, left: list) -> list | None:
    """A factor before the weights, moved behind them: one number for all."""
    if np.size(scale.g) != 1 and (scale.g != scale.g.flat[0]).any():
        return None
    if not left:
        return None
    one = np.asarray(scale.g.flat[0])
    if isinstance(left[0], Scale):  # two factors are one, or they would take turns
        return [Scale(np.asarray(left[0].g) * one), *left[1:]]
    return [left[0], Scale(one), *left[1:]]


def _join(one, op: Op, shape: Shape):
    """`op` behind `one`, as one operation; None where only a matrix can say it."""
    if one is None:
        return _first(op, shape)
    if isinstance(op, Shaped):
        flat = isinstance(one, Linear) or len(op.shape) == 1
        return one if flat else None
    if isinstance(op, Scale):
        return _scaled(one, op, shape)
    if isinstance(one, Linear) and isinstance(op, Linear):
        return Linear(op.w @ one.w)
    if isinstance(one, Conv) and isinstance(op, Conv) and _pointwise(one):
        if op.groups == 1:
            w = np.einsum("omyx,mc->ocyx", op.w, one.w[:, :, 0, 0])
            return replace(op, w=w)
    if isinstance(one, Conv) and isinstance(op, Sum) and op.padding == (0, 0):
        return _summed(one, op) if one.dilation == (1, 1) else None
    return None


def _pointwise(conv: Conv) -> bool:
    """Whether a convolution only mixes the channels of each place."""
    plainly = (conv.stride, conv.padding) == ((1, 1), (0, 0))
    return plainly and conv.w.shape[2:] == (1, 1) and conv.groups == 1


def _first(op: Op, shape: Shape):
    """The first operation on spikes."""
    if isinstance(op, Linear) and len(shape) != 1:
        return None
    if isinstance(op, Sum):
        w = np.ones((shape[0], 1, *op.size))
        return Conv(w, op.stride, op.padding, groups=shape[0])
    return op


def _scaled(one, op: Scale, shape: Shape):
    """Weights times the factor of each neuron."""
    g = np.broadcast_to(op.g, shape)
    if isinstance(one, Linear):
        return Linear(one.w * g.reshape(-1, 1))
    each = g.reshape(len(g), -1)
    if (each != each[:, :1]).any():
        return None
    return replace(one, w=one.w * each[:, 0].reshape(-1, 1, 1, 1))


def _summed(conv: Conv, op: Sum) -> Conv:
    """Sums of a convolution's windows: one larger convolution.

    w'[a] = sum of w[i] over all window places j with j·stride + i = a
    """
    (kh, kw), (sy, sx) = conv.w.shape[2:], conv.stride
    high, wide = (op.size[0] - 1) * sy + kh, (op.size[1] - 1) * sx + kw
    w = np.zeros((*conv.w.shape[:2], high, wide), conv.w.dtype)
    for y in range(op.size[0]):
        for x in range(op.size[1]):
            w[:, :, y * sy : y * sy + kh, x * sx : x * sx + kw] += conv.w
    return replace(conv, w=w, stride=(sy * op.stride[0], sx * op.stride[1]))


def _matrix(ops: tuple[Op, ...], shape: Shape, name: str) -> Linear:
    """The whole path as a matrix, a unit spike at a time."""
    n, out = math.prod(shape), math.prod(shape_after(ops, shape))
    if n * out > MOST:
        raise Fault(
            f"{name}: its synapses are no single convolution",
            expected=f"at most {MOST} weights as a matrix",
            found=f"{n} x {out} = {n * out}",
            do="put neurons between the layers",
        )
    columns = []
    for first in range(0, n, 256):
        units = torch.eye(n, dtype=torch.float64)[first : first + 256]
        columns.append(applied(ops, units.reshape(-1, *shape)).flatten(1))
    return Linear(torch.cat(columns).T.numpy().copy())


def sources(graph: Graph, i: int) -> list[Shape]:
    """The shape of a frame of each path's source."""
    return [
        graph.shape if p.source == CLIPS else graph.layers[p.source].shape
        for p in graph.layers[i].paths
    ]
