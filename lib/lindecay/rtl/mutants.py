"""Mutants of the Verilog: one wrong line each, as a slip of the pen would make it.

A testbench that lets one pass proves nothing. (Those of the microcode and the bits are
the emulator's own, `lindecay.sram.mutants`.)
"""

from dataclasses import replace

from lindecay.rtl.project import Hardware
from lindecay.settings import Fault

MUTANTS: dict[str, tuple[str, str, str]] = {  # name: file, right, wrong
    "carry lost where X and Y agree": (
        "columns.v",
        "(X & Y) | (carry & (X ^ Y))",
        "carry & (X ^ Y)",
    ),
    "invert by T for invert by not T": (
        "columns.v",
        "`INVERT_XNT ? ~T",
        "`INVERT_XNT ? T",
    ),
    "first carry by T for not T": (
        "columns.v",
        "`CARRY_NT ? ~T",
        "`CARRY_NT ? T",
    ),
    "masked write writes every column": (
        "columns.v",
        "(G & value) | (~G & back)",
        "value",
    ),
    "half-selected columns lose their bit": (
        "columns.v",
        "(G & value) | (~G & back)",
        "G & value",
    ),
    "overflow of the last guard row only": (
        "columns.v",
        "`G_G_OR_SUM: G <= G | sum",
        "`G_G_OR_SUM: G <= sum",
    ),
    "sum inverted into the tag": (
        "columns.v",
        "`G_NSUM: G <= ~sum",
        "`G_NSUM: G <= sum",
    ),
    "tag without the old sign": (
        "columns.v",
        "`G_SUM_XT: G <= sum ^ T",
        "`G_SUM_XT: G <= sum",
    ),
    "sign latch keeps no sign": ("columns.v", "`T_Y: T <= feed;", "`T_Y: T <= T;"),
    "a spike's weight row is not fetched": (
        "sequencer.v",
        "        weight <= head;\n",
        "",
    ),
    "a queue's last spike is forgotten": (
        "queue.v",
        "there <= filled",
        "there <= filled - (filled != 0)",
    ),
    "banks of the queue never swap": ("queue.v", "bank <= ~bank", "bank <= bank"),
    "a phase ends with its first macro": (
        "controller.v",
        "active & (&ends)",
        "active & (|ends)",
    ),
    "no rest between clips": ("controller.v", "coming != 0", "1'b1"),
    "theta is broadcast as lambda": (
        "macro.v",
        "`Y_THETA ? theta : lam",
        "`Y_LAM ? theta : lam",
    ),
    "partial sums are sent as bits of port B": (
        "columns.v",
        "[`AT_EMIT] ? a",
        "[`AT_EMIT] ? b",
    ),
    "the write decoder is one row high": (
        "decoder.v",
        "base + offset",
        "base + offset + (offset != 0)",
    ),
    "the encoder drops every second spike": (
        "encoder.v",
        "left <= left & (left - 1'b1)",
        "left <= left & (left - 1'b1) & ((left & (left - 1'b1)) - 1'b1)",
    ),
}


def mutant(found: Hardware, name: str) -> Hardware:
    """The hardware with one mutation.

    Raises:
        Fault: for an unknown mutant, or when the line to change is gone.
    """
    if name not in MUTANTS:
        raise Fault("no such mutant", expected=", ".join(MUTANTS), found=name)
    file, right, wrong = MUTANTS[name]
    text = found.files[file]
    if text.count(right) != 1:
        told = f"{text.count(right)} times"
        raise Fault(f"mutant {name!r}", expected=f"{right!r} once", found=told)
    return replace(found, files=found.files | {file: text.replace(right, wrong)})
