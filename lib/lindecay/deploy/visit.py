"""A network's visit to the array: integers, array and floats over all clips.

Clips run in batches that memory holds; every membrane and spike of the array is
compared with the integer network's, then let go.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lindecay import energy, integer
from lindecay.checkpoints import Checkpoint
from lindecay.settings import Fault
from lindecay.sram import layouts
from lindecay.sram.emulate import Prepared, prepare
from lindecay.sram.given import as_clips
from lindecay.sram.ledger import Ledger
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.quantise import Choice
from lindecay.sram.serial.macro import Run

AT_ONCE = 2**24  # neurons x steps x clips that a batch holds
LARGEST = 2**33  # bytes of emulated cells
FACE = (
    "clips source layout grid accuracy_float accuracy_array differences"
    " states_compared agreement macros cycles_per_clip us_per_clip pj_per_sop"
    " uj_per_clip seconds layers"
).split()


@dataclass
class Visit:
    """What `lindecay array` found: `face` is its JSON, the rest is for the page."""

    face: dict
    parts: dict[str, float]  # pJ by component
    programs: dict[str, int]  # cycles by program
    notes: list[str] = field(default_factory=list)
    tried: list[dict] = field(default_factory=list)
    title: str = ""


def visit(
    net,
    events,
    labels=None,
    layout: str = "A",
    bits: tuple[int, int] | None = None,
    leak: str = "as-is",
    progress: Callable[[str, int, int], None] | None = None,
    title: str = "",
    **options,
) -> Visit:
    """Run a network on the array, in batches; see `FACE` for what is told.

    Args:
        net, events, labels, leak: as in `sram.emulate`.
        layout: A, B or C (C near memory, row by row).
        bits: (weight, membrane) bits; of networks that are quantised here.
        progress: called with a phase, how much of it is done, and how much there is.
        title: a name for the page.
        options: reset, dt, readout, plane, calibrate.

    Raises:
        Fault: as `sram.emulate`; and where the macros would not fit memory.
    """
    start = time.perf_counter()
    spec = MacroSpec(layout=layout)
    found = _prepared(net, events, labels, bits, leak, progress, options)
    ck, clips = found.checkpoint, found.clips
    _fits(ck, spec)
    totals = _Totals(ck, spec, len(clips))
    few = max(1, AT_ONCE // (ck.steps * sum(layer.out for layer in ck.layers)))
    for first in range(0, len(clips), few):
        part = clips.subset(np.arange(first, min(first + few, len(clips))))
        run = layouts.emulate(ck, part, spec, True)
        totals.add(run, integer.run(ck, part))
        if progress:
            progress("array", min(first + few, len(clips)), len(clips))
    return _told(found, totals, spec, time.perf_counter() - start, title)


def _prepared(net, events, labels, bits, leak, progress, options) -> Prepared:
    """Integers, clips and floats; a checkpoint has no floats."""
    if isinstance(net, Checkpoint):
        odd = [k for k, v in options.items() if v is not None and k != "plane"]
        odd += ["bits"] if bits else []
        odd += ["leak"] if leak != "as-is" else []
        if odd:
            raise Fault(f"{odd[0]} is for networks that are quantised here")
        clips, _ = as_clips(events, options.get("plane"), net.channels)
        labels = None if labels is None else np.asarray(labels)
        return Prepared(net, clips, None, None, "checkpoint", Choice(), [], labels)
    choice = Choice(**dict(zip(("weight_bits", "membrane_bits"), bits or ())))
    given = {k: v for k, v in options.items() if v is not None}
    own = {k: given.pop(k) for k in ("calibrate", "plane", "readout") if k in given}

    def tell(done, total):
        if progress:
            progress("floats", done, total)

    return prepare(
        net, events, choice, leak=leak, labels=labels, progress=tell, **own, **given
    )


def _fits(ck: Checkpoint, spec: MacroSpec) -> None:
    """Fault where the emulated cells would not fit memory, before anything runs."""
    if spec.layout != "A":
        return
    from lindecay.sram.place.conv import plan

    mapping = plan(ck, spec)
    size = mapping.macros * spec.rows * spec.cols // 8
    if size > LARGEST:
        raise Fault(
            "a network too large for memory",
            expected=f"at most {LARGEST >> 20} MiB of cells",
            found=f"{mapping.macros} macros, {size >> 20} MiB",
        )


class _Totals:
    """Sums over batches."""

    def __init__(self, ck: Checkpoint, spec: MacroSpec, clips: int):
        self.ck, self.spec, self.clips = ck, spec, clips
        self.ledger, self.wrong, self.states = Ledger(), 0, 0
        self.predictions, self.S, self.mapping = [], [], None
        self.layers: list[dict] = [{} for _ in ck.layers]

    def add(self, run: Run, whole) -> None:
        for row, a, b in zip(self.layers, run.trace.layers, whole.layers):
            for key in "UVS":
                mine, theirs = getattr(a, key), getattr(b, key)
                self.wrong += int((mine != theirs).sum())
                self.states += mine.size
            self.wrong += (a.clears, a.clamps) != (b.clears, b.clamps)
            row["name"], row["neurons"] = a.name, a.S.shape[-1]
            for key in ("spikes", "clears", "clamps"):
                row[key] = row.get(key, 0) + int(getattr(a, key))
        self.wrong += len(run.ledger.conserved(self.spec.cols)) if _counts(run) else 0
        self.ledger, self.mapping = self.ledger + run.ledger, run.mapping
        self.predictions.append(run.trace.predictions)
        self.S.append([layer.S for layer in run.trace.layers])

    def spikes(self, i: int) -> np.ndarray:
        return np.concatenate([s[i] for s in self.S])


def _counts(run: Run) -> bool:
    return run.mapping.spec.layout == "A" and hasattr(run.ledger, "conserved")


def _told(found: Prepared, totals: _Totals, spec, seconds: float, title: str) -> Visit:
    ck, floats = found.checkpoint, found.floats
    bill = _bill(totals, ck)
    predictions = np.concatenate(totals.predictions)
    same = None
    if floats is not None:
        same = float((predictions == floats.predictions).mean())
    face = {
        "clips": totals.clips,
        "source": found.clips.source,
        "layout": spec.layout,
        "grid": _grid(ck),
        "accuracy_float": _right(None if floats is None else floats.predictions, found),
        "accuracy_array": _right(predictions, found),
        "differences": int(totals.wrong),
        "states_compared": int(totals.states),
        "agreement": same,
        "macros": int(totals.mapping.macros),
        "cycles_per_clip": bill.counts["cycles"] / totals.clips,
        "us_per_clip": bill.latency_us,
        "pj_per_sop": bill.per_sop_pj if bill.counts["sops"] else None,
        "uj_per_clip": bill.per_clip_pj * 1e-6,
        "seconds": round(seconds, 3),
        "layers": [_layer(i, found, totals, bill) for i in range(len(ck.layers))],
    }
    programs = {k: c.cycles for k, c in totals.ledger.by_program().items()}
    notes = [] if floats is None else list(floats.notes)
    return Visit(face, bill.parts(), programs, notes, found.tried, title)


def _grid(ck: Checkpoint) -> dict:
    """Bits of weights and membranes; fractions layer by layer."""
    return {
        "weight_bits": max(layer.bits for layer in ck.layers),
        "membrane_bits": ck.B,
        "fraction_bits": [ck.of(layer).f for layer in ck.layers],
    }


def _bill(totals: _Totals, ck: Checkpoint):
    """Joules of all batches: the bill of one run with their ledgers added up."""
    from lindecay.energy import model, network

    trace = integer.Trace([], ck.readout)
    state = integer.LayerTrace(
        "", None, None, np.zeros((totals.clips, ck.steps, 0)), 0, 0, 0
    )
    trace.layers.append(state)
    run = Run(trace, totals.ledger, totals.mapping)
    m = network.of_run(run, ck)
    return model.bill(m.ledger, energy.load(), m.shape)


def _right(predictions, found: Prepared) -> float | None:
    if predictions is None or found.labels is None:
        return None
    return float((predictions == found.labels).mean())


def _layer(i: int, found: Prepared, totals: _Totals, bill) -> dict:
    ck, plan = found.checkpoint, totals.mapping.layers[i]
    own = ck.of(ck.layers[i])
    row = dict(totals.layers[i])
    row |= {"law": own.law, "reset": own.reset, "B": own.B, "f": own.f}
    row["agreement"] = None
    if found.floats is not None:
        row["agreement"] = float((totals.spikes(i) == found.floats.spikes[i]).mean())
    counts = totals.ledger.by_layer().get(plan.name)
    row["macros"] = int(plan.macros)
    row["utilisation"] = round(float(getattr(plan, "utilisation", 0.0)), 4)
    row["cycles_per_clip"] = counts.cycles / totals.clips if counts else 0
    row["sops_per_clip"] = counts.sops / totals.clips if counts else 0
    return row | {
        "uj_per_clip": bill.by_layer().get(plan.name, 0) / totals.clips * 1e-6
    }
