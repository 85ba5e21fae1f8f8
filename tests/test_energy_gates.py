"""Netlists against arithmetic, the integer network and Icarus Verilog."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from lindecay.energy import baselines, constants, gates, network, toggles
from lindecay.settings import Fault
from test_energy_designs import random_clips, random_network

yosys = pytest.mark.skipif(not gates.available(), reason="Yosys is not installed")
icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="no iverilog here")
B, A, N = 10, 13, 100_000
LOW, HIGH = -(2 ** (B - 1)), 2 ** (B - 1) - 1
WHOLE = [path.whole() for path in gates.DECAYS]
NAMES = [path.name for path in gates.DECAYS]


def decayed(path, v, beta, lam):
    """The decay in numpy, from the contract's words."""
    kind, more = path.module, dict(path.parameters)
    if kind in ("decay_beta", "decay_const"):
        beta = more.get("BETA", beta)
        n = more["N"]
        return np.sign(v) * (np.abs(v) * beta + 2 ** (n - 1) >> n)
    if kind == "decay_beta_floor":
        return v * beta >> more["N"]
    if kind == "decay_shift":
        return v - (v >> more["K"])
    if kind == "decay_shrink":
        return np.sign(v) * np.maximum(np.abs(v) - lam, 0)
    return np.maximum(v - lam, 0) if kind == "decay_floor" else v - lam


def finished(d, i, theta):
    """Integrate, clamp, fire, reset by subtraction."""
    u = np.clip(d + i, LOW, HIGH)
    fired = u > theta
    return u - theta * fired, fired.astype(np.int64)


def inputs(path, seed=0):
    """Every extreme with every other, then random numbers."""
    bits = gates.widths(path.whole(), B, A)
    ends = {}
    for name, width in bits.items():
        low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
        if name not in ("v", "i"):
            low, high = 0, 2**width - 1
        middle = {0, 1, low + 1, high - 1} | ({-1} if low < 0 else set())
        ends[name] = sorted(middle | {low, high})
    grid = np.meshgrid(*ends.values(), indexing="ij")
    random = np.random.default_rng(seed)
    return {
        name: np.concatenate([g.ravel(), random.integers(e[0], e[-1] + 1, N)])
        for (name, e), g in zip(ends.items(), grid)
    }


@yosys
@pytest.mark.parametrize("path", gates.DECAYS, ids=NAMES)
def test_decay_netlists_equal_arithmetic(path):
    told = inputs(path)
    used = {name: told[name] for name in path.inputs}
    out, _ = gates.simulate(gates.netlist(path, B, A), used)
    want = decayed(path, told["v"], told.get("beta"), told.get("lam"))
    assert len(want) > N and np.array_equal(out["y"], want)


@yosys
@pytest.mark.parametrize("path", WHOLE, ids=NAMES)
def test_neuron_netlists_equal_arithmetic(path):
    told = inputs(path, seed=1)
    used = {name: told[name] for name in path.inputs}
    out, _ = gates.simulate(gates.netlist(path, B, A), used)
    d = decayed(path, told["v"], told.get("beta"), told.get("lam"))
    y, fired = finished(d, told["i"], told["theta"])
    assert np.array_equal(out["y"], y) and np.array_equal(out["fired"], fired)
    assert 0 < fired.sum() < len(fired)


@yosys
@pytest.mark.parametrize("name", ["LD-LIF, shrink", "v-LIF, 8-bit β", "LD-LIF, drift"])
def test_neuron_netlists_equal_the_integer_network(name):
    path = gates.decay(name)
    ck = network.under(random_network(bits=B), toggles.LAW[path.module])
    told = toggles.streams(ck, random_clips())
    told["beta"] = np.full(len(told["v"]), toggles.beta_for(path))
    whole = path.whole()
    used = {k: told[k] for k in whole.inputs}
    out, _ = gates.simulate(gates.netlist(whole, ck.B, 13), used)
    assert np.array_equal(out["y"], told["y"])
    assert np.array_equal(out["fired"], told["fired"]) and told["fired"].any()


@yosys
def test_glitches_only_add():
    told = inputs(gates.decay("LD-LIF, shrink"))
    told = {k: told[k][-3000:] for k in ("v", "lam")}
    net = gates.netlist(gates.decay("LD-LIF, shrink"), B, A)
    _, calm = gates.simulate(net, told)
    wild = gates.glitches(net, told)
    assert (wild >= calm).all() and wild.sum() > calm.sum()
    assert ((wild - calm) % 2 == 0).all()  # a gate ends where it ends


