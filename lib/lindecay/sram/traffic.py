"""Queues and latency: how many spikes wait where, and what a step lasts.

    step = update + merge + the slowest queue of the step   (phases do not overlap)

A queue stands before every row tile of every column tile; an input spike enters those
whose weights it needs. The update and the merging last the same in every step.
"""

import numpy as np

from lindecay.checkpoints import Checkpoint
from lindecay.events import Clips
from lindecay.integer import Walk
from lindecay.sram.place.wiring import joined
from lindecay.sram.serial.macro import Run, build
from lindecay.sram.serial.tiles import TiledMachine, waiting


def traffic(ck: Checkpoint, clips: Clips, run: Run) -> list[dict]:
    """One dict a layer of a run in layout A, for tables.

    Returns:
        layer, macros, utilisation; copies of each weight and the share of weight cells
        that nothing connects (convolutions); queued spikes a step, over all queues;
        deepest queue; cycles of a mean step, of the slowest step and of a mean clip;
        the share of these cycles that is accumulation, merging and update.
    """
    _, machines = build(ck, run.mapping.spec, run.mapping.most)
    walk, rows = Walk(ck, clips), []
    for state in run.trace.layers:
        walk.add(state.S)
    for i, (layer, machine) in enumerate(zip(ck.layers, machines)):
        parts = [part[1:] for part in walk.into(i)]
        indptr, channel = joined(ck.bundles(i), parts)
        tiled = isinstance(machine, TiledMachine)
        queues = machine.events(indptr, channel) if tiled else [(indptr, channel)]
        one = machine.machine if tiled else machine
        depth = [waiting(one.plan, *queue) for queue in queues]
        length = np.array([len(p) for p in one.programs["accumulate"]])
        slowest = np.max([(d * length).max(1) for d in depth], axis=0)
        row = {"layer": layer.name, **_place(run.mapping, layer.name)}
        row["queued a step"] = sum(map(len, (q for _, q in queues))) / len(slowest)
        row["deepest queue"] = int(max(d.max(initial=0) for d in depth))
        rows.append(row | _latency(run, layer.name, len(clips), slowest))
    return rows


def _place(mapping, name: str) -> dict:
    plan = next(plan for plan in mapping.layers if plan.name == name)
    return {
        "macros": plan.macros,
        "utilisation": plan.utilisation,
        "copies of a weight": getattr(plan, "replication", 1),
        "unconnected": getattr(plan, "unconnected", 0.0),
    }


def _latency(run: Run, name: str, clips: int, slowest: np.ndarray) -> dict:
    books = {key[1]: run.ledger[key] for key in run.ledger if key[0] == name}
    cycles = {program: counts.cycles for program, counts in books.items()}
    rest = sum(cycles.values()) - cycles.get("clear", 0)
    part = {k: cycles.get(k, 0) / rest for k in ("accumulate", "merge")}
    fixed = (rest - cycles.get("accumulate", 0)) / len(slowest)
    return {
        "cycles a step": rest / len(slowest),
        "slowest step": int(fixed + slowest.max(initial=0)),
        "cycles a clip": sum(cycles.values()) / clips,
        **part,
        "update": 1 - sum(part.values()),
    }
