"""The integer network: the contract in 32-bit integers, event by event.

    V' = decay(V);  U = clamp(V' + sum_j (w[j] << f) + bias);  S = U > theta;
    V  = U - theta * S        (or 0, or U: the reset)

Fast because an input event only gathers one row of weights, or adds one kernel around
its place. It is the middle party of every proof: training forward = integer network =
array = oracle.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from lindecay.events import Clips
from lindecay.quantization import LAWS, RESETS, Checkpoint, Layer
from lindecay.settings import Fault


@dataclass
class LayerTrace:
    """All states of one layer: U before the reset, V after it, S spikes."""

    name: str
    U: np.ndarray | None  # int32 [clips, T, out]
    V: np.ndarray | None  # int32 [clips, T, out]
    S: np.ndarray  # uint8 [clips, T, out]
    clears: int  # membranes that the decay brought to rest
    clamps: int  # integration results outside [V_min, V_max]
    sops: int  # input events times fan-out

    @property
    def spikes(self) -> int:
        return int(self.S.sum())


@dataclass
class Trace:
    """What a network did with some clips."""

    layers: list[LayerTrace]

    @property
    def counts(self) -> np.ndarray:
        """Output spikes of each clip and class, int32 [clips, classes]."""
        return self.layers[-1].S.sum(1, dtype=np.int32)

    @property
    def predictions(self) -> np.ndarray:
        """The class with most spikes, the first of equals, int64 [clips]."""
        return self.counts.argmax(1)


@njit(cache=True)
def _decay(law, v, lam, beta, shift):
    if law == 0:  # shrink: sign(V) * max(|V| - lam, 0)
        return max(v - lam, 0) if v >= 0 else min(v + lam, 0)
    if law == 1:  # floor
        return max(v - lam, 0)
    if law == 3:  # drift
        return v - lam
    if law == 4:  # round to nearest, ties away from zero, of beta V / 2^n
        half = (1 << shift) >> 1
        a = (abs(v) * beta + half) >> shift
        return a if v >= 0 else -a
    if law == 5:  # V - (V >> k), truncating
        return v - (v >> beta)
    return v


@njit(cache=True)
def _step(v, current, theta, lam, law, beta, shift, reset, low, high, U, V, S):
    """One step of every neuron; membranes cleared and clamped."""
    clears = clamps = 0
    for j in range(v.size):
        d = _decay(law, v[j], lam[j], beta, shift)
        clears += v[j] != 0 and d == 0
        u = d + current[j]
        if law == 2:  # floor after integration
            u = max(u - lam[j], 0)
        clamps += u < low or u > high
        u = min(max(u, low), high)
        s = u > theta[j]
        if s:
            v[j] = u - theta[j] if reset == 0 else (0 if reset == 1 else u)
        else:
            v[j] = u
        S[j] = s
        if U.size:
            U[j] = u
            V[j] = v[j]
    return clears, clamps


@njit(cache=True)
def _run(
    indptr, channel, rows, bias, theta, lam, law, beta, shift, reset, low, high, U, V, S
):
    """A linear layer: an event adds its row of weights."""
    clips, steps, out = S.shape
    current = np.empty(out, np.int32)
    v = np.empty(out, np.int32)
    clears = clamps = 0
    for c in range(clips):
        v[:] = 0
        for t in range(steps):
            current[:] = bias
            for e in range(indptr[c * steps + t], indptr[c * steps + t + 1]):
                current += rows[channel[e]]
            kept = c if U.size else 0
            done = _step(
                v, current, theta, lam, law, beta, shift, reset, low, high,
                U[kept, t], V[kept, t], S[c, t],
            )  # fmt: skip
            clears += done[0]
            clamps += done[1]
    return clears, clamps, channel.size * out


@njit(cache=True)
def _scatter(events, kernels, plane, stride, padding, sums):
    """Each event adds its kernel to sums [rows, columns, channels]; additions made."""
    rows, columns, out = sums.shape
    _, tall, wide, _ = kernels.shape
    sums[:] = 0
    sops = 0
    for e in events:
        c, left = divmod(e, plane[1] * plane[2])
        y, x = divmod(left, plane[2])
        y, x = y + padding, x + padding
        top = max(0, -((tall - 1 - y) // stride))  # first row that y reaches
        side = max(0, -((wide - 1 - x) // stride))
        for i in range(top, min(rows, y // stride + 1)):
            for k in range(side, min(columns, x // stride + 1)):
                at, w = sums[i, k], kernels[c, y - i * stride, x - k * stride]
                for o in range(out):
                    at[o] += w[o]
                sops += out
    return sops


@njit(cache=True)
def _run_planes(
    indptr, channel, kernels, plane, stride, padding, sums, bias, theta, lam, law,
    beta, shift, reset, low, high, U, V, S,
):  # fmt: skip
    """A convolution: an event adds its kernel around its place."""
    clips, steps, out = S.shape
    current, v = np.empty(out, np.int32), np.empty(out, np.int32)
    clears, clamps, sops = 0, 0, 0
    flat = sums.reshape(-1, sums.shape[2])
    for c in range(clips):
        v[:] = 0
        for t in range(steps):
            here = c * steps + t
            events = channel[indptr[here] : indptr[here + 1]]
            sops += _scatter(events, kernels, plane, stride, padding, sums)
            for o in range(flat.shape[1]):  # neurons lie channel by channel
                for k in range(flat.shape[0]):
                    j = o * flat.shape[0] + k
                    current[j] = bias[j] + flat[k, o]
            kept = c if U.size else 0
            done = _step(
                v, current, theta, lam, law, beta, shift, reset, low, high,
                U[kept, t], V[kept, t], S[c, t],
            )  # fmt: skip
            clears += done[0]
            clamps += done[1]
    return clears, clamps, sops


def run_layer(
    ck: Checkpoint, layer: Layer, indptr, channel, clips: int, record: bool
) -> LayerTrace:
    """One layer over all clips; events, already pooled, as CSR over (clip, step)."""
    shape = (clips, ck.steps, layer.out)
    U, V = (np.zeros(shape if record else (1, ck.steps, 0), np.int32) for _ in "UV")
    S = np.zeros(shape, np.uint8)
    rest = (
        layer.row("bias"),
        layer.row("theta"),
        layer.row("lam"),
        LAWS.index(ck.law),
        0 if layer.beta is None else int(layer.beta),
        layer.beta_shift or 0,
        RESETS.index(ck.reset),
        ck.v_min,
        ck.v_max,
        U,
        V,
        S,
    )
    order = (1, 2, 3, 0) if layer.kind == "conv" else (1, 0)  # neurons last
    rows = layer.w.astype(np.int32) << ck.f
    rows = np.ascontiguousarray(rows.transpose(order))
    if layer.kind == "conv":
        channels, *sides = layer.map
        sums = np.zeros((*sides, channels), np.int32)
        place = (layer.seen, layer.stride, layer.padding, sums)
        clears, clamps, sops = _run_planes(indptr, channel, rows, *place, *rest)
    else:
        clears, clamps, sops = _run(indptr, channel, rows, *rest)
    kept = (U, V) if record else (None, None)
    return LayerTrace(layer.name, *kept, S, int(clears), int(clamps), int(sops))


def pooled(layer: Layer, indptr, channel) -> tuple[np.ndarray, np.ndarray]:
    """The events that the layer's weights see: OR over pool x pool neighbours."""
    if layer.pool == 1:
        return indptr, channel
    return _pool(indptr, channel, layer.plane, layer.pool)


