"""Layout C as hardware: an adder tree below the weights, membranes in columns as in A.

    layer = controller + tree (3 cycles) + encoder + one macro that holds the membranes

The tree is one more unit that the controller starts and waits for; its sums enter the
columns bit by bit over the bus, by layout A's program for merging. One row of trees:
as many inputs as a macro has rows. Of the ledger, SOPs over a weight of 0 are left out:
no wire of a tree knows them.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lindecay.events import Clips
from lindecay.integer import as_events
from lindecay.quantization import Checkpoint
from lindecay.rtl import project
from lindecay.rtl.emulator import InPlaceMachine, Ledger, MacroSpec, emulate, language
from lindecay.rtl.layer import MACRO, LayerRtl, Phase, bits, hexed, packed
from lindecay.settings import Fault


class Columns:
    """The membranes' macro of a layer in layout C, as `LayerRtl` wants a machine."""

    def __init__(self, inner: InPlaceMachine):
        law, reset = inner.ck.law, inner.ck.reset
        home, self.inner, self.law = inner.home, inner, law
        self.spec, self.programs = inner.spec, inner.programs
        self.registers = np.array([inner.array.registers[k] for k in ("lam", "theta")])
        none = np.zeros(home.inputs, np.int64)
        one = {"tile_of": none, "slot_of": none, "widths": (home.A - home.f,)}
        self.plan = replace(home, **one, merges=(), rows=home.bases["W"])
        order = ["decay", "extend", "accumulate", "merge", "clamp", "fire"]
        order.insert(1 if reset == "late" else len(order), "reset")
        if law == "floor_after":
            order.remove("decay")
            order.insert(order.index("clamp"), "decay")
        skip = {"none": "decay", "drift": "extend"}.get(law)
        self.schedule = [name for name in order if name != skip]

    def bases(self, tile: int) -> list[int]:
        """First row of each space."""
        return [self.inner.array.bases[space] for space in language.SPACES]


@dataclass(frozen=True)
class TreeRtl(LayerRtl):
    """A layer in layout C."""

    @cached_property
    def programs(self) -> list:
        names = ("clear", "decay", "extend", "clamp", "fire", "reset")
        return [*(self.machine.programs[n] for n in names), self.machine.inner.enter]

    @cached_property
    def phases(self) -> list[Phase]:
        """Phase 0 clears; `accumulate` is the tree's, `merge` lets its sums enter."""
        names = ("clear", "decay", "extend", "clamp", "fire", "reset", "merge")
        out = []
        for name in ("clear", *self.machine.schedule):
            if name == "accumulate":
                out.append(
                    Phase(name, {1: 0})
                )  # the tree: any program that is not empty
            elif len(self.programs[names.index(name)]):
                out.append(Phase(name, {0: names.index(name)}))
        return out

    units = property(lambda self: ["tile0", "tree"])

    @property
    def counted(self) -> dict[str, str]:
        """Cycles of the trees; SOPs from the spikes that they saw."""
        trees = self.machine.inner.trees
        cycles = f"op == ACC ? busy{{i}}[op] * {trees} : cycles{{i}}(op) * CT"
        return {"macro_cycles": cycles, "zero_sops": "0"}

    def pops(self, i: int) -> str:
        return f"dut.l{i}.taken"

    def images(self) -> dict[str, str]:
        """ROM, dispatch, rows of the membranes' macro, and the trees' weights."""
        i, layer = self.index, self.machine.inner.layer
        planes = [
            layer.w[j] >> b & 1 for j in range(layer.out) for b in range(layer.bits)
        ]
        return {
            f"rom{i}.hex": hexed(self._rom[0]),
            f"dispatch{i}.hex": hexed(self._dispatch()),
            f"cells{i}_0.hex": hexed(packed(self.machine.inner.array.cells)),
            f"weights{i}.hex": hexed(packed(np.array(planes))),
        }

    def verilog(self) -> str:
        """The layer's own module, `layer<i>`."""
        p, i, layer = self.plan, self.index, self.machine.inner.layer
        lam, theta = self.machine.registers.tolist()
        told = {
            "i": i, "COLS": p.outputs, "B": p.B, "AWI": bits(p.inputs), "PCW": self.pcw,
            "AWO": bits(p.outputs), "INPUTS": p.inputs, "PHASES": len(self.phases) - 1,
            "PW": bits(len(self.phases)), "STEPS": self.steps, "SW": bits(self.steps),
            "LOG": bits(p.inputs), "BITS": layer.bits, "WIDTH": p.A - p.f,
            "lam": lam, "theta": theta, "used": self.mask, "RW": bits(p.rows),
        }  # fmt: skip
        macro = self._macro(0).replace(f"{{{p.outputs}{{1'b0}}}}", "feed")
        return LAYER.format(**told, macro=macro)


