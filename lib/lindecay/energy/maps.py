"""Where the printed ends would hold: one layer of random weights, over its sizes.

    B membrane bits, s input spikes a step, N neurons, rows of a macro, supply

Every point is emulated bit by bit, not interpolated; the supply scales the dynamic part
by the fit of `scaling` and the leakage in proportion. Weights are uniform in 3 bits.
"""

import json
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np

from lindecay import store
from lindecay.arms import LINEAR, PRODUCT
from lindecay.energy import compare, scaling
from lindecay.energy import constants as table
from lindecay.energy.compare import Design
from lindecay.energy.constants import Constant
from lindecay.energy.network import Measured, measure
from lindecay.events import Clips
from lindecay.quantization import Checkpoint, Layer
from lindecay.sram import MacroSpec

INPUTS, STEPS, FRACTION = 512, 8, 2
BITS, SPIKES = (8, 10, 12, 16), (1, 4, 16, 64, 256)
NEURONS, ROWS = (64, 256, 1024), (64, 128, 256)
SUPPLIES = (0.8, 0.9, 1.0, 1.1)


@dataclass(frozen=True)
class Point:
    """One layer."""

    B: int
    s: int
    N: int
    rows: int


def layer(point: Point, seed: int = 0) -> tuple[Checkpoint, Clips]:
    """Random weights and random input spikes, s in every step."""
    random = np.random.default_rng(seed)
    w = random.integers(-4, 4, (point.N, INPUTS)).astype(np.int8)
    top = 2 ** (point.B - 2)
    one = Layer("fc", w, np.int32(top), np.int32(max(1, top // 20)), bits=3)
    meta = {"B": point.B, "f": FRACTION, "law": "shrink", "reset": "subtract"}
    picked = [np.sort(random.permutation(INPUTS)[: point.s]) for _ in range(STEPS)]
    indptr = np.arange(STEPS + 1, dtype=np.int64) * point.s
    channel = np.concatenate(picked).astype(np.int32)
    told = dict(steps=STEPS, channels=INPUTS, dt_us=1, name="random", split="test")
    none = np.zeros(1, np.int64)
    clips = Clips(indptr, channel, none, **told, source="stand-in", sha256="random")
    return Checkpoint(meta | {"T": STEPS, "readout": "count"}, (one,)), clips


def points() -> list[tuple[Point, Measured]]:
    """Every point of the grid with its ledger, kept in the store."""
    grid = [Point(*p) for p in product(BITS, SPIKES, NEURONS, ROWS)]

    def build(folder) -> None:
        found = []
        for point in grid:
            ck, clips = layer(point)
            made = measure(ck, clips, spec=MacroSpec(rows=point.rows))
            found.append({"point": asdict(point), "measured": made.to_json()})
        (folder / "points.json").write_text(json.dumps(found))

    params = {"grid": [asdict(p) for p in grid], "inputs": INPUTS, "steps": STEPS}
    folder = store.memo(
        "maps", params, ["lindecay.sram", "lindecay.energy.network"], build
    )
    rows = json.loads((folder / "points.json").read_text())
    return [(Point(**r["point"]), Measured.from_json(r["measured"])) for r in rows]


def at_supply(design: Design, vdd_v: float) -> Design:
    """The same design at another supply, same clock."""
    f = scaling.factor(*scaling.HEADLINE, to=(65, vdd_v))
    parts = tuple(
        replace(p, update=p.update * f, other=p.other * f) for p in design.parts
    )
    leak = design.leak * vdd_v / scaling.HEADLINE[1]
    return replace(design, parts=parts, leak=leak)


def ratios(m: Measured, v: dict, constants: dict[str, Constant]) -> dict[str, float]:
    """What the claims compare, for one layer."""
    ours = compare.in_array(m, v)
    law = PRODUCT
    seq = compare.rival(m, v, law, "word-sequential")
    wide = compare.rival(m, v, LINEAR, "row-wide")
    return {
        "pJ/SOP": ours.sop,
        "ANP-I": constants["anpi_sop"].value / ours.sop,
        "Loihi": constants["loihi_sop"].value / ours.sop,
        "module": seq.update / ours.update,
        "row-wide over in-array": wide.update / ours.update,
    }


def grid(constants: dict[str, Constant]) -> list[dict]:
    """Ratios at every point, at 1.0 V, for the values of the constants."""
    v = table.values(constants)
    return [
        asdict(point) | {k: float(x) for k, x in ratios(m, v, constants).items()}
        for point, m in points()
    ]


def energies(constants: dict[str, Constant], n: int = 500, seed: int = 0) -> np.ndarray:
    """pJ/SOP of the whole prior: points x supplies x draws, flat."""
    drawn, out = table.draw(constants, n, seed), []
    for _, m in points():
        ours = compare.in_array(m, drawn)
        out += [at_supply(ours, vdd).sop for vdd in SUPPLIES]
    return np.concatenate(out)


def share_within(x: np.ndarray, low: float, high: float) -> float:
    """Share of the prior in which our energy lies in [low, high]."""
    return float(np.mean((x >= low) & (x < high)))


def fake_shares(x, low: float, high: float, n: int = 2000, seed: int = 0) -> np.ndarray:
    """The same share for fake windows, as wide in ratio, anywhere within the prior."""
    random = np.random.default_rng(seed)
    ends = np.log(np.quantile(x, [0.001, 0.999]))
    starts = np.exp(random.uniform(*ends, n))
    ordered = np.sort(x)
    stops = starts * high / low
    inside = np.searchsorted(ordered, stops) - np.searchsorted(ordered, starts)
    return inside / len(x)
