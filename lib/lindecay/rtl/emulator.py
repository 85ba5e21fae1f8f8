"""The names of the emulator that the hardware is built from, in one place.

Everything else in this room takes them from here: programs and language (what a cycle
says), machines (what lies where), runs (what must come out).
"""

from lindecay import sram
from lindecay.sram.isa import language
from lindecay.sram.ledger import FIELDS, PROGRAMS
from lindecay.sram.serial.bitwise import BitMachine
from lindecay.sram.serial.macro import run_layer
from lindecay.sram.serial.planes import unpack
from lindecay.sram.stepwise.adder_tree import InPlaceMachine

LayerMachine, TiledMachine = sram.LayerMachine, sram.TiledMachine
build = sram.build
Cycle, Program, MacroSpec = sram.Cycle, sram.Program, sram.MacroSpec
Counts, Ledger, Run, Array = sram.Counts, sram.Ledger, sram.Run, sram.Array
emulate, microcode, stepper = sram.emulate, sram.microcode, sram.stepper

__all__ = [
    "FIELDS",
    "PROGRAMS",
    "Array",
    "BitMachine",
    "Counts",
    "Cycle",
    "InPlaceMachine",
    "LayerMachine",
    "Ledger",
    "MacroSpec",
    "Program",
    "Run",
    "TiledMachine",
    "build",
    "emulate",
    "language",
    "microcode",
    "run_layer",
    "stepper",
    "unpack",
]
