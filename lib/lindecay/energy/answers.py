"""What the claims about energy read: every id with its value and interval.

Chapter 08 publishes these, `lindecay check --assume` computes them again under other
choices; both call `answers`, so a verdict and a page never rest on two formulas.
"""

from dataclasses import dataclass

import numpy as np

from lindecay.energy import compare, metrics, ranges, scopes
from lindecay.energy import constants as table
from lindecay.energy import uncertainty as doubt
from lindecay.energy.choices import Case
from lindecay.energy.scopes import slug

CITED = ("anpi_sop", "anpg_sop", "loihi_sop", "truenorth_sop")
ENDS = ("1.1", "16.7")  # typed: as printed; the claim's registry holds the same
DRAWS = 20_000


@dataclass(frozen=True)
class Answer:
    """One number with what it rests on."""

    id: str
    value: float | int | str | list
    interval: tuple[float, float] | None = None
    unit: str = ""
    digits: int | None = None
    note: str = ""

    def stamp(self) -> dict:
        """Keywords for `results.publish`."""
        kept = {k: getattr(self, k) for k in ("interval", "unit", "digits", "note")}
        return {k: v for k, v in kept.items() if v not in (None, "")}


def answers(case: Case) -> list[Answer]:
    """All of them; scopes that the choices leave out are missing."""
    return [*_sop(case), *_module(case), *shares(case), *_metric(case), *_luck(case)]


def _spread(case: Case, f, n: int = DRAWS) -> tuple[float, tuple[float, float]]:
    told = doubt.spread(f, case.choices.table(), n=n)
    return told.value, (told.low, told.high)


def _kept(case: Case, found: dict) -> dict:
    own = case.choices
    return {k: f for k, f in found.items() if scopes.inside(k, own.layout, own.update)}


def _sop(case: Case):
    chips = case.choices.table()
    keys = (case.choices.low_chip, case.choices.high_chip)
    ends = [chips[k].value for k in keys]
    against = ", ".join(f"{k}={chips[k].value:g}" for k in keys)
    for scope, f in _kept(case, scopes.sop(case)).items():
        pj, (low, high) = _spread(case, f)
        band = (round(low, 3), round(high, 3))
        told = f"{scope}; over {against}"
        yield Answer(f"energy.sop_pj.{slug(scope)}", pj, band, "pJ", 2, told)
        gains = [end / pj for end in ends]
        yield Answer(f"energy.sop_ratio.{slug(scope)}", gains, None, "", 2, scope)


def _module(case: Case):
    found = _kept(case, scopes.module(case))
    if case.choices.module:
        found = {case.choices.module: found[case.choices.module]}
    for scope, f in found.items():
        ratio, (low, high) = _spread(case, f)
        band = (round(low, 2), round(high, 2))
        yield Answer(f"energy.module.{slug(scope)}", ratio, band, "", 2, scope)


def shares(case: Case) -> list[Answer]:
    """Share of the update in time and in energy, in every scope."""
    return list(_shares(case))


def _shares(case: Case):
    for scope, pair in _kept(case, scopes.bottleneck(case)).items():
        for kind, f in zip(("time", "pj"), pair):
            share, (low, high) = _spread(case, f)
            band = (round(low, 1), round(high, 1)) if kind == "pj" else None
            id = f"energy.share_{kind}.{slug(scope)}"
            yield Answer(id, share, band, "%", 0, scope)


def scores(case: Case) -> dict[str, float]:
    """Every candidate metric of the frozen list."""
    constants = case.choices.table()
    v = table.values(constants)
    names = ("A", "A word", "A product")
    ours, seq, inside = (scopes.design(case, v, name) for name in names)
    law16 = compare.rival(case.ours, v, "v-LIF, 16-bit β", "word-sequential")
    sixteen = case.choices.priced(law16)
    return metrics.score(constants, ours, seq, sixteen, inside)


def _metric(case: Case):
    found = scores(case)
    tried, pairs = metrics.tried(found)
    yield Answer("energy.metrics_tried", tried)
    yield Answer("energy.metrics_pairs", pairs)
    yield Answer("energy.metrics_hits", len(metrics.range_hits(found, 15.9, 69)))
    luck = 100 * metrics.luck(found, 15.9, 69)
    yield Answer("energy.metrics_luck", luck, digits=0)
    if case.choices.metric:
        value = found[case.choices.metric]
        yield Answer("energy.metric_chosen", value, None, "", 2, case.choices.metric)


def _luck(case: Case):
    chips = case.choices.table()
    cited = [chips[k] for k in CITED]
    every = [c for k, c in chips.items() if k.endswith("_sop")]
    yield Answer("energy.sop_luck", 100 * ranges.luck(cited), digits=0)
    yield Answer("energy.sop_luck_all", 100 * ranges.luck(every), digits=0)
    for pair in ranges.pairs(cited, ENDS)[:1]:
        needed = [float(np.round(x, 4)) for x in (pair.low, pair.high)]
        yield Answer("energy.sop_needed", needed, digits=3)
