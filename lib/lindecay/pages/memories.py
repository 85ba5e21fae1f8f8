"""Chapter 12: memories, faults and voltage as tables, pictures' rows and numbers.

Rows are those of the studies `faults` and `memories` (MLP-2, SHD's test speakers);
accuracies in per cent, mean and range over draws of the faults.
"""

import numpy as np
import pandas as pd

from lindecay import sram
from lindecay.arms import ARMS
from lindecay.questions import damage, memories
from lindecay.results import number
from lindecay.studies import protocol

ROWS = dict(source="recordings")
LOSS = 1.0  # points that count as none
NOMINAL = 1.0  # volts of our bill
CELL_J = 2430.0  # of a coin cell: 225 mAh at 3 V
USES = {  # what the text names: decisions a second, deadline in ms
    "surveillance": (1.0, 1000.0),
    "driving": (30.0, 33.0),
    "sensor of the internet of things": (1 / 60, 1000.0),
    "city microphone": (0.1, 1000.0),
    "brain-computer interface": (50.0, 20.0),
}


def curves(place: str = "all") -> pd.DataFrame:
    """Accuracy against the rate: arm, rate, accuracy, low, high."""
    told = [r for r in protocol.kept("faults") if r["place"] == place and r["rate"] > 0]
    return pd.DataFrame(
        {
            "arm": r["arm"],
            "rate": r["rate"],
            "accuracy": float(np.mean(r["accuracy"])),
            "low": min(r["accuracy"]),
            "high": max(r["accuracy"]),
        }
        for r in sorted(told, key=lambda r: (r["arm"], r["rate"]))
    )


def whole(arm: str) -> float:
    """Accuracy without a fault."""
    told = [r for r in protocol.kept("faults") if r["arm"] == arm and r["rate"] == 0]
    return float(np.mean(told[0]["accuracy"]))


def places() -> pd.DataFrame:
    """Points lost at one rate, a row a place, a column an arm."""
    table = []
    for place in ("V", "W", "decay", "theta", "all"):
        for rate in (1e-4, 1e-3, 1e-2):
            row = {"cells": PLACES[place], "rate": f"{rate:g}"}
            for arm in damage.ARMS:
                lost = damage.lost(arm, place, rate)
                row[ARMS[arm].label] = "" if lost is None else f"{lost:.1f}"
            table.append(row)
    return pd.DataFrame(table)


PLACES = {
    "V": "membranes, each step",
    "W": "weights, once",
    "decay": "λ, β or k, once",
    "theta": "thresholds, once",
    "all": "all of them",
}


def standing() -> pd.DataFrame:
    """Hardware that stays broken: accuracy by law, and hidden spikes that moved."""
    found = {(r["part"], r["rate"], r["arm"]): r for r in protocol.kept("broken")}
    table = []
    for part, rate in dict.fromkeys((p, r) for p, r, _ in found):
        row = {"broken": f"{PARTS[part]}, {100 * rate:g} %"}
        for arm in ("ldlif", "vlif", "if"):
            one = found[part, rate, arm]
            row[ARMS[arm].label] = f"{one['accuracy']:.0f} of {one['whole']:.0f} %"
            row[f"{ARMS[arm].label}: spikes moved"] = f"{one['moved']:.1f} %"
        table.append(row)
    return pd.DataFrame(table)


PARTS = {"cell": "membrane cells", "carry": "carry latches", "column": "columns"}


def bearable(arm: str) -> float:
    """The highest rate at which no more than LOSS points are gone, interpolated."""
    table = curves()
    mine = table[table.arm == arm]
    lost = whole(arm) - mine.accuracy.to_numpy()
    at = np.log10(mine.rate.to_numpy())
    worst = np.maximum.accumulate(lost)
    if worst[0] > LOSS:
        return 0.0
    return float(10 ** np.interp(LOSS, worst, at))


def voltage(table) -> pd.DataFrame:
    """Lowest supply of each arm and the energy there, nominal is 1: with the spread."""
    found = []
    for arm in damage.ARMS:
        rate = bearable(arm)
        at = [
            memories.supply(rate, v50, sigma)
            for v50 in (table["ber_v50"].low, table["ber_v50"].high)
            for sigma in (table["ber_sigma"].low, table["ber_sigma"].high)
        ]
        here = memories.supply(rate, table["ber_v50"].value, table["ber_sigma"].value)
        found.append(
            {
                "arm": arm,
                "rate": rate,
                "volts": here,
                "low": min(at),
                "high": max(at),
                "energy": (here / NOMINAL) ** 2,
                "accuracy": whole(arm) - LOSS,
            }
        )
    return pd.DataFrame(found)


