"""The fused loop as one autograd node: U is stored, or recomputed chunk by chunk.

Stored: 24 bytes an element pass through memory (read I, write S and U; read U and
g_S, write g_I). Recomputed (chunk=K): only the states at chunk borders are kept.
"""

import torch
from torch import Tensor

from lindecay.kernels import fused, pool
from lindecay.kernels.rule import Rule
from lindecay.settings import Fault

DTYPES = (torch.float32, torch.float64)


def fits(current: Tensor, rule: Rule, fire) -> bool:
    """Whether the fused loop can run this; everything else goes to plain torch."""
    late = rule.delayed and rule.reset == "subtract" and rule.law == "floor_after"
    plain_tensor = type(current) in (Tensor, torch.nn.Parameter)
    on_cpu = current.device.type == "cpu" and current.dtype in DTYPES
    return on_cpu and plain_tensor and fire is None and not late


def leak_of(rule: Rule, lam: Tensor, beta: Tensor) -> Tensor:
    """The one parameter of the rule's law."""
    return beta if rule.law == "exponential" else lam


def per_neuron(p: Tensor, shape) -> Tensor:
    """A parameter as a flat array whose index is the neuron's, modulo its length.

    shape: [B, …, N]. A scalar stays one number, [N] stays N numbers.
    """
    if p.numel() == 1:
        return p.detach().reshape(1)
    inner = shape if p.dim() >= len(shape) and p.shape[0] != 1 else shape[1:]
    p = p.detach()
    p = p[0] if p.dim() > len(inner) else p
    return p.expand(inner).reshape(-1).contiguous()


def gathered(g: Tensor, p: Tensor, shape) -> Tensor:
    """The gradient of `per_neuron`, in the shape and dtype of the parameter."""
    if p.numel() > 1:
        inner = shape if g.numel() == shape.numel() and shape[0] != 1 else shape[1:]
        g = g.reshape(inner)
        g = g.sum_to_size(p.shape[-g.dim() :] if p.dim() > g.dim() else p.shape)
    return g.reshape(p.shape).to(p.dtype)


class Sequence(torch.autograd.Function):
    """current, leak, θ, state -> spikes, U."""

    @staticmethod
    def forward(ctx, current, leak, theta, state, rule, check):
        shape, dtype = current.shape, current.dtype
        now = current.detach().contiguous()
        spikes, membrane = pool.empty(shape, dtype), pool.empty(shape, dtype)
        p, th = per_neuron(leak, shape[1:]), per_neuron(theta, shape[1:])
        run_forward(rule, now, _copy(state, shape), spikes, membrane, p, th, check)
        ctx.save_for_backward(membrane, state, leak, theta)
        ctx.rule = rule
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gs, gu):
        membrane, state, leak, theta = ctx.saved_tensors
        shape, dtype = membrane.shape, membrane.dtype
        grad = pool.empty(shape, dtype)
        gs = torch.zeros_like(membrane) if gs is None else gs.contiguous()
        gu = None if gu is None else gu.contiguous()
        carry = torch.zeros(shape[1:], dtype=dtype)
        first = torch.zeros_like(carry) if state is None else state.contiguous()
        p, th = per_neuron(leak, shape[1:]), per_neuron(theta, shape[1:])
        learn = any(ctx.needs_input_grad[1:3])
        gp, gth = run_backward(
            ctx.rule, gs, gu, membrane, first, carry, grad, p, th, learn
        )
        return (
            grad,
            gathered(gp, leak, shape[1:]) if ctx.needs_input_grad[1] else None,
            gathered(gth, theta, shape[1:]) if ctx.needs_input_grad[2] else None,
            carry if ctx.needs_input_grad[3] else None,
            None,
            None,
        )


def _copy(state, shape):
    if state is None:
        return None
    return state.detach().clone(memory_format=torch.contiguous_format)


def _flat(x: Tensor):
    """[T, …] as numpy [T, neurons]."""
    return x.detach().reshape(x.shape[0], -1).numpy()


def run_forward(rule, current, state, spikes, membrane, p, th, check):
    """One chunk; `state` is overwritten by the state after it."""
    if not current.numel():
        return
    if state is None:
        state = torch.zeros(current.shape[1:], dtype=current.dtype)
    go = fused.forward(rule, p.numel() + th.numel() > 2)
    const = fused.constants(rule, current.numpy().dtype)
    flat = (_flat(x) for x in (spikes, membrane))
    fine = go(
        _flat(current), state.reshape(-1).numpy(), *flat, p.numpy(), th.numpy(), const
    )
    if check and not fine:
        raise Fault("current is not finite", found="NaN or infinity")


def run_backward(rule, gs, gu, membrane, first, carry, grad, p, th, learn, start=True):
    """The adjoint of one chunk; `carry` becomes the gradient of its first state."""
    gp = torch.zeros(p.shape, dtype=torch.float64)
    gth = torch.zeros(th.shape, dtype=torch.float64)
    if not membrane.numel():
        return gp, gth
    vector = p.numel() + th.numel() > 2
    go = fused.backward(rule, vector, gu is not None, learn)
    go(
        _flat(gs),
        _flat(gs if gu is None else gu),
        _flat(membrane),
        first.detach().reshape(-1).numpy(),
        start,
        carry.reshape(-1).numpy(),
        _flat(grad),
        p.numpy(),
        th.numpy(),
        gp.numpy(),
        gth.numpy(),
        fused.constants(rule, membrane.numpy().dtype),
    )
    return gp, gth
