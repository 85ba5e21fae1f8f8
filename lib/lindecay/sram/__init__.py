"""The SRAM array: trained networks bit by bit, cycle by cycle, with a ledger.

`emulate` runs an integer checkpoint, or anybody's snnTorch network, on emulated macros
(layout A: bit-serial, a neuron is a column). Its states equal the integer network's;
its ledger counts every event. The rooms follow the hardware, each imports from those
above it:

    ledger     events counted, by layer and program
    isa        what a cycle can say, and the programs made of it
    place      where a layer lies: rows, row tiles, column tiles, widths
    serial     layout A: bit tier, bit-sliced tier, structural tier
    stepwise   layouts B (words) and C (adder tree), a step at a time
    layouts    A, B and C behind one face
    traffic, mutants, show     queues; wrong arrays on purpose; the array to look at
    given, quantise, emulate   anybody's events and network, and the run of it
"""

from lindecay.sram import layouts, ledger, mutants
from lindecay.sram.emulate import Emulated, emulate, widths
from lindecay.sram.given import as_clips
from lindecay.sram.isa import cycles as closed_forms
from lindecay.sram.isa import encoding
from lindecay.sram.isa import programs as microcode
from lindecay.sram.isa.language import Cycle, PortFault, Program
from lindecay.sram.ledger import Counts, Ledger
from lindecay.sram.place import linear as mapping
from lindecay.sram.place.conv import TiledPlan, plan
from lindecay.sram.place.plans import LayerPlan, Mapping
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.quantise import best_scale, fold, quantised
from lindecay.sram.serial import bitwise, macro, sliced, structural
from lindecay.sram.serial.array import Array, Seen
from lindecay.sram.serial.machine import LayerMachine
from lindecay.sram.serial.macro import Run, build
from lindecay.sram.serial.structural import Tally, tally
from lindecay.sram.serial.tiles import TiledMachine
from lindecay.sram.show import growth, stepper
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
    "bitwise",
    "build",
    "closed_forms",
    "as_clips",
    "best_scale",
    "emulate",
    "widths",
    "encoding",
    "fold",
    "layouts",
    "ledger",
    "macro",
    "mapping",
    "microcode",
    "mutants",
    "plan",
    "quantised",
    "sliced",
    "stepper",
    "structural",
    "tally",
    "traffic",
    "growth",
]
