"""Chapter 05: decays that can learn, every arm tuned alike, and what decides.

Rows of `tune` have decays under a clamp, as first published; rows of `open-tune` and
`open-main` have them behind a sigmoid. Accuracies and drops are in per cent and points.
"""

import numpy as np
import pandas as pd
from scipy import stats

from lindecay.arms import ARMS
from lindecay.figures import INK
from lindecay.plots import Look
from lindecay.results import number
from lindecay.studies import tables
from lindecay.studies.tables import Study

ROWS = dict(source="recordings")  # committed rows, made on recordings
WAYS = {"clamp": "clamped", "open": "open"}
SHOWN = ("vlif", "ldlif")
PAIRS = {  # what decides: (arm, against)
    "LD-LIF against v-LIF": ("ldlif", "vlif"),
    "shift against v-LIF": ("shift", "vlif"),
    "LD-LIF against shift": ("ldlif", "shift"),
    "IF against LD-LIF": ("if", "ldlif"),
}
IDS = {"LD-LIF against v-LIF": "linear", "shift against v-LIF": "shift"}
IDS |= {"LD-LIF against shift": "linear_shift", "IF against LD-LIF": "none"}
DRAWN = ("ldlif", "shift", "if")  # against v-LIF


def still(clamped: Study, opened: Study) -> pd.DataFrame:
    """Share of neurons that ended without a leak, by start, in per cent."""
    rows = []
    for way, found in (("clamp", clamped), ("open", opened)):
        shares = tables.still(found)
        rows += [
            {"horizon": h, "arm": arm, "decay": WAYS[way], "percent": share}
            for arm in SHOWN
            for h, share in shares[arm].items()
        ]
    return pd.DataFrame(rows)


def still_numbers(table: pd.DataFrame) -> dict:
    """Least and most of those shares, by arm and way."""
    told = {}
    for (arm, way), part in table.groupby(["arm", "decay"]):
        ends = [float(part.percent.min()), float(part.percent.max())]
        made = number(ends, digits=1, unit="%", seeds=[0], **ROWS)
        told[f"protocol.still.{arm}.{way}"] = made
    return told


def tuned(opened: Study) -> pd.DataFrame:
    """Held-out accuracy at each start, one row an arm; the chosen start last."""
    rows = []
    for arm in opened.arms():
        at = {r["horizon"]: r["accuracy"] for r in opened.of(arm)}
        best = max(at, key=lambda h: (at[h], h))
        told = {"neuron": ARMS[arm].label}
        if arm != "if":
            told |= {f"{h:.0f}": round(x, 1) for h, x in sorted(at.items())}
        rows.append(told | {"best": round(at[best], 1)})
    return pd.DataFrame(rows).astype(object).fillna("")


def arms(main: Study) -> pd.DataFrame:
    """The arms on the two test speakers: seeds, accuracy, intervals of seeds, clips."""
    rows = []
    for arm in main.arms():
        each = np.array([r["accuracy"] for r in main.of(arm)])
        sops = float(np.mean([r["sops"] for r in main.of(arm)])) / 1000
        rows.append(
            {
                "neuron": ARMS[arm].label,
                "seeds": len(each),
                "accuracy %": round(float(each.mean()), 2),
                "95 % over seeds": _span(each),
                "95 % over clips": _span(100 * main.right(arm).mean(0)),
                "worst to best": f"{each.min():.1f} to {each.max():.1f}",
                "kSOP a clip": round(sops, 1),
            }
        )
    return pd.DataFrame(rows)


def _span(each: np.ndarray) -> str:
    if len(each) < 2:
        return ""
    reach = stats.t.ppf(0.975, len(each) - 1) * stats.sem(each)
    return f"{each.mean() - reach:.1f} to {each.mean() + reach:.1f}"


def decisions(main: Study) -> dict[str, dict]:
    """`tables.decided` of every pair that has two common seeds."""
    told = {words: tables.decided(main, *pair) for words, pair in PAIRS.items()}
    return {words: one for words, one in told.items() if one}


