"""The integer network: the contract in 32-bit integers, event by event.

    V' = decay(V);  U = clamp(V' + sum_j (w[j] << f) + bias);  S = U > theta;
    V  = U - theta * S        (or 0, or U: the reset)

Fast because an input event only gathers one row of weights. It is the middle party
of every proof: training forward = integer network = array = oracle.
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
def _run(
    indptr, channel, rows, bias, theta, lam, law, beta, shift, reset, low, high, U, V, S
):
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
            for j in range(out):
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
                S[c, t, j] = s
                if U.size:
                    U[c, t, j] = u
                    V[c, t, j] = v[j]
    return clears, clamps


def run_layer(
    ck: Checkpoint, layer: Layer, indptr, channel, clips: int, record: bool
) -> LayerTrace:
    """One layer over all clips; events as CSR over (clip, step)."""
    shape = (clips, ck.steps, layer.out)
    U, V = (np.zeros(shape if record else (0, 0, 0), np.int32) for _ in range(2))
    S = np.zeros(shape, np.uint8)
    rows = np.ascontiguousarray(layer.w.T.astype(np.int32) << ck.f)
    none = np.zeros(layer.out, np.int32)
    clears, clamps = _run(
        indptr,
        channel,
        rows,
        none if layer.bias is None else layer.bias.astype(np.int32),
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
    sops = len(channel) * layer.out
    kept = (U, V) if record else (None, None)
    return LayerTrace(layer.name, *kept, S, int(clears), int(clamps), sops)


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
        layers.append(run_layer(ck, layer, indptr, channel, len(clips), record))
        indptr, channel = as_events(layers[-1].S)
    return Trace(layers)


def fits(ck: Checkpoint, clips: Clips) -> None:
    """Fault unless the clips have the network's steps and input channels."""
    wanted, found = (ck.steps, ck.layers[0].w.shape[1]), (clips.steps, clips.channels)
    if wanted != found:
        raise Fault(
            "clips do not fit the network",
            expected=f"{wanted[0]} steps x {wanted[1]} channels",
            found=f"{found[0]} x {found[1]}",
            where=f"{clips.name}/{clips.split}",
        )
