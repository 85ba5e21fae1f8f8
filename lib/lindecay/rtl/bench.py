"""A testbench that checks itself: states, spikes and counters against memory images.

The images are the emulator's: after every phase the bits of the membranes and tags are
looked at through the hierarchy, before the next line of microcode changes them.
"""

import numpy as np

from lindecay.rtl.emulator import FIELDS, PROGRAMS, Ledger
from lindecay.rtl.layer import LayerRtl, bits, hexed, packed

STEP_ENDS = 1 << 31  # in the image of the events


def events(indptr: np.ndarray, channel: np.ndarray) -> str:
    """Spikes as addresses, a mark after each step."""
    rows = []
    for first, last in zip(indptr, indptr[1:]):
        rows += [*map(int, channel[first:last]), STEP_ENDS]
    return hexed(rows)


def expected(state, B: int) -> str:
    """Bits of U, of V and spikes of every step: 2B + 1 words a step."""
    rows = []
    steps = zip(*(x.reshape(-1, x.shape[-1]) for x in (state.U, state.V, state.S)))
    for U, V, S in steps:
        planes = [x >> k & 1 for x in (U, V) for k in range(B)]
        rows += packed(np.array([*planes, S]))
    return hexed(rows)


def counts(ledger: Ledger, name: str) -> str:
    """Every counter of a layer, program by program."""
    return hexed(ledger[name, p][f] for p in PROGRAMS for f in FIELDS)


def chip(layers: list[LayerRtl]) -> str:
    """The layers in a row, each one's encoder feeding the next one's queues."""
    n, first = len(layers), layers[0].plan
    wires = "".join(
        f"  wire push{i}, last{i}, full{i};\n  wire [{bits(layer.plan.inputs)}-1:0] "
        f"index{i};\n"
        for i, layer in enumerate(layers)
    )
    out = [
        f"// Generated. {n} layers.",
        "module chip (",
        f"  input clk, rst, push, last, input [{bits(first.inputs)}-1:0] index,",
        "  output full, output out_push, out_last,",
        f"  output [{bits(layers[-1].plan.outputs)}-1:0] out_index",
        ");",
        wires + "  assign push0 = push, last0 = last, index0 = index, full = full0;",
    ]
    for i in range(n):
        end = i == n - 1
        stop = "1'b0" if end else f"full{i + 1}"
        to = ("out_push", "out_last", "out_index")
        to = to if end else (f"push{i + 1}", f"last{i + 1}", f"index{i + 1}")
        out.append(
            f"  layer{i} l{i} (.clk(clk), .rst(rst), .push(push{i}), .last(last{i}), "
            f".index(index{i}),\n    .full(full{i}), .stop({stop}), "
            f".out_push({to[0]}), .out_last({to[1]}), .out_index({to[2]}));"
        )
    return "\n".join([*out, "endmodule\n"])


def testbench(layers: list[LayerRtl], clips: int, words: int, limit: int) -> str:
    """The module `bench`; `words` is the length of the image of the events.

    limit: clock cycles after which a chip that hangs is given up.
    """
    n, last = clips * layers[0].steps, len(layers) - 1
    parts = "".join(_layer(layer, i, n) for i, layer in enumerate(layers))
    checks = "".join(f"    check{i};\n" for i in range(len(layers)))
    faults = " + ".join(
        f"dut.l{i}.tile{t}.array.faults"
        for i, layer in enumerate(layers)
        for t in range(layer.plan.row_tiles)
    )
    return BENCH.format(
        parts=parts, checks=checks, faults=faults, n=n, last=last, words=words,
        AW=bits(layers[0].plan.inputs), limit=limit,
        inner="dut.l0, dut.l0.order, dut.l0.tile0, dut.l0.tile0.control, "
        "dut.l0.tile0.below",
    )  # fmt: skip


