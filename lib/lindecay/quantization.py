"""One integer grid for training, integer network, array and gates.

    w_int = clamp(round(W / s), -2^(b-1), 2^(b-1) - 1)      weights, b bits
    I     = sum_j w_int[j] x[j] * 2^f                       membrane LSB
    L     = 2^f / s                                         LSB per unit of threshold
    theta_int = round(L),  lam_int = round(lam * L)

Gradients pass straight through the rounding (Bengio et al. 2013) and stop at the
clamp. All integers stay below 2^24, so float32 holds them exactly and the training
forward equals the integer network bit for bit.
"""

import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from lindecay.settings import Fault
from lindecay.store import write_atomic

FORMAT = 1
LAWS = ("shrink", "floor", "floor_after", "drift", "exponential", "shift", "none")
ROUNDINGS = {"exponential": ("nearest", "trunc"), "shift": ("floor", "half_up")}
RESETS = ("subtract", "zero", "none", "late")  # late: after the next decay
EXACT = 2**24  # float32 holds every integer up to here


def ste_round(x: torch.Tensor) -> torch.Tensor:
    """Round to nearest (ties to even) with the gradient of the identity."""
    return x + (x.round() - x).detach()


def quantize_weights(w: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    """Integer-valued weights; gradient 1/scale inside the range, 0 outside.

    Args:
        w: real weights, any shape.
        scale: real value of one LSB, scalar or broadcastable.
        bits: width in two's complement, 1 to 8 (1 means -1 and 0).

    >>> quantize_weights(torch.tensor([-9.0, -0.4, 0.6, 9.0]), torch.tensor(1.0), 3)
    tensor([-4.,  0.,  1.,  3.])
    """
    check_bits("weight bits", bits, 1, 8)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return ste_round((w / scale).clamp(low, high))


def check_bits(name: str, bits: int, low: int, high: int) -> None:
    """Fault unless `bits` is a whole number within [low, high]."""
    if not isinstance(bits, int) or not low <= bits <= high:
        raise Fault(
            f"{name} out of range",
            expected=f"a whole number from {low} to {high}",
            found=repr(bits),
        )


@dataclass(frozen=True)
class Grid:
    """The fixed-point grid of one network."""

    weight_bits: int
    membrane_bits: int  # B, two's complement
    fraction_bits: int  # f, membrane bits below the weight's LSB

    def __post_init__(self):
        check_bits("weight bits", self.weight_bits, 1, 8)
        check_bits("membrane bits", self.membrane_bits, 4, 24)
        check_bits("fraction bits", self.fraction_bits, 0, self.membrane_bits - 2)

    @property
    def v_min(self) -> int:
        return -(2 ** (self.membrane_bits - 1))

    @property
    def v_max(self) -> int:
        return 2 ** (self.membrane_bits - 1) - 1

    def lsb_per_unit(self, scale: float) -> float:
        """Membrane LSB per unit of threshold for weights of LSB `scale`."""
        return 2.0**self.fraction_bits / scale

    def scale_for(self, w: torch.Tensor) -> float:
        """The weight LSB that spans the largest weight, and holds the threshold.

        The threshold takes 2^f/s LSB; the membrane must reach past it, so the LSB
        is never so fine that theta exceeds half of V_max.
        """
        reach = float(w.detach().abs().max()) / (2 ** (self.weight_bits - 1) - 0.5)
        finest = 2.0**self.fraction_bits / (self.v_max / 2)
        return max(reach, finest)


@dataclass(frozen=True)
class Layer:
    """One integer layer, linear or a convolution; theta, lam, bias in membrane LSB.

    Planes are numbered c·H·W + y·W + x. A layer that reads a plane may first join
    pool x pool neighbours by OR; a convolution has one value a channel for all of them.
    """

    name: str
    w: np.ndarray  # int8 [out, in], or [channels, in_channels, k, k]
    theta: np.ndarray  # int32 [] or [out]; of a convolution [] or [channels]
    lam: np.ndarray  # as theta
    bits: int
    bias: np.ndarray | None = None  # as theta
    beta: np.ndarray | None = None  # int32 [] or [out], factor * 2^beta_shift
    beta_shift: int | None = None
    plane: tuple[int, int, int] | None = None  # (C, H, W) of the spikes that come in
    pool: int = 1  # OR of pool x pool spikes before the weights see them
    stride: int = 1
    padding: int = 0

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
        sides = zip(self.seen[1:], self.w.shape[2:])
        high, wide = (
            (side + 2 * self.padding - kernel) // self.stride + 1
            for side, kernel in sides
        )
        return self.w.shape[0], high, wide

    @property
    def out(self) -> int:
        """Neurons."""
        return math.prod(self.map)

    def row(self, name: str) -> np.ndarray:
        """theta, lam, bias or beta (0 where there is none) of each neuron, int32 [out].

        >>> w, theta = np.zeros((2, 1, 1, 1), np.int8), np.array([5, 7])
        >>> Layer("c", w, theta, np.int32(0), 3, plane=(1, 1, 2)).row("theta")
        array([5, 5, 7, 7], dtype=int32)
        """
        value = np.asarray(0 if getattr(self, name) is None else getattr(self, name))
        if value.ndim and self.kind == "conv":  # one value a channel
            value = np.repeat(value, self.out // len(value))
        full = np.broadcast_to(value, (self.out,))
        return np.ascontiguousarray(full, dtype=np.int32)


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
    def rounding(self) -> str | None:
        """Of the decay; a checkpoint that does not say has its law's first one."""
        usual = ROUNDINGS.get(self.law, (None,))[0]
        return self.meta.get("rounding", usual)

    @property
    def reset(self) -> str:
        return self.meta["reset"]

    @property
    def steps(self) -> int:
        return self.meta["T"]

    @property
    def readout(self) -> str:
        return self.meta["readout"]

    @property
    def v_min(self) -> int:
        return -(2 ** (self.B - 1))

    @property
    def v_max(self) -> int:
        return 2 ** (self.B - 1) - 1

    def save(self, path: Path) -> Path:
        """Write atomically; byte-identical for equal content."""
        arrays = {"meta": np.array(json.dumps(self._meta(), sort_keys=True))}
        for i, layer in enumerate(self.layers):
            for key in ("w", "theta", "lam", "bias", "beta"):
                if getattr(layer, key) is not None:
                    arrays[f"{key}{i}"] = getattr(layer, key)
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
            }
            for layer in self.layers
        ]
        return {**self.meta, "format": FORMAT, "layers": rows}

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read and check; Fault names the array and what is wrong with it."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as z:
                arrays = {key: z[key] for key in z.files}
            meta = json.loads(str(arrays.pop("meta")))
            layers = tuple(
                _layer(i, row, arrays) for i, row in enumerate(meta["layers"])
            )
        except Fault:
            raise
        except Exception as error:
            raise Fault(
                "not an integer checkpoint",
                expected=f"an .npz of format {FORMAT} with meta, w0, theta0, lam0, …",
                found=f"{type(error).__name__}: {str(error)[:80]}",
                where=str(path),
            ) from None
        return check(cls(meta, layers), str(path))


