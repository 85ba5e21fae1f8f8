"""From what was watched to a graph: the same paths in every step, or a Fault."""

import numpy as np

from lindecay.checkpoints import CLIPS
from lindecay.graphs import functions, ir, laws
from lindecay.graphs.values import Term, Value
from lindecay.settings import Fault


def graph_of(tracer, out: list, shape, readout: str) -> tuple[ir.Graph, list[int]]:
    """(graph, layer of each instance or -1) of a watched run.

    Raises:
        Fault: names the layer whose input no path can hold, or differs step by step.
    """
    found = [_layer(tracer, i) for i in range(len(tracer.instances))]
    leaf, sums = _output(tracer, out)
    kind = readout if readout != "auto" else {"mem": "membrane"}.get(leaf, "count")
    if sums is not None:
        found.append(_readout(tracer, sums))
        kind, last = "sum", len(found) - 1
    else:
        last = tracer.last
    keep = _ancestors(found, last)
    if keep[-1] != last:
        raise Fault(
            f"{found[last].name} is the output and feeds a layer behind it",
            expected="the output last",
        )
    rows = [keep.index(i) if i in keep else -1 for i in range(len(found))]
    layers = [_renumbered(found[i], rows) for i in keep]
    if kind == "membrane":
        layers[-1] = _unfired(layers[-1])
    return ir.Graph(tuple(shape), tuple(layers), kind), rows


def _unfired(layer: ir.Neurons) -> ir.Neurons:
    """A layer whose membrane is read: it must not reset."""
    from dataclasses import replace

    if layer.reset != "none":
        raise Fault(
            f"{layer.name}: a readout of membranes that spikes reset",
            expected='reset_mechanism="none"',
            found=layer.reset,
            do='readout="count" counts its spikes',
        )
    return replace(layer, spiking=False)


def _layer(tracer, number: int) -> ir.Neurons:
    inst = tracer.instances[number]
    own = laws.rule(inst.module, inst.name)
    at = min(1, len(inst.inputs) - 1)
    forms = [_form(tracer, inst, number, t, v) for t, v in enumerate(inst.inputs)]
    for t, form in enumerate(forms[at:], at):
        if not _same(form, forms[at]):
            raise Fault(
                f"{inst.name}: its synapses are not the same in every step",
                expected=_written(forms[at], tracer),
                found=f"{_written(form, tracer)} in step {t}",
            )
    first = [x for x in forms[0][0] if not x[2]]
    if at and not _same((first, forms[at][1]), (_now(forms[at]), forms[at][1])):
        raise Fault(f"{inst.name}: step 0 differs from the steps behind it")
    paths, bias = forms[at]
    bias = _added_up(bias, inst.shape, inst.name)
    paths = [ir.Path(s, ops, d) for s, ops, d in paths]
    if at and not np.allclose(
        _added_up(forms[0][1], inst.shape, inst.name), bias, atol=1e-6
    ):
        raise Fault(f"{inst.name}: step 0 has another bias than the steps behind it")
    if hasattr(inst.module, "recurrent"):
        path, more = _recurrent(inst, number)
        paths.append(path)
        bias = bias + more
    spread = {k: _spread(inst, k, own[k]) for k in ("theta", "lam", "beta") if k in own}
    bias = bias if np.any(bias) else None
    return ir.Neurons(inst.name, inst.shape, tuple(paths), bias=bias, **own | spread)


def _now(form) -> list:
    return [x for x in form[0] if not x[2]]


def _spread(inst, what: str, value: np.ndarray) -> np.ndarray:
    """A parameter as torch spreads it over a frame; one value stays one."""
    value = np.asarray(value)
    if value.ndim > len(inst.shape) and value.shape[0] == 1:
        value = value.reshape(value.shape[value.ndim - len(inst.shape) :])
    try:
        full = np.broadcast_to(value, inst.shape)
    except ValueError:
        raise Fault(
            f"{inst.name}: {what} of another shape",
            expected=f"what spreads over {inst.shape}",
            found=f"{value.shape}",
        ) from None
    same = full.size and (full == full.flat[0]).all()
    return np.asarray(full.flat[0]) if same else full.copy()


def _form(tracer, inst, number: int, step: int, value: Value) -> tuple[list, list]:
    """([(source, ops, delay)], [constants]) of an input in one step."""
    if value.bad:
        raise Fault(
            f"{inst.name}: what comes in has no array form",
            expected="weights, pooling, sums and factors of spikes",
            found=value.bad,
        )
    paths, constants = [], []
    for term in value.terms:
        if term.leaf is None:
            constants.append(term)
            continue
        if term.leaf.kind == "mem":
            of = tracer.instances[term.leaf.index].name
            raise Fault(
                f"{inst.name}: it reads the membrane of {of}",
                expected="spikes",
                found="a graded value",
            )
        here = term.leaf.step
        delay = 0 if inst.whole or here is None else step - here
        source = CLIPS if term.leaf.kind == "clips" else term.leaf.index
        if delay not in (0, 1):
            raise Fault(
                f"{inst.name}: spikes of another time, or a layer used twice in a step",
                expected="spikes of this step or of the one before",
                found=f"{delay} steps late",
            )
        if source >= number and not delay:
            raise Fault(f"{inst.name}: a loop without delay")
        paths.append((source, term.ops, delay))
    if not paths and step:
        raise Fault(f"{inst.name}: no spikes come in")
    return paths, constants


def _same(a, b) -> bool:
    if len(a[0]) != len(b[0]) or len(a[1]) != len(b[1]):
        return False
    ends = all((x[0], x[2]) == (y[0], y[2]) for x, y in zip(a[0], b[0]))
    ops = all(_equal(x[1], y[1]) for x, y in zip(a[0], b[0]))
    held = all(_one(x, y) for x, y in zip(a[1], b[1]))
    return ends and ops and held


