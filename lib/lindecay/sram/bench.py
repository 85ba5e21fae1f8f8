"""How fast the emulator is, beside numpy and torch on the same integers.

    GSOP/s = input events x fan-out / seconds / 1e9

One layer, 2312 -> 512, 3-bit weights, random events. Peers multiply dense frames: they
do not see that most inputs are silent, and they count nothing. The integer network's
bound is the time of its gather alone: adding one row of weights for each event.
"""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import torch
from numba import njit

from lindecay import integer
from lindecay.events import Clips
from lindecay.quantization import Checkpoint, Layer
from lindecay.sram.macro import emulate


def work(clips: int = 100, steps: int = 31, events: int = 83, seed: int = 0):
    """A layer of N-MNIST's size with random weights, and random clips for it."""
    rng = np.random.default_rng(seed)
    w = rng.integers(-4, 4, (512, 2312)).astype(np.int8)
    layer = Layer("hidden", w, np.int32(256), np.int32(11), 3)
    meta = {"B": 11, "f": 2, "law": "shrink", "reset": "subtract", "readout": "count"}
    drawn = [rng.choice(2312, events, replace=False) for _ in range(clips * steps)]
    made = Clips(
        indptr=np.arange(clips * steps + 1, dtype=np.int64) * events,
        channel=np.concatenate([np.sort(d) for d in drawn]).astype(np.int32),
        labels=np.zeros(clips, np.int64),
        steps=steps,
        channels=2312,
        dt_us=10_000,
        name="random",
        split="test",
        source="stand-in",
        sha256="",
    )
    return Checkpoint({**meta, "T": steps}, (layer,)), made


def dense(matmul: Callable, w, frames) -> None:
    """The neuron on dense frames [T, clips, in] in a framework's own arrays."""
    v = 0.0
    for x in frames:
        v = matmul(x, w) + v
        v = v - 256.0 * (v > 256.0)


@njit(cache=True)
def gather(indptr, channel, rows, out) -> None:
    """The least an event-driven network does: add one row of weights for each event."""
    for s in range(len(indptr) - 1):
        out[:] = 0
        for e in range(indptr[s], indptr[s + 1]):
            out += rows[channel[e]]


def _rounds(jobs: dict[str, Callable], rounds: int) -> dict[str, tuple[float, float]]:
    """Median wall and CPU milliseconds of each job, interleaved."""
    found = {name: [] for name in jobs}
    for job in jobs.values():
        job()  # compile, fill caches
    for _ in range(rounds):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            found[name].append(spent)
    return {k: tuple(1e3 * np.median(v, axis=0)) for k, v in found.items()}


def _peak_mb(job: Callable) -> float:
    tracemalloc.start()
    job()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def bench(rounds: int = 5, clips: int = 100) -> dict:
    """Time the array and the integer network; the object of `lindecay bench array`.

    Returns {"bit_sliced": …, "integer": …}: milliseconds of wall time, peers, ratios
    (peer over ours), GSOP/s, share of the gather bound, peak memory.
    """
    ck, made = work(clips)
    frames = np.ascontiguousarray(made.dense(np.arange(clips)), np.float32)
    w = np.ascontiguousarray(ck.layers[0].w.T * 4, np.float32)
    rows = np.ascontiguousarray(ck.layers[0].w.T.astype(np.int32) << ck.f)
    spare, threads = np.zeros(512, np.int32), torch.get_num_threads()
    torch.set_num_threads(1)
    tensors = torch.from_numpy(frames), torch.from_numpy(w)
    jobs = {
        "bit_sliced": lambda: emulate(ck, made, record=False),
        "integer": lambda: integer.run(ck, made, record=False),
        "numpy": lambda: dense(np.matmul, w, frames),
        "torch": lambda: dense(torch.matmul, tensors[1], tensors[0]),
        "gather": lambda: gather(made.indptr, made.channel, rows, spare),
    }
    spent = _rounds(jobs, rounds)
    torch.set_num_threads(threads)
    sops = len(made.channel) * 512
    bound = {"integer": spent["gather"][1] / spent["integer"][1], "bit_sliced": None}
    return {
        name: {
            "ours_ms": spent[name][0],
            "peers_ms": {k: spent[k][0] for k in ("numpy", "torch")},
            "ratio": {k: spent[k][0] / spent[name][0] for k in ("numpy", "torch")},
            "cpu_ratio": {k: spent[k][1] / spent[name][1] for k in ("numpy", "torch")},
            "gsops": sops / spent[name][0] / 1e6,
            "gsops_cpu": sops / spent[name][1] / 1e6,
            "limit_fraction": bound[name],
            "peak_mb": _peak_mb(jobs[name]),
            "threads": 1,
            "rounds": rounds,
        }
        for name in ("bit_sliced", "integer")
    }
