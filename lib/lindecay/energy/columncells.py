"""The logic below one column in real cells: what the array's periphery costs a cycle.

`columns.v` with one column, mapped and simulated on the lines of microcode, bitlines
and bus that a trained neuron's column really saw; its latches must follow the
emulator's. A second source for three constants of the energy model.
"""

import tempfile
from pathlib import Path

import numpy as np

from lindecay import rtl, store
from lindecay.energy import cellsim, constants, gates, liberty
from lindecay.energy.cellrows import ADDER, Row
from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault

HEADLINE = (65, 1.0)  # nm, V


def netlist(node: str) -> cellsim.Net:
    """`columns` with COLS = 1 in cells of a library."""
    lib = cellsim.file(node, "lib")
    text = rtl.project.source("columns"), rtl.words.header()
    script = (
        "read_verilog columns.v; hierarchy -chparam COLS 1 -top columns; "
        "rename -top top; synth -flatten -top top; "
        f"dfflibmap -liberty {lib}; abc -liberty {lib}; opt_clean -purge; "
        "write_json out.json; "
    )
    params = {"text": text, "script": script}
    params["library"] = store.key_of({"text": lib.read_text()}, ())

    def build(folder: Path) -> None:
        for name, part in zip(("columns.v", "language.vh"), text):
            (folder / name).write_text(part)
        gates.yosys(script, folder)

    folder = store.memo("column", params, (), build)
    return cellsim.Net.from_json((folder / "out.json").read_text())


def stream(ck: Checkpoint, clips: Clips, neuron: int) -> tuple[dict, list[dict]]:
    """What one column of the home macro saw, cycle by cycle; and the emulator's frames.

    Two cycles of reset come first.
    """
    seen = rtl.waves.watched(rtl.waves.few(ck, [neuron]), clips)
    lines = [rtl.words.word(cycle, False) for cycle, _, _ in seen.cycles]
    told = {
        "line": np.array([0, 0, *lines], object),
        "a": [0, 0, *(int(f["A"] or 0) for f in seen.frames)],
        "b": [0, 0, *(int(f["B"] or 0) for f in seen.frames)],
        "bus": [0, 0, *(0 if x is None else int(x[0]) for _, _, x in seen.cycles)],
        "broadcast": [0, 0, *(bit for _, bit, _ in seen.cycles)],
        "rst": [1, 1] + [0] * len(lines),
        "on": [1, 1] + [1] * len(lines),
    }
    return {k: np.array(x, object) for k, x in told.items()}, seen.frames


def measured(ck: Checkpoint, clips: Clips, node: str, neuron: int = 0, n=1500) -> dict:
    """Energy of one column and cycle; latches compared with the emulator's frames.

    Raises:
        Fault: a tool is missing.
    """
    if not (cellsim.available(node) and gates.available()):
        raise Fault("no cells to measure", expected=f"Icarus, Yosys, {node}", found="-")
    net = netlist(node)
    told, frames = stream(ck, clips, neuron)
    told = {k: x[:n] for k, x in told.items()}
    with tempfile.TemporaryDirectory() as folder:
        moves = cellsim.simulate(net, node, told, Path(folder))
    ports, wrong, compared = list(net.outputs), 0, 0
    for key in ("T", "G"):
        mine = moves.outputs[3:, ports.index(key)]  # after the first line's clock
        right = [int(f[key]) for f in frames[: len(mine)]]
        compared += len(right)
        wrong += int((mine != np.array(right)).sum())
    spent = cellsim.bill(net, node, moves.glitchy, moves.cycles)
    lib = liberty.read(cellsim.file(node, "lib"))
    area = sum(lib.cells[cell].area for cell, _ in net.cells)
    flops = sum(cell.startswith("DFF") for cell, _ in net.cells)
    return {
        "node": node,
        "cells": len(net.cells),
        "latches": flops,
        "area_um2": area,
        "cycles": moves.cycles,
        "compared": compared,
        "wrong": wrong,
        "pj": spent.pj,
        "clock_pj": spent.clock,
        "logic_pj": spent.pj - spent.clock - spent.leakage,
    }


def down(pj: float, node: str) -> float:
    """An energy at 65 nm and 1.0 V: in proportion to length and to V squared.

    Constant-field scaling, an assumption: the fits that the model uses end at 130 nm.

    >>> round(down(1.0, "osu018"), 3)
    0.111
    """
    vdd = {"osu018": 1.8, "osu035": 3.3}[node]
    nm, volt = HEADLINE
    return pj * nm / cellsim.NODE_NM[node] * (volt / vdd) ** 2


def second_sources(rows: list[Row], columns: list[dict]) -> list[dict]:
    """Constants of the model beside what the cells say, both at 65 nm and 1.0 V, in fJ.

    `agrees`: the cells' value lies in the constant's own spread.
    """
    table = constants.load()
    out = []
    for node in ("osu018", "osu035"):
        found = [r for r in rows if r.name == ADDER and r.node == node]
        adder = {r.bits: r for r in found}
        if adder:
            bits = 8 if 8 in adder else min(adder)
            told = down(adder[bits].glitches_pj, node) * 8 / bits
            out.append(_beside("add8", table, told, node))
        for column in columns:
            if column["node"] == node:
                told = down(column["clock_pj"], node)
                out.append(_beside("clock_column", table, told, node))
                per = down(column["clock_pj"] / column["latches"], node)
                out.append(_beside("register_bit", table, per / 2, node))
    return out


def _beside(key: str, table: dict, pj: float, node: str) -> dict:
    value, low, high = (1e3 * x for x in table[key].headline())
    return {
        "constant": key,
        "library": node,
        "model (fJ)": value,
        "low": low,
        "high": high,
        "cells (fJ)": 1e3 * pj,
        "agrees": bool(low <= 1e3 * pj <= high),
    }
