"""Chapter 04: three arms side by side on N-MNIST, and what their decay is good for."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lindecay import training
from lindecay.networks import ARMS
from lindecay.results import number


def resolution_numbers(train, test, one_run: float, least: float, published: float):
    """Clips, and what they could resolve, before anything is trained."""
    source, n = test.source, len(test)
    return {
        "nmnist.test_clips": number(n, source=source),
        "nmnist.train_clips": number(len(train), source=source),
        "nmnist.se_one_run": number(one_run, digits=2, n=n, source=source),
        "nmnist.mdd": number(least, digits=1, n=n, source=source),
        "nmnist.se_published": number(published, digits=2, n=10_000),
    }


def losses(arms: list[str], size) -> pd.DataFrame:
    """Training loss against epoch, mean over the profile's seeds, a column an arm."""
    table = {"epoch": np.arange(1, size.epochs + 1)}
    for arm in arms:
        curves = [training.curve(training.Plan(arm, s, size)) for s in size.seeds]
        table[arm] = np.mean([[e["loss"] for e in curve] for curve in curves], axis=0)
    return pd.DataFrame(table)


def arms_table(outcomes: Mapping) -> pd.DataFrame:
    """Accuracy over the seeds and operations, one row an arm."""
    return pd.DataFrame(
        {
            "arm": ARMS[arm].label,
            "accuracy %": o.accuracy.mean(),
            "worst seed": o.accuracy.min(),
            "best seed": o.accuracy.max(),
            "kSOP a clip": o.sops.mean() / 1000,
            "hidden spikes a clip": o.spikes.mean(),
        }
        for arm, o in outcomes.items()
    ).round(1)


def stamp_of(size, test) -> dict:
    """What an accuracy of this page rests on."""
    own = dict(seeds=size.seeds, source=test.source, n=len(test))
    return own | dict(digits=1, unit="%")


def accuracy_numbers(outcomes: Mapping, stamp: dict) -> dict:
    """Accuracy, accuracy of each seed and operations of every arm."""
    made = {}
    for arm, o in outcomes.items():
        sops = number(o.sops.mean(), **stamp | {"digits": 0, "unit": "SOP/clip"})
        made |= {
            f"nmnist.acc.{arm}": number(o.accuracy.mean(), **stamp),
            f"nmnist.acc_per_seed.{arm}": number(o.accuracy.tolist(), **stamp),
            f"nmnist.sops.{arm}": sops,
        }
    ratio = outcomes["ldlif"].sops.mean() / outcomes["vlif"].sops.mean()
    own = stamp | {"digits": 3, "unit": ""}
    return made | {"nmnist.sop_ratio": number(ratio, **own)}


def drop_numbers(drop: dict, control: dict, pairs: int, stamp: dict) -> dict:
    """The paired drops of LD-LIF and IF against v-LIF (`training.paired_drop`)."""
    points = stamp | {"unit": "points", "digits": 2, "n": pairs}
    seeds = drop["seeds_interval"]
    return {
        "nmnist.drop": number(drop["mean"], interval=drop["interval"], **points),
        "nmnist.drop_per_seed": number(drop["per_seed"], interval=seeds, **points),
        "nmnist.drop_if": number(
            control["mean"], interval=control["interval"], **points
        ),
    }


def drops_table(drops: Mapping[str, dict]) -> pd.DataFrame:
    """Arm, mean, low, high: one row a drop."""
    return pd.DataFrame(
        {"arm": arm, "mean": d["mean"]} | dict(zip(("low", "high"), d["interval"]))
        for arm, d in drops.items()
    )


def lambdas(ck) -> pd.DataFrame:
    """How many neurons have which λ, in LSB of the membrane."""
    lam = np.concatenate([layer.row("lam") for layer in ck.layers])
    values, neurons = np.unique(lam, return_counts=True)
    return pd.DataFrame({"lambda_lsb": values, "neurons": neurons})


def lambda_numbers(ck, source: str) -> dict:
    """λ of each layer, over θ, and the share of neurons whose λ is zero."""
    table = lambdas(ck)
    n = int(table["neurons"].sum())
    none = int(table.loc[table["lambda_lsb"] == 0, "neurons"].sum())
    over = [float(layer.lam) / float(layer.theta) for layer in ck.layers]
    made = {
        "nmnist.lam_int": number(table["lambda_lsb"].tolist(), n=n, source=source),
        "nmnist.lam_zero_share": number(
            100 * none / n, digits=0, unit="%", n=n, source=source
        ),
        "nmnist.lam_over_theta": number(over, digits=3, source=source),
    }
    for name, layer in zip(("hidden", "output"), ck.layers):
        made[f"nmnist.lam_{name}"] = number(int(layer.lam), source=source)
    return made


def accuracy_with(checkpoints: list, change, test) -> float:
    """Mean accuracy in per cent when λ is changed after training.

    Args:
        change: a function of λ, integers; see `training.with_lambda`.
    """
    changed = [training.with_lambda(ck, change) for ck in checkpoints]
    return 100 * np.mean([training.correct(ck, test) for ck in changed])


def unequal(forward, whole) -> tuple[int, int]:
    """(states compared, states that differ) of the training forward and integers.

    Args:
        forward: (U, S) of each layer; `whole`: the trace of the integer network.
    """
    pairs = [
        (state, getattr(layer, name))
        for states, layer in zip(forward, whole.layers)
        for name, state in zip("US", states)
    ]
    wrong = sum(int((a != b).sum()) for a, b in pairs)
    return sum(b.size for _, b in pairs), wrong
