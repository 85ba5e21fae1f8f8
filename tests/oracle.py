"""The oracle: the neuron's contract in plain numpy, written from its text alone.

    V' = decay(V);  U = clamp(V' + sum(w << f) + bias);  S = U > theta;  V = reset(U)

It reads the integer checkpoint itself and imports nothing of the package that it
judges. Python's whole numbers in int64, one neuron as slow as the next.
"""

import json
from pathlib import Path

import numpy as np


def load(path: Path) -> dict:
    """An integer checkpoint: {"meta": …, "layers": [{w, theta, lam, …}]}."""
    with np.load(path, allow_pickle=False) as stored:
        meta = json.loads(str(stored["meta"]))
        layers = []
        for i, row in enumerate(meta["layers"]):
            layer = {"name": row["name"], "shift": row.get("beta_shift") or 0}
            layer |= {"plane": row.get("plane"), "pool": row.get("pool", 1)}
            layer |= {"stride": row.get("stride"), "padding": row.get("padding")}
            layer |= {"in": row["in"], "out": row["out"]}
            for key in ("w", "theta", "lam", "bias", "beta"):
                if f"{key}{i}" in stored.files:
                    layer[key] = stored[f"{key}{i}"].astype(np.int64)
            if layer["w"].ndim == 4:  # a value a channel is one of all its neurons
                each = layer["out"] // len(layer["w"])
                for key in ("theta", "lam", "bias", "beta"):
                    if key in layer and layer[key].ndim:
                        layer[key] = np.repeat(layer[key], each)
            layers.append(layer)
    return {"meta": meta, "layers": layers}


def decay(law: str, V: np.ndarray, lam, beta=0, n=0, rounding=None) -> np.ndarray:
    """One step of decay on whole numbers."""
    if rounding == "trunc":  # beta V / 2^n towards zero
        return np.sign(V) * ((np.abs(V) * beta) // 2**n)
    if rounding == "half_up":  # V - V/2^k, the part to nearest, ties upwards
        return V - np.floor_divide(2 * V + 2**beta, 2 * 2**beta)
    if law == "shrink":
        return np.sign(V) * np.maximum(np.abs(V) - lam, 0)
    if law == "floor":
        return np.maximum(V - lam, 0)
    if law == "drift":
        return V - lam
    if law == "exponential":  # nearest, ties away from zero: 2|x| + 1 halved down
        size = (2 * np.abs(V) * beta + 2**n) // (2 * 2**n)
        return np.sign(V) * size
    if law == "shift":
        return V - np.floor_divide(V, 2**beta)
    if law in ("none", "floor_after"):
        return V
    raise ValueError(law)


def pooled(x: np.ndarray, k: int) -> np.ndarray:
    """OR of k x k neighbours, [clips, C, H, W]; odd edges are left out."""
    high, wide = x.shape[2] // k, x.shape[3] // k
    out = np.zeros((*x.shape[:2], high, wide), bool)
    for i in range(high):
        for j in range(wide):
            block = x[:, :, i * k : i * k + k, j * k : j * k + k]
            out[:, :, i, j] = block.any((2, 3))
    return out


def current(layer: dict, x: np.ndarray) -> np.ndarray:
    """sum(w x) of every neuron: x [clips, in] -> int64 [clips, out]."""
    w = layer["w"].astype(float)
    if layer["plane"]:
        x = pooled(x.reshape(len(x), *layer["plane"]), layer["pool"])
    if w.ndim == 2:  # Below 2^53 whole numbers in float64 are exact.
        return (x.reshape(len(x), -1).astype(float) @ w.T).astype(np.int64)
    (out, _, tall, wide), p, s = w.shape, layer["padding"], layer["stride"]
    x = np.pad(x.astype(float), ((0, 0), (0, 0), (p, p), (p, p)))
    rows, columns = (x.shape[2] - tall) // s + 1, (x.shape[3] - wide) // s + 1
    sums = np.zeros((len(x), out, rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = x[:, :, i * s : i * s + tall, j * s : j * s + wide]
            sums[:, :, i, j] = patch.reshape(len(x), -1) @ w.reshape(out, -1).T
    return sums.reshape(len(x), -1).astype(np.int64)


def step(meta: dict, layer: dict, V: np.ndarray, x: np.ndarray) -> dict:
    """One step of one layer: V [clips, out], x [clips, in] of 0 and 1."""
    low, high = -(2 ** (meta["B"] - 1)), 2 ** (meta["B"] - 1) - 1
    law, lam, theta = meta["law"], layer["lam"], layer["theta"]
    rest = decay(
        law, V, lam, layer.get("beta", 0), layer["shift"], meta.get("rounding")
    )
    late = theta * (V > theta) if meta["reset"] == "late" else 0
    raw = rest - late + current(layer, x) * 2 ** meta["f"] + layer.get("bias", 0)
    if law == "floor_after":
        raw = np.maximum(raw - lam, 0)
    U = np.clip(raw, low, high)
    S = U > theta
    after = {"subtract": U - theta, "zero": np.zeros_like(U), "none": U, "late": U}
    return {
        "U": U,
        "S": S,
        "V": np.where(S, after[meta["reset"]], U),
        "clears": int(np.sum((V != 0) & (rest == 0))),
        "clamps": int(np.sum(raw != U)),
    }


def states(network: dict, frames: np.ndarray) -> list[dict]:
    """All layers over frames [T, clips, channels]; U, V, S as [clips, T, out]."""
    meta, layers = network["meta"], network["layers"]
    steps, clips = frames.shape[:2]
    out = []
    for layer in layers:
        shape = (clips, steps, layer["out"])
        kept = {"U": np.zeros(shape, np.int64), "V": np.zeros(shape, np.int64)}
        out.append({**kept, "S": np.zeros(shape, bool), "clears": 0, "clamps": 0})
    V = [np.zeros((clips, layer["out"]), np.int64) for layer in layers]
    for t in range(steps):
        x = frames[t]
        for i, layer in enumerate(layers):
            now = step(meta, layer, V[i], x)
            V[i], x = now["V"], now["S"]
            for key in ("U", "V", "S"):
                out[i][key][:, t] = now[key]
            out[i]["clears"] += now["clears"]
            out[i]["clamps"] += now["clamps"]
    return out


def frames_of(network: dict, indptr, channel, clips: int) -> np.ndarray:
    """Events as CSR over (clip, step) laid out as frames [T, clips, channels]."""
    steps, fan_in = network["meta"]["T"], network["layers"][0]["in"]
    frames = np.zeros((clips * steps, fan_in), np.uint8)
    for row in range(clips * steps):
        frames[row, channel[indptr[row] : indptr[row + 1]]] = 1
    return frames.reshape(clips, steps, fan_in).swapaxes(0, 1)


def run(path: Path, indptr, channel, clips: int) -> list[tuple]:
    """(U, V, S) of every layer of a stored checkpoint, each [clips, T, out]."""
    network = load(path)
    found = states(network, frames_of(network, indptr, channel, clips))
    return [(layer["U"], layer["V"], layer["S"]) for layer in found]
