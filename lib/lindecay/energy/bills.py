"""One bill: network x arm x layout x update x leakage, in the same joules.

Accuracy, energy and latency of a row belong to the same integer network: the committed
one (data/reference/SET/ARM-seed0.npz), or one that is trained at the quick size where
none is committed. Layout A is run on up to a hundred clips; B and C, slow to emulate,
on those whose number of events is nearest to the mean.
What the array cannot run has rows all the same, with the reason instead of numbers.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lindecay import arms, events, integer, sram
from lindecay.energy import compare, network
from lindecay.energy import constants as table
from lindecay.energy.compare import Design
from lindecay.energy.model import LEAKAGE, rows_of
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault, committed
from lindecay.subjects import SUBJECTS, checkpoint, kept

NETWORKS = {one.title: name for name, one in SUBJECTS.items()}
UPDATES = {"in place": "in-place", "row-wide": "row", "word by word": "word"}
ACCESS = {"row-wide": "row-wide", "word by word": "word-sequential"}
LAYOUTS = ("A", "B", "C")
MANY = 100  # clips of layout A
FEW = {"quick": 1, "paper": 2}  # of layouts B and C
ORDER = ("ldlif", "vlif", "if")  # first; others follow by name
DRAWS = 2_000
NUMBERS = (
    "pj_per_sop",
    "pj_per_sop_interval",
    "pj_per_update",
    "uj_per_clip",
    "us_per_clip",
    "us_per_clip_overlapped",
    "us_per_step",
    "update_share_time",
    "update_share_energy",
    "update_share_energy_interval",
    "idle_mw",
    "idle_uj_per_clip",
    "slowest_tile_over_mean",
)


@dataclass(frozen=True)
class Subject:
    """One trained network with the clips that it is run on."""

    network: str
    arm: str
    ck: Checkpoint
    clips: events.Clips
    accuracy: float | None  # per cent
    measured_on: str  # what the accuracy rests on


def subjects(profile: str, only: str = "") -> Iterator[Subject]:
    """Every network and arm; `only` names one network."""
    if only and only not in NETWORKS:
        raise Fault("no such network", expected=", ".join(NETWORKS), found=only)
    for title, name in NETWORKS.items():
        if only in ("", title):
            yield from _subjects(title, name, profile)


def _subjects(title: str, name: str, profile: str) -> Iterator[Subject]:
    clips = SUBJECTS[name].clips(profile)
    wanted = kept(name) or ORDER[:1]  # what nobody committed is trained, one arm of it
    for arm in sorted(wanted, key=_place):
        ck = checkpoint(name, arm)
        yield Subject(title, arm, ck, clips, *_accuracy(name, arm, ck, clips, profile))


def _place(arm: str) -> tuple[int, str]:
    return (ORDER.index(arm) if arm in ORDER else len(ORDER)), arm


def _accuracy(name, arm, ck, clips, profile) -> tuple[float | None, str]:
    """(per cent, on what) of this very network."""
    path = committed("reference") / name / "predictions.json"
    if clips.source == "stand-in" and path.exists():
        told = json.loads(path.read_text())
        given = next(iter(told["predictions"][arm].values()))
        right = np.mean(np.array(given) == np.array(told["labels"]))
        return 100 * float(right), f"{told['source']}, carried"
    if name == "dvsgesture" and clips.source != "official":
        from lindecay.training import gestures  # trained on the stand-in, judged there

        clips = gestures.stand_in_clips("quick", "test")
    right = integer.run(ck, clips, record=False).predictions == clips.labels
    return 100 * float(np.mean(right)), f"{clips.source}, {len(clips)} clips"


def rows(profile: str = "quick", only: str = "", constants=None) -> list[dict]:
    """The whole table, one dict a row; a row without numbers says why in `reason`."""
    constants = constants if constants is not None else table.load()
    few = FEW[profile]
    return [row for s in subjects(profile, only) for row in of(s, constants, few)]


def typical(clips: events.Clips, few: int) -> events.Clips:
    """The clips whose number of events is nearest to the mean, in their order."""
    each = np.diff(clips.indptr[:: clips.steps])
    near = np.argsort(np.abs(each - each.mean()), kind="stable")[:few]
    return clips.subset(np.sort(near))


def of(s: Subject, constants, few_clips: int = 1) -> Iterator[dict]:
    """Rows of one network."""
    many = s.clips.subset(np.arange(min(MANY, len(s.clips))))
    for layout in LAYOUTS:
        few = many if layout == "A" else typical(many, few_clips)
        for update in UPDATES:
            place = {"layout": layout, "update": update}
            same = _told(s) | place | {"clips": len(few), "source": few.source}
            try:
                m = _measured(s, few, layout, update)
                pair = [
                    _design(m, s.ck, update, prices) for prices in _prices(constants)
                ]
            except Fault as fault:
                nothing = dict.fromkeys(NUMBERS) | {"macros": None}
                yield from (
                    same | {"leakage": how} | nothing | {"reason": str(fault)}
                    for how in LEAKAGE
                )
                continue
            yield from (same | _numbers(m, few, *pair, how) for how in LEAKAGE)


def _told(s: Subject) -> dict:
    told = {"network": s.network, "arm": s.arm, "law": s.ck.law}
    return told | {"accuracy": s.accuracy, "accuracy_on": s.measured_on}


def _prices(constants) -> tuple[dict, dict]:
    return table.values(constants), table.draw(constants, DRAWS)


def _measured(s: Subject, clips, layout: str, update: str) -> network.Measured:
    """The ledger of a layout; a unit outside shares that of the array it stands by."""
    spec = sram.MacroSpec(layout=layout)
    if layout == "C" and update != "in place":
        spec = sram.MacroSpec(layout="C", update="row")
    return network.stored(s.ck, clips, f"{s.network} {s.arm}", spec)


def _design(m: network.Measured, ck: Checkpoint, update: str, v: dict) -> Design:
    if update == "in place":
        return compare.in_array(m, v, ck.law)
    return compare.rival(m, v, outside(ck), ACCESS[update])


def outside(ck: Checkpoint) -> str:
    """The law as a unit beside the array knows it.

    Raises:
        Fault: a law whose unit has no price yet.
    """
    wide = max((int(layer.beta_shift or 0) for layer in ck.layers), default=0)
    unit = arms.unit_of(ck.law, wide)
    if unit is None:
        known = ", ".join(sorted({arm.law for arm in arms.ARMS.values()}))
        raise Fault("no price for this law", expected=known, found=ck.law)
    return unit


def _numbers(m, clips, one: Design, drawn: Design, how: str) -> dict:
    """The numbers of a row; NUMBERS names them."""
    one, drawn = one.leaking(how), drawn.leaking(how)
    energy, time = one.update_share
    idle = one.idle_pj(clips.dt_us, m.shape.steps)
    own = {
        "pj_per_sop": float(one.sop),
        "pj_per_sop_interval": _band(drawn.sop),
        "pj_per_update": float(one.update),
        "uj_per_clip": float(one.clip) * 1e-6,
        "us_per_clip": float(one.latency_us),
        "us_per_clip_overlapped": float(one.overlapped().latency_us),
        "us_per_step": float(one.latency_us) / m.shape.steps,
        "update_share_time": float(time),
        "update_share_energy": float(energy),
        "update_share_energy_interval": _band(drawn.update_share[0]),
        "idle_mw": _idle_mw(one),
        "idle_uj_per_clip": float(idle) * 1e-6 if how == "always on" else 0.0,
        "slowest_tile_over_mean": _crowd(m),
    }
    macros = float(sum(part.macros for part in one.parts))
    return {"leakage": how} | own | {"macros": round(macros, 2), "reason": ""}


def _idle_mw(one: Design) -> float:
    """Power of all macros that wait, in mW: pJ a cycle x MHz = µW."""
    return float(one.leak * one.clock_mhz * sum(p.macros for p in one.parts)) * 1e-3


def _band(x) -> list[float]:
    low, high = np.quantile(np.broadcast_to(x, (DRAWS,)), [0.025, 0.975])
    return [float(low), float(high)]


def _crowd(m: network.Measured) -> float:
    """Cycles of the slowest row tile of the first layer over those of its mean tile."""
    first = m.layers[0]
    row = next(
        r
        for r in rows_of(m.ledger)
        if (r["layer"], r["program"]) == (first["name"], "accumulate")
    )
    if not row["macro_cycles"]:
        return 1.0
    return row["cycles"] * first["trees"] / row["macro_cycles"]


def brief(rows: list[dict]) -> list[dict]:
    """For people: a line for each network, arm, layout and update."""
    groups: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        place = tuple(row[k] for k in ("network", "arm", "layout", "update"))
        groups.setdefault(place, {})[row["leakage"]] = row
    return [_brief(*place, by) for place, by in groups.items()]


def _brief(net: str, arm: str, layout: str, update: str, by: dict) -> dict:
    one = by["always on"]
    told = {"network": net, "arm": arm, "layout": layout, "update": update}
    if one["reason"]:
        return told | dict.fromkeys(BRIEF, "") | {"note": one["reason"]}
    accuracy = f"{one['accuracy']:.1f}" if one["accuracy"] is not None else "none"
    each = " / ".join(f"{by[how]['uj_per_clip']:.2f}" for how in LEAKAGE)
    shares = f"{one['update_share_time']:.0%} / {one['update_share_energy']:.0%}"
    cells = (
        accuracy,
        f"{one['pj_per_sop']:.2f}",
        f"{one['pj_per_update']:.1f}",
        each,
        f"{one['us_per_clip']:.1f}",
        shares,
        f"{one['idle_uj_per_clip']:,.0f}",
    )
    return told | dict(zip(BRIEF, cells)) | {"note": one["source"]}


BRIEF = (
    "accuracy, %",
    "pJ/SOP",
    "pJ/update",
    "µJ/clip, on / gated / none",
    "µs/clip",
    "update: time / energy",
    "µJ idle",
)
