"""`sequence`: the public door to the time loop, where inputs are checked."""

import torch
from torch import Tensor

from lindecay.kernels import cpu, plain
from lindecay.kernels.rule import Rule
from lindecay.settings import Fault


def sequence(
    current: Tensor,
    *,
    rule: Rule | None = None,
    lam=0.0,
    beta=1.0,
    theta=1.0,
    state: Tensor | None = None,
    beta_q=None,
    membrane: bool = True,
    recompute: bool = False,
    inplace: bool = False,
    backend: str = "auto",
    check: str = "all",
    fire=None,
    **fields,
) -> tuple[Tensor, Tensor]:
    """Run neurons over a whole sequence.

    current: [T, B, …, N], float32 or float64; the last axis is the neuron.
    lam, beta, theta: number or tensor, scalar or [N] (or any shape that broadcasts
        against [B, …, N]); gradients flow to the tensors.
    beta_q: whole-number β, with shift=n: V ← round(β_q·V / 2^n).
    state: V before the first step, [B, …, N] (U if the reset is delayed).
    rule, or its fields as keywords: law, reset, detach_reset, delayed, clamp,
        surrogate, slope, scale, shift, rounding (see Rule).
    fire: any callable of (U − θ)/scale instead of a named surrogate.
    membrane: False returns the state after the last step instead of U. It is faster,
        because the gradient is then written over U; backward works once.
    recompute: with membrane=False, keep few states and compute U again in the adjoint.
    inplace: with membrane=False, write U over `current`, which is then used up (as in
        nn.ReLU(inplace=True); not for a leaf that wants a gradient).
    backend: auto | fused | plain.
    check: all | input (parameters are known to be right) | none.
    Returns spikes and U (membrane before the reset), both shaped as current.
    Raises Fault for wrong rank, dtype, NaN or infinite input, λ < 0, λ ≥ θ, θ ≤ 0.

    >>> current = torch.full((4, 1, 1), 0.6)
    >>> spikes, membrane = sequence(current, lam=0.1)
    >>> spikes.flatten().tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    if fields or rule is None:
        rule = rule.but(**fields) if rule else Rule(**fields)
    beta = beta if beta_q is None else beta_q
    lam, beta, theta = (_tensor(x, current) for x in (lam, beta, theta))
    fused = choose(backend, current, rule, fire)
    if check != "none":
        check_input(current, lam, beta, theta, state, rule, values=not fused)
    if check == "all":
        check_parameters(lam, beta, theta, rule)
    if fused:
        keep = "membrane" if membrane else "recompute" if recompute else "private"
        look = check != "none"
        return cpu.run(current, lam, beta, theta, state, rule, look, keep, inplace)
    if state is None:
        state = current.new_zeros(current.shape[1:])
    spikes, u = plain.loop(current, lam, beta, theta, state, rule, fire)
    if membrane:
        return spikes, u
    if not len(current):
        return spikes, state
    return spikes, settle(u[-1], spikes[-1], theta=theta, rule=rule)


def choose(backend, current, rule, fire) -> bool:
    """True for the fused loop; a Fault when it was asked for and cannot run."""
    if backend not in ("auto", "fused", "plain"):
        raise Fault("unknown backend", expected="auto | fused | plain", found=backend)
    fits = cpu.fits(current, rule, fire)
    if backend == "fused" and not fits:
        raise Fault(
            "the fused loop cannot run this",
            expected="float32 or float64 on CPU and a named surrogate",
            found=f"{current.dtype} on {current.device}, {rule}",
        )
    return fits and backend != "plain"


def settle(membrane, spikes, *, theta=1.0, rule: Rule | None = None, **fields):
    """V after the step that ended in U = `membrane`: the state of the next step."""
    rule = rule.but(**fields) if rule else Rule(**fields)
    if rule.delayed:
        return membrane
    return plain.settle(membrane, spikes, _tensor(theta, membrane), rule)


def _tensor(x, like: Tensor) -> Tensor:
    if not isinstance(like, Tensor):
        raise Fault("current must be a tensor", found=type(like).__name__)
    return torch.as_tensor(x, device=like.device).to(like.dtype)


def check_input(current, lam, beta, theta, state, rule, values=True):
    """Faults of rank, dtype and value, before anything runs."""
    if current.dim() < 2:
        raise Fault(
            "current has the wrong rank",
            expected="[time, batch, …, neurons]",
            found=list(current.shape),
        )
    if current.dtype not in (torch.float32, torch.float64, torch.bfloat16):
        raise Fault(
            "current has the wrong dtype",
            expected="float32 or float64",
            found=str(current.dtype).removeprefix("torch."),
        )
    if state is not None and state.shape != current.shape[1:]:
        raise Fault(
            "state has the wrong shape",
            expected=list(current.shape[1:]),
            found=list(state.shape),
        )
    for name, p in (("λ", lam), ("β", beta), ("θ", theta)):
        check_shape(name, p, current.shape[1:])
    if values and not torch.isfinite(current).all():
        raise Fault("current is not finite", found="NaN or infinity")


def check_shape(name, p, shape):
    """A parameter must broadcast to [batch, …, neurons] and not beyond it."""
    if p.numel() == 1 or p.shape == shape[-p.dim() :]:
        return  # asking torch takes longer than a small layer
    try:
        fits = torch.broadcast_shapes(p.shape, shape) == shape
    except RuntimeError:
        fits = False
    if not fits:
        raise Fault(
            f"{name} has the wrong shape",
            expected=f"one number, or what broadcasts to {list(shape)}",
            found=list(p.shape),
        )


def check_parameters(lam, beta, theta, rule):
    """θ > 0, 0 ≤ λ < θ, 0 ≤ β ≤ 1 (0 ≤ β_q ≤ 2^shift)."""
    if not (theta > 0).all():
        raise Fault("θ must be positive", found=_worst(theta, theta <= 0))
    if not (lam >= 0).all():
        raise Fault("λ must not be negative", found=_worst(lam, ~(lam >= 0)))
    if not (lam < theta).all():
        raise Fault("λ must be below θ", found=_worst(lam - theta, lam >= theta))
    top = 2.0 ** (rule.shift or 0)
    if rule.law == "exponential" and not ((beta >= 0) & (beta <= top)).all():
        raise Fault("β out of range", expected=f"0 … {top:g}", found=beta.tolist())


def _worst(values, where):
    bad = values[where.expand_as(values)] if values.dim() else values
    return f"{bad.flatten()[0].item():g}"
