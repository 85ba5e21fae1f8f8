"""Real cells: Liberty, bills by hand, outputs, rows, ratios, proofs, bad input."""

import os

import numpy as np
import pytest

from lindecay.energy import (
    cellrows,
    cellsim,
    columncells,
    formal,
    gates,
    hardware,
    liberty,
    mapped,
)
from lindecay.rtl import mutants, project
from lindecay.settings import Fault
from test_energy_designs import random_clips, random_network

cells = pytest.mark.skipif(not mapped.available(), reason="no Icarus, Yosys, libraries")
yosys = pytest.mark.skipif(not gates.available(), reason="Yosys is not installed")
TINY = """library(tiny) { /* a comment */
  time_unit : "1ns"; voltage_unit : "1V"; capacitive_load_unit (1,pf);
  nom_voltage : 2.0;
  cell(INV) { area : 3; cell_leakage_power : 50;
    pin(A) { direction : input; capacitance : 0.01; }
    pin(Y) { direction : output; capacitance : 0; function : "(!A)";
      internal_power() { related_pin : "A";
        rise_power(t) { index_1 ("0, 0.1"); index_2 ("0, 1");
          values ("0.0, 1.0", \\
                  "2.0, 3.0"); }
        fall_power(t) { index_1 ("0, 0.1"); index_2 ("0, 1");
          values ("0.0, 1.0", "2.0, 3.0"); } } } }
  cell(DFFPOSX1) { area : 9; cell_leakage_power : 0;
    pin(D) { direction : input; capacitance : 0.02; }
    pin(CLK) { direction : input; capacitance : 0.03; clock : true;
      internal_power() { rise_power(t) { index_1 ("0, 1"); values ("0.5, 0.5"); } } }
    pin(Q) { direction : output; capacitance : 0; } } }
"""


def test_liberty_of_a_tiny_library_read_by_hand():
    lib = liberty.library(TINY)
    inv = lib.cells["INV"]
    assert (lib.vdd_v, inv.area, inv.leakage_nw) == (2.0, 3.0, 50.0)
    assert inv.pins["A"].pf == 0.01 and not inv.pins["A"].tables
    assert inv.pins["Y"].internal_pj(0.05, 0.5) == pytest.approx(1.5)
    assert inv.pins["Y"].internal_pj(9.0, 9.0) == 3.0  # held at the edges
    assert lib.cells["DFFPOSX1"].pins["CLK"].clock


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("", "not a Liberty"),
        (TINY[:300], "not a Liberty"),
        (TINY.replace("1,pf", "1,ff"), "units"),
        (
            TINY.replace("rise_power", "other").replace("fall_power", "x"),
            "power tables",
        ),
    ],
)
def test_a_library_that_cannot_serve_is_one_line(wrong, told):
    with pytest.raises(Fault, match=told):
        liberty.library(wrong)


def test_a_missing_library_is_one_line(tmp_path):
    with pytest.raises(Fault, match="no such library"):
        liberty.read(tmp_path / "none.lib")


@cells
def test_areas_are_those_that_yosys_reads(tmp_path):
    lib = cellsim.file("osu018", "lib")
    gates.yosys(f"read_liberty -lib {lib}; tee -o a.txt stat -liberty {lib}", tmp_path)
    found = liberty.read(lib)
    text = lib.read_text()
    for name, cell in found.cells.items():  # an oracle that reads lines, not groups
        after = text.split(f"cell ({name})", 1)[1]
        assert cell.area == float(after.split("area :", 1)[1].split(";")[0])
        assert sum(p.direction == "output" for p in cell.pins.values()) >= 1


