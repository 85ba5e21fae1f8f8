"""Decays and whole neurons in real cells: energies, ratios by scope, the band.

Every datapath is mapped by Yosys to Debian's OSU libraries (0.35 and 0.18 um), runs on
membranes of a trained network, is compared with plain integers, and gets a bill of
internal power, switched nets, clock and leakage. What 65 nm can be is the band that the
ratio crosses between nodes, widths, timing, and with or without glitches.

Committed rows (data/reference/gates_cells.csv) serve where the tools are missing; they
are called carried then.
"""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lindecay import results, store, subjects
from lindecay.energy import cellrows, cellsim, gates, network, toggles
from lindecay.energy.cellrows import OURS, RIVAL, SHIFT, Row
from lindecay.energy.gates import Datapath
from lindecay.settings import Fault, committed
from lindecay.sram import microcode

MORE = gates.SOURCE.parent / "decays.v"
TWO_SLOPES = 2  # the steeper λ over the other
VECTORS = 1500
MAIN = (OURS, RIVAL, SHIFT, "v-LIF, 16-bit β")
INPUT_BITS = 13  # of a step's input at the network's own width
BETA = 0.9  # on 16 bits all its digits count: 230/256 would leave half of them 0
BATCH = 8  # modules that one run of Yosys maps


def signed_digits(beta: int, n: int) -> tuple[int, int]:
    """β as PLUS - MINUS in canonical signed digits.

    >>> signed_digits(230, 8)
    (264, 34)
    """
    found = microcode.digits(beta, n, signed=True)
    plus = sum(1 << place for place, sign in found if sign > 0)
    return plus, sum(1 << place for place, sign in found if sign < 0)


def datapaths() -> tuple[Datapath, ...]:
    """All decays: those of `gates` and three more."""
    plus, minus = signed_digits(*network.BETA)
    csd = (("N", network.BETA[1]), ("PLUS", plus), ("MINUS", minus))
    return (
        *gates.DECAYS,
        Datapath("v-LIF, constant β, signed digits", "decay_digits", ("v",), csd),
        Datapath(
            f"{SHIFT}, to nearest",
            "decay_shift_round",
            ("v",),
            (("K", network.SHIFT),),
        ),
        Datapath("two slopes", "decay_two", ("v", "lam", "lam2")),
    )


LAW = toggles.LAW | {"decay_digits": "exponential", "decay_two": "shrink"}


def _nearest(v, beta, n):
    return np.sign(v) * (np.abs(v) * beta + (1 << (n - 1)) >> n)


def _two(v, told):
    big = (np.where(v < 0, ~v, v) >> (told["bits"] - 2)) & 1
    lam = np.where(big == 1, told["lam2"], told["lam"])
    return np.sign(v) * np.maximum(np.abs(v) - lam, 0)


SPEC: dict[str, Callable] = {  # from the contract's words: what each module computes
    "decay_beta": lambda v, t: _nearest(v, t["beta"], t["N"]),
    "decay_beta_floor": lambda v, t: v * t["beta"] >> t["N"],
    "decay_const": lambda v, t: _nearest(v, t["BETA"], t["N"]),
    "decay_digits": lambda v, t: _nearest(v, t["PLUS"] - t["MINUS"], t["N"]),
    "decay_shift": lambda v, t: v - (v >> t["K"]),
    "decay_shift_round": lambda v, t: v - (v >> t["K"]) - (v >> (t["K"] - 1) & 1),
    "decay_shrink": lambda v, t: np.sign(v) * np.maximum(np.abs(v) - t["lam"], 0),
    "decay_floor": lambda v, t: np.maximum(v - t["lam"], 0),
    "decay_drift": lambda v, t: v - t["lam"],
    "decay_two": _two,
    "adder": lambda v, t: v + t["i"],
}


def answer(path: Datapath, told: dict, B: int) -> list[np.ndarray]:
    """What the outputs must be, in integers: y, and fired of a whole neuron."""
    v = told["v"]
    d = SPEC[path.module](v, dict(path.parameters) | told | {"bits": B})
    if not path.neuron:
        return [d]
    half = 1 << (B - 1)
    u = np.clip(d + told["i"], -half, half - 1)
    fired = u > told["theta"]
    return [u - told["theta"] * fired, fired.astype(np.int64)]


@dataclass(frozen=True)
class Variant:
    """One module to map: datapath, width, library, timing, registers or none."""

    path: Datapath
    bits: int
    node: str = "osu018"
    timing: str = "relaxed"  # or "tight": mapped for speed
    registers: bool = False

    @property
    def slug(self) -> str:
        told = f"{gates.slug(self.path)}-{self.bits}-{self.timing}"
        return f"{told}-{'reg' * self.registers}"


