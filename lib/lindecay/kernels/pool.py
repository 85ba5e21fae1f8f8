"""Workspace: large tensors whose memory is used again once nobody holds them.

Fresh memory costs a page fault for each page, about as much as the whole time loop.
A buffer returns to the pool when the last tensor on its storage dies, never before:
two forwards before a backward, a layer used twice, a second backward are all safe.
"""

import weakref
from collections import defaultdict

import numpy as np
import torch

SMALL = 1 << 20  # below this malloc reuses memory by itself
LIMIT = 1 << 30  # idle bytes that the pool keeps at most
NUMPY = {torch.float32: np.float32, torch.float64: np.float64}

_idle: dict[int, list[np.ndarray]] = defaultdict(list)
_kept = [0]


def empty(shape, dtype: torch.dtype) -> torch.Tensor:
    """An uninitialised CPU tensor, aligned to 64 bytes.

    >>> first = empty((1 << 20,), torch.float32); where = first.data_ptr()
    >>> del first; empty((1 << 20,), torch.float32).data_ptr() == where
    True
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size < SMALL:
        return torch.empty(shape, dtype=dtype)
    buffer = _take(size)
    start = -buffer.ctypes.data % 64
    view = buffer[start : start + size].view(NUMPY[dtype]).reshape(tuple(shape))
    weakref.finalize(view, _give_back, buffer, size).atexit = False
    return torch.from_numpy(view)


def _take(size: int) -> np.ndarray:
    try:
        buffer = _idle[size].pop()
    except IndexError:
        return np.empty(size + 64, np.uint8)  # numpy asks for huge pages
    _kept[0] -= size
    return buffer


def _give_back(buffer: np.ndarray, size: int) -> None:
    if _kept[0] + size <= LIMIT:
        _kept[0] += size
        _idle[size].append(buffer)


def clear() -> None:
    """Give all idle memory back to the system."""
    _idle.clear()
    _kept[0] = 0
