"""What a reader sees: programs run cycle by cycle, and cycles against N.

`cycles` turns a run of the single-bit array into rows of a table; `growth` measures
the update of a trained layer with more and more neurons on the ledger, `update_share`
what part of a step it is in every layout.
"""

from dataclasses import replace

import numpy as np

from lindecay.checkpoints import Checkpoint
from lindecay.events import Clips
from lindecay.sram.isa import cycles as closed_forms
from lindecay.sram.isa.programs import Program, rows_text
from lindecay.sram.layouts import emulate
from lindecay.sram.ledger import PROGRAMS, UPDATE, Ledger
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial.array import Array
from lindecay.sram.serial.structural import tally


def _bits(values: np.ndarray) -> str:
    return " ".join(str(int(v)) for v in values)


def cycles(array: Array, program: Program, bits: int) -> list[dict]:
    """Run a program; one row a cycle, columns side by side in each entry.

    Args:
        array: single-bit array, small; it is changed.
        program: what to run.
        bits: rows V0 … that are read as the membrane after each cycle.

    >>> from lindecay.sram import microcode
    >>> array = Array(4, 2)
    >>> array.poke("V", [3, -2], 3)
    >>> array.registers["lam"] = 1
    >>> rows = cycles(array, microcode.shrink(3), 3)
    >>> rows[1]["read"], rows[1]["bitline A"], rows[1]["sum"], rows[-1]["V"]
    ('V0', '1 0', '0 1', '2 -1')
    """
    out = []
    for i, cycle in enumerate(program.cycles):
        seen = array.step(program, i)
        adds = cycle.adds
        write = rows_text(cycle.w) + (" if G" if cycle.masked else "")
        out.append(
            {
                "cycle": i,
                "read": ", ".join(rows_text(r) for r in (cycle.a, cycle.b) if r) or "-",
                "bitline A": _bits(seen.A) if cycle.a else "",
                "Y": _bits(seen.Y) if adds else "",
                "carry in": _bits(seen.carry_in) if adds else "",
                "sum": _bits(seen.sum) if adds else "",
                "write": write if cycle.w else "-",
                "written": _bits(seen.after) if cycle.w else "",
                "T": _bits(seen.T),
                "G": _bits(seen.G),
                "V": _bits(array.peek("V", bits)),
            }
        )
    return out


def update_cycles(ledger: Ledger, layer: str, field: str = "cycles") -> int:
    """Cycles of the state update of a layer: decay, extend, clamp, fire, reset."""
    return sum(ledger[layer, name][field] for name in UPDATE)


def with_neurons(ck: Checkpoint, n: int) -> Checkpoint:
    """The first layer alone with n neurons: the trained ones, repeated.

    Those with the widest sums come first, so that the membrane has as many rows
    whatever n is.
    """
    layer = ck.layers[0]
    w = layer.w.astype(np.int64)
    widest = np.maximum(np.maximum(w, 0).sum(1), np.maximum(-w, 0).sum(1))
    chosen = np.resize(np.argsort(-widest, kind="stable"), n)
    own = {
        name: getattr(layer, name)[chosen]
        for name in ("theta", "lam", "bias")
        if np.ndim(getattr(layer, name)) and getattr(layer, name) is not None
    }
    return Checkpoint(ck.meta, (replace(layer, w=layer.w[chosen], **own),))


def growth(ck: Checkpoint, clips: Clips, sizes: list[int], spec=None) -> list[dict]:
    """Cycles a step against neurons, from the ledger, on one clip.

    Returns one dict a size: neurons, macros side by side, cycles of the update side by
    side and on one macro after another, cycles of accumulation and of merging.
    """
    spec, one = spec or MacroSpec(), clips.subset(np.arange(1))
    out = []
    for n in sizes:
        run = emulate(with_neurons(ck, n), one, spec, record=False)
        (plan,) = run.mapping.layers
        name, steps = plan.name, ck.steps
        out.append(
            {
                "neurons": n,
                "column tiles": plan.column_tiles,
                "update": update_cycles(run.ledger, name) // steps,
                "update, one macro": update_cycles(run.ledger, name, "macro_cycles")
                // steps,
                "cycles per spike": max(plan.widths),  # the widest tile's
                "accumulate": run.ledger[name, "accumulate"].cycles / steps,
                "merge": run.ledger[name, "merge"].cycles // steps,
            }
        )
    return out


