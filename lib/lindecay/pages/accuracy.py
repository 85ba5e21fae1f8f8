"""Chapter 05: what each study says, as tables and as numbers with their stamps.

The studies are `tables.Study`; a drop is what `tables.drop` tells (mean, interval, n,
seeds, clips, …). Accuracies and drops are in per cent and points.
"""

import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lindecay.networks import ARMS
from lindecay.results import number
from lindecay.studies import paired, protocol, tables
from lindecay.studies.tables import Study
from lindecay.training import speech

ROWS = dict(source="recordings")  # committed rows, made on recordings
ASKS = {
    "tune": "six horizons an arm, two speakers held out",
    "open-tune": "open decays: six horizons for each of nine neurons",
    "open-main": "open decays: SHD, unseen test speakers",
    "strong": "v-LIF without a grid: is MLP-2 a straw man?",
    "main": "SHD, unseen test speakers, paired seeds",
    "speakers": "SHD, one training speaker out at a time",
    "further": "decays that do not learn; shift-exponential",
    "weights": "SHD, weights of 1 to 8 bits and float",
    "folds": "N-MNIST, five folds of all clips; asked for five seeds",
    "axes": "N-MNIST, one axis of the grid at a time",
    "decays": "N-MNIST, six horizons to start from",
    "sizes": "N-MNIST, neurons and bins nobody gave",
}
VARIANTS = {  # of the study `further`: the fields that its rows have
    "v-LIF, β fixed": dict(arm="vlif", learn_decay=False),
    "LD-LIF, λ fixed": dict(arm="ldlif", learn_decay=False),
    "v-LIF, β of 16 bits": dict(beta_bits=16),
    "shift-exponential": dict(arm="shift"),
}
PAIR = ("vlif", "ldlif")


def studies(full: Mapping[str, Study]) -> pd.DataFrame:
    """What each study asks, how much of it ran, and its command."""
    return pd.DataFrame(
        {
            "study": name,
            "what": what,
            "tasks": full[name].n,
            "command": f"lindecay sweep {name}",
        }
        for name, what in ASKS.items()
    )


def recipe(*settings) -> str:
    """MLP-2 as its module describes it, then every field of these settings."""
    lines = []
    for part in inspect.getdoc(speech).split("\n\n"):
        listed = part.startswith((" ", "-"))
        wide = part.replace("  (", "\n      (") if listed else textwrap.fill(part, 70)
        lines += [wide, ""]
    for made in settings:
        lines += ["", *(f"{name:12} {value}" for name, value in vars(made).items())]
    return "\n".join(lines)


def accuracies(found: Study, arm: str, key: str = "accuracy") -> list[float]:
    """One number a row of an arm."""
    return [row[key] for row in found.of(arm)]


def along(found: Study, knob: str, name: str | None = None) -> pd.DataFrame:
    """Accuracy along one knob, one row a value: arm, value, accuracy, low, high."""
    return pd.DataFrame(
        {"arm": arm, name or knob: value, "accuracy": mean, "low": low, "high": high}
        for arm, points in tables.axis(found, knob).items()
        for value, mean, low, high, _ in points
    )


def held_level(table: pd.DataFrame, arm: str, x: str) -> pd.DataFrame:
    """An arm that has no such knob, as a level line from end to end of the others."""
    rest, level = table[table.arm != arm], table[table.arm == arm].iloc[0].to_dict()
    ends = [level | {x: rest[x].min()}, level | {x: rest[x].max()}]
    return pd.concat([rest, pd.DataFrame(ends)], ignore_index=True)


def tuning_numbers(found: Study) -> dict:
    """The horizons that were chosen, in steps."""
    choice = tables.best(found, "horizon")
    chosen = [choice.get(arm, 0.0) for arm in ("vlif", "ldlif", "floor")]
    told = number(chosen, digits=0, unit="steps", seeds=[0], **ROWS)
    return {"protocol.tuned": told}


def strong_numbers(found: Study) -> dict:
    """What v-LIF reaches without a grid, beside what was wanted."""
    n, seeds = found.of("vlif")[0]["judged_clips"], found.seeds("vlif")
    mean = float(np.mean(accuracies(found, "vlif")))
    told = number(mean, digits=1, unit="%", n=n, seeds=seeds, **ROWS)
    return {"protocol.strong": told, "protocol.strong.wanted": 76}


