"""The time loop in plain torch: any device, any dtype, the oracle of the fused loop.

D = decay(V); U = clamp(D + I); S = [U > θ]; V = U − θ·S
"""

import math

import torch
from torch import Tensor

from lindecay import decay
from lindecay.kernels.rule import Rule
from lindecay.laws import OWN


def surrogate_slope(x: Tensor, kind: str, k: float) -> Tensor:
    """σ'(x): what stands for the derivative of the step, as in snntorch.surrogate."""
    if kind == "fast_sigmoid":
        return 1 / (1 + k * x.abs()) ** 2
    if kind == "atan":
        return k / 2 / (1 + (math.pi / 2 * k * x) ** 2)
    if kind == "sigmoid":
        half = torch.sigmoid(k * x)
        return k * half * (1 - half)
    return torch.ones_like(x)


class Fire(torch.autograd.Function):
    """[x > 0] forward, σ'(x) backward."""

    @staticmethod
    def forward(ctx, x, kind, k):
        ctx.save_for_backward(x)
        ctx.kind, ctx.k = kind, k
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * surrogate_slope(x, ctx.kind, ctx.k), None, None


class Bounded(torch.autograd.Function):
    """Clamp to [low, high]; no gradient where the result lies on a bound."""

    @staticmethod
    def forward(ctx, x, low, high):
        u = x.clamp(low, high)
        ctx.save_for_backward((u > low) & (u < high))
        return u

    @staticmethod
    def backward(ctx, g):
        (inside,) = ctx.saved_tensors
        return g * inside, None, None


class Whole(torch.autograd.Function):
    """Round to whole numbers; the gradient passes straight through."""

    @staticmethod
    def forward(ctx, x, rounding):
        return decay.rounded(x, rounding)

    @staticmethod
    def backward(ctx, g):
        return g, None


class Shrink(torch.autograd.Function):
    """sign(V)·max(|V| − λ, 0) with slope 0 at |V| = λ (torch's clamp passes there)."""

    @staticmethod
    def forward(ctx, v, lam):
        ctx.save_for_backward(v, lam)
        return decay.shrink(v, lam)

    @staticmethod
    def backward(ctx, g):
        v, lam = ctx.saved_tensors
        dv, dlam = decay.LAWS["shrink"].slopes(v, lam)
        return g * dv, (g * dlam).sum_to_size(lam.shape)


class Own(torch.autograd.Function):
    """A law of `lindecay.laws` with the slopes that it states."""

    @staticmethod
    def forward(ctx, v, lam, law):
        ctx.save_for_backward(v, lam)
        ctx.law = law
        return law.step(v, lam)

    @staticmethod
    def backward(ctx, g):
        v, lam = ctx.saved_tensors
        dv, dlam = ctx.law.slopes(v, lam)
        return g * dv, (g * dlam).sum_to_size(lam.shape), None


class Timed(torch.autograd.Function):
    """λ of one step, with the slope that its law states."""

    @staticmethod
    def forward(ctx, lam, law, t):
        value, ctx.slope = law.timed(lam, t)
        return value

    @staticmethod
    def backward(ctx, g):
        return g * ctx.slope, None, None


def decayed(v: Tensor, lam: Tensor, beta: Tensor, rule: Rule) -> Tensor:
    """One step of the rule's law; the identity for laws that act after integration."""
    if rule.law == "shrink":
        return Shrink.apply(v, lam)
    if rule.law == "floor":
        return torch.relu(v - lam)
    if rule.law == "drift":
        return v - lam
    if rule.law == "exponential":
        if rule.shift is None:
            return beta * v
        return Whole.apply(beta * v * 2.0**-rule.shift, rule.rounding)
    if rule.law == "shift":
        return v - Whole.apply(v * 2.0**-rule.shift, rule.rounding)
    if rule.law in OWN:
        return Own.apply(v, lam, OWN[rule.law])
    return v


def integrate(v, current, lam, beta, rule):
    """Decay and add the input, in the order of the law."""
    if rule.law == "floor_after":
        return torch.relu(v + current - lam)
    return decayed(v, lam, beta, rule) + current


def step(v, s, current, lam, beta, theta, rule, fire=None):
    """One step from state (v, s); returns (U, S, next state v).

    s is the last spike and only used when the reset is delayed; `fire` replaces the
    rule's surrogate by any callable of (U − θ)/scale.
    """
    held = s.detach() if rule.detach_reset and s is not None else s
    if rule.delayed and rule.reset == "zero":
        v = (1 - held) * v
    u = integrate(v, current, lam, beta, rule)
    if rule.delayed and rule.reset == "subtract":
        u = u - held * theta
    if rule.clamp is not None:
        u = Bounded.apply(u, *rule.clamp)
    spikes = fired(u, theta, rule, fire)
    return u, spikes, u if rule.delayed else settle(u, spikes, theta, rule)


