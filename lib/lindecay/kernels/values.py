"""The one door for a neuron's values: θ, λ and β as finite floating-point tensors.

Whatever a user hands over (a number, numpy, an integer tensor) becomes floating point
here, because a λ of 0.1 beside an integer threshold would become 0. Ranges are those of
the contract: 0 ≤ λ < θ, 0 ≤ β ≤ 1 (0 ≤ β_q ≤ 2^shift), all of them finite.
"""

import numbers
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from lindecay.settings import Fault

WIDE = (torch.float32, torch.float64)
NARROW = (
    torch.bfloat16,
    torch.float16,
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
)


def floating(name: str, value) -> Tensor:
    """`value` as a floating-point tensor; a Parameter or tensor of floats as it is.

    Raises:
        Fault: for truth values, complex numbers, words and what is no number at all.

    >>> floating("θ", 1), floating("λ", np.int64(2))
    (tensor(1.), tensor(2.))
    """
    if isinstance(value, Tensor) and value.is_floating_point():
        return value
    if not _number(value):
        found = value.dtype if isinstance(value, Tensor | np.ndarray) else repr(value)
        raise Fault(
            f"{name} is no number",
            expected="a real number, or a tensor of them",
            found=found,
        )
    found = torch.as_tensor(value)
    return found if found.is_floating_point() else found.to(torch.get_default_dtype())


def _number(value) -> bool:
    if isinstance(value, Tensor):
        return not value.is_complex() and value.dtype != torch.bool
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "iuf"
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(_number(v) for v in value)
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def state_dtype(given: Tensor) -> torch.dtype:
    """What a membrane is kept in: float64 for float64, else float32.

    Narrower floats lose what a membrane sums up: 1 + 1/256 is 1 in bfloat16.
    """
    return torch.float64 if given.dtype == torch.float64 else torch.float32


def wide(what: str, given: Tensor) -> Tensor:
    """An input as `state_dtype`; spike trains of truth values and bytes are taken."""
    if not isinstance(given, Tensor):
        raise Fault(f"{what} must be a tensor", found=type(given).__name__)
    if given.dtype in WIDE:
        return given
    if given.dtype not in NARROW:
        raise Fault(
            f"{what} has the wrong dtype",
            expected="float64, float32, float16, bfloat16, or bool, uint8, int8, int16",
            found=str(given.dtype).removeprefix("torch."),
        )
    return given.to(torch.float32)


def spike_dtype(given: Tensor) -> torch.dtype:
    """The dtype of spikes: the input's own where it is floating point."""
    return given.dtype if given.is_floating_point() else torch.float32


def traced(x: Tensor) -> bool:
    """Whether torch only writes down a program (compile, export, jit).

    No value can be asked for then, and no compiled loop of ours can run.

    Raises:
        Fault: inside torch.func's transforms, which no spike can pass.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return True
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        raise Fault(
            "vmap, grad and jvp of torch.func cannot pass a spike's surrogate",
            expected="a plain tensor [time, batch, …, neurons]",
            found=type(x).__name__,
            do="use the batch axis, and backward()",
        )
    return False


def finite(x: Tensor) -> bool:
    """Whether no value is NaN or infinite; one pass, a second one only in doubt.

    >>> finite(torch.tensor([3e38, 3e38])), finite(torch.tensor([1.0, float("nan")]))
    (True, False)
    """
    x = x.detach() if x.requires_grad else x
    if isfinite(x.sum().item()):
        return True
    return bool(torch.isfinite(x).all())


def check_finite(name: str, x: Tensor) -> None:
    """Fault where a value is NaN or infinite."""
    if not torch.isfinite(x).all():
        raise Fault(f"{name} is not finite", found=_worst(x, ~torch.isfinite(x)))


def check_parameters(lam, beta, theta, rule):
    """θ > 0, 0 ≤ λ < θ, 0 ≤ β ≤ 1 (0 ≤ β_q ≤ 2^shift), all finite."""
    for name, p in (("θ", theta), ("λ", lam), ("β", beta)):
        check_finite(name, p)
    if not (theta > 0).all():
        raise Fault("θ must be positive", found=_worst(theta, theta <= 0))
    if not (lam >= 0).all():
        raise Fault("λ must not be negative", found=_worst(lam, lam < 0))
    if not (lam < theta).all():
        pair = torch.broadcast_tensors(lam, theta)
        worst = [_worst(x, pair[0] >= pair[1]) for x in pair]
        raise Fault("λ must be below θ", found=f"λ = {worst[0]} at θ = {worst[1]}")
    top = 2.0 ** (rule.shift or 0)
    if rule.law == "exponential" and not ((beta >= 0) & (beta <= top)).all():
        bad = _worst(beta, (beta < 0) | (beta > top))
        raise Fault("β out of range", expected=f"0 … {top:g}", found=bad)


def check_used(lam, beta, law: str) -> None:
    """Fault for a λ or β that the law has no use for (0 and 1 mean none)."""
    if law in ("exponential", "shift", "none") and bool((lam != 0).any()):
        what = f"law '{law}' has no λ"
        raise Fault(what, found=_worst(lam, lam != 0), do="leave lam out")
    if law != "exponential" and bool((beta != 1).any()):
        what = f"law '{law}' has no β"
        raise Fault(what, found=_worst(beta, beta != 1), do="law='exponential'")


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


def _worst(values, where):
    bad = values[where] if values.dim() else values
    return f"{bad.flatten()[0].item():g}"
