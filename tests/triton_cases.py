"""Random neurons through the Triton loop, the fused loop and autograd.

    python triton_cases.py equal SEED COUNT | mutants | refused | probed | build

One line of JSON on standard output.
`equal` and `mutants` run Triton's interpreter where TRITON_INTERPRET=1 is set, else the
CUDA device; `build` compiles for a device that need not be there.
"""

import importlib.util
import json
import sys
import tempfile
from dataclasses import dataclass
from os import environ
from pathlib import Path

import numpy as np
import torch

from lindecay import kernels
from lindecay.kernels import Rule, cpu, fused, gpu
from lindecay.kernels.rule import LAWS, RESETS, ROUNDINGS, SURROGATES
from lindecay.settings import Fault

DEVICE = "cpu" if gpu.interpreted() else "cuda"
SOURCE = Path(gpu.__file__).with_name("triton_loops.py")
# relative to the greatest gradient: some dozens of roundings of 6e-8 and 1e-16
DIGITS = {torch.float32: 4e-6, torch.float64: 1e-12}
PLAIN32 = 1e-4  # torch's slope of the sigmoid is σ(1 − σ), which loses digits near 1
MUTANTS = (  # old text, new text: each a law, a reset or a gradient that is wrong
    ("tl.where(v < 0, -left, left)", "tl.where(v < 0, left, left)"),
    ("d = tl.where(v - p < 0, 0.0, v - p)", "d = v - p"),
    ("near = tl.floor(size + 0.5)", "near = tl.floor(size + 0.49)"),
    ("d = v - whole_number(v * power, ROUND)", "d = v - v * power"),
    ("fires = u > th\n        tl.store", "fires = u >= th\n        tl.store"),
    ("v = tl.where(late, 0.0, v)", "v = v"),
    ("u = tl.where(late, u - th, u)", "u = u"),
    ("u = tl.where(u > high, high, u)", "u = u"),
    ("at % leaks", "at * 0"),
    ("d = tl.where(tl.abs(v) > p, one, 0.0)", "d = one"),
    ("sign = tl.where(v > 0, -one, one)", "sign = -one"),
    ("d = v * power", "d = v"),
    ("d = one - power", "d = one"),
    ("half_k / (one + y * y)", "half_k / (one + y)"),
    ("if not DETACH:\n                gspike -= th * late", "if DETACH:\n"
     "                gspike -= th * late"),
    ("gspike -= u * g", "gspike -= g"),
    ("gth -= tl.where(fires, late, 0.0)", "gth += tl.where(fires, late, 0.0)"),
    ("gth -= (gspike * sigma)", "gth += (gspike * sigma)"),
    ("(u > low) & (u < high)", "(u > low) | (u < high)"),
    ("gp -= g.to", "gp += g.to"),
    ("g += tl.load(gu + at", "g += tl.load(gu + j"),
    ("tl.load(gs + at", "tl.load(gs + j"),
    ("tl.store(carry + j, ahead", "tl.store(carry + j, ahead * 0"),
)  # fmt: skip


@dataclass
class Case:
    """One problem: tensors on the CPU, a rule, and what the loss sees."""

    told: dict
    rule: Rule
    tensors: dict  # current, state, lam, beta, theta
    sees: str  # spikes | counts | membrane | both | state

    def run(self, backend: str, dtype: torch.dtype, device: str):
        """Outputs and all gradients, as float64 on the CPU."""
        made = {
            name: x.to(device, dtype, copy=True).requires_grad_()
            for name, x in self.tensors.items()
        }
        x, own = made["current"], {k: v for k, v in made.items() if k != "current"}
        if self.told["last"]:  # channels_last below the time axis
            x = x.movedim(2, -1).contiguous().movedim(-1, 2)
        whole = self.sees != "state"
        out = kernels.sequence(
            x, **own, rule=self.rule, backend=backend, membrane=whole
        )
        self.loss(*out).backward()
        grads = {k: torch.zeros_like(v) if v.grad is None else v.grad
                 for k, v in made.items()}  # fmt: skip
        outs = dict(zip(("spikes", "U"), out))
        return [{k: v.detach().cpu().double() for k, v in d.items()}
                for d in (outs, grads)]  # fmt: skip

    def loss(self, spikes, u):
        """A random functional of what comes out."""
        random = torch.Generator().manual_seed(7)
        if self.sees == "counts":
            return spikes.sum()
        seen = {"spikes": (spikes,), "membrane": (u,)}.get(self.sees, (spikes, u))
        weights = (torch.randn(y.shape, generator=random) for y in seen)
        return sum((y * w.to(y)).sum() for y, w in zip(seen, weights))


