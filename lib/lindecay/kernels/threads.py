"""Compiled loops on as many threads as torch has, a part [lo, hi) of the places each.

numba's own parallel loops cost seconds of compiling and a thread layer that no forked
child may use; a loop that lets go of the interpreter's lock needs neither. A forked
child starts threads of its own.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from numba import config

# Additions, or neurons x steps, below which two threads were slower than one. Above it
# gathering gained 1.6 times; the time loop only where parameters learn (1.2 times),
# because one thread already takes all that memory gives.
LARGE = 1 << 24

_pool: list[ThreadPoolExecutor] = []
os.register_at_fork(after_in_child=_pool.clear)


def many(work: int) -> int:
    """Threads for so much work: torch's number, NUMBA_NUM_THREADS at most."""
    if work < LARGE:
        return 1
    return max(1, min(torch.get_num_threads(), config.NUMBA_NUM_THREADS))


def parts(places: int, threads: int, step: int = 1) -> list[tuple[int, int]]:
    """Where each thread begins and ends; borders at multiples of `step`.

    >>> parts(1024, 2, 64), parts(5, 2), parts(1, 4), parts(0, 2)
    ([(0, 512), (512, 1024)], [(0, 3), (3, 5)], [(0, 1)], [(0, 0)])
    """
    size = -(-places // (threads * step)) * step
    return [(a, min(a + size, places)) for a in range(0, places, max(1, size))] or [
        (0, 0)
    ]


def shared(loop: Callable, given: tuple, places: int, work: int, step=1) -> list:
    """loop(*given, lo, hi) for all parts; this thread takes the first."""
    first, *others = parts(places, many(work), step)
    if not others:
        return [loop(*given, *first)]
    if not _pool:
        _pool.append(ThreadPoolExecutor(os.cpu_count(), "lindecay"))
    running = [_pool[0].submit(loop, *given, *part) for part in others]
    try:
        return [loop(*given, *first), *(job.result() for job in running)]
    finally:  # a fault here must not leave memory that others still write
        for job in running:
            job.exception()
