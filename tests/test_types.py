"""Types of the public doors: mypy accepts a program on them, and refuses wrong ones."""

import subprocess
import sys

import pytest

GOOD = """
import torch
from torch import Tensor, nn

from lindecay import energy, kernels, sram
from lindecay.neurons import LinearDecayLIF


def network(inputs: int, neurons: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, neurons), LinearDecayLIF(0.1))


def spikes(current: Tensor) -> Tensor:
    found, membrane = kernels.sequence(current, lam=0.1, theta=torch.ones(2))
    return found + 0 * membrane


def emulated(net: nn.Module, events: Tensor) -> int:
    run = sram.emulate(net, events, sram.MacroSpec(layout="A"), weight_bits=4)
    energy.bill(run)
    return len(run.clips)


if __name__ == "__main__":
    assert spikes(torch.full((3, 1, 2), 0.6)).shape == (3, 1, 2)
    assert emulated(network(4, 2), torch.ones(5, 1, 4)) == 1
"""
WRONG = {
    "a word for a decay rule": ("lam=0.1, theta", "rule='shrink', theta"),
    "a number for a layout": ('layout="A"', "layout=1"),
    "three things from two": ("found, membrane =", "found, membrane, more ="),
    "an argument that is not there": ("weight_bits=4", "weights=4"),
    "a word for a threshold": ("LinearDecayLIF(0.1)", "LinearDecayLIF(0.1, 'one')"),
    "a run for a number": ("return len(run.clips)", "return run"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, list[str]]:
    """{program: what mypy says of it}, all in one run."""
    folder = tmp_path_factory.mktemp("types")
    programs = {"good": GOOD}
    for k, (old, new) in enumerate(WRONG.values()):
        assert old in GOOD
        programs[f"wrong{k}"] = GOOD.replace(old, new)
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(text)
    how = ["--strict", "--follow-imports=silent", "--cache-dir", "kept"]
    ask = [sys.executable, "-m", "mypy", *how, *(f"{n}.py" for n in programs)]
    done = subprocess.run(ask, capture_output=True, text=True, cwd=folder)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    return {n: [x for x in lines if x.startswith(f"{n}.py:")] for n in programs}


def test_a_program_on_the_public_doors_is_accepted_and_runs(told):
    assert told["good"] == []
    exec(compile(GOOD, "program.py", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("k, name", list(enumerate(WRONG)))
def test_a_wrong_program_is_refused(told, k, name):
    assert told[f"wrong{k}"], name