# ------------------------------------------------------------ SHD, the arms


def points(told: dict, n: int | None = None, **more) -> dict:
    """A drop as a number: points, interval, how many pairs."""
    stamp = dict(digits=2, unit="points", **ROWS) | more
    n = told["n"] if n is None else n
    return number(told["mean"], interval=told["interval"], n=n, **stamp)


def shd_numbers(main: Study, drops: Mapping[str, dict], printed: float) -> dict:
    """Accuracy and drop of every arm, the two answers, and McNemar's counts."""
    n = len(main.labels["shd test"])
    found = {"protocol.shd.clips": number(n, **ROWS)}
    for arm in main.arms():
        mean, own = float(np.mean(accuracies(main, arm))), main.seeds(arm)
        told = number(mean, digits=1, unit="%", n=n, seeds=own, **ROWS)
        found[f"protocol.shd.acc.{arm}"] = told
    for arm, told in drops.items():
        end = "" if arm == "ldlif" else f"_{arm}"
        found[f"protocol.shd.drop{end}"] = points(told, seeds=told["seeds"])
    said, test = tables.answers(drops["ldlif"], printed), drops["ldlif"]["mcnemar"]
    spent = [np.mean(accuracies(main, arm, "sops")) for arm in ("ldlif", "vlif")]
    return found | {
        "protocol.shd.early": early(main),
        "protocol.shd.compatible": said[0],
        "protocol.shd.equivalent": said[1],
        "protocol.shd.only_vlif": test["only_base"],
        "protocol.shd.only_ldlif": test["only_other"],
        "protocol.shd.sop_ratio": number(float(spent[0] / spent[1]), digits=2, **ROWS),
    }


def early(main: Study, pairs: int = 4) -> dict:
    """The drop as it stood after the first pairs of seeds."""
    first = [row for row in main.rows if row["seed"] < pairs]
    told = tables.drop(replace(main, rows=first), "ldlif")
    return points(told, seeds=told["seeds"])


def drops_table(drops: Mapping[str, dict]) -> pd.DataFrame:
    """Arm, mean, low, high: one row a drop."""
    return pd.DataFrame(
        {"arm": arm, "mean": d["mean"], "low": d["interval"][0]}
        | {"high": d["interval"][1]}
        for arm, d in drops.items()
    )


def cloud(main: Study) -> pd.DataFrame:
    """Operations (thousands a clip) and accuracy of every trained network."""
    return pd.DataFrame(
        {"arm": arm, "ksop": row["sops"] / 1000, "accuracy": row["accuracy"]}
        for arm in main.arms()
        for row in main.of(arm)
    )


def front_numbers(networks: pd.DataFrame, best: list[tuple]) -> dict:
    """How many networks nobody beats in both, and whose they are."""
    there = [
        ARMS[arm].label
        for arm, own in networks.groupby("arm", sort=False)
        if {*zip(own.ksop, own.accuracy)} & {*best}
    ]
    return {"protocol.shd.front": len(best), "protocol.shd.on_front": there}


def further(main: Study, found: Study) -> pd.DataFrame:
    """Decays that do not learn and other multipliers, against main's v-LIF."""
    rows = []
    for name, fields in VARIANTS.items():
        part = found.only(**fields)
        told = tables.against(main, part)
        row = {"neuron": name, "seeds": len(part.rows), "accuracy %": "not run"}
        row |= {"kSOP a clip": "", "drop, points": tables.span(told) if told else ""}
        if part:
            mean = np.mean([r["accuracy"] for r in part.rows])
            spent = np.mean([r["sops"] for r in part.rows])
            row["accuracy %"] = mean.round(2)
            row["kSOP a clip"] = np.round(spent / 1000, 1)
        rows.append(row)
    return pd.DataFrame(rows)


def lambda_changed(main: Study) -> pd.DataFrame:
    """Accuracy with λ as trained, zero and doubled; share of neurons with λ = 0."""
    return pd.DataFrame(
        {
            "arm": ARMS[arm].label,
            "as trained %": np.mean(accuracies(main, arm)),
            "λ = 0 %": np.mean(accuracies(main, arm, "without")),
            "λ doubled %": np.mean(accuracies(main, arm, "doubled")),
            "neurons with λ = 0, %": 100 * np.mean(accuracies(main, arm, "lam_zero")),
        }
        for arm in ("ldlif", "floor")
        if arm in main.arms()
    ).round(1)