@yosys
def test_a_product_switches_more_than_a_subtraction_and_a_shift_less():
    rows = toggles.rows(random_network(bits=B), random_clips(), bits=(B,))
    told = {(r["datapath"], r["scope"]): r["ratio"] for r in toggles.ratios(rows)}
    assert told["v-LIF, 8-bit β", "decay alone"] > 2
    assert (
        told["v-LIF, 16-bit β", "decay alone"] > told["v-LIF, 8-bit β", "decay alone"]
    )
    assert told["shift-exponential", "decay alone"] < 1.3
    assert told["LD-LIF, shrink", "neuron"] == 1


def test_gates_and_constants_agree_on_a_product():
    found, v = toggles.read(), constants.values(constants.load())
    at = {(r.name, r.neuron): r for r in found if r.bits == 10}
    calm, wild = toggles.pj(found, at["v-LIF, 8-bit β", False], v["add8"])
    table = baselines.decay_pj(v, "v-LIF, 8-bit β", 10)
    assert calm < 1.5 * table and wild > 0.67 * table
    add = toggles.pj(found, at["addition", False], v["add8"])
    assert add == pytest.approx((v["add8"] * 1.25,) * 2)


def test_the_committed_sweep_holds_every_datapath_at_every_width():
    found = toggles.read()
    widths = {row.bits for row in found}
    assert widths == {8, 10, 12, 14, 16}
    kinds = {(row.name, row.neuron) for row in found}
    every = {(name, whole) for name in NAMES for whole in (False, True)}
    assert kinds == every | {("addition", False)}
    assert len(found) == len(kinds) * len(widths)
    told = {(r["datapath"], r["scope"]): r for r in toggles.ratios(found)}
    alone = told["v-LIF, 8-bit β", "decay alone"]
    assert alone["low"] < 5.2 < alone["high"]
    assert told["v-LIF, 16-bit β", "neuron"]["high"] < 5.2
    assert told["shift-exponential", "neuron"]["high"] < 1


def test_a_sweep_survives_its_file(tmp_path):
    found = toggles.read()
    toggles.write(found, tmp_path / "gates.csv")
    assert toggles.read(tmp_path / "gates.csv") == found


def tiny():
    cells = (("XOR", (2, 3), 5), ("AND", (2, 3), 6), ("NOT", (6,), 7))
    return gates.Netlist({"v": [2], "i": [3]}, {"fired": [5]}, cells)


def test_toggles_of_a_netlist_counted_by_hand():
    told = {"v": np.array([0, 1, 1, 0]), "i": np.array([0, 0, 1, 1])}
    out, moved = gates.simulate(tiny(), told)
    assert out["fired"].tolist() == [0, 1, 0, 1]
    assert moved.tolist() == [3, 2, 2]
    assert gates.energy(tiny(), moved, 4) == (3 * 2.5 + 2 * 1.5 + 2 * 0.5) / 4
    assert gates.glitches(tiny(), told).tolist() == [3, 2, 2]


def module(cells):
    ports = {"v": {"direction": "input", "bits": [2]}}
    ports["y"] = {"direction": "output", "bits": [3]}
    return json.dumps({"modules": {"top": {"ports": ports, "cells": cells}}})


def test_loops_and_strange_gates_are_refused():
    pins = {"A": [3], "Y": [3]}
    loop = module({"a": {"type": "$_NOT_", "connections": pins}})
    with pytest.raises(Fault, match="loop"):
        gates.Netlist.from_json(loop)
    latch = module({"a": {"type": "$_DLATCH_P_", "connections": pins}})
    with pytest.raises(Fault, match="DLATCH"):
        gates.Netlist.from_json(latch)


def test_an_unknown_datapath_is_refused():
    with pytest.raises(Fault, match="no datapath"):
        gates.decay("quadratic")


