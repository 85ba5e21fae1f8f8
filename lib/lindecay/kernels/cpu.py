"""The fused loop as an autograd node, in three ways to remember the membrane.

    Kept        U is an output and stays: 24 bytes an element pass through memory
    Private     U is nobody's but ours: the gradient of I is written over it (20)
    Recomputed  only states at chunk borders are kept; U is computed again

Each reads I and writes S, then reads g_S and writes g_I; U makes the difference.
"""

import sys

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lindecay.kernels import pool
from lindecay.kernels.layout import Launch, begin, last_step, leak_of, rows
from lindecay.kernels.rule import LAWS, Rule
from lindecay.kernels.values import traced
from lindecay.settings import Fault

CHUNK = 1 << 19  # elements of U that are computed again at a time: they stay in L3
DTYPES = (torch.float32, torch.float64)


def fits(current: Tensor, rule: Rule, fire) -> bool:
    """Whether the fused loop can run this; see `gpu.fits` for CUDA tensors."""
    return suits(current, rule, fire) and current.device.type == "cpu"


def suits(current: Tensor, rule: Rule, fire) -> bool:
    """Whether a compiled loop knows this, on its device; else plain torch runs it."""
    late = rule.delayed and rule.reset == "subtract" and rule.law == "floor_after"
    plain_tensor = type(current) in (Tensor, torch.nn.Parameter)
    plain_tensor = plain_tensor and not traced(current)
    built = rule.law in LAWS and current.dtype in DTYPES
    return plain_tensor and fire is None and built and not late


def run(*arguments):
    """`_run`, hidden from torch.compile."""
    return untraced(_run)(*arguments)


def untraced(go):
    """`go`, hidden from torch.compile; asking for that costs an import of seconds, so
    only where somebody has compiled something is it asked for."""
    if "torch._dynamo" not in sys.modules:
        return go
    if go not in _hidden:
        _hidden[go] = torch.compiler.disable(go)
    return _hidden[go]


_hidden: dict = {}


def _run(current, lam, beta, theta, state, rule, check, keep, inplace, bias=None):
    """The fused loop on any dense layout; returns spikes and U or the last state."""
    if bias is not None and keep != "membrane":
        current, bias = current + bias, None

    def go(current, state, leak, theta, bias):
        given = current, leak, theta, state, rule, check
        if keep == "membrane":
            return Kept.apply(*given, bias)
        if keep == "recompute":
            return Recomputed.apply(*given)
        return Private.apply(*given, inplace)

    return along_memory(go, current, state, leak_of(rule, lam, beta), theta, bias)


def along_memory(go, current, state, *parameters):
    """What go(current, state, *parameters) returns, its axes in the order of memory
    while it runs; a state or a parameter may be None."""
    order = layout(current)
    if order is None:
        return go(current, state, *parameters)
    inner = [a - 1 for a in order[1:]]
    turned = (permuted(p, current.shape[1:], inner) for p in parameters)
    state = None if state is None else state.permute(inner)
    found = go(current.permute(order), state, *turned)
    back = [order.index(a) for a in range(len(order))]
    of_state = [a - 1 for a in back[1:]]
    return tuple(x.permute(back if x.dim() == len(back) else of_state) for x in found)


def layout(x: Tensor) -> list[int] | None:
    """The order of axes that makes `x` contiguous with time first (channels_last);
    None where it is already, or where it has to be copied."""
    if x.is_contiguous() or x.dim() < 3:
        return None
    order = sorted(range(x.dim()), key=lambda a: -x.stride(a))
    return order if order[0] == 0 and x.permute(order).is_contiguous() else None


def permuted(p: Tensor | None, shape, inner) -> Tensor | None:
    """A parameter with the axes of `shape`, in the order `inner`; a number as it is."""
    one = p is None or p.numel() == 1
    return p if one else p.expand(shape).permute(inner)


class Kept(torch.autograd.Function):
    """current, leak, θ, state, bias -> spikes, U; U is what the adjoint needs."""

    @staticmethod
    def forward(ctx, current, leak, theta, state, rule, check, bias):
        shape, dtype = current.shape, current.dtype
        spikes, membrane = pool.empty(shape, dtype), pool.empty(shape, dtype)
        at = Launch(rule, leak, theta, shape, bias=bias)
        at.forward(current.contiguous(), begin(state, current), spikes, membrane, check)
        ctx.save_for_backward(membrane, state, leak, theta)
        ctx.rule, ctx.bias = rule, None if bias is None else bias.shape
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    @once_differentiable
    def backward(ctx, gs, gu):
        membrane, state, leak, theta = ctx.saved_tensors
        at = Launch(ctx.rule, leak, theta, membrane.shape, ctx.needs_input_grad)
        grad = pool.empty(membrane.shape, membrane.dtype)
        carry = begin(None, membrane)
        gs = begin(None, membrane)[None] if gs is None else rows(gs)
        gu = None if gu is None else gu.contiguous()
        at.backward(gs, gu, membrane, carry, grad)
        known = at.gradients(grad, carry, state)
        return *known, grad.sum_to_size(ctx.bias) if ctx.needs_input_grad[6] else None