def learned_decays(main: Study, edges: np.ndarray) -> pd.DataFrame:
    """Share of neurons by λ over θ (v-LIF: of the matched λ), one row a bin."""
    ratios = np.concatenate(accuracies(main, "ldlif", "lam_over_theta"))
    betas = np.concatenate(accuracies(main, "vlif", "beta_q")) / 256
    matched = (1 - betas) / (1 + betas)
    least = edges[0]  # what lies below the first bin is counted in it
    shares = {
        arm: np.histogram(np.maximum(values, least), edges)[0] / len(values)
        for arm, values in (("ldlif", ratios), ("vlif", matched))
    }
    return pd.DataFrame({"from": edges[:-1], **shares})


def lambda_numbers(main: Study) -> dict:
    """Share of LD-LIF neurons that learned λ = 0, and of those at one or two LSB."""
    counts = [np.array(c) for c in accuracies(main, "ldlif", "lam_int")]
    near = np.mean([c[1:3].sum() / c.sum() for c in counts])
    zero = np.mean(accuracies(main, "ldlif", "lam_zero"))
    stamp = dict(digits=1, unit="%", **ROWS)
    return {
        "protocol.shd.lam_zero": number(100 * float(zero), **stamp),
        "protocol.shd.lam_near": number(100 * float(near), **stamp),
    }