def _layer(layer: LayerRtl, i: int, n: int) -> str:
    p, tiles = layer.plan, range(layer.plan.row_tiles)
    ops = "".join(
        f"    op{i}[{k}] = {PROGRAMS.index(phase.op)};\n"
        for k, phase in enumerate(layer.phases)
    )
    meters = "".join(
        f"  meter #(.COLS({p.outputs}), .WIDE({1 << bits(p.outputs)}), "
        f".USED({layer.mask})) m{i}_{t} (.clk(clk),\n    .run({at}.run), "
        f".pop({at}.pop), .op(op{i}[phase{i}]), .line({at}.line),\n"
        f"    .bl_a({at}.bl_a), .bl_b({at}.bl_b), .old({at}.array.old), "
        f".fresh({at}.array.fresh), .G({at}.tags));\n"
        for t in tiles
        for at in (f"dut.l{i}.tile{t}",)
    )
    sums = "".join(
        f"  function [47:0] {name}{i}(input integer op);\n    {name}{i} = "
        + " + ".join(how.format(at=f"m{i}_{t}", name=name) for t in tiles)
        + ";\n  endfunction\n"
        for name, how in SUMS.items()
    )
    told = {
        "i": i, "COLS": p.outputs, "B": p.B, "N": n * (2 * p.B + 1), "USED": layer.mask,
        "PHASES": len(layer.phases) - 1, "PW": bits(len(layer.phases)), "C": p.cols,
        "CT": p.column_tiles, "F": len(FIELDS), "P": len(PROGRAMS),
        "DECAY": PROGRAMS.index("decay"), "CLAMP": PROGRAMS.index("clamp"),
        "FIRE": PROGRAMS.index("fire"), "ACC": PROGRAMS.index("accumulate"),
        "clears": int(layer.machine.law != "floor_after"),
    }  # fmt: skip
    runs = " | ".join(f"dut.l{i}.{unit}.run" for unit in layer.units)
    told |= {"ops": ops, "meters": meters, "sums": sums, "runs": runs}
    return LAYER.format(**told, pops=layer.pops(i), got=_got(i, GOT | layer.counted))


SUMS = {name: "{at}.{name}[op]" for name in "cycles reads writes adds sent".split()}
SUMS |= {name: "{at}.{name}(op)" for name in "chosen falls flips zeros".split()}
GOT = {  # a counter of the ledger in what the testbench has seen
    "cycles": "busy{i}[op]",
    "macro_cycles": "cycles{i}(op) * CT",
    "read_rows": "reads{i}(op) * CT",
    "write_rows": "writes{i}(op) * CT",
    "columns_read": "reads{i}(op) * CT * C",
    "sense_ops": "reads{i}(op) * CT * C",
    "adder_ops": "adds{i}(op) * CT * C",
    "columns_written": "writes{i}(op) * CT * C",
    "columns_selected": "chosen{i}(op)",
    "discharges": "falls{i}(op)",
    "flips": "flips{i}(op)",
    "queue_entries": "op == ACC ? pops : 0",
    "transport_bits": "sent{i}(op) * COLS",
    "sops": "op == ACC ? pops * COLS : 0",
    "zero_sops": "op == ACC ? zeros{i}(op) : 0",
    "fired": "op == FIRE ? fired{i} : 0",
    "cleared": "op == DECAY ? cleared{i} : 0",
    "clamped": "op == CLAMP ? clamped{i} : 0",
}


def _got(i: int, got: dict) -> str:
    lines = (f"      got[{k}] = {got[f].format(i=i)};\n" for k, f in enumerate(FIELDS))
    text = "".join(lines).replace("* C;", f"* C{i};")
    for name in ("ACC", "FIRE", "DECAY", "CLAMP", "CT", "COLS"):
        text = text.replace(name, f"{name}{i}")
    return text