def case(seed: int) -> Case:
    """A random law, reset, shape, surrogate and start."""
    rng = np.random.default_rng(seed)
    pick = lambda *of: of[rng.integers(len(of))]  # noqa: E731
    law, reset, delayed = pick(*LAWS), pick(*RESETS), pick(True, False)
    if law == "floor_after" and reset == "subtract":
        delayed = False
    whole = law == "shift" or pick(True, False)
    unit = 40.0 if whole else 1.0
    rule = Rule(
        law=law, reset=reset, delayed=delayed, detach_reset=pick(True, False),
        clamp=pick(None, (-1.5 * unit, 1.7 * unit)), surrogate=pick(*SURROGATES),
        slope=pick(2.0, 25.0), scale=pick(1.0, 0.7 * unit), rounding=pick(*ROUNDINGS),
        shift=int(rng.integers(1, 6)) if whole and law in ("shift", "exponential")
        else None,
    )  # fmt: skip
    shape = [*rng.integers(0 if seed % 20 == 0 else 1, (7, 4)), *rng.integers(1, 7, 1)]
    if pick(True, False):
        shape.insert(2, int(rng.integers(1, 4)))
    told = {"seed": seed, "rule": str(rule), "shape": [int(n) for n in shape]}
    told |= {"whole": whole, "last": len(shape) == 4 and pick(True, False)}
    tensors = numbers(rng, rule, told["shape"], unit, whole)
    sees = pick("spikes", "counts", "membrane", "both", "state")
    return Case(told | {"sees": sees}, rule, tensors, sees)


def numbers(rng, rule, shape, unit, whole) -> dict:
    """Current, state and parameters: float32 values, whole ones where asked for."""
    inner = shape[1:]

    def draw(low, high, at):
        found = rng.uniform(low, high, at)
        found = np.round(found) if whole else found.astype(np.float32)
        return torch.tensor(found, dtype=torch.float64)

    def like():  # a number, one a neuron, or one for each of the batch
        kinds = ((), (1,), tuple(inner[-1:]), tuple(inner), (*inner[:-1], 1))
        return kinds[rng.integers(len(kinds))]

    top = 2.0 ** (rule.shift or 0)
    beta = draw(0.5, 1, like())
    if rule.law == "exponential" and whole and rule.shift is not None:
        beta = draw(top / 2, top, like())
    return {
        "current": draw(-1.5 * unit, 1.8 * unit, shape),
        "state": draw(-unit, 1.3 * unit, inner),
        "lam": draw(0.05 * unit, 0.4 * unit, like()),
        "beta": beta,
        "theta": draw(0.6 * unit, unit, like()),
    }


def differs(ours: list, theirs: list, exact: bool, digits: float) -> tuple:
    """(what differs or None, {output or gradient: greatest relative difference})."""
    worst, found = {}, None
    for outs, ours_, theirs_ in zip((True, False), ours, theirs):
        for name, a in ours_.items():
            b = theirs_[name]
            top = max(1.0, b.abs().max().item()) if b.numel() else 1.0
            gap = (a - b).abs().max().item() / top if b.numel() else 0.0
            worst[name if outs else f"∂{name}"] = gap
            equal = outs and (exact or name == "spikes")
            if found is None and not (gap == 0 if equal else gap <= digits):
                found = f"{name if outs else '∂' + name} by {gap:g}"
    return found, worst


def look(one: Case) -> tuple:
    """The Triton loop against the fused loop in float32, and in float64 against
    autograd through the plain loop; (what differs or None, greatest differences)."""
    gaps = {}
    for dtype, other in ((torch.float32, "fused"), (torch.float64, "plain")):
        ours = one.run("triton", dtype, DEVICE)
        theirs = one.run(other, dtype, "cpu")
        exact = one.told["whole"] or DEVICE == "cpu"  # the interpreter rounds alike
        found, worst = differs(ours, theirs, exact, DIGITS[dtype])
        gaps |= {f"{other} {name}": gap for name, gap in worst.items()}
        if found:
            return f"{other}: {found}", gaps
    if one.told["whole"]:  # float32 has lost nothing: autograd in float64 is the oracle
        ours = one.run("triton", torch.float32, DEVICE)
        found, worst = differs(ours, theirs, True, PLAIN32)
        gaps |= {f"whole {name}": gap for name, gap in worst.items()}
        return found and f"whole: {found}", gaps
    return None, gaps


