"""The functions of torch that a path can hold, one handler each.

`seen(tracer, func, args, kwargs, out)` tells the tracer what `out` is. A function that
no handler knows makes its output bad: a Fault only where such a value reaches neurons.
"""

import numpy as np
import torch
from torch import Tensor

from lindecay.graphs import ir
from lindecay.graphs.values import Leaf, Term, Value
from lindecay.settings import Fault

SAME = "clone detach contiguous float double half bfloat16 to type requires_grad_"
SAME += " dropout dropout2d alpha_dropout feature_dropout type_as alias cpu"
CONSTANT = "zeros_like ones_like full_like new_zeros new_ones new_full new_tensor"
SHAPES = "flatten view reshape unflatten squeeze unsqueeze view_as reshape_as"


def seen(tracer, func, args, kwargs, out) -> None:
    """Write down what a function returned, where anything it took is known."""
    name = getattr(func, "__name__", str(func)).strip("_")
    given = [tracer.of(x) for x in _tensors(args) + _tensors(tuple(kwargs.values()))]
    values = [v for v in given if v is not None]
    if not values or name in CONSTANT.split():
        return
    if name == "bool":
        raise Fault(
            "a forward that branches on values cannot be followed",
            expected="one way through the network in every step",
            found="bool() of a tensor that depends on the clips",
        )
    if isinstance(out, tuple | list):
        return _several(tracer, name, values[0], args, out)
    if isinstance(out, Tensor):
        tracer.give(out, _value(tracer, name, args, kwargs, out, values))


def _tensors(args) -> list[Tensor]:
    found = []
    for x in args:
        if isinstance(x, Tensor):
            found.append(x)
        elif isinstance(x, tuple | list):
            found += _tensors(tuple(x))
    return found


def _several(tracer, name: str, value: Value, args, out) -> None:
    """Functions that return several tensors: the steps of a sequence."""
    steps = name == "unbind" and value.whole and value.lead == 2 and not value.bad
    for t, x in enumerate(out):
        if isinstance(x, Tensor):
            tracer.give(x, value.at(t) if steps else Value(bad=value.bad or name))


def _value(tracer, name, args, kwargs, out, values) -> Value:
    bad = next((v.bad for v in values if v.bad), "")
    if bad:
        return Value(bad=bad, lead=values[0].lead)
    if name in SAME.split():
        return values[0]
    if name in SHAPES.split():
        return _shaped(tracer, name, values[0], out)
    handler = HANDLERS.get(name.rstrip("_"))
    found = handler(tracer, args, kwargs, out) if handler else None
    return found or Value(bad=name)


def _shaped(tracer, name: str, value: Value, out: Tensor) -> Value:
    """Another shape: the leading axes must stay time and batch, or their product."""
    held = tuple(out.shape)
    if value.whole:
        steps = tracer.steps
        batch = tracer.batch
        if held[:2] == (steps, batch):
            return _framed(tracer, value, held[2:], 2)
        if held and held[0] == steps * batch:
            return _framed(tracer, value, held[1:], 1)
    elif held and held[0] == tracer.batch:
        return _framed(tracer, value, held[1:], 1)
    return Value(bad=f"{name} that mixes clips or steps")


def _framed(tracer, value: Value, frame: tuple, lead: int) -> Value:
    return value.then(tracer.op(ir.Shaped, tuple(frame)), lead=lead)


def _linear(tracer, args, kwargs, out):
    x, w, b = _take(args, kwargs, ("input", "weight", "bias"))
    value = tracer.of(x)
    if value is None or tracer.of(w) is not None:
        return None
    op = tracer.weights(ir.Linear, w)
    return _biased(value.then(op), b, out)


def _matmul(tracer, args, kwargs, out):
    x, w = args[:2]
    value = tracer.of(x)
    if value is None or tracer.of(w) is not None or w.dim() != 2:
        return None
    return value.then(tracer.weights(ir.Linear, w, turned=True))


