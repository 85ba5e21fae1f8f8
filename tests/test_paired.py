"""Intervals of drops: against other libraries, closed forms, and known truths."""

import numpy as np
import pytest
from scipy import stats

from lindecay.studies import paired, tables


def test_unpaired_is_welch():
    rng = np.random.default_rng(0)
    a, b = rng.normal(75, 1, 20), rng.normal(73, 2, 12)
    told = paired.unpaired(a, b)
    va, vb = a.var(ddof=1) / 20, b.var(ddof=1) / 12
    freedom = (va + vb) ** 2 / (va**2 / 19 + vb**2 / 11)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(va + vb)
    middle = a.mean() - b.mean()
    assert told["interval"] == pytest.approx((middle - reach, middle + reach))


def test_speakers_are_the_unit_however_many_seeds_run():
    """More seeds of the same speakers must not narrow the interval to nothing."""
    rng = np.random.default_rng(1)
    who = rng.normal(1.0, 3.0, (10, 1))
    few, many = (paired.of_speakers(who + rng.normal(0, 1, (10, n))) for n in (3, 300))
    for told in (few, many):
        width = np.ptp(told["interval"])
        assert width > 2 * 2.2 * who.std(ddof=1) / np.sqrt(10) * 0.8
        assert np.ptp(told["bootstrap"]) > 0.6 * width


def test_the_speakers_interval_is_the_mixed_model():
    """Random intercept a speaker, REML; balanced, so both are exact."""
    models = pytest.importorskip("statsmodels.formula.api")
    frames = pytest.importorskip("pandas")
    rng = np.random.default_rng(2)
    drops = rng.normal(1.0, 2.0, (10, 1)) + rng.normal(0, 1, (10, 3))
    rows = [{"drop": drops[s, k], "speaker": s} for s in range(10) for k in range(3)]
    fit = models.mixedlm("drop ~ 1", frames.DataFrame(rows), groups="speaker").fit()
    told = paired.of_speakers(drops)
    error = np.ptp(told["interval"]) / 2 / stats.t.ppf(0.975, 9)
    assert told["mean"] == pytest.approx(fit.params["Intercept"], abs=1e-6)
    assert error == pytest.approx(fit.bse["Intercept"], rel=1e-3)


def test_intervals_of_speakers_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    hit = 0
    for _ in range(300):
        drops = 1.0 + rng.normal(0, 2, (10, 1)) + rng.normal(0, 1, (10, 3))
        low, high = paired.of_speakers(drops, draws=10)["interval"]
        hit += low <= 1.0 <= high
    assert 0.91 <= hit / 300 <= 0.985


def study(drops_at_speaker: dict) -> tables.Study:
    rows = [
        {"arm": arm, "speaker": s, "seed": 0, "accuracy": 70.0 - lost * (arm != "vlif")}
        for s, lost in drops_at_speaker.items()
        for arm in ("vlif", "ldlif")
    ]
    return tables.Study("open-speakers", 9, rows, {})


def test_over_speakers_takes_what_both_arms_have():
    found = study({0: 1.0, 1: 3.0})
    found.rows.append({"arm": "vlif", "speaker": 7, "seed": 0, "accuracy": 70.0})
    assert tables.over_speakers(found, "ldlif")["mean"] == 2.0
    assert tables.over_speakers(found, "shift") is None


def test_neurons_without_a_leak_are_counted_on_their_own_grid():
    rows = [
        {"arm": "ldlif", "horizon": 4.0, "lam_int": [1, 0, 3]},
        {"arm": "vlif", "horizon": 4.0, "beta_q": [255, 256, 254, 0]},
        {"arm": "vlif16", "horizon": 4.0, "beta_q": [65535, 65280]},
        {"arm": "shift", "horizon": 4.0, "beta_q": [7, 6, 6, 1]},
        {"arm": "if", "horizon": 4.0},
    ]
    told = tables.still(tables.Study("open-tune", 5, rows, {}))
    assert {a: v[4.0] for a, v in told.items()} == {
        "ldlif": 25.0, "vlif": 50.0, "vlif16": 50.0, "shift": 25.0
    }  # fmt: skip


def test_decided_prints_every_interval_and_says_no_more_than_the_widest():
    rng = np.random.default_rng(4)
    labels = "a" * 200
    rows = []
    for seed in range(6):
        for arm, rate in (("vlif", 0.8), ("ldlif", 0.795), ("if", 0.4)):
            hit = "".join("a" if x < rate else "b" for x in rng.random(200))
            row = {"arm": arm, "seed": seed, "data": "shd", "judged": "test"}
            accuracy = 100 * hit.count("a") / 200
            rows.append(row | {"predictions": hit, "accuracy": accuracy})
    found = tables.Study("open-main", 18, rows, {"shd test": labels})
    near, far = (tables.decided(found, arm) for arm in ("ldlif", "if"))
    assert near["said"] == "unresolved" and far["said"] == "loses"
    for told in (near, far):
        low, high = told["widest"]
        for name in ("seeds_interval", "unpaired", "interval"):
            assert low <= told[name][0] and told[name][1] <= high
        t = stats.t(5)
        error = np.ptp(told["seeds_interval"]) / 2 / t.ppf(0.975)
        assert told["detectable"] == pytest.approx(error * (t.ppf(0.975) + t.ppf(0.8)))
