"""The names of the emulator that the hardware is built from, in one place.

Everything else in this room takes them from here: programs and language (what a cycle
says), machines (what lies where), runs (what must come out).
"""

from lindecay import sram
from lindecay.sram import language
from lindecay.sram.ledger import FIELDS, PROGRAMS
from lindecay.sram.machine import LayerMachine
from lindecay.sram.macro import build
from lindecay.sram.planes import unpack
from lindecay.sram.tiles import TiledMachine

Cycle, Program, MacroSpec = sram.Cycle, sram.Program, sram.MacroSpec
Counts, Ledger, Run, Array = sram.Counts, sram.Ledger, sram.Run, sram.Array
emulate, microcode, stepper = sram.emulate, sram.microcode, sram.stepper

__all__ = [
    "FIELDS",
    "PROGRAMS",
    "Array",
    "Counts",
    "Cycle",
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
    "stepper",
    "unpack",
]