def top(variant: Variant, A: int) -> str:
    """The module `top`: the datapath, or the datapath between two rows of registers.

    V, the input and the results are registered; λ, β and θ stand still beside the unit.
    """
    text = gates.top(variant.path, variant.bits, A)
    if not variant.registers:
        return text
    path = variant.path
    widths = gates.widths(path, variant.bits, A)
    moving = [n for n in widths if n in ("v", "i")]
    D = variant.bits + (path.module == "decay_drift" and not path.neuron)
    ports = [f"input [{w - 1}:0] {n}" for n, w in widths.items()]
    ports += [f"output reg [{D - 1}:0] y"] + ["output reg fired"] * path.neuron
    regs = "".join(f"  reg [{widths[n] - 1}:0] {n}_q;\n" for n in moving)
    clocked = "".join(f"    {n}_q <= {n};\n" for n in moving)
    clocked += "    y <= y_d;\n" + "    fired <= f_d;\n" * path.neuron
    wires = ", ".join(f".{n}({n}_q)" if n in moving else f".{n}({n})" for n in widths)
    wires += ", .y(y_d)" + ", .fired(f_d)" * path.neuron
    return (
        text.replace("module top(", "module inner(", 1)
        + f"module top(input clk, {', '.join(ports)});\n{regs}"
        + f"  wire [{D - 1}:0] y_d;\n  wire f_d;\n  inner one ({wires});\n"
        + f"  always @(posedge clk) begin\n{clocked}  end\nendmodule\n"
    )


MAP = "synth -flatten -top top; dfflibmap -liberty {lib}; abc -liberty {lib}{speed}; "
MAP += "opt_clean -purge; write_json {out}.json; "
SPEED = {"relaxed": "", "tight": " -D 1 -constr fast.constr"}
FAST = "set_driving_cell INVX1\nset_load 10.0\n"  # abc sizes and buffers only so


def netlists(variants: list[Variant], A: Callable[[int], int]) -> Path:
    """Folder of the store with a mapped netlist of each variant of one library."""
    (node,) = {v.node for v in variants}
    lib = cellsim.file(node, "lib")
    tops = {v.slug: top(v, A(v.bits)) for v in variants}
    source = {f.name: f.read_text() for f in (gates.SOURCE, MORE)}
    params = {"tops": tops, "source": source, "map": MAP, "speed": SPEED}
    params["library"] = store.key_of({"text": lib.read_text()}, ())

    def build(folder: Path) -> None:
        for name, text in (source | {"fast.constr": FAST}).items():
            (folder / name).write_text(text)
        script = "read_verilog neuron.v decays.v; design -save ours; "
        for v in variants:
            (folder / f"{v.slug}.v").write_text(tops[v.slug])
            script += f"design -load ours; read_verilog {v.slug}.v; "
            script += MAP.format(lib=lib, speed=SPEED[v.timing], out=v.slug)
        gates.yosys(script, folder)

    return store.memo("mapped", params, (), build)


