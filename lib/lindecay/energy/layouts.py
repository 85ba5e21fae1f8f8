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

from math import ceil, log2

from lindecay import sram
from lindecay.energy.model import Shape, rows_of
from lindecay.energy.network import Measured, measure

TREE_CYCLES = 3  # of one pass through a pipelined adder tree
WEIGHTS_ONLY = 3  # rows of a word macro that hold V, λ and θ


def _of(m: Measured, layer: str) -> dict[str, dict]:
    return {r["program"]: r for r in rows_of(m.ledger) if r["layer"] == layer}


def _rates(row: dict) -> tuple[float, float]:
    """Share of read cells that hold 1, share of written cells that flip."""
    full = row["columns_selected"] / max(row["columns_written"], 1)  # columns in use
    ones = row["discharges"] / max(row["columns_read"] * full, 1)
    return min(ones, 1.0), row["flips"] / max(row["columns_selected"], 1)


def _event(layer: str, program: str, **counts) -> dict:
    fields = (
        "cycles macro_cycles read_rows write_rows columns_read sense_ops adder_ops "
        "columns_written columns_selected discharges flips queue_entries "
        "transport_bits sops zero_sops fired cleared clamped tree_ops"
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
    out, macros = [], 0
    for plan in m.layers:
        of, name, N, A = _of(m, plan["name"]), plan["name"], plan["outputs"], plan["A"]
        per_row = cols // A
        groups, tiles = ceil(N / per_row), ceil(plan["inputs"] / (rows - WEIGHTS_ONLY))
        macros += groups * tiles
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
    shape = _shape(m, macros)
    return Measured(f"{m.name}, layout B", out, shape, m.layers)


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
    out, macros = [], 0
    for plan in m.layers:
        of, name, N = _of(m, plan["name"]), plan["name"], plan["outputs"]
        tiles = ceil(plan["inputs"] / rows)
        across = ceil(N / (cols // plan["bits"]))
        macros += tiles * across
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
            merge = {"transport_bits": sent, "tree_ops": sent, "cycles": times}
            out.append(_event(name, "merge", **merge))
        if in_place:
            out += _hand_over(m, plan, of, times)
            macros += ceil(N / cols)
    return Measured(f"{m.name}, layout C", out, _shape(m, macros), m.layers)


def _hand_over(m: Measured, plan: dict, of: dict, times: int) -> list[dict]:
    """The sum enters the membrane's columns bit by bit, then layout A's programs."""
    name, A, cols = plan["name"], plan["A"], m.shape.cols
    across = ceil(plan["outputs"] / cols)
    n = times * A * across
    rates = _rates(of["accumulate"])
    more = {"adder_ops": n * cols, "cycles": times * A}
    used = plan["outputs"] / across
    enter = _words(name, "merge", n, 1, 1, cols, used, rates, **more)
    kept = ("clear", "decay", "extend", "clamp", "fire", "reset")
    return [enter] + [of[program] for program in kept if program in of]


def emulated(ck, clips, layout: str) -> tuple[Measured, Measured]:
    """(emulated, closed form) of layout B, or C with the update in place.

    The tree's additions have no counter of their own in the emulator, which hands sums
    over whole: they are the closed form's, from the emulated operations.
    """
    basis = measure(ck, clips)
    run = sram.emulate(ck, clips, sram.MacroSpec(layout=layout), record=False)
    rows = [row | {"tree_ops": 0} for row in run.ledger.to_rows()]
    formed = words(basis) if layout == "B" else tree(basis, in_place=True)
    if layout == "C":
        for row in rows:
            same = (r for r in formed.ledger if _place(r) == _place(row))
            row["tree_ops"] = sum(r.get("tree_ops", 0) for r in same)
    shape = _shape(basis, run.mapping.macros)
    return Measured(f"layout {layout}, emulated", rows, shape, basis.layers), formed


def _place(row: dict) -> tuple[str, str]:
    return row["layer"], row["program"]


def _shape(m: Measured, macros: int) -> Shape:
    told = {k: getattr(m.shape, k) for k in m.shape.__dataclass_fields__}
    return Shape(**(told | {"macros": macros}))
