"""The fast tier: states from the integer network, structural counts from programs.

    cycles of a phase = max over row tiles of (its events x its program's cycles)

No bit is touched, so what depends on bits (discharges, flips, selected columns) stays
0; every other counter equals the bit tiers'. Layout A, linear layers; whole test sets
in seconds, in chunks of clips, so that memory does not grow with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit

from lindecay import integer
from lindecay.checkpoints import Checkpoint
from lindecay.events import Clips
from lindecay.settings import Fault
from lindecay.sram.isa.programs import Program
from lindecay.sram.ledger import FIELDS, Counts, Ledger
from lindecay.sram.place.plans import Mapping
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.wiring import joined
from lindecay.sram.serial.machine import MANY, LayerMachine
from lindecay.sram.serial.macro import build, most_events

BITS = ("columns_selected", "discharges", "flips")  # what only the bit tiers know
SHARED = tuple(name for name in FIELDS if name not in BITS)
CHUNK = 500  # clips at once


@dataclass
class Tally:
    """Output spikes [clips, classes], structural ledger, mapping."""

    counts: np.ndarray
    ledger: Ledger
    mapping: Mapping

    @property
    def predictions(self) -> np.ndarray:
        """The class with most spikes, the first of equals."""
        return self.counts.argmax(1)


def tally(ck: Checkpoint, clips: Clips, spec: MacroSpec | None = None) -> Tally:
    """Run a network of linear layers on layout A for its structural ledger.

    Raises:
        Fault: for a convolution or another layout.
    """
    spec = spec or MacroSpec()
    mapping, machines = build(ck, spec, most_events(clips))
    if spec.layout != "A" or not all(isinstance(m, LayerMachine) for m in machines):
        what = "no structural tier for this network"
        raise Fault(what, expected="layout A, linear layers", found=str(spec.layout))
    for machine in machines:
        machine.check()
    ledger, counts = Ledger(), []
    for part in chunks(clips):
        trace = integer.run(ck, part, record=False)
        walk = integer.Walk(ck, part)
        for state in trace.layers:
            walk.add(state.S)
        for i, (machine, state) in enumerate(zip(machines, trace.layers)):
            events = joined(ck.bundles(i), [seen[1:] for seen in walk.into(i)])
            ledger += _bill(machine, state, *events, len(part))
        counts.append(trace.counts)
    return Tally(np.concatenate(counts), ledger, mapping)


def chunks(clips: Clips, size: int | None = None) -> Iterator[Clips]:
    """The clips in parts of at most `size`, CHUNK by default."""
    size = size or CHUNK
    for first in range(0, len(clips), size):
        yield clips.subset(np.arange(first, min(first + size, len(clips))))


def _counts(program: Program, jobs: int, m: LayerMachine, latency: int) -> Counts:
    """A program run `jobs` times, on every column tile."""
    runs, cols = jobs * m.plan.column_tiles, m.plan.cols
    reads = runs * sum(len(c.a) + len(c.b) for c in program.cycles)
    writes = runs * sum(len(c.w) for c in program.cycles)
    return Counts(
        cycles=latency,
        macro_cycles=runs * len(program),
        read_rows=reads,
        write_rows=writes,
        columns_read=reads * cols,
        sense_ops=reads * cols,
        adder_ops=runs * cols * sum(c.adds for c in program.cycles),
        columns_written=writes * cols,
    )


def _bill(m: LayerMachine, trace, indptr, channel, clips: int) -> Ledger:
    """The structural ledger of one layer over some clips."""
    p, steps = m.plan, len(indptr) - 1
    found = {"clear": _repeated(m, "clear", clips)}
    found |= {
        name: _repeated(m, name, steps) for name in m.schedule if name not in MANY
    }
    length = np.array([len(x) for x in m.programs["accumulate"]], np.int64)
    jobs = np.zeros(p.row_tiles, np.int64)
    slowest, zeros = _queues(indptr, channel, p.tile_of, length, m.zero_weights(), jobs)
    tiles = zip(m.programs["accumulate"], jobs.tolist())
    book = sum((_counts(x, n, m, 0) for x, n in tiles), Counts(cycles=int(slowest)))
    told = {"queue_entries": len(channel), "zero_sops": int(zeros)}
    told["sops"] = int(m.fan_out()[channel].sum())
    found["accumulate"] = book + Counts(**told)
    if p.merges:
        found["merge"] = _merging(m, steps)
    found["fire"] += Counts(fired=trace.spikes)
    found["clamp"] += Counts(clamped=trace.clamps)
    if trace.clears:
        found["decay"] += Counts(cleared=trace.clears)
    return Ledger({(p.name, name): c for name, c in found.items() if c != Counts()})


def _repeated(m: LayerMachine, name: str, times: int) -> Counts:
    program = m.programs[name]
    return _counts(program, times, m, times * len(program))


def _merging(m: LayerMachine, steps: int) -> Counts:
    """Rounds follow one another; in a round each tile does its own programs."""
    out, rounds = Counts(), {}
    for one, drain, add in zip(m.plan.merges, m.programs["drain"], m.programs["merge"]):
        out += _counts(drain, steps, m, 0) + _counts(add, steps, m, 0)
        out += Counts(transport_bits=steps * one.sent * m.plan.outputs)
        busy = rounds.setdefault(one.round, {})
        for tile, program in ((one.src, drain), (one.dst, add)):
            busy[tile] = busy.get(tile, 0) + len(program)
    return out + Counts(cycles=steps * sum(max(b.values()) for b in rounds.values()))


@njit(cache=True)
def _queues(indptr, channel, tile_of, length, zeros, jobs):
    """(cycles of the slowest tile, SOPs over a weight of 0); fills jobs [tiles]."""
    slowest, nothing = 0, 0
    here = np.zeros(len(jobs), np.int64)
    for row in range(len(indptr) - 1):
        here[:] = 0
        for e in range(indptr[row], indptr[row + 1]):
            here[tile_of[channel[e]]] += 1
            nothing += zeros[channel[e]]
        most = 0
        for tile in range(len(jobs)):
            jobs[tile] += here[tile]
            most = max(most, here[tile] * length[tile])
        slowest += most
    return slowest, nothing