class Private(torch.autograd.Function):
    """current, leak, θ, state -> spikes, last state; backward once only."""

    @staticmethod
    def forward(ctx, current, leak, theta, state, rule, check, inplace):
        shape, dtype = current.shape, current.dtype
        spikes, now = pool.empty(shape, dtype), begin(state, current)
        at = Launch(rule, leak, theta, shape)
        membrane = None
        inplace = inplace and current.is_contiguous()
        if inplace:
            membrane = _taken(current)
        elif any(ctx.needs_input_grad):
            membrane = pool.empty(shape, dtype)
        at.forward(current.contiguous(), now, spikes, membrane, check)
        ctx.save_for_backward(state, leak, theta)
        ctx.rule, ctx.membrane = rule, membrane
        ctx.set_materialize_grads(False)
        return spikes, now

    @staticmethod
    @once_differentiable
    def backward(ctx, gs, gnow):
        state, leak, theta = ctx.saved_tensors
        membrane, ctx.membrane = ctx.membrane, None
        if membrane is None:
            raise Fault(
                "second backward through a neuron that keeps its membrane to itself",
                do="call kernels.sequence(membrane=True), or output=True in the layer",
            )
        if not len(membrane):  # no step: the state comes out as it went in
            return membrane, None, None, gnow, None, None, None
        at = Launch(ctx.rule, leak, theta, membrane.shape, ctx.needs_input_grad)
        carry, gu = begin(None, membrane), None
        gs = begin(None, membrane)[None] if gs is None else rows(gs)
        if gnow is not None and len(membrane):
            gs, gu = last_step(at, membrane, gs, gnow)
        at.backward(gs, gu, membrane, carry, None)
        return *at.gradients(membrane, carry, state), None


class Recomputed(torch.autograd.Function):
    """current, leak, θ, state -> spikes, last state (detached)."""

    @staticmethod
    def forward(ctx, current, leak, theta, state, rule, check):
        shape, dtype = current.shape, current.dtype
        spikes, now = pool.empty(shape, dtype), begin(state, current)
        ctx.chunk = max(8, CHUNK // max(1, now.numel()))
        parts = range(0, shape[0], ctx.chunk)
        borders = pool.empty((len(parts), *shape[1:]), dtype)
        current = current.contiguous()
        at = Launch(rule, leak, theta, shape)
        for i, t in enumerate(parts):
            borders[i] = now
            some = slice(t, t + ctx.chunk)
            at.forward(current[some], now, spikes[some], None, check)
        ctx.save_for_backward(current, borders, leak, theta)
        ctx.rule = rule
        ctx.mark_non_differentiable(now)
        return spikes, now

    @staticmethod
    @once_differentiable
    def backward(ctx, gs, _):
        current, borders, leak, theta = ctx.saved_tensors
        shape, chunk, gs = current.shape, ctx.chunk, rows(gs)
        at = Launch(ctx.rule, leak, theta, shape, ctx.needs_input_grad)
        grad, carry = pool.empty(shape, current.dtype), begin(None, current)
        scratch = torch.empty((min(chunk, shape[0]), *shape[1:]), dtype=current.dtype)
        for i in reversed(range(len(borders))):
            some = slice(i * chunk, (i + 1) * chunk)
            membrane = scratch[: len(current[some])]
            at.forward(current[some], borders[i].clone(), None, membrane, False)
            part = gs[some] if len(gs) > 1 else gs
            at.backward(part, None, membrane, carry, grad[some])
        return at.gradients(grad, carry, borders[0] if len(borders) else carry)


def _taken(current: Tensor) -> Tensor:
    """The memory of `current` for our own use; autograd will see that it changed."""
    if current.is_leaf and current.requires_grad:
        raise Fault(
            "inplace=True would overwrite a leaf that wants a gradient",
            expected="the output of another layer",
            do="leave inplace off for the network's input",
        )
    torch.autograd.graph.increment_version(current)
    return current.detach()
