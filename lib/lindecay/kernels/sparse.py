"""A first layer that is fed by events: I = W x without multiplying by zeros.

    forward   I[row] = Σ W[:, c] over the channels c that are on in the row
    backward  dW[:, c] = Σ g[row] over the rows in which c is on     (the transpose)

Weights are packed into tiles of 64 neurons, so that a tile (all channels) stays in
the L2 cache while the events of the whole batch run over it; weights that are whole
numbers are added as int16, half the bytes and the same sums. Gradients come in chunks
of rows that stay in the first cache. Spikes of a hidden layer are listed first, behind
dropout too.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn.functional import linear

from lindecay.kernels import pool, spike_lists, threads
from lindecay.kernels.dropout import Dropped
from lindecay.kernels.vector import WIDTH, add_rows_of
from lindecay.settings import Fault

TILE = WIDTH  # neurons; tile x channels x 4 B should fit the L2 cache
CHUNK = (96, 512)  # rows of gradients that are gathered from at a time
MOST = 2**15 - 1  # what a sum of int16 may reach
EACH = 8  # events that a channel should have in them: fewer, and sums move too often
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
        if not isinstance(x, Tensor) or x.dim() != 3:
            found = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
            wanted = "a tensor [time, batch, channels]"
            raise Fault("events have the wrong shape", expected=wanted, found=found)
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
        pointers, many = self.indptr, self.steps * self.batch + 1
        for name, array in (("indptr", pointers), ("channel", self.channel)):
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
                found = getattr(array, "dtype", type(array).__name__)
                wanted = "a numpy array of whole numbers"
                raise Fault(f"{name} of events", expected=wanted, found=found)
        ends = (0, len(self.channel))
        if len(pointers) != many or (pointers[0], pointers[-1]) != ends:
            raise Fault(
                "event rows do not fit",
                expected=f"{many} pointers from 0 to {ends[1]}",
                found=f"{len(pointers)} from {pointers[:1]} to {pointers[-1:]}",
            )
        if (pointers[1:] < pointers[:-1]).any():
            raise Fault("event rows do not fit", expected="pointers that never fall")
        unsigned = np.ascontiguousarray(self.channel, np.int64).view(np.uint64)
        if len(unsigned) and unsigned.max() >= self.channels:  # negative: very large
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
    def transposed(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Where each channel is on, for each chunk of event rows: pointers [chunks,
        channels + 1], rows within their chunk [events], and rows of a chunk."""
        rows = int(np.clip(EACH / max(self.density, 1e-9), *CHUNK))
        return *transpose(self.indptr, self.channel, self.channels, rows), rows

    def dense(self, dtype=torch.float32) -> Tensor:
        """[time, batch, channels]."""
        x = np.zeros((self.steps * self.batch, self.channels), np.float32)
        rows = np.repeat(self.place, np.diff(self.indptr))
        np.add.at(x, (rows, self.channel), 1)
        x = torch.from_numpy(x).to(dtype)
        return x.reshape(self.steps, self.batch, self.channels)


def synapses(x, weight: Tensor, crossover: float = CROSSOVER) -> Tensor:
    """I = W x: [time, batch, out] from events or spikes and weight [out, channels].

    x: Events, Dropped, or a tensor [time, batch, channels] whose numbers are 0 and one
    other, or small whole numbers (spikes, event counts, either behind dropout).
    Gathers rows where it is sparse, multiplies densely where it is not.

    >>> events = Events.of(torch.tensor([[[0, 1, 1]], [[1, 0, 0]]]))
    >>> synapses(events, torch.tensor([[1.0, 2.0, 4.0]]), crossover=2).tolist()
    [[[6.0]], [[1.0]]]
    """
    channels = x.channels if isinstance(x, Events) else x.shape[-1]
    if weight.dim() != 2 or weight.shape[1] != channels:
        raise Fault(
            "weight has the wrong shape",
            expected=f"[out, {channels}]",
            found=list(weight.shape),
        )
    fits = weight.device.type == "cpu" and weight.dtype in pool.NUMPY
    narrow = len(weight) < TILE  # a tile is then mostly padding
    if isinstance(x, Events):
        crossover = crossover / 2 if narrow else crossover
        if not fits or x.density > crossover:
            return linear(x.dense(weight.dtype).to(weight.device), weight)
        return Gather.apply(None, weight, x, 1.0, None)
    crossover = crossover / 5 if narrow else crossover  # listing is not free either
    spikes, dropped = (x.spikes, x) if isinstance(x, Dropped) else (x, None)
    fits = fits and spikes.device.type == "cpu" and spikes.dtype == weight.dtype
    found = listed(spikes, crossover, dropped) if fits and spikes.dim() == 3 else None
    if found is None:
        return linear(x if dropped is None else x.dense(), weight)
    return Gather.apply(spikes, weight, *found, dropped)


def listed(spikes: Tensor, crossover: float, dropped: Dropped | None):
    """Spikes as events and the value of each; None where multiplying is faster."""
    how = (dropped.draws, dropped.keep) if dropped else ()
    found = spike_lists.of(spikes, crossover, *how)
    if found is None:
        return None
    indptr, channel, value = found
    value *= dropped.factor if dropped else 1.0
    return Events(indptr, channel, *spikes.shape, True), value


