"""Chapter 06: the array's equality, the cycles of an update, the parts of a step."""

from collections.abc import Mapping

import pandas as pd

from lindecay.results import number
from lindecay.sram import MacroSpec, closed_forms, growth, ledger, mutants

PARTS = {
    "update": ledger.UPDATE,
    "merging": ["merge"],
    "accumulation": ["accumulate"],
}
DESIGNS = {  # of growth.DESIGNS: the end of a number's id
    "A": "a",
    "B": "b",
    "C in place": "c_place",
    "C row-wide": "c_row",
    "C word by word": "c_word",
}
LEDGER = ["layer", "program", "cycles", "macro_cycles"]
LEDGER += ["read_rows", "write_rows", "discharges", "flips"]


def mapping_numbers(place, spec: MacroSpec) -> dict:
    """Rows, columns, macros, and the rows of a membrane in the first layer."""
    plan = place.layers[0]
    return {
        "array.columns": spec.cols,
        "array.rows": spec.rows,
        "array.membrane_bits": plan.B,
        "array.membrane_rows": plan.A,
        "array.macros": place.macros,
        "array.row_tiles": plan.row_tiles,
    }


def proof_numbers(report: dict) -> dict:
    """States compared by `prove.prove`, those that differ, clips, parties."""
    kinds = ("membranes_compared", "spikes_compared")
    stamp = dict(source=report["source"], n=report["clips"], seeds=[0])
    return {
        "array.compared": number(sum(report[kind] for kind in kinds), **stamp),
        "array.differences": number(report["differences"], **stamp),
        "array.clips": number(report["clips"], source=report["source"]),
        "array.parties": len(report["parties"]),
    }


def mutants_table(found: Mapping[str, list[int]], layers: list[str]) -> pd.DataFrame:
    """States that differ, one row a mutant, one column a layer that it breaks."""
    return pd.DataFrame(
        {"mutant": name, **dict(zip(layers, wrong))} for name, wrong in found.items()
    )


def mutants_numbers(found: Mapping[str, list[int]], clips) -> dict:
    """How many mutants there are, and how many are caught in every layer."""
    caught = sum(all(wrong) for wrong in found.values())
    return {
        "array.mutants": len(found),
        "array.mutants_caught": number(caught, n=len(found), source=clips.source),
        "array.mutant_clips": len(clips),
    }


def by_neurons(ck, clips, sizes: list[int], spec: MacroSpec, bits: int) -> pd.DataFrame:
    """Cycles of an update against neurons: ledger, and closed forms of two rivals.

    Args:
        bits: width of a membrane word, for the unit that updates a row at a time.
    """
    table = pd.DataFrame(growth.growth(ck, clips, sizes))
    table["word by word"] = [closed_forms.word_sequential_cycles(n) for n in sizes]
    rows = [closed_forms.row_wide_cycles(n, bits, spec.cols) for n in sizes]
    return table.assign(**{"row by row": rows})


def growth_numbers(table: pd.DataFrame, plan, cols: int) -> dict:
    """The lines of `growth` as pairs [N, cycles], and where the rivals cross.

    Raises AssertionError where the ledger leaves the closed form.
    """
    form = closed_forms.update_cycles(plan.B, plan.A)
    assert set(table["update"]) == {form}
    for n, cycles in _pairs(table, "update, one macro"):
        assert closed_forms.on_one_macro(form, n, cols) == cycles, n
    wide = closed_forms.row_wide_cycles
    return {
        "array.update_cycles": _pairs(table, "update"),
        "array.update_cycles_macro": _pairs(table, "update, one macro"),
        "array.update_cycles_sequential": _pairs(table, "word by word"),
        "array.update_cycles_row_wide": _pairs(table, "row by row"),
        "array.update_closed_form": form,
        "array.accumulate_cycles_per_event": _pairs(table, "cycles per spike"),
        "array.cycles_per_spike": int(table["cycles per spike"][0]),
        "array.smallest": int(table.neurons.iloc[0]),
        "array.largest": int(table.neurons.iloc[-1]),
        "array.row_wide_crossing": next(
            n for n in range(1, 4097) if wide(n, plan.B) > form
        ),
        "array.sequential_crossing": form + 1,  # a cycle a word
        "array.row_wide_at_hidden": wide(plan.outputs, plan.B),
        "array.neurons": plan.outputs,
    }


