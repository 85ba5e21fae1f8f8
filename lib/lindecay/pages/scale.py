"""Chapter 11, first half: what a linear leak costs as a network grows.

The drop is v-LIF minus LD-LIF in points, pairs of one seed, rows of `questions.scale`.
"""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from lindecay.questions import latency, scale
from lindecay.results import number
from lindecay.settings import Fault
from lindecay.studies import paired, tables
from lindecay.studies.tables import Study

DATA = {  # of a row: how the page calls its clips
    "shd": "SHD",
    "commands": "commands, stand-in",
    "gestures": "gestures, stand-in",
    "nmnist": "N-MNIST",
}
WIDE = (32, 128, 512)  # of the feed-forward networks on SHD


def study(name: str) -> Study:
    """A committed study of this chapter."""
    return tables.study(name)


def followed(found: Study) -> Study:
    """The study, once every accuracy follows from its row's predictions; Fault else."""
    for row in found.rows:
        right = 100 * float(tables.hits(row, found.labels).mean())
        if abs(right - row["accuracy"]) > 1e-3:  # rows hold four decimals
            told = {"expected": f"{right:.4f} %", "found": f"{row['accuracy']} %"}
            what = "an accuracy that its predictions do not give"
            raise Fault(what, **told, where=row["key"])
    return found


def studies() -> pd.DataFrame:
    """What each study of the chapter asks, how much of it ran, CPU seconds."""
    rows = []
    for name, made in (scale.STUDIES | latency.STUDIES).items():
        found = study(name)
        spent = sum(r.get("train_cpu_s", r.get("seconds", 0)) for r in found.rows)
        asks = (made.__doc__ or "").splitlines()[0]
        told = {"study": name, "what": asks, "tasks": found.n}
        rows.append(told | {"CPU minutes": round(spent / 60, 1)})
    return pd.DataFrame(rows)


# ---- accuracy


def groups(found: Study) -> dict[str, Study]:
    """The rows of each network, "set: network" -> its pairs, in the order asked."""
    names = {(t.data, t.net) for t in scale.STUDIES["scale-sizes"]()}
    order = sorted(names, key=lambda x: (list(DATA).index(x[0]), _size(x[1])))
    made = {f"{DATA[d]}: {n}": found.only(data=d, net=n) for d, n in order}
    return {name: rows for name, rows in made.items() if rows}


def _size(net: str) -> tuple:
    """Feed-forward first, then by size, short runs first.

    >>> _size("recurrent 32"), _size("feed-forward 512, 18 epochs")
    ((True, 32), (False, 512, 18))
    """
    return net.startswith("recurrent"), *map(int, re.findall(r"\d+", net))


def widths() -> dict[str, Study]:
    """N-MNIST's hidden layer of 128 to 1,024 neurons: rows that were there already."""
    found = tables.study("sizes").only(study="hidden")
    sizes = sorted({row["hidden"] for row in found.rows})
    return {f"N-MNIST: feed-forward {n}": found.only(hidden=n) for n in sizes}


def drops(found: Mapping[str, Study]) -> pd.DataFrame:
    """One row a network: both accuracies, the paired drop with its 95 % interval."""
    rows = []
    for name, own in found.items():
        told = tables.drop(own, "ldlif") or one_pair(own)
        if told is None:
            continue
        acc = {a: np.mean([r["accuracy"] for r in own.of(a)]) for a in scale.ARMS}
        low, high = told["interval"]
        row = {"network": name, "pairs": told["n"], "clips": told["clips"]}
        row |= {"v-LIF %": acc["vlif"], "LD-LIF %": acc["ldlif"], "drop": told["mean"]}
        ops = {a: np.mean([r["sops"] for r in own.of(a)]) for a in scale.ARMS}
        row |= {"low": low, "high": high, "SOP ratio": ops["ldlif"] / ops["vlif"]}
        rows.append(row)
    return pd.DataFrame(rows)