class Gather(torch.autograd.Function):
    """x (None, or spikes), weight [out, channels] -> current [time, batch, out]."""

    @staticmethod
    def forward(ctx, x, weight, events, factor, dropped):
        ctx.events, ctx.factor, ctx.dropped = events, factor, dropped
        ctx.save_for_backward(weight)
        w = table(weight.detach().contiguous().numpy(), events)
        current = pool.empty((events.steps, events.batch, len(weight)), weight.dtype)
        flat = current.numpy().reshape(-1, len(weight))
        unit = flat.dtype.type(factor)
        given = (events.indptr, events.channel, w, flat, events.place, unit)
        threads.shared(add_rows, given, len(w), len(events.channel) * len(weight))
        return current

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        events, (weight,), g = ctx.events, ctx.saved_tensors, g.contiguous()
        back = grad = None
        if ctx.needs_input_grad[0]:
            back = pool.empty((*g.shape[:2], events.channels), g.dtype)
            torch.mm(g.flatten(0, 1), weight, out=back.view(-1, events.channels))
            back = ctx.dropped.thin(back, back) if ctx.dropped else back
        if ctx.needs_input_grad[1]:
            grad = pool.empty(weight.shape, g.dtype)
            flat = g.numpy().reshape(-1, len(weight))
            given = (*events.transposed, events.place, flat, grad.numpy())
            tiles, work = -(-len(weight) // WIDTH), len(events.channel) * len(weight)
            threads.shared(add_transposed, given, tiles, work)
            grad = grad if ctx.factor == 1 else grad.mul_(ctx.factor)
        return back, grad, None, None, None


def table(w: np.ndarray, events: Events) -> np.ndarray:
    """Weights in tiles; as int16 where they are whole and no sum leaves it."""
    top = largest(w)
    if top >= 0 and top * np.diff(events.indptr).max(initial=0) <= MOST:
        w = w.astype(np.int16)
    return pack(w, TILE)


@njit(cache=True)
def largest(w):
    """The largest |w| where all are whole and below 2^15, else −1."""
    most, whole = 0.0, True
    for row in w:
        for value in row:
            size = abs(value)
            whole &= size <= MOST and size == np.floor(size)
            most = max(most, size)
    return int(most) if whole else -1


@njit(cache=True)
def transpose(indptr, channel, channels, many):
    """Compressed columns of each chunk of `many` rows, by counting."""
    rows = indptr.size - 1
    start = np.zeros((-(-rows // many), channels + 1), np.int64)
    where, at = np.empty(channel.size, np.uint16), np.empty(channels, np.int64)
    for k in range(len(start)):
        s, r0, r1 = start[k], k * many, min(rows, (k + 1) * many)
        s[0] = indptr[r0]
        for e in range(indptr[r0], indptr[r1]):
            s[channel[e] + 1] += 1
        for c in range(channels):
            s[c + 1] += s[c]
            at[c] = s[c]
        for r in range(r0, r1):
            for e in range(indptr[r], indptr[r + 1]):
                where[at[channel[e]]] = r - r0
                at[channel[e]] += 1
    return start, where


@njit(cache=True)
def pack(w, tile):
    """[out, in] -> [tiles, in, tile], zeros where out ends."""
    out, many = w.shape
    packed = np.zeros((-(-out // tile), many, tile), w.dtype)
    for n0 in range(0, out, tile):  # rows whose pages the processor can remember
        for c0 in range(0, many, 16):
            for n in range(n0, min(out, n0 + tile)):
                for c in range(c0, min(many, c0 + 16)):
                    packed[n0 // tile, c, n - n0] = w[n, c]
    return packed


@njit(cache=True, error_model="numpy", nogil=True)
def add_rows(indptr, channel, packed, out, place, factor, lo, hi):
    """out[place[r]] = factor · Σ of the weight rows of the events of row r, in the
    tiles [lo, hi)."""
    _, _, width = packed.shape
    total = np.empty((1, width), packed.dtype)
    for k in range(lo, hi):
        used = min(width, out.shape[1] - k * width)
        for r in range(indptr.size - 1):
            total[:] = 0
            add_rows_of(packed[k], channel, indptr[r], indptr[r + 1], total, 0)
            row = out[place[r], k * width : k * width + used]
            for j in range(used):
                row[j] = out.dtype.type(total[0, j]) * factor


@njit(cache=True, error_model="numpy", nogil=True)
def add_transposed(start, where, many, place, g, grad, lo, hi):
    """grad[:, c] = Σ g[row] over the rows in which channel c is on, in the tiles
    [lo, hi)."""
    rows, out = g.shape
    channels = start.shape[1] - 1
    part = np.zeros((many, WIDTH), g.dtype)
    total = np.empty((channels, WIDTH), g.dtype)
    for k in range(lo, hi):
        used = min(WIDTH, out - k * WIDTH)
        total[:] = 0
        for q in range(len(start)):
            for i in range(min(many, rows - q * many)):
                row = part[i]
                from_ = g[place[q * many + i], k * WIDTH : k * WIDTH + used]
                for j in range(used):
                    row[j] = from_[j]
            s = start[q]
            for c in range(channels):
                if s[c + 1] > s[c]:
                    add_rows_of(part, where, s[c], s[c + 1], total, c)
        for c0 in range(0, channels, 16):
            n = min(16, channels - c0)
            for j in range(used):
                line = grad[k * WIDTH + j, c0 : c0 + n]
                for i in range(n):
                    line[i] = total[c0 + i, j]
