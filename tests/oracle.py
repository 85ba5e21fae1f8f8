"""The oracle: the neuron's contract in plain numpy, written from its text alone.

    V' = decay(V);  U = clamp(V' + sum(w << f) + bias);  S = U > theta;  V = reset(U)

It reads the integer checkpoint itself and imports nothing of the package that it
judges. Python's whole numbers in int64, one neuron as slow as the next.
"""

import json
from pathlib import Path

import numpy as np


def side(value) -> tuple[int, int]:
    """(down, across) of a number or of two."""
    return tuple(value) if isinstance(value, list) else (value, value)


def bundle(row: dict, w: np.ndarray, source: int) -> dict:
    """Weights and where they lie; what a file leaves out is what format 1 means."""
    found = {"w": w.astype(np.int64), "source": source, "delay": row.get("delay", 0)}
    found |= {"plane": row.get("plane"), "pool": row.get("pool", 1)}
    found |= {"sums": row.get("pooling") == "sum", "groups": row.get("groups", 1)}
    found |= {"stride": side(row.get("stride") or 1)}
    found |= {"padding": side(row.get("padding") or 0)}
    return found | {"dilation": side(row.get("dilation") or 1)}


def load(path: Path) -> dict:
    """An integer checkpoint: {"meta": …, "layers": [{bundles, theta, lam, …}]}."""
    with np.load(path, allow_pickle=False) as stored:
        meta = json.loads(str(stored["meta"]))
        layers = []
        for i, row in enumerate(meta["layers"]):
            layer = {"name": row["name"], "shift": row.get("beta_shift") or 0}
            layer |= {"in": row["in"], "out": row["out"]}
            for key in ("law", "reset", "B", "f"):
                own = row.get(key)
                layer[key] = meta[key] if own is None else own
            source = i - 1 if row.get("source") is None else row["source"]
            layer["bundles"] = [bundle(row, stored[f"w{i}"], source)]
            for k, more in enumerate(row.get("more", ()), 1):
                w = stored[f"w{i}_{k}"]
                layer["bundles"].append(bundle(more, w, more["source"]))
            for key in ("theta", "lam", "bias", "beta"):
                if f"{key}{i}" in stored.files:
                    layer[key] = stored[f"{key}{i}"].astype(np.int64)
            w = layer["bundles"][0]["w"]
            if w.ndim == 4:  # a value a channel is one of all its neurons
                each = layer["out"] // len(w)
                for key in ("theta", "lam", "bias", "beta"):
                    if key in layer and layer[key].size == len(w) != layer["out"]:
                        layer[key] = np.repeat(layer[key], each)
            layers.append(layer)
    return {"meta": meta, "layers": layers}


