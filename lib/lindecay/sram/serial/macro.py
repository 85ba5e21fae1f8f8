"""Layout A: whole clips on bit-serial macros, phase by phase.

    cycles of a phase = those of its slowest row tile, round after round

Phases follow one another without overlap; row tiles accumulate side by side. All
membranes, weights and partial sums are bits of `cells`; integers appear only when a
trace is read out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lindecay import integer
from lindecay.checkpoints import CLIPS, Checkpoint
from lindecay.events import Clips
from lindecay.integer import LayerTrace, Trace, Walk
from lindecay.sram.ledger import Ledger
from lindecay.sram.place.conv import plan
from lindecay.sram.place.plans import Mapping
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.wiring import flat, joined, tiled
from lindecay.sram.serial.machine import LayerMachine
from lindecay.sram.serial.runner import Runner
from lindecay.sram.serial.tiles import TiledMachine


@dataclass
class Run:
    """What the array did: states, events, and where everything lay."""

    trace: Trace
    ledger: Ledger
    mapping: Mapping


def run_layer(
    machine: LayerMachine | TiledMachine,
    indptr: np.ndarray,
    channel: np.ndarray,
    clips: int,
    steps: int,
    record: bool,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LayerTrace, Ledger]:
    """One layer over all clips; events as CSR over (clip, step)."""
    runner = Runner(machine, clips, steps, record, int(np.diff(indptr).max(initial=0)))
    chunk = max(1, clips if progress is None else -(-clips // 20))
    for first in range(0, clips, chunk):
        last = min(clips, first + chunk)
        runner.go(indptr, channel, (first, last), (0, steps))
        if progress:
            progress(last, clips)
    return runner.trace(), runner.ledger()


def most_events(clips: Clips) -> int:
    """Events of one input in one step, at most."""
    return 1 if clips.count is None else int(clips.count.max(initial=1))


def build(
    ck: Checkpoint, spec: MacroSpec, most: int = 1
) -> tuple[Mapping, list[LayerMachine | TiledMachine]]:
    """Lay a network out and load its bits.

    most: events of an input of the clips that a step may hold.
    """
    mapping, machines = plan(ck, spec, most), []
    for i, (layer, p) in enumerate(zip(ck.layers, mapping.layers)):
        own, bundles = ck.of(layer), ck.bundles(i)
        if tiled(layer, bundles):
            machines.append(TiledMachine(own, layer, p, spec))
        else:
            machines.append(LayerMachine(own, *_flat(layer, bundles, p, spec)))
    return mapping, machines


def _flat(layer, bundles, plan, spec) -> tuple:
    one, linked = flat(layer, bundles)
    return one, plan, spec, linked


def emulate(
    ck: Checkpoint,
    clips: Clips,
    spec: MacroSpec | None = None,
    record: bool = True,
    progress: Callable[[int, int], None] | None = None,
    alter: Callable[[int, LayerMachine], None] | None = None,
) -> Run:
    """Run an integer checkpoint on emulated macros, bit by bit.

    Args:
        ck: integer checkpoint; any graph of linear layers and convolutions.
        clips: events; one that comes several times in a bin raises its wordline so
            often.
        spec: size and kind of macro; 256 x 256, 10T by default.
        record: keep U and V of every neuron and step.
        progress: called with clips done and clips in all, layer by layer.
        alter: called with index and machine of each layer (of a convolution: of the
            tile that all others follow) before it runs; mutants.

    Returns:
        Run: trace (equal to `integer.run`'s), ledger, mapping.

    Raises:
        Fault: clips and network do not fit, or a value lies off the grid.
        PortFault: a program breaks a rule of the array.
    """
    walk = Walk(ck, clips)
    mapping, machines = build(ck, spec or MacroSpec(), most_events(clips))
    if integer.loops(ck):
        states, ledger = _stepped(walk, machines, record, alter, progress)
        return Run(Trace(states, ck.readout), ledger, mapping)
    states, ledger = [], Ledger()
    for i, machine in enumerate(machines):
        indptr, channel = joined(ck.bundles(i), [part[1:] for part in walk.into(i)])
        _altered(alter, i, machine, indptr, channel)
        told = len(clips), ck.steps, record, progress
        state, book = run_layer(machine, indptr, channel, *told)
        walk.add(state.S)
        states, ledger = [*states, state], ledger + book
    return Run(Trace(states, ck.readout), ledger, mapping)


def _altered(alter, i: int, machine, indptr, channel) -> None:
    """Show a layer's machine, and the inputs that will spike, to who wants a mutant."""
    if alter:
        one = getattr(machine, "machine", machine)
        one.events = channel if one is machine else machine.spikes(indptr, channel)
        alter(i, one)


def _stepped(walk: Walk, machines, record, alter, progress):
    """A network with loops: step by step, clip by clip."""
    ck, n = walk.ck, walk.clips
    runners = []
    for i, machine in enumerate(machines):
        _altered(alter, i, machine, *walk.given)
        runners.append(Runner(machine, n, ck.steps, record, 0))
    for c in range(n):
        for t in range(ck.steps):
            for i, runner in enumerate(runners):
                parts = [now(walk, runners, b, c, t) for b in ck.bundles(i)]
                runner.step(joined(ck.bundles(i), parts)[1], c, t)
        if progress:
            progress(c + 1, n)
    ledger = sum((runner.ledger() for runner in runners), Ledger())
    return [runner.trace() for runner in runners], ledger


def now(walk: Walk, runners, b, c: int, t: int) -> tuple[np.ndarray, np.ndarray]:
    """What a bundle reads in step t of clip c, pooled, as CSR of one row."""
    t, steps = t - b.delay, walk.ck.steps
    if t < 0:
        seen = np.zeros(0, np.int32)
    elif b.source == CLIPS:
        (indptr, channel), here = walk.given, c * steps + t
        seen = channel[indptr[here] : indptr[here + 1]]
    else:
        seen = np.flatnonzero(runners[b.source].S[c, t]).astype(np.int32)
    return integer.pooled(b, np.array([0, len(seen)], np.int64), seen)
