"""Layouts B and C: ledgers in closed form, from what layout A measured.

    B  words: a neuron is A adjacent columns, a ripple adder below them. One cycle adds
       a weight word to a membrane word, for the C // A neurons of a row. (near IMPULSE)
    C  adder tree: all weight rows at once, a few cycles a step whatever the spikes; the
       membranes are elsewhere (all-digital in-memory computing, near Chih et al.)

Here counts follow from layers, spikes and widths of the layout A run, for whole test
sets; the share of ones and of flips is taken over from it. `emulated` runs the layouts
themselves, on a few clips, to check that. A macro is the same 256 x 256 cells, and the
same constants price every event.
"""

from dataclasses import replace
from math import ceil, log2

from lindecay import sram
from lindecay.energy.model import Shape, rows_of
from lindecay.energy.network import Measured, measure

TREE_CYCLES = sram.layouts.TREE_CYCLES
WEIGHTS_ONLY = 3  # rows of a word macro that hold V, λ and θ


def _of(m: Measured, layer: str) -> dict[str, dict]:
    found = {r["program"]: r for r in rows_of(m.ledger) if r["layer"] == layer}
    return {"accumulate": _event(layer, "accumulate")} | found  # a layer may be silent


def _rates(row: dict) -> tuple[float, float]:
    """Share of read cells that hold 1, share of written cells that flip."""
    full = row["columns_selected"] / max(row["columns_written"], 1)  # columns in use
    ones = row["discharges"] / max(row["columns_read"] * full, 1)
    return min(ones, 1.0), row["flips"] / max(row["columns_selected"], 1)


def _event(layer: str, program: str, **counts) -> dict:
    fields = (
        "cycles macro_cycles read_rows write_rows columns_read sense_ops adder_ops "
        "columns_written columns_selected discharges flips queue_entries "
        "transport_bits sops zero_sops fired cleared clamped tree_ops transposed_bits"
    ).split()
    whole = {name: int(round(counts.get(name, 0))) for name in fields}
    return {"layer": layer, "program": program, **whole}


def _words(layer, program, n, reads, writes, cols, bits, rates, selected=None, **more):
    """n row operations, each reading and writing whole rows; `bits` columns are in use.

    Args:
        n: row operations, over all macros.
        reads, writes: rows read and written by one of them.
        bits: columns in use in one of them.
        selected: columns that the writes meant, over all; all in use by default.
    """
    ones, flips = rates
    meant = n * writes * bits if selected is None else selected
    return _event(
        layer,
        program,
        macro_cycles=n,
        read_rows=n * reads,
        write_rows=n * writes,
        columns_read=n * reads * cols,
        sense_ops=n * reads * cols,
        discharges=n * reads * bits * ones,
        columns_written=n * writes * cols,
        columns_selected=meant,
        flips=meant * flips,
        **more,
    )


def words(m: Measured) -> Measured:
    """Layout B of the same network and clips."""
    cols, rows = m.shape.cols, m.shape.rows
    times = m.shape.clips * m.shape.steps
    out, plans = [], []
    for plan in m.layers:
        of, name, N, A = _of(m, plan["name"]), plan["name"], plan["outputs"], plan["A"]
        per_row = cols // A
        groups, tiles = ceil(N / per_row), ceil(plan["inputs"] / (rows - WEIGHTS_ONLY))
        plans.append(_placed(plan, groups * tiles))
        used = N * A / groups  # columns in use in one row
        acc, dec = of["accumulate"], of["decay"]
        events = acc["queue_entries"]
        rates, steady = _rates(acc), _rates(dec)
        width = acc["macro_cycles"] / max(events, 1) / ceil(N / cols)
        crowd = acc["cycles"] / max(width, 1) * plan["row_tiles"] / max(events, 1)
        slowest = events * crowd / tiles if tiles > 1 else events
        same = {"cols": cols, "bits": used}
        add = {"adder_ops": events * N * A, "cycles": min(slowest, events)}
        add |= {k: acc[k] for k in ("queue_entries", "sops", "zero_sops")}
        out.append(
            _words(
                name, "accumulate", events * groups, 2, 1, **same, rates=rates, **add
            )
        )
        n = times * groups
        if tiles > 1:
            hops = {"transport_bits": times * (tiles - 1) * N * A}
            hops |= {"adder_ops": times * (tiles - 1) * N * A}
            hops |= {"cycles": 2 * times * ceil(log2(tiles))}
            pair = 2 * n * (tiles - 1)
            out.append(_words(name, "merge", pair, 1, 1, **same, rates=rates, **hops))
        update = (  # program, rows read, rows written, columns that a write meant
            ("decay", 2, 1, times * N * A),
            ("decay", 1, 1, dec["cleared"] * A),
            ("clamp", 1, 1, of["clamp"]["clamped"] * A),
            ("fire", 2, 0, 0),
            ("reset", 2, 1, of["fire"]["fired"] * A),
        )
        for program, reads, writes, meant in update:
            adds = times * N * A if reads == 2 else 0
            more = {"adder_ops": adds, "cycles": times, "selected": meant}
            more["fired"] = of["fire"]["fired"] if program == "fire" else 0
            out.append(
                _words(name, program, n, reads, writes, **same, rates=steady, **more)
            )
    return Measured(f"{m.name}, layout B", out, _shape(m, plans), tuple(plans), "B")


