"""Chapter 05's tables of open decays, from made-up and committed rows."""

import numpy as np
import pytest

from lindecay.pages import learned
from lindecay.studies import protocol, tables


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
    assert told["protocol.open.rows"] == 18 and told["protocol.open.asked"] == 9


def test_committed_rows_fill_every_table():
    tune, main = tables.study("open-tune"), tables.study("open-main")
    assert len(learned.tuned(tune)) == 9
    made = learned.arms(main)
    assert set(made["seeds"]) and (made["accuracy %"] > 50).all()
    assert {"linear", "shift", "linear_shift"} <= {
        id.split(".")[-1] for id in learned.numbers(main, learned.decisions(main))
    }
