"""A netlist of library cells, simulated with the cells' own delays: joules.

    E(net) = toggles (1/2 C V^2 + E_int),  C = pins + wire x pins
    E      = sum of nets + clock + leakage x cycle

Toggles are counted twice from the same waveform: all of them (glitches), and from
settled value to settled value. E_int is the Liberty table's internal power of the
driver at that load and one stated slew. The netlist is Yosys', printed by us with one
wire a net; Icarus runs it with the library's own Verilog models and delays.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lindecay.energy import liberty
from lindecay.rtl import icarus
from lindecay.settings import Fault

TECH = Path("/usr/share/qflow/tech")
WIRE_PF = 0.005  # of wire for every pin on a net
SLEW_NS = {"osu018": 0.12, "osu035": 0.2}  # one input slew for every table
NODE_NM = {"osu018": 180, "osu035": 350}
PERIOD_NS = {"osu018": 40, "osu035": 80}  # long enough for everything to settle
CYCLE_NS = 20.0  # that leakage is billed for
WARM = 4  # cycles before counting starts


def file(node: str, ending: str) -> Path:
    """A file of the library where Debian's package puts it."""
    return TECH / node / f"{node}_stdcells.{ending}"


def available(node: str) -> bool:
    """Whether the library and Icarus are here."""
    return file(node, "lib").exists() and icarus.available()


@dataclass(frozen=True)
class Net:
    """A mapped module: cells (name of the cell, its pins' nets), ports' nets."""

    cells: tuple[tuple[str, dict], ...]
    inputs: dict[str, list]
    outputs: dict[str, list]

    @classmethod
    def from_json(cls, text: str) -> "Net":
        """From Yosys' `write_json` of a flat module `top`."""
        module = json.loads(text)["modules"]["top"]
        sides = {"input": {}, "output": {}}
        for name, port in module["ports"].items():
            sides[port["direction"]][name] = port["bits"]
        cells = tuple(
            (c["type"], {p: bits[0] for p, bits in c["connections"].items()})
            for c in module["cells"].values()
        )
        return cls(cells, sides["input"], sides["output"])


def wire(net) -> str:
    """A net's name in our print of the netlist."""
    return {"0": "1'b0", "1": "1'b1", "x": "1'b0"}.get(net, f"n{net}")


def verilog(net: Net) -> str:
    """The netlist as Verilog, one wire a net."""
    ports = [f"input [{len(b) - 1}:0] {n}" for n, b in net.inputs.items()]
    ports += [f"output [{len(b) - 1}:0] {n}" for n, b in net.outputs.items()]
    nets = {x for _, pins in net.cells for x in pins.values() if isinstance(x, int)}
    nets |= {x for b in net.inputs.values() for x in b}
    lines = [f"  wire n{x};" for x in sorted(nets)]
    lines += [
        f"  assign n{x} = {name}[{k}];"
        for name, b in net.inputs.items()
        for k, x in enumerate(b)
    ]
    for i, (cell, pins) in enumerate(net.cells):
        told = ", ".join(f".{p}({wire(x)})" for p, x in pins.items())
        lines.append(f"  {cell} c{i} ({told});")
    lines += [
        f"  assign {name}[{k}] = {wire(x)};"
        for name, b in net.outputs.items()
        for k, x in enumerate(b)
    ]
    body = "\n".join(lines)
    return f"module top({', '.join(ports)});\n{body}\nendmodule\n"


def bench(net: Net, n: int, period: int) -> str:
    """A testbench: a vector a period, just after the clock; outputs before the next."""
    data = {name: len(b) for name, b in net.inputs.items() if name != "clk"}
    wide = sum(data.values())
    wires = "".join(f"  wire [{w - 1}:0] {name};\n" for name, w in data.items())
    outs = "".join(f"  wire [{len(b) - 1}:0] {o};\n" for o, b in net.outputs.items())
    ports = ", ".join(f".{x}({x})" for x in (*net.inputs, *net.outputs))
    told = ", ".join(net.outputs)
    form = " ".join("%0d" for _ in net.outputs)
    return f"""`timescale 1ns/10ps
module bench;
  reg [{wide - 1}:0] all [0:{n - 1}];
  reg [{wide - 1}:0] now;
  reg clk;
  integer k;
{wires}{outs}  assign {{{", ".join(data)}}} = now;
  top dut ({ports});
  initial begin
    $readmemh("in.hex", all);
    $dumpfile("out.vcd");
    $dumpvars(1, dut);
    clk = 0;
    for (k = 0; k < {n}; k = k + 1) begin
      #1 now = all[k];
      #{period // 2 - 1} clk = 0;
      #{period - period // 2 - 1} $display("Y {form}", {told});
      #1 clk = 1;
    end
    $finish;
  end
endmodule
"""


def vectors(net: Net, told: dict[str, np.ndarray]) -> str:
    """The inputs as one hexadecimal word a vector, first port highest."""
    data = {name: len(b) for name, b in net.inputs.items() if name != "clk"}
    words = np.zeros(len(next(iter(told.values()))), object)
    for name, w in data.items():
        words = (words << w) | (np.asarray(told[name]).astype(object) & (2**w - 1))
    return "\n".join(f"{int(x):x}" for x in words)


