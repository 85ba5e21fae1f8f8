"""The integer network as a file: one .npz that anyone can read, no pickle.

    U_i = clamp(decay(V_i) + sum_k sum_j (w_k[i, j] << f) x_k[j] + bias_i)

Format 1 is a chain: layer i reads the spikes of layer i - 1 in the same step. Format 2
adds what a graph needs, and nothing where nothing is used: further bundles of synapses
(`more`) from the clips or from any layer, in the same step or one step late; sums of
pooled spikes, groups, dilation and sides that differ; a law, a reset and a grid of its
own for a layer; a readout of membranes. A file that uses none of it is format 1, byte
for byte as before.
"""

import io
import json
import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from lindecay.laws import BUILT, known
from lindecay.settings import Fault
from lindecay.store import write_atomic

FORMATS = (1, 2)
LAWS = BUILT  # those that compiled loops know, in their order
RESETS = ("subtract", "zero", "none", "late")  # late: after the next decay
READOUTS = ("count", "membrane", "sum")  # most spikes; largest V, or sum, at the end
ROUNDINGS = ("nearest", "floor", "trunc")  # of beta V, or of V / 2^k
POOLINGS = ("or", "sum")
EXACT = 2**24  # float32 holds every integer up to here
CLIPS = -1  # source of a bundle that reads the clips themselves


def check_bits(name: str, bits: int, low: int, high: int) -> None:
    """Fault unless `bits` is a whole number within [low, high]; True is none."""
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    if not whole or not low <= bits <= high:
        raise Fault(
            f"{name} out of range",
            expected=f"a whole number from {low} to {high}",
            found=repr(bits),
        )


def pair(value) -> tuple[int, int]:
    """(down, across) of a stride, padding or dilation.

    >>> pair(2), pair((1, 0))
    ((2, 2), (1, 0))
    """
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def plain(value):
    """An int where both sides are the same, as format 1 writes it.

    >>> plain((2, 2)), plain((1, 0))
    (2, (1, 0))
    """
    down, across = pair(value)
    return int(down) if down == across else (int(down), int(across))


class Wired:
    """Geometry of weights on the spikes that they read: shared by bundle and layer."""

    @property
    def kind(self) -> str:
        """linear or conv."""
        return "conv" if self.w.ndim == 4 else "linear"

    @property
    def inputs(self) -> int:
        """Channels that come in, before pooling."""
        return self.w.shape[1] if self.plane is None else math.prod(self.plane)

    @property
    def seen(self) -> tuple[int, int, int]:
        """(C, H, W) that the weights see, after pooling; odd edges are left out."""
        C, H, W = self.plane or (self.w.shape[1], 1, 1)
        return C, H // self.pool, W // self.pool

    @property
    def map(self) -> tuple[int, int, int]:
        """(C, H, W) of the neurons."""
        if self.kind == "linear":
            return self.w.shape[0], 1, 1
        places = zip(
            self.seen[1:],
            self.w.shape[2:],
            *(pair(x) for x in (self.stride, self.padding, self.dilation)),
        )
        high, wide = (
            (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for side, kernel, stride, padding, dilation in places
        )
        return self.w.shape[0], high, wide

    @property
    def out(self) -> int:
        """Neurons."""
        return math.prod(self.map)


@dataclass(frozen=True)
class Synapse(Wired):
    """A bundle of synapses: weights, and where their spikes come from.

    Planes are numbered c·H·W + y·W + x. Spikes of a plane may first be joined over
    pool x pool neighbours: by OR, or as their sum (a neighbour more is an event more).
    """

    w: np.ndarray  # int8 [out, in], or [channels, in_channels / groups, kh, kw]
    source: int = CLIPS  # or k: the spikes of layer k
    delay: int = 0  # steps: 1 reads what the source did one step before
    plane: tuple[int, int, int] | None = None  # (C, H, W) of the spikes that come in
    pool: int = 1
    pooling: str = "or"
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, int] = 0
    dilation: int | tuple[int, int] = 1
    groups: int = 1


