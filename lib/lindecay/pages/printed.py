"""Chapter 08b: the printed ranges, the module, the gates, the maps, in tables."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from lindecay.arms import PRODUCT, SHIFT
from lindecay.energy import gates, maps, metrics, network, ranges, toggles
from lindecay.energy import uncertainty as doubt
from lindecay.energy.answers import Answer
from lindecay.energy.compare import Design
from lindecay.figures import EXP, GREEN, LIN
from lindecay.plots import Look
from lindecay.results import number

LOOKS = {
    "raw": Look(LIN, "", "s"),
    "scaled": Look(GREEN, "", "D", open=True),
    "A": Look(LIN),
    "C": Look(GREEN, "-."),
    "exponential": Look(EXP, "", "o"),
    "linear": Look(LIN, "", "s"),
    "shift": Look(GREEN, "", "^"),
}
CHIPS = {  # as their authors write them; others in capitals
    "loihi": "Loihi",
    "truenorth": "TrueNorth",
    "spinnaker2": "SpiNNaker2",
    "anpi": "ANP-I",
    "anpg": "ANP-G",
    "tianjic": "Tianjic",
    "reckon": "ReckOn",
}
CONSTANTS = {  # what a key of the table of constants stands for
    "bitline_cell": "bitline, a cell",
    "clock_mhz": "clock",
    "control_cycle": "control, a cycle",
    "hop_mm": "edge of a macro",
    "leakage_macro": "leakage of a macro",
    "read_swing": "swing of a read",
    "register_bit": "bit of a register",
    "wire_mm": "wire, a mm",
    "write_toggle": "toggles of a write",
}
GATES = {  # id: datapath, scope
    "decay8": (PRODUCT, "decay alone"),
    "decay16": ("v-LIF, 16-bit β", "decay alone"),
    "neuron8": (PRODUCT, "neuron"),
    "neuron16": ("v-LIF, 16-bit β", "neuron"),
    "shift_decay": (SHIFT, "decay alone"),
    "shift_neuron": (SHIFT, "neuron"),
}


def scoped(found: Iterable[Answer], begin: str, name: str) -> pd.DataFrame:
    """One claim in every scope: value and interval, a row a scope."""
    kept = [a for a in found if a.id.startswith(begin)]
    return pd.DataFrame(
        {
            "scope": a.note.split("; over")[0],
            name: round(float(a.value), 2),
            "low": a.interval[0],
            "high": a.interval[1],
        }
        for a in kept
    )


def ends(found: Iterable[Answer], chips: Mapping, keys=("anpi_sop", "loihi_sop")):
    """pJ/SOP of every scope beside the two ends that it gives."""
    table = scoped(found, "energy.sop_pj.", "pJ/SOP")
    for key in keys:
        gain = chips[key].value / table["pJ/SOP"]
        table[f"{key.removesuffix('_sop')} over ours"] = gain.round(2)
    return table


def chip_rows(chips: Iterable, ours_pj: float) -> pd.DataFrame:
    """Comparators raw and scaled, over our energy of an operation."""
    return pd.DataFrame(_chip(chip, ours_pj) for chip in chips)


def _chip(chip, ours: float) -> dict:
    value, low, high = chip.headline()
    key = chip.key.removesuffix("_sop")
    scaled = chip.scale == "energy"
    return {
        "chip": CHIPS.get(key, key.upper()),
        "node, nm": chip.node_nm,
        "supply, V": chip.vdd_V,
        "how": chip.kind,
        "what it counts": chip.note,
        "raw pJ": chip.value,
        "raw ratio": round(chip.value / ours, 2),
        "scaled ratio": round(value / ours, 2) if scaled else None,
        "scaled low": round(low / ours, 2) if scaled else None,
        "scaled high": round(high / ours, 2) if scaled else None,
        "verified": chip.verified,
    }


def pair_numbers(chips, cited, printed: tuple[str, str]) -> dict:
    """The pair of cited chips that fits one energy of ours, and what contradicts it."""
    best, every = ranges.pairs(cited, printed)[0], ranges.pairs(chips, printed)
    against = ranges.contradictions(chips, best, printed)
    told = {
        f"energy.sop_against_{k}": number(against[f"{k}_sop"], digits=2)
        for k in ("truenorth", "anpg")
    }
    return told | {"energy.sop_pairs": len(every)}


def workloads(acc: Mapping[str, float], pairs: Mapping[str, tuple]) -> pd.DataFrame:
    """Ratio of sequential to parallel update over spikes a neuron and step."""
    s = np.geomspace(0.1, 1000, 200)
    told = {
        k: ranges.over_workloads(acc[k], float(a.update), float(b.update), s)
        for k, (a, b) in pairs.items()
    }
    return pd.DataFrame({"spikes": s} | told)


def workload_numbers(acc: float, pairs: Mapping[str, tuple], low: str) -> dict:
    """The ceilings, and the spikes at which layout A reaches the low end."""
    one, other = pairs["A"]
    most = {k: float(a.update / b.update) for k, (a, b) in pairs.items()}
    need = ranges.spikes_for(float(low), acc, float(one.update), float(other.update))
    told = {f"energy.most_{k.lower()}": number(x, digits=1) for k, x in most.items()}
    return told | {"energy.spikes_low_end": number(need, digits=0)}


def gate_rows(found: list) -> pd.DataFrame:
    """Ratios of the gate-level sweep, with the family that a row belongs to."""
    rows = pd.DataFrame(toggles.ratios(found))
    rows["family"] = [_family(name) for name in rows["datapath"]]
    return rows[rows["datapath"] != toggles.OURS]


def _family(name: str) -> str:
    return "linear" if "LD" in name else "exponential" if "v-LIF" in name else "shift"


def gate_numbers(rows: pd.DataFrame, found: list) -> dict:
    """The ratios that the text names, with their spread over widths and delays."""
    by = {(r["datapath"], r["scope"]): r for r in rows.to_dict("records")}
    widths = sorted({row.bits for row in found})
    told = {"energy.gates_widths": f"{widths[0]} to {widths[-1]}"}
    for id, key in GATES.items():
        row = by[key]
        band = (round(row["low"], 1), round(row["high"], 1))
        told[f"energy.gates_{id}"] = number(
            row["ratio"],
            digits=1,
            interval=band,
            source="recordings",
            note="committed sweep",
        )
    return told


def metric_rows(scores: Mapping[str, float], low: float, high: float) -> pd.DataFrame:
    """Every candidate metric with our value, and whether the printed range holds it."""
    words = metrics.listed()
    return pd.DataFrame(
        {
            "metric": words[k],
            "ours": round(x, 2),
            "within the range": "yes" if low <= x <= high else "no",
        }
        for k, x in scores.items()
    )


def tornado(asked: Mapping, constants, most: int = 6) -> pd.DataFrame:
    """Each quantity at both ends of the constants that move it most."""
    return pd.DataFrame(
        {
            "claim": name,
            "constant": CONSTANTS.get(bar.key, bar.key.replace("_", " ")),
            "start": min(bar.at_low, bar.at_high),
            "wide": abs(bar.at_high - bar.at_low),
        }
        for name, (f, _) in asked.items()
        for bar in doubt.tornado(f, constants)[:most]
    )


def map_numbers(grid: pd.DataFrame, prior, window: tuple[float, float]) -> dict:
    """How special a design is whose energy gives both printed ends."""
    inside = maps.share_within(prior, *window)
    fakes = maps.fake_shares(prior, *window)
    near = (np.log(grid["pJ/SOP"] / np.mean(window))).abs().idxmin()
    spot = grid.loc[near]
    nearest = (
        f"{spot.B:.0f} bits, {spot.s:.0f} spikes, {spot.N:.0f} neurons, "
        f"{spot.rows:.0f} rows: {spot['pJ/SOP']:.2f} pJ"
    )
    better = 100 * float(np.mean(fakes >= inside))
    wide = grid["row-wide over in-array"]
    return {
        "energy.map_points": len(grid) * len(maps.SUPPLIES),
        "energy.map_share": number(100 * inside, digits=2),
        "energy.map_fake": number(100 * float(fakes.mean()), digits=2),
        "energy.map_fake_better": number(better, digits=0),
        "energy.map_nearest": nearest,
        "energy.map_module_low": number(grid.module.min(), digits=1),
        "energy.map_module_high": number(grid.module.max(), digits=1),
        "energy.map_wide_low": number(wide.min(), digits=2),
        "energy.map_wide_high": number(wide.max(), digits=2),
        "energy.map_wide_wins": number(100 * float((wide < 1).mean()), digits=0),
    }


def supplies(trio: tuple[Design, Design, Design], volts) -> pd.DataFrame:
    """pJ/SOP, word-sequential and row-wide over in-array, over the supply."""
    rows = []
    for vdd in volts:
        ours, seq, wide = (maps.at_supply(d, float(vdd)) for d in trio)
        over = {"word by word": seq, "row by row": wide}
        own = {"V": float(vdd), "pJ/SOP": float(ours.sop)}
        rows.append(own | {k: float(d.update / ours.update) for k, d in over.items()})
    return pd.DataFrame(rows)


def supply_numbers(line: pd.DataFrame, needed: Mapping[str, float]) -> dict:
    """At which supply the frozen network reaches what the printed ends need."""
    told = {}
    for key, pj in needed.items():
        fits = line.V[line["pJ/SOP"] <= pj]
        says = "at no supply of this range"
        told[f"energy.supply_{key}"] = (
            f"at {fits.max():.2f} V and below" if len(fits) else says
        )
    for key, column in (("module", "word by word"), ("sop", "pJ/SOP")):
        span = [float(line[column].min()), float(line[column].max())]
        told[f"energy.supply_{key}"] = number(span, digits=1)
    return told


def compared(ck, clips, ours) -> str:
    """In words: the netlist of LD-LIF against the integer network, on its membranes."""
    told = toggles.streams(network.under(ck, "shrink"), clips)
    path = gates.decay(toggles.OURS).whole()
    net = gates.netlist(path, ck.B, ours.layers[0]["A"])
    out, _ = gates.simulate(net, {k: told[k] for k in path.inputs})
    wrong = sum(int((out[k] != told[k]).sum()) for k in ("y", "fired"))
    return f"compared here on {len(told['v']):,} membranes: {wrong} differences"
