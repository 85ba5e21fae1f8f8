"""The integer network: the contract in 32-bit integers, event by event.

    V' = decay(V);  U = clamp(V' + sum_j (w[j] << f) + bias);  S = U > theta;
    V  = U - theta * S        (or 0, or U: the reset)

or, reset "late", snnTorch's habit: U stays, and the next step decays and subtracts.

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
def _decay(law, v, lam, beta, shift, u, cleared):
    """u = the membranes after their decay; `cleared` counts those brought to rest.

    Here and below all stays in the arrays' own type (`kind`), so that a register holds
    as many neurons as it can: int16 wherever the sums allow it.
    """
    kind = u.dtype.type
    zero, half = kind(0), (1 << shift) >> 1
    if law == 0:  # shrink: sign(V) * max(|V| - lam, 0)
        for j in range(len(v)):
            down, up = kind(v[j] - lam[j]), kind(v[j] + lam[j])
            u[j] = kind(max(down, zero)) if v[j] >= zero else kind(min(up, zero))
    elif law == 1:  # floor
        for j in range(len(v)):
            u[j] = kind(max(kind(v[j] - lam[j]), zero))
    elif law == 3:  # drift
        for j in range(len(v)):
            u[j] = kind(v[j] - lam[j])
    elif law == 4:  # round to nearest, ties away from zero, of beta V / 2^n
        for j in range(len(v)):
            size = kind((abs(np.int64(v[j])) * beta[j] + half) >> shift)
            u[j] = size if v[j] >= zero else kind(-size)
    elif law == 5:  # V - (V >> k), truncating
        for j in range(len(v)):
            u[j] = kind(v[j] - (v[j] >> beta[j]))
    elif law == 7:  # beta V / 2^n, towards zero
        for j in range(len(v)):
            size = kind((abs(np.int64(v[j])) * beta[j]) >> shift)
            u[j] = size if v[j] >= zero else kind(-size)
    elif law == 8:  # V - V/2^k, the part to nearest, ties upwards
        for j in range(len(v)):
            half_k = (1 << beta[j]) >> 1
            u[j] = kind(v[j] - ((v[j] + half_k) >> beta[j]))
    else:
        u[:] = v
    for j in range(len(v)):
        cleared[j] = kind(cleared[j] + kind((v[j] != zero) & (u[j] == zero)))


@njit(cache=True)
def _after(current, lam, u):
    """The law that decays after integration; `current` is used up."""
    kind = u.dtype.type
    for j in range(len(u)):
        u[j] = kind(max(kind(kind(u[j] + current[j]) - lam[j]), kind(0)))
    current[:] = 0


@njit(cache=True)
def _settle(current, theta, low, high, drops, keeps, u, v, S, clamped):
    """u + current, clamped; S = u > theta; v = u, where it fired (u - theta) or 0 or u.

    drops, keeps: 0 or 1, v = (u - drops * theta) * keeps.
    """
    kind = u.dtype.type
    for j in range(len(u)):
        raw = kind(u[j] + current[j])
        held = kind(min(max(raw, low), high))
        clamped[j] = kind(clamped[j] + kind(held != raw))
        u[j] = held
        fires = held > theta[j]
        S[j] = fires
        v[j] = kind(kind(held - kind(drops * theta[j])) * keeps) if fires else held


@njit(cache=True)
def _late(theta, u, v):
    """Subtract theta where the last step's membrane had fired."""
    kind = u.dtype.type
    for j in range(len(u)):
        u[j] = kind(u[j] - theta[j]) if v[j] > theta[j] else u[j]


@njit(cache=True)
def _step(v, u, current, theta, lam, law, beta, shift, reset, low, high, S, lanes):
    """One step of every neuron; `lanes` [2, out] count clears and clamps."""
    kind = u.dtype.type
    _decay(law, v, lam, beta, shift, u, lanes[0])
    if reset == 3:
        _late(theta, u, v)
    if law == 2:
        lanes[0] = 0  # no decay before integration, nothing that it cleared
        _after(current, lam, u)
    drops, keeps = kind(reset == 0), kind(reset != 1)
    _settle(current, theta, low, high, drops, keeps, u, v, S, lanes[1])


@njit(cache=True)
def _kept(c, t, steps, u, v, U, V, lanes, counts):
    """Write a step down; empty the lanes before an int16 is full."""
    if U.size:
        U[c, t], V[c, t] = u, v
    if t % 16384 == 16383 or t == steps - 1:
        counts[0] += lanes[0].sum()
        counts[1] += lanes[1].sum()
        lanes[:] = 0