def decided(found: dict[str, dict]) -> pd.DataFrame:
    """The pairs that decide: what the first loses against the second, all ways."""
    return pd.DataFrame(
        {
            "pair": words,
            "seeds": one["n"],
            "loses": round(one["mean"], 2),
            "paired": _ends(one["seeds_interval"]),
            "unpaired": _ends(one["unpaired"]),
            "seeds x clips": _ends(one["interval"]),
            "correlation": round(one["correlation"], 2),
            "would find": round(one["detectable"], 2),
            "so it": one["said"],
        }
        for words, one in found.items()
    )


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.2f} to {interval[1]:.2f}"


def numbers(main: Study, found: dict[str, dict]) -> dict:
    """What chapter 05 says of them: each pair's loss, and how many rows there are."""
    told = {"protocol.open.rows": len(main.rows), "protocol.open.asked": main.asked}
    for words, one in found.items():
        stamp = dict(digits=2, unit="points", n=one["n"], seeds=one["seeds"], **ROWS)
        ends = tuple(round(end, 2) for end in one["widest"])
        id = f"protocol.open.{IDS[words]}"
        told[id] = number(one["mean"], interval=ends, **stamp)
        alone = tuple(round(end, 2) for end in one["seeds_interval"])
        told[f"{id}_alone"] = number(one["mean"], interval=alone, **stamp)
        told[f"{id}_said"] = number(one["said"], **ROWS)
    return told


def lost(main: Study) -> dict[str, dict]:
    """What each neuron of DRAWN loses against v-LIF, by the widest interval."""
    told = {arm: tables.decided(main, arm) for arm in DRAWN}
    return {arm: one | {"interval": one["widest"]} for arm, one in told.items() if one}


def resolves(spread: float, most: int = 60) -> pd.DataFrame:
    """What pairs whose differences spread by so many points can tell, by their number.

    The 95 % interval's half (Student), and the drop found four times in five.
    """
    pairs = np.arange(3, most + 1)
    t, error = stats.t(pairs - 1), spread / np.sqrt(pairs)
    half, least = t.ppf(0.975) * error, (t.ppf(0.975) + t.ppf(0.8)) * error
    told = {"interval, \u00b1": half, "found four times in five": least}
    return pd.concat(
        pd.DataFrame({"pairs": pairs, "what": name, "points": points})
        for name, points in told.items()
    )


def measured(found: dict[str, dict]) -> pd.DataFrame:
    """What each measured pair of arms lost, without its sign, beside `resolves`."""
    return pd.DataFrame(
        {"pairs": one["n"], "what": words, "points": round(abs(one["mean"]), 2)}
        for words, one in found.items()
    )


MARKED = {  # a measured pair: an open marker of its own
    words: Look(INK, "", mark, open=True) for words, mark in zip(PAIRS, "oDs^")
}


def spread_of(found: dict[str, dict]) -> float:
    """Standard deviation of LD-LIF's paired loss against v-LIF, in points."""
    return float(np.std(found["LD-LIF against v-LIF"]["per_seed"], ddof=1))


# ------------------------------------------------------------ with and without a bias


def biases(found: Study) -> pd.DataFrame:
    """Each neuron with a bias and without, over seeds that have both, in per cent."""
    rows = []
    for arm in found.arms():
        with_, without = _by_bias(found, arm)
        if len(with_):
            told = {"neuron": ARMS[arm].label, "seeds": len(with_)}
            told |= {"with a bias %": with_.mean(), "without %": without.mean()}
            lost = with_ - without
            told["each seed"] = ", ".join(f"{x:.1f}" for x in lost)
            rows.append(told | {"loses": lost.mean()})
    return pd.DataFrame(rows).round(1)


