"""Chapter 09: rules for lambda as tables and numbers.

Rows are those of `choosing-rules` and `choosing-search`: one v-LIF network a set, each
way of converting it once. Accuracies in per cent, regrets in points.
"""

import math

import pandas as pd

from lindecay.questions import choosing
from lindecay.results import number
from lindecay.studies import protocol

NAMES = {"nmnist": "N-MNIST", "shd": "SHD"}
NAMES |= {f"{k} stand-in": f"{v} stand-in" for k, v in NAMES.items()}
SHORT = {"nmnist": "nmnist", "shd": "shd"}
SHORT |= {f"{k} stand-in": f"{k}_made" for k in SHORT}


NAMED = ("choosing-rules", "choosing-search")


def of(data: str, rule: str, after: str = "") -> dict | None:
    """The row of one rule on one set."""
    for row in protocol.kept("choosing-rules"):
        if (row["data"], row["rule"], row["after"]) == (data, rule, after):
            return row
    return None


def tried(data: str) -> list[dict]:
    """The rows of the search, the match itself among them."""
    found = [r for r in protocol.kept("choosing-search") if r["data"] == data]
    return [*found, of(data, "membranes, by layer")]


def best(data: str) -> float:
    """The highest calibration accuracy of any rule or factor, nothing trained."""
    found = [
        r
        for r in protocol.kept("choosing-rules")
        if r["data"] == data and r["after"] != "epoch"
    ]
    found += tried(data)
    return max(r["calibrated"] for r in found if r["rule"] != "v-LIF")


def regret(data: str, rule: str, after: str = "") -> float:
    """Points below the best that needs no training, on training clips."""
    return best(data) - of(data, rule, after)["calibrated"]


def regrets() -> pd.DataFrame:
    """Rule x set: regret in points, and what the rule costs in CPU seconds on SHD."""
    table = []
    for after in ("", "bias"):
        for rule in choosing.RULES:
            row = {"rule": f"{rule}, with a bias" if after else rule}
            for data in choosing.SETS:
                row[NAMES[data]] = f"{regret(data, rule, after):.1f}"
            table.append(row | {"CPU s": f"{of('shd', rule, after)['cpu_s']:.1f}"})
    return pd.DataFrame([*table, searched()])


def searched() -> dict:
    """The search as a row, with the sum of its costs."""
    spent = tried("shd")
    told = {"rule": "searched, thirteen factors"}
    for data in choosing.SETS:
        each = [r["calibrated"] for r in tried(data)]
        told[NAMES[data]] = f"{best(data) - max(each):.1f}"
    return told | {"CPU s": f"{sum(r['cpu_s'] for r in spent):.1f}"}


def kept(data: str) -> pd.DataFrame:
    """What a converted network keeps on the test clips: as it is, biased, one epoch."""
    base = of(data, "v-LIF")
    first = {"rule": "v-LIF, before", "converted": f"{base['test']:.1f}"}
    table = [first | dict.fromkeys(AFTER, "") | {"spikes": _spikes(base)}]
    for rule in choosing.RULES:
        plain = of(data, rule)
        told = {"rule": rule, "converted": f"{plain['test']:.1f}"}
        for name, after in AFTER.items():
            row = of(data, rule, after)
            told[name] = f"{row['test']:.1f}" if row else ""
        table.append(told | {"spikes": _spikes(plain)})
    return pd.DataFrame(table)


MADE = {"biased": (choosing.BEST, "bias"), "epoch": (choosing.CHEAP, "epoch")}
AFTER = {"with bias": "bias", "one epoch": "epoch", "both": "bias, epoch"}


def _spikes(row: dict) -> str:
    return f"{row['test_spikes']:,.0f}"


def sweep(data: str) -> pd.DataFrame:
    """Accuracy along the factor: factor, calibrated and test accuracy."""
    found = tried(data)
    return pd.DataFrame(
        {"factor": r["factor"], "series": name, "accuracy": r[key]}
        for r in sorted(found, key=lambda r: r["factor"])
        for key, name in (("calibrated", "training clips"), ("test", "test clips"))
    )


def numbers() -> dict:
    """What the chapter says in prose."""
    told = {"choosing.rows": protocol.complete(*NAMED)}
    for data in choosing.SETS:
        base, rule = of(data, "v-LIF"), of(data, choosing.CHEAP)
        stamp = dict(
            digits=1, unit="points", n=base["test_clips"], source=base["source"]
        )
        lost = base["test"] - rule["test"]
        id = SHORT[data]
        told[f"choosing.{id}.before"] = number(base["test"], **(stamp | {"unit": "%"}))
        told[f"choosing.{id}.lost"] = number(lost, interval=_band(base, rule), **stamp)
        told[f"choosing.{id}.regret"] = number(regret(data, choosing.CHEAP), **stamp)
        epoch = of(data, choosing.CHEAP, "epoch")
        told[f"choosing.{id}.epoch_lost"] = number(
            base["test"] - epoch["test"], interval=_band(base, epoch), **stamp
        )
    worst = of("shd", choosing.BEST)
    stamp = dict(digits=1, unit="points", n=worst["test_clips"], source=worst["source"])
    base = of("shd", "v-LIF")
    gone, band = base["test"] - worst["test"], _band(base, worst)
    told["choosing.shd.matched_lost"] = number(gone, interval=band, **stamp)
    biased = of("shd", choosing.BEST, "bias")
    gone, band = base["test"] - biased["test"], _band(base, biased)
    told["choosing.shd.biased_lost"] = number(gone, interval=band, **stamp)
    both = of("shd", choosing.BEST, "bias, epoch")
    gone, band = base["test"] - both["test"], _band(base, both)
    told["choosing.shd.both_lost"] = number(gone, interval=band, **stamp)
    made = {a: of("shd stand-in", *how)["test"] for a, how in MADE.items()}
    before = of("shd stand-in", "v-LIF")["test"]
    for id, share in made.items():
        told[f"choosing.made.{id}"] = number(before - share, digits=1, unit="points")
    spent = of("shd", choosing.CHEAP, "epoch")["cpu_s"]
    told["choosing.shd.epoch_cpu"] = number(spent, digits=0, unit="s")
    return told


def _band(a: dict, b: dict) -> tuple[float, float]:
    """95 % of a difference of two shares of the same number of clips, unpaired.

    Wider than the pairing would allow: only counts are kept of these rows.
    """
    n = a["test_clips"]
    p, q = a["test"] / 100, b["test"] / 100
    reach = 196 * math.sqrt((p * (1 - p) + q * (1 - q)) / n)
    mean = a["test"] - b["test"]
    return round(mean - reach, 2), round(mean + reach, 2)