DESIGNS = {  # name: macro; one read port serves a memory that is read and written
    "A": MacroSpec(),
    "B": MacroSpec(layout="B"),
    "C in place": MacroSpec(layout="C"),
    "C row-wide": MacroSpec(layout="C", update="row", ports=1),
    "C word by word": MacroSpec(layout="C", update="word", ports=1),
}


def random_clip(ck: Checkpoint, events: int, seed: int = 0) -> Clips:
    """One clip with as many input spikes in every step, at random inputs."""
    rng, fan_in = np.random.default_rng(seed), ck.layers[0].w.shape[1]
    drawn = [rng.choice(fan_in, events, replace=False) for _ in range(ck.steps)]
    return Clips(
        indptr=np.arange(ck.steps + 1, dtype=np.int64) * events,
        channel=np.concatenate([np.sort(d) for d in drawn]).astype(np.int32),
        labels=np.zeros(1, np.int64),
        steps=ck.steps,
        channels=fan_in,
        dt_us=10_000,
        name="random",
        split="test",
        source="stand-in",
        sha256="",
    )


def step_cycles(ck: Checkpoint, spec: MacroSpec, events: int, steps: int = 4) -> dict:
    """Cycles of a step of the first layer at so many input spikes, from the ledger."""
    short = Checkpoint({**ck.meta, "T": steps}, ck.layers[:1])
    run = emulate(short, random_clip(short, events), spec, record=False)
    of = {p: run.ledger[short.layers[0].name, p].cycles / steps for p in PROGRAMS}
    near = run.ledger[short.layers[0].name, "update"].cycles / steps
    update = near + sum(of[p] for p in UPDATE)
    rest = {"accumulate": of["accumulate"], "merge": of["merge"]}
    return {"events": events, "update": update, **rest}


def update_share(ck: Checkpoint, sizes: list[int]) -> list[dict]:
    """Share of the update in the cycles of a step, for each design and spike count."""
    out = []
    for name, spec in DESIGNS.items():
        for events in sizes:
            found = step_cycles(ck, spec, events)
            whole = found["update"] + found["accumulate"] + found["merge"]
            out.append({"design": name, **found, "share": found["update"] / whole})
    return out


def share_by_neurons(ck: Checkpoint, sizes: list[int], events: int) -> list[dict]:
    """The same against neurons, at so many input spikes a step."""
    out = []
    for name, spec in DESIGNS.items():
        for n in sizes:
            found = step_cycles(with_neurons(ck, n), spec, events, steps=2)
            whole = found["update"] + found["accumulate"] + found["merge"]
            share = found["update"] / whole
            out.append({"design": name, "neurons": n, **found, "share": share})
    return out


def whole_steps(ck: Checkpoint, clips: Clips, sizes: list[int], there: int) -> list:
    """Cycles of a whole mean step of the first layer against neurons, one clip.

    Args:
        there: macros that a fixed budget has; what does not fit takes another pass,
            whose reloading of weights is not billed.
    """
    one, out = clips.subset(np.arange(1)), []
    for n in sizes:
        run = tally(with_neurons(ck, n), one)
        (plan,), total = run.mapping.layers, run.ledger.total()
        cycles = (total.cycles - run.ledger[plan.name, "clear"].cycles) / ck.steps
        again = closed_forms.passes(plan.macros, there)
        out.append(
            {
                "neurons": n,
                "macros": plan.macros,
                "enough macros": cycles,
                f"{there} macros": cycles * again,
                "one macro": total.macro_cycles / ck.steps,
                "cells used": plan.utilisation,
            }
        )
    return out
