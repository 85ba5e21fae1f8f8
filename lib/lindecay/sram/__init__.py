"""The SRAM array: trained networks bit by bit, cycle by cycle, with a ledger.

`emulate` runs an integer checkpoint on emulated macros (layout A: bit-serial, a neuron
is a column). Its states equal the integer network's; its ledger counts every event.
"""

from lindecay.sram import closed_forms, microcode, mutants, stepper, watch
from lindecay.sram.array import Array, Seen
from lindecay.sram.bench import bench
from lindecay.sram.layouts import emulate
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.machine import LayerMachine
from lindecay.sram.macro import Run, build
from lindecay.sram.mapping import LayerPlan, MacroSpec, Mapping
from lindecay.sram.microcode import Cycle, PortFault, Program
from lindecay.sram.tiles import TiledMachine, TiledPlan, plan

__all__ = [
    "Array",
    "Counts",
    "Cycle",
    "LayerMachine",
    "LayerPlan",
    "Ledger",
    "MacroSpec",
    "Mapping",
    "PortFault",
    "Program",
    "Run",
    "Seen",
    "TiledMachine",
    "TiledPlan",
    "bench",
    "build",
    "closed_forms",
    "emulate",
    "microcode",
    "mutants",
    "plan",
    "stepper",
    "watch",
]