@njit(cache=True)
def _pool(indptr, channel, plane, k):
    C, H, W = plane
    high, wide = H // k, W // k
    last = np.full(C * high * wide, -1, np.int64)  # row that saw this place last
    out, starts, n = np.empty(channel.size, np.int32), indptr.copy(), 0
    for r in range(indptr.size - 1):
        starts[r] = n
        for e in range(indptr[r], indptr[r + 1]):
            c, left = divmod(channel[e], H * W)
            y, x = left // W // k, left % W // k
            place = (c * high + y) * wide + x
            if y < high and x < wide and last[place] != r:
                last[place] = r
                out[n] = place
                n += 1
        out[starts[r] : n].sort()
    starts[-1] = n
    return starts, out[:n].copy()


def as_events(S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes [clips, T, n] as CSR over (clip, step): indptr int64, channel int32."""
    flat = S.reshape(-1, S.shape[-1])
    per_bin = np.count_nonzero(flat, axis=1)
    indptr = np.concatenate([[0], np.cumsum(per_bin)]).astype(np.int64)
    return indptr, np.nonzero(flat)[1].astype(np.int32)


def run(ck: Checkpoint, clips: Clips, record: bool = True) -> Trace:
    """Run the integer network on binned clips.

    Args:
        ck: integer checkpoint.
        clips: events, binary per bin and channel; same T and channels as `ck`.
        record: keep U and V of every neuron and step.

    Raises:
        Fault: when clips and network do not fit.
    """
    fits(ck, clips)
    indptr, channel = clips.indptr, clips.channel
    layers = []
    for layer in ck.layers:
        indptr, channel = pooled(layer, indptr, channel)
        layers.append(run_layer(ck, layer, indptr, channel, len(clips), record))
        indptr, channel = as_events(layers[-1].S)
    return Trace(layers)


def fits(ck: Checkpoint, clips: Clips) -> None:
    """Fault unless the clips have the network's steps and input channels."""
    wanted, found = (ck.steps, ck.layers[0].inputs), (clips.steps, clips.channels)
    if wanted != found:
        raise Fault(
            "clips do not fit the network",
            expected=f"{wanted[0]} steps x {wanted[1]} channels",
            found=f"{found[0]} x {found[1]}",
            where=f"{clips.name}/{clips.split}",
        )
