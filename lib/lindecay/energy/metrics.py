"""Candidates for an undefined "energy efficiency", listed before any was scored.

The list is data/claims/frozen_design.yml's; each candidate is one number for the
frozen network. Higher is better for the array. All are printed, also the ones that
miss, with how many were tried and how often a fake range would have been hit.
"""

from itertools import permutations

import numpy as np
import yaml

from lindecay.energy.compare import Design
from lindecay.energy.constants import Constant
from lindecay.settings import Fault, committed

NEAR = 1.1  # a candidate hits a printed end within this factor


def frozen(edition: int = 1) -> dict:
    """The frozen design, as committed."""
    name = {1: "frozen_design.yml", 2: "frozen_design_2.yml"}[edition]
    return yaml.safe_load(committed(f"claims/{name}").read_text())


TWICE = ("throughput_watt_update",)  # of the first edition: update_vlif_seq's formula


def listed() -> dict[str, str]:
    """Candidate metrics: id and what it is, without what was one formula twice."""
    rows = frozen()["energy_efficiency_ratio"]["candidates"]
    return {row["id"]: row["is"] for row in rows if row["id"] not in TWICE}


def score(table: dict[str, Constant], ours: Design, seq: Design, seq16: Design,
          inside: Design) -> dict[str, float]:  # fmt: skip
    """Every candidate for one network.

    Args:
        ours: LD-LIF in the array.
        seq, seq16: word-sequential v-LIF, 8-bit and 16-bit beta.
        inside: v-LIF in the array by bit-serial product.
    """
    raw = {k: table[f"{k}_sop"].value / ours.sop for k in CHIPS}
    out = {f"gsops_w_{k}": r for k, r in raw.items()}
    for k in ("loihi", "anpi"):
        out[f"gsops_w_{k}_65"] = table[f"{k}_sop"].headline()[0] / ours.sop
    lap, laps = ours.update_cycles, seq.update_cycles
    out |= {
        "update_loihi": table["loihi_update_active"].value / ours.update,
        "update_vlif_seq": seq.update / ours.update,
        "update_vlif16_seq": seq16.update / ours.update,
        "clip_vlif_seq": seq.clip / ours.clip,
        "edp_vlif_seq": seq.edp / ours.edp,
        "update_edp_vlif_seq": seq.update * laps / (ours.update * lap),
        "update_latency_vlif_seq": laps / lap,
        "clip_in_array_vlif": inside.clip / ours.clip,
        "update_in_array_vlif": inside.update / ours.update,
    }
    missing = set(listed()) ^ set(out)
    if missing:
        raise Fault("metrics differ from the frozen list", found=", ".join(missing))
    return {k: float(out[k]) for k in listed()}


CHIPS = ("loihi", "truenorth", "spinnaker2", "odin")


def hits(scores: dict[str, float], end: float, near: float = NEAR) -> list[str]:
    """Candidates within a factor of this end."""
    return [k for k, x in scores.items() if end / near <= x <= end * near]


def range_hits(scores: dict, low: float, high: float, near: float = NEAR) -> list:
    """Ordered pairs of candidates that hit both ends."""
    ends = hits(scores, low, near), hits(scores, high, near)
    return [(a, b) for a in ends[0] for b in ends[1] if a != b]


def luck(scores: dict, low: float, high: float, n: int = 5000, seed: int = 0) -> float:
    """Share of fake ranges as wide as this that some pair of candidates hits.

    The fake's low end lies anywhere from 1 to 100, uniform in the logarithm.
    """
    random = np.random.default_rng(seed)
    lows = np.exp(random.uniform(0, np.log(100), n))
    return float(np.mean([bool(range_hits(scores, x, x * high / low)) for x in lows]))


def tried(scores: dict) -> tuple[int, int]:
    """How many candidates, how many ordered pairs of them."""
    return len(scores), len(list(permutations(scores, 2)))