@njit(cache=True)
def _run(
    indptr, channel, rows, bias, theta, lam, law, beta, shift, reset, low, high, U, V, S
):
    """A linear layer: an event adds its row of weights."""
    clips, steps, out = S.shape
    current, u, v = bias.copy(), bias.copy(), bias.copy()
    lanes, counts = np.zeros((2, out), bias.dtype), np.zeros(2, np.int64)
    for c in range(clips):
        v[:] = 0
        for t in range(steps):
            current[:] = bias
            for e in range(indptr[c * steps + t], indptr[c * steps + t + 1]):
                current += rows[channel[e]]
            _step(
                v, u, current, theta, lam, law, beta, shift, reset, low, high, S[c, t],
                lanes,
            )  # fmt: skip
            _kept(c, t, steps, u, v, U, V, lanes, counts)
    return counts[0], counts[1], channel.size * out


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
    current, u, v, sops = bias.copy(), bias.copy(), bias.copy(), 0
    lanes, counts = np.zeros((2, out), bias.dtype), np.zeros(2, np.int64)
    kind, flat = bias.dtype.type, sums.reshape(-1, sums.shape[2])
    for c in range(clips):
        v[:] = 0
        for t in range(steps):
            here = c * steps + t
            events = channel[indptr[here] : indptr[here + 1]]
            sops += _scatter(events, kernels, plane, stride, padding, sums)
            for o in range(flat.shape[1]):  # neurons lie channel by channel
                for k in range(flat.shape[0]):
                    j = o * flat.shape[0] + k
                    current[j] = kind(bias[j] + flat[k, o])
            _step(
                v, u, current, theta, lam, law, beta, shift, reset, low, high, S[c, t],
                lanes,
            )  # fmt: skip
            _kept(c, t, steps, u, v, U, V, lanes, counts)
    return counts[0], counts[1], sops


def narrowest(ck: Checkpoint, layer: Layer, indptr: np.ndarray):
    """int16 where no sum of a step can leave it, else int32.

    A sum is at most that of all weights of one sign, and at most the busiest step's
    events times the largest weight.
    """
    busiest = int(np.diff(indptr).max(initial=0))
    largest = max(-int(layer.w.min(initial=0)), int(layer.w.max(initial=0)))
    steady = int(max(layer.row("lam").max(), layer.row("theta").max())) + 2**ck.B
    steady += 0 if layer.bias is None else int(np.abs(layer.bias).max())
    reach = (busiest * largest << ck.f) + steady
    if reach >= 2**15:
        w = layer.w.reshape(len(layer.w), -1)
        ends = (f(w, 0).sum(1, dtype=np.int64) for f in (np.minimum, np.maximum))
        reach = (max(int(np.abs(end).max()) for end in ends) << ck.f) + steady
    return np.int16 if reach < 2**15 else np.int32


def run_layer(
    ck: Checkpoint, layer: Layer, indptr, channel, clips: int, record: bool
) -> LayerTrace:
    """One layer over all clips; events, already pooled, as CSR over (clip, step)."""
    shape = (clips, ck.steps, layer.out)
    U, V = (np.zeros(shape if record else (0, 0, 0), np.int32) for _ in "UV")
    S, kind = np.empty(shape, np.uint8), narrowest(ck, layer, indptr)
    rest = (
        layer.row("bias").astype(kind),
        layer.row("theta").astype(kind),
        layer.row("lam").astype(kind),
        code(ck),
        layer.row("beta").astype(np.int64),
        layer.beta_shift or 0,
        RESETS.index(ck.reset),
        kind(ck.v_min),
        kind(ck.v_max),
        U,
        V,
        S,
    )
    order = (1, 2, 3, 0) if layer.kind == "conv" else (1, 0)  # neurons last
    rows = layer.w.transpose(order).astype(kind, order="C") << kind(ck.f)
    if layer.kind == "conv":
        channels, *sides = layer.map
        sums = np.zeros((*sides, channels), kind)
        place = (layer.seen, layer.stride, layer.padding, sums)
        clears, clamps, sops = _run_planes(indptr, channel, rows, *place, *rest)
    else:
        clears, clamps, sops = _run(indptr, channel, rows, *rest)
    kept = (U, V) if record else (None, None)
    return LayerTrace(layer.name, *kept, S, int(clears), int(clamps), int(sops))


def code(ck: Checkpoint) -> int:
    """The number of law and rounding that the compiled loops know."""
    beyond = {("exponential", "trunc"): 7, ("shift", "half_up"): 8}
    return beyond.get((ck.law, ck.rounding), LAWS.index(ck.law))


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
        if layers:
            indptr, channel = as_events(layers[-1].S)
        indptr, channel = pooled(layer, indptr, channel)
        layers.append(run_layer(ck, layer, indptr, channel, len(clips), record))
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
