"""A first layer that is fed by events: I = W x without multiplying by zeros.

    forward   I[row] = Σ W[:, c] over the channels c that are on in the row
    backward  dW[:, c] = Σ g[row] over the rows in which c is on     (the transpose)

Weights are packed into tiles of 64 neurons, so that a tile (all channels) stays in
the L2 cache while the events of the whole batch run over it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn.functional import linear

from lindecay.kernels import pool
from lindecay.kernels.vector import WIDTH, add_rows_of
from lindecay.settings import Fault

TILE = WIDTH  # neurons; tile x channels x 4 B should fit the L2 cache
CROSSOVER = 0.4  # density above which dense GEMM was faster (lindecay bench networks)


@dataclass(frozen=True)
class Events:
    """Binary events of a batch as compressed rows.

    indptr: int64 [rows + 1]; channel: int32 [events]. Row b·steps + t belongs to
    clip b and time t (as in events.Clips), or row t·batch + b if `time_first`.
    A channel that occurs twice in a row counts twice.
    """

    indptr: np.ndarray
    channel: np.ndarray
    steps: int
    batch: int
    channels: int
    time_first: bool = False

    @classmethod
    def of(cls, x: Tensor) -> "Events":
        """From a dense binary tensor [time, batch, channels].

        >>> Events.of(torch.tensor([[[0, 1, 1]], [[1, 0, 0]]])).channel.tolist()
        [1, 2, 0]
        """
        steps, batch, channels = x.shape
        if ((x != 0) & (x != 1)).any():
            raise Fault(
                "events must be binary", expected="0 or 1", found="other values"
            )
        row, channel = np.nonzero(x.reshape(-1, channels).numpy())
        size = np.bincount(row, minlength=steps * batch)
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        return cls(indptr, channel.astype(np.int32), steps, batch, channels, True)

    def __post_init__(self):
        rows = self.steps * self.batch
        if len(self.indptr) != rows + 1 or self.indptr[-1] != len(self.channel):
            raise Fault(
                "event rows do not fit",
                expected=f"{rows + 1} pointers ending at {len(self.channel)}",
                found=f"{len(self.indptr)} ending at {self.indptr[-1]}",
            )
        if len(self.channel) and not 0 <= self.channel.min() <= self.channel.max() < (
            self.channels
        ):
            raise Fault(
                "event outside the channels", expected=f"0 … {self.channels - 1}"
            )

    @property
    def density(self) -> float:
        """Share of (time, clip, channel) that is on."""
        return len(self.channel) / max(1, self.steps * self.batch * self.channels)

    @cached_property
    def place(self) -> np.ndarray:
        """Row of the output [time · batch] that each event row belongs to."""
        rows = np.arange(self.steps * self.batch)
        if self.time_first:
            return rows
        return rows % self.steps * self.batch + rows // self.steps

    @cached_property
    def transposed(self) -> tuple[np.ndarray, np.ndarray]:
        """(pointers [channels + 1], output rows [events]): where each channel is on."""
        return transpose(self.indptr, self.channel, self.channels, self.place)

    def dense(self, dtype=torch.float32) -> Tensor:
        """[time, batch, channels]."""
        x = np.zeros((self.steps * self.batch, self.channels), np.float32)
        rows = np.repeat(self.place, np.diff(self.indptr))
        np.add.at(x, (rows, self.channel), 1)
        x = torch.from_numpy(x).to(dtype)
        return x.reshape(self.steps, self.batch, self.channels)


def synapses(events: Events, weight: Tensor, crossover: float = CROSSOVER) -> Tensor:
    """I = W x: [time, batch, out] from events and weight [out, channels].

    Gathers rows where events are sparse, multiplies densely where they are not.

    >>> events = Events.of(torch.tensor([[[0, 1, 1]], [[1, 0, 0]]]))
    >>> synapses(events, torch.tensor([[1.0, 2.0, 4.0]]), crossover=2).tolist()
    [[[6.0]], [[1.0]]]
    """
    if weight.dim() != 2 or weight.shape[1] != events.channels:
        raise Fault(
            "weight has the wrong shape",
            expected=f"[out, {events.channels}]",
            found=list(weight.shape),
        )
    fits = weight.device.type == "cpu" and weight.dtype in pool.NUMPY
    narrow = 0.5 if len(weight) < TILE else 1.0  # a tile is then mostly padding
    if not fits or events.density > crossover * narrow:
        return linear(events.dense(weight.dtype).to(weight.device), weight)
    return Gather.apply(weight, events)


class Gather(torch.autograd.Function):
    """weight [out, channels] -> current [time, batch, out]."""

    @staticmethod
    def forward(ctx, weight, events):
        ctx.events, out = events, len(weight)
        w = weight.detach().contiguous().numpy()
        current = pool.empty((events.steps, events.batch, out), weight.dtype)
        flat = current.numpy().reshape(-1, out)
        add_rows(events.indptr, events.channel, pack(w, TILE), flat, events.place)
        return current

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        events, out = ctx.events, g.shape[-1]
        flat = g.contiguous().numpy().reshape(-1, out)
        grad = pool.empty((out, events.channels), g.dtype)
        add_transposed(*events.transposed, flat, grad.numpy(), TILE)
        return grad, None


@njit(cache=True)
def transpose(indptr, channel, channels, place):
    """Compressed columns by counting."""
    start = np.zeros(channels + 1, np.int64)
    rows = np.empty(channel.size, np.int32)
    for c in channel:
        start[c + 1] += 1
    for c in range(channels):
        start[c + 1] += start[c]
    at = start[:-1].copy()
    for r in range(indptr.size - 1):
        for e in range(indptr[r], indptr[r + 1]):
            rows[at[channel[e]]] = place[r]
            at[channel[e]] += 1
    return start, rows


@njit(cache=True)
def pack(w, tile):
    """[out, in] -> [tiles, in, tile], zeros where out ends."""
    out, many = w.shape
    packed = np.zeros((-(-out // tile), many, tile), w.dtype)
    for c0 in range(0, many, 16):
        for n in range(out):
            k, j = n // tile, n % tile
            for c in range(c0, min(many, c0 + 16)):
                packed[k, c, j] = w[n, c]
    return packed


@njit(cache=True, error_model="numpy")
def add_rows(indptr, channel, packed, out, place):
    """out[place[r]] = Σ of the weight rows of the events of row r."""
    tiles, _, width = packed.shape
    total = np.empty(width, packed.dtype)
    for k in range(tiles):
        used = min(width, out.shape[1] - k * width)
        for r in range(indptr.size - 1):
            add_rows_of(packed[k], channel, indptr[r], indptr[r + 1], total)
            row = out[place[r], k * width : k * width + used]
            for j in range(used):
                row[j] = total[j]


@njit(cache=True, error_model="numpy")
def add_transposed(start, rows, g, grad, width):
    """grad[:, c] = Σ g[row] over the rows in which channel c is on."""
    many, out = g.shape
    part = np.zeros((many, width), g.dtype)
    block = np.empty((16, width), g.dtype)
    for k in range(-(-out // width)):
        used = min(width, out - k * width)
        for r in range(many):
            row, from_ = part[r], g[r, k * width : k * width + used]
            for j in range(used):
                row[j] = from_[j]
        for c0 in range(0, start.size - 1, 16):
            n = min(16, start.size - 1 - c0)
            for i in range(n):
                add_rows_of(part, rows, start[c0 + i], start[c0 + i + 1], block[i])
            for j in range(used):
                line = grad[k * width + j, c0 : c0 + n]
                for i in range(n):
                    line[i] = block[i, j]
