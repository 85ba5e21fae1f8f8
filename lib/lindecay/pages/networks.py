"""Chapter 07: where layers lie, the parts of a step, and what constant time costs."""

from collections.abc import Iterable, Mapping

import pandas as pd

from lindecay.results import number
from lindecay.sram import MacroSpec, closed_forms, traffic
from lindecay.sram import Mapping as Place

PARTS = ("update", "merge", "accumulate")
SHARES = {"A": "a", "C in place": "c_in", "C word by word": "c_word"}
UPDATES = {  # column of closed_forms.at_equal_area: what a figure calls it
    "in the array": "in the array",
    "row by row": "row by row",
    "word": "a unit a macro",
    "word, one unit in all": "one unit",
}


def layers(runs: Mapping, titles: Mapping[str, str]) -> pd.DataFrame:
    """Where each layer of each network lies, one row a layer."""
    return pd.DataFrame(
        {"network": titles[name]} | row
        for name, run in runs.items()
        for row in run.mapping.to_rows()
    )


def flow(nets: Mapping, runs: Mapping, titles: Mapping[str, str]) -> pd.DataFrame:
    """What each layer does in a step: shares, cycles, queues (see `sram.traffic`)."""
    return pd.DataFrame(
        {"network": titles[name]} | row
        for name, run in runs.items()
        for row in traffic(*nets[name], run)
    )


def in_cycles(flow: pd.DataFrame) -> pd.DataFrame:
    """Cycles of a mean step by part, one row a layer, for stacked bars."""
    table = pd.DataFrame({"layer": flow["network"] + " " + flow["layer"]})
    for part in PARTS:
        table[part] = flow[part] * flow["cycles a step"]
    return table.assign(**{"slowest step": flow["slowest step"]})


def place_numbers(place: Place, spec: MacroSpec) -> dict:
    """Macros of a network and the share of their cells that are used."""
    used = sum(layer.cells_used for layer in place.layers)
    held = place.macros * spec.rows * spec.cols
    last = place.layers[-1].utilisation
    return {
        "networks.macros": place.macros,
        "networks.rows": spec.rows,
        "networks.cols": spec.cols,
        "networks.cells_used": number(100 * used / held, digits=0, unit="%"),
        "networks.output_used": number(100 * last, digits=0, unit="%"),
    }


def equal(proofs: Mapping[str, dict], titles: Mapping[str, str]) -> pd.DataFrame:
    """What happened in each layer while nothing differed."""
    return pd.DataFrame(
        {"network": titles[name], "clips": proof["clips"]} | layer
        for name, proof in proofs.items()
        for layer in proof["layers"]
    )


def proof_numbers(proofs: Mapping[str, dict]) -> dict:
    """States compared over all networks, and those that differ."""
    kinds = ("membranes_compared", "spikes_compared")
    compared = sum(proof[kind] for proof in proofs.values() for kind in kinds)
    wrong = sum(proof["differences"] for proof in proofs.values())
    return {"networks.compared": compared, "networks.differences": wrong}


def step_numbers(flow: pd.DataFrame, title: str, place: Place, source: str) -> dict:
    """The first hidden layer's step, and a clip through the whole network `title`."""
    first, mine = flow.iloc[0], flow[flow.network == title]
    stamp = dict(digits=0, unit="%", source=source)
    shares = {
        f"networks.{part}_share": number(100 * first[part], **stamp) for part in PARTS
    }
    return shares | {
        "networks.step": number(first["cycles a step"], digits=0),
        "networks.slowest": first["slowest step"],
        "networks.deepest": first["deepest queue"],
        "networks.clip": number(mine["cycles a clip"].sum(), digits=0),
        "networks.macro_rows": place.layers[0].row_tiles,
    }


def share_numbers(by_size: pd.DataFrame) -> dict:
    """The share of the update at both ends of N; one number where it is level."""
    at = by_size.set_index(["design", "neurons"]).share
    ends = [int(by_size.neurons.min()), int(by_size.neurons.max())]
    found = {}
    for design, key in SHARES.items():
        here = [100 * float(at[design, n]) for n in ends]
        value = here[0] if abs(here[0] - here[1]) < 1 else here
        found[f"networks.share_{key}"] = number(value, digits=0, unit="%")
    return found | {
        "networks.share_smallest": ends[0],
        "networks.share_largest": ends[1],
    }


def at_equal_area(sizes: Iterable[int], plan) -> pd.DataFrame:
    """Cycles of one update against neurons when each design gets the same macros."""
    return pd.DataFrame(
        {"neurons": n, **closed_forms.at_equal_area(n, plan.B, plan.A)} for n in sizes
    )


def constant_numbers(whole: pd.DataFrame, equal: pd.DataFrame, there: int) -> dict:
    """Both ends of the lines of whole steps, and the updates at equal area."""
    last = equal.iloc[-1]
    return {
        "networks.sizes": [int(whole.neurons.iloc[k]) for k in (0, -1)],
        "networks.macros_bought": _ends(whole, "macros"),
        "networks.step_enough": _ends(whole, "enough macros")[-1],
        "networks.step_budget": _ends(whole, f"{there} macros"),
        "networks.step_one": _ends(whole, "one macro"),
        "networks.there": there,
        "networks.area_array": int(last["in the array"]),
        "networks.area_row": int(last["row by row"]),
        "networks.area_word": int(last["word"]),
        "networks.area_unit": int(last["word, one unit in all"]),
    }


def _ends(table: pd.DataFrame, column: str) -> list[int]:
    return [round(float(table[column].iloc[k])) for k in (0, -1)]


def yours(report: dict) -> pd.DataFrame:
    """Spikes and agreement (per cent) of each layer of a network of one's own."""
    keys = ["name", "neurons", "law", "spikes", "spikes_float", "agreement"]
    table = pd.DataFrame(report["layers"])[keys]
    return table.assign(agreement=(100 * table["agreement"]).round(2))


def yours_numbers(report: dict, place: Place) -> dict:
    """States compared, differences, macros and the smallest agreement."""
    return {
        "networks.yours_compared": report["compared"],
        "networks.yours_differences": report["differences"],
        "networks.yours_macros": place.macros,
        "networks.yours_agree": number(yours(report)["agreement"].min(), digits=1),
    }


def nir_numbers(kept: dict, bits: int = 4) -> dict:
    """What chapter 07 says of the NIR paper's network; `bits` of its weights."""
    rows = kept["rows"]
    one = next(r for r in rows if (r["reset"], r["weight_bits"]) == ("zero", bits))
    shown = kept["published"].values()
    return {
        "networks.nir.clips": one["clips"],
        "networks.nir.states": one["states_compared"],
        "networks.nir.differences": sum(row["differences"] for row in rows),
        "networks.nir.bits": bits,
        "networks.nir.array": number(100 * one["accuracy_array"], digits=0, unit="%"),
        "networks.nir.float": number(100 * one["accuracy_float"], digits=0, unit="%"),
        "networks.nir.lowest": number(min(shown), digits=1),
        "networks.nir.highest": number(max(shown), digits=1),
    }