assert "{bus}" in MACRO
LAYER = """\
// Generated. Layer {i} in layout C: {INPUTS} inputs, {COLS} neurons, adder trees.
module layer{i} (
  input clk, rst,
  input push, last, input [{AWI}-1:0] index, output full,   // spikes in, as addresses
  input stop, output out_push, out_last, output [{AWO}-1:0] out_index
);
  reg filled;
  assign full = filled;
  wire swap, done, active, free;
  wire [{PW}-1:0] phase;
  wire [1:0] ends, go, queued, to;
  wire [2*{PCW}-1:0] start;
  wire [{RW}-1:0] row;
  wire [{COLS}-1:0] tags, feed, send0;
  integer taken;                       // for the testbench: spikes that came in
  initial taken = 0;
  always @(posedge clk) if (push) taken = taken + 1;
  assign to = 2'b00, row = 0;
  always @(posedge clk)
    if (rst | swap) filled <= 1'b0;
    else if (last) filled <= 1'b1;
  controller #(.TILES(2), .PHASES({PHASES}), .PW({PW}), .PCW({PCW}),
    .STEPS({STEPS}), .SW({SW}), .DISPATCH("dispatch{i}.hex")) order (
    .clk(clk), .rst(rst), .ready(filled), .free(free), .ends(ends), .go(go),
    .queued(queued), .start(start), .swap(swap), .done(done), .active(active),
    .phase(phase));
  encoder #(.COLS({COLS}), .AW({AWO})) out (.clk(clk), .rst(rst), .load(done),
    .stop(stop), .tags(tags), .push(out_push), .last(out_last), .free(free),
    .index(out_index));
  wire rest = active & phase == 0;
  wire [{B}-1:0] lam = {lam}, theta = {theta};
{macro}
  tree #(.INPUTS({INPUTS}), .AW({AWI}), .LOG({LOG}), .COLS({COLS}), .BITS({BITS}),
    .WIDTH({WIDTH}), .WEIGHTS("weights{i}.hex")) tree (.clk(clk), .rst(rst),
    .push(push), .index(index), .swap(swap), .go(go[1]), .shift(takes0),
    .ends(ends[1]), .bus(feed));
  assign tags = tags0 & {used};
endmodule
"""


def readout(ck: Checkpoint, clips: Clips) -> tuple[Checkpoint, Clips]:
    """The last layer alone, with the spikes that the emulated layers before it send."""
    before = Checkpoint(ck.meta, ck.layers[:-1])
    sent = emulate(before, clips, record=False).trace.layers[-1].S
    indptr, channel = as_events(sent)
    told = {"indptr": indptr, "channel": channel, "channels": sent.shape[-1]}
    return Checkpoint(ck.meta, ck.layers[-1:]), replace(clips, **told)


def network(ck: Checkpoint, clips: Clips, rows: int = 256) -> project.Hardware:
    """A fully connected network in layout C, membranes in place.

    Args:
        rows: of a macro.

    Raises:
        Fault: a layer with more inputs than a macro has rows, or a wiring of its own.
    """
    spec = MacroSpec(layout="C", rows=rows)
    project.chained(ck)
    for layer in ck.layers:
        if layer.inputs > spec.rows:
            raise Fault(
                f"{layer.name}: one row of adder trees",
                expected=f"up to {spec.rows} inputs",
                found=layer.inputs,
            )
    run = emulate(ck, clips, spec)
    inner = [InPlaceMachine(ck.of(layer), layer, spec) for layer in ck.layers]
    machines = [Columns(m) for m in inner]
    used = [np.ones(m.plan.outputs, bool) for m in machines]
    table = {key: replace(run.ledger[key], zero_sops=0) for key in run.ledger}
    events = clips.indptr, clips.channel
    told = run.trace.layers, Ledger(table), events
    made = project.hardware(machines, used, *told, len(clips), kind=TreeRtl)
    return replace(made, files=made.files | {"tree.v": project.source("tree")})
