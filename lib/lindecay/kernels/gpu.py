"""The time loop on CUDA tensors as an autograd node, through Triton where it is there.

    current, leak, θ, state -> spikes, U          (U is all that the adjoint needs)

One pass forward, one backward, as on the CPU. Without the package triton (PyTorch's
CUDA builds bring it along) the plain loop runs. With TRITON_INTERPRET=1 in the
environment, backend="triton" runs the same source on CPU tensors, slowly, for tests.
"""

from functools import cache, lru_cache
from importlib.util import find_spec
from math import prod
from os import environ
from warnings import warn

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lindecay.kernels import cpu, fused
from lindecay.kernels.layout import begin, gathered, leak_of, origin, per_neuron, rows
from lindecay.kernels.pool import NUMPY
from lindecay.kernels.rule import Rule
from lindecay.settings import Fault

BLOCK = 128  # neurons of one program, one a thread: a power of two


@cache
def here() -> bool:
    """Whether the package triton can be imported."""
    return find_spec("triton") is not None


def interpreted() -> bool:
    """Whether Triton was told to run its source in Python, on any tensor."""
    return environ.get("TRITON_INTERPRET") == "1"


def fits(current: Tensor, rule: Rule, fire) -> bool:
    """Whether the Triton loop runs this by itself: a CUDA tensor, where it compiles."""
    on_cuda = current.device.type == "cuda"
    known = on_cuda and cpu.suits(current, rule, fire)  # first: it sees torch.compile
    return known and here() and compiles(current.device)


def demand(current: Tensor, rule: Rule, fire) -> None:
    """Fault where the Triton loop was asked for and cannot run.

    Raises:
        Fault: without triton, off CUDA, or for what no compiled loop of ours takes.
    """
    place = current.device.type == "cuda" or interpreted()
    if here() and place and cpu.suits(current, rule, fire):
        return
    package = "triton" if here() else "no package triton"
    raise Fault(
        "the Triton loop cannot run this",
        expected="float32 or float64 on CUDA, a named surrogate, the package triton",
        found=f"{current.dtype} on {current.device}, {package}, {rule}",
        do="backend='auto' takes what can run",
    )


@cache
def compiles(device: torch.device) -> bool:
    """Whether a first small loop compiles and runs there; says once why it does not."""
    try:
        with torch.inference_mode(False), torch.enable_grad():
            probe = torch.ones((1, 1, 1), device=device, requires_grad=True)
            number = torch.ones((), device=device)
            rest = torch.zeros((1, 1), device=device)
            spikes, _ = run(probe, *[number] * 3, rest, Rule(), True)
            spikes.sum().backward()
    except Exception as problem:  # no C compiler, too old a device, …
        told = " ".join(str(problem).split())[:200]
        warn(f"no Triton on {device}, the plain loop runs: {told}", stacklevel=2)
        return False
    return True


def run(*arguments):
    """`_run`, hidden from torch.compile."""
    return cpu.untraced(_run)(*arguments)


def _run(current, lam, beta, theta, state, rule: Rule, check: bool):
    """Spikes and U on any dense layout, [T, B, …, N]; arguments as in `sequence`."""

    def go(current, state, leak, theta):
        return Loop.apply(current, leak, theta, state, rule, check)

    return cpu.along_memory(go, current, state, leak_of(rule, lam, beta), theta)


