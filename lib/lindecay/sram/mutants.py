"""Mutants: wrong arrays on purpose, so that a proof of equality shows its teeth.

Each changes one thing of one layer (its microcode, its schedule, its bits or a register
of its sequencer) the way a plausible mistake would. A proof that cannot tell a mutant
from the array proves nothing.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lindecay.sram.isa import programs as microcode
from lindecay.sram.isa.programs import Program
from lindecay.sram.serial.machine import LayerMachine


def fires_at_threshold(m: LayerMachine) -> None:
    """U >= θ for U > θ: the comparison starts with carry 1."""
    first, *rest = m.programs["fire"].cycles
    m.programs["fire"] = Program("fire", (replace(first, carry="1"), *rest))


def lam_one_more(m: LayerMachine) -> None:
    """λ + 1 on the broadcast lines."""
    m.registers[0] += 1


def lam_one_less(m: LayerMachine) -> None:
    """λ - 1 on the broadcast lines."""
    m.registers[0] -= 1


def theta_one_more(m: LayerMachine) -> None:
    """θ + 1 on the broadcast lines."""
    m.registers[1] += 1


def integrates_first(m: LayerMachine) -> None:
    """Integrate, then decay."""
    m.schedule.remove("decay")
    m.schedule.insert(m.schedule.index("clamp"), "decay")


def weight_bit_flipped(m: LayerMachine) -> None:
    """One cell: the low weight bit of the busiest input at the middle neuron."""
    p, i = m.plan, int(np.bincount(m.events, minlength=1).argmax())
    j = p.outputs // 2
    m.cells[p.tile_of[i], p.weight_row[i], j >> 6] ^= np.uint64(1 << (j & 63))


def floor_for_shrink(m: LayerMachine) -> None:
    """Negative membranes are cleared too."""
    m.programs["decay"] = microcode.floor(m.plan.B, m.plan.B)


def late_reset(m: LayerMachine) -> None:
    """The reset waits for the next step (G still holds the spikes)."""
    m.schedule.remove("reset")
    m.schedule.insert(0, "reset")


def clamps_every_event(m: LayerMachine) -> None:
    """Saturation after each event of the home tile: depends on their order."""
    p = m.plan
    clamp = microcode.clamp(p.B, p.A, m.spec.ports)
    whole = m.programs["accumulate"][0] + clamp + microcode.extend(p.B, p.A)
    m.programs["accumulate"][0] = Program("accumulate", whole.cycles)


def guard_rows_stale(m: LayerMachine) -> None:
    """No sign extension after the decay."""
    m.schedule.remove("extend")


def row_tile_dropped(m: LayerMachine) -> None:
    """One partial sum never arrives."""
    m.merges = [x for x in m.merges if x.src != 1]


def resets_to_zero(m: LayerMachine) -> None:
    """Clear for subtract."""
    m.programs["reset"] = microcode.reset("zero", m.plan.B)


MUTANTS: dict[str, Callable[[LayerMachine], None]] = {
    "≥ for >": fires_at_threshold,
    "λ + 1": lam_one_more,
    "λ − 1": lam_one_less,
    "θ + 1": theta_one_more,
    "integrates before decay": integrates_first,
    "one weight bit flipped": weight_bit_flipped,
    "floor for shrink": floor_for_shrink,
    "late reset": late_reset,
    "clamp at every event": clamps_every_event,
    "guard rows not extended": guard_rows_stale,
    "a row tile dropped": row_tile_dropped,
    "reset to zero": resets_to_zero,
}


def alter(name: str, layer: int) -> Callable[[int, LayerMachine], None]:
    """The argument of `emulate` that makes one mutant of one layer."""

    def change(index: int, machine: LayerMachine) -> None:
        if index == layer:
            MUTANTS[name](machine)

    return change


def differences(trace, other) -> list[int]:
    """U, V and S that differ in each layer of two traces."""
    return [
        sum(int(np.sum(getattr(a, k) != getattr(b, k))) for k in "UVS")
        for a, b in zip(trace.layers, other.layers)
    ]
