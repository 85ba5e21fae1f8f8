"""The fused loop as one autograd node: U is stored, or recomputed chunk by chunk.

Stored: 24 bytes an element pass through memory (read I, write S and U; read U and
g_S, write g_I). Recomputed (chunk=K): only the states at chunk borders are kept.
"""

import torch
from torch import Tensor

from lindecay.kernels import fused, plain, pool
from lindecay.kernels.rule import Rule
from lindecay.settings import Fault

CHUNK = 1 << 19  # elements of U that are computed again at a time: they stay in L3
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


class Stored(torch.autograd.Function):
    """current, leak, θ, state -> spikes, U; U is what the adjoint needs."""

    @staticmethod
    def forward(ctx, current, leak, theta, state, rule, check):
        shape, dtype = current.shape, current.dtype
        spikes, membrane = pool.empty(shape, dtype), pool.empty(shape, dtype)
        at = Parameters(rule, leak, theta, shape)
        at.forward(current.contiguous(), begin(state, current), spikes, membrane, check)
        ctx.save_for_backward(membrane, state, leak, theta)
        ctx.rule = rule
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gs, gu):
        membrane, state, leak, theta = ctx.saved_tensors
        at = Parameters(ctx.rule, leak, theta, membrane.shape, ctx.needs_input_grad)
        grad = pool.empty(membrane.shape, membrane.dtype)
        carry = begin(None, membrane)
        gs = torch.zeros_like(membrane) if gs is None else gs.contiguous()
        gu = None if gu is None else gu.contiguous()
        at.backward(gs, gu, membrane, carry, grad)
        return at.gradients(grad, carry, begin(state, membrane))


class Recomputed(torch.autograd.Function):
    """current, leak, θ, state -> spikes, last state; U is computed again in chunks."""

    @staticmethod
    def forward(ctx, current, leak, theta, state, rule, check, chunk):
        shape, dtype = current.shape, current.dtype
        spikes, now = pool.empty(shape, dtype), begin(state, current)
        parts = range(0, shape[0], chunk)
        borders = pool.empty((len(parts), *shape[1:]), dtype)
        current = current.contiguous()
        at = Parameters(rule, leak, theta, shape)
        for i, t in enumerate(parts):
            borders[i] = now
            some = slice(t, t + chunk)
            at.forward(current[some], now, spikes[some], None, check)
        ctx.save_for_backward(current, borders, leak, theta)
        ctx.rule, ctx.chunk = rule, chunk
        ctx.mark_non_differentiable(now)
        return spikes, now

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gs, _):
        current, borders, leak, theta = ctx.saved_tensors
        shape, chunk, gs = current.shape, ctx.chunk, gs.contiguous()
        at = Parameters(ctx.rule, leak, theta, shape, ctx.needs_input_grad)
        grad, carry = pool.empty(shape, current.dtype), begin(None, current)
        scratch = torch.empty((min(chunk, shape[0]), *shape[1:]), dtype=current.dtype)
        for i in reversed(range(len(borders))):
            some = slice(i * chunk, (i + 1) * chunk)
            membrane = scratch[: len(current[some])]
            at.forward(current[some], borders[i].clone(), None, membrane, False)
            at.backward(gs[some], None, membrane, carry, grad[some])
        first = borders[0] if len(borders) else carry
        return *at.gradients(grad, carry, first), None


@torch.compiler.disable
def run(current, leak, theta, state, rule, check, membrane, chunk):
    """The fused loop, with U stored or computed again."""
    if membrane:
        return Stored.apply(current, leak, theta, state, rule, check)
    row = max(1, current[0].numel() if len(current) else 1)
    chunk = chunk or max(8, CHUNK // row)
    return Recomputed.apply(current, leak, theta, state, rule, check, chunk)


def begin(state, like: Tensor) -> Tensor:
    """A private copy of the state before the first step (rest, if there is none)."""
    if state is None:
        return torch.zeros(like.shape[1:], dtype=like.dtype)
    return state.detach().clone(memory_format=torch.contiguous_format)


def flat(x: Tensor):
    """[T, …] as numpy [T, neurons]."""
    return x.detach().reshape(x.shape[0], -1).numpy()


class Parameters:
    """Leak and threshold as the compiled loops read them, and their gradients."""

    def __init__(self, rule, leak, theta, shape, needs=(False,) * 4):
        self.rule, self.leak, self.theta, self.shape = rule, leak, theta, shape[1:]
        self.p, self.th = per_neuron(leak, shape[1:]), per_neuron(theta, shape[1:])
        self.vector = self.p.numel() + self.th.numel() > 2
        self.needs, self.kind = needs, fused.kind(rule)
        self.gp = torch.zeros(self.p.shape, dtype=torch.float64)
        self.gth = torch.zeros(self.th.shape, dtype=torch.float64)
        self.const = fused.constants(rule, self.p.numpy().dtype)

    def forward(self, current, state, spikes, membrane, check):
        """One chunk; `state` is overwritten by the state after it."""
        if not current.numel():
            return
        fires, stores = spikes is not None, membrane is not None
        go = fused.forward(self.kind, self.vector, fires, stores)
        outs = [flat(current if x is None else x) for x in (spikes, membrane)]
        now = state.reshape(-1).numpy()
        ok = go(flat(current), now, *outs, self.p.numpy(), self.th.numpy(), self.const)
        if check and not ok:
            raise Fault("current is not finite", found="NaN or infinity")

    def backward(self, gs, gu, membrane, carry, grad):
        """The adjoint of one chunk; `carry` is δ of the step after it, then of its
        first step."""
        if not membrane.numel():
            return
        learn = any(self.needs[1:3])
        go = fused.backward(self.kind, self.vector, gu is not None, learn)
        go(
            *(flat(x) for x in (gs, gs if gu is None else gu, membrane)),
            carry.reshape(-1).numpy(),
            flat(grad),
            *(x.numpy() for x in (self.p, self.th, self.gp, self.gth)),
            self.const,
        )

    def gradients(self, grad, carry, first):
        """What autograd wants for current, leak, θ, state, rule, check."""
        if not any(self.needs[1:4]):
            return grad, None, None, None, None, None
        before, gleak, gtheta = origin(self.rule, first, carry, self.leak, self.theta)
        gleak = gleak + gathered(self.gp, self.leak, self.shape)
        gtheta = gtheta + gathered(self.gth, self.theta, self.shape)
        chosen = zip((gleak, gtheta, before), self.needs[1:4])
        return grad, *(g if wanted else None for g, wanted in chosen), None, None


@torch.enable_grad()
def origin(rule: Rule, first, carry, leak, theta):
    """From δ[0] to the gradients of the state before the first step, leak and θ."""
    v, p, th = (x.detach().clone().requires_grad_() for x in (first, leak, theta))
    x, held = v, 0 * v
    if rule.delayed:
        held = plain.Fire.apply((v - th) / rule.scale, rule.surrogate, rule.slope)
        held = held.detach() if rule.detach_reset else held
    if rule.delayed and rule.reset == "zero":
        x = (1 - held) * v
    x = plain.decayed(x, p, p, rule)  # after integration: δ already carries the slope
    if rule.delayed and rule.reset == "subtract":
        x = x - held * th
    x = x + 0 * (p.sum() + th.sum())  # so that each of them has a gradient
    return list(torch.autograd.grad(x, (v, p, th), carry))
