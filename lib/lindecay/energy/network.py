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
from lindecay.sram import Ledger, MacroSpec, Run

SHIFT = 3  # V - (V >> 3): the power of two nearest to the trained beta of 0.9
BETA = (230, 8)  # 0.898 = 230 / 2^8


@dataclass(frozen=True)
class Measured:
    """A ledger with all that a bill needs."""

    name: str
    ledger: Ledger | list[dict]
    shape: Shape
    layers: tuple[dict, ...]  # name, inputs, outputs, A, B, f, bits, row tiles, …
    layout: str = "A"

    @property
    def spikes_per_update(self) -> float:
        """Input spikes that reach a neuron in one step, mean over layers and clips."""
        return sum(row["sops"] for row in rows_of(self.ledger)) / self.shape.updates

    def layer(self, name: str) -> dict:
        """Plan of one layer."""
        return next(plan for plan in self.layers if plan["name"] == name)

    def to_json(self) -> str:
        """Text that `from_json` reads back."""
        rest = {k: getattr(self, k) for k in ("name", "layers", "layout")}
        return json.dumps(
            rest | {"shape": asdict(self.shape), "rows": rows_of(self.ledger)}, indent=1
        )

    @classmethod
    def from_json(cls, text: str) -> "Measured":
        """What `to_json` wrote."""
        told = json.loads(text)
        told |= {"shape": Shape(**told["shape"]), "layers": tuple(told["layers"])}
        return cls(ledger=told.pop("rows"), **told)


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


def of_run(run: Run, ck: Checkpoint | None = None, name: str = "") -> Measured:
    """What a bill needs of a run on the array; nothing is emulated again.

    Args:
        run: what `sram.emulate` returned, in any layout.
        ck: its checkpoint, where the run does not carry one; layouts B and C do not
            tell the membrane's bits without it.
    """
    ck = ck or getattr(run, "checkpoint", None)
    plans, spec, first = run.mapping.layers, run.mapping.spec, run.trace.layers[0]
    layers = tuple(_plan(p, ck) for p in plans)
    shape = Shape(
        macros=run.mapping.macros,
        clips=first.S.shape[0],
        steps=first.S.shape[1],
        neurons=sum(p.outputs for p in plans),
        bits=layers[0]["B"],
        rows=spec.rows,
        cols=spec.cols,
        address_bits=int(np.ceil(np.log2(max(p.inputs for p in plans)))),
    )
    rows = run.ledger
    if spec.layout == "C":
        rows = under_a_tree(rows.to_rows(), layers, shape, spec.update == "in-place")
    return Measured(name, rows, shape, layers, spec.layout)


def _plan(plan, ck: Checkpoint | None) -> dict:
    """A layer's plan as plain numbers, whatever the layout calls them."""
    told = {k: getattr(plan, k) for k in ("name", "inputs", "outputs", "A")}
    told |= {k: int(getattr(plan, k)) for k in ("row_tiles", "macros")}
    told["column_tiles"] = int(plan.column_tiles)
    told["trees"] = told["row_tiles"] * told["column_tiles"]
    told["bits"] = int(getattr(plan, "bits", 0)) or _bits(plan, ck)
    told["B"] = int(getattr(plan, "B", 0)) or (ck.B if ck else plan.A)
    told["f"] = int(getattr(plan, "f", ck.f if ck else 0))
    return {k: _plain(v) for k, v in told.items()}


def _bits(plan, ck: Checkpoint | None) -> int:
    """Bits of a weight; 4 where neither plan nor checkpoint tells."""
    own = [layer.bits for layer in ck.layers if layer.name == plan.name] if ck else []
    return int(own[0]) if own else 4


def under_a_tree(
    rows: list[dict], layers: tuple, shape: Shape, in_place: bool
) -> list[dict]:
    """Layout C's counts with what its emulator, handing sums over whole, leaves out.

    tree_ops         adder bits that toggle in the tree: for one synaptic operation the
                     weight's bits and half the depth of the tree
    transposed_bits  bits of a sum through the buffer from words to upright, in place

    In place, the entry of the sums is told apart from the merging of trees.
    """
    by = {plan["name"]: plan for plan in layers}
    out = []
    for row in rows:
        row, plan = row | {"tree_ops": 0, "transposed_bits": 0}, by[row["layer"]]
        if row["program"] == "accumulate":
            deep = plan["bits"] + np.log2(min(plan["inputs"], shape.rows)) / 2
            row["tree_ops"] = int(row["sops"] * deep)
        entry = in_place and row["program"] == "merge"
        out += _entered(row, plan, shape) if entry else [row]
    return out


def _entered(row: dict, plan: dict, shape: Shape) -> list[dict]:
    """A merge of layout C in place as what the trees merge and what then enters."""
    times = shape.clips * shape.steps
    tiles = plan["row_tiles"]
    trees = {k: 0 for k in row if k not in ("layer", "program")}
    cycles = times * int(np.ceil(np.log2(tiles)))
    moved = row["transport_bits"]
    trees |= {"cycles": cycles, "adder_ops": moved, "transport_bits": moved}
    trees["macro_cycles"] = cycles * plan["trees"]
    entry = {k: row[k] - trees[k] for k in trees}
    entry["transposed_bits"] = entry["cycles"] * plan["outputs"]  # a bit a cycle
    place = {"layer": row["layer"]}
    merged = [place | {"program": "merge"} | trees] if tiles > 1 else []
    return [*merged, place | {"program": "enter"} | entry]


def measure(
    ck: Checkpoint, clips: Clips, name: str = "", spec: MacroSpec | None = None
) -> Measured:
    """Run the network on the array; nothing is kept but counts."""
    run = sram.emulate(ck, clips, spec, record=False)
    return of_run(run, ck, name or ck.law)


def _plain(value):
    return value if isinstance(value, str) else int(value)


def kept(
    profile: str,
    arm: str,
    clips: Clips,
    law: str = "",
    seed: int = 0,
    spec: MacroSpec | None = None,
) -> Measured:
    """`stored` for a network that the profile trains; trained if need be."""
    from lindecay import training  # heavy: only where a network is wanted

    ck = training.checkpoint_for(profile, arm, seed)
    return stored(under(ck, law) if law else ck, clips, arm, spec)


def stored(
    ck: Checkpoint, clips: Clips, name: str = "", spec: MacroSpec | None = None
) -> Measured:
    """`measure`, kept in the store."""
    spec = spec or MacroSpec()
    params = {
        "weights": _digest(ck),
        "clips": clips.sha256,
        "n": len(clips),
        "labels": store.key_of({"labels": clips.labels.tolist()}, ()),
        "spec": asdict(spec),
    }

    def build(folder) -> None:
        found = measure(ck, clips, f"{name} {ck.law}", spec)
        (folder / "measured.json").write_text(found.to_json())

    modules = ["lindecay.sram", __name__]
    folder = store.memo("energy", params, modules, build)
    return Measured.from_json((folder / "measured.json").read_text())


def _digest(ck: Checkpoint) -> str:
    """A name for weights, law and grid."""
    parts = {"meta": ck.meta}
    for i, layer in enumerate(ck.layers):
        for key in ("w", "theta", "lam", "beta", "bias"):
            value = getattr(layer, key)
            parts[f"{key}{i}"] = None if value is None else np.asarray(value).tolist()
    return store.key_of(parts, ())
