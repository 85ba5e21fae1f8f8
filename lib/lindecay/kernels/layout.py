"""What stands between torch tensors and the compiled loops: layout, dtype, leaves.

One flat array per tensor, [T, neurons]; parameters are one number, or one a neuron.
"""

from math import prod

import numpy as np
import torch
from torch import Tensor

from lindecay.kernels import fused, plain, threads
from lindecay.kernels.rule import Rule
from lindecay.settings import Fault

STILL = ("shrink", "floor", "exponential", "none")  # λ, β do nothing to V = 0
SHORT = 1024  # neurons in the shortest stretch of parameters


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


def begin(state, like: Tensor) -> Tensor:
    """A private copy of the state before the first step (rest, if there is none)."""
    if state is None:
        return like.new_zeros(like.shape[1:])
    return state.detach().clone(memory_format=torch.contiguous_format)


def rows(g: Tensor) -> Tensor:
    """A gradient row by row; one row if it is the same at every step (spike counts)."""
    same = len(g) > 1 and g.stride(0) == 0
    return (g[:1] if same else g).contiguous()


def flat(x: Tensor):
    """[T, …] as numpy [T, neurons]."""
    return x.detach().reshape(x.shape[0], -1).numpy()


def period_of(parameters, shape, learn: bool) -> int:
    """Neurons after which all parameters repeat, and their gradients are summed.

    A whole row where nothing differs; else at least SHORT, so that the loop over one
    stretch is worth starting and its parameters stay in the first cache.
    """
    most = max(1, *(p.numel() for p in parameters))
    if most == 1 and not learn:
        return max(1, prod(shape[1:]))
    return most * -(-SHORT // most)


class Launch:
    """Leak, threshold and bias (None: there is none) as the compiled loops read them,
    and the gradients of the first two."""

    def __init__(self, rule, leak, theta, shape, needs=(False,) * 4, bias=None):
        self.rule, self.leak, self.theta, self.shape = rule, leak, theta, shape[1:]
        self.p, self.th = per_neuron(leak, shape[1:]), per_neuron(theta, shape[1:])
        self.vector = self.p.numel() + self.th.numel() > 2
        parameters, self.biased = [self.p, self.th], bias is not None
        if self.biased:
            parameters.append(per_neuron(bias, shape[1:]))
        self.period = period_of(parameters, shape, any(needs[1:3]))
        self.stretched = [x.numpy() for x in parameters[:2]]
        if self.vector:
            self.stretched = [np.resize(x, self.period) for x in self.stretched]
        more = parameters[-1].numpy()
        self.bias = np.resize(more, self.period) if self.biased else more
        self.more_theta = 0.0  # what reaches θ past the loop
        self.needs, self.kind = needs, fused.kind(rule)
        self.gp = torch.zeros(self.p.shape, dtype=torch.float64)
        self.gth = torch.zeros(self.th.shape, dtype=torch.float64)
        self.const = fused.constants(rule, self.p.numpy().dtype)

    def forward(self, current, state, spikes, membrane, check):
        """One chunk; `state` is overwritten by the state after it."""
        if not current.numel():
            return
        fires, stores = spikes is not None, membrane is not None
        inplace = stores and membrane.data_ptr() == current.data_ptr()
        how = (self.vector, fires, stores, inplace, self.biased)
        go = fused.forward(self.kind, *how)
        outs = [flat(current if x is None else x) for x in (spikes, membrane)]
        now = state.reshape(-1).numpy()
        given = (*self.stretched, self.bias, self.const, self.period)
        given = (flat(current), now, *outs, *given)
        ok = threads.shared(go, given, len(now), current.numel(), fused.step_of(False))
        if check and not all(ok):
            raise Fault("current is not finite", found="NaN or infinity")

    def backward(self, gs, gu, membrane, carry, grad):
        """The adjoint of one chunk; `carry` is δ of the step after it, then of its
        first step. Without `grad` the gradient is written over `membrane`."""
        if not membrane.numel():
            return
        learn = any(self.needs[1:3])
        inplace = grad is None
        go = fused.backward(self.kind, self.vector, gu is not None, learn, inplace)
        u = flat(membrane)
        rows = fused.rows_of(*u.shape, self.period) if learn else 1
        sums = np.zeros((2, rows + 1, self.period if learn else 1), u.dtype)
        given = (flat(gs), u if gu is None else flat(gu), u, carry.reshape(-1).numpy())
        given += (u if inplace else flat(grad), *self.stretched, sums)
        given += (self.const, self.period)
        step = fused.step_of(learn)
        threads.shared(go, given, u.shape[1], membrane.numel(), step)
        if learn:
            fused.collected(self.gp.numpy(), sums[0])
            fused.collected(self.gth.numpy(), sums[1])

    def gradients(self, grad, carry, first):
        """What autograd wants for current, leak, θ, state, rule, check; first: the
        state before the first step, None at rest."""
        if not any(self.needs[1:4]):
            return grad, None, None, None, None, None
        before, gleak, gtheta = self.origin(carry, first)
        gleak = gleak + gathered(self.gp, self.leak, self.shape)
        gtheta = gtheta + gathered(self.gth, self.theta, self.shape) + self.more_theta
        chosen = zip((gleak, gtheta, before), self.needs[1:4])
        return grad, *(g if wanted else None for g, wanted in chosen), None, None

    def origin(self, carry, first):
        """`origin`, or zeros where nothing but rest was before the first step."""
        still = self.rule.law in STILL and not self.rule.delayed
        if first is None and still:
            return None, 0.0, 0.0
        first = torch.zeros_like(carry) if first is None else first
        return origin(self.rule, first, carry, self.leak, self.theta)


@torch.enable_grad()
def last_step(at: Launch, membrane, gs, gstate):
    """g_S and g_U with what comes in through the state after the last step."""
    u = membrane[-1].clone().requires_grad_()
    th = at.theta.detach().clone().requires_grad_()
    x = (u.detach() - th.detach()) / at.rule.scale
    s = (x > 0).to(u.dtype).requires_grad_()
    v = u if at.rule.delayed else plain.settle(u, s, th, at.rule)
    v = v + 0 * (u + s + th)
    gu_last, gs_last, gth = torch.autograd.grad(v, (u, s, th), gstate)
    at.more_theta = gth
    gs, gu = gs.expand(membrane.shape).clone(), torch.zeros_like(membrane)
    gs[-1] += gs_last
    gu[-1] = gu_last
    return gs, gu


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