def _by_bias(found: Study, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies with and without a bias, of the seeds that ran both."""
    both = {
        bias: {r["seed"]: r["accuracy"] for r in found.of(arm) if r.get("bias") == bias}
        for bias in (None, "none")
    }
    seeds = sorted(both[None].keys() & both["none"].keys())
    return tuple(np.array([told[s] for s in seeds]) for told in both.values())


def bias_numbers(found: Study) -> dict:
    """What a bias is worth to each neuron, and LD-LIF's loss against v-LIF without."""
    told = {"protocol.bias.rows": len(found.rows), "protocol.bias.asked": found.asked}
    for arm in found.arms():
        with_, without = _by_bias(found, arm)
        if len(with_):
            stamp = dict(digits=1, unit="points", n=len(with_), **ROWS)
            lost = float((with_ - without).mean())
            told[f"protocol.bias.worth.{arm}"] = number(lost, **stamp)
    pairs = [_by_bias(found, arm)[1] for arm in SHOWN]
    if many := min(map(len, pairs)):
        drop = float(np.mean(pairs[0][:many] - pairs[1][:many]))
        stamp = dict(digits=1, unit="points", n=many, **ROWS)
        told["protocol.bias.drop"] = number(drop, **stamp)
    return told


# ------------------------------------------------------------ what limits MLP-2

NO_SPIKES = {"mlp": "MLP, no spikes", "gru": "GRU, no spikes"}
WEIGHTS = {"mlp": 102_240, "gru": 105_472}  # studies.ceilings, without biases


def ceilings(*found: Study) -> pd.DataFrame:
    """Networks on the same bins and held-out speakers, by accuracy, in per cent."""
    rows = []
    for told, part in _alike(found):
        each = np.array([r["accuracy"] for r in part])
        told = told | {"seeds": len(each), "accuracy %": round(float(each.mean()), 1)}
        rows.append(told | {"worst to best": f"{each.min():.1f} to {each.max():.1f}"})
    made = pd.DataFrame(rows)
    return made.sort_values("accuracy %", ascending=False) if rows else made


def _alike(found: tuple[Study, ...]) -> list[tuple[dict, list[dict]]]:
    """Rows that differ in their seed only, with what they are."""
    grouped: dict[tuple, list[dict]] = {}
    for row in (row for study in found for row in study.rows):
        grouped.setdefault(tuple(_what(row).items()), []).append(row)
    return [(dict(told), part) for told, part in grouped.items()]


def _what(row: dict) -> dict:
    """What a row's network is and how it was trained."""
    rate = row.get("rate") or (1e-3 if row.get("network") else 5e-3)
    told = {"network": _named(row), "weights": _weights(row)}
    return told | {"epochs": row["epochs"], "rate": rate}


def _named(row: dict) -> str:
    if row.get("network"):
        return NO_SPIKES[row["network"]]
    layers = {2: "two", 3: "three"}[row.get("depth") or 2]
    return f"v-LIF in float, {layers} layers of {row.get('hidden') or 256}"


def _weights(row: dict) -> int:
    if row.get("network"):
        return WEIGHTS[row["network"]]
    hidden, depth = row.get("hidden") or 256, row.get("depth") or 2
    return 140 * hidden + (depth - 1) * hidden**2 + 20 * hidden


def ceiling_numbers(*found: Study) -> dict:
    """The best of the networks without spikes, and of those with, without a grid."""
    best: dict[str, list[dict]] = {"gru": [], "mlp": [], "spikes": []}
    for _, part in _alike(found):
        kind = part[0].get("network") or "spikes"
        best[kind] = max(best[kind], part, key=_mean)
    told = {}
    for kind, part in best.items():
        if part:
            seeds, n = sorted(r["seed"] for r in part), part[0]["judged_clips"]
            stamp = dict(digits=1, unit="%", n=n, seeds=seeds, **ROWS)
            told[f"protocol.ceiling.{kind}"] = number(_mean(part), **stamp)
    return told


def _mean(part: list[dict]) -> float:
    return float(np.mean([r["accuracy"] for r in part])) if part else 0.0
