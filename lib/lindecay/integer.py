"""The integer network: the contract in 32-bit integers, event by event.

    V' = decay(V);  U = clamp(V' + sum_j (w[j] << f) + bias);  S = U > theta;
    V  = U - theta * S        (or 0, or U: the reset)

or, reset "late", snnTorch's habit: U stays, and the next step decays and subtracts.
The sum runs over all bundles of synapses, and over an event as often as it comes.

Fast because an input event only gathers one row of weights, or adds one kernel around
its place. It is the middle party of every proof: training forward = integer network =
array = oracle.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from lindecay.checkpoints import CLIPS, LAWS, RESETS, Checkpoint, Layer, Synapse, pair
from lindecay.events import Clips
from lindecay.laws import OWN, at_step
from lindecay.settings import Fault

AT_ONCE = 2**24  # currents held at a time where bundles are added up
ROUNDED = {  # law and rounding -> the branch of `_decay`
    ("exponential", "nearest"): LAWS.index("exponential"),
    ("shift", "floor"): LAWS.index("shift"),
    ("exponential", "floor"): len(LAWS),
    ("exponential", "trunc"): len(LAWS) + 1,
    ("shift", "nearest"): len(LAWS) + 2,
    ("shift", "trunc"): len(LAWS) + 3,
}


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
    last: np.ndarray | None = None  # int32 [clips, out]: V after the last step

    @property
    def spikes(self) -> int:
        return int(self.S.sum())


@dataclass
class Trace:
    """What a network did with some clips."""

    layers: list[LayerTrace]
    readout: str = "count"

    @property
    def scores(self) -> np.ndarray:
        """What the classes are judged by: spikes, or membranes at the end [clips]."""
        last = self.layers[-1]
        if self.readout == "count":
            return self.counts
        return last.V[:, -1] if last.last is None else last.last

    @property
    def counts(self) -> np.ndarray:
        """Output spikes of each clip and class, int32 [clips, classes]."""
        return self.layers[-1].S.sum(1, dtype=np.int32)

    @property
    def predictions(self) -> np.ndarray:
        """The class with the largest score, the first of equals, int64 [clips]."""
        return self.scores.argmax(1)


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
    elif law == 7:  # the product's floor
        for j in range(len(v)):
            u[j] = kind((np.int64(v[j]) * beta[j]) >> shift)
    elif law == 8:  # the product cut towards zero
        for j in range(len(v)):
            size = kind((abs(np.int64(v[j])) * beta[j]) >> shift)
            u[j] = size if v[j] >= zero else kind(-size)
    elif law == 9:  # V - V / 2^k to nearest, ties away from zero
        for j in range(len(v)):
            lost = (abs(np.int64(v[j])) + ((1 << beta[j]) >> 1)) >> beta[j]
            u[j] = kind(v[j] - lost) if v[j] >= zero else kind(v[j] + lost)
    elif law == 10:  # V - V / 2^k cut towards zero
        for j in range(len(v)):
            lost = abs(np.int64(v[j])) >> beta[j]
            u[j] = kind(v[j] - lost) if v[j] >= zero else kind(v[j] + lost)
    else:
        u[:] = v
    for j in range(len(v)):
        cleared[j] = kind(cleared[j] + kind((v[j] != zero) & (u[j] == zero)))


def leak(
    law: str, V: np.ndarray, amount, shift: int = 0, rounding: str | None = None
) -> np.ndarray:
    """What one step of a law leaves of membranes V, int64 of V's shape, as `run` does.

    amount: lambda, beta or k of the law, whole, broadcast against V; shift: of beta.

    >>> leak("shrink", np.array([-5, 2, 9]), 3).tolist()
    [-2, 0, 6]
    >>> leak("exponential", np.array([-5, 9]), 7, 3, "trunc").tolist()
    [-4, 7]
    """
    V = np.asarray(V, np.int64)
    each = np.ascontiguousarray(np.broadcast_to(amount, V.shape), np.int64).ravel()
    left, cleared = np.empty(V.size, np.int64), np.zeros(V.size, np.int64)
    branch = ROUNDED.get((law, rounding), LAWS.index(law))
    _decay(branch, np.ascontiguousarray(V).ravel(), each, each, shift, left, cleared)
    return left.reshape(V.shape)


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
    indptr, channel, rows, bias, theta, lam, law, beta, shift, reset, low, high, U, V,
    S, last,
):  # fmt: skip
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
        last[c] = v
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
    beta, shift, reset, low, high, U, V, S, last,
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
        last[c] = v
    return counts[0], counts[1], sops


@njit(cache=True)
def _settled(
    current, theta, lam, law, beta, shift, reset, low, high, v, U, V, S, first
):
    """Steps from given currents [clips, n, out]; `v` [clips, out] is the state.

    Writes steps `first` … of U, V (where they are kept) and S; clears and clamps.
    """
    clips, steps, out = current.shape
    u, counts = v[0].copy() if clips else v.copy().ravel(), np.zeros(2, np.int64)
    lanes, now = np.zeros((2, out), v.dtype), np.zeros(out, v.dtype)
    for c in range(clips):
        for t in range(steps):
            now[:] = current[c, t]
            _step(
                v[c], u, now, theta, lam, law, beta, shift, reset, low, high,
                S[c, first + t], lanes,
            )  # fmt: skip
            if U.size:
                U[c, first + t], V[c, first + t] = u, v[c]
            counts += lanes.sum(1)
            lanes[:] = 0
    return counts[0], counts[1]


def _by_hand(ck: Checkpoint, layer: Layer, current, v, U, V, S, first) -> tuple:
    """`_settled` for a law of `lindecay.laws`: all clips of a step at once."""
    theta, lam = (layer.row(k).astype(np.int64) for k in ("theta", "lam"))
    clears = clamps = 0
    for t in range(current.shape[1]):
        here = at_step(ck.law, lam, first + t)
        rest = OWN[ck.law].whole(v.astype(np.int64), here)
        clears += int(((v != 0) & (rest == 0)).sum())
        raw = rest - theta * ((v > theta) & (ck.reset == "late")) + current[:, t]
        u = raw.clip(ck.v_min, ck.v_max)
        clamps, S[:, first + t] = clamps + int((u != raw).sum()), u > theta
        left = {"subtract": u - theta, "zero": 0 * u}.get(ck.reset, u)
        v[:] = np.where(u > theta, left, u)
        if U.size:
            U[:, first + t], V[:, first + t] = u, v
    return clears, clamps


@njit(cache=True)
def _add_rows(indptr, channel, rows, current):
    """current [n, out] += the row of weights of each event; additions made."""
    for r in range(indptr.size - 1):
        for e in range(indptr[r], indptr[r + 1]):
            current[r] += rows[channel[e]]
    return (indptr[-1] - indptr[0]) * current.shape[1]


@njit(cache=True)
def _add_kernels(
    indptr, channel, kernels, plane, stride, padding, dilation, groups, current
):
    """current [n, channels, rows, columns] += the kernel of each event.

    kernels [channels, in_channels / groups, kh, kw]; each side has its own stride,
    padding and dilation.
    """
    out, own, tall, wide = kernels.shape
    _, _, rows, columns = current.shape
    each, sops = out // groups, 0
    for r in range(indptr.size - 1):
        for e in range(indptr[r], indptr[r + 1]):
            c, left = divmod(channel[e], plane[1] * plane[2])
            y, x = divmod(left, plane[2])
            g, k = c // own, c % own
            for a in range(tall):
                i, off = divmod(y + padding[0] - a * dilation[0], stride[0])
                if off != 0 or i < 0 or i >= rows:
                    continue
                for b in range(wide):
                    j, off = divmod(x + padding[1] - b * dilation[1], stride[1])
                    if off != 0 or j < 0 or j >= columns:
                        continue
                    for o in range(g * each, g * each + each):
                        current[r, o, i, j] += kernels[o, k, a, b]
                    sops += each
    return sops


def narrowest(ck: Checkpoint, layer: Layer, indptr: np.ndarray, repeats: bool = False):
    """int16 where no sum of a step can leave it, else int32.

    A sum is at most that of all weights of one sign (unless events repeat), and at most
    the busiest step's events times the largest weight.
    """
    busiest = int(np.diff(indptr).max(initial=0))
    largest = max(-int(layer.w.min(initial=0)), int(layer.w.max(initial=0)))
    steady = int(max(layer.row("lam").max(), layer.row("theta").max())) + 2**ck.B
    steady += 0 if layer.bias is None else int(np.abs(layer.bias.astype(int)).max())
    reach = (busiest * largest << ck.f) + steady
    if reach >= 2**15 and not repeats:
        w = layer.w.reshape(len(layer.w), -1)
        ends = (f(w, 0).sum(1, dtype=np.int64) for f in (np.minimum, np.maximum))
        reach = (max(int(np.abs(end).max()) for end in ends) << ck.f) + steady
    return _kind(reach, layer.name)


def _kind(reach: int, name: str):
    """The type that holds sums of size `reach`."""
    if reach >= 2**31:
        raise Fault(
            f"{name}: sums of a step leave 32 bits",
            expected="below 2^31",
            found=str(reach),
            do="fewer events a step, or smaller biases",
        )
    return np.int16 if reach < 2**15 else np.int32


def _dynamics(ck: Checkpoint, layer: Layer, kind) -> tuple:
    """theta, lam, law, beta, shift, reset and bounds, as the kernels take them."""
    return (
        layer.row("theta").astype(kind),
        layer.row("lam").astype(kind),
        ROUNDED.get((ck.law, ck.rounding), LAWS.index(ck.law)),
        layer.row("beta").astype(np.int64),
        layer.beta_shift or 0,
        RESETS.index(ck.reset),
        kind(ck.v_min),
        kind(ck.v_max),
    )


def run_layer(
    ck: Checkpoint, layer: Layer, indptr, channel, clips: int, record: bool,
    repeats: bool = False,
) -> LayerTrace:  # fmt: skip
    """One layer of one plain bundle over all clips.

    Args:
        indptr, channel: its events, already pooled, as CSR over (clip, step).
        repeats: an event may come several times in a step.
    """
    ck = ck.of(layer)
    shape = (clips, ck.steps, layer.out)
    U, V = (np.zeros(shape if record else (0, 0, 0), np.int32) for _ in "UV")
    S, kind = np.empty(shape, np.uint8), narrowest(ck, layer, indptr, repeats)
    last, bias = np.zeros((clips, layer.out), np.int32), layer.row("bias").astype(kind)
    rest = (bias, *_dynamics(ck, layer, kind), U, V, S, last)
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
    return LayerTrace(layer.name, *kept, S, int(clears), int(clamps), int(sops), last)


def add_currents(bundle: Synapse, indptr, channel, current: np.ndarray) -> int:
    """current [n, out] += sums of a bundle's weights; returns the additions made.

    indptr, channel: its events, already pooled, as CSR over the n rows.
    """
    if bundle.kind == "linear":
        rows = bundle.w.T.astype(current.dtype, order="C")
        return int(_add_rows(indptr, channel, rows, current))
    sides = (pair(x) for x in (bundle.stride, bundle.padding, bundle.dilation))
    kernels, maps = bundle.w.astype(current.dtype), current.reshape(-1, *bundle.map)
    place = (bundle.seen, *sides, bundle.groups)
    return int(_add_kernels(indptr, channel, kernels, *place, maps))


class Added:
    """A layer whose currents are summed first: several bundles, loops, any geometry.

    State and trace of the layer; `settle` runs some steps from the events of each
    bundle.
    """

    def __init__(self, ck: Checkpoint, i: int, clips: int, record: bool):
        self.ck, self.layer, self.bundles = ck.of(ck.layers[i]), ck.layers[i], None
        self.bundles = ck.bundles(i)
        shape = (clips, ck.steps, self.layer.out)
        self.U, self.V = (
            np.zeros(shape if record else (0, 0, 0), np.int32) for _ in "UV"
        )
        self.S = np.zeros(shape, np.uint8)
        self.v = np.zeros((clips, self.layer.out), np.int32)
        self.done = np.zeros(3, np.int64)  # clears, clamps, sops

    def settle(self, events: list, first: int, steps: int, clips=slice(None)) -> None:
        """Steps first … first + steps - 1 of some clips; events of each bundle."""
        n = len(self.v[clips])
        current = np.zeros((n * steps, self.layer.out), np.int32)
        self._fits(events)
        sops = sum(
            add_currents(b, *seen, current) for b, seen in zip(self.bundles, events)
        )
        current = (current << self.ck.f) + self.layer.row("bias")
        kept = (x[clips] if x.size else x for x in (self.U, self.V))
        current = current.reshape(n, steps, -1)
        states = self.v[clips], *kept, self.S[clips], first
        if self.ck.law in OWN:
            clears, clamps = _by_hand(self.ck, self.layer, current, *states)
        else:
            rule = _dynamics(self.ck, self.layer, np.int32)
            clears, clamps = _settled(current, *rule, *states)
        self.done += (clears, clamps, sops)

    def _fits(self, events) -> None:
        """Fault where a sum could leave 32 bits."""
        reach = sum(
            int(np.diff(indptr).max(initial=0)) * int(np.abs(b.w.astype(int)).max())
            for b, (indptr, _) in zip(self.bundles, events)
        )
        bias = np.abs(self.layer.row("bias").astype(np.int64)).max()
        _kind((reach << self.ck.f) + int(bias) + 2 ** (self.ck.B + 1), self.layer.name)

    def trace(self) -> LayerTrace:
        """All states of the layer, once every step has run."""
        kept = (self.U, self.V) if self.U.size else (None, None)
        return LayerTrace(self.layer.name, *kept, self.S, *map(int, self.done), self.v)


def pooled(layer: Layer | Synapse, indptr, channel) -> tuple[np.ndarray, np.ndarray]:
    """The events that the weights see: OR over pool x pool neighbours, or their sum.

    Events of a sum come as often as its neighbours spike.
    """
    if layer.pool == 1:
        return indptr, channel
    return _pool(indptr, channel, layer.plane, layer.pool, layer.pooling == "or")


@njit(cache=True)
def _pool(indptr, channel, plane, k, once):
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
            if y < high and x < wide and not (once and last[place] == r):
                last[place] = r
                out[n] = place
                n += 1
        out[starts[r] : n].sort()
    starts[-1] = n
    return starts, out[:n].copy()


def as_events(S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes [clips, T, n] as CSR over (clip, step): indptr int64, channel int32."""
    flat = np.ascontiguousarray(S.reshape(-1, S.shape[-1]) != 0)
    per_bin = np.count_nonzero(flat, axis=1)
    indptr = np.concatenate([[0], np.cumsum(per_bin)]).astype(np.int64)
    channel = np.empty(indptr[-1] + 1, np.int32)  # the last is written and never read
    _listed(flat.view(np.uint8), channel)
    return indptr, channel[:-1]