def test_a_bill_by_hand(monkeypatch):
    lib = liberty.library(TINY)
    monkeypatch.setattr(cellsim.liberty, "read", lambda _: lib)
    net = cellsim.Net((("INV", {"A": 2, "Y": 3}),), {"v": [2]}, {"y": [3]})
    found = cellsim.bill(net, "osu018", {2: 30, 3: 20}, cycles=10)
    half, wire = 2.0**2 / 2, cellsim.WIRE_PF
    assert found.pins == pytest.approx(half * (3 * 0.01 + 2 * 0.02))
    assert found.wires == pytest.approx(half * wire * (3 * 1 + 2 * 2))
    inside = lib.cells["INV"].pins["Y"].internal_pj(0.02 + 2 * wire, 0.12)
    assert found.internal == pytest.approx(2 * inside)
    assert found.leakage == pytest.approx(50 * cellsim.CYCLE_NS * 1e-6)
    clocked = cellsim.Net((("DFFPOSX1", {"CLK": 1, "D": 2, "Q": 3}),),
                          {"clk": [1], "v": [2]}, {"y": [3]})  # fmt: skip
    found = cellsim.bill(clocked, "osu018", {2: 0, 3: 0}, cycles=10)
    assert found.clock == pytest.approx(2 * 0.5 + 2 * half * (0.03 + wire))


def test_glitches_and_settled_toggles_of_a_waveform(tmp_path):
    lines = ["$var wire 1 ! n5 $end", "$enddefinitions $end"]
    steps = {0: "0", 50: "1", 105: "0", 107: "1", 109: "0", 205: "1", 305: "0"}
    for time, bit in steps.items():
        lines += [f"#{time}", f"{bit}!"]
    (tmp_path / "out.vcd").write_text("\n".join([*lines, "#400", ""]))
    many, calm = cellsim.toggles(tmp_path / "out.vcd", 100, skip=1)
    assert many == {5: 5} and calm == {5: 3}


