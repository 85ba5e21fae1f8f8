"""Chapter 10: where linear decay fails, remedies and their bill, as tables and numbers.

Rows are those of the studies `limits` and `limits-cures`; accuracies and gaps are in
per cent and points, intervals are Student's over seeds, gaps are paired by seed.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from lindecay import plots
from lindecay.claims.registry import own
from lindecay.claims.rules import RULES
from lindecay.figures import EXP, LIN
from lindecay.networks import ARMS
from lindecay.plots import Look, Picture
from lindecay.plots.picture import joined
from lindecay.questions import leaks, limits
from lindecay.questions.gaps import gap
from lindecay.results import Result, number
from lindecay.studies import paired, protocol

SAYS = {"differs": "no", "unresolved": "not resolved"}  # else the bound holds
WORDS = {  # arm or remedy -> as the tables name it
    "neuron": "λ for each neuron",
    "neuron_vlif": "v-LIF, β for each neuron",
    "slopes": "two slopes",
    "above": "floor above rest",
    "every": "every 4th step",
    "dither": "dithered",
}
BILLED = {"ldlif": "LD-LIF (linear)", "vlif": "v-LIF, 8-bit β"} | {
    k: v for k, v in WORDS.items() if k != "neuron_vlif"
}
ASKED = {
    "match": "delayed match, delay",
    "rate": "weak rate, per mille",
    "adding": "adding, delay",
    "order": "temporal order, delay",
    "chain": "gesture chain, gap",
}
LOOKS = {
    "linear": Look(LIN, "", "s", label="linear, measured"),
    "exponential, towards rest": Look(EXP, "", "o", label="exponential, measured"),
    "linear, theory": Look(LIN, "--", label="linear, theory"),
    "exponential, theory": Look(EXP, "-", label="exponential, theory"),
    "exponential": Look(EXP, "", "o", label="exponential, measured"),
    "exponential, cut": Look(EXP, ":", label="the same, cut to whole LSB"),
    "vlif held": Look(ARMS["vlif"].colour, ":", "o", open=True, label="v-LIF, β held"),
    "ldlif held": Look(
        ARMS["ldlif"].colour, ":", "s", open=True, label="LD-LIF, λ held"
    ),
}


complete = protocol.complete


def points(found: list[dict]) -> pd.DataFrame:
    """Mean and interval over seeds, a row a task, knob and arm."""
    return pd.DataFrame(_point(row) for row in found)


def _point(row: dict) -> dict:
    told = paired.of_groups(row["accuracy"])
    low, high = told["interval"]
    arm = row["arm"] + (" held" if row["held"] else "")
    return {
        "task": row["task"],
        "knob": row["knob"],
        "arm": arm,
        "accuracy": told["mean"],
        "low": max(low, 0.0),
        "high": min(high, 100.0),
        "horizon": row["horizon"],
        "lam": float(np.mean([lam[0] for lam in row["lam"]])),
    }


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """The arms side by side: mean (low to high), a row a task and knob."""
    out = []
    for (task, knob), part in table.groupby(["task", "knob"], sort=False):
        told = {"task": f"{ASKED[task]} {knob}"}
        mine = part.set_index("arm")
        out.append(told | {_name(a): _band(mine.loc[a]) for a in mine.index})
    return pd.DataFrame(out).fillna("")


def _name(arm: str) -> str:
    base, _, held = arm.partition(" ")
    named = WORDS.get(base) or ARMS[base].label.split(" (")[0]
    return f"{named}, held" if held else named


def _band(row) -> str:
    return f"{row.accuracy:.1f} ({row.low:.0f} to {row.high:.0f})"


def told(found: dict, **more) -> dict:
    """A gap with its stamp."""
    low, high = (round(end, 2) for end in found["interval"])
    seeds = list(limits.SEEDS)
    stamp = {"unit": "points", "digits": 1, "n": found["n"], "seeds": seeds}
    return number(round(found["mean"], 2), interval=(low, high), **stamp, **more)


def lives(found: list[dict], task: str = "match", delay: int = 32) -> dict[str, float]:
    """What theory says of the arms whose decay is held, from the membranes they left.

    Returns ⌈θ/λ⌉ and ⌈V/λ⌉ of the linear arm and, of the exponential one, β^delay V;
    V: the hidden layer's largest |V| where the delay begins, mean over clips and seeds.
    """
    lam, theta, peak = (
        _held(found, task, "ldlif", k) for k in ("lam", "theta", "peak")
    )
    beta, other = (_held(found, task, "vlif", k) for k in ("beta", "peak"))
    return {
        "lam_held": lam,
        "theta_held": theta,
        "peak": peak,
        "life_theta": math.ceil(theta / lam),
        "life_peak": math.ceil(peak / lam),
        "left": other * (beta / 256) ** delay,
    }


def _held(found: list[dict], task: str, arm: str, key: str) -> float:
    """Mean of the hidden layer's value over the rows of an arm whose decay is held."""
    rows = [r for r in found if r["held"] and (r["task"], r["arm"]) == (task, arm)]
    return float(np.mean([np.ravel(x)[0] for r in rows for x in r[key]]))


