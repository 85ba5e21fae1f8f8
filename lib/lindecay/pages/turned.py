"""Chapter 08's knobs: every position with its numbers and both verdicts."""

from collections.abc import Iterable, Mapping

import pandas as pd

from lindecay.claims import registry
from lindecay.claims.judge import capped
from lindecay.claims.rules import RULES
from lindecay.energy.activity import Busy
from lindecay.energy.choices import Case
from lindecay.energy.turned import RIVAL, SETS, UPDATES, Point
from lindecay.results import Result, number

BOTTLENECK, MODULE = "bottleneck", "module-ratio-65nm"
DIGITS = 4  # significant, of what is drawn or told
MADE = tuple(name for name in UPDATES if name.startswith("LD-LIF"))


def table(points: Iterable[Point], case: Case, profile: str) -> pd.DataFrame:
    """A row a position: µJ a clip by part, pJ, shares, ratio, both verdicts."""
    bins = case.dt_us, case.ours.shape.steps
    return pd.DataFrame(
        place(p) | numbers(p, *bins) | verdicts(p, case.source, profile) for p in points
    )


def place(p: Point) -> dict:
    """Where the knobs stand."""
    told = {k: getattr(p, k) for k in ("constants", "layout", "leakage")}
    return told | {"design": p.update, "spikes": round(p.busy.spikes, 1)}


def numbers(p: Point, dt_us: float, steps: int) -> dict[str, float]:
    """What a position shows: µJ and µs a clip, pJ, shares, ratio, intervals."""
    waiting = p.one.idle_pj(dt_us, steps) if p.leakage == "always on" else 0.0
    time, energy = p.share
    told = {name: pj * 1e-6 for name, pj in p.parts().items()}
    told |= {"clip": p.one.clip * 1e-6, "waiting": waiting * 1e-6}
    told |= {"sop": p.one.sop, "an update": p.one.update, "us": p.one.latency_us}
    told |= {"time": time, "energy": energy, "ratio": p.ratio}
    told |= dict(zip(("low", "high"), p.share_band))
    told |= dict(zip(("ratio low", "ratio high"), p.ratio_band))
    return {k: short(float(x)) for k, x in told.items()}


def short(x: float) -> float:
    """Four significant digits.

    >>> short(0.0123456), short(1234.56)
    (0.01235, 1235.0)
    """
    return float(f"{x:.{DIGITS}g}")


def verdicts(p: Point, source: str, profile: str) -> dict[str, str]:
    """The claims' own rules on this position's numbers; no ratio against itself."""
    time, energy = p.share
    shares = {"time": (time, None), "energy": (energy, _rounded(p.share_band, 1))}
    gain = {"ratio": (p.ratio, _rounded(p.ratio_band, 2))}
    module = judged(MODULE, gain, source, profile) if p.update in MADE else ""
    return {BOTTLENECK: judged(BOTTLENECK, shares, source, profile), MODULE: module}


def _rounded(band: tuple[float, float], digits: int) -> tuple[float, float]:
    return tuple(round(x, digits) for x in band)  # as `energy.answers` publishes them


def judged(id: str, read: Mapping[str, tuple], source: str, profile: str) -> str:
    """A claim's verdict on other numbers: {name: (value, interval)}, in its order."""
    claim = registry.claim(id).model_copy(
        update={"reads": tuple(read), "scopes": {}, "may_read": ()}
    )
    told = {
        k: Result(id=k, value=x, interval=band, source=source)
        for k, (x, band) in read.items()
    }
    made = RULES[claim.rule](claim, told, profile)
    return capped(made, claim, source, profile).verdict


def by_layout(found: pd.DataFrame) -> pd.DataFrame:
    """The figure: share of a word-by-word v-LIF update over activity, by layout."""
    first = {"constants": next(iter(SETS)), "leakage": "always on", "design": RIVAL}
    kept = found[(found[list(first)] == pd.Series(first)).all(axis=1)]
    columns = ["spikes", "layout", "energy", "low", "high", "time", BOTTLENECK]
    return kept[columns].sort_values(["layout", "spikes"])


def told(found: pd.DataFrame, busy: Iterable[Busy]) -> dict:
    """Spikes of the recordings, positions, and how many let the bottleneck stand."""
    spikes = next(one.spikes for one in busy if one.factor == 1)
    said = found[BOTTLENECK].value_counts()
    return {
        "energy.input_spikes": number(spikes, digits=0, unit="spikes a step"),
        "energy.knob_positions": len(found),
        "energy.knob_holds": int(said.get("trend-only", 0)),
        "energy.knob_open": int(said.get("unresolved", 0)),
    }
