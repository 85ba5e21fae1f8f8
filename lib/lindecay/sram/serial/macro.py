"""Layout A: whole clips on bit-serial macros, phase by phase.

    cycles of a phase = those of its slowest row tile, round after round

Phases follow one another without overlap; row tiles accumulate side by side. All
membranes, weights and partial sums are bits of `cells`; integers appear only when a
trace is read out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lindecay.events import Clips
from lindecay.integer import LayerTrace, Trace, as_events, fits, pooled
from lindecay.quantization import Checkpoint
from lindecay.sram.isa.encoding import port_fault
from lindecay.sram.ledger import FIELDS, PROGRAMS, Ledger
from lindecay.sram.place.conv import plan
from lindecay.sram.place.plans import Mapping
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial import sliced
from lindecay.sram.serial.machine import ID, ONE, LayerMachine
from lindecay.sram.serial.planes import aligned
from lindecay.sram.serial.tiles import TiledMachine

_F = {name: i for i, name in enumerate(FIELDS)}


@dataclass
class Run:
    """What the array did: states, events, and where everything lay."""

    trace: Trace
    ledger: Ledger
    mapping: Mapping


def run_layer(
    machine: LayerMachine,
    indptr: np.ndarray,
    channel: np.ndarray,
    clips: int,
    steps: int,
    record: bool,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LayerTrace, Ledger]:
    """One layer over all clips; events as CSR over (clip, step)."""
    p, words = machine.plan, machine.words
    machine.check()
    rows, masks, starts, names = machine.table()
    shape = (clips, steps, p.outputs)
    U, V = (np.zeros(shape if record else (0, 0, 0), np.int32) for _ in range(2))
    S = np.zeros(shape, np.uint8)
    counts = np.zeros((len(PROGRAMS), len(FIELDS)), np.int64)
    err = np.zeros(3, np.int64)
    bases = np.array([machine.bases(t) for t in range(p.row_tiles)], np.int64)
    cells = aligned(machine.cells)
    latches = aligned(np.zeros(p.row_tiles * 3 * words, np.uint64))
    bus = aligned(np.zeros(sliced.LONGEST * words, np.uint64))
    schedule = np.array([PROGRAMS.index(name) for name in machine.schedule], np.int64)
    zeros, merges = machine.zero_weights(), machine.merge_table()
    busiest = int(np.diff(indptr).max(initial=0))
    work = np.zeros((max(busiest, 2 * len(merges), 1), 4), np.int64)
    chunk = max(1, clips if progress is None else -(-clips // 20))
    for first in range(0, clips, chunk):
        last = min(clips, first + chunk)
        broke = sliced.run(
            first, last, steps, indptr, channel, p.tile_of, p.weight_row, zeros, p.B,
            p.outputs, p.column_tiles, machine.spec.ports, schedule, ID, cells,
            latches, p.rows, words, rows, masks, starts, bases, p.bases["bias"],
            machine.registers, machine.used, bus, merges, len(ONE),
            machine.law != "floor_after", work, U, V, S, counts, err,
        )  # fmt: skip
        if broke >= 0:
            port_fault(err, names[broke], int(starts[broke]), p.rows)
        if progress:
            progress(last, clips)
    ledger = Ledger.from_array(p.name, _in_columns(counts, p.cols))
    kept = (U, V) if record else (None, None)
    found = ledger.by_layer()[p.name]
    state = LayerTrace(p.name, *kept, S, found.cleared, found.clamped, found.sops)
    return state, ledger


def _in_columns(counts: np.ndarray, cols: int) -> np.ndarray:
    """Fill in what follows from the rows: every row is C bitlines."""
    counts[:, _F["adder_ops"]] *= cols
    counts[:, _F["columns_read"]] = counts[:, _F["read_rows"]] * cols
    counts[:, _F["sense_ops"]] = counts[:, _F["columns_read"]]
    counts[:, _F["columns_written"]] = counts[:, _F["write_rows"]] * cols
    return counts


def build(ck: Checkpoint, spec: MacroSpec) -> tuple[Mapping, list[LayerMachine]]:
    """Lay a network out and load its bits."""
    mapping = plan(ck, spec)
    kinds = {"linear": LayerMachine, "conv": TiledMachine}
    pairs = zip(ck.layers, mapping.layers)
    return mapping, [kinds[layer.kind](ck, layer, p, spec) for layer, p in pairs]


def run_tiles(
    tiled: TiledMachine, indptr, channel, clips, steps, record, progress
) -> tuple[LayerTrace, Ledger]:
    """A convolution over all clips: its tiles, one after the other on this computer."""
    events = tiled.events(indptr, channel)
    parts = [
        run_layer(tile, *seen, clips, steps, record)
        for tile, seen in zip(tiled.tiles(), events)
    ]
    if progress:
        progress(clips, clips)
    return tiled.joined(parts, events)


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
        ck: integer checkpoint, linear layers and convolutions.
        clips: events, binary per bin and channel.
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
    fits(ck, clips)
    mapping, machines = build(ck, spec or MacroSpec())
    indptr, channel = clips.indptr, clips.channel
    states, ledger = [], Ledger()
    for i, machine in enumerate(machines):
        if i:
            indptr, channel = as_events(states[-1].S)
        indptr, channel = pooled(ck.layers[i], indptr, channel)
        tiled = isinstance(machine, TiledMachine)
        one = machine.machine if tiled else machine
        one.events = machine.spikes(indptr, channel) if tiled else channel
        if alter:
            alter(i, one)
        go = run_tiles if tiled else run_layer
        state, book = go(
            machine, indptr, channel, len(clips), ck.steps, record, progress
        )
        states, ledger = [*states, state], ledger + book
    return Run(Trace(states), ledger, mapping)
