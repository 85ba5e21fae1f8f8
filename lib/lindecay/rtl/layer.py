"""One layer as hardware: its Verilog, and the images of its memories.

    layer = controller + address + encoder + one macro for each row tile

Column tiles run in lockstep, so they are drawn as one macro of all columns; the bus
between macros is a link for each merge, chosen by the phase.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lindecay.rtl import words
from lindecay.rtl.emulator import PROGRAMS, LayerMachine, Program, unpack

ONE = [name for name in PROGRAMS if name not in ("accumulate", "merge")]


def bits(n: int) -> int:
    """Bits of an index below n, at least one."""
    return max(1, (n - 1).bit_length())


def hexed(rows) -> str:
    """A memory image: one word a line."""
    return "".join(f"{int(row):x}\n" for row in rows)


def packed(planes: np.ndarray) -> list[int]:
    """Rows of bits, bool [rows, columns], as integers; column 0 is the lowest bit."""
    bytes_ = np.packbits(planes.astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in bytes_]


@dataclass(frozen=True)
class Phase:
    """One phase of a step: what each macro does, and who sends to whom."""

    op: str
    jobs: dict[int, int]  # row tile -> program in the ROM
    queued: bool = False
    links: tuple[tuple[int, int], ...] = ()  # (dst, src)


@dataclass(frozen=True)
class LayerRtl:
    """A layer's machine as hardware; `depth` is the room of a queue's bank."""

    machine: LayerMachine
    index: int
    steps: int
    depth: int
    used: np.ndarray  # bool [columns]

    @cached_property
    def plan(self):
        return self.machine.plan

    @cached_property
    def programs(self) -> list[Program]:
        """The ROM's programs: those of the home tile, then of each tile, each merge."""
        m = self.machine.programs
        pairs = zip(m["drain"], m["merge"])
        return [
            *(m[name] for name in ONE),
            *m["accumulate"],
            *(program for pair in pairs for program in pair),
        ]

    @cached_property
    def phases(self) -> list[Phase]:
        """Phase 0 clears; the others follow the schedule, merges round by round."""
        m, out = self.machine, []
        tiles = range(self.plan.row_tiles)
        for name in ("clear", *m.schedule):
            if name == "accumulate":
                jobs = {t: len(ONE) + t for t in tiles}
                out.append(Phase(name, jobs, queued=True))
            elif name == "merge":
                out += self._rounds(len(ONE) + len(tiles))
            elif len(m.programs[name]):
                out.append(Phase(name, {0: ONE.index(name)}))
        return out

    def _rounds(self, first: int) -> list[Phase]:
        merges = list(enumerate(self.plan.merges))
        kept = set(self.machine.merges)
        out = []
        for r in sorted({m.round for _, m in merges}):
            jobs, links = {}, []
            for i, m in merges:
                if m.round == r and m in kept:
                    jobs |= {m.src: first + 2 * i, m.dst: first + 2 * i + 1}
                    links.append((m.dst, m.src))
            out.append(Phase("merge", jobs, links=tuple(links)))
        return out

    @cached_property
    def _rom(self) -> tuple[list[int], list[int]]:
        return words.rom(self.programs)

    @property
    def units(self) -> list[str]:
        """What runs in a phase: the instances of the macros."""
        return [f"tile{t}" for t in range(self.plan.row_tiles)]

    counted = {}  # counters that a testbench gets otherwise than `bench.GOT` says

    def pops(self, i: int) -> str:
        """The testbench's count of spikes that left a queue."""
        return " + ".join(f"m{i}_{t}.pops" for t in range(self.plan.row_tiles))

    @property
    def pcw(self) -> int:
        return bits(len(self._rom[0]))

    def images(self) -> dict[str, str]:
        """File name -> memory image: ROM, dispatch, address map, cells of each tile."""
        p, i = self.plan, self.index
        lines, _ = self._rom
        out = {f"rom{i}.hex": hexed(lines), f"dispatch{i}.hex": hexed(self._dispatch())}
        places = (p.tile_of.astype(object) << bits(p.rows)) | p.weight_row
        out[f"map{i}.hex"] = hexed(places)
        for t, cells in enumerate(self.machine.cells):
            held = unpack(cells, p.outputs)
            out[f"cells{i}_{t}.hex"] = hexed(packed(held))
        return out

    def _dispatch(self) -> list[int]:
        _, starts = self._rom
        one, rows = self.pcw + 2, []
        for phase in self.phases:
            row = 0
            for tile, program in phase.jobs.items():
                told = 1 << (one - 1) | phase.queued << self.pcw | starts[program]
                row |= told << tile * one if len(self.programs[program]) else 0
            rows.append(row)
        return rows

    def verilog(self) -> str:
        """The layer's own module, `layer<i>`."""
        p, i = self.plan, self.index
        lam, theta = self.machine.registers.tolist()
        told = {
            "i": i, "T": p.row_tiles, "COLS": p.outputs, "RW": bits(p.rows), "B": p.B,
            "AWI": bits(p.inputs), "AWO": bits(p.outputs), "INPUTS": p.inputs,
            "TW": bits(p.row_tiles), "PCW": self.pcw, "PHASES": len(self.phases) - 1,
            "PW": bits(len(self.phases)), "STEPS": self.steps, "SW": bits(self.steps),
            "lam": lam & (1 << p.B) - 1, "theta": theta & (1 << p.B) - 1,
        }  # fmt: skip
        macros = "\n".join(self._macro(t) for t in range(p.row_tiles))
        sends = ", ".join(f"send{t}" for t in range(p.row_tiles))
        return LAYER.format(**told, used=self.mask, sends=sends, macros=macros)

    @property
    def mask(self) -> str:
        """The columns that hold a neuron, as a Verilog constant."""
        return f"{self.plan.outputs}'h{packed(self.used[None])[0]:x}"

    def _macro(self, t: int) -> str:
        p, i = self.plan, self.index
        base = self.machine.bases(t)
        links = [
            (k, src)
            for k, phase in enumerate(self.phases)
            for dst, src in phase.links
            if dst == t
        ]
        bus = "".join(f"phase == {k} ? send{src} : " for k, src in links)
        return MACRO.format(
            i=i, t=t, ROWS=p.rows, COLS=p.outputs, RW=bits(p.rows), B=p.B,
            PORTS=self.machine.spec.ports, USED=self.mask,
            LINES=len(self._rom[0]), PCW=self.pcw, DEPTH=self.depth,
            DW=bits(self.depth + 1), L=base[2], H=base[3], M=base[4],
            K=base[5], I=base[6], bus=f"{bus}{{{p.outputs}{{1'b0}}}}",
        )  # fmt: skip


