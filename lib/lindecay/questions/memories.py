"""Other memories for weights and membranes: what they cost, and how long they last.

    weights    read energy, standing leakage, energy of loading a network, area
    membranes  writes a second x endurance = lifetime; writes of each bit
    voltage    BER(V) = Q((V - V50) / sigma), energy ~ V^2

The memory model is one node (22 nm) and one array for all technologies, so that ratios
count; joules of the rest are our 65 nm bill's. Nothing here enters a sum of chapter 08.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import stats

from lindecay import integer
from lindecay.checkpoints import Checkpoint
from lindecay.energy.constants import Constant
from lindecay.events import Clips
from lindecay.questions import faults
from lindecay.sram.ledger import Ledger

TECHNOLOGIES = {
    "sram": "SRAM",
    "rram": "RRAM",
    "pcm": "PCM",
    "stt": "STT-MRAM",
    "fefet": "FeFET",
}
WORD, MB = 64, 8 * 2**20  # bits that the model's energies and leakage stand for
DAY, YEAR = 86_400.0, 3.156e7  # seconds
NODE_UM = 22e-3
WORDS = 12  # bits of a membrane
ELSEWHERE = ("clear", "accumulate")  # all other programs write rows of V


@dataclass(frozen=True)
class Demand:
    """What a network asks of its memories, a clip."""

    weight_bits: int  # stored
    reads: float  # weight bits read
    steps: int
    writes: float  # of a membrane's row in one step
    seconds: float  # a clip in real time


def demand(ck: Checkpoint, clips: Clips, run) -> Demand:
    """From a run on the array (layout A): its ledger and its stored words."""
    stored = sum(layer.w.size * layer.bits for layer in ck.layers)
    total = run.ledger.total()
    reads = total.sops * ck.layers[0].bits / len(clips)
    told = _writes(run.ledger, ck) / (len(clips) * ck.steps)
    seconds = ck.steps * clips.dt_us / 1e6
    return Demand(stored, reads, ck.steps, told, seconds)


def _writes(ledger: Ledger, ck: Checkpoint) -> float:
    """Row writes of the update programs of the first layer, for each row of V."""
    first = ck.layers[0].name
    rows = [
        ledger[at].write_rows
        for at in ledger
        if at[0] == first and at[1] not in ELSEWHERE
    ]
    macros = ledger[first, "decay"].macro_cycles / ledger[first, "decay"].cycles
    return sum(rows) / ck.B / max(macros, 1)


def weights(need: Demand, table: dict[str, Constant]) -> list[dict]:
    """A row a technology: energies in pJ and uJ, leakage in uW, area in mm^2."""
    rows = []
    for key, name in TECHNOLOGIES.items():
        read, write, leak = (
            table[f"mem_{key}_{k}"].value for k in ("read", "write", "leak")
        )
        rows.append(
            {
                "key": key,
                "memory": name,
                "reads_uj": need.reads * read / WORD / 1e6,
                "load_uj": need.weight_bits * write / WORD / 1e6,
                "leak_uw": need.weight_bits * leak / MB * 1e3,
                "area_mm2": need.weight_bits
                * table[f"mem_{key}_cell"].value
                * NODE_UM**2
                / 1e6,
            }
        )
    return rows


def break_even(row: dict, sram: dict) -> float:
    """Seconds between two clips from which the memory, switched off, beats SRAM.

    It pays more for its reads and keeps its weights without power; SRAM leaks
    throughout. 0 where it wins at once.
    """
    more = (row["reads_uj"] - sram["reads_uj"]) * 1e-6
    return max(0.0, more / (sram["leak_uw"] * 1e-6))


def lifetime(endurance: float, writes: float, steps_a_second: float) -> float:
    """Seconds until a membrane's cell has had the writes that it stands.

    >>> lifetime(1e6, 10, 100)
    1000.0
    """
    return endurance / (writes * steps_a_second)


def toggles(V: np.ndarray, B: int) -> np.ndarray:
    """Changes of each bit of a stored membrane a step, [B]; V [clips, T, out]."""
    words = V.astype(np.int64) & ((1 << B) - 1)
    before = np.concatenate([np.zeros_like(words[:, :1]), words[:, :-1]], 1)
    changed = words ^ before
    return np.array([float((changed >> k & 1).mean()) for k in range(B)])


def ber(volts, v50: float, sigma: float):
    """Share of cells that fail at a supply; the fit of measured error rates."""
    return stats.norm.sf((np.asarray(volts, float) - v50) / sigma)


def supply(rate: float, v50: float, sigma: float) -> float:
    """The supply at which that share fails; the inverse of `ber`."""
    return float(v50 + sigma * stats.norm.isf(rate))


def forgets(
    law: str, v: int, flip: int, amount: int, shift: int = 0, most: int = 10_000
):
    """Steps until a membrane in silence has forgotten that a bit was flipped.

    law: shrink, exponential (amount/2^shift, to nearest), trunc (the same towards
        rest), shift (V - (V >> amount)) or none. None where it never does.
    """
    law, rounding = ("exponential", law) if law == "trunc" else (law, None)
    pair = np.array([v, faults.flipped(v, 1 << flip, WORDS)])
    for step in range(most):
        if pair[0] == pair[1]:
            return step
        after = integer.leak(law, pair, amount, shift, rounding)
        if (after == pair).all():
            return None
        pair = after
    return None


def linear_forgets(v: int, flip: int, amount: int) -> int:
    """The closed form of the linear leak: the larger of the two must come to rest.

    Both on one side of rest and apart they stay apart until the smaller one has
    arrived; then the larger one has what is left of it to go.
    """
    other = int(faults.flipped(v, 1 << flip, WORDS))
    return ceil(max(abs(v), abs(other)) / amount)