@dataclass(frozen=True)
class Layer(Wired):
    """One integer layer, linear or a convolution; theta, lam, bias in membrane LSB.

    Its own fields are its first bundle of synapses; `more` holds further ones, which
    have the same neurons and the same LSB. A convolution has one value a channel for
    all its neurons.
    """

    name: str
    w: np.ndarray  # int8 [out, in], or [channels, in_channels / groups, kh, kw]
    theta: np.ndarray  # int32 [] or [out]; of a convolution [] or [channels] or [out]
    lam: np.ndarray  # as theta
    bits: int
    bias: np.ndarray | None = None  # as theta
    beta: np.ndarray | None = None  # int32 [] or [out], factor * 2^beta_shift
    beta_shift: int | None = None
    plane: tuple[int, int, int] | None = None  # (C, H, W) of the spikes that come in
    pool: int = 1  # OR of pool x pool spikes before the weights see them
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, int] = 0
    pooling: str = "or"  # or "sum"
    dilation: int | tuple[int, int] = 1
    groups: int = 1
    source: int | None = None  # None: the layer before; see Synapse
    delay: int = 0
    law: str | None = None  # None: the checkpoint's; so are reset, B and f
    reset: str | None = None
    B: int | None = None
    f: int | None = None
    more: tuple[Synapse, ...] = ()

    def row(self, name: str) -> np.ndarray:
        """theta, lam, bias or beta (0 where there is none) of each neuron, int32 [out].

        >>> w, theta = np.zeros((2, 1, 1, 1), np.int8), np.array([5, 7])
        >>> Layer("c", w, theta, np.int32(0), 3, plane=(1, 1, 2)).row("theta")
        array([5, 5, 7, 7], dtype=int32)
        """
        value = np.asarray(0 if getattr(self, name) is None else getattr(self, name))
        if value.ndim and self.kind == "conv" and len(value) != self.out:
            value = np.repeat(value, self.out // len(value))  # one value a channel
        full = np.broadcast_to(value, (self.out,))
        return np.ascontiguousarray(full, dtype=np.int32)


WIRING = tuple(x.name for x in fields(Synapse) if x.name not in ("w", "source"))
NEW = {"pooling": "or", "dilation": 1, "groups": 1, "delay": 0}
NEW |= {"law": None, "reset": None, "B": None, "f": None, "source": None}


@dataclass(frozen=True)
class Checkpoint:
    """An integer network, readable by anyone: one .npz, no pickle."""

    meta: dict
    layers: tuple[Layer, ...] = field(default_factory=tuple)

    @property
    def B(self) -> int:
        return self.meta["B"]

    @property
    def f(self) -> int:
        return self.meta["f"]

    @property
    def law(self) -> str:
        return self.meta["law"]

    @property
    def reset(self) -> str:
        return self.meta["reset"]

    @property
    def rounding(self) -> str:
        """Of the exponential leak's product ("nearest"), of the shift's ("floor")."""
        usual = "floor" if self.law == "shift" else "nearest"
        return self.meta.get("rounding") or usual

    @property
    def steps(self) -> int:
        return self.meta["T"]

    @property
    def readout(self) -> str:
        return self.meta.get("readout", "count")

    @property
    def v_min(self) -> int:
        return -(2 ** (self.B - 1))

    @property
    def v_max(self) -> int:
        return 2 ** (self.B - 1) - 1

    def of(self, layer: Layer) -> "Checkpoint":
        """This checkpoint with the law, reset, B and f of one layer."""
        keys = ("law", "reset", "B", "f")
        own = {k: getattr(layer, k) for k in keys if getattr(layer, k) is not None}
        return replace(self, meta=self.meta | own) if own else self

    def bundles(self, i: int) -> tuple[Synapse, ...]:
        """All synapses of layer i, sources resolved: -1 the clips, k layer k."""
        layer = self.layers[i]
        source = i - 1 if layer.source is None else layer.source
        own = {key: getattr(layer, key) for key in WIRING}
        return (Synapse(layer.w, source, **own), *layer.more)

    @property
    def chain(self) -> bool:
        """Whether every layer reads the layer before it, in the same step, alone."""
        return all(
            len(parts) == 1 and (parts[0].source, parts[0].delay) == (i - 1, 0)
            for i, parts in enumerate(map(self.bundles, range(len(self.layers))))
        )

    @property
    def channels(self) -> int:
        """Inputs of the clips."""
        parts = (b for i in range(len(self.layers)) for b in self.bundles(i))
        return next((b.inputs for b in parts if b.source == CLIPS), 0)

    @property
    def format(self) -> int:
        """1 where format 1 can hold it, else 2."""
        layers = self.layers
        extra = any(
            x.more or any(getattr(x, k) != v for k, v in NEW.items()) for x in layers
        )
        sides = any(isinstance(p, tuple) for x in layers for p in (x.stride, x.padding))
        read = self.readout != "count"
        long = any(_values(x) > len(x.w) for x in layers)
        return 2 if extra or sides or read or long or "rounding" in self.meta else 1

    def save(self, path: Path) -> Path:
        """Write atomically; byte-identical for equal content."""
        arrays = {"meta": np.array(json.dumps(self._meta(), sort_keys=True))}
        for i, layer in enumerate(self.layers):
            for key in ("w", "theta", "lam", "bias", "beta"):
                if getattr(layer, key) is not None:
                    arrays[f"{key}{i}"] = getattr(layer, key)
            for k, bundle in enumerate(layer.more, 1):
                arrays[f"w{i}_{k}"] = bundle.w
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return write_atomic(Path(path), buffer.getvalue())

    def _meta(self) -> dict:
        rows = [
            {
                "name": layer.name,
                "kind": layer.kind,
                "in": layer.inputs,
                "out": layer.out,
                "weight_bits": layer.bits,
                "beta_shift": layer.beta_shift,
                **_placed(layer),
                **_new(layer),
            }
            for layer in self.layers
        ]
        return {**self.meta, "format": self.format, "layers": rows}

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read and check; Fault names the array and what is wrong with it."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as z:
                arrays = {key: z[key] for key in z.files}
            meta = json.loads(str(arrays.pop("meta")))
            known = meta.get("format", 1) in FORMATS
            rows = meta["layers"] if known else []
            layers = tuple(_layer(i, row, arrays) for i, row in enumerate(rows))
        except Exception as error:
            raise Fault(
                "not an integer checkpoint",
                expected="an .npz of format 1 or 2 with meta, w0, theta0, lam0, …",
                found=f"{type(error).__name__}: {str(error)[:80]}",
                where=str(path),
            ) from None
        if not known:
            raise Fault(
                "an integer checkpoint of another format",
                expected=" or ".join(map(str, FORMATS)),
                found=repr(meta["format"]),
                where=str(path),
                do="a newer lindecay wrote it",
            )
        return check(cls(meta, layers), str(path))


def _values(layer: Layer) -> int:
    """The longest of theta, lam, bias and beta."""
    keys = ("theta", "lam", "bias", "beta")
    return max(np.size(0 if (x := getattr(layer, k)) is None else x) for k in keys)


def _placed(layer: Layer) -> dict:
    """What a layer that reads a plane has beside its weights."""
    keys = ("plane", "pool", "stride", "padding")
    return {} if layer.plane is None else {key: getattr(layer, key) for key in keys}


def _new(layer: Layer) -> dict:
    """What format 2 adds, where it is used."""
    used = {k: getattr(layer, k) for k, v in NEW.items() if getattr(layer, k) != v}
    if layer.more:
        keys = ("source", *WIRING)
        used["more"] = [{key: getattr(b, key) for key in keys} for b in layer.more]
    return used


def _wiring(row: dict) -> dict:
    """The fields of WIRING that a row of the meta text holds, as they are kept."""
    found = {key: row[key] for key in WIRING if row.get(key) is not None}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


def _layer(i: int, row: dict, arrays: dict) -> Layer:
    more = tuple(
        Synapse(arrays[f"w{i}_{k}"], one["source"], **_wiring(one))
        for k, one in enumerate(row.get("more", ()), 1)
    )
    return Layer(
        name=row["name"],
        w=arrays[f"w{i}"],
        theta=arrays[f"theta{i}"],
        lam=arrays[f"lam{i}"],
        bits=row["weight_bits"],
        bias=arrays.get(f"bias{i}"),
        beta=arrays.get(f"beta{i}"),
        beta_shift=row.get("beta_shift"),
        more=more,
        **{key: row.get(key) for key in ("law", "reset", "B", "f", "source")},
        **_wiring(row),
    )


def check(ck: Checkpoint, where: str) -> Checkpoint:
    """Fault unless every value lies on its grid; returns the checkpoint."""

    def refuse(what, expected, found):
        raise Fault(what, expected=expected, found=found, where=where)

    _among("readout", ck.readout, READOUTS, refuse)
    _among("rounding", ck.rounding, ROUNDINGS, refuse)
    for i, layer in enumerate(ck.layers):
        own = ck.of(layer)
        check_bits("membrane bits", own.B, 4, 24)
        check_bits("fraction bits", own.f, 0, own.B - 2)
        _among("decay law", own.law, known(), refuse)
        _among("reset", own.reset, RESETS, refuse)
        check_bits(f"{layer.name}: weight bits", layer.bits, 1, 8)
        for bundle in ck.bundles(i):
            check_bundle(ck, layer, bundle, refuse)
        check_rows(own, layer, refuse)
        widest = sum(map(_widest, ck.bundles(i))) << own.f
        if widest + own.v_max >= EXACT:
            refuse(f"{layer.name}: sums too wide", f"below {EXACT}", str(widest))
    return ck


def _among(what: str, found, known: tuple, refuse) -> None:
    if found not in known:
        refuse(f"unknown {what}", " or ".join(known), repr(found))


def _widest(b: Synapse) -> int:
    """The largest sum of a bundle's weights; a pooled sum may hold each so often."""
    often = b.pool**2 if b.pooling == "sum" else 1
    sums = np.abs(b.w.reshape(len(b.w), -1).astype(np.int64)).sum(1)
    return often * int(sums.max(initial=0))


def check_rows(ck: Checkpoint, layer: Layer, refuse) -> None:
    """Fault unless theta, lambda and beta fit the membrane; `ck` is the layer's own."""
    theta, lam = layer.row("theta"), layer.row("lam")
    if theta.min() < 1 or theta.max() > ck.v_max:
        refuse(f"{layer.name}: theta", f"1 to {ck.v_max}", str(theta.max()))
    if lam.min() < 0 or (lam >= theta).any():
        refuse(f"{layer.name}: lambda", "0 to theta - 1", str(lam.max()))
    if ck.law in ("exponential", "shift") and layer.beta is None:
        refuse(f"{layer.name}: beta", "an integer", "none")


def check_bundle(ck: Checkpoint, layer: Layer, b: Synapse, refuse) -> None:
    """Fault unless a bundle's weights and source fit its layer and the network."""
    name, low, high = layer.name, -(2 ** (layer.bits - 1)), 2 ** (layer.bits - 1) - 1
    if b.w.ndim not in (2, 4) or b.w.dtype != np.int8 or not b.w.size:
        wanted = "int8 [out, in] or [channels, in_channels, k, k]"
        refuse(f"{name}: weights", wanted, _shape(b.w))
    here = next(i for i, x in enumerate(ck.layers) if x is layer)
    if not CLIPS <= b.source < len(ck.layers) or b.delay not in (0, 1):
        found = f"layer {b.source}, {b.delay} steps late"
        refuse(f"{name}: source", "the clips or a layer, 0 or 1 step late", found)
    if b.source >= here and not b.delay:
        refuse(f"{name}: a loop", "a delay of 1 step", f"0 from layer {b.source}")
    before = ck.layers[b.source] if b.source >= 0 else None
    check_plane(layer, b, before, refuse)
    if b.w.min() < low or b.w.max() > high:
        bad = tuple(np.argwhere((b.w < low) | (b.w > high))[0].tolist())
        found = f"{b.w[bad]} at neuron {bad[0]}, input {bad[1]}"
        refuse(f"{name}: weight too wide", f"{low} to {high}", found)
    wanted = before.out if before is not None else ck.channels
    if b.inputs != wanted:
        refuse(f"{name}: inputs", str(wanted), str(b.inputs))
    if b.map != layer.map and (b.out != layer.out or layer.kind == b.kind == "conv"):
        refuse(f"{name}: neurons of a further bundle", f"{layer.map}", f"{b.map}")


def check_plane(layer: Layer, b: Synapse, before: Layer | None, refuse) -> None:
    """Fault unless plane, pooling, kernel and per-channel values fit together."""
    name, plane = layer.name, b.plane
    for key, least in (("pool", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
        value = getattr(b, key)
        sides = (value,) if key == "pool" else pair(value)
        if not all(isinstance(x, int) and x >= least for x in sides):
            refuse(f"{name}: {key}", f"a whole number from {least}", repr(value))
    _among(f"pooling of {name}", b.pooling, POOLINGS, refuse)
    if plane is None:
        if b.kind == "conv" or b.pool > 1:
            refuse(f"{name}: plane of the inputs", "(C, H, W)", "none")
    elif len(plane) != 3 or b.pool > min(plane[1:]) or min(plane) < 1:
        wanted = f"(C, H, W) of at least {b.pool} x {b.pool}"
        refuse(f"{name}: plane", wanted, plane)
    elif before is not None and before.kind == "conv" and plane != before.map:
        refuse(f"{name}: plane", f"{before.map}, the map before", f"{plane}")
    elif b.kind == "linear" and b.w.shape[1] != math.prod(b.seen):
        refuse(f"{name}: inputs", f"{math.prod(b.seen)}", str(b.w.shape[1]))
    elif b.kind == "conv":
        _check_kernel(name, b, refuse)
    for key in ("theta", "lam", "bias", "beta"):
        size = 1 if getattr(layer, key) is None else np.size(getattr(layer, key))
        if size not in (1, len(layer.w), layer.out):
            refuse(f"{name}: {key}", f"1 or {len(layer.w)} values", f"{size}")


def _check_kernel(name: str, b: Synapse, refuse) -> None:
    """Fault unless a kernel fits the plane that it sees, group by group."""
    whole = isinstance(b.groups, int) and b.groups >= 1
    if not whole or b.plane[0] % b.groups or len(b.w) % b.groups:
        found = f"{b.groups} groups of {b.plane[0]} to {len(b.w)}"
        refuse(f"{name}: groups", "a divisor of both channels", found)
    if b.w.shape[1] != b.plane[0] // b.groups or min(b.map) < 1:
        wanted = f"[channels, {b.plane[0] // b.groups}, k, k] within {b.seen[1:]}"
        refuse(f"{name}: kernel", wanted, _shape(b.w))


def _shape(w: np.ndarray) -> str:
    return f"{w.dtype} {list(w.shape)}"
