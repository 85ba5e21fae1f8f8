"""`lindecay bench neurons` and `networks`: all rows of the report."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from lindecay.bench import roofline, timing
from lindecay.bench.works import LENGTHS, WORKS, neuron_alone
from lindecay.kernels import Events, synapses

DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def length(rounds: int = 5) -> dict:
    """Time and peak memory per step of sequences of up to 10,000: linear if they stay
    the same (memory beyond a part that no length changes)."""
    runs = {t: neuron_alone(t, 8, 64).ours for t in LENGTHS}
    with timing.one_thread():
        times = timing.interleave(runs, rounds)
    return {
        "microseconds_per_step": {
            str(t): 1e3 * float(np.median(w)) / t for t, (w, _) in times.items()
        },
        "cpu_microseconds_per_step": {
            str(t): 1e3 * float(c.min()) / t for t, (_, c) in times.items()
        },
        "kilobytes_per_step": {
            str(t): 1e3 * timing.peak_elsewhere(f"length_{t}", "ours", 1) / t
            for t in (LENGTHS[0], LENGTHS[-1])
        },
    }


def crossover(inputs=2312, hidden=512, rounds: int = 5) -> dict:
    """CPU time of gathering over dense multiplication, forward and backward, by
    density: gathering wins below the density where this passes 1."""
    random, found = torch.Generator().manual_seed(0), {}
    weight = torch.randn((hidden, inputs), generator=random).requires_grad_()
    gradient = torch.randn((20, 64, hidden), generator=random)
    for density in DENSITIES:
        x = (torch.rand((20, 64, inputs), generator=random) < density).float()
        listed = Events.of(x)
        ways = {
            "gather": lambda e=listed: synapses(replace(e), weight, 2.0),
            "dense": lambda x=x: nn.functional.linear(x, weight),
        }
        runs = {n: lambda f=f: f().backward(gradient) for n, f in ways.items()}
        with timing.one_thread():
            times = timing.interleave(runs, rounds, warm=1)
        cpu = {name: float(np.median(c)) for name, (_, c) in times.items()}
        found[str(density)] = cpu["gather"] / cpu["dense"]
    return found


def neurons(rounds: int = timing.ROUNDS) -> dict:
    """`lindecay bench neurons`."""
    work = neuron_alone()
    row = timing.measure(work, rounds) | timing.memory("neuron_alone", work)
    more = {"roofline": roofline.loop(rounds=rounds), "length": length()}
    return {"neuron_alone": row | more}


def networks(rounds: int = timing.ROUNDS) -> dict:
    """`lindecay bench networks`."""
    names = ("nmnist_step", "shd_step", "cnn_step", "mlp2_step")
    rows = {name: timing.measure(WORKS[name](), rounds) for name in names}
    for name in ("nmnist_step", "shd_step"):
        rows[name]["roofline"] = roofline.gather(name, rounds)
    rows["nmnist_step"]["crossover"] = crossover()
    return rows
