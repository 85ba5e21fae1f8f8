"""Interleaved rounds, medians, peak memory: how everything here is measured."""

import ctypes
import gc
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from lindecay.kernels import pool
from lindecay.settings import Fault

ROUNDS = 9  # at least 7


@contextmanager
def one_thread():
    """One torch thread inside, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class Work:
    """One piece of work: ours, peers and (if known) the least that it can take."""

    ours: Callable
    peers: dict[str, Callable]
    floor: Callable | None = None
    sops: int | None = None  # synaptic operations of the forward pass
    extra: dict = field(default_factory=dict)


def interleave(candidates: dict[str, Callable], rounds: int = ROUNDS, warm: int = 2):
    """{name: (wall ms, cpu ms)}, each [rounds]; every round runs each once."""
    for run in candidates.values():
        for _ in range(warm):
            run()
    times = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            times[name].append(
                (1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu))
            )
    return {name: tuple(np.array(t).T) for name, t in times.items()}


def measure(work: Work, rounds: int = ROUNDS) -> dict:
    """The row of one work, as `lindecay bench --json` prints it (without memory)."""
    candidates = {"ours": work.ours, **work.peers}
    if work.floor:
        candidates["floor"] = work.floor
    with one_thread():
        times = interleave(candidates, rounds)
    wall = {name: float(np.median(w)) for name, (w, _) in times.items()}
    cpu = {name: float(np.median(c)) for name, (_, c) in times.items()}
    quick = wall["ours"]
    fastest = float(times["ours"][0].min())
    return {
        "ours_ms": quick,
        "peers_ms": {name: wall[name] for name in work.peers},
        "ratio": {name: wall[name] / quick for name in work.peers},
        "cpu_ratio": {name: cpu[name] / cpu["ours"] for name in work.peers},
        "gsops": work.sops / quick / 1e6 if work.sops else None,
        "limit_fraction": wall["floor"] / quick if work.floor else None,
        "peak_mb": None,
        "threads": 1,
        "rounds": rounds,
        "spread": {n: [float(w.min()), float(w.max())] for n, (w, _) in times.items()},
        "fastest_ms": fastest,
        **work.extra,
    }


def resident_mb(key: str = "VmRSS") -> float:
    """Resident memory of this process in MB (Linux): VmRSS now, VmHWM at its peak."""
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1e3
    return float("nan")


def peak(run: Callable) -> float:
    """Peak memory in MB that one call adds, in a process that has warmed up."""
    gc.collect()
    pool.clear()  # nobody starts with memory that is still mapped
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
    before = resident_mb()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the high-water mark starts again from here
    run()
    return max(0.0, resident_mb("VmHWM") - before)


def peak_elsewhere(work: str, who: str, runs: int = 3) -> float:
    """Median of `peak` in fresh processes: nobody inherits another's memory."""
    ask = [sys.executable, "-W", "ignore", "-m", "lindecay.bench", work, who]
    found = []
    for _ in range(runs):
        done = subprocess.run(ask, capture_output=True, text=True)
        if done.returncode:
            raise Fault(
                "a memory run failed", found=done.stderr.strip()[-200:], where=who
            )
        found.append(float(done.stdout.split()[-1]))
    return float(np.median(found))


def memory(name: str, work: Work, runs: int = 3) -> dict:
    """Peak memory beyond the input in MB: ours, the peers', and the ratio."""
    ours = peak_elsewhere(name, "ours", runs)
    theirs = {who: peak_elsewhere(name, who, runs) for who in work.peers}
    return {
        "peak_mb": ours,
        "peers_peak_mb": theirs,
        "peak_ratio": {who: ours / mb for who, mb in theirs.items()},
    }