def stream_of(v: mapped.Variant, n=200, seed=0):
    """Random V and input; what stands still beside a unit is one value."""
    random, bits = np.random.default_rng(seed), gates.widths(v.path, v.bits, v.bits + 3)
    told = {}
    for name, w in bits.items():
        low = -(1 << (w - 1)) if name in ("v", "i") else 0
        drawn = random.integers(low, low + (1 << w), n)
        told[name] = drawn if name in ("v", "i") else np.full(n, abs(drawn[0]) // 4)
    return told


@cells
def test_cells_compute_the_integers_and_a_wrong_one_is_noticed():
    paths = {p.name: p for p in mapped.datapaths()}
    few = [mapped.Variant(paths[mapped.OURS].whole(), 8, registers=True)]
    few += [mapped.Variant(paths["two slopes"].whole(), 8)]
    few += [mapped.Variant(paths["shift-exponential, to nearest"], 8, registers=True)]
    few += [mapped.Variant(paths["v-LIF, constant β, signed digits"], 8)]
    folder = mapped.netlists(few, lambda bits: bits + 3)
    for v in few:
        text = (folder / f"{v.slug}.json").read_text()
        net, told = cellsim.Net.from_json(text), stream_of(v)
        row = mapped.measured(v, net, told)
        assert row.wrong == 0 and row.glitches_pj >= row.settled_pj > row.clock_pj
        assert (row.clock_pj > 0) == v.registers
    wrong = mapped.Variant(paths["LD-LIF, floor"], 8, registers=True)
    net = cellsim.Net.from_json((folder / f"{few[2].slug}.json").read_text())
    assert mapped.measured(wrong, net, stream_of(wrong)).wrong > 0


@cells
def test_speed_costs_area():
    path = gates.decay(cellrows.OURS)
    pair = [mapped.Variant(path, 8, timing=t) for t in mapped.SPEED]
    folder = mapped.netlists(pair, lambda bits: bits + 3)
    lib = liberty.read(cellsim.file("osu018", "lib"))
    area = []
    for v in pair:
        net = cellsim.Net.from_json((folder / f"{v.slug}.json").read_text())
        area.append(sum(lib.cells[c].area for c, _ in net.cells))
    assert area[0] < area[1]


@cells
def test_the_column_in_cells_follows_the_emulator():
    ck, clips = random_network(), random_clips(1)
    found = columncells.measured(ck, clips, "osu018", neuron=3, n=400)
    assert found["wrong"] == 0 and found["compared"] > 700
    assert found["latches"] == 3 and found["pj"] > found["clock_pj"] > 0


@yosys
def test_small_datapaths_equal_their_specification_for_all_inputs():
    assert formal.prove((4,))["proofs"] == len(mapped.datapaths())


@yosys
def test_a_wrong_decay_is_not_proved():
    text = gates.SOURCE.read_text()
    wrong = text.replace("(t[B-1] ^ s) ?", "(t[B-1] & s) ?")
    assert wrong != text
    with pytest.raises(Fault, match="Yosys failed"):
        formal.prove((4,), {"neuron.v": wrong}, (cellrows.OURS,))


@yosys
@pytest.mark.skipif(
    "LINDECAY_LONG" not in os.environ, reason="LINDECAY_LONG=1: minutes"
)
def test_every_proof_holds():
    assert formal.prove()["widths"] == 8


@yosys
def test_the_arrays_logic_has_no_latch_and_a_latch_is_noticed():
    found = project.network(mutants.subject(sizes=(40, 6)), mutants.spikes(1, 1, 40))
    kinds = formal.structure(found)
    assert sum(kinds.values()) > 100 and not any("latch" in k for k in kinds)
    with pytest.raises(Fault, match="Yosys failed"):
        formal.structure(formal.with_latch(found))


def row(name, pj, **more):
    told = dict(neuron=False, registers=False, bits=10, node="osu018")
    told |= dict(timing="relaxed", cells=5, area_um2=10.0, wrong=0)
    told |= dict(wires_pj=0.1, internal_pj=0.2, clock_pj=0.0, leakage_pj=0.0) | more
    return cellrows.Row(name, glitches_pj=2 * pj, settled_pj=pj, **told)


def test_ratios_bands_and_verdicts_by_hand():
    rows = [row(cellrows.OURS, 2.0), row(cellrows.RIVAL, 10.0)]
    rows += [row(cellrows.OURS, 2.0, bits=8), row(cellrows.RIVAL, 12.0, bits=8)]
    (band,) = cellrows.verdicts(rows, printed=5.2)
    told = {"scope": "decay alone", "ratio": 5.0, "with glitches": 5.0}
    assert band == told | {"low": 5.0, "high": 6.0, "n": 4, "allows": True}
    assert not cellrows.verdicts(rows, printed=4.9)[0]["allows"]
    moved = {r["what"]: r["factor"] for r in cellrows.spreads(rows)}
    assert moved["width"] == pytest.approx(1.2)


def test_committed_rows_read_back_and_hold_no_wrong_output(tmp_path):
    found = cellrows.read()
    (tmp_path / "rows.csv").write_text(cellrows.text(found))
    assert cellrows.read(tmp_path / "rows.csv") == found
    assert len(found) == len(mapped.plan()) and not any(r.wrong for r in found)
    assert all(r.library and r.commit for r in found)
    assert {b["scope"] for b in cellrows.verdicts(found)} == set(cellrows.SCOPES)


def test_a_broken_table_is_one_line(tmp_path):
    (tmp_path / "rows.csv").write_text("name,bits\nx,1\n")
    with pytest.raises(Fault, match="rows of real cells"):
        cellrows.read(tmp_path / "rows.csv")
    (tmp_path / "kept.json").write_text("{}")
    with pytest.raises(Fault, match="rows of the hardware"):
        hardware.read(tmp_path / "kept.json")


def test_kept_rows_of_the_hardware_differ_nowhere():
    kept = hardware.read()
    assert {r["set"] for r in kept["networks"]} == set(hardware.LABELS)
    assert not any(r["differences"] for r in kept["networks"])
    assert all(m["differences"] for m in kept["mutants"])
    assert {m["mutant"] for m in kept["mutants"]} == set(mutants.MUTANTS)


@cells
def test_a_committed_row_is_measured_again():
    ck, clips = hardware.subject("nmnist")
    if clips.source != "recordings":
        pytest.skip("no recordings here")
    v = mapped.Variant(gates.decay(cellrows.OURS), 10)
    (now,) = mapped.rows([v], ck, clips, mapped.INPUT_BITS)
    kept = next(r for r in cellrows.read() if (r.name, r.scope, r.bits, r.node)
                == (v.path.name, "decay alone", 10, "osu018"))  # fmt: skip
    assert now.settled_pj == pytest.approx(kept.settled_pj, rel=1e-3)


def test_without_cells_the_rows_are_carried(monkeypatch):
    monkeypatch.setattr(cellsim, "TECH", cellsim.TECH / "none")
    assert mapped.report()["source"] == "carried"
    with pytest.raises(Fault, match="no cells to measure"):
        mapped.report(again=True)