def tree(m: Measured, in_place: bool = False, toggles: float | None = None) -> Measured:
    """Layout C of the same network and clips.

    Args:
        in_place: keep the bit-serial update programs of layout A (membranes in a
            macro of their own, which the tree's sums enter by B writes).
        toggles: adder bits that toggle for one synaptic operation; by default the
            weight's bits and half the depth of the tree.
    """
    cols, rows = m.shape.cols, m.shape.rows
    times = m.shape.clips * m.shape.steps
    out, plans = [], []
    for plan in m.layers:
        of, name, N = _of(m, plan["name"]), plan["name"], plan["outputs"]
        tiles = ceil(plan["inputs"] / rows)
        across = ceil(N / (cols // plan["bits"]))
        home = ceil(N / cols) if in_place else 0
        plans.append(_placed(plan, tiles * across + home, tiles * across))
        acc = of["accumulate"]
        deep = plan["bits"] + log2(min(plan["inputs"], rows)) / 2
        deep = toggles if toggles is not None else deep
        more = {k: acc[k] for k in ("queue_entries", "sops", "zero_sops")}
        busy = {
            "cycles": TREE_CYCLES * times,
            "macro_cycles": TREE_CYCLES * times * tiles * across,
            "tree_ops": acc["sops"] * deep,
        }
        out.append(_event(name, "accumulate", **busy, **more))
        if tiles > 1:
            width = plan["bits"] + ceil(log2(plan["inputs"]))
            sent = times * (tiles - 1) * N * width
            cycles = ceil(log2(tiles)) * times
            merge = {"transport_bits": sent, "adder_ops": sent, "cycles": cycles}
            merge["macro_cycles"] = cycles * tiles * across
            out.append(_event(name, "merge", **merge))
        if in_place:
            out += _hand_over(m, plan, of, times)
    return Measured(f"{m.name}, layout C", out, _shape(m, plans), tuple(plans), "C")


def _placed(plan: dict, macros: int, trees: int | None = None) -> dict:
    """The plan of a layer on another layout's macros."""
    return plan | {"macros": macros, "trees": macros if trees is None else trees}


def _hand_over(m: Measured, plan: dict, of: dict, times: int) -> list[dict]:
    """The sum enters the membrane's columns bit by bit, then layout A's programs."""
    name, cols = plan["name"], m.shape.cols
    bits = plan["A"] - plan["f"]  # below them the sum holds zeros
    across = ceil(plan["outputs"] / cols)
    n = times * bits * across
    rates = _rates(of["accumulate"])
    more = {"adder_ops": n * cols, "cycles": times * bits}
    more["transposed_bits"] = times * bits * plan["outputs"]
    used = plan["outputs"] / across
    enter = _words(name, "enter", n, 1, 1, cols, used, rates, **more)
    kept = ("clear", "decay", "extend", "clamp", "fire", "reset")
    return [enter] + [of[program] for program in kept if program in of]


def emulated(ck, clips, layout: str) -> tuple[Measured, Measured]:
    """(emulated, closed form) of layout B, or C with the update in place."""
    basis, spec = measure(ck, clips), sram.MacroSpec(layout=layout)
    formed = words(basis) if layout == "B" else tree(basis, in_place=True)
    return measure(ck, clips, f"layout {layout}, emulated", spec), formed


def _shape(m: Measured, plans: list[dict]) -> Shape:
    return replace(m.shape, macros=sum(plan["macros"] for plan in plans))