def stream(path: Datapath, seen: dict, B: int, bits: int, n: int) -> dict:
    """What a unit sees: the membranes of its own law's network, at another width."""
    if path.module == "adder":
        return toggles.noise(bits, n)
    told = toggles.at_width(seen[LAW[path.module]], B, bits)
    start = max(0, min(len(told["v"]) - n, len(told["v"]) // 4))
    told = {k: x[start : start + n] for k, x in told.items()}
    told |= {"lam2": TWO_SLOPES * told["lam"]}
    wide = dict(path.parameters).get("N") == 16
    beta = round(BETA * 2**16) if wide else toggles.beta_for(path)
    return told | {"beta": np.full(n, beta)}


def measured(v: Variant, net: cellsim.Net, told: dict) -> Row:
    """Simulate a variant and compare its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        moves = cellsim.simulate(net, v.node, told, Path(folder))
    want, late = answer(v.path, told, v.bits), 2 if v.registers else 0
    wrong = 0
    for k, (port, bits) in enumerate(net.outputs.items()):
        mine = moves.outputs[late:, k]
        right = want[k][: len(mine)] & ((1 << len(bits)) - 1)
        wrong += int((mine != right).sum())
        assert port in ("y", "fired")
    wild = cellsim.bill(net, v.node, moves.glitchy, moves.cycles)
    calm = cellsim.bill(net, v.node, moves.settled, moves.cycles)
    lib = cellsim.liberty.read(cellsim.file(v.node, "lib"))
    area = sum(lib.cells[cell].area for cell, _ in net.cells)
    head = v.path.name, v.path.neuron, v.registers, v.bits, v.node, v.timing
    parts = wild.wires, wild.internal, wild.clock, wild.leakage
    return Row(*head, len(net.cells), area, wrong, wild.pj, calm.pj, *parts)


def plan() -> list[Variant]:
    """Everything that the table needs.

    0.18 um: every decay at 10 bits, four of them at 8, 12 and 16 and mapped for speed.
    0.35 um: every decay alone, those four whole, three widths.
    """
    every = datapaths()
    main = [p for p in every if p.name in MAIN]
    out = [v for p in every for v in scopes(p, 10)]
    out += [v for p in main for v in scopes(p, 10, timing="tight")]
    out += [v for bits in (8, 12, 16) for p in main for v in scopes(p, bits)]
    out += [v for p in main for v in scopes(p, 10, "osu035")]
    out += [Variant(p, 10, "osu035") for p in every if p not in main]
    out += [Variant(p, bits, "osu035") for bits in (8, 12) for p in main]
    adders = [("osu018", bits) for bits in (8, 10, 12, 16)] + [("osu035", 10)]
    return out + [Variant(gates.ADDER, bits, node) for node, bits in adders]


def scopes(path: Datapath, bits: int, node="osu018", timing="relaxed") -> list[Variant]:
    """The decay alone, the neuron, the neuron between registers."""
    whole = path.whole()
    return [
        Variant(path, bits, node, timing),
        Variant(whole, bits, node, timing),
        Variant(whole, bits, node, timing, registers=True),
    ]


def rows(
    variants: list[Variant], ck, clips, A: int, n: int = VECTORS, tell=lambda _: None
) -> list[Row]:
    """Measure variants on the membranes of a network.

    Args:
        ck, clips: trained integer network (its first layer is used) and events.
        A: bits of a step's input at the network's own width.
    """
    laws = {LAW[v.path.module] for v in variants if v.path.module != "adder"}
    seen = {law: toggles.streams(network.under(ck, law), clips) for law in laws}
    out = []
    for node in dict.fromkeys(v.node for v in variants):
        mine = [v for v in variants if v.node == node]
        for first in range(0, len(mine), BATCH):
            few = mine[first : first + BATCH]
            folder = netlists(few, lambda bits: A + bits - ck.B)
            for v in few:
                text = (folder / f"{v.slug}.json").read_text()
                told = stream(v.path, seen, ck.B, v.bits, n)
                out.append(kept(v, text, told))
                tell(out[-1])
    return out


def kept(v: Variant, netlist: str, told: dict) -> Row:
    """`measured`, from the store when it was measured before."""
    used = {k: told[k] for k in sorted(told)}
    stamp = hashlib.sha256(b"".join(np.ascontiguousarray(x) for x in used.values()))
    params = {"variant": asdict(v), "netlist": netlist, "stream": stamp.hexdigest()}
    params |= {"period": cellsim.PERIOD_NS, "wire": cellsim.WIRE_PF, "format": 1}

    def build(folder: Path) -> None:
        row = measured(v, cellsim.Net.from_json(netlist), told)
        (folder / "row.json").write_text(json.dumps(asdict(row)))

    return Row(
        **json.loads((store.memo("cell", params, (), build) / "row.json").read_text())
    )


def library_of(node: str) -> str:
    """Debian's package and its version."""
    call = ["dpkg-query", "-W", "-f", "${Package} ${Version}", f"qflow-tech-{node}"]
    try:
        done = subprocess.run(call, capture_output=True, text=True)
    except OSError:
        return f"qflow-tech-{node}"
    return done.stdout.strip() or f"qflow-tech-{node}"


def available() -> bool:
    """Whether Yosys, Icarus and both libraries are here."""
    return gates.available() and all(cellsim.available(n) for n in cellsim.NODE_NM)


def remeasured(tell=lambda _: None) -> list[Row]:
    """Every row of the table, on the committed network and the first test clip.

    Raises:
        Fault: a tool is missing, or an output differs from the integers.
    """
    if not available():
        do = "apt-get install iverilog qflow-tech-osu018 qflow-tech-osu035"
        raise Fault("no cells to measure", expected="Icarus, Yosys, both libraries",
                    found="not all of them", do=do)  # fmt: skip
    ck = subjects.checkpoint("nmnist")
    clips = subjects.subject("nmnist").clips("quick").subset([0])
    found = rows(plan(), ck, clips, INPUT_BITS, tell=tell)
    wrong = sum(row.wrong for row in found)
    if wrong:
        raise Fault(
            "cells and integers", expected="equal outputs", found=f"{wrong} not"
        )
    stamp = {node: library_of(node) for node in cellsim.NODE_NM}
    commit = results.commit()[:12]
    return [replace(r, library=stamp[r.node], commit=commit) for r in found]


def report(again: bool = False, keep: bool = False, tell=lambda _: None) -> dict:
    """What `lindecay gates --json` prints: rows, bands and verdicts by scope.

    Args:
        again: measure; otherwise the committed rows are read (source "carried").
        keep: write what was measured over the committed rows.
    """
    found = remeasured(tell) if again else cellrows.read()
    if keep:
        path = committed("reference/gates.csv").with_name(Path(cellrows.FILE).name)
        store.write_atomic(path, cellrows.text(found))
    out = {"schema": 1, "source": "measured" if again else "carried"}
    out |= {"scopes": cellrows.verdicts(found), "spreads": cellrows.spreads(found)}
    return out | {"rows": [asdict(row) for row in found]}
