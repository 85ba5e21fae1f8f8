"""The SRAM array: trained networks bit by bit, cycle by cycle, with a ledger.

`emulate` runs an integer checkpoint, or anybody's snnTorch network, on emulated macros
(layout A: bit-serial, a neuron is a column). Its states equal the integer network's;
its ledger counts every event.
"""

from lindecay.sram import bitwise, closed_forms, microcode, mutants, stepper, watch
from lindecay.sram.array import Array, Seen
from lindecay.sram.bench import bench
from lindecay.sram.door import Emulated, emulate
from lindecay.sram.foreign import fold, quantised
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.machine import LayerMachine
from lindecay.sram.macro import Run, build
from lindecay.sram.mapping import LayerPlan, MacroSpec, Mapping
from lindecay.sram.microcode import Cycle, PortFault, Program
from lindecay.sram.structural import Tally, tally
from lindecay.sram.tiles import TiledMachine, TiledPlan, plan
from lindecay.sram.traffic import traffic

__all__ = [
    "Array",
    "Counts",
    "Cycle",
    "Emulated",
    "LayerMachine",
    "LayerPlan",
    "Ledger",
    "MacroSpec",
    "Mapping",
    "PortFault",
    "Program",
    "Run",
    "Seen",
    "Tally",
    "TiledMachine",
    "TiledPlan",
    "bench",
    "bitwise",
    "build",
    "closed_forms",
    "emulate",
    "fold",
    "microcode",
    "mutants",
    "plan",
    "quantised",
    "stepper",
    "tally",
    "traffic",
    "watch",
]