@njit(cache=True)
def _listed(flat, channel):
    """The columns of the ones of [rows, n], row by row; no branch to guess wrongly."""
    k = 0
    for row in flat:
        for j in range(row.size):
            channel[k] = j
            k += row[j]


def events_of(clips: Clips) -> tuple[np.ndarray, np.ndarray]:
    """(indptr, channel) of clips; what was counted comes as often as it happened."""
    if clips.count is None:
        return clips.indptr, clips.channel
    often = np.asarray(clips.count, np.int64)
    ends = np.concatenate([[0], np.cumsum(often)])
    return ends[clips.indptr], np.repeat(clips.channel, often)


def later(indptr, channel, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """The same events one step later; those of a clip's last step are lost."""
    counts = np.diff(indptr).reshape(clips, -1)
    kept = np.arange(counts.shape[1]) < counts.shape[1] - 1
    keep = np.repeat(np.tile(kept, clips), counts.ravel())
    moved = np.zeros_like(counts)
    moved[:, 1:] = counts[:, :-1]
    return np.concatenate([[0], np.cumsum(moved)]).astype(np.int64), channel[keep]


class Walk:
    """The one walk over a network's layers: what each bundle of synapses reads.

    >>> walk = Walk(ck, clips)                           # doctest: +SKIP
    >>> for i, layer in enumerate(ck.layers):            # doctest: +SKIP
    ...     for bundle, indptr, channel in walk.into(i): ...
    ...     walk.add(spikes_of_this_layer)               # uint8 [clips, T, out]
    """

    def __init__(self, ck: Checkpoint, clips: Clips):
        fits(ck, clips)
        self.ck, self.clips, self.given = ck, len(clips), events_of(clips)
        self.counted = clips.count is not None
        self.fired: list = []

    def add(self, S: np.ndarray) -> None:
        """The spikes of the next layer, uint8 [clips, T, out]."""
        self.fired.append(S)

    def _spikes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Layer i's spikes as events, listed when the first of its readers asks."""
        if not isinstance(self.fired[i], tuple):
            self.fired[i] = as_events(self.fired[i])
        return self.fired[i]

    def into(self, i: int) -> list[tuple[Synapse, np.ndarray, np.ndarray]]:
        """(bundle, indptr, channel) of layer i: delayed and pooled, over (clip, step).

        Layers that are fed back into themselves have no such list: see `stepped`.
        """
        out = []
        for b in self.ck.bundles(i):
            events = self.given if b.source == CLIPS else self._spikes(b.source)
            events = later(*events, self.clips) if b.delay else events
            out.append((b, *pooled(b, *events)))
        return out

    def repeats(self, b: Synapse) -> bool:
        """Whether an event of a bundle may come several times in a step."""
        summed = b.pooling == "sum" and b.pool > 1
        return summed or (b.source == CLIPS and self.counted)


def run(ck: Checkpoint, clips: Clips, record: bool = True) -> Trace:
    """Run the integer network on binned clips.

    Args:
        ck: integer checkpoint.
        clips: events; a counted one comes as often as it was counted.
        record: keep U and V of every neuron and step.

    Raises:
        Fault: when clips and network do not fit.
    """
    walk = Walk(ck, clips)
    if loops(ck):
        return Trace(stepped(walk, record), ck.readout)
    layers = []
    for i, layer in enumerate(ck.layers):
        parts = walk.into(i)
        if simple(ck.bundles(i)) and ck.of(layer).law not in OWN:
            (bundle, *events) = parts[0]
            again = walk.repeats(bundle)
            found = run_layer(ck, layer, *events, len(clips), record, again)
        else:
            found = added(ck, i, parts, len(clips), record)
        walk.add(found.S)
        layers.append(found)
    return Trace(layers, ck.readout)


def simple(bundles: tuple[Synapse, ...]) -> bool:
    """Whether the fast kernels serve: one bundle, square, one group, no dilation."""
    first = bundles[0]
    square = all(isinstance(x, int) for x in (first.stride, first.padding))
    plainly = pair(first.dilation) == (1, 1) and first.groups == 1
    return len(bundles) == 1 and square and plainly


def loops(ck: Checkpoint) -> bool:
    """Whether spikes of a layer come back to it or to one before it."""
    return any(b.source >= i for i in range(len(ck.layers)) for b in ck.bundles(i))


def added(ck: Checkpoint, i: int, parts: list, clips: int, record: bool) -> LayerTrace:
    """A layer of several bundles over all clips, as many at a time as memory holds."""
    state = Added(ck, i, clips, record)
    few = max(1, AT_ONCE // (ck.steps * ck.layers[i].out))
    for first in range(0, clips, few):
        last = min(first + few, clips)
        rows = slice(first * ck.steps, last * ck.steps + 1)
        events = [(indptr[rows], channel) for _, indptr, channel in parts]
        state.settle(events, 0, ck.steps, slice(first, last))
    return state.trace()


def stepped(walk: Walk, record: bool) -> list[LayerTrace]:
    """A network with loops, step by step over all clips at once."""
    ck, n = walk.ck, walk.clips
    states = [Added(ck, i, n, record) for i in range(len(ck.layers))]
    for t in range(ck.steps):
        for state in states:
            events = [pooled(b, *at(walk, states, b, t)) for b in state.bundles]
            state.settle(events, t, 1)
    return [state.trace() for state in states]


def at(walk: Walk, states: list, b: Synapse, t: int) -> tuple[np.ndarray, np.ndarray]:
    """What a bundle reads in step t, as CSR over clips; nothing before step 0."""
    t, steps = t - b.delay, walk.ck.steps
    if t < 0:
        return np.zeros(walk.clips + 1, np.int64), np.zeros(0, np.int32)
    if b.source != CLIPS:
        return as_events(states[b.source].S[:, t : t + 1])
    indptr, channel = walk.given
    first, last = indptr[t:-1:steps], indptr[t + 1 :: steps]
    chosen = [channel[a:z] for a, z in zip(first, last)]
    ends = np.concatenate([[0], np.cumsum(last - first)]).astype(np.int64)
    return ends, np.concatenate([channel[:0], *chosen])


def fits(ck: Checkpoint, clips: Clips) -> None:
    """Fault unless the clips have the network's steps and input channels."""
    wanted, found = (ck.steps, ck.channels), (clips.steps, clips.channels)
    if wanted != found:
        raise Fault(
            "clips do not fit the network",
            expected=f"{wanted[0]} steps x {wanted[1]} channels",
            found=f"{found[0]} x {found[1]}",
            where=f"{clips.name}/{clips.split}",
        )