def equal(seed: int, count: int) -> dict:
    """Cases from `seed` on, until one differs."""
    worst: dict[str, float] = {}
    for n in range(count):
        gpu.BLOCK = 2 ** (2 + n % 4)  # one program, or several
        one = case(seed + n)
        found, gaps = look(one)
        worst = {k: max(gaps.get(k, 0), worst.get(k, 0)) for k in {*gaps, *worst}}
        if found:
            return {"cases": n + 1, "found": found, "case": one.told, "worst": worst}
    return {"cases": count, "found": None, "worst": worst}


def refused() -> str:
    """What a current that is not finite is answered with."""
    x = torch.ones(3, 2, 5)
    x[1, 1, 4] = float("nan")
    try:
        kernels.sequence(x.to(DEVICE), backend="triton")
    except Fault as fault:
        return str(fault)
    return "nothing"


def probed() -> bool:
    """Whether the first small loop runs, whatever mode the caller is in."""
    with torch.inference_mode():
        return gpu.compiles(torch.device(DEVICE))


def planted(old: str, new: str, path: Path):
    """The kernels with one line changed, from a file at `path`."""
    text = SOURCE.read_text()
    assert text.count(old) >= 1, f"no longer in the source: {old}"
    path.write_text(text.replace(old, new))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mutants() -> dict:
    """How many cases it took to find each planted fault; None where none did."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for n, (old, new) in enumerate(MUTANTS):
            wrong = planted(old, new, Path(folder) / f"planted{n}.py")
            gpu._loops = lambda wrong=wrong: wrong
            told = equal(1, 150)
            found[old] = told["cases"] if told["found"] else None
    return found


def build() -> dict:
    """Compile loops of 40 cases for an NVIDIA device of capability 8.0: how many, and
    how many forward loops multiply and add in one rounding (the CPU rounds twice)."""
    count, fused = 0, 0
    with tempfile.TemporaryDirectory() as environ["TRITON_CACHE_DIR"]:
        for seed in range(1, 41):
            loops = list(compiled(case(seed), cpu.DTYPES[seed % 2]))
            count += sum(bool(made.asm["cubin"]) for made in loops)
            fused += "fma.rn.f" in loops[0].asm["ptx"]
    return {"built": count, "fused": fused}


POINTERS = {"good": "*i32", "gleak": "*fp64", "gtheta": "*fp64"}
SIZES = ("steps", "many", "leaks", "thetas")


def compiled(one: Case, dtype):
    """Forward and backward of a case, built but not run."""
    from triton import compile
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from lindecay.kernels import triton_loops as loops

    like = torch.ones((3, 2, 2), dtype=dtype)
    number = torch.ones((), dtype=dtype)
    words = gpu.Launch(one.rule, number, number, like).words | {
        "ROUND": one.rule.rounding, "DETACH": one.rule.detach_reset,
        "SURROGATE": one.rule.surrogate, "SAME": one.sees == "counts",
        "OUTER": one.sees != "spikes", "LEARN": True,
    }  # fmt: skip
    options = {"enable_fp_fusion": words.pop("enable_fp_fusion")}
    kind = "*fp64" if dtype == torch.float64 else "*fp32"
    for loop in (loops.forward, loops.backward):
        named = [p.name for p in loop.params]
        known = {n: "constexpr" for n in words} | POINTERS
        known |= {n: "i32" for n in SIZES}
        source = ASTSource(
            loop,
            {n: known.get(n, kind) for n in named},
            constexprs={n: w for n, w in words.items() if n in named},
        )
        yield compile(source, target=GPUTarget("cuda", 80, 32), options=options)


def uncompiled() -> None:
    """The fused loops as plain Python: compiling one for each rule takes minutes."""
    for name in ("forward", "backward"):
        made = getattr(fused, name)
        setattr(fused, name, lambda *a, made=made: made(*a).py_func)


if __name__ == "__main__":
    uncompiled()
    torch.set_num_threads(1)
    what, *rest = sys.argv[1:]
    print(json.dumps(globals()[what](*map(int, rest))))
