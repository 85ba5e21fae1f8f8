"""Other memories: closed forms, inverses, and a bill that adds up."""

import numpy as np
import pytest

from lindecay import sram
from lindecay.energy import constants
from lindecay.questions import damage, memories
from test_faults import small


def test_a_linear_leak_forgets_when_the_larger_of_the_two_has_come_to_rest():
    for v in range(-40, 200, 7):
        for flip in range(11):
            for lam in (1, 3, 8):
                told = memories.forgets("shrink", v, flip, lam)
                assert told == memories.linear_forgets(v, flip, lam), (v, flip, lam)


def by_hand(a, b, k):
    """Steps until V - (V >> k) makes two membranes equal."""
    steps = 0
    while a != b:
        a, b, steps = a - (a >> k), b - (b >> k), steps + 1
    return steps


def test_who_forgets_and_who_never_does():
    assert memories.forgets("none", 100, 3, 0) is None
    assert memories.forgets("exponential", 10, 1, 251, 8) is None  # both stall, apart
    assert memories.forgets("exponential", 100, 3, 251, 8) is not None  # at one value
    assert memories.forgets("trunc", 100, 3, 251, 8) < 150
    assert memories.forgets("shift", 100, 3, 4) == by_hand(100, 108, 4)
    assert memories.forgets("shift", 10, 1, 4) is None  # below 2^4 nothing leaves


def test_supply_is_the_inverse_of_the_error_rate():
    for rate in (1e-7, 1e-3, 0.02):
        volts = memories.supply(rate, 0.444, 0.0304)
        assert memories.ber(volts, 0.444, 0.0304) == pytest.approx(rate, rel=1e-6)
    assert memories.ber(0.60, 0.444, 0.0304) == pytest.approx(1.2e-7, rel=1.0)
    assert memories.ber(0.54, 0.444, 0.0304) == pytest.approx(7.0e-4, rel=0.3)


def test_toggles_are_those_of_a_counter():
    V = np.arange(1, 1025)[None, :, None]
    found = memories.toggles(V, 12)
    assert found[:10] == pytest.approx(0.5 ** np.arange(10), rel=0.02)


def test_a_memory_that_reads_dearer_pays_from_some_idle_time_on():
    ck, clips = small()
    run = sram.emulate(ck, clips)
    need = memories.demand(ck, clips, run)
    assert need.weight_bits == (40 * 30 + 30 * 5) * 3
    assert need.reads == run.ledger.total().sops * 3 / 4
    rows = {r["key"]: r for r in memories.weights(need, constants.load())}
    base, rram = rows["sram"], rows["rram"]
    at = memories.break_even(rram, base)
    spent = [row["reads_uj"] + leak * at for row, leak in
             ((rram, 0.0), (base, base["leak_uw"]))]  # fmt: skip
    assert spent[0] == pytest.approx(spent[1]) and at > 0
    assert memories.break_even(base, base) == 0
    assert rram["load_uj"] > base["load_uj"] and rram["area_mm2"] < base["area_mm2"]
    cell = 146 * (22e-6) ** 2  # mm²: squares of a node of 22 nm
    assert base["area_mm2"] == pytest.approx(need.weight_bits * cell)


def test_writes_of_a_membrane_are_counted_from_the_ledger():
    ck, clips = small()
    need = memories.demand(ck, clips, sram.emulate(ck, clips))
    assert 1 < need.writes < 10  # decay, sum, clamp and reset write each row anew
    assert memories.lifetime(1e6, need.writes, 1000) == 1e6 / (need.writes * 1000)


def test_a_number_that_its_rows_do_not_give_is_red():
    from lindecay.claims import asked
    from lindecay.results import Result

    value = damage.follows()["memories.lost.ldlif"]
    good = {"memories.lost.ldlif": Result(id="memories.lost.ldlif", value=value)}
    assert list(asked.contradictions(good)) == []
    bad = {"memories.lost.ldlif": Result(id="memories.lost.ldlif", value=value + 0.1)}
    [(id, why)] = asked.contradictions(bad)
    assert id == "memories.lost.ldlif" and "its rows give" in why