def divided(x: np.ndarray, by, how: str) -> np.ndarray:
    """x / by as a whole number: floor, towards zero, or nearest (ties away from 0)."""
    if how == "floor":
        return np.floor_divide(x, by)
    size = np.abs(x) if how == "trunc" else (2 * np.abs(x) + by) // 2
    return np.sign(x) * (size // by)


def decay(law: str, V: np.ndarray, lam, beta=0, n=0, how=None) -> np.ndarray:
    """One step of decay on whole numbers."""
    if law == "shrink":
        return np.sign(V) * np.maximum(np.abs(V) - lam, 0)
    if law == "floor":
        return np.maximum(V - lam, 0)
    if law == "drift":
        return V - lam
    if law == "exponential":
        return divided(V * beta, 2**n, how or "nearest")
    if law == "shift":
        return V - divided(V, 2**beta, how or "floor")
    if law in ("none", "floor_after"):
        return V
    raise ValueError(law)


def pooled(x: np.ndarray, k: int, sums: bool) -> np.ndarray:
    """OR or sum of k x k neighbours, [clips, C, H, W]; odd edges are left out."""
    high, wide = x.shape[2] // k, x.shape[3] // k
    out = np.zeros((*x.shape[:2], high, wide), np.int64)
    for i in range(high):
        for j in range(wide):
            block = x[:, :, i * k : i * k + k, j * k : j * k + k]
            out[:, :, i, j] = block.sum((2, 3)) if sums else block.any((2, 3))
    return out


def current(b: dict, x: np.ndarray) -> np.ndarray:
    """sum(w x) of every neuron: x [clips, in] -> int64 [clips, out]."""
    w = b["w"].astype(float)
    if b["plane"]:
        x = x.reshape(len(x), *b["plane"])
        x = pooled(x, b["pool"], b["sums"]) if b["pool"] > 1 else x
    if w.ndim == 2:  # Below 2^53 whole numbers in float64 are exact.
        return (x.reshape(len(x), -1).astype(float) @ w.T).astype(np.int64)
    (out, own, tall, wide), groups = w.shape, b["groups"]
    (down, across), (p, q), (dy, dx) = b["stride"], b["padding"], b["dilation"]
    x = np.pad(x.astype(float), ((0, 0), (0, 0), (p, p), (q, q)))
    rows = (x.shape[2] - dy * (tall - 1) - 1) // down + 1
    columns = (x.shape[3] - dx * (wide - 1) - 1) // across + 1
    sums = np.zeros((len(x), out, rows, columns))
    for o in range(out):
        first = o // (out // groups) * own
        seen = x[:, first : first + own]
        for i in range(rows):
            for j in range(columns):
                y, z = i * down, j * across
                ends = y + dy * (tall - 1) + 1, z + dx * (wide - 1) + 1
                patch = seen[:, :, y : ends[0] : dy, z : ends[1] : dx]
                sums[:, o, i, j] = patch.reshape(len(x), -1) @ w[o].ravel()
    return sums.reshape(len(x), -1).astype(np.int64)


def step(meta: dict, layer: dict, V: np.ndarray, spikes: list) -> dict:
    """One step of one layer: V [clips, out]; spikes: what each bundle reads."""
    low, high = -(2 ** (layer["B"] - 1)), 2 ** (layer["B"] - 1) - 1
    law, lam, theta = layer["law"], layer["lam"], layer["theta"]
    how = meta.get("rounding")
    rest = decay(law, V, lam, layer.get("beta", 0), layer["shift"], how)
    late = theta * (V > theta) if layer["reset"] == "late" else 0
    got = sum(current(b, x) for b, x in zip(layer["bundles"], spikes))
    raw = rest - late + got * 2 ** layer["f"] + layer.get("bias", 0)
    if law == "floor_after":
        raw = np.maximum(raw - lam, 0)
    U = np.clip(raw, low, high)
    S = U > theta
    after = {"subtract": U - theta, "zero": np.zeros_like(U), "none": U, "late": U}
    return {
        "U": U,
        "S": S,
        "V": np.where(S, after[layer["reset"]], U),
        "clears": int(np.sum((V != 0) & (rest == 0))) if law != "floor_after" else 0,
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
        for i, layer in enumerate(layers):
            now = step(
                meta, layer, V[i], [seen(b, frames, out, t) for b in layer["bundles"]]
            )
            V[i] = now["V"]
            for key in ("U", "V", "S"):
                out[i][key][:, t] = now[key]
            out[i]["clears"] += now["clears"]
            out[i]["clamps"] += now["clamps"]
    return out


def seen(b: dict, frames: np.ndarray, out: list[dict], t: int) -> np.ndarray:
    """What a bundle reads in step t, [clips, in]: nothing before the first step."""
    t, source = t - b["delay"], b["source"]
    here = frames[max(t, 0)] if source < 0 else out[source]["S"][:, max(t, 0)]
    return here if t >= 0 else np.zeros_like(here)


def scores(network: dict, found: list[dict]) -> np.ndarray:
    """What classes are judged by, [clips, classes]: spikes, or V at the end."""
    last = found[-1]
    count = network["meta"].get("readout", "count") == "count"
    return last["S"].sum(1) if count else last["V"][:, -1]


def frames_of(network: dict, indptr, channel, clips: int) -> np.ndarray:
    """Events as CSR over (clip, step) laid out as frames [T, clips, channels].

    An event that comes several times in a step counts as often.
    """
    steps, fan_in = network["meta"]["T"], inputs(network)
    frames = np.zeros((clips * steps, fan_in), np.int64)
    for row in range(clips * steps):
        np.add.at(frames[row], channel[indptr[row] : indptr[row + 1]], 1)
    return frames.reshape(clips, steps, fan_in).swapaxes(0, 1)


def inputs(network: dict) -> int:
    """Channels of the clips: those of any bundle that reads them."""
    for layer in network["layers"]:
        for b in layer["bundles"]:
            if b["source"] < 0:
                plane = b["plane"]
                return int(np.prod(plane)) if plane else b["w"].shape[1]
    return 0


def run(path: Path, indptr, channel, clips: int) -> list[tuple]:
    """(U, V, S) of every layer of a stored checkpoint, each [clips, T, out]."""
    network = load(path)
    found = states(network, frames_of(network, indptr, channel, clips))
    return [(layer["U"], layer["V"], layer["S"]) for layer in found]
