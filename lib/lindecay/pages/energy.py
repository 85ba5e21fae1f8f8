"""Chapter 08: the bill of every network, the rivals, the bottleneck, the constants."""

from collections.abc import Mapping

import pandas as pd

from lindecay.arms import ARMS, LINEAR, PRODUCT, SHIFT
from lindecay.energy import bills, calibrate, compare, scopes, sources
from lindecay.energy.answers import Answer
from lindecay.energy.compare import Design
from lindecay.energy.model import LEAKAGE, Bill
from lindecay.figures import GREEN, PURPLE
from lindecay.plots import Look
from lindecay.results import number
from lindecay.settings import Fault

TINTS = {
    "ours": Look(GREEN),
    "the tool's": Look(PURPLE),
    "silicon": Look(PURPLE),
}
TOOLS = 3  # first rows of `calibrate.explained` that are CACTI's own bill


def table_of(rows: list[dict], arm: str = "ldlif") -> pd.DataFrame:
    """The bill of one arm, a line for each network, layout and update."""
    kept = [row for row in rows if row["arm"] == arm]
    return pd.DataFrame(bills.brief(kept)).drop(columns="arm")


def arms(rows: list[dict]) -> pd.DataFrame:
    """Every arm in the default layout: accuracy beside joules and time."""
    kept = [r for r in rows if (r["layout"], r["update"]) == ("A", "in place")]
    told = pd.DataFrame(bills.brief(kept)).drop(columns=["layout", "update"])
    return told.assign(arm=[ARMS[arm].label for arm in told.arm])


def parts(rows: list[dict], network: str = "MLP-1") -> pd.DataFrame:
    """µJ a clip of LD-LIF by layout and update: update, the rest, what leaks."""
    by = {}
    for row in rows:
        if (row["network"], row["arm"]) == (network, "ldlif") and not row["reason"]:
            place = f"{row['layout']}, {row['update']}"
            by.setdefault(place, {})[row["leakage"]] = row
    return pd.DataFrame(_parts(place, told) for place, told in by.items())


def _parts(place: str, by: dict) -> dict:
    bare, whole = by["none"], by["always on"]
    update = bare["uj_per_clip"] * bare["update_share_energy"]
    return {
        "design": place,
        "update": update,
        "accumulation": bare["uj_per_clip"] - update,
        "leakage": whole["uj_per_clip"] - bare["uj_per_clip"],
    }


def bill_numbers(rows: list[dict]) -> dict:
    """How many rows, how many have a reason instead, and the best of MLP-1."""
    once = [r for r in rows if r["leakage"] == "always on"]
    billed = [r for r in once if not r["reason"]]
    own = [r for r in billed if (r["network"], r["arm"]) == ("MLP-1", "ldlif")]
    own = own or billed
    best = min(own, key=lambda r: r["uj_per_clip"])
    return {
        "energy.bill_rows": len(once),
        "energy.bill_missing": len(once) - len(billed),
        "energy.bill_best": f"layout {best['layout']}, {best['update']}",
        "energy.bill_best_uj": number(best["uj_per_clip"], digits=2),
        "energy.bill_best_us": number(best["us_per_clip"], digits=1),
        "energy.bill_best_idle": number(
            best["idle_uj_per_clip"] / best["uj_per_clip"], digits=0
        ),
    }


def real_time(rows: list[dict]) -> pd.DataFrame:
    """What a sensor allows: how busy an array is in bins of 1 and 10 ms."""
    kept = [r for r in rows if r["leakage"] == "always on" and not r["reason"]]
    kept = [r for r in kept if r["arm"] == "ldlif" and r["update"] != "word by word"]
    return pd.DataFrame(
        {
            "network": r["network"],
            "layout": r["layout"],
            "update": r["update"],
            "µs a step": round(r["us_per_step"], 2),
            "busy in 1 ms, %": round(100 * r["us_per_step"] / 1e3, 2),
            "busy in 10 ms, %": round(100 * r["us_per_step"] / 1e4, 3),
            "leaks while idle, mW": round(r["idle_mw"], 2),
            "work a clip, µJ": round(r["uj_per_clip"], 2),
            "waiting a clip, µJ": round(r["idle_uj_per_clip"]),
            "slowest tile": round(r["slowest_tile_over_mean"], 2),
        }
        for r in kept
    )