class Loop(torch.autograd.Function):
    """current, leak, θ, state -> spikes, U; gradients for all four."""

    @staticmethod
    def forward(ctx, current, leak, theta, state, rule, check):
        current = current.contiguous()
        spikes, membrane = torch.empty_like(current), torch.empty_like(current)
        at = Launch(rule, leak, theta, current)
        at.forward(current, state.contiguous(), spikes, membrane, check)
        ctx.save_for_backward(membrane, state, leak, theta)
        ctx.rule = rule
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    @once_differentiable
    def backward(ctx, gs, gu):
        membrane, state, leak, theta = ctx.saved_tensors
        at = Launch(ctx.rule, leak, theta, membrane)
        gs = begin(None, membrane)[None] if gs is None else rows(gs)
        gu = None if gu is None else gu.contiguous()
        learn = any(ctx.needs_input_grad[1:3])
        grad, carry, gp, gth = at.backward(gs, gu, membrane, learn)
        if not any(ctx.needs_input_grad[1:4]):
            return grad, None, None, None, None, None
        before, gleak, gtheta = origin(ctx.rule, state, carry, leak, theta)
        gleak = gleak + gathered(gp, leak, at.shape)
        gtheta = gtheta + gathered(gth, theta, at.shape)
        return grad, gleak, gtheta, before, None, None


class Launch:
    """Leak, threshold and the rule's numbers as the kernels read them.

    like: [T, B, …, N], of the dtype and on the device of the loop.
    """

    def __init__(self, rule: Rule, leak, theta, like: Tensor):
        self.rule, self.like, self.shape = rule, like, like.shape[1:]
        self.p, self.th = (per_neuron(x, self.shape) for x in (leak, theta))
        self.many = prod(self.shape)
        sizes = self.p.numel(), self.th.numel()
        self.sizes = len(like), self.many, *sizes
        self.const = numbers(rule, like.dtype, like.device)
        self.words = {
            "LAW": rule.law, "RESET": rule.reset, "DELAYED": rule.delayed,
            "CLAMP": rule.clamp is not None, "WHOLE": rule.shift is not None,
            "BLOCK": BLOCK, "enable_fp_fusion": False,  # rounds as the CPU does
        }  # fmt: skip

    def forward(self, current, state, spikes, membrane, check) -> None:
        """S and U of all steps; Fault where `check` finds NaN or infinity."""
        if not current.numel():
            return
        good = torch.ones(self.blocks(), dtype=torch.int32, device=current.device)
        into = current, state, spikes, membrane, good, self.p, self.th, self.const
        with torch.cuda.device_of(current):
            go = _loops().forward[(self.blocks(),)]
            go(*into, *self.sizes, ROUND=self.rule.rounding, **self.words)
        if check and not good.all():
            raise Fault("current is not finite", found="NaN or infinity")

    def backward(self, gs, gu, membrane, learn) -> tuple:
        """g_I, δ[0], and the gradients of leak and threshold as float64."""
        grad, carry = torch.empty_like(membrane), begin(None, membrane)
        sums = grad.new_zeros((2, self.many), dtype=torch.float64)
        more = {
            "DETACH": self.rule.detach_reset, "SURROGATE": self.rule.surrogate,
            "SAME": len(gs) < len(membrane), "OUTER": gu is not None, "LEARN": learn,
        }  # fmt: skip
        if membrane.numel():
            gu = membrane if gu is None else gu
            into = gs, gu, membrane, carry, grad, *sums, self.p, self.th, self.const
            with torch.cuda.device_of(membrane):
                go = _loops().backward[(self.blocks(),)]
                go(*into, *self.sizes, **more, **self.words)
        return grad, carry, *(summed(*x) for x in zip(sums, (self.p, self.th)))

    def blocks(self) -> int:
        """Programs that are launched."""
        return -(-self.many // BLOCK)


def summed(each: Tensor, p: Tensor) -> Tensor:
    """One gradient a neuron [B·…·N] -> one for each number of `p`, in a fixed order."""
    size = p.numel()
    return each.reshape(each.numel() // max(1, size), size).sum(0)


@lru_cache(256)
def numbers(rule: Rule, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`fused.constants` on the device: a Python float would reach Triton as float32."""
    return torch.from_numpy(fused.constants(rule, NUMPY[dtype]).copy()).to(device)


@cache
def _loops():
    """The kernels; imported on first use, for Triton costs seconds."""
    from lindecay.kernels import triton_loops

    return triton_loops