def _conv(tracer, args, kwargs, out):
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    x, w, b, stride, padding, dilation, groups = _take(args, kwargs, names)
    value = tracer.of(x)
    if value is None or tracer.of(w) is not None:
        return None
    kernel = tuple(w.shape[2:])
    sides = [_sides(v, d, len(kernel)) for v, d in ((stride, 1), (dilation, 1))]
    if isinstance(padding, str):
        full = [d * (k - 1) for k, d in zip(kernel, sides[1])]
        if padding == "same" and any(x % 2 for x in full):
            return None
        padding = tuple(x // 2 for x in full) if padding == "same" else 0
    pads = _sides(padding, 0, len(kernel))
    if len(kernel) == 1:
        sides, pads = [(1, *s) for s in sides], (0, *pads)
    place = (sides[0], pads, sides[1], 1 if groups is None else int(groups))
    return _biased(value.then(tracer.weights(ir.Conv, w, *place)), b, out)


def _sides(value, default: int, n: int) -> tuple[int, ...]:
    value = default if value is None else value
    flat = list(value) if isinstance(value, tuple | list) else [value]
    return tuple(int(x) for x in (flat if len(flat) == n else flat * n))


def _biased(value: Value, bias, out: Tensor) -> Value:
    if bias is None:
        return value
    frame = tuple(out.shape[value.lead :])
    tail = [1] * (len(frame) - 1) if len(frame) > 1 else []
    full = bias.detach().double().reshape(-1, *tail) if tail else bias.detach().double()
    return value.plus(Term(None, (), full.expand(frame).numpy().copy()))


def _batch_norm(tracer, args, kwargs, out):
    names = ("input", "running_mean", "running_var", "weight", "bias", "training")
    x, mean, var, gain, shift, training = _take(args, kwargs, names)
    eps = kwargs.get("eps", args[7] if len(args) > 7 else 1e-5)
    value = tracer.of(x)
    if value is None or mean is None or training:
        return Value(bad="batch_norm of the batch's own statistics")
    g = (var.double() + eps).rsqrt()
    g = g if gain is None else g * gain.double()
    b = -mean.double() * g + (0 if shift is None else shift.double())
    tail = [1] * (out.dim() - value.lead - 1)
    factor = ir.Scale(g.reshape(-1, *tail).detach().numpy())
    frame = tuple(out.shape[value.lead :])
    full = b.reshape(-1, *tail).expand(frame).detach().numpy().copy()
    return value.then(factor).plus(Term(None, (), full))


def _average(tracer, args, kwargs, out):
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode")
    names += ("count_include_pad", "divisor_override")
    x, size, stride, padding, ceil, counted, divisor = _take(args, kwargs, names)
    value, size, pads = tracer.of(x), _sides(size, 1, 2), _sides(padding, 0, 2)
    stride = _sides(stride, 1, 2) if stride not in (None, (), []) else size
    if value is None or ceil or (counted is False and any(pads)):
        return None
    factor = 1 / (divisor or size[0] * size[1])
    return value.then(ir.Sum(size, stride, pads), ir.Scale(np.asarray(factor)))


def _powers(tracer, args, kwargs, out):
    """Pooling by a norm: of the first norm, and of spikes, it is the sum."""
    names = ("input", "norm_type", "kernel_size", "stride", "ceil_mode")
    x, norm, size, stride, ceil = _take(args, kwargs, names)
    value, size = tracer.of(x), _sides(size, 1, 2)
    stride = _sides(stride, 1, 2) if stride not in (None, (), []) else size
    spikes = value is not None and not any(
        t.leaf is None or any(not isinstance(op, ir.Shaped) for op in t.ops)
        for t in value.terms
    )
    if not spikes or float(norm) != 1 or ceil:
        return None
    return value.then(ir.Sum(size, stride))


def _adaptive(tracer, args, kwargs, out):
    value, x = tracer.of(args[0]), args[0]
    sides = [(a, b) for a, b in zip(x.shape[-2:], out.shape[-2:])]
    if value is None or any(a % b for a, b in sides):
        return None
    size = tuple(int(a // b) for a, b in sides)
    return value.then(ir.Sum(size, size), ir.Scale(np.asarray(1 / np.prod(size))))


def _largest(tracer, args, kwargs, out):
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
    x, size, stride, padding, dilation, ceil = _take(args, kwargs, names)
    value, size = tracer.of(x), _sides(size, 1, 2)
    stride = _sides(stride, 1, 2) if stride not in (None, (), []) else size
    plain = not any(_sides(padding, 0, 2)) and _sides(dilation, 1, 2) == (1, 1)
    if value is None or not plain or ceil or stride != size:
        return Value(bad="max pooling with windows that overlap or are padded")
    if len(value.terms) != 1 or value.terms[0].leaf is None:
        k = size[0] * size[1]
        return Value(bad=_COST.format(k=k, less=k - 1))
    return value.then(ir.Or(size, stride))


_COST = (
    "max pooling of currents (it would take {k} columns a neuron and {less} comparisons"
    " a step: pool the spikes, behind the neuron, or by average)"
)


def _add(sign: int):
    def handler(tracer, args, kwargs, out):
        a, b = args[:2]
        if sign == 0:  # rsub: b - a
            a, b = b, a
        s = (-1 if sign < 1 else 1) * kwargs.get("alpha", 1)
        parts = [_operand(tracer, x, out) for x in (a, b)]
        if any(p is None for p in parts):
            return None
        left, right = parts
        known = [p for p in parts if p.terms and any(t.leaf for t in p.terms)]
        if s != 1:
            right = right.then(ir.Scale(np.asarray(float(s))))
        lead = known[0].lead
        return Value((*left.terms, *right.terms), lead)

    return handler


def _operand(tracer, x, out: Tensor) -> Value | None:
    """A value, or a constant as one; None where its shape is spread out."""
    value = tracer.of(x)
    if value is not None:
        return value if tuple(x.shape) == tuple(out.shape) else None
    full = torch.as_tensor(x).detach().double().expand(out.shape)
    frame = full[0]
    for lead in (1, 2):
        if (full == frame.expand(full.shape)).all():
            held = frame.numpy().copy()
            return Value((Term(None, (), _as_frame(tracer, held, out)),))
        if full.dim() < 2 or lead == 2:
            return None
        frame = full[0, 0]
    return None


def _as_frame(tracer, held: np.ndarray, out: Tensor) -> np.ndarray:
    """Leave a batch axis out where the first axis was time."""
    merged = tuple(out.shape[:2]) == (tracer.steps, tracer.batch)
    whole = merged and held.ndim == out.dim() - 1
    return held[0] if whole and tracer.sequence else held


def _times(inverse: bool):
    def handler(tracer, args, kwargs, out):
        a, b = args[:2]
        if tracer.of(a) is None and not inverse:
            a, b = b, a
        value = tracer.of(a)
        if value is None or tracer.of(b) is not None or tuple(a.shape) != out.shape:
            return None
        if kwargs.get("rounding_mode"):
            return None
        g = torch.as_tensor(b).detach().double()
        g = 1 / g if inverse else g
        if g.numel() > 1:
            full = g.expand(out.shape)
            frame = full[(0,) * value.lead]
            if not (full == frame.expand(full.shape)).all():
                return None
            return value.then(ir.Scale(frame.numpy().copy()))
        return value.then(ir.Scale(g.reshape(()).numpy()))

    return handler


def _negative(tracer, args, kwargs, out):
    return tracer.of(args[0]).then(ir.Scale(np.asarray(-1.0)))


def _item(tracer, args, kwargs, out):
    value, at = tracer.of(args[0]), args[1]
    if value is None:
        return None
    at = at if isinstance(at, tuple) else (at,)
    rest = all(x is Ellipsis or x == slice(None) for x in at[1:])
    whole = value.whole and value.lead == 2
    if whole and rest and isinstance(at[0], int | np.integer):
        return value.at(int(at[0]) % tracer.steps)
    if whole and rest and isinstance(at[0], Tensor) and at[0].dim() == 0:
        return value.at(int(at[0]) % tracer.steps)
    every = all(x is Ellipsis or x == slice(None) for x in at)
    return value if every else None


def _select(tracer, args, kwargs, out):
    x, dim, index = _take(args, kwargs, ("input", "dim", "index"))
    value = tracer.of(x)
    if value is not None and value.whole and value.lead == 2 and dim == 0:
        return value.at(int(index) % tracer.steps)
    return None


def _stack(tracer, args, kwargs, out):
    parts = [tracer.of(x) for x in args[0]]
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    return sequence(parts, tracer.steps) if dim == 0 else None


def sequence(parts: list, steps: int) -> Value | None:
    """Values of all steps as one; None where they are not the same in each."""
    if len(parts) != steps or any(p is None or p.bad or p.whole for p in parts):
        return None
    first, terms = parts[0], []
    for k, term in enumerate(first.terms):
        for t, p in enumerate(parts):
            if len(p.terms) != len(first.terms):
                return None
            other = p.terms[k]
            if (other.leaf is None) != (term.leaf is None):
                return None
            if term.leaf is not None:
                same = (other.leaf.kind, other.leaf.index, other.leaf.step)
                if same != (term.leaf.kind, term.leaf.index, t):
                    return None
        leaf = term.leaf and Leaf(term.leaf.kind, term.leaf.index, None)
        terms.append(Term(leaf, term.ops, term.constant))
    return Value(tuple(terms), 2)


def _concatenated(tracer, args, kwargs, out):
    """Channels side by side: each part with weights that put it in its place."""
    parts = [tracer.of(x) for x in args[0]]
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    if any(p is None or p.bad for p in parts):
        return None
    lead = parts[0].lead
    if dim % out.dim() != lead or out.dim() - lead not in (1, 3):
        return None
    total, first, terms = out.shape[lead], 0, []
    for x, part in zip(args[0], parts):
        n = x.shape[lead]
        w = np.eye(total)[:, first : first + n]
        flat = out.dim() - lead == 1
        op = ir.Linear(w) if flat else ir.Conv(w[:, :, None, None])
        terms += part.then(
            tracer.kept_as(("cat", flat, total, first, n), lambda op=op: op)
        ).terms
        first += n
    return Value(tuple(terms), lead)


def _over_time(tracer, args, kwargs, out):
    x, dim = _take(args, kwargs, ("input", "dim"))
    value = tracer.of(x)
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    if value is None or tuple(dims) != (0,) or not (value.whole and value.lead == 2):
        return None
    return Value(value.terms, value.lead, added=True)


def _take(args, kwargs, names) -> list:
    given = dict(zip(names, args)) | kwargs
    if "self" in given:
        given["input"] = given["self"]
    return [given.get(name) for name in names]


HANDLERS = {
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "conv2d": _conv,
    "conv1d": _conv,
    "batch_norm": _batch_norm,
    "avg_pool2d": _average,
    "adaptive_avg_pool2d": _adaptive,
    "lp_pool2d": _powers,
    "max_pool2d": _largest,
    "add": _add(1),
    "iadd": _add(1),
    "radd": _add(1),
    "sub": _add(-1),
    "isub": _add(-1),
    "rsub": _add(0),
    "mul": _times(False),
    "imul": _times(False),
    "rmul": _times(False),
    "div": _times(True),
    "truediv": _times(True),
    "neg": _negative,
    "getitem": _item,
    "select": _select,
    "stack": _stack,
    "cat": _concatenated,
    "concat": _concatenated,
    "sum": _over_time,
    "mean": _over_time,
}
