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
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from lindecay.settings import Fault
from lindecay.store import write_atomic

FORMAT = 1
LAWS = ("shrink", "floor", "floor_after", "drift", "exponential", "shift", "none")
RESETS = ("subtract", "zero", "none")
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
    """One integer layer; theta, lam and bias in membrane LSB."""

    name: str
    w: np.ndarray  # int8 [out, in]
    theta: np.ndarray  # int32 [] or [out]
    lam: np.ndarray  # int32 [] or [out]
    bits: int
    bias: np.ndarray | None = None  # int32 [out]
    beta: np.ndarray | None = None  # int32 [], exponential factor * 2^beta_shift
    beta_shift: int | None = None

    @property
    def out(self) -> int:
        return self.w.shape[0]

    def row(self, name: str) -> np.ndarray:
        """theta or lam for every neuron, int32 [out]."""
        full = np.broadcast_to(getattr(self, name), (self.out,))
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
                "kind": "linear",
                "in": layer.w.shape[1],
                "out": layer.out,
                "weight_bits": layer.bits,
                "beta_shift": layer.beta_shift,
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
    inputs = None
    for layer in ck.layers:
        check_bits(f"{layer.name}: weight bits", layer.bits, 1, 8)
        low, high = -(2 ** (layer.bits - 1)), 2 ** (layer.bits - 1) - 1
        if layer.w.ndim != 2 or layer.w.dtype != np.int8:
            refuse(f"{layer.name}: weights", "int8 [out, in]", f"{layer.w.dtype}")
        if layer.w.min() < low or layer.w.max() > high:
            j, i = np.argwhere((layer.w < low) | (layer.w > high))[0]
            found = f"{layer.w[j, i]} at neuron {j}, input {i}"
            refuse(f"{layer.name}: weight too wide", f"{low} to {high}", found)
        if inputs is not None and layer.w.shape[1] != inputs:
            refuse(f"{layer.name}: inputs", str(inputs), str(layer.w.shape[1]))
        inputs = layer.out
        theta, lam = layer.row("theta"), layer.row("lam")
        if theta.min() < 1 or theta.max() > ck.v_max:
            refuse(f"{layer.name}: theta", f"1 to {ck.v_max}", str(theta.max()))
        if lam.min() < 0 or (lam >= theta).any():
            refuse(f"{layer.name}: lambda", "0 to theta - 1", str(lam.max()))
        if ck.law in ("exponential", "shift") and layer.beta is None:
            refuse(f"{layer.name}: beta", "an integer", "none")
        widest = np.abs(layer.w.astype(np.int64)).sum(1).max() << ck.f
        if widest + ck.v_max >= EXACT:
            refuse(f"{layer.name}: sums too wide", f"below {EXACT}", str(widest))
    return ck
