"""Simulator against emulator: cycles, layer by layer and part by part.

    compared = clips x (layers x (update, accumulate, merge) + clearing + the clock)

The emulator counts cycles of programs; the simulator plays the same spikes as packets.
They share the lengths of programs and nothing else.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lindecay import integer, sram, training
from lindecay.checkpoints import Checkpoint, Layer, Synapse
from lindecay.events import Clips
from lindecay.questions import fabric
from lindecay.questions.simulator import Fabric, Traffic, simulate
from lindecay.sram import Ledger, MacroSpec
from lindecay.sram.ledger import UPDATE

Alter = Callable[[Fabric, Traffic], tuple[Fabric, Traffic]]


def emulated(ledger: Ledger, layers: list[str]) -> np.ndarray:
    """Cycles of the emulator, int64 [layers, (update, accumulate, merge)]."""
    groups = ((*UPDATE, "bias"), ("accumulate",), ("merge",))
    rows = [[sum(ledger[n, p].cycles for p in g) for g in groups] for n in layers]
    return np.array(rows, np.int64)


def compare(
    ck: Checkpoint,
    clips: Clips,
    spec: MacroSpec | None = None,
    alter: Alter | None = None,
) -> dict:
    """Every clip through both; what was compared and what differs.

    alter: a planted fault in what the simulator is given.
    """
    names, wrong, compared, cycles = [x.name for x in ck.layers], 0, 0, 0
    for c in range(len(clips)):
        one = clips.subset([c])
        run = sram.emulate(ck, one, spec, record=False)
        made = fabric.of_run(ck, one, run)
        told = simulate(*(alter(*made) if alter else made))
        wanted = emulated(run.ledger, names)
        unequal = told.parts[:, 1:] != wanted
        clock = run.ledger.total().cycles
        wrong += int(unequal.sum()) + (told.cycles != clock)
        wrong += told.clear != run.ledger.by_program()["clear"].cycles
        compared += unequal.size + 2
        cycles += clock
    macros = run.mapping.macros
    return {"clips": len(clips), "macros": macros, "cycles": cycles} | {
        "compared": compared,
        "differences": int(wrong),
    }


def states(ck: Checkpoint, clips: Clips, forward: list | None = None) -> dict:
    """Membranes and spikes of array and integer network, and of `forward` if given.

    forward: (U, S) of every layer from the training code.
    """
    run, whole = sram.emulate(ck, clips), integer.run(ck, clips)
    told = {"macros": run.mapping.macros, "states": 0, "differences": 0}
    for k, (a, b) in enumerate(zip(run.trace.layers, whole.layers)):
        others = [(a.U, a.S), *([forward[k]] if forward else [])]
        for U, S in others:
            told["states"] += U.size + S.size
            told["differences"] += int((b.U != U).sum() + (b.S != S).sum())
    return told | {"spikes": sum(layer.spikes for layer in whole.layers)}


def proved(plan: training.Plan, clips: Clips) -> dict:
    """A trained network's training code, integers and array on the same clips."""
    ck = Checkpoint.load(training.train(plan, quiet=True) / "checkpoint.npz")
    forward = training.training_forward(training.load(plan), clips)
    return {"law": ck.law} | states(ck, clips, forward)


# ---- planted faults: each must be seen


def _shorter(name: str) -> Alter:
    """A cycle less in one table of every layer."""
    return lambda f, t: (replace(f, **{name: getattr(f, name) - 1}), t)


def _late(f: Fabric, t: Traffic) -> tuple[Fabric, Traffic]:
    """Every spike of step 0 is taken for one of step 1."""
    step = np.where((t.step == 0) & (t.tile >= 0), 1, t.step)
    return f, replace(t, step=step.astype(np.int32))


FAULTS: dict[str, Alter] = {
    "a spike takes a cycle less": _shorter("length"),
    "decay takes a cycle less": _shorter("pre"),
    "clamp and fire take a cycle less": _shorter("mid"),
    "reset takes a cycle less": _shorter("after"),
    "merging takes a cycle less": _shorter("merge"),
    "clearing takes a cycle less": _shorter("clear"),
    "spikes of step 0 come in step 1": _late,
}


# ---- small networks for the comparison


def few_clips(inputs: int, clips: int, steps: int, active: float, seed: int = 0):
    """Random events: Clips of so many inputs."""
    rng = np.random.default_rng((seed, inputs))
    x = (rng.random((steps, clips, inputs)) < active).astype(np.uint8)
    return sram.as_clips(x, None, inputs)[0]


def _linear(rng, name: str, n: int, k: int, theta: int = 60, **more) -> Layer:
    w = rng.integers(-3, 4, (n, k)).astype(np.int8)
    return Layer(name, w, np.int32(theta), np.int32(3), 3, **more)


def _network(layers: tuple, steps: int, law: str = "shrink") -> Checkpoint:
    meta = {"B": 10, "f": 2, "law": law, "reset": "subtract", "T": steps}
    return Checkpoint(meta, layers)


def recurrent(n: int, inputs: int = 200, steps: int = 8, seed: int = 0) -> Checkpoint:
    """Two recurrent layers of n neurons and a readout, random weights of 3 bits."""
    rng = np.random.default_rng(seed)
    layers = []
    for i, k in enumerate((inputs, n)):
        back = rng.integers(-3, 4, (n, n)).astype(np.int8)
        more = (Synapse(back, i, delay=1),)
        layers.append(_linear(rng, f"hidden{i + 1}", n, k, more=more))
    return _network((*layers, _linear(rng, "readout", 20, n)), steps)


def convolutions(depth: int = 2, steps: int = 6, seed: int = 0) -> Checkpoint:
    """So many convolutions on 2 x 16 x 16 inputs, then a pooled readout."""
    rng = np.random.default_rng(seed)
    plane, layers = (2, 16, 16), []
    for i in range(depth):
        w = rng.integers(-3, 4, (8, plane[0], 3, 3)).astype(np.int8)
        row = Layer(f"conv{i + 1}", w, np.int32(12), np.int32(2), 3, plane=plane)
        layers.append(row)
        plane = row.map
    w = rng.integers(-3, 4, (11, plane[0] * (plane[1] // 2) * (plane[2] // 2)))
    last = {"plane": plane, "pool": 2}
    row = Layer("fc", w.astype(np.int8), np.int32(12), np.int32(2), 3, **last)
    return _network((*layers, row), steps)


def cases() -> dict[str, tuple[Checkpoint, Clips, MacroSpec]]:
    """Small networks of every kind, their clips and macros."""
    plain, tree = MacroSpec(), MacroSpec(layout="C")
    low = MacroSpec(rows=128, cols=64)
    loop, conv, deep = recurrent(96), convolutions(2), convolutions(5)
    words, sees = few_clips(200, 2, 8, 0.1), few_clips(512, 2, 6, 0.05)
    return {
        "recurrent, 256 x 256": (loop, words, plain),
        "recurrent, 128 x 64": (loop, words, low),
        "recurrent, one read port": (loop, words, MacroSpec(ports=1)),
        "recurrent, merged in turn": (loop, words, MacroSpec(rows=96, merge="star")),
        "recurrent, adder tree": (loop, words, tree),
        "2 convolutions": (conv, sees, plain),
        "5 convolutions": (deep, sees, plain),
    }