def against_supply(table) -> pd.DataFrame:
    """Accuracy of each arm against the supply: volts, arm, accuracy."""
    made, told = curves(), []
    for arm in damage.ARMS:
        mine = made[made.arm == arm]
        for r in mine.itertuples():
            volts = memories.supply(
                r.rate, table["ber_v50"].value, table["ber_sigma"].value
            )
            told.append({"arm": arm, "volts": volts, "accuracy": r.accuracy})
    return pd.DataFrame(told)


def turned(table) -> pd.DataFrame:
    """The knobs: cells x rate x arm, points lost, and the supply that has this rate."""
    told = [r for r in protocol.kept("faults") if r["rate"] > 0]
    volts = table["ber_v50"].value, table["ber_sigma"].value
    return pd.DataFrame(
        {
            "cells": PLACES[r["place"]],
            "rate": one_in(r["rate"]),
            "power": round(float(np.log10(r["rate"])), 2),
            "volts": round(memories.supply(r["rate"], *volts), 4),
            "arm": r["arm"],
            "accuracy": float(np.mean(r["accuracy"])),
            "lost": damage.lost(r["arm"], r["place"], r["rate"]),
        }
        for r in sorted(told, key=lambda r: ([*PLACES].index(r["place"]), r["rate"]))
    ).round(3)


def one_in(rate: float) -> str:
    """A small share in words.

    >>> one_in(1e-3), one_in(3e-4)
    ('1 in 1,000', '3 in 10,000')
    """
    ten = -np.floor(np.log10(rate) + 1e-9)
    return f"{rate * 10**ten:.0f} in {10**ten:,.0f}"


def ran(clips, arm: str = "ldlif"):
    """(checkpoint, run on the array) of a network on some clips."""
    ck = damage.network(arm)
    return ck, sram.emulate(ck, clips)


def compared(need, table) -> pd.DataFrame:
    """Memory x metric, for the weights."""
    found = memories.weights(need, table)
    base = next(row for row in found if row["key"] == "sram")
    return pd.DataFrame(
        {
            "weights in": row["memory"],
            "reads, µJ/clip": f"{row['reads_uj']:.2f}",
            "leakage, µW": f"{row['leak_uw']:.0f}",
            "to load, µJ": f"{row['load_uj']:.3f}",
            "area, mm²": f"{row['area_mm2']:.4f}",
            "wins above, ms idle": _idle(row, base),
        }
        for row in found
    )


def _idle(row: dict, base: dict) -> str:
    if row["key"] == "sram":
        return ""
    seconds = memories.break_even(row, base)
    return f"{1e3 * seconds:.1f}" if seconds else "always"


def lives(need, table) -> pd.DataFrame:
    """How long a membrane's cell lasts in each memory at this network's writes."""
    told = []
    for key, name in memories.TECHNOLOGIES.items():
        one = table[f"mem_{key}_endurance"]
        each = [
            memories.lifetime(n, need.writes, need.steps / need.seconds)
            for n in (one.low, one.value, one.high)
        ]
        row = {"membranes in": name, "writes it stands": f"{one.value:.0e}"}
        told.append(row | dict(zip(("worst", "usual", "best"), map(spoken, each))))
    return pd.DataFrame(told)


def spoken(seconds: float) -> str:
    """A span of time in words.

    >>> spoken(30), spoken(1585), spoken(7200), spoken(3.2e9)
    ('30 s', '26 min', '2 h', '101 years')
    """
    units = {"years": memories.YEAR, "days": memories.DAY, "h": 3600, "min": 60}
    for word, size in units.items():
        if seconds >= size:
            return f"{seconds / size:,.0f} {word}"
    return f"{seconds:.0f} s"


def bits(V, B: int, need, table) -> pd.DataFrame:
    """Changes of each membrane bit a step, and how long a cell would last."""
    rate = need.steps / need.seconds
    each = memories.toggles(V, B)
    return pd.DataFrame(
        {
            "bit": k,
            "changes a step": round(float(x), 4),
            **{
                memories.TECHNOLOGIES[t]: spoken(
                    table[f"mem_{t}_endurance"].value / max(x * rate, 1e-12)
                )
                for t in ("rram", "fefet", "stt")
            },
        }
        for k, x in enumerate(each)
    )


def other_weights() -> pd.DataFrame:
    """Points lost with weights of another memory."""
    told = []
    for r in protocol.kept("memories"):
        told.append(
            {
                "how": HOW[r["how"]],
                "size": f"{r['size']:g}",
                "arm": r["arm"],
                "lost": whole(r["arm"]) - float(np.mean(r["accuracy"])),
            }
        )
    table = pd.DataFrame(told)
    wide = table.pivot_table(
        index=["how", "size"], columns="arm", values="lost", sort=False
    )
    wide = wide[["vlif", "ldlif"]].round(1)
    wide.columns = [f"{ARMS[a].label}, points lost" for a in wide.columns]
    return wide.reset_index()