def confusion_table(shares: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Spoken and given class with the share in each arm, one row a pair."""
    n = len(next(iter(shares.values())))
    pairs = {"spoken": np.repeat(np.arange(n), n), "given": np.tile(np.arange(n), n)}
    return pd.DataFrame(pairs | {arm: table.ravel() for arm, table in shares.items()})


def confusion_numbers(shares: Mapping[str, np.ndarray]) -> dict:
    """The most frequent confusion of each arm, per cent of its class's clips."""
    most = [
        100 * float((table - np.diag(np.diag(table))).max())
        for table in shares.values()
    ]
    return {"protocol.shd.worst_pair": number(most, digits=0, unit="%", **ROWS)}


def speakers_table(found: Study) -> pd.DataFrame:
    """Each speaker left out in turn: clips, accuracy of both arms, drop."""
    heard = {arm: {r["speaker"]: r for r in found.of(arm)} for arm in PAIR}
    return pd.DataFrame(
        {
            "speaker": who,
            "clips": heard["vlif"][who]["judged_clips"],
            "v-LIF %": round(heard["vlif"][who]["accuracy"], 1),
            "LD-LIF %": round(heard["ldlif"][who]["accuracy"], 1),
            "drop, points": round(lost, 2),
        }
        for who, lost in tables.grouped(found, "ldlif", "speaker").items()
    )


def speakers_numbers(found: Study, printed: float) -> dict:
    """v-LIF's accuracy over speakers, the drop (Student) and both answers."""
    lost = tables.grouped(found, "ldlif", "speaker")
    told = paired.of_groups(np.array(list(lost.values())))
    each = list({r["speaker"]: r["accuracy"] for r in found.of("vlif")}.values())
    stamp = dict(digits=1, unit="%", **ROWS)
    return {
        "protocol.speakers.acc": number(np.mean(each), **stamp),
        "protocol.speakers.worst": number(min(each), **stamp),
        "protocol.speakers.best": number(max(each), **stamp),
        "protocol.speakers.drop": points(told, seeds=[0]),
        "protocol.speakers.answers": list(tables.answers(told, printed)),
    }


# ---------------------------------------------------------------- N-MNIST


def cross_validated(folds: Study, arm: str) -> dict:
    """The drop over folds that both arms have, interval after Nadeau and Bengio."""
    base, runs = (
        {(r["seed"], r["fold"]): r["accuracy"] for r in folds.of(name)}
        for name in ("vlif", arm)
    )
    common = sorted({*runs} & {*base})
    return paired.of_folds(np.array([base[k] - runs[k] for k in common]))


def folds_table(folds: Study, crossed: Mapping[str, dict]) -> pd.DataFrame:
    """Runs, accuracy and drop of each arm."""
    return pd.DataFrame(
        {
            "arm": ARMS[arm].label,
            "runs": len(folds.of(arm)),
            "accuracy %": np.mean(accuracies(folds, arm)).round(2),
            "drop, points": tables.span(crossed[arm]) if arm in crossed else "",
        }
        for arm in folds.arms()
    )


def folds_numbers(crossed: Mapping[str, dict]) -> dict:
    """The cross-validated drop of each arm."""
    return {
        "protocol.nmnist.drop" + ("" if arm == "ldlif" else f"_{arm}"): points(told)
        for arm, told in crossed.items()
    }


def weights_numbers(widths: Study, main: Study) -> dict:
    """What four bits cost against float, and how often two networks agree."""
    lines = along(widths, "weight_bits").set_index(["arm", "weight_bits"]).accuracy
    cost = [float(lines[arm, 0] - lines[arm, 4]) for arm in PAIR]
    same = tables.agreement(widths, "weight_bits", 4, 0)
    told = [protocol.classes_of(text) for text in accuracies(main, "vlif", PREDICTED)]
    pairs = [100 * float(np.mean(a == b)) for k, a in enumerate(told) for b in told[:k]]
    stamp = dict(digits=1, unit="%", **ROWS)
    return {
        "protocol.shd.four_bits": number(
            cost, **stamp | {"unit": "points", "seeds": [0]}
        ),
        "protocol.shd.seeds_agree": number(float(np.mean(pairs)), **stamp),
        "protocol.shd.agreement": number([100 * same[arm] for arm in PAIR], **stamp),
    }


PREDICTED = "predictions"


def sizes_table(found: Study) -> pd.DataFrame:
    """Neurons and bins that the summary does not give, moved one at a time."""
    rows = []
    for key, what in (("hidden", "hidden neurons"), ("dt_us", "µs a bin")):
        part = found.only(study=key)
        lost = tables.grouped(part, "ldlif", key)
        for value, mean, _, _, runs in tables.axis(part, key).get("vlif", []):
            row = {"axis": what, "value": value, "seeds": runs}
            row |= {"v-LIF %": round(mean, 2)}
            row |= {"LD-LIF %": round(mean - lost[value], 2)}
            rows.append(row | {"drop, points": round(lost[value], 2)})
    return pd.DataFrame(rows)


def sizes_numbers(table: pd.DataFrame) -> dict:
    """The smallest and the largest drop of that table."""
    ends = [float(table["drop, points"].min()), float(table["drop, points"].max())]
    return {"protocol.sizes.drops": number(ends, digits=2, unit="points", **ROWS)}


def small(seeds: int, epochs: int, clips: int) -> Study:
    """The study that a page trains there and then, with other sizes.

    Args:
        seeds: how many, paired over the arms.
        clips: training clips, chosen once.
    """
    first = [task for task in protocol.tasks("quick") if task.seed == 0]
    rows = [
        protocol.row_of(replace(task, seed=seed, epochs=epochs, clips=clips))
        for seed in range(seeds)
        for task in first
    ]
    labels = {f"{r['data']} {r['judged']}": r["labels"] for r in rows}
    return Study("quick", len(rows), rows, labels)


def live_numbers(live: Study, clips: int) -> dict:
    """The little training of this page: accuracies, drops, sizes.

    Args:
        clips: training clips where the rows do not say how many they used.
    """
    row, source = live.rows[0], live.rows[0]["source"]
    drop, control = tables.drop(live, "ldlif"), tables.drop(live, "if")
    both = drop["n"] * drop["clips"]
    own = dict(seeds=drop["seeds"], source=source)
    each = number(
        drop["per_seed"],
        interval=drop["seeds_interval"],
        n=both,
        digits=2,
        unit="points",
        **own,
    )
    found = {
        "shd.train_clips": row.get("clips") or clips,
        "shd.weight_bits": row["weight_bits"],
        "shd.test_clips": number(drop["clips"], source=source),
        "shd.drop": points(drop, both, **own),
        "shd.drop_per_seed": each,
        "shd.drop_if": points(
            control,
            control["n"] * control["clips"],
            seeds=control["seeds"],
            source=source,
        ),
    }
    for arm in ("vlif", "ldlif", "if"):
        stamp = dict(source=source, digits=1, unit="%", n=drop["clips"])
        stamp["seeds"] = live.seeds(arm)
        values = accuracies(live, arm)
        found[f"shd.acc.{arm}"] = number(float(np.mean(values)), **stamp)
        found[f"shd.acc_per_seed.{arm}"] = number(values, **stamp)
    return found