def _placed(layer: Layer) -> dict:
    """What a layer that reads a plane has beside its weights."""
    keys = ("plane", "pool", "stride", "padding")
    return {} if layer.plane is None else {key: getattr(layer, key) for key in keys}


def _layer(i: int, row: dict, arrays: dict) -> Layer:
    return Layer(
        name=row["name"],
        w=arrays[f"w{i}"],
        theta=arrays[f"theta{i}"],
        lam=arrays[f"lam{i}"],
        bits=row["weight_bits"],
        bias=arrays.get(f"bias{i}"),
        beta=arrays.get(f"beta{i}"),
        beta_shift=row.get("beta_shift"),
        plane=tuple(row["plane"]) if "plane" in row else None,
        **{key: row[key] for key in ("pool", "stride", "padding") if key in row},
    )


def check(ck: Checkpoint, where: str) -> Checkpoint:
    """Fault unless every value lies on its grid; returns the checkpoint."""

    def refuse(what, expected, found):
        raise Fault(what, expected=expected, found=found, where=where)

    check_bits("membrane bits", ck.B, 4, 24)
    check_bits("fraction bits", ck.f, 0, ck.B - 2)
    if ck.law not in LAWS:
        refuse("unknown decay law", " or ".join(LAWS), repr(ck.law))
    if ck.reset not in RESETS:
        refuse("unknown reset", " or ".join(RESETS), repr(ck.reset))
    if ck.rounding not in ROUNDINGS.get(ck.law, (None,)):
        allowed = ROUNDINGS.get(ck.law, ("none",))
        refuse(f"rounding of {ck.law}", " or ".join(allowed), repr(ck.rounding))
    before = None
    for layer in ck.layers:
        check_bits(f"{layer.name}: weight bits", layer.bits, 1, 8)
        low, high = -(2 ** (layer.bits - 1)), 2 ** (layer.bits - 1) - 1
        if layer.w.ndim not in (2, 4) or layer.w.dtype != np.int8:
            wanted = "int8 [out, in] or [channels, in_channels, k, k]"
            refuse(f"{layer.name}: weights", wanted, _shape(layer.w))
        check_plane(layer, before, refuse)
        if layer.w.min() < low or layer.w.max() > high:
            bad = tuple(np.argwhere((layer.w < low) | (layer.w > high))[0].tolist())
            found = f"{layer.w[bad]} at neuron {bad[0]}, input {bad[1]}"
            refuse(f"{layer.name}: weight too wide", f"{low} to {high}", found)
        if before is not None and layer.inputs != before.out:
            refuse(f"{layer.name}: inputs", str(before.out), str(layer.inputs))
        before = layer
        theta, lam = layer.row("theta"), layer.row("lam")
        if theta.min() < 1 or theta.max() > ck.v_max:
            refuse(f"{layer.name}: theta", f"1 to {ck.v_max}", str(theta.max()))
        if lam.min() < 0 or (lam >= theta).any():
            refuse(f"{layer.name}: lambda", "0 to theta - 1", str(lam.max()))
        if ck.law in ("exponential", "shift") and layer.beta is None:
            refuse(f"{layer.name}: beta", "an integer", "none")
        kernels = layer.w.reshape(len(layer.w), -1).astype(np.int64)
        widest = np.abs(kernels).sum(1).max() << ck.f
        if widest + ck.v_max >= EXACT:
            refuse(f"{layer.name}: sums too wide", f"below {EXACT}", str(widest))
    return ck


