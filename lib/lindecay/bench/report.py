"""`lindecay bench neurons` and `networks`: all rows of the report."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from lindecay.bench import roofline, timing
from lindecay.bench.works import LENGTHS, STEPS, WIDTHS, WORKS, neuron_alone
from lindecay.kernels import Events, synapses

DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def length(rounds: int = 5) -> dict:
    """Time and peak memory per step of sequences of up to 100,000: linear if they stay
    the same (memory beyond a part that no length changes)."""
    cpu, wall = grown({t: neuron_alone(t, 8, 64).ours for t in LENGTHS}, rounds)
    return {
        "microseconds_per_step": {str(t): 1e3 * ms / t for t, ms in wall.items()},
        "cpu_microseconds_per_step": {str(t): 1e3 * ms / t for t, ms in cpu.items()},
        "kilobytes_per_step": {
            str(t): 1e3 * timing.peak_elsewhere(f"length_{t}", "ours", 1) / t
            for t in (LENGTHS[0], LENGTHS[-1])
        },
        "slope": slope(cpu),
    }


def width(rounds: int = 5) -> dict:
    """Time per neuron and step of one clip, 50 steps, of up to a million neurons."""
    cpu, wall = grown({n: neuron_alone(50, 1, n).ours for n in WIDTHS}, rounds)
    return {
        "nanoseconds": {str(n): 1e6 * ms / n / 50 for n, ms in wall.items()},
        "cpu_nanoseconds": {str(n): 1e6 * ms / n / 50 for n, ms in cpu.items()},
        "slope": slope(cpu),
    }


def grown(runs: dict, rounds: int) -> tuple[dict, dict]:
    """{size: ms} of works that grow: least CPU time, median wall time."""
    with timing.one_thread():
        times = timing.interleave(runs, rounds)
    cpu = {size: float(c.min()) for size, (_, c) in times.items()}
    return cpu, {size: float(np.median(w)) for size, (w, _) in times.items()}


def slope(ms: dict) -> float:
    """Exponent of cost against size over the upper half of the sizes: 1 is linear.

    >>> round(slope({10: 5.0, 100: 6.0, 1000: 60.0, 10_000: 600.0}), 3)
    1.0
    """
    upper = sorted(ms)[-(len(ms) // 2 + 1) :]
    return float(np.polyfit(np.log(upper), np.log([ms[n] for n in upper]), 1)[0])


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
    rows = {"neuron_alone": row | more | {"width": width()}}
    step = timing.measure(WORKS["single_step"](), rounds)
    both = {"ours": step["ours_ms"]} | step["peers_ms"]
    told = {who: 1e3 * ms / STEPS for who, ms in both.items()}
    return rows | {"single_step": step | {"microseconds": told}}


def networks(rounds: int = timing.ROUNDS) -> dict:
    """`lindecay bench networks`."""
    names = ("nmnist_step", "shd_step", "cnn_step", "mlp2_step")
    rows = {name: timing.measure(WORKS[name](), rounds) for name in names}
    for name in ("nmnist_step", "shd_step"):
        rows[name]["roofline"] = roofline.gather(name, rounds)
    rows["nmnist_step"]["crossover"] = crossover()
    return rows