def held_numbers(table: pd.DataFrame) -> dict[str, dict]:
    """Accuracies of the arms whose decay is held, at the points the text names."""
    named = table.set_index(["task", "knob", "arm"])
    out = {}
    for task, knob, arm in [
        ("match", 32, "vlif"), ("match", 64, "vlif"), ("match", 64, "ldlif"),
        ("rate", 10, "ldlif"), ("rate", 10, "vlif"),
    ]:  # fmt: skip
        row = named.loc[(task, knob, f"{arm} held")]
        band = (round(row.low, 1), round(row.high, 1))
        told = {"unit": "%", "digits": 1, "interval": band, "n": len(limits.SEEDS)}
        out[f"limits.held_{task}{knob}_{arm}"] = number(round(row.accuracy, 2), **told)
    return out


def remedies(main: list[dict], cures: list[dict], bills: pd.DataFrame) -> pd.DataFrame:
    """Points won over LD-LIF on each point, and what an update costs, a row a leak."""
    every, bill = [*main, *cures], bills.set_index("leak")
    out = []
    for arm in ("vlif", *limits.CURES):
        told = {"remedy": _name(arm)}
        for task, knob in limits.CURED:
            told[f"{task} {knob}"] = _won(every, task, knob, arm)
        out.append(told | _billed(arm, bill))
    return pd.DataFrame(out)


def _won(every: list[dict], task: str, knob: int, arm: str) -> str:
    there = {(r["task"], r["knob"], r["arm"]) for r in every}
    if (task, knob, arm) not in there:
        return "not run"
    won = gap(every, task, knob, arm, "ldlif")
    low, high = won["interval"]
    return f"{won['mean']:+.1f} ({low:+.0f} to {high:+.0f})"


def _billed(arm: str, bill: pd.DataFrame) -> dict:
    if arm not in BILLED:
        return {"cycles": "", "decay, pJ": "", "update, pJ": ""}
    row = bill.loc[BILLED[arm]]
    return {
        "cycles": f"{row.cycles:g}",
        "decay, pJ": f"{row.decay_pj:.2f}",
        "update, pJ": f"{row.update_pj:.2f}",
    }


def bill_numbers(bills: pd.DataFrame) -> dict:
    """pJ of an update over the plain linear one's, and the decay of each leak."""
    bill = bills.set_index("leak")
    linear = bill.loc["LD-LIF (linear)"]
    over = {
        "above": "floor above rest",
        "slopes": "two slopes",
        "every": "every 4th step",
        "dither": "dithered, λ below one LSB",
        "neuron": "λ for each neuron",
        "shift": "v-LIF by shift",
        "vlif": "v-LIF, 8-bit β",
    }
    found = {
        f"limits.{k}_over_linear": number(
            round(float(bill.loc[name].update_pj / linear.update_pj), 3), digits=2
        )
        for k, name in over.items()
    }
    pj = {"unit": "pJ", "digits": 2}
    found["limits.linear_pj"] = number(float(linear.update_pj), **pj)
    extra = float(bill.loc["λ for each neuron"].update_pj - linear.update_pj)
    return found | {"limits.neuron_extra_pj": number(extra, **pj)}


def trace_table(table: pd.DataFrame) -> pd.DataFrame:
    """Error of each leak by rate: mean (least to most of five trains)."""
    cells = {
        (r["law"], r["rate"]): f"{r['error']:.1f} ({r['low']:.1f} to {r['high']:.1f})"
        for r in table.to_dict("records")
    }
    rates = list(dict.fromkeys(table.rate))
    return pd.DataFrame(
        {"leak": law} | {f"{rate:g} spikes a step": cells[law, rate] for rate in rates}
        for law in dict.fromkeys(table.law)
    )