LAYER = """
  // layer {i}
  localparam COLS{i} = {COLS}, B{i} = {B}, CT{i} = {CT}, C{i} = {C}, ACC{i} = {ACC};
  localparam FIRE{i} = {FIRE}, DECAY{i} = {DECAY}, CLAMP{i} = {CLAMP};
  wire [{PW}-1:0] phase{i} = dut.l{i}.phase;
  reg [3:0] op{i} [0:{PHASES}];
  reg [{COLS}-1:0] want{i} [0:{N}-1];
  reg [63:0] ledger{i} [0:{P}*{F}-1];
  reg [63:0] busy{i} [0:15];
  reg [63:0] fired{i}, cleared{i}, clamped{i}, idle{i};
  reg ended{i}, began{i};
  reg [{PW}-1:0] was{i};
  reg [{COLS}-1:0] rest{i}, diff{i};
  integer step{i}, k{i};
  wire [{COLS}-1:0] tags{i} = dut.l{i}.tags, used{i} = {USED};
  initial begin
{ops}    $readmemh("expect{i}.hex", want{i});
    $readmemh("counts{i}.hex", ledger{i});
    for (k{i} = 0; k{i} < 16; k{i} = k{i} + 1) busy{i}[k{i}] = 0;
    fired{i} = 0; cleared{i} = 0; clamped{i} = 0; idle{i} = 0; step{i} = 0;
    ended{i} = 0; began{i} = 0; was{i} = 0;
  end
{meters}{sums}
  task differ{i}(input integer from_row);  // rows V0 ... against an image
    begin
      diff{i} = 0;
      for (k{i} = 0; k{i} < B{i}; k{i} = k{i} + 1)
        diff{i} = diff{i} |
          (dut.l{i}.tile0.array.cells[k{i}] ^ want{i}[from_row + k{i}]);
      states = states + m{i}_0.ones(used{i});
      differences = differences + m{i}_0.ones(diff{i} & used{i});
    end
  endtask
  always @(posedge clk) begin
    ended{i} <= dut.l{i}.order.over;
    began{i} <= dut.l{i}.order.moves;
    was{i} <= phase{i};
    if ({runs}) busy{i}[op{i}[phase{i}]] = busy{i}[op{i}[phase{i}]] + 1;
    else if (dut.l{i}.active) idle{i} = idle{i} + 1;
  end
  always @(negedge clk) begin
    if (ended{i}) begin
      if (op{i}[was{i}] == DECAY{i} && {clears}) begin
        diff{i} = 0;
        for (k{i} = 0; k{i} < B{i}; k{i} = k{i} + 1)
          diff{i} = diff{i} | dut.l{i}.tile0.array.cells[k{i}];
        cleared{i} = cleared{i} + m{i}_0.ones(~diff{i} & ~rest{i} & used{i});
      end
      if (op{i}[was{i}] == CLAMP{i}) clamped{i} = clamped{i} + m{i}_0.ones(tags{i});
      if (op{i}[was{i}] == FIRE{i}) begin
        fired{i} = fired{i} + m{i}_0.ones(tags{i});
        states = states + m{i}_0.ones(used{i});
        diff{i} = (tags{i} ^ want{i}[step{i} * (2 * B{i} + 1) + 2 * B{i}]) & used{i};
        differences = differences + m{i}_0.ones(diff{i});
      end
      if (was{i} == {PHASES}) begin
        differ{i}(step{i} * (2 * B{i} + 1) + B{i});
        step{i} = step{i} + 1;
      end
    end
    if (began{i}) begin
      rest{i} = 0;
      for (k{i} = 0; k{i} < B{i}; k{i} = k{i} + 1)
        rest{i} = rest{i} | dut.l{i}.tile0.array.cells[k{i}];
      rest{i} = ~rest{i};
      if (op{i}[phase{i}] == FIRE{i}) differ{i}(step{i} * (2 * B{i} + 1));
    end
  end
  task check{i};
    integer op, f;
    reg [63:0] got [0:{F}-1];
    reg [63:0] pops;
    begin
      pops = {pops};
      for (op = 0; op < {P}; op = op + 1) begin
{got}        for (f = 0; f < {F}; f = f + 1)
          if (got[f] !== 0 || ledger{i}[op*{F}+f] !== 0) begin
            counters = counters + 1;
            if (got[f] !== ledger{i}[op*{F}+f]) begin
              differences = differences + 1;
              $display("COUNTER layer {i} program %0d field %0d: %0d, expected %0d",
                op, f, got[f], ledger{i}[op*{F}+f]);
            end
          end
      end
      pops = 0;
      for (op = 0; op < {P}; op = op + 1) pops = pops + busy{i}[op];
      $display("LAYER {i} busy=%0d idle=%0d", pops, idle{i});
    end
  endtask
"""

BENCH = """\
// Generated. Checks itself: every U, V and spike, every counter of the ledger.
`timescale 1ns / 1ns
module bench;
  reg clk, rst, push, last;
  reg [31:0] spikes [0:{words}-1];
  reg [{AW}-1:0] index;
  wire full, out_push, out_last;
  integer at, clock, states, counters, differences, ends;
  chip dut (.clk(clk), .rst(rst), .push(push), .last(last), .index(index), .full(full),
    .out_push(out_push), .out_last(out_last), .out_index());
{parts}
  initial begin
    $readmemh("events.hex", spikes);
    clk = 0; rst = 1; push = 0; last = 0; index = 0; at = 0; clock = 0; ends = 0;
    states = 0; counters = 0; differences = 0;
    if ($test$plusargs("vcd")) begin
      $dumpfile("wave.vcd");
      $dumpvars(1, {inner});
    end
    #12 rst = 0;
  end
  always #5 clk = ~clk;
  always @(posedge clk) if (!rst) begin
    clock <= clock + 1;
    push <= 0;
    last <= 0;
    if (!full && !last && at < {words}) begin
      if (spikes[at][31]) last <= 1;
      else begin
        push <= 1;
        index <= spikes[at];
      end
      at <= at + 1;
    end
    if (out_last) ends <= ends + 1;
    if (ends == {n} || clock == {limit}) finish;
  end
  task finish;
    begin
{checks}      differences = differences + ({faults});
      $display("RESULT cycles=%0d states=%0d counters=%0d differences=%0d faults=%0d",
        clock, states, counters, differences, {faults});
      if (ends == {n} && differences === 0) $display("PASS");
      else $display("FAIL");
      $finish;
    end
  endtask
endmodule
"""