def one_pair(own: Study) -> dict | None:
    """Drop of a single seed; its interval (normal) is of clips alone."""
    if own.arms() != list(scale.ARMS):
        return None
    base, other = (own.right(arm)[0].astype(float) for arm in scale.ARMS)
    lost = 100 * (base - other)
    half = 1.96 * lost.std(ddof=1) / np.sqrt(len(lost))
    mean = float(lost.mean())
    ends = (mean - half, mean + half)
    return {"mean": mean, "interval": ends, "n": 1, "clips": len(lost)}


def slope(found: Study, knob: str, sizes: tuple[int, ...]) -> dict:
    """Points of drop for each doubling of a size: a line for each seed.

    A seed whose pair is missing at a size does without it. Returns mean, interval
    (Student over seeds) and n.
    """
    at = {(r["arm"], r["seed"], r[knob]): r["accuracy"] for r in found.rows}
    lines = []
    for seed in sorted({seed for _, seed, _ in at}):
        both = [n for n in sizes if all((a, seed, n) in at for a in scale.ARMS)]
        if len(both) > 1:
            lost = [at["vlif", seed, n] - at["ldlif", seed, n] for n in both]
            lines.append(float(np.polyfit(np.log2(both), lost, 1)[0]))
    return paired.of_groups(np.array(lines))


def grows(found: Study) -> dict[str, dict]:
    """The slopes that the page names: width on SHD and on N-MNIST."""
    plain = found.only(data="shd", recurrent=False, epochs=None)
    nmnist = tables.study("sizes").only(study="hidden")
    sizes = tuple(sorted({row["hidden"] for row in nmnist.rows}))
    return {
        "shd": slope(plain, "size", WIDE),
        "nmnist": slope(nmnist, "hidden", sizes),
    }


def pairs_of(table: pd.DataFrame, small: str, large: str) -> dict:
    """Drop of one network minus another's, with an interval of both."""
    rows = table.set_index("network")
    a, b = rows.loc[large], rows.loc[small]
    half = np.hypot(a.high - a.low, b.high - b.low) / 2
    mean = a["drop"] - b["drop"]
    return {"mean": mean, "interval": (mean - half, mean + half), "n": int(a.pairs)}


COMPARED = {  # what is asked: (smaller network, larger network)
    "recurrence": ("SHD: feed-forward 128", "SHD: recurrent 128"),
    "training": ("SHD: feed-forward 128", "SHD: feed-forward 128, 18 epochs"),
    "depth": ("gestures, stand-in: CNN, 2 convolutions",)
    + ("gestures, stand-in: CNN, 5 convolutions",),
    "inputs": ("SHD: feed-forward 128", "commands, stand-in: feed-forward 128"),
}


def side_of(interval: tuple[float, float], bound: float) -> str:
    """Whether a whole interval lies below a bound, in words.

    >>> side_of((-1, 0.5), 1), side_of((-1, 2), 1), side_of((2, 3), 1)
    ('it holds', 'it stays open', 'it fails')
    """
    low, high = interval
    return "it holds" if high < bound else "it fails" if low >= bound else OPEN


OPEN = "it stays open"


def accuracy_numbers(found: Study, table: pd.DataFrame) -> dict:
    """Slopes, and what recurrence, depth and inputs add to the drop."""
    same = {"unit": "points", "digits": 1}
    told = {"scale.networks": len(table)}
    for name, line in grows(found).items():
        how = same | {"source": "recordings", "interval": line["interval"]}
        told[f"scale.slope_{name}"] = number(line["mean"], n=line["n"], **how)
    told["scale.width_claim"] = side_of(grows(found)["shd"]["interval"], 1.0)
    for name, (small, large) in COMPARED.items():
        more = pairs_of(table, small, large)
        source = "recordings" if large.startswith("SHD") else "stand-in"
        how = same | {"source": source, "interval": more["interval"]}
        told[f"scale.adds_{name}"] = number(more["mean"], n=more["n"], **how)
    for key, end in (("worst", "max"), ("best", "min")):
        row = table.loc[getattr(table["drop"], f"idx{end}")()]
        told[f"scale.{key}"] = row.network
        band = (row.low, row.high)
        told[f"scale.{key}_drop"] = number(row["drop"], interval=band, **same)
    return told
