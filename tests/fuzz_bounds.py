"""Compiled loops under numba's bounds check: random shapes, no index outside.

    NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=… python tests/fuzz_bounds.py CASES

A read or write outside an array raises IndexError here, where it would pass in silence.
"""

import json
import sys
import warnings

import numpy as np
import torch
from numba import config, njit

import fuzz_neurons
from lindecay import kernels
from lindecay.kernels.sparse import Events
from lindecay.settings import Fault


@njit
def _outside(x, i):
    return x[i]


def checked() -> bool:
    """Whether the check is really on."""
    try:
        _outside(np.zeros(2), 5)
    except IndexError:
        return True
    return False


def events(rng) -> str:
    """Rows of events, good or spoilt, through the sums over weights and back."""
    steps, batch, channels = rng.integers(1, 7), rng.integers(0, 5), rng.integers(1, 90)
    out, rows = int(rng.integers(1, 150)), int(steps * batch)
    size = rng.integers(0, 5, rows)
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    channel = rng.integers(0, channels, int(indptr[-1])).astype(np.int32)
    way = rng.integers(0, 6)
    if way == 0 and len(channel):
        channel[rng.integers(len(channel))] = rng.choice([-1, channels, 2**30])
    if way == 1 and rows:
        indptr[rng.integers(1, rows + 1)] += rng.choice([-3, 3, 10**9])
    if way == 2:
        indptr = indptr[:-1]
    first = bool(rng.integers(2))
    try:
        made = Events(indptr, channel, int(steps), int(batch), int(channels), first)
    except Fault:
        return "fault"
    w = torch.randn(out, int(channels), requires_grad=True)
    kernels.synapses(made, w, crossover=2).sum().backward()
    want = made.dense() @ w.detach().T
    torch.testing.assert_close(kernels.synapses(made, w, crossover=2).detach(), want)
    return "events"


def spikes(rng) -> str:
    """A dense tensor of spikes, listed and summed up."""
    shape = [int(rng.integers(1, n)) for n in (9, 6, 200)]
    x = (torch.from_numpy(rng.random(shape)) < rng.choice([0.0, 0.02, 0.3])).float()
    w = torch.randn(int(rng.integers(1, 150)), shape[2], requires_grad=True)
    x.requires_grad_(bool(rng.integers(2)))
    kernels.synapses(x, w, crossover=2).sum().backward()
    return "spikes"


def planes(rng) -> str:
    """Convolutions and pooling of spikes on planes."""
    k = int(rng.integers(1, 6))
    sides = [int(n) for n in rng.integers(max(k, 2), 14, 2)]
    c, frames = int(rng.integers(1, 5)), [int(n) for n in rng.integers(1, 5, 2)]
    on = rng.random((*frames, c * sides[0] * sides[1])) < rng.choice([0, 0.05, 0.2])
    made = Events.of(torch.from_numpy(on).float())
    w = torch.randn(int(rng.integers(1, 90)), c, k, k, requires_grad=True)
    out = kernels.convolve(made, w, (c, *sides), crossover=2)
    out.sum().backward()
    dense = made.dense().reshape(-1, c, *sides)
    want = torch.nn.functional.conv2d(dense, w.detach())
    torch.testing.assert_close(out.detach(), want, rtol=1e-4, atol=1e-4)
    if min(out.shape[2:]) > 1:
        kernels.max_pool(out.detach().requires_grad_()).sum().backward()
    return "planes"


def many(cases: int) -> dict:
    told: dict = {"bounds": bool(config.BOUNDSCHECK) and checked(), "bad": []}
    for seed in range(cases):
        rng = np.random.default_rng((15, seed))
        torch.manual_seed(seed)
        for part in (events, spikes, planes):
            try:
                name = part(rng)
                told[name] = told.get(name, 0) + 1
            except Exception as error:
                told["bad"].append([seed, part.__name__, repr(error)[:300]])
    found = fuzz_neurons.many(cases, 5000, few=True)
    more = fuzz_neurons.many(max(cases // 20, 10), 6000)  # each compiles loops anew
    told["neurons"] = found["cases"] + more["cases"]
    told["bad"] += found["bad"] + more["bad"]
    return told


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    told = many(int(sys.argv[1]))
    print(json.dumps(told))
    sys.exit(bool(told["bad"]) or not told["bounds"])
