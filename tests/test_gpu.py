"""The Triton loop: what chooses it, and that it computes what the other loops compute.

Its source runs in Triton's interpreter, in a process of its own, so that no other test
is touched; where a CUDA device is there, the same cases run on it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lindecay import kernels
from lindecay.kernels import Rule, cpu, gpu, time_loop
from lindecay.settings import Fault

CASES = Path(__file__).with_name("triton_cases.py")
needs_triton = pytest.mark.skipif(
    not gpu.here(), reason="no package triton here (pip install triton, on Linux)"
)
PLACES = [
    "interpreter",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(
            not torch.cuda.is_available(), reason="no CUDA device here"
        ),
    ),
]


def ask(*words, interpreted=True):
    """What triton_cases.py answers, in a process of its own."""
    own = {"TRITON_INTERPRET": "1"} if interpreted else {}
    known = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, CASES, *map(str, words)],
        env=known | own,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@needs_triton
@pytest.mark.parametrize("place", PLACES)
def test_random_neurons_equal_the_fused_loop_and_autograd(place):
    """Spikes and membranes bit for bit in the interpreter, gradients to rounding."""
    count = 240 if place == "interpreter" else 40  # a device compiles each rule
    found = ask("equal", 1, count, interpreted=place == "interpreter")
    assert found["found"] is None, found
    assert found["cases"] == count
    assert found["worst"]["fused spikes"] == 0 and found["worst"]["whole U"] == 0


@needs_triton
def test_every_planted_fault_is_found():
    found = ask("mutants")
    assert len(found) > 20
    assert not [old for old, cases in found.items() if cases is None]


@needs_triton
def test_loops_compile_for_a_device_and_round_as_the_cpu_does():
    """Down to machine code for an NVIDIA device, which need not be there."""
    found = ask("build", interpreted=False)
    assert found == {"built": 80, "fused": 0}


@needs_triton
def test_the_first_small_loop_tells_whether_triton_runs():
    assert ask("probed") is True


@needs_triton
def test_nan_in_the_interpreter_is_one_clear_line():
    assert "current is not finite" in ask("refused")


def cuda_like(**more):
    """What the choice looks at in a CUDA tensor, without one."""
    return SimpleNamespace(device=torch.device("cuda:0"), dtype=torch.float32, **more)


def chosen(monkeypatch, here=True, known=True, compiles=True, backend="auto"):
    monkeypatch.setattr(gpu, "here", lambda: here)
    monkeypatch.setattr(gpu, "compiles", lambda device: compiles)
    monkeypatch.setattr(cpu, "suits", lambda *_: known)
    return time_loop.choose(backend, cuda_like(), Rule(), None)


def test_cuda_tensors_take_the_triton_loop_where_it_can_run(monkeypatch):
    assert chosen(monkeypatch) == "triton"
    assert chosen(monkeypatch, backend="triton") == "triton"
    assert chosen(monkeypatch, backend="plain") == "plain"


@pytest.mark.parametrize("lacks", ("here", "known", "compiles"))
def test_cuda_tensors_take_the_plain_loop_where_it_cannot(monkeypatch, lacks):
    assert chosen(monkeypatch, **{lacks: False}) == "plain"


def test_tensors_on_the_cpu_take_the_fused_loop():
    x = torch.ones(1, 1, 1)
    assert time_loop.choose("auto", x, Rule(), None) == "fused"
    assert time_loop.choose("auto", x, Rule(), torch.sigmoid) == "plain"


def test_triton_that_cannot_run_is_one_clear_line(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(Fault, match="the Triton loop cannot run") as caught:
        kernels.sequence(torch.ones(3, 1, 1), backend="triton")
    assert "\n" not in str(caught.value) and "backend='auto'" in str(caught.value)
    monkeypatch.setattr(gpu, "here", lambda: False)
    with pytest.raises(Fault, match="no package triton"):
        kernels.sequence(torch.ones(3, 1, 1), backend="triton")


def test_a_device_on_which_nothing_compiles_says_so_once(monkeypatch):
    def fails(*_):
        raise RuntimeError("no C compiler\nfound")

    monkeypatch.setattr(gpu, "run", fails)
    gpu.compiles.cache_clear()
    with pytest.warns(UserWarning, match="the plain loop runs: no C compiler found"):
        assert not gpu.compiles(torch.device("cpu"))
    assert not gpu.compiles(torch.device("cpu"))  # a second warning would be an error
    gpu.compiles.cache_clear()


def test_gradients_of_neurons_are_summed_for_each_parameter():
    each = torch.arange(12, dtype=torch.float64)
    for shape in ((1,), (4,), (12,)):
        want = each.reshape(-1, *shape).sum(0)
        assert torch.equal(gpu.summed(each, torch.ones(shape)), want)
    assert gpu.summed(each[:0], torch.ones(3)).tolist() == [0, 0, 0]
    assert gpu.summed(each[:0], torch.ones(0)).tolist() == []
