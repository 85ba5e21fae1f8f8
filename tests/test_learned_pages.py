"""Chapter 05's tables of open decays, from made-up and committed rows."""

import numpy as np
import pytest

from lindecay.pages import learned
from lindecay.studies import ceilings, protocol, tables


def study(rows, asked=9) -> tables.Study:
    return tables.Study("x", asked, rows, {"shd test": "ab" * 50})


def row(arm, seed, right):
    """A run that gets the first `right` of 100 clips right."""
    truth = np.array([0, 1] * 50)
    said = np.where(np.arange(100) < right, truth, 1 - truth)
    told = {"arm": arm, "seed": seed, "judged": "test", "data": "shd", "sops": 5000.0}
    told |= {"predictions": protocol.letters(said), "accuracy": float(right)}
    return told | {"horizon": 4.0}


def test_shares_without_a_leak_are_counted_from_the_grid():
    linear = [{"arm": "ldlif", "horizon": h, "lam_int": [k, 4 - k]} for h, k in
              ((2.0, 1), (64.0, 3))]  # fmt: skip
    product = [{"arm": "vlif", "horizon": 2.0, "beta_q": [256, 255, 10, 0]}]
    made = learned.still(study(linear + product), study(linear + product))
    shares = made[made.decay == "clamped"].set_index(["arm", "horizon"]).percent
    assert shares["ldlif", 2.0] == 25 and shares["ldlif", 64.0] == 75
    assert shares["vlif", 2.0] == 50
    told = learned.still_numbers(made)["protocol.still.ldlif.open"]
    assert told["value"] == [25.0, 75.0]


def test_a_clear_loss_and_none_are_told_apart():
    rows = [row("vlif", s, 90 + s % 2) for s in range(6)]
    rows += [row("ldlif", s, 60 + s % 3) for s in range(6)]
    rows += [row("shift", s, 90 + (s + 1) % 2) for s in range(6)]
    found = learned.decisions(study(rows))
    assert found["LD-LIF against v-LIF"]["said"] == "loses"
    assert found["shift against v-LIF"]["said"] == "unresolved"
    assert "IF against LD-LIF" not in found  # no such rows
    table = learned.decided(found).set_index("pair")
    assert table.loc["LD-LIF against v-LIF", "loses"] == pytest.approx(29.5)
    told = learned.numbers(study(rows), found)
    assert told["protocol.open.linear"]["n"] == 6
    alone, widest = (
        told[f"protocol.open.linear{end}"]["interval"] for end in ("_alone", "")
    )
    assert widest[0] <= alone[0] < 29.5 < alone[1] <= widest[1]
    drawn = learned.lost(study(rows))
    assert set(drawn) == {"ldlif", "shift"} and drawn["ldlif"]["interval"][0] > 0
    assert told["protocol.open.rows"] == 18 and told["protocol.open.asked"] == 9


def test_the_interval_over_clips_is_that_of_their_means():
    """A hundred clips of which some are always right: the binomial's normal form."""
    main = study([row("vlif", s, 80) for s in range(3)])
    low, high = learned.arms(main)["95 % over clips"][0].split(" to ")
    half = 1.984 * 100 * np.sqrt(0.8 * 0.2 / 99)
    assert float(low) == pytest.approx(80 - half, abs=0.1)
    assert float(high) == pytest.approx(80 + half, abs=0.1)


def test_what_pairs_resolve_is_what_the_study_says_of_itself():
    """At the study's own number of pairs: its interval and its detectable drop."""
    rows = [row("vlif", s, 90 + s % 3) for s in range(6)]
    rows += [row("ldlif", s, 80 + (2 * s) % 5) for s in range(6)]
    found = learned.decisions(study(rows))
    one = found["LD-LIF against v-LIF"]
    told = learned.resolves(learned.spread_of(found)).query("pairs == 6")
    half, least = told.sort_values("points").points
    low, high = one["seeds_interval"]
    assert half == pytest.approx((high - low) / 2)
    assert least == pytest.approx(one["detectable"])
    marks = learned.measured(found).set_index("what")
    assert set(marks.index) == set(found) <= set(learned.MARKED)
    told = marks.loc["LD-LIF against v-LIF"]
    assert told.pairs == 6 and told.points == round(abs(one["mean"]), 2)


def test_a_bias_is_worth_what_seeds_with_both_say():
    rows = [row("vlif", s, 70) | {"bias": None} for s in range(2)]
    rows += [
        row("vlif", 0, 64) | {"bias": "none"},
        row("vlif", 1, 62) | {"bias": "none"},
    ]
    rows += [row("ldlif", 0, 71), row("ldlif", 0, 54) | {"bias": "none"}]
    rows += [row("ldlif", 1, 99)]  # without its other half: not counted
    rows += [row("if", 0, 50)]
    table = learned.biases(study(rows)).set_index("seeds")
    assert list(table.loc[2, ["with a bias %", "without %", "loses"]]) == [70, 63, 7]
    assert list(table.loc[1, ["with a bias %", "without %", "loses"]]) == [71, 54, 17]
    told = learned.bias_numbers(study(rows))
    assert told["protocol.bias.worth.ldlif"]["value"] == 17
    assert (
        told["protocol.bias.drop"]["value"] == 10
        and "protocol.bias.worth.if" not in told
    )


def ceiling(seed, accuracy, **knobs):
    told = {"arm": "vlif", "seed": seed, "accuracy": accuracy, "judged_clips": 9}
    return told | {"epochs": 12} | knobs


def test_ceilings_are_named_counted_and_in_order():
    rows = [ceiling(s, 60.0 + s) for s in range(3)]
    rows += [ceiling(0, 70.0, hidden=512), ceiling(0, 65.0, depth=3)]
    rows += [ceiling(0, 55.0, network="gru"), ceiling(0, 50.0, network="mlp")]
    more = [ceiling(0, 80.0, network="gru", rate=0.01, epochs=36)]
    table = learned.ceilings(study(rows), study(more))
    assert list(table["accuracy %"]) == [80.0, 70.0, 65.0, 61.0, 55.0, 50.0]
    by = table.set_index("network")
    assert by.loc["v-LIF in float, two layers of 256", "seeds"] == 3
    assert by.loc["v-LIF in float, two layers of 512", "weights"] == 344_064
    assert by.loc["v-LIF in float, three layers of 256", "weights"] == 172_032
    assert sorted(by.loc["GRU, no spikes", "rate"]) == [0.001, 0.01]
    told = learned.ceiling_numbers(study(rows), study(more))
    assert {id.split(".")[-1]: one["value"] for id, one in told.items()} == {
        "gru": 80.0, "mlp": 50.0, "spikes": 70.0
    }  # fmt: skip


def test_weights_of_the_ceilings_are_those_of_their_networks():
    for kind, many in learned.WEIGHTS.items():
        net = ceilings.KINDS[kind](140)
        matrices = [p for p in net.parameters() if p.dim() == 2]
        assert sum(p.numel() for p in matrices) == many


def test_committed_rows_fill_every_table():
    tune, main = tables.study("open-tune"), tables.study("open-main")
    assert len(learned.tuned(tune)) == 9
    made = learned.arms(main)
    assert set(made["seeds"]) and (made["accuracy %"] > 50).all()
    assert {"linear", "shift", "linear_shift"} <= {
        id.split(".")[-1] for id in learned.numbers(main, learned.decisions(main))
    }
