"""The waveform of the home macro against the trace of the single-bit array.

    cycle by cycle: bitlines, adder inputs, carry, sum and latches, column by column

Icarus writes a VCD; `samples` reads it at every rising edge of the clock, just before
the latches move. The emulator's frames are those of the stepper.
"""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.rtl import check, project
from lindecay.rtl.emulator import BitMachine, LayerMachine, MacroSpec, build, stepper

SIGNALS = {"A": "a", "B": "b", "Y": "Y", "c": "carry", "s": "sum", "T": "T", "G": "G"}
LATCHES = ("T", "G")  # the stepper shows them at the end of the cycle


def samples(vcd: str, names: tuple[str, ...]) -> list[dict[str, str]]:
    """Values (binary text) of nets just before every rising edge of `clk`.

    A name may stand in several scopes: the first one in the file is meant.
    """
    head, _, body = vcd.partition("$enddefinitions $end")
    codes = {}
    for width, code, name in re.findall(r"\$var \w+\s+(\d+) (\S+) (\w+)", head):
        if name in (*names, "clk") and name not in codes.values():
            codes[code], size = name, int(width)
            codes[code + " width"] = size
    held = {name: "x" for name in (*names, "clk")}
    out, pending = [], {}
    for line in body.splitlines():
        if line.startswith("#"):
            if pending.get("clk") == "1" and held["clk"] == "0":
                out.append({name: held[name] for name in names})
            held, pending = held | pending, {}
            continue
        value, code = line.split() if line[:1] == "b" else (line[:1], line[1:])
        if code in codes:
            full = value.lstrip("b").rjust(codes[code + " width"], "0")
            pending[codes[code]] = full
    return out


def columns(text: str) -> str:
    """A vector of the VCD as the stepper writes it: column 0 first."""
    return text[::-1]


class Watched(BitMachine):
    """The single-bit machine of a layer, keeping the stepper's frames of home."""

    def __init__(self, machine: LayerMachine):
        super().__init__(machine)
        self.frames: list[dict] = []
        self.cycles: list[tuple] = []  # line of microcode, its bit of lambda, the bus

    def spaces(self) -> dict[str, int]:
        """Rows of each space of the home tile that a program may name."""
        b = self.plan.bases
        names = ["L", "H", "M", "K", "bias", "W"]
        own = {name: b[end] - b[name] for name, end in zip(names, names[1:])}
        own["I"] = own.pop("bias")
        return {"V": self.plan.A, "W": self.plan.bits} | own

    def go(self, name, program, tile=0, base=0):
        if tile:
            return super().go(name, program, tile, base)
        self.home.bases["W"] = base
        for i, cycle in enumerate(program.cycles):
            bit = self.home.registers.get(cycle.y, 0) >> cycle.bit & 1
            bus = self.home.bus[i].copy() if cycle.y == "bus" else None
            self.cycles.append((cycle, bit, bus))
        told = stepper.record(self.home, [program], self.spaces())
        self.frames += told["frames"]


def few(ck: Checkpoint, neurons: list[int]) -> Checkpoint:
    """The first layer with these neurons alone."""
    layer = ck.layers[0]
    own = {
        name: getattr(layer, name)[neurons]
        for name in ("theta", "lam", "bias", "beta")
        if np.ndim(getattr(layer, name)) and getattr(layer, name) is not None
    }
    return Checkpoint(ck.meta, (replace(layer, w=layer.w[neurons], **own),))


def watched(ck: Checkpoint, clips: Clips) -> Watched:
    """The first layer in single bits over one clip; frames and lines of home kept."""
    _, machines = build(ck, MacroSpec())
    bits = Watched(machines[0])
    bits.clear()
    spans = zip(clips.indptr[: ck.steps], clips.indptr[1:])
    for t, (first, last) in enumerate(spans):
        bits.step(clips.channel[first:last], t)
    return bits


def frames(ck: Checkpoint, clips: Clips) -> list[dict]:
    """The stepper's frames of the first layer's home macro over one clip."""
    return watched(ck, clips).frames


def waveform(ck: Checkpoint, clips: Clips, keep: Path | None = None) -> list[dict]:
    """Signals of the home macro's columns in every cycle in which it runs."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(keep or Path(folder) / "rtl")
        check.simulate(project.network(ck, clips), "+vcd", keep=here)
        rows = samples((here / "wave.vcd").read_text(), (*SIGNALS.values(), "run"))
    rows = [row | {"at": i} for i, row in enumerate(rows)]
    after = {row["at"]: row for row in rows}
    kept = [row for row in rows if row["run"] == "1"]
    for row in kept:  # a latch shows what the cycle left in it
        later = after.get(row["at"] + 1, row)
        row |= {f"{name} after": later[name] for name in LATCHES}
    return kept


def compare(ck: Checkpoint, clips: Clips, neurons: list[int]) -> dict:
    """Cycles and values compared between waveform and trace, and how many differ."""
    ck = few(ck, neurons)
    seen, told = waveform(ck, clips), frames(ck, clips)
    wrong = abs(len(seen) - len(told))
    values = 0
    for wave, frame in zip(seen, told):
        for key, name in SIGNALS.items():
            if frame[key] == "":
                continue
            mine = columns(wave[f"{name} after" if key in LATCHES else name])
            values, wrong = values + 1, wrong + (mine != frame[key])
    return {"cycles": len(seen), "values": values, "differences": wrong}


def lanes(
    seen: list[dict], program: str, column: int, nth: int = 0
) -> dict[str, list[int]]:
    """One column's bits in the nth run of a program, signal by signal."""
    runs = [i for i, f in enumerate(seen) if f["p"] == program and f["i"] == 0]
    first = runs[nth]
    chosen = seen[first : first + seen[first]["n"]]
    out = {key: [int((f[key] or "0" * 99)[column]) for f in chosen] for key in SIGNALS}
    return out | {"say": [f["say"] for f in chosen]}