def fired(u, theta, rule, fire=None) -> Tensor:
    """Spikes in the membrane's dtype: snnTorch's surrogates return float32, which
    times a single θ of float64 would be rounded to float32."""
    x = (u - theta) / rule.scale
    if fire is None:
        return Fire.apply(x, rule.surrogate, rule.slope)
    return fire(x).to(x.dtype)


def settle(u: Tensor, spikes: Tensor, theta: Tensor, rule: Rule) -> Tensor:
    """The membrane after an immediate reset."""
    held = spikes.detach() if rule.detach_reset else spikes
    if rule.reset == "subtract":
        return u - held * theta
    return u * (1 - held) if rule.reset == "zero" else u


class OwnLoop(torch.autograd.Function):
    """`loop` for a law of one's own, adjoint written out: slopes of all steps at once.

    g_U[t] = g_S[t] σ'[t] + ∂L/∂U[t] + g_V[t],  g_V[t−1] = g_U[t] · inside · ∂V'/∂V
    """

    @staticmethod
    def forward(ctx, current, lam, theta, state, rule):
        law = OWN[rule.law]
        before, U, S = (torch.empty_like(current) for _ in range(3))
        told = [law.timed(lam, t) if law.timed else (lam, 1.0) for t in range(len(U))]
        v, low, high = state, *(rule.clamp or (-math.inf, math.inf))
        for t, now in enumerate(current):
            before[t] = v
            u = torch.clamp(law.step(v, told[t][0]) + now, low, high, out=U[t])
            torch.gt(u, theta, out=S[t])
            v = u - S[t] * theta
        each = torch.stack([pair[0] for pair in told])
        each = each.reshape(len(U), *[1] * (current.dim() - 1 - lam.dim()), *lam.shape)
        ctx.save_for_backward(before, U, each, lam, theta)
        ctx.rule, ctx.slopes = rule, [pair[1] for pair in told]
        return S, U

    @staticmethod
    def backward(ctx, g_S, g_U):
        before, U, each, lam, theta = ctx.saved_tensors
        rule = ctx.rule
        dv, dlam = OWN[rule.law].slopes(before, each)
        x = (U - theta) / rule.scale
        g_U = g_U + g_S * surrogate_slope(x, rule.surrogate, rule.slope) / rule.scale
        if rule.clamp is not None:
            inside = ((U > rule.clamp[0]) & (U < rule.clamp[1])).to(U.dtype)
        else:
            inside = torch.ones_like(U)
        g_I, g_v = torch.empty_like(U), torch.zeros_like(U[0])
        for t in range(len(U) - 1, -1, -1):
            torch.mul(g_U[t] + g_v, inside[t], out=g_I[t])
            g_v = g_I[t] * dv[t]
        shape = [len(U), *[1] * (U.dim() - 1)]
        slope = torch.tensor(ctx.slopes, dtype=U.dtype).reshape(shape)
        g_lam = (g_I * dlam * slope).sum_to_size((1, *each.shape[1:]))
        return g_I, g_lam.reshape(lam.shape), None, g_v, None


def written_out(rule, theta, fire) -> bool:
    """Whether `OwnLoop` serves: the usual reset, a threshold that learns nothing."""
    usual = rule.reset == "subtract" and rule.detach_reset and not rule.delayed
    return rule.law in OWN and usual and fire is None and not theta.requires_grad


def loop(current, lam, beta, theta, state, rule, fire=None):
    """current [T, B, N] -> spikes, U [T, B, N].

    unbind(0), not current[t]: indexing makes the backward pass quadratic in T.
    """
    if len(current) and written_out(rule, theta, fire):
        return OwnLoop.apply(current, lam, theta, state, rule)
    v, out = state, []
    own = OWN.get(rule.law)
    s = None
    if rule.delayed:  # the spike that the given state has just fired
        s = fired(v, theta, rule, fire)
    for t, now in enumerate(current.unbind(0)):
        here = Timed.apply(lam, own, t) if own and own.timed else lam
        u, s, v = step(v, s, now, here, beta, theta, rule, fire)
        out.append((s, u))
    if not out:
        return current * 1.0, current * 1.0
    spikes, membranes = zip(*out)
    return torch.stack(spikes), torch.stack(membranes)