def check_plane(layer: Layer, before: Layer | None, refuse) -> None:
    """Fault unless plane, pooling, kernel and per-channel values fit together."""
    name, plane = layer.name, layer.plane
    for key, least in (("pool", 1), ("stride", 1), ("padding", 0)):
        value = getattr(layer, key)
        if not isinstance(value, int) or value < least:
            refuse(f"{name}: {key}", f"a whole number from {least}", repr(value))
    if plane is None:
        if layer.kind == "conv" or layer.pool > 1:
            refuse(f"{name}: plane of the inputs", "(C, H, W)", "none")
    elif len(plane) != 3 or layer.pool > min(plane[1:]) or min(plane) < 1:
        refuse(
            f"{name}: plane",
            f"(C, H, W) of at least {layer.pool} x {layer.pool}",
            plane,
        )
    elif before is not None and before.kind == "conv" and plane != before.map:
        refuse(f"{name}: plane", f"{before.map}, the map before", f"{plane}")
    elif layer.kind == "linear" and layer.w.shape[1] != math.prod(layer.seen):
        refuse(f"{name}: inputs", f"{math.prod(layer.seen)}", str(layer.w.shape[1]))
    elif layer.kind == "conv" and (layer.w.shape[1] != plane[0] or min(layer.map) < 1):
        wanted = f"[channels, {plane[0]}, k, k] within {layer.seen[1:]}"
        refuse(f"{name}: kernel", wanted, _shape(layer.w))
    for key in ("theta", "lam", "bias", "beta"):
        size = 1 if getattr(layer, key) is None else np.size(getattr(layer, key))
        if size not in (1, len(layer.w)):
            refuse(f"{name}: {key}", f"1 or {len(layer.w)} values", f"{size}")


def _shape(w: np.ndarray) -> str:
    return f"{w.dtype} {list(w.shape)}"