def theory(memory: pd.DataFrame, drive: pd.DataFrame) -> tuple[Picture, Picture]:
    """What chapter 01 says, as lines, and whole-number neurons, as markers."""
    wide = memory.pivot(index="V", columns="law", values=["theory", "steps", "cut"])
    lines = pd.DataFrame({"V": wide.index})
    for law in ("linear", "exponential, towards rest"):
        name = law.split(",")[0]
        lines[f"{name}, theory"] = wide["theory", law].to_numpy()
        lines[law] = wide["steps", law].to_numpy()
    lines["exponential, cut"] = wide["cut", "exponential, towards rest"].to_numpy()
    left = plots.curves(
        lines, "V", looks=LOOKS, xlabel="membrane V (LSB)", ylabel="steps until lost"
    )
    right = plots.curves(
        drive, "drive", looks=LOOKS, xlabel="drive I (LSB a step)",
        ylabel="membrane gathered (LSB)", legend=False,
    )  # fmt: skip
    return left, right


def over(table: pd.DataFrame, task: str, guides=(), **axes) -> Picture:
    """Accuracy of every arm over the knob of a task, intervals over seeds."""
    mine = table[table.task == task]
    axes = {"ylabel": "accuracy (%)", "legend": False} | axes
    return plots.curves(
        mine, "knob", "accuracy", "arm", ("low", "high"), LOOKS, guides=guides,
        xscale="log", ticks=sorted(set(mine.knob)), **axes,
    )  # fmt: skip


def four(*panels: Picture, size=(6.5, 6.0)) -> Picture:
    """Four panels, two by two, one legend a pair of rows."""

    def draw(axes):
        for panel, ax in zip(panels, np.ravel(axes)):
            panel.draw(ax)
        _legend(np.ravel(axes))

    return Picture(draw, joined(p.data for p in panels), size, (2, 2), {})


def _legend(axes) -> None:
    """Every name once, below all panels."""
    known: dict[str, object] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels()):
            known.setdefault(name, handle)
        if ax.get_legend():
            ax.get_legend().remove()
    place = dict(loc="outside lower center", ncols=3, fontsize=8)
    axes[0].figure.legend(known.values(), known.keys(), **place)


def gap_numbers(found: Mapping[str, dict]) -> dict[str, dict]:
    """Gaps with their stamps, by id."""
    return {id: told(one) for id, one in found.items()}


def expected(found: Mapping[str, Result], chapter: str = "10_limits") -> pd.DataFrame:
    """What was expected before the rows, its bound, and what was found."""
    out = []
    for claim in own().values():
        if claim.chapter == chapter:
            read = {id: found[id] for id in claim.reads}
            made, ours = RULES["bounded"](claim, read, ""), found[claim.reads[0]]
            band = ours.interval
            told = f" ({band[0]:.1f} to {band[1]:.1f})" if band else ""
            row = {"expected: LD-LIF, or its remedy,": claim.says}
            row |= {"bound": f"{claim.args['side']} {claim.args['bound']:g}"}
            row |= {"found": f"{ours.text()}{told}"}
            out.append(row | {"holds": SAYS.get(made.verdict, "yes")})
    return pd.DataFrame(out)


def start_numbers(found: Mapping[str, dict]) -> dict[str, dict]:
    """The best start of each arm: accuracy, how many seeds above nine in ten."""
    out = {}
    for name, one in found.items():
        id = f"limits.start_{name}"
        pct = {"unit": "%", "digits": 1, "n": len(one["each"])}
        out[id] = number(round(one["mean"], 2), **pct)
        out[f"{id}_at"] = int(one["horizon"])
        out[f"{id}_good"] = sum(x > 90 for x in one["each"])
    return out


def gate_table(found: list[dict]) -> pd.DataFrame:
    """Remedies in gates: gates, NAND areas, pJ settled and with glitches."""
    names = {"shrink": "linear", "shift": "shift", "exponential": "8-bit β"}
    names |= {"slopes": WORDS["slopes"], "above": WORDS["above"]}
    return pd.DataFrame(
        {
            "decay": names[r["law"]],
            "gates": r["gates"],
            "area, NANDs": r["area"],
            "pJ": round(r["pj"], 3),
            "pJ with glitches": round(r["glitch_pj"], 3),
            "answers wrong": r["wrong"] if r["law"] in limits.CURES else "",
        }
        for r in found
    )


def trace_numbers(table: pd.DataFrame) -> Mapping[str, dict]:
    """Errors of the trace at the middle rate, per cent."""
    mine = table[table.rate == sorted(set(table.rate))[1]].set_index("law")
    names = {
        "linear": "linear",
        "best": mine.loc[list(leaks.LEAKS)[3:]].error.idxmin(),
        "exponential": "exponential, nearest",
        "shift": "shift",
    }
    found = {}
    for k, law in names.items():
        row = mine.loc[law]
        ends = (round(row.low, 1), round(row.high, 1))
        found[f"limits.trace_{k}"] = number(
            round(row.error, 1), unit="%", digits=1, interval=ends, n=5
        )
    return found | {"limits.trace_best_name": names["best"]}
