"""How fast the emulator is, beside numpy and torch on the same integers.

    GSOP/s = input events x fan-out / seconds / 1e9

One layer, 2312 -> 512, 3-bit weights, random events; and the work of 10,000 N-MNIST
clips, the test clips at hand repeated, through 2312 -> 512 -> 10. Peers multiply dense
frames: they do not see that most inputs are silent, and they count nothing. The integer
network's bound is the time of its gather alone: adding one row of weights, in the
same narrow type, for each event.
"""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numba import njit
from torch.nn.functional import conv2d

from lindecay import events, integer
from lindecay.events import Clips
from lindecay.quantization import Checkpoint, Layer
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial.macro import build, emulate
from lindecay.sram.serial.structural import tally
from lindecay.sram.show.growth import random_clip


def work(clips: int = 100, steps: int = 31, spikes: int = 83, seed: int = 0):
    """A layer of N-MNIST's size with random weights, and random clips for it."""
    rng = np.random.default_rng(seed)
    w = rng.integers(-4, 4, (512, 2312)).astype(np.int8)
    layer = Layer("hidden", w, np.int32(256), np.int32(11), 3)
    meta = {"B": 11, "f": 2, "law": "shrink", "reset": "subtract", "readout": "count"}
    drawn = [rng.choice(2312, spikes, replace=False) for _ in range(clips * steps)]
    made = Clips(
        indptr=np.arange(clips * steps + 1, dtype=np.int64) * spikes,
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


def maps(clips: int = 8, steps: int = 50, density: float = 0.1, seed: int = 0):
    """The two convolutions of the gesture network with random weights, and clips."""
    rng = np.random.default_rng(seed)
    rows = {"lam": np.int32(5), "bits": 4}
    w = [
        rng.integers(-8, 8, s).astype(np.int8) for s in ((16, 2, 5, 5), (32, 16, 3, 3))
    ]
    first = {"plane": (2, 32, 32), "stride": 2, "padding": 2}
    one = Layer("conv1", w[0], np.int32(60), **rows, **first)
    two = Layer("conv2", w[1], np.int32(90), **rows, plane=one.map, padding=1)
    meta = {"B": 10, "f": 2, "law": "shrink", "reset": "subtract", "readout": "count"}
    frames = (rng.random((clips, steps, one.inputs)) < density).astype(np.uint8)
    indptr, channel = integer.as_events(frames)
    _, made = work(1, 1, 1)
    labels = np.zeros(clips, np.int64)
    told = {"indptr": indptr, "channel": channel, "labels": labels, "steps": steps}
    made = replace(made, **told, channels=one.inputs)
    return Checkpoint({**meta, "T": steps}, (one, two)), made


def dense_maps(ck: Checkpoint, frames) -> None:
    """The same in torch on dense frames [clips, T, C, H, W]; nothing is counted."""
    kernels = [torch.from_numpy(x.w.astype(np.float32)) * 4 for x in ck.layers]
    v = [0.0] * len(kernels)
    for t in range(frames.shape[1]):
        x = frames[:, t]
        for i, layer in enumerate(ck.layers):
            x = conv2d(x, kernels[i], None, layer.stride, layer.padding)
            v[i] = x + v[i]
            x = (v[i] > float(layer.theta)).float()
            v[i] = v[i] - float(layer.theta) * x


def conv_sliced(rounds: int = 5, clips: int = 32) -> dict:
    """Convolutions on the bit-sliced array, all counters, beside torch's dense ones."""
    ck, made = maps(clips)
    frames = torch.from_numpy(made.dense().astype(np.float32))
    frames = frames.swapaxes(0, 1).unflatten(2, ck.layers[0].plane)
    jobs = {
        "conv_sliced": lambda: emulate(ck, made, record=False),
        "torch": lambda: dense_maps(ck, frames),
    }
    spent = _rounds(jobs, rounds)
    sops = emulate(ck, made, record=False).ledger.total().sops
    more = {"limit_fraction": None, "peak_mb": _peak_mb(jobs["conv_sliced"])}
    return (
        _row("conv_sliced", spent, sops, ("torch",))
        | more
        | {
            "threads": 1,
            "rounds": rounds,
        }
    )


@njit(cache=True)
def gather(indptr, channel, rows, out) -> None:
    """The least an event-driven network does: add one row of weights for each event."""
    for s in range(len(indptr) - 1):
        out[:] = 0
        for e in range(indptr[s], indptr[s + 1]):
            out += rows[channel[e]]


def _rounds(jobs: dict[str, Callable], rounds: int) -> dict[str, tuple[float, float]]:
    """Wall and CPU milliseconds (medians) and least CPU of each job, interleaved."""
    found = {name: [] for name in jobs}
    for job in jobs.values():
        job()  # compile, fill caches
    for _ in range(rounds):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            found[name].append(spent)
    return {
        k: (*(1e3 * np.median(v, axis=0)), 1e3 * min(cpu for _, cpu in v))
        for k, v in found.items()
    }


def _peak_mb(job: Callable) -> float:
    tracemalloc.start()
    job()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def bench(rounds: int = 5, clips: int = 300) -> dict:
    """Time the array and the integer network; the object of `lindecay bench array`.

    Returns {"bit_sliced": …, "integer": …, "conv_sliced": …, "nmnist_10000": …,
    "scaling": …}: milliseconds of wall time, peers, ratios (peer over ours), GSOP/s,
    share of the gather bound, peak memory.
    """
    ck, made = work(clips)
    frames = np.ascontiguousarray(made.dense(np.arange(clips)), np.float32)
    w = np.ascontiguousarray(ck.layers[0].w.T * 4, np.float32)
    narrow = integer.narrowest(ck, ck.layers[0], made.indptr)
    rows = np.ascontiguousarray(ck.layers[0].w.T.astype(narrow) << narrow(ck.f))
    spare, threads = np.zeros(512, narrow), torch.get_num_threads()
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
    sops = len(made.channel) * 512
    bound = {"integer": spent["gather"][2] / spent["integer"][2], "bit_sliced": None}
    found = {
        name: _row(name, spent, sops, ("numpy", "torch"))
        | {"limit_fraction": bound[name], "peak_mb": _peak_mb(jobs[name])}
        | {"threads": 1, "rounds": rounds}
        for name in ("bit_sliced", "integer")
    }
    found["conv_sliced"] = conv_sliced(rounds)
    found["nmnist_10000"] = ten_thousand()
    torch.set_num_threads(threads)
    return found | {"scaling": scaling()}


def _row(name: str, spent: dict, sops: int, peers: tuple) -> dict:
    """One work's times beside its peers'."""
    ours = spent[name]
    return {
        "ours_ms": ours[0],
        "peers_ms": {k: spent[k][0] for k in peers},
        "ratio": {k: spent[k][0] / ours[0] for k in peers},
        "cpu_ratio": {k: spent[k][1] / ours[1] for k in peers},
        "gsops": sops / ours[0] / 1e6,
        "gsops_cpu": sops / ours[1] / 1e6,
        "gsops_best": sops / ours[2] / 1e6,
    }


def ten_thousand(clips: int = 10_000, sample: int = 100) -> dict:
    """The work of N-MNIST's test set, by repetition, with its structural ledger.

    Peers run `sample` clips, dense; their time is multiplied.
    """
    here = events.clips("nmnist", "test", "quick")
    many = here.subset(np.resize(np.arange(len(here)), clips))
    ck = two_layers(here.steps)
    few = many.subset(np.arange(sample))
    frames = np.ascontiguousarray(few.dense(), np.float32)
    w = np.ascontiguousarray(ck.layers[0].w.T * 4, np.float32)
    jobs = {
        "ours": lambda: tally(ck, many),
        "numpy": lambda: dense(np.matmul, w, frames),
        "torch": lambda: dense(
            torch.matmul, torch.from_numpy(w), torch.from_numpy(frames)
        ),
    }
    spent = _rounds(jobs, 1)
    for name in ("numpy", "torch"):
        spent[name] = tuple(x * clips / sample for x in spent[name])
    total = tally(ck, many).ledger.total()
    return _row("ours", spent, total.sops, ("numpy", "torch")) | {
        "seconds": spent["ours"][0] / 1e3,
        "cpu_seconds": spent["ours"][1] / 1e3,
        "clips": clips,
        "of": len(here),
        "source": here.source,
        "array_cycles": total.cycles,
        "peers": f"first layer of {sample} clips, times {clips // sample}",
        "threads": 1,
    }


def two_layers(steps: int, seed: int = 0) -> Checkpoint:
    """2312 -> 512 -> 10 with random weights."""
    ck, _ = work(1, 1, 1, seed)
    w = np.random.default_rng(seed).integers(-4, 4, (10, 512)).astype(np.int8)
    last = replace(ck.layers[0], name="output", w=w)
    return Checkpoint({**ck.meta, "T": steps}, (*ck.layers, last))


def scaling(rounds: int = 3) -> dict:
    """Cost against events and against planes of weights; memory of a large layer.

    A line is fitted to the least CPU time: fixed + events x slope, with its share of
    the variance. `planes`: milliseconds of a run with weights of so many bits, and
    array cycles of its accumulation.
    """
    by_events, by_planes = {}, {}
    for n in (32, 64, 128, 256):
        ck, made = work(clips=300, spikes=n)
        bits = _rounds(
            {"run": lambda ck=ck, m=made: emulate(ck, m, record=False)}, rounds
        )
        fast = _rounds({"run": lambda ck=ck, m=made: integer.run(ck, m, False)}, rounds)
        by_events[n] = {"bit_sliced": bits["run"][2], "integer": fast["run"][2]}
    for bits in (2, 4, 8):
        ck, made = work(clips=60)
        layer = ck.layers[0]
        drawn = np.random.default_rng(0).integers(
            -(2 ** (bits - 1)), 2 ** (bits - 1), layer.w.shape
        )
        ck = Checkpoint(ck.meta, (replace(layer, w=drawn.astype(np.int8), bits=bits),))
        spent = _rounds(
            {"run": lambda ck=ck, m=made: emulate(ck, m, record=False)}, rounds
        )
        cycles = tally(ck, made).ledger["hidden", "accumulate"].macro_cycles
        by_planes[bits] = {"bit_sliced": spent["run"][2], "cycles": cycles}
    return {
        "cpu_ms_by_events": by_events,
        "line_in_events": {
            k: _line({n: v[k] for n, v in by_events.items()})
            for k in ("bit_sliced", "integer")
        },
        "by_weight_planes": by_planes,
        "memory_4096": large(),
        "convolutions": conv_scaling(rounds),
    }


def conv_scaling(rounds: int = 3, clips: int = 16) -> dict:
    """Cost of convolutions against the spikes that wait at their tiles.

    `cpu_ms_by_entries`: least milliseconds by queue entries, from a twentieth of the
    inputs spiking to four tenths.
    """
    found = {}
    for density in (0.05, 0.1, 0.2, 0.4):
        ck, made = maps(clips, density=density)
        entries = emulate(ck, made, record=False).ledger.total().queue_entries
        job = {"run": lambda ck=ck, m=made: emulate(ck, m, record=False)}
        found[entries] = _rounds(job, rounds)["run"][2]
    return {"cpu_ms_by_entries": found, "line": _line(found)}


def _line(of: dict[int, float]) -> dict:
    """{fixed, slope, r2} of a straight line through time against events."""
    x, y = np.array(list(of), float), np.array(list(of.values()))
    slope, fixed = np.polyfit(x, y, 1)
    left = y - (fixed + slope * x)
    r2 = 1 - float(left @ left) / float(np.square(y - y.mean()).sum())
    return {"fixed_ms": float(fixed), "ms_per_event": float(slope), "r2": r2}


def large(n: int = 4096) -> dict:
    """Memory of an n x n layer: the cells, and the peak of a run of one clip."""
    w = np.random.default_rng(0).integers(-4, 4, (n, n)).astype(np.int8)
    ck, _ = work(1, 1, 1)
    ck = Checkpoint({**ck.meta, "T": 2}, (replace(ck.layers[0], w=w),))
    clip = random_clip(ck, 100)
    _, (machine,) = build(ck, MacroSpec())
    return {
        "cells_mb": machine.cells.nbytes / 2**20,
        "macros": machine.plan.macros,
        "peak_mb": _peak_mb(lambda: emulate(ck, clip, record=False)),
    }
