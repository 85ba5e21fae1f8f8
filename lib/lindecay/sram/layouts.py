"""Layouts A, B and C behind one door: the same membranes, their own ledgers.

    A  bit-serial, a neuron is a column: `macro`, every bit by microcode
    B  words: a neuron is A adjacent columns: `words`
    C  adder tree below the weights, membranes near memory or in place: `tree`

B and C run clip by clip in numpy, for proofs on samples; A alone is fast.
"""

import numpy as np

from lindecay.checkpoints import Checkpoint
from lindecay.events import Clips
from lindecay.integer import LayerTrace, Trace, as_events, fits, pooled
from lindecay.settings import Fault
from lindecay.sram.ledger import Ledger
from lindecay.sram.place.plans import Mapping
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial import macro
from lindecay.sram.serial.macro import Run
from lindecay.sram.stepwise.adder_tree import TREE_CYCLES, InPlaceMachine, TreeMachine
from lindecay.sram.stepwise.words import LayerMachine, WordMachine

__all__ = ["MACHINES", "TREE_CYCLES", "emulate"]

MACHINES = {
    ("B", "in-place"): WordMachine,
    ("C", "in-place"): InPlaceMachine,
    ("C", "row"): TreeMachine,
    ("C", "word"): TreeMachine,
}


def emulate(
    ck: Checkpoint, clips: Clips, spec: MacroSpec | None = None, record=True, **more
) -> Run:
    """Run an integer checkpoint on emulated macros of any layout.

    Args:
        ck: integer checkpoint; convolutions in layout A alone.
        clips: events, binary per bin and channel.
        spec: macro, layout and update; 256 x 256 of layout A by default.
        record: keep U and V of every neuron and step.
        more: `progress` and `alter` of layout A (see `macro.emulate`).

    Returns:
        Run: trace (equal to `integer.run`'s), ledger, mapping.

    Raises:
        Fault: clips and network do not fit, or a value lies off the grid.
        PortFault: a program breaks a rule of the array.
    """
    spec = spec or MacroSpec()
    _known_inputs(clips)
    if spec.layout == "A":
        return macro.emulate(ck, clips, spec, record, **more)
    fits(ck, clips)
    _linear(ck, spec)
    _chain(ck, clips, spec)
    machine = MACHINES[spec.layout, spec.update]
    machines = [machine(ck.of(x), x, spec) for x in ck.layers]
    indptr, channel, states, ledger = clips.indptr, clips.channel, [], Ledger()
    for machine in machines:
        indptr, channel = pooled(machine.layer, indptr, channel)
        state = _run(machine, indptr, channel, len(clips), ck.steps, record)
        states, ledger = [*states, state], ledger + machine.ledger
        indptr, channel = as_events(state.S)
    trace = Trace(states, ck.readout)
    return Run(trace, ledger, Mapping(spec, tuple(m.plan for m in machines)))


def _linear(ck: Checkpoint, spec: MacroSpec) -> None:
    """Fault where a convolution would need words or an adder tree."""
    for layer in ck.layers:
        if layer.kind != "linear":
            raise Fault(
                f"{layer.name}: a {layer.kind} layer has no mapping here",
                expected="layout A",
                found=f"layout {spec.layout}",
            )


def _chain(ck: Checkpoint, clips: Clips, spec: MacroSpec) -> None:
    """Fault for what layout A alone takes: other ways, counts, other roundings."""
    known = {"exponential": "nearest", "shift": "floor"}
    odd = {
        "layers that read more than the layer before": not ck.chain,
        "an input that comes several times in a step": clips.count is not None,
        "a decay that rounds otherwise": any(
            ck.of(x).rounding != known.get(ck.of(x).law, ck.of(x).rounding)
            for x in ck.layers
        ),
    }
    for what, there in odd.items():
        if there:
            raise Fault(what, expected="layout A", found=f"layout {spec.layout}")


def _known_inputs(clips: Clips) -> None:
    """Fault where an event names an input that is not there."""
    low, high = clips.channel.min(initial=0), clips.channel.max(initial=0)
    if low < 0 or high >= clips.channels:
        raise Fault(
            "an event at an unknown input",
            expected=f"channels 0 to {clips.channels - 1}",
            found=f"{low if low < 0 else high}",
            where=f"{clips.name}/{clips.split}",
        )


def _run(machine: LayerMachine, indptr, channel, clips, steps, record) -> LayerTrace:
    shape = (clips, steps, machine.plan.outputs)
    U, V = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    S, clears, clamps = np.zeros(shape, np.uint8), 0, 0
    for c in range(clips):
        machine.clear()
        for t in range(steps):
            here = c * steps + t
            done = machine.step(channel[indptr[here] : indptr[here + 1]])
            U[c, t], V[c, t], S[c, t] = done.U, done.V, done.S
            clears, clamps = clears + done.clears, clamps + done.clamps
    kept = (U, V) if record else (None, None)
    sops = len(channel) * machine.plan.outputs
    last = V[:, -1].copy()
    return LayerTrace(machine.layer.name, *kept, S, clears, clamps, sops, last)
