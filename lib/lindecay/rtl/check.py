"""Hardware against emulator: every state, every spike, every counter; 0 differences.

Icarus runs the Verilog on real clips; its testbench compares with the images
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from lindecay.events import Clips
from lindecay.integer import as_events, pooled
from lindecay.quantization import Checkpoint
from lindecay.rtl import icarus, project
from lindecay.rtl.emulator import (
    LayerMachine,
    Ledger,
    MacroSpec,
    TiledMachine,
    build,
    emulate,
    run_layer,
    unpack,
)
from lindecay.rtl.layer import TileRtl
from lindecay.settings import Fault

KEYS = ("cycles", "states_compared", "counters_compared", "differences")


def simulate(found: project.Hardware, *more: str, keep: Path | None = None) -> dict:
    """Compile and run a testbench in a folder of its own; its counts and seconds.

    Args:
        keep: where the folder shall stay; a temporary one otherwise.

    Raises:
        Fault: Icarus is missing, fails or prints no result.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = project.write(found, keep or Path(folder) / "rtl")
        icarus.compiled(here, project.sources(found), "bench")
        start = time.perf_counter()
        out = icarus.simulated(here, *more)
        return out | {"seconds": time.perf_counter() - start}


def report(parts: list[dict], clips: int) -> dict:
    """What `prove --rtl` adds, summed over simulations."""
    keys = ("cycles", "states", "counters", "differences")
    out = {new: sum(part[old] for part in parts) for new, old in zip(KEYS, keys)}
    seconds = sum(part["seconds"] for part in parts)
    wrong = sum(not part["passed"] for part in parts)
    out["differences"] = max(out["differences"], wrong)
    out["cycles_per_second"] = round(out["cycles"] / max(seconds, 1e-9))
    return {"clips": clips, **out, "idle": sum(sum(part["idle"]) for part in parts)}


def network(ck: Checkpoint, clips: Clips, spec: MacroSpec | None = None) -> dict:
    """A fully connected network, whole, on clips."""
    return report([simulate(project.network(ck, clips, spec))], len(clips))


def tile(ck: Checkpoint, clips: Clips, layer: int, which: int = 0) -> dict:
    """One tile of a convolution: the first layers' spikes come from the emulator.

    Raises:
        Fault: the layer is no convolution, or has no such tile.
    """
    machines, events = _laid(ck, clips, layer)
    here = one_tile(machines[which], events[which], ck, len(clips))
    return report([simulate(here)], len(clips))


def convolution(
    ck: Checkpoint,
    clips: Clips,
    layer: int,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> dict:
    """Every tile of a convolution, one after another; told: of tiles done, and all."""
    machines, events = _laid(ck, clips, layer)
    parts = []
    for machine, seen in zip(machines, events):
        parts.append(simulate(one_tile(machine, seen, ck, len(clips))))
        told(len(parts), len(machines))
    return report(parts, len(clips)) | {"tiles": len(parts)}


def _laid(ck: Checkpoint, clips: Clips, layer: int) -> tuple[list, list]:
    """The tiles of a convolution as machines, and the events that each gets."""
    _, machines = build(ck, MacroSpec())
    if not isinstance(machines[layer], TiledMachine):
        raise Fault("a tile of a layer", expected="a convolution", found="linear")
    indptr, channel = clips.indptr, clips.channel
    if layer:
        before = replace(ck, layers=ck.layers[:layer])
        last = emulate(before, clips, record=False).trace.layers[-1]
        indptr, channel = as_events(last.S)
    indptr, channel = pooled(ck.layers[layer], indptr, channel)
    machine = machines[layer]
    return list(machine.tiles()), machine.events(indptr, channel)


def one_tile(machine: LayerMachine, events, ck: Checkpoint, clips: int):
    """A tile's machine as hardware, with what the emulator makes of its events."""
    project.simulable([machine])
    state, ledger = run_layer(machine, *events, clips, ck.steps, True)
    used = [unpack(machine.used, machine.plan.outputs)]
    table = {key: replace(ledger[key], sops=0, zero_sops=0) for key in ledger}
    told = [state], Ledger(table), events
    return project.hardware([machine], used, *told, clips, kind=TileRtl)


def first_steps(
    ck: Checkpoint, clips: Clips, steps: int, many: int = 1
) -> tuple[Checkpoint, Clips]:
    """The same network and the first clips, for their first steps only."""
    steps, T = min(steps, ck.steps), ck.steps
    rows = [c * T + t for c in range(many) for t in range(steps)]
    parts = [clips.channel[clips.indptr[r] : clips.indptr[r + 1]] for r in rows]
    few = clips.subset(np.arange(many))
    told = {"indptr": np.cumsum([0, *map(len, parts)]).astype(np.int64)}
    told |= {"channel": np.concatenate(parts).astype(np.int32), "steps": steps}
    return Checkpoint({**ck.meta, "T": steps}, ck.layers), replace(few, **told)


def prove(ck: Checkpoint, clips: Clips, steps: int | None = None) -> dict:
    """One clip: a fully connected network whole; of a CNN every tile of its maps.

    Returns:
        the object "rtl" of `lindecay prove NAME --rtl --json`.
    """
    if not icarus.available():
        icarus.call(["iverilog", "-V"], Path(), "iverilog")
    ck, one = first_steps(ck, clips, steps or ck.steps)
    if all(layer.kind == "linear" for layer in ck.layers):
        return network(ck, one)
    maps = [i for i, layer in enumerate(ck.layers) if layer.kind == "conv"]
    parts = [convolution(ck, one, i) for i in maps]
    out = {key: sum(part[key] for part in parts) for key in (*KEYS, "idle", "tiles")}
    speed = min(part["cycles_per_second"] for part in parts)
    return {"clips": 1, **out, "cycles_per_second": speed}