@dataclass(frozen=True)
class Moves:
    """What a simulation saw: outputs, toggles by net with glitches and settled."""

    outputs: np.ndarray  # int64 [vectors, outputs], as the bits stand
    glitchy: dict[int, int]
    settled: dict[int, int]
    cycles: int


def toggles(vcd: Path, period_ticks: int, skip: int) -> tuple[dict, dict]:
    """Changes of every one-bit net n<id>: all, and between the ends of periods."""
    names, value, base, touched = {}, {}, {}, set()
    many, calm, edge, live = {}, {}, period_ticks, False
    with vcd.open() as lines:
        for line in lines:
            found = re.match(r"\$var wire\s+1 (\S+) n(\d+) \$end", line)
            if found:
                names[found[1]] = int(found[2])
            if line.startswith("$enddefinitions"):
                break
        many, calm = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for line in lines:
            sign = line[0]
            if sign == "#":
                now = int(line[1:])
                while now >= edge:
                    for code in touched:
                        if live and base.get(code) != value[code]:
                            calm[code] += 1
                        base[code] = value[code]
                    touched.clear()
                    edge += period_ticks
                    live = edge > skip * period_ticks
            elif sign in "01x":
                code = line[1:-1]
                if code in names and value.get(code) != sign:
                    many[code] += live
                    value[code] = sign
                    touched.add(code)
    return {names[c]: n for c, n in many.items()}, {
        names[c]: n for c, n in calm.items()
    }


def simulate(net: Net, node: str, told: dict, folder: Path) -> Moves:
    """Run vectors through the cells with their delays.

    Raises:
        Fault: Icarus or the library is missing, or the simulation fails.
    """
    if not file(node, "v").exists():
        do = f"apt-get install qflow-tech-{node}"
        raise Fault("no cell library", expected=node, found="none", do=do)
    n, period = len(next(iter(told.values()))), PERIOD_NS[node]
    (folder / "in.hex").write_text(vectors(net, told))
    (folder / "net.v").write_text(verilog(net))
    (folder / "bench.v").write_text(bench(net, n, period))
    cells = str(file(node, "v"))
    icarus.compiled(folder, ["bench.v", "net.v", cells], "bench", "-gspecify", "-Ttyp")
    text = icarus.call(["vvp", "-n", "sim"], folder, "the simulation")
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith("Y ")]
    seen = [[int(x) if x.isdigit() else -1 for x in row] for row in rows]
    many, calm = toggles(folder / "out.vcd", period * 100, WARM)
    (folder / "out.vcd").unlink()
    return Moves(np.array(seen, np.int64), many, calm, n - WARM)


@dataclass(frozen=True)
class Bill:
    """pJ of one vector."""

    pins: float
    wires: float
    internal: float
    clock: float
    leakage: float

    @property
    def pj(self) -> float:
        return self.pins + self.wires + self.internal + self.clock + self.leakage


def loads(net: Net, lib: liberty.Library) -> dict:
    """For each net: pF of its pins, and how many pins; an output feeds a register."""
    out: dict = {}
    end = lib.cells["DFFPOSX1"].pins["D"].pf
    sinks = [
        (x, lib.cells[cell].pins[pin].pf)
        for cell, pins in net.cells
        for pin, x in pins.items()
    ]
    sinks += [(x, end) for bits in net.outputs.values() for x in bits]
    for x, pf in sinks:
        held, pins = out.get(x, (0.0, 0))
        out[x] = held + pf, pins + 1
    return out


def bill(net: Net, node: str, moved: dict[int, int], cycles: int) -> Bill:
    """Energy of one vector from toggles by net."""
    lib, slew = liberty.read(file(node, "lib")), SLEW_NS[node]
    half, load = lib.vdd_v**2 / 2, loads(net, lib)
    per = {x: n / cycles for x, n in moved.items()}
    (clk,) = net.inputs.get("clk", [None])
    free = {x: n for x, n in per.items() if x in load and x != clk}
    pins = sum(n * half * load[x][0] for x, n in free.items())
    wires = sum(n * half * WIRE_PF * load[x][1] for x, n in free.items())
    internal = clock = 0.0
    for cell, connected in net.cells:
        for name, x in connected.items():
            pin = lib.cells[cell].pins[name]
            pf = load[x][0] + WIRE_PF * load[x][1]
            spent = pin.internal_pj(pf, slew) if pin.tables else 0.0
            internal += 0.0 if pin.clock else spent * per.get(x, 0.0)
            clock += 2 * spent if pin.clock else 0.0
    if clk is not None:
        clock += 2 * half * (load[clk][0] + WIRE_PF * load[clk][1])
    leakage = sum(lib.cells[cell].leakage_nw for cell, _ in net.cells)
    return Bill(pins, wires, internal, clock, leakage * CYCLE_NS * 1e-6)