def _one(a: Term, b: Term) -> bool:
    same = a.constant is b.constant or np.array_equal(a.constant, b.constant)
    return same and _equal(a.ops, b.ops)


def _equal(a: tuple, b: tuple) -> bool:
    """Whether two chains of operations are the same."""
    return len(a) == len(b) and all(
        x is y or (type(x) is type(y) and _fields(x) == _fields(y))
        for x, y in zip(a, b)
    )


def _fields(op) -> list:
    return [v.tobytes() if isinstance(v, np.ndarray) else v for v in vars(op).values()]


def _written(form, tracer) -> str:
    def name(source):
        return "the clips" if source == CLIPS else tracer.instances[source].name

    kinds = [
        f"{name(s)}{' a step late' if d else ''} through "
        + (", ".join(type(op).__name__ for op in ops) or "nothing")
        for s, ops, d in form[0]
    ]
    return " + ".join(kinds) or "nothing"


def _added_up(constants: list[Term], shape, name: str) -> np.ndarray:
    """All constants behind their operations, as one bias of the neurons."""
    total = np.zeros(shape)
    for term in constants:
        value = ir.constant(term.ops, term.constant) if term.ops else term.constant
        total = total + np.asarray(value).reshape(shape)
    bad = np.argwhere(~np.isfinite(total))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise Fault(f"{name}: a bias is no number", found=f"{total[at]} at {list(at)}")
    return total


def _recurrent(inst, number: int) -> tuple[ir.Path, np.ndarray]:
    """The way of a recurrent layer's own spikes, a step late, and its bias."""
    import torch
    from torch import nn

    back = inst.module.recurrent
    if isinstance(back, nn.Linear):
        op = ir.Linear(back.weight.detach().double().numpy())
    elif isinstance(back, nn.Conv2d) and back.padding_mode == "zeros":
        sides = [
            functions._sides(x, 0, 2)
            for x in (back.stride, back.padding, back.dilation)
        ]
        op = ir.Conv(back.weight.detach().double().numpy(), *sides, back.groups)
    elif hasattr(back, "V"):
        op = ir.Scale(torch.as_tensor(back.V).detach().double().numpy())
    else:
        kind = type(back).__name__
        raise Fault(f"{inst.name}: its recurrent layer has no array form", found=kind)
    bias = getattr(back, "bias", None)
    more = np.zeros(inst.shape)
    if bias is not None:
        flat = bias.detach().double().numpy()
        more = more + flat.reshape(-1, *[1] * (len(inst.shape) - 1))
    return ir.Path(number, (op,), 1), more


def _output(tracer, out: list) -> tuple[str, Value | None]:
    """(kind of leaf, sums): what the network returns."""
    from lindecay.graphs.trace import first_tensor

    values = [tracer.of(first_tensor(x)) for x in out]
    if len(values) == 1 and isinstance(out[0], list | tuple):
        first = out[0][0]
        if isinstance(first, list | tuple) and len(first) == tracer.steps:
            found = [tracer.of(x) for x in first]
            values = [functions.sequence(found, tracer.steps)]
        elif len(out[0]) == tracer.steps and all(map(tracer.knows_step, out[0])):
            values = [functions.sequence([tracer.of(x) for x in out[0]], tracer.steps)]
    value = values[0] if len(values) == 1 else functions.sequence(values, tracer.steps)
    if value is None or value.bad:
        bad = "nothing that depends on the clips" if value is None else value.bad
        if any(v is not None and v.bad for v in values):
            bad = next(v.bad for v in values if v is not None and v.bad)
        raise Fault(
            "what the network returns has no array form",
            expected="spikes, or sums or a membrane of the last layer, step by step",
            found=bad,
        )
    if value.only() is None:
        return "sum", value
    leaf = value.only()
    if leaf.kind == "clips":
        raise Fault("what the network returns are the clips themselves")
    tracer.last = leaf.index
    if leaf.kind == "mem" and value.added:
        name = tracer.instances[leaf.index].name
        raise Fault(
            f"{name}: a membrane added up over time is no readout here",
            expected="spikes counted, or the membrane after the last step",
        )
    return leaf.kind, None


def _readout(tracer, value: Value) -> ir.Neurons:
    """Sums behind the last weights, which no neuron follows."""
    paths = []
    for term in value.terms:
        if term.leaf is not None and term.leaf.kind == "mem":
            raise Fault("a readout that reads a membrane", expected="spikes")
        if term.leaf is not None:
            source = CLIPS if term.leaf.kind == "clips" else term.leaf.index
            paths.append(ir.Path(source, term.ops))
    instances = tracer.instances
    first = paths[0]
    given = tracer.shape if first.source == CLIPS else instances[first.source].shape
    shape = ir.shape_after(first.ops, given)
    constants = [t for t in value.terms if t.leaf is None]
    bias = _added_up(constants, shape, "readout")
    own = {"law": "none", "reset": "none", "theta": np.ones(()), "spiking": False}
    bias = bias if bias.any() else None
    return ir.Neurons("readout", shape, tuple(paths), bias=bias, **own)


def _ancestors(found: list[ir.Neurons], last: int) -> list[int]:
    """The layers that the output depends on, in order."""
    seen, open_ = set(), [last]
    while open_:
        i = open_.pop()
        if i not in seen:
            seen.add(i)
            open_ += [p.source for p in found[i].paths if p.source != CLIPS]
    return sorted(seen)


def _renumbered(layer: ir.Neurons, rows: list[int]) -> ir.Neurons:
    from dataclasses import replace

    paths = tuple(
        p if p.source == CLIPS else replace(p, source=rows[p.source])
        for p in layer.paths
    )
    return replace(layer, paths=paths)
