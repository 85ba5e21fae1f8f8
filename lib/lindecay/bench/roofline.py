"""Why a work is not faster: its parts beside what this machine allows, in one run.

    loop     24 B an element: I, g_S, U are read; S, U, g_I are written
    gather   4 B x neurons an event: a row of weights from the second cache

A part that takes as long as the same reads without the arithmetic, or in order, is at
the limit of memory or of the cache; the rest is ours to improve.
"""

import numpy as np
import torch

from lindecay.bench import timing
from lindecay.bench.works import MLPS, floor_of
from lindecay.kernels import Events, Rule, pool, sparse
from lindecay.kernels.layout import Launch

NEAR = 64  # weight rows of a tile that stay in the first cache


def loop(shape=(100, 64, 1024), rounds: int = timing.ROUNDS) -> dict:
    """The compiled loops alone beside the floor: GB/s, and what they leave to torch."""
    current, gradient, spikes, membrane = (
        pool.empty(shape, torch.float32) for _ in range(4)
    )
    current.normal_().mul_(0.5)
    gradient.normal_()
    rule = Rule(surrogate="atan", slope=2.0)
    needs = (True, False, False, False)
    at = Launch(rule, torch.tensor(0.05), torch.tensor(1.0), shape, needs)
    rest = torch.zeros(shape[1:])

    def forward():
        at.forward(current, rest.zero_(), spikes, membrane, True)

    def backward():
        at.backward(gradient, None, membrane, rest.zero_(), None)

    runs = {
        "forward": forward,
        "backward": backward,
        "floor": floor_of(current, gradient),
    }
    cpu = least(runs, rounds)
    moved = 24 * current.numel()
    ours = cpu["forward"] + cpu["backward"]
    return {
        "bytes": moved,
        "cpu_ms": cpu,
        "gb_s": {"loops": moved / ours / 1e6, "floor": moved / cpu["floor"] / 1e6},
        "fraction": cpu["floor"] / ours,
    }


def gather(name: str, rounds: int = timing.ROUNDS) -> dict:
    """The first layer's sums: rows as they come, in order, and from the first cache.

    In order is what the second cache delivers at best; from the first cache is what
    the additions alone take.
    """
    steps, batch, inputs, hidden, _, density = MLPS[name]
    random = np.random.default_rng(0)
    real = Events.of(torch.from_numpy(random.random((steps, batch, inputs)) < density))
    out = np.empty((steps * batch, hidden), np.float32)
    weight = random.standard_normal((hidden, inputs)).astype(np.float32)
    packed = sparse.pack(weight, sparse.TILE)
    number = np.arange(len(real.channel), dtype=np.int32)

    def sums(channel):
        given = (real.indptr, channel, packed, out, real.place, np.float32(1))
        return lambda: sparse.add_rows(*given, 0, len(packed))

    g, grad = random.standard_normal(out.shape).astype(np.float32), weight * 0
    listed = real.transposed
    runs = {
        "as_they_come": sums(real.channel),
        "in_order": sums(number % inputs),
        "first_cache": sums(number % NEAR),
        "transpose": lambda: sparse.add_transposed(
            *listed, real.place, g, grad, 0, len(packed)
        ),
    }
    cpu = least(runs, rounds)
    moved = 4 * hidden * len(real.channel)
    return {
        "bytes": moved,
        "cpu_ms": cpu,
        "gb_s": {name: moved / ms / 1e6 for name, ms in cpu.items()},
        "fraction": cpu["in_order"] / cpu["as_they_come"],
    }


def least(runs: dict, rounds: int) -> dict:
    """{name: least CPU ms}: what other processes disturb least."""
    with timing.one_thread():
        times = timing.interleave(runs, rounds)
    return {name: float(cpu.min()) for name, (_, cpu) in times.items()}
