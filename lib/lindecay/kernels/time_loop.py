"""`sequence`: the public door to the time loop, where inputs are checked."""

from torch import Tensor

from lindecay.kernels import cpu, gpu, plain
from lindecay.kernels.rule import Rule
from lindecay.kernels.values import (
    check_finite,
    check_parameters,
    check_shape,
    finite,
    floating,
    spike_dtype,
    traced,
    wide,
)
from lindecay.settings import Fault

CHECKS = ("all", "input", "none")
BACKENDS = ("auto", "fused", "triton", "plain")


def sequence(
    current: Tensor,
    *,
    rule: Rule | None = None,
    lam=0.0,
    beta=1.0,
    theta=1.0,
    state: Tensor | None = None,
    beta_q=None,
    bias=None,
    membrane: bool = True,
    recompute: bool = False,
    inplace: bool = False,
    backend: str = "auto",
    check: str = "all",
    fire=None,
    **fields,
) -> tuple[Tensor, Tensor]:
    """Run neurons over a whole sequence.

    current: [T, B, …, N]; the last axis is the neuron. float32 or float64; narrower
        floats, bool and bytes are taken, their membranes are kept in float32.
    lam, beta, theta: number or tensor, scalar or [N] (or any shape that broadcasts
        against [B, …, N]); gradients flow to the tensors.
    beta_q: whole-number β, with shift=n: V ← round(β_q·V / 2^n).
    bias: a current that every step adds, as λ, β and θ: number or tensor.
    state: V before the first step, [B, …, N] (U if the reset is delayed).
    rule, or its fields as keywords: law, reset, detach_reset, delayed, clamp,
        surrogate, slope, scale, shift, rounding (see Rule).
    fire: any callable of (U − θ)/scale instead of a named surrogate.
    membrane: False returns the state after the last step instead of U. It is faster,
        because the gradient is then written over U; backward works once.
    recompute: with membrane=False, keep few states and compute U again in the adjoint.
    inplace: with membrane=False, write U over `current`, which is then used up (as in
        nn.ReLU(inplace=True); not for a leaf that wants a gradient). The fused loop
        does all three; the others keep U.
    backend: auto | fused | triton | plain; auto is fused on CPU and triton on CUDA, or
        plain where they cannot run. Both compiled loops give the plain loop's spikes.
    check: all | input (parameters are known to be right) | none.
    Returns spikes, in the input's floating-point dtype, and U (membrane before the
    reset), both shaped as current.
    Raises Fault for wrong rank, dtype, NaN or infinite values, λ < 0, λ ≥ θ, θ ≤ 0.

    >>> import torch
    >>> current = torch.full((4, 1, 1), 0.6)
    >>> spikes, membrane = sequence(current, lam=0.1)
    >>> spikes.flatten().tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    if fields or rule is None:
        rule = rule.but(**fields) if rule else Rule(**fields)
    if check not in CHECKS:
        raise Fault("unknown check", expected=" | ".join(CHECKS), found=repr(check))
    beta = beta if beta_q is None else beta_q
    given, current = current, wide("current", current)
    names = zip(("λ", "β", "θ"), (lam, beta, theta))
    lam, beta, theta = (_tensor(name, x, current) for name, x in names)
    bias = None if bias is None else _tensor("bias", bias, current)
    state = None if state is None else wide("state", state).to(current)
    check = "shape" if traced(current) and check != "none" else check
    way = choose(backend, current, rule, fire)
    if check != "none":
        look = check != "shape" and way == "plain"
        check_input(current, lam, beta, theta, state, bias, values=look)
    if check == "all":
        check_parameters(lam, beta, theta, rule)
    look = check != "none"
    if way == "fused":
        keep = "membrane" if membrane else "recompute" if recompute else "private"
        all_ = (current, lam, beta, theta, state, rule)
        spikes, u = cpu.run(*all_, look, keep, inplace, bias)
        return spikes.to(spike_dtype(given)), u
    current = current if bias is None else current + bias
    if state is None:
        state = current.new_zeros(current.shape[1:])
    lam, beta, theta = (
        x.reshape(()) if x.numel() == 1 else x for x in (lam, beta, theta)
    )
    if way == "triton":
        spikes, u = gpu.run(current, lam, beta, theta, state, rule, look)
    else:
        spikes, u = plain.loop(current, lam, beta, theta, state, rule, fire)
    if not membrane:
        u = settle(u[-1], spikes[-1], theta=theta, rule=rule) if len(u) else state
    return spikes.to(spike_dtype(given)), u


def choose(backend, current, rule, fire) -> str:
    """fused | triton | plain; a Fault when one was asked for and cannot run."""
    if backend not in BACKENDS:
        expected = " | ".join(BACKENDS)
        raise Fault("unknown backend", expected=expected, found=backend)
    fits = cpu.fits(current, rule, fire)
    if backend == "fused" and not fits:
        raise Fault(
            "the fused loop cannot run this",
            expected="float32 or float64 on CPU and a named surrogate",
            found=f"{current.dtype} on {current.device}, {rule}",
        )
    if backend == "triton":
        gpu.demand(current, rule, fire)
    if backend != "auto":
        return backend
    if fits:
        return "fused"
    return "triton" if gpu.fits(current, rule, fire) else "plain"


def settle(membrane, spikes, *, theta=1.0, rule: Rule | None = None, **fields):
    """V after the step that ended in U = `membrane`: the state of the next step."""
    if fields or rule is None:
        rule = rule.but(**fields) if rule else Rule(**fields)
    if rule.delayed:
        return membrane
    return plain.settle(membrane, spikes, _tensor("θ", theta, membrane), rule)


def _tensor(name: str, x, like: Tensor) -> Tensor:
    return floating(name, x).to(device=like.device, dtype=like.dtype)


def check_input(current, lam, beta, theta, state, bias=None, values=True):
    """Faults of rank, dtype and value, before anything runs."""
    if current.dim() < 2:
        raise Fault(
            "current has the wrong rank",
            expected="[time, batch, …, neurons]",
            found=list(current.shape),
        )
    if state is not None and state.shape != current.shape[1:]:
        raise Fault(
            "state has the wrong shape",
            expected=list(current.shape[1:]),
            found=list(state.shape),
        )
    for name, p in (("λ", lam), ("β", beta), ("θ", theta), ("bias", bias)):
        if p is not None:
            check_shape(name, p, current.shape[1:])
    if bias is not None and not traced(current):
        check_finite("bias", bias)
    if values and not finite(current):
        check_finite("current", current)
    if state is not None and not traced(current) and not finite(state):
        check_finite("state", state)