class TileRtl(LayerRtl):
    """A tile of a convolution: what is connected there is no wire's to know."""

    counted = {"sops": "0", "zero_sops": "0"}


LAYER = """\
// Generated. Layer {i}: {INPUTS} inputs, {COLS} neurons, {T} row tiles.
module layer{i} (
  input clk, rst,
  input push, last, input [{AWI}-1:0] index, output full,   // spikes in, as addresses
  input stop, output out_push, out_last, output [{AWO}-1:0] out_index
);
  reg filled;
  assign full = filled;
  wire swap, done, active, free;
  wire [{PW}-1:0] phase;
  wire [{T}-1:0] ends, go, queued, to;
  wire [{T}*{PCW}-1:0] start;
  wire [{RW}-1:0] row;
  wire [{COLS}-1:0] tags;
  always @(posedge clk)
    if (rst | swap) filled <= 1'b0;
    else if (last) filled <= 1'b1;
  address #(.INPUTS({INPUTS}), .AW({AWI}), .TILES({T}), .TW({TW}), .RW({RW}),
    .MAP("map{i}.hex")) where (.push(push), .index(index), .to(to), .row(row));
  controller #(.TILES({T}), .PHASES({PHASES}), .PW({PW}), .PCW({PCW}),
    .STEPS({STEPS}), .SW({SW}), .DISPATCH("dispatch{i}.hex")) order (
    .clk(clk), .rst(rst), .ready(filled), .free(free), .ends(ends), .go(go),
    .queued(queued), .start(start), .swap(swap), .done(done), .active(active),
    .phase(phase));
  encoder #(.COLS({COLS}), .AW({AWO})) out (.clk(clk), .rst(rst), .load(done),
    .stop(stop), .tags(tags), .push(out_push), .last(out_last), .free(free),
    .index(out_index));
  wire rest = active & phase == 0;
  wire [{B}-1:0] lam = {lam}, theta = {theta};  // broadcast to all columns
  wire [{COLS}-1:0] {sends};
{macros}
  assign tags = tags0 & {used};
endmodule
"""

MACRO = """\
  wire [{COLS}-1:0] tags{t};
  wire takes{t};
  wire [{COLS}-1:0] bus{t} = {bus};
  macro #(.ROWS({ROWS}), .COLS({COLS}), .RW({RW}), .PORTS({PORTS}), .B({B}),
    .USED({USED}), .LINES({LINES}), .PCW({PCW}), .DEPTH({DEPTH}), .DW({DW}),
    .BASE_L({L}), .BASE_H({H}), .BASE_M({M}),
    .BASE_K({K}), .BASE_I({I}), .ROM("rom{i}.hex"),
    .CELLS("cells{i}_{t}.hex")) tile{t} (.clk(clk), .rst(rst), .rest(rest),
    .go(go[{t}]), .queued(queued[{t}]), .start(start[{t}*{PCW} +: {PCW}]),
    .push(to[{t}]), .swap(swap), .row(row), .lam(lam), .theta(theta), .bus(bus{t}),
    .send(send{t}), .ends(ends[{t}]), .tags(tags{t}), .takes(takes{t}));"""