def bench(path, n):
    """A testbench that reads vectors and prints y and fired."""
    bits = gates.widths(path, B, A)
    wide = sum(bits.values())
    regs = "".join(f"  wire [{w - 1}:0] {name};\n" for name, w in bits.items())
    split = ", ".join(bits)
    ports = ", ".join(f".{name}({name})" for name in bits)
    return f"""module bench;
  reg [{wide - 1}:0] all [0:{n - 1}]; reg [{wide - 1}:0] now; integer k;
{regs}  wire signed [{B - 1}:0] y; wire fired;
  assign {{{split}}} = now;
  top one ({ports}, .y(y), .fired(fired));
  initial begin
    $readmemh("in.hex", all); $dumpfile("out.vcd"); $dumpvars(0, one);
    for (k = 0; k < {n}; k = k + 1) begin
      now = all[k]; #10; $display("%0d %0d", y, fired);
    end
  end
endmodule
"""


def as_verilog(net, bits):
    """Our own print of a netlist, one wire a gate."""
    sign = {"AND": "a & b", "NAND": "~(a & b)", "OR": "a | b", "NOR": "~(a | b)"}
    sign |= {"XOR": "a ^ b", "XNOR": "~(a ^ b)", "NOT": "~a", "MUX": "s ? b : a"}
    name = {"0": "1'b0", "1": "1'b1", "x": "1'b0"}
    for port, nets in net.inputs.items():
        name |= {n: f"{port}[{k}]" for k, n in enumerate(nets)}
    lines = []
    for kind, pins, out in net.cells:
        name[out] = f"n{out}"
        text = sign[kind]
        for letter in "abs"[: len(pins)]:
            text = re.sub(rf"\b{letter}\b", f"<{letter}>", text)
        for letter, pin in zip("abs", pins):
            text = text.replace(f"<{letter}>", name[pin])
        lines.append(f"  wire n{out}; assign n{out} = {text};")
    ends = [
        f"  assign {port}{f'[{k}]' if len(nets) > 1 else ''} = {name[n]};"
        for port, nets in net.outputs.items()
        for k, n in enumerate(nets)
    ]
    ports = [f"input [{w - 1}:0] {n}" for n, w in bits.items()]
    ports += [f"output [{B - 1}:0] y", "output fired"]
    body = "\n".join(lines + ends)
    return f"module top({', '.join(ports)});\n{body}\nendmodule\n"


def ran(folder, sources, path, told):
    """Lines printed by Icarus Verilog for a stream."""
    n, bits = len(told["v"]), gates.widths(path, B, A)
    words = np.zeros(n, object)
    for name, w in bits.items():
        words = (words << w) | (told[name].astype(object) & (2**w - 1))
    (folder / "in.hex").write_text("\n".join(f"{x:x}" for x in words))
    for name, text in sources.items():
        (folder / name).write_text(text)
    (folder / "bench.v").write_text(bench(path, n))
    build = ["iverilog", "-g2005", "-o", "sim", "bench.v", *sources]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    done = subprocess.run(["vvp", "sim"], cwd=folder, capture_output=True, text=True)
    lines = [s.split() for s in done.stdout.splitlines() if re.match(r"-?\d+ \d", s)]
    return np.array(lines, np.int64).T


def vcd_toggles(text, names):
    """Changes of every one-bit wire after its first value."""
    codes = dict(re.findall(r"\$var wire\s+1 (\S+) (n\d+) \$end", text))
    seen, last = dict.fromkeys(names, 0), {}
    for line in text.split("$enddefinitions")[1].splitlines():
        if line[:1] in ("0", "1") and line[1:] in codes:
            name = codes[line[1:]]  # a glitch within one instant is written again
            seen[name] += last.get(name, line[0]) != line[0]
            last[name] = line[0]
    return seen


@yosys
@icarus
@pytest.mark.parametrize("name", ["LD-LIF, shrink", "v-LIF, 8-bit β"])
def test_icarus_agrees_on_source_and_on_toggles(name, tmp_path):
    path = gates.decay(name).whole()
    told = {k: x[-1500:] for k, x in inputs(path, seed=2).items()}
    used = {k: told[k] for k in path.inputs}
    net = gates.netlist(path, B, A)
    out, moved = gates.simulate(net, used)
    ours = np.stack([out["y"], out["fired"]])
    source = {"neuron.v": gates.SOURCE.read_text(), "top.v": gates.top(path, B, A)}
    assert np.array_equal(ran(tmp_path, source, path, told), ours)
    mine = {"net.v": as_verilog(net, gates.widths(path, B, A))}
    assert np.array_equal(ran(tmp_path, mine, path, told), ours)
    names = [f"n{out}" for _, _, out in net.cells]
    seen = vcd_toggles((tmp_path / "out.vcd").read_text(), names)
    assert [seen[name] for name in names] == moved.tolist()