def _pairs(table: pd.DataFrame, column: str) -> list[list[int]]:
    return [[int(n), int(c)] for n, c in zip(table.neurons, table[column])]


def parts_of_step(counts, layers: list[str], steps: int, field: str) -> pd.DataFrame:
    """Mean count of a step by layer and part: "cycles" (time) or "macro_cycles" (work).

    Args:
        counts: the ledger of a run.
        steps: clips x steps that it holds.
    """
    rows = []
    for layer in layers:
        row = {"layer": layer, "counted": field.replace("_", "-")}
        for part, programs in PARTS.items():
            row[part] = sum(counts[layer, p][field] for p in programs) / steps
        rows.append(row)
    return pd.DataFrame(rows)


def step_numbers(time: pd.DataFrame, work: pd.DataFrame, run, clips) -> dict:
    """Shares of the first layer's parts in time and in work, events, operations."""
    total = run.ledger.total()
    stamp = dict(digits=0, unit="%", source=clips.source)
    events = len(clips.channel) / (len(clips) * clips.steps)
    zero = 100 * total.zero_sops / total.sops
    return {
        "array.update_share": number(_percent(time, "update"), **stamp),
        "array.merge_share": number(_percent(time, "merging"), **stamp),
        "array.update_share_work": number(_percent(work, "update"), **stamp),
        "array.events_a_step": number(events, digits=0, source=clips.source),
        "array.sops": number(total.sops, source=clips.source),
        "array.zero_sops_share": number(zero, **stamp),
    }


def _percent(table: pd.DataFrame, part: str) -> float:
    first = table.iloc[0]
    return 100 * first[part] / sum(first[p] for p in PARTS)


def design_numbers(shares: pd.DataFrame, events: int) -> dict:
    """Share of the update and cycles of a step in each design at so many spikes."""
    busy = shares[shares.events == events].set_index("design")
    whole = busy[["update", "accumulate", "merge"]].sum(axis=1)
    found = {}
    for name, key in DESIGNS.items():
        share = number(100 * busy.share[name], digits=0, unit="%", n=events)
        found[f"array.share.{key}"] = share
        cycles = number(float(whole[name]), digits=0, unit="cycles")
        found[f"array.step.{key}"] = cycles
    return found


def ledger_table(run) -> pd.DataFrame:
    """Counts by layer and program."""
    return pd.DataFrame(run.ledger.to_rows())[LEDGER]


def times_as_long(run, other, layer: str, program: str) -> float:
    """Cycles of a program in one run over those in another with equal membranes.

    Raises AssertionError where the two runs are not the same network.
    """
    assert not any(mutants.differences(run.trace, other.trace))
    return run.ledger[layer, program].cycles / other.ledger[layer, program].cycles


def decay_cycles(plan, beta: int, bits: int) -> dict[str, int]:
    """Cycles of a decay in the cells: β/2^bits in binary and signed digits, and two
    leaks that need no multiplier."""
    form, B, A = closed_forms.decay_cycles, plan.B, plan.A
    return {
        "exponential_decay": form("exponential", B, A, beta, bits, False),
        "exponential_decay_signed": form("exponential", B, A, beta, bits, True),
        "linear_decay": form("shrink", B, A),
        "shift_decay": form("shift", B, A),
    }


def layer_names(ck) -> list[str]:
    """The layers of a checkpoint, by name.

    >>> from types import SimpleNamespace as One
    >>> layer_names(One(layers=[One(name="fc1"), One(name="fc2")]))
    ['fc1', 'fc2']
    """
    return [layer.name for layer in ck.layers]
