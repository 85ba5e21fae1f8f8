"""One bill: every network, arm, layout and update, or the reason why not."""

import json

import numpy as np
import pytest

from lindecay import subjects
from lindecay.arms import ARMS
from lindecay.energy import bills, compare, constants, layouts, network
from lindecay.energy.model import LEAKAGE
from lindecay.pages import energy as page
from lindecay.pages import printed
from lindecay.quantization import Layer
from lindecay.settings import Fault
from test_energy_designs import STEPS, B, random_clips, random_network

FACE = (
    "network arm layout update leakage accuracy pj_per_sop pj_per_update uj_per_clip "
    "us_per_clip update_share_time update_share_energy"
).split()


@pytest.fixture(scope="module")
def table():
    return constants.load()


@pytest.fixture(scope="module")
def subject():
    ck, clips = random_network(), random_clips()
    return bills.Subject("MLP-1", "ldlif", ck, clips, 80.0, "stand-in, 3 clips")


@pytest.fixture(scope="module")
def rows(subject, table, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINDECAY_STORE", str(tmp_path_factory.mktemp("store")))
        return list(bills.of(subject, table))


def test_every_place_has_a_row_for_each_leakage(rows):
    places = {tuple(r[k] for k in ("layout", "update", "leakage")) for r in rows}
    assert len(places) == len(rows) == 3 * 3 * 3
    assert all(set(FACE) <= set(r) for r in rows)
    assert json.dumps(rows)


def test_numbers_of_a_row_hang_together(rows):
    for r in rows:
        assert not r["reason"] and r["accuracy"] == 80.0
        low, high = r["pj_per_sop_interval"]
        assert low < r["pj_per_sop"] < high
        assert 0 < r["update_share_time"] < 1 and 0 < r["update_share_energy"] < 1
        assert r["us_per_clip_overlapped"] <= r["us_per_clip"]
        assert r["us_per_step"] * STEPS == pytest.approx(r["us_per_clip"])
    by = {(r["layout"], r["update"], r["leakage"]): r for r in rows}
    for layout, update in {(r["layout"], r["update"]) for r in rows}:
        each = [by[layout, update, how]["uj_per_clip"] for how in LEAKAGE]
        assert each[0] > each[1] > each[2], "always on > gated > none"


def test_a_row_in_place_is_the_design_of_its_ledger(rows, subject, table):
    m = network.measure(subject.ck, subject.clips)
    one = compare.in_array(m, constants.values(table))
    told = next(
        r
        for r in rows
        if (r["layout"], r["update"], r["leakage"]) == ("A", "in place", "always on")
    )
    assert told["uj_per_clip"] == pytest.approx(float(one.clip) * 1e-6)
    assert told["pj_per_update"] == pytest.approx(float(one.update))


def test_what_the_array_cannot_run_says_why(table, tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path))
    refused = "no mapping today"

    def never(*given, **more):
        raise Fault(refused)

    monkeypatch.setattr(network, "stored", never)
    ck, clips = random_network(), random_clips()
    other = bills.Subject("CNN", "ldlif", ck, clips, None, "nothing")
    rows = list(bills.of(other, table))
    assert {r["reason"] for r in rows} == {refused}
    assert all(r["pj_per_sop"] is None for r in rows) and len(rows) == 27
    brief = bills.brief(rows)
    assert len(brief) == 9 and brief[0]["note"] == refused


def test_a_unit_outside_knows_the_law_or_says_so():
    ck = random_network()
    assert bills.outside(ck) == "LD-LIF"
    assert bills.outside(network.under(ck, "exponential")) == "v-LIF, 8-bit β"
    assert bills.outside(network.under(ck, "shift")) == "shift-exponential"
    wide = network.under(ck, "exponential")
    layers = [
        vars(x) | {"beta": np.int32(60000), "beta_shift": 16} for x in wide.layers
    ]
    wide = type(wide)(wide.meta, tuple(Layer(**x) for x in layers))
    assert bills.outside(wide) == "v-LIF, 16-bit β"
    with pytest.raises(Fault, match="no price for this law"):
        bills.outside(type(ck)(ck.meta | {"law": "quadratic"}, ck.layers))


def test_typical_clips_are_those_of_the_mean():
    clips = random_clips(n=9)
    each = np.diff(clips.indptr[:: clips.steps])
    kept = bills.typical(clips, 2)
    gap = np.abs(each - each.mean())
    mine = np.abs(np.diff(kept.indptr[:: clips.steps]) - each.mean())
    assert sorted(mine) == sorted(gap)[:2]


def test_an_unknown_network_is_refused():
    with pytest.raises(Fault, match="MLP-1, MLP-2, CNN"):
        list(bills.subjects("quick", "MLP-3"))


def test_committed_arms_are_found_by_their_files():
    assert {"ldlif", "vlif", "if"} <= set(subjects.kept("nmnist"))
    assert "floor" in subjects.kept("shd") and subjects.kept("nowhere") == {}


def test_the_tables_of_the_chapter_hold_every_row(rows):
    assert len(page.table_of(rows)) == 9 and len(page.arms(rows)) == 1
    assert list(page.arms(rows).arm) == [ARMS["ldlif"].label], "a name, no raw id"
    parts = page.parts(rows)
    assert list(parts.columns) == ["design", "update", "accumulation", "leakage"]
    whole = parts[["update", "accumulation", "leakage"]].sum(axis=1)
    always = [r["uj_per_clip"] for r in rows if r["leakage"] == "always on"]
    assert whole.tolist() == pytest.approx(always)
    told = page.bill_numbers(rows)
    assert told["energy.bill_rows"] == 9 and told["energy.bill_missing"] == 0
    assert len(page.real_time(rows)) == 6


def test_the_row_wide_rival_of_a_convolution_reads_every_column_tile(table):
    m = layouts.tree(network.measure(random_network(), random_clips()))
    plan = m.layers[0] | {"column_tiles": 7}
    upright = network.Measured("", m.ledger, m.shape, (plan,), "A")
    assert compare._sums(upright, plan).cycles(40) == 7 * plan["A"]
    assert compare._sums(m, plan).cycles(40) == 0 and B == 9


def test_gate_rows_leave_ours_out():
    from lindecay.energy import toggles

    rows = printed.gate_rows(toggles.read())
    assert toggles.OURS not in set(rows["datapath"])
    assert {"exponential", "linear", "shift"} == set(rows["family"])
