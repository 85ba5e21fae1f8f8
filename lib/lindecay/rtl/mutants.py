"""Mutants of the Verilog: one wrong line each, as a slip of the pen would make it.

A testbench that lets one pass proves nothing. (Those of the microcode and the bits are
the emulator's own, `lindecay.sram.mutants`.)
"""

from dataclasses import replace

import numpy as np

from lindecay.events import Clips
from lindecay.quantization import Checkpoint, Layer
from lindecay.rtl import check, project
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


SIZES, STEPS = (300, 24, 6), 4


def subject(law="shrink", reset="subtract", sizes=SIZES, seed=0, **rows) -> Checkpoint:
    """A random network whose membranes are cleared, clamped and fire: all logic works.

    Args:
        rows: other fields of its layers (theta, lam, bias, beta).
    """
    random, layers = np.random.default_rng(seed), []
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        drawn = np.round(random.normal(0.4, 2.0, (m, n)))
        w = np.clip(drawn, -4, 3).astype(np.int8)
        more = {"theta": np.int32(25), "lam": np.int32(5)} | rows
        layers.append(Layer(f"fc{i + 1}", w, bits=3, **more))
    meta = {"B": 6, "f": 1, "law": law, "reset": reset, "T": STEPS, "readout": "count"}
    return Checkpoint(meta, tuple(layers))


def spikes(n: int = 2, seed: int = 1, channels: int = SIZES[0]) -> Clips:
    """Random clips for it, one input in twenty a step."""
    random = np.random.default_rng(seed)
    bins = [np.flatnonzero(random.random(channels) < 0.05) for _ in range(n * STEPS)]
    indptr = np.cumsum([0, *map(len, bins)]).astype(np.int64)
    channel = np.concatenate(bins).astype(np.int32)
    told = dict(steps=STEPS, channels=channels, dt_us=1, name="random", split="test")
    told |= {"source": "stand-in", "sha256": ""}
    return Clips(indptr, channel, np.zeros(n, np.int64), **told)


def caught() -> list[dict]:
    """Every mutant on that network: its name, and states and counters that differ."""
    clips, rows = spikes(), []
    right = project.network(subject(), clips)
    for name in MUTANTS:
        found = check.report([check.simulate(mutant(right, name))], len(clips))
        rows.append({"mutant": name, "differences": found["differences"]})
    return rows
