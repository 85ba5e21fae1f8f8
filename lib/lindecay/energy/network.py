"""A trained network's ledger, measured on the emulated array and kept in the store.

The same weights can be run under another decay law: its ledger is measured too, not
estimated. Only the update differs in kind; spikes of the hidden layer differ a little.
"""

import json
from dataclasses import asdict, dataclass, replace

import numpy as np

from lindecay import sram, store
from lindecay.energy.model import Shape, rows_of
from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.sram import Ledger, MacroSpec

SHIFT = 3  # V - (V >> 3): the power of two nearest to the trained beta of 0.9
BETA = (230, 8)  # 0.898 = 230 / 2^8


@dataclass(frozen=True)
class Measured:
    """A ledger with all that a bill needs."""

    name: str
    ledger: Ledger | list[dict]
    shape: Shape
    layers: tuple[dict, ...]  # name, inputs, neurons, A, B, bits, row tiles, …

    @property
    def spikes_per_update(self) -> float:
        """Input spikes that reach a neuron in one step, mean over layers and clips."""
        return sum(row["sops"] for row in rows_of(self.ledger)) / self.shape.updates

    def layer(self, name: str) -> dict:
        """Plan of one layer."""
        return next(plan for plan in self.layers if plan["name"] == name)

    def to_json(self) -> str:
        """Text that `from_json` reads back."""
        rest = {"name": self.name, "shape": asdict(self.shape), "layers": self.layers}
        rest["ledger"] = json.loads(self.ledger.to_json())
        return json.dumps(rest, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Measured":
        """What `to_json` wrote."""
        told = json.loads(text)
        ledger = Ledger.from_json(json.dumps(told["ledger"]))
        return cls(told["name"], ledger, Shape(**told["shape"]), tuple(told["layers"]))


def under(ck: Checkpoint, law: str) -> Checkpoint:
    """The same weights and thresholds under another decay law."""
    more = {"beta": None, "beta_shift": None}
    if law == "exponential":
        more = {"beta": np.int32(BETA[0]), "beta_shift": BETA[1]}
    if law == "shift":
        more = {"beta": np.int32(SHIFT), "beta_shift": 0}
    if law == ck.law and law == "exponential":
        return ck
    layers = tuple(replace(layer, **more) for layer in ck.layers)
    return replace(ck, meta=ck.meta | {"law": law}, layers=layers)


def measure(
    ck: Checkpoint, clips: Clips, name: str = "", spec: MacroSpec | None = None
) -> Measured:
    """Run the network on the array; nothing is kept but counts."""
    run = sram.emulate(ck, clips, spec, record=False)
    plans = run.mapping.layers
    shape = Shape(
        macros=run.mapping.macros,
        clips=len(clips),
        steps=ck.steps,
        neurons=sum(p.outputs for p in plans),
        bits=ck.B,
        rows=run.mapping.spec.rows,
        cols=run.mapping.spec.cols,
        address_bits=int(np.ceil(np.log2(max(p.inputs for p in plans)))),
    )
    kept = ("name", "inputs", "outputs", "bits", "B", "A", "f", "row_tiles", "macros")
    layers = tuple({k: _plain(getattr(p, k)) for k in kept} for p in plans)
    return Measured(name or ck.law, run.ledger, shape, layers)


def _plain(value):
    return value if isinstance(value, str) else int(value)


def kept(
    profile: str, arm: str, clips: Clips, law: str = "", seed: int = 0
) -> Measured:
    """`measure` for a trained network of the store, kept there; trained if need be."""
    from lindecay import training  # heavy: only where a network is wanted

    ck = training.checkpoint_for(profile, arm, seed)
    ck = under(ck, law) if law else ck
    params = {
        "weights": _digest(ck),
        "clips": clips.sha256,
        "n": len(clips),
        "labels": store.key_of({"labels": clips.labels.tolist()}, ()),
    }

    def build(folder) -> None:
        found = measure(ck, clips, f"{arm} {ck.law}")
        (folder / "measured.json").write_text(found.to_json())

    folder = store.memo("energy", params, ["lindecay.sram"], build)
    return Measured.from_json((folder / "measured.json").read_text())


def _digest(ck: Checkpoint) -> str:
    """A name for weights, law and grid."""
    parts = {"meta": ck.meta}
    for i, layer in enumerate(ck.layers):
        for key in ("w", "theta", "lam", "beta"):
            value = getattr(layer, key)
            parts[f"{key}{i}"] = None if value is None else np.asarray(value).tolist()
    return store.key_of(parts, ())