def breakdown(bill: Bill) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shares of a clip in per cent: by part, and by program."""
    both = bill.parts(), bill.by_program()
    return tuple(
        pd.DataFrame(
            {
                name: told.keys(),
                "share": [100 * x / bill.total_pj for x in told.values()],
            }
        ).sort_values("share", ascending=False)
        for name, told in zip(("part", "program"), both)
    )


def clip_numbers(bill: Bill, spikes: float, area, dt_us: float) -> dict:
    """What one clip of the frozen network costs; `area` is a constant of the table."""
    parts, programs = bill.parts(), bill.by_program()
    macros = bill.shape.macros
    zero = bill.counts["zero_sops"] / bill.counts["sops"]
    waiting = bill.real_time_leakage_pj(dt_us)
    share = {
        "energy.merge_share": programs["merge"],
        "energy.accumulate_share": programs["accumulate"],
        "energy.leak_share": parts["leakage"],
    }
    return {k: number(100 * x / bill.total_pj, digits=0) for k, x in share.items()} | {
        "energy.clip_uj": number(bill.per_clip_pj * 1e-6, digits=2),
        "energy.latency_us": number(bill.latency_us, digits=1),
        "energy.spikes": number(spikes, digits=0),
        "energy.macros": macros,
        "energy.area_mm2": number([area.low * macros, area.high * macros], digits=0),
        "energy.waiting_uj": number(waiting * 1e-6, digits=0),
        "energy.waiting_times": number(waiting / bill.per_clip_pj, digits=0),
        "energy.zero_share": number(100 * zero, digits=0),
    }


def rivals(found: list[Design]) -> pd.DataFrame:
    """Every design with its leakage apart, for a figure and a table."""
    rows = pd.DataFrame(design.row() for design in found)
    rows["dynamic"] = rows["pJ/update"] - rows["of which leakage"]
    rows["design"] = rows["law"] + ", " + rows["update"]
    rows["tint"] = [_tint(law) for law in rows["law"]]
    return rows


def _tint(law: str) -> str:
    return "exponential" if "v-LIF" in law else "linear" if "LD" in law else "shift"


def modes(found: list[Design]) -> pd.DataFrame:
    """pJ an update of some designs under each leakage."""
    return pd.DataFrame(
        {"design": f"{d.law}, {d.access}"}
        | {how: round(float(d.leaking(how).update), 2) for how in LEAKAGE}
        for d in found
    )


def rival_numbers(found: list[Design]) -> dict:
    """The updates that the text names, with and without leakage, and the factors."""
    by = {(d.law, d.access): d for d in found}
    named = {
        "update": by[LINEAR, "in the array"],
        "vlif_seq": by[PRODUCT, "word-sequential"],
        "rowwide": by[LINEAR, "row-wide"],
        "shift": by[SHIFT, "row-wide"],
    }
    told = {}
    for name, design in named.items():
        stem = name if name == "update" else f"{name}_update"
        told[f"energy.{stem}_pj"] = number(float(design.update), digits=1)
        bare = float(design.update_dynamic)
        told[f"energy.{name}_dynamic_pj"] = number(bare, digits=1)
    gains = zip(("access", "law", "inside"), compare.shares(found).values())
    return told | {f"energy.gain_{k}": number(float(x), digits=2) for k, x in gains}


def bottleneck(found: list[Answer]) -> pd.DataFrame:
    """Share of the update in every scope, with the interval of the energy."""
    by = {a.id: a for a in found if a.id.startswith("energy.share_")}
    times = [a for id, a in by.items() if id.startswith("energy.share_time.")]
    return pd.DataFrame(_share(a, by) for a in times)


def _share(time: Answer, by: Mapping[str, Answer]) -> dict:
    energy = by[f"energy.share_pj.{scopes.slug(time.note)}"]
    low, high = energy.interval
    return {
        "scope": time.note,
        "time, %": round(time.value),
        "energy, %": round(energy.value),
        "95 % of the draws": f"{low:.0f} to {high:.0f}",
    }


def published(found: list[Answer], *begins: str) -> dict:
    """Answers whose ids begin so, for `publish_many`."""
    kept = [a for a in found if a.id.startswith(begins)]
    if not kept:
        raise Fault("no such answer", expected="an id of energy", found=str(begins))
    return {a.id: number(a.value, **a.stamp()) for a in kept}


def calibration(constants) -> pd.DataFrame:
    """fJ a bit, from the tool's bill to the chip, one change a row."""
    steps = calibrate.explained(constants)
    rows = pd.DataFrame(steps, columns=["what", "fJ a bit"])
    kinds = ["the tool's"] * TOOLS + ["ours"] * (len(rows) - TOOLS - 1) + ["silicon"]
    return rows.assign(kind=kinds, chip=[k == "silicon" for k in kinds])


def calibration_numbers(constants) -> dict:
    """The model over the chip, at its shape, at ours, and over its width."""
    told = calibrate.impulse(constants)
    band = (told["low"], told["high"])
    note = "model over silicon, 160 rows"
    wide = list(calibrate.widths(constants).values())
    return {
        "energy.impulse_ratio": number(
            told["ratio"], digits=2, interval=band, note=note
        ),
        "energy.impulse_ours": number(told["ours_ratio"], digits=2),
        "energy.impulse_cacti": number(told["cacti_ratio"], digits=2),
        "energy.impulse_fj": number(told["silicon_fj"], digits=0),
        "energy.impulse_widths": number([min(wide), max(wide)], digits=2),
    }


def constants_table(constants) -> pd.DataFrame:
    """The model's constants with spread and source."""
    return pd.DataFrame(sources.table(constants))


def emulated_numbers(checked: Mapping[str, tuple[Bill, Bill]]) -> dict:
    """Emulated over closed form: joules and cycles of layouts B and C."""
    told = {}
    for layout, (run, formed) in checked.items():
        key = f"energy.emulated_{layout.lower()}"
        told[key] = number(run.total_pj / formed.total_pj, digits=2)
        cycles = run.counts["cycles"] / formed.counts["cycles"]
        told[f"{key}_cycles"] = number(cycles, digits=2)
    return told
