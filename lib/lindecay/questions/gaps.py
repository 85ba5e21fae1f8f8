"""What the rows of `limits` say: gaps between arms, paired by seed.

    gap = mean over seeds of (accuracy of one arm - that of another), Student's interval

A page publishes what follows from the committed rows; `claims.asked` computes it again
and turns the check red where a number is another one.
"""

from collections.abc import Mapping

import numpy as np

from lindecay.questions import gatewise, limits
from lindecay.studies import paired, protocol

MAIN = {  # id -> task, knob, arm, base
    "limits.rate_gap": ("rate", 30, "vlif", "ldlif"),
    "limits.faint_gap": ("rate", 10, "vlif", "ldlif"),
    "limits.strong_gap": ("rate", 100, "vlif", "ldlif"),
    "limits.cue_gap": ("match", 32, "ldlif", "vlif"),
    "limits.near_gap": ("match", 4, "ldlif", "vlif"),
    "limits.adding_gap": ("adding", 32, "ldlif", "vlif"),
    "limits.order_gap": ("order", 32, "ldlif", "vlif"),
    "limits.chain_gap": ("chain", 16, "ldlif", "vlif"),
    "limits.if_gap": ("rate", 30, "ldlif", "if"),
}


STUDIES = limits.STUDIES | gatewise.STUDIES


rows = protocol.kept


def gap(found: list[dict], task: str, knob: int, arm: str, base: str) -> dict:
    """Points of `arm` over `base`, paired by seed: mean, interval, n."""
    mine = {
        r["arm"]: np.array(r["accuracy"])
        for r in found
        if (r["task"], r["knob"], r["held"]) == (task, knob, False)
    }
    return paired.of_groups(mine[arm] - mine[base])


def main_gaps(main: list[dict]) -> dict[str, dict]:
    """The gaps between arms that the page names, by result id."""
    return {id: gap(main, *asked) for id, asked in MAIN.items()}


def cure_gaps(main: list[dict], cures: list[dict]) -> dict[str, dict]:
    """What each remedy wins over LD-LIF with one λ a layer where drive is weak, by id.

    On the other tasks the table of the page says it.
    """
    every, first = [*main, *cures], limits.CURED[0]
    found = {
        f"limits.{arm}_gain": gap(every, *first, arm, "ldlif") for arm in limits.CURES
    }
    both = gap(every, "rate", 30, "neuron", "neuron_vlif")
    return found | {"limits.neuron_rate_gap": both}


def starts(found: list[dict]) -> dict[str, dict]:
    """The best start of each arm, judged after the fact: a ceiling.

    Returns {arm: mean, best horizon, accuracies of that start}.
    """
    out: dict[str, dict] = {}
    for row in found:
        name = row["arm"]
        mean = float(np.mean(row["accuracy"]))
        if name not in out or mean > out[name]["mean"]:
            each = row["accuracy"]
            out[name] = {"mean": mean, "horizon": row["horizon"], "each": each}
    return out


def every_gap(main: list[dict], cures: list[dict]) -> dict[str, dict]:
    """All gaps with their intervals, by result id."""
    return main_gaps(main) | cure_gaps(main, cures)


def follows() -> Mapping[str, float]:
    """What the committed rows imply, by result id: points, rounded as published."""
    main, cures = rows("limits"), rows("limits-cures")
    if not main or not cures:
        return {}
    found = every_gap(main, cures)
    return {id: round(told["mean"], 2) for id, told in found.items()}
