"""Chapter 02: two neurons by hand, equality with snnTorch, gradients, speed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import snntorch as snn
import torch

from lindecay import kernels
from lindecay.neurons import LinearDecayLIF
from lindecay.neurons.upstream import habits
from lindecay.results import number


def trace(lif: LinearDecayLIF, current: torch.Tensor) -> pd.DataFrame:
    """V, I, U, S and V' of every step, by neuron (a, b, …) and step from 1.

    Args:
        lif: a layer that is called step by step.
        current: I [neurons, steps].
    """
    v, rows = torch.zeros(len(current)), []
    for t, now in enumerate(current.T):
        spk, new = lif(now, v)
        u = new + spk * lif.threshold
        for n, name in enumerate("abcdefgh"[: len(current)]):
            told = {"V": v[n], "I": now[n], "U": u[n], "S": spk[n], "V'": new[n]}
            told = {key: float(value) for key, value in told.items()}
            rows.append({"neuron": name, "step": t + 1} | told)
        v = new
    return pd.DataFrame(rows).set_index(["neuron", "step"])


def substeps(one: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """A neuron's membrane through decay, integration and reset, a third of a step each.

    Args:
        one: the rows of one neuron of `trace`.

    Returns (step, membrane), both [4 x steps]: V, V after the decay, U, V'.
    """
    ends = np.arange(len(one))[:, None] + np.array([0, 1 / 3, 2 / 3, 1])
    values = [one["V"], one["U"] - one["I"], one["U"], one["V'"]]
    return ends.ravel(), np.stack(values, 1).ravel()


def against_leaky(x: torch.Tensor, reset: str, beta: float = 0.9) -> tuple:
    """`snn.Leaky` beside ours, exponential law: (compared, differences, spikes).

    Step by step and as one sequence, every spike and every membrane.

    Args:
        x: input current [steps, clips, neurons].
        reset: snnTorch's reset_mechanism.
    """
    same = dict(law="exponential", beta=beta, reset_delay=True, reset_mechanism=reset)
    theirs, ours = snn.Leaky(beta, reset_mechanism=reset), LinearDecayLIF(**same)
    S, M = LinearDecayLIF(**same, whole_sequence=True)(x)
    compared = differences = spikes = 0
    mem, mem_ = theirs.reset_mem(), ours.reset_mem()
    for t, now in enumerate(x):
        spk, mem = theirs(now, mem)
        spk_, mem_ = ours(now, mem_)
        for a, b in ((spk, spk_), (mem, mem_), (spk, S[t]), (mem, M[t])):
            compared += a.numel()
            differences += int((a != b).sum())
        spikes += int(spk.sum())
    return compared, differences, spikes


def after_kick(layers: Mapping, kick: torch.Tensor) -> pd.DataFrame:
    """(spike, membrane) of each step after a kick, one column a layer."""
    told = {}
    for name, layer in layers.items():
        mem, told[name] = layer.reset_mem(), []
        for now in kick:
            spk, mem = layer(now, mem)
            told[name].append((spk.item(), mem.item()))
    return pd.DataFrame(told)


def gradient_gap(law: str, reset: str, detach: bool) -> float:
    """Largest relative difference of the fused gradients from autograd's, in float64.

    In the input, the threshold and the decay (λ or β), on random currents.
    """
    x = torch.randn(60, 8, 16, dtype=torch.float64)
    fused, plain = (
        _gradients(x, backend, law=law, reset=reset, detach_reset=detach)
        for backend in ("fused", "plain")
    )
    gaps = ((a - b).abs().max() / b.abs().max() for a, b in zip(fused, plain))
    return max(float(gap) for gap in gaps)


def _gradients(x: torch.Tensor, backend: str, law: str, **how) -> tuple:
    scalars = (torch.tensor(v, dtype=torch.float64) for v in (0.05, 0.9, 1.0))
    x, lam, beta, theta = (a.clone().requires_grad_() for a in (x, *scalars))
    own = dict(law=law, lam=lam, beta=beta, theta=theta, backend=backend)
    spk, u = kernels.sequence(x, **own, **how)
    (spk * u.detach().cos()).sum().backward()
    return x.grad, theta.grad, lam.grad if law == "shrink" else beta.grad


def speed_table(rows: Mapping[str, dict]) -> pd.DataFrame:
    """Ours beside snnTorch's, one row a work that `bench.timing` measured."""
    return pd.DataFrame(
        {
            "work": name,
            "ours, ms": row["ours_ms"],
            "snnTorch, ms": row["peers_ms"]["snntorch"],
            "ratio": row["ratio"]["snntorch"],
            "ratio of CPU time": row["cpu_ratio"]["snntorch"],
        }
        for name, row in rows.items()
    ).round(1)


def speed_numbers(rows: Mapping[str, dict]) -> dict:
    """Ratios of the neuron alone and of an N-MNIST step, and the share of the floor."""
    note = "wall time on the machine that built this page"
    ids = {"neuron.ratio": "neurons alone", "neuron.ratio_mlp": "N-MNIST step"}
    found = {
        id: number(
            rows[name]["ratio"]["snntorch"], digits=1, n=rows[name]["rounds"], note=note
        )
        for id, name in ids.items()
    }
    floor = "floor: same reads and writes, no arithmetic"
    limit = rows["neurons alone"]["limit_fraction"]
    return found | {"neuron.limit": number(limit, digits=2, note=floor)}


def upstream_table() -> pd.DataFrame:
    """Where snnTorch itself errs: a line that runs, what it gives, what is right."""
    return pd.DataFrame(habits())


def bounds_table(loop: dict, gathers: Mapping[str, dict]) -> pd.DataFrame:
    """CPU time of the loop and of the sums over events, each beside its bound."""
    cpu = loop["cpu_ms"]
    told = [cpu["forward"] + cpu["backward"], loop["gb_s"]["loops"], cpu["floor"]]
    rows = [["time loop, forward and back", *told, loop["fraction"]]]
    for name, found in gathers.items():
        cpu, speed = found["cpu_ms"], found["gb_s"]["as_they_come"]
        told = [cpu["as_they_come"], speed, cpu["in_order"], found["fraction"]]
        rows.append([f"sums over events, {name}", *told])
    head = ["part", "CPU ms", "GB/s", "bound, ms", "of the bound"]
    return pd.DataFrame(rows, columns=head).round(2)


def bounds_numbers(loop: dict, gather: dict) -> dict:
    """Shares of the bounds, and how much faster weights in the first cache would be."""
    note = "least CPU time; bound: the same bytes in the same run"
    near = gather["cpu_ms"]["as_they_come"] / gather["cpu_ms"]["first_cache"]
    why = "the same sums with weights from the first cache"
    return {
        "neuron.limit_loop": number(loop["fraction"], digits=2, note=note),
        "neuron.limit_gather": number(gather["fraction"], digits=2, note=note),
        "neuron.near_cache": number(near, digits=1, note=why),
    }


def length_numbers(lengths: list[int], cost: list[float]) -> dict:
    """How many times the steps, and how many times the time, from first to last."""
    note = "least CPU time on the machine that built this page"
    return {
        "neuron.length_times": number(lengths[-1] / lengths[0], digits=0),
        "neuron.length_cost": number(cost[-1] / cost[0], digits=1, note=note),
    }
