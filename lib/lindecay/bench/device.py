"""`lindecay bench neurons --device cuda`: the neuron's loop on a CUDA device.

    ms = time between two CUDA events around forward and backward, device idle before

Ours through Triton and through the plain torch loop, beside snnTorch's loop; in turns,
medians. The floor moves the same 24 bytes a neuron and step, by copies.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from lindecay import kernels
from lindecay.bench import peers, timing
from lindecay.bench.works import LAM, Neuron
from lindecay.kernels import gpu
from lindecay.settings import Fault

DEVICES = ("cpu", "cuda")
SHAPE = (100, 64, 1024)  # time, batch, neurons: that of `neuron_alone`


def find(name: str) -> torch.device:
    """The device called `name`.

    Raises:
        Fault: for another name, and for CUDA that torch does not see.

    >>> find("cpu")
    device(type='cpu')
    """
    if name not in DEVICES:
        raise Fault("no such device", expected=" or ".join(DEVICES), found=repr(name))
    if name == "cuda" and not torch.cuda.is_available():
        raise Fault(
            "no CUDA device to measure",
            expected="torch.cuda.is_available()",
            found=f"torch {torch.__version__} without one",
            do="install a CUDA build of torch on a machine with a GPU, or leave "
            "--device out",
        )
    return torch.device(name)


class Plain(torch.nn.Module):
    """Our neuron in the plain torch loop, which any device can run."""

    def forward(self, current):
        return kernels.sequence(current, lam=LAM, backend="plain")[0]


def work(device: torch.device, shape=SHAPE) -> timing.Work:
    """Neurons alone on `device`, forward and backward, [time, batch, neurons]."""
    random = torch.Generator().manual_seed(0)
    current, gradient = (
        torch.randn(shape, generator=random).to(device) for _ in range(2)
    )
    current = (current / 2).requires_grad_()
    sides = {"ours": Neuron(), "snntorch": peers.SnnNeuron(), "plain": Plain()}
    runs = {
        name: peers.pass_of(net.to(device), current, gradient)
        for name, net in sides.items()
    }
    floor = partial(copies, *(torch.empty_like(gradient) for _ in range(2)))
    return timing.Work(runs.pop("ours"), runs, floor, extra={"shape": list(shape)})


def copies(a, b) -> None:
    """Three copies: 24 bytes for each float32."""
    for _ in range(3):
        b.copy_(a)


def clock(run: Callable) -> float:
    """Milliseconds of one call on the CUDA device, from idle to idle."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def peak(run: Callable) -> float:
    """Megabytes of device memory that one call holds at its peak."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


def measure(work: timing.Work, rounds: int, clock=clock, peak=peak) -> dict:
    """The row of a work, with the keys of `timing.measure` that a device can fill."""
    runs = {"ours": work.ours, **work.peers, "floor": work.floor}
    for run in [*runs.values()] * 2:
        run()  # compiles, and fills torch's caches
    turns = [{name: clock(run) for name, run in runs.items()} for _ in range(rounds)]
    times = {name: [turn[name] for turn in turns] for name in runs}
    ms = {name: float(np.median(found)) for name, found in times.items()}
    return {
        "ours_ms": ms["ours"],
        "peers_ms": {name: ms[name] for name in work.peers},
        "ratio": {name: ms[name] / ms["ours"] for name in work.peers},
        "limit_fraction": ms["floor"] / ms["ours"],
        "peak_mb": peak(work.ours),
        "peers_peak_mb": {name: peak(run) for name, run in work.peers.items()},
        "rounds": rounds,
        "spread": {name: [min(found), max(found)] for name, found in times.items()},
        **work.extra,
    }


def neurons(rounds: int = timing.ROUNDS) -> dict:
    """`lindecay bench neurons --device cuda`."""
    device = find("cuda")
    row = measure(work(device), rounds)
    loop = "triton" if gpu.here() and gpu.compiles(device) else "plain"
    told = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    return {"neuron_alone": row | told | {"loop": loop}}