HOW = {
    "spread": "spread, share of the largest weight",
    "drift": "drift, what is left",
    "repaired": "the same, θ and λ scaled",
    "zero": "cells stuck at zero, share",
    "full": "cells stuck at an end, share",
}


def forgetting(theta: int, lam: int, beta_q: int, shift: int, k: int) -> pd.DataFrame:
    """Steps of silence until a flipped bit is forgotten, a row a bit."""
    v = theta // 2
    laws = {
        "linear": ("shrink", lam, 0),
        "exponential": ("exponential", beta_q, shift),
        "towards rest": ("trunc", beta_q, shift),
        "shift": ("shift", k, 0),
        "none": ("none", 0, 0),
    }
    table = []
    for bit in range(12):
        row = {"bit": bit}
        for name, (law, amount, s) in laws.items():
            told = memories.forgets(law, v, bit, amount, s)
            row[name] = "never" if told is None else str(told)
        table.append(row)
    return pd.DataFrame(table)


def uses(bill: dict) -> pd.DataFrame:
    """What the applications would draw, from our own bill, and what that misses."""
    told = []
    for name, (rate, deadline) in USES.items():
        work = rate * memories.DAY * bill["uj_per_clip"] / 1e6
        idle = memories.DAY * bill["idle_mw"] / 1e3
        told.append(
            {
                "use": name,
                "decisions a second": f"{rate:.3g}",
                "deadline, ms": f"{deadline:.0f}",
                "array needs, ms": f"{bill['us_per_clip'] / 1e3:.2f}",
                "work, J a day": f"{work:.3g}",
                "always on, J a day": f"{work + idle:.0f}",
                "coin cell lasts": f"{CELL_J / (work + idle):.0f} days",
                "if leakage could be cut": spoken(CELL_J / work * memories.DAY),
            }
        )
    return pd.DataFrame(told)


def numbers(need, table, life: pd.DataFrame) -> dict:
    """What the chapter says in prose."""
    told = {
        "memories.rows": len(protocol.kept("faults")) + len(protocol.kept("memories"))
    }
    clips = protocol.kept("faults")[0]["clips"]
    stamp = dict(digits=1, unit="%", n=clips, **ROWS)
    for arm in damage.ARMS:
        told[f"memories.whole.{arm}"] = number(whole(arm), **stamp)
        lost = number(damage.lost(arm, "V", 1e-3), **(stamp | {"unit": "points"}))
        told[f"memories.lost.{arm}"] = lost
    for r in voltage(table).itertuples():
        ends = round(r.low, 3), round(r.high, 3)
        volts = number(r.volts, digits=3, unit="V", interval=ends, n=clips, **ROWS)
        told[f"memories.volts.{r.arm}"] = volts
        told[f"memories.energy.{r.arm}"] = number(r.energy, digits=2, n=clips, **ROWS)
        rate = number(r.rate, unit="of bits", n=clips, **ROWS)
        told[f"memories.bearable.{r.arm}"] = rate
    told["memories.writes"] = number(need.writes, digits=1, unit="writes a step")
    found = {row["memory"]: row for row in memories.weights(need, table)}
    base = found["SRAM"]
    told["memories.dearer"] = number(
        found["RRAM"]["reads_uj"] / base["reads_uj"], digits=1
    )
    at = 1e3 * memories.break_even(found["RRAM"], base)
    told["memories.idle_ms"] = number(at, digits=2, unit="ms")
    usual = table["mem_rram_endurance"].value
    lasts = memories.lifetime(usual, need.writes, need.steps / need.seconds)
    told["memories.days_rram"] = number(lasts / memories.DAY, digits=2, **ROWS)
    rram, stt = (
        life.set_index("membranes in").loc[n, "usual"] for n in ("RRAM", "STT-MRAM")
    )
    told |= {"memories.life.rram": rram, "memories.life.stt": stt}
    return told | _drift_numbers()


def _drift_numbers() -> dict:
    at = {
        (r["arm"], r["how"], r["size"]): float(np.mean(r["accuracy"]))
        for r in protocol.kept("memories")
    }
    made = {}
    for how in ("drift", "repaired"):
        lost = whole("ldlif") - at["ldlif", how, 0.66]
        made[f"memories.{how}"] = number(lost, digits=1, unit="points", **ROWS)
    spread = whole("ldlif") - at["ldlif", "spread", 0.1]
    return made | {"memories.spread": number(spread, digits=1, unit="points", **ROWS)}
