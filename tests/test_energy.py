"""Energy: units and spreads of the table, bills that add up, rivals, calibration."""

import csv
import re

import numpy as np
import pytest

from lindecay import arms
from lindecay.energy import (
    baselines,
    calibrate,
    constants,
    events,
    memory,
    scaling,
    sources,
)
from lindecay.energy.model import COUNTED_AT, NEEDED, Shape, bill, swept
from lindecay.settings import Fault, committed

SHAPE = Shape(macros=4, clips=2, steps=3, neurons=522, bits=11)


def synthetic(seed=0):
    """A ledger's rows with lawful but made-up counts."""
    random = np.random.default_rng(seed)
    rows = []
    for layer in ("hidden", "out"):
        for program in ("clear", "decay", "accumulate", "merge", "fire", "reset"):
            row = {name: int(random.integers(1, 10_000)) for name in NEEDED}
            row["columns_written"] = row["columns_selected"] + int(random.integers(99))
            rows.append({"layer": layer, "program": program, **row})
    return rows


@pytest.fixture(scope="module")
def table():
    return constants.load()


@pytest.fixture(scope="module")
def v(table):
    return constants.values(table)


def test_components_programs_layers_and_parts_sum_to_the_total(table):
    made = bill(synthetic(), table, SHAPE)
    for view in (made.by_component(), made.by_program(), made.by_layer(), made.parts()):
        assert sum(view.values()) == pytest.approx(made.total_pj, rel=1e-12)


def test_every_component_of_the_rule_is_billed(table):
    parts = bill(synthetic(), table, SHAPE).parts()
    assert len(parts) == 16
    assert all(pj > 0 for pj in parts.values()), parts


def test_bill_equals_a_sum_written_out_by_hand(table):
    rows = synthetic(3)
    made = bill(rows, table, SHAPE)
    pj = {k: c.headline()[0] for k, c in table.items() if c.role == "model"}
    bitline = pj["bitline_cell"] * 256 * 1e-3
    hand = sum(r["discharges"] for r in rows) * bitline * pj["read_swing"]
    assert made.by_component()["bitlines"] == pytest.approx(hand)
    wasted = sum(r["columns_written"] - r["columns_selected"] for r in rows)
    hand = wasted * bitline * pj["write_toggle"]
    assert made.by_component()["half-selected"] == pytest.approx(hand)
    cycles = sum(r["cycles"] for r in rows)
    hand = cycles * 4 * pj["leakage_macro"] * 1e3 / pj["clock_mhz"]
    assert made.by_component()["leakage"] == pytest.approx(hand)


def test_views_per_step_update_and_sop_agree(table):
    made = bill(synthetic(), table, SHAPE)
    assert made.per_clip_pj * 2 == pytest.approx(made.total_pj)
    assert made.per_step_pj * 3 == pytest.approx(made.per_clip_pj)
    assert made.per_sop_pj * made.counts["sops"] == pytest.approx(made.total_pj)
    assert made.per_update_pj * 2 * 3 * 522 == pytest.approx(
        made.of("decay", "fire", "reset")
    )
    assert made.latency_us * 200 * 2 == pytest.approx(made.counts["cycles"])


def test_twice_the_events_cost_twice(table):
    once, rows = bill(synthetic(), table, SHAPE), synthetic()
    for row in rows:
        row.update({k: 2 * n for k, n in row.items() if isinstance(n, int)})
    assert bill(rows, table, SHAPE).total_pj == pytest.approx(2 * once.total_pj)


def test_a_monte_carlo_of_one_value_is_the_bill(table):
    values = {k: np.array([x]) for k, x in constants.values(table).items()}
    made = bill(synthetic(), table, SHAPE)
    assert swept(synthetic(), values, SHAPE)[0] == pytest.approx(made.total_pj)
    part = swept(synthetic(), values, SHAPE, programs=("decay", "fire", "reset"))[0]
    assert part == pytest.approx(made.of(*COUNTED_AT["update"]))


def test_a_swapped_constant_moves_its_component_alone(table):
    rows = synthetic()
    before = bill(rows, table, SHAPE).by_component()
    dearer = constants.swap(table, control_cycle=3.3)
    after = bill(rows, dearer, SHAPE).by_component()
    moved = [name for name in before if before[name] != after[name]]
    assert moved == ["control"]
    assert after["control"] == pytest.approx(2 * before["control"])


def test_every_constant_has_a_source_that_resolves(table):
    root = committed("technology.csv").parents[1]
    bib = (root / "book" / "references.bib").read_text()
    known = set(re.findall(r"^@\w+\{([^,]+),", bib, re.M)) | {"assumption"}
    assert {c.source for c in table.values()} <= known


def test_what_has_no_source_is_a_range_and_says_so(table):
    for one in table.values():
        if one.source == "assumption" or one.verified == "swept":
            assert one.low < one.high, one.key
            assert one.kind == "swept", one.key


def test_no_two_supplies_or_nodes_in_a_sum(table):
    for one in table.values():
        if one.role == "model":
            assert one.node_nm in (65, 45), one.key
            assert one.scale != "energy" or one.vdd_V is not None, one.key


def test_scaling_is_that_of_the_design_page():
    assert scaling.factor(65, 0.8) == pytest.approx(1.549, abs=5e-4)
    assert scaling.factor(65, 0.85) == pytest.approx(1.40, abs=5e-3)
    assert scaling.factor(45, 0.9) == pytest.approx(1.578, abs=5e-4)
    assert scaling.factor(65, 1.0) == 1


@pytest.mark.parametrize("node, vdd", [(65, 0.5), (65, 1.5), (28, 0.9), (14, 0.1)])
def test_scaling_refuses_what_the_fit_does_not_cover(node, vdd):
    with pytest.raises(Fault, match="scaling|supply"):
        scaling.factor(node, vdd)


def broken(tmp_path, **changes):
    text = committed("technology.csv").read_text()
    lines = list(csv.DictReader(text.splitlines()))
    lines[2] |= changes
    path = tmp_path / "technology.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "bogus"},
        {"unit": "kg"},
        {"low": "0.9"},
        {"value": "much"},
        {"vdd_V": "", "scale": "energy"},
        {"vdd_V": "0.3", "scale": "energy"},
    ],
)
def test_a_bad_row_is_named_in_one_line(tmp_path, changes):
    with pytest.raises(Fault, match="line 4 of technology.csv") as told:
        constants.load(broken(tmp_path, **changes))
    assert "\n" not in str(told.value)


def test_units_are_converted(table):
    changes = {"value": 1.0, "low": 1.0, "high": 1.0, "unit": "fJ", "scale": "none"}
    assert table["decoder"].model_copy(update=changes).headline()[0] == 1e-3


@pytest.mark.parametrize("swap", [{"nonsense": 1.0}, {"clock_mhz": 0.0}])
def test_a_swap_of_nothing_known_is_refused(table, swap):
    with pytest.raises(Fault):
        constants.swap(table, **swap)


def test_draws_stay_within_their_spread(table):
    for key, values in constants.draw(table, 1000).items():
        _, low, high = table[key].headline()
        assert low <= values.min() * (1 + 1e-9) and values.max() <= high * (1 + 1e-9)


def test_a_ledger_without_a_count_is_refused(table):
    rows = synthetic()
    del rows[1]["flips"]
    with pytest.raises(Fault, match="flips"):
        bill(rows, table, SHAPE)


def test_words_cost_what_cacti_says_within_its_two_ways_of_counting(table, v):
    for words, size in ((512, "1k"), (2048, "4k")):
        for ours, what in zip(memory.pair(v, words, 16), ("read", "write")):
            _, one_line, both_lines = table[f"cacti_word{size}_{what}"].headline()
            assert 0.75 * one_line <= ours <= both_lines


def test_a_rival_gets_its_best_memory(v):
    best = memory.update_pj(v, 512, 11)
    for per_row in memory.WORDS_PER_ROW:
        rows, columns = -(-512 // per_row), 11 * per_row
        read = memory.read_pj(v, rows, columns, 11)
        assert best <= read + memory.write_pj(v, rows, columns, 11) + 1e-12


@pytest.mark.parametrize("access", baselines.ACCESSES)
@pytest.mark.parametrize("law", arms.UNITS)
def test_words_are_billed_at_their_width(v, law, access):
    costs = [baselines.rival(v, law, access, bits, 512).pj for bits in (8, 11, 16)]
    assert costs[0] < costs[1] < costs[2]


@pytest.mark.parametrize("access", baselines.ACCESSES)
def test_a_shift_costs_what_linear_decay_does(v, access):
    laws = ("shift-exponential", "LD-LIF")
    shift, linear = (baselines.rival(v, law, access, 11, 512).pj for law in laws)
    assert shift == pytest.approx(linear)


def test_rounding_to_nearest_costs_a_shift_one_more_addition(v):
    laws = (arms.SHIFT, arms.ROUNDED)
    shift = [baselines.decay_pj(v, law, 10) for law in laws]
    assert shift[1] == pytest.approx(2 * shift[0])
    for access in baselines.ACCESSES:
        pair = [baselines.rival(v, law, access, 10, 512).pj for law in laws]
        assert pair[1] - pair[0] == pytest.approx(shift[0])


def test_a_row_costs_the_same_full_or_not(v):
    full = baselines.row_wide(v, "LD-LIF", 10, 25)
    half = baselines.row_wide(v, "LD-LIF", 10, 10)
    assert half.cycles == full.cycles == 1
    row = [u.parts["memory read"] * n for u, n in ((full, 25), (half, 10))]
    assert row[0] == pytest.approx(row[1])


def test_sums_from_the_array_are_billed_by_their_width(v):
    told = {}
    for bits in (13, 26):
        sums = baselines.Sums("upright", bits)
        one = baselines.rival(v, "LD-LIF", "row-wide", 10, 512, sums)
        told[bits] = sum(one.parts[k] for k in sums.parts(v, 512))
        assert one.reading == 2 * bits and one.cycles == one.reading + 21
    assert told[26] == pytest.approx(2 * told[13])
    by_wire = baselines.rival(v, "LD-LIF", "row-wide", 10, 512)
    assert by_wire.cycles == 21 and not set(by_wire.parts) & set(sums.parts(v, 512))


def test_sums_in_words_share_their_cycles_and_need_no_buffer(v):
    sums = baselines.Sums("words", 13)
    told = sums.parts(v, 512)
    assert list(told) == ["partial sums"] and sums.cycles(512) == 0


@pytest.mark.parametrize("access", baselines.ACCESSES)
def test_every_rival_pays_for_its_clamp(v, access):
    parts = baselines.rival(v, "LD-LIF", access, 10, 512).parts
    assert parts["clamp"] == pytest.approx(baselines.adders_pj(v, 10))


def test_leakage_goes_with_the_size_of_a_macro(v):
    whole = events.leakage_pj(v)
    assert whole == pytest.approx(1e3 * v["leakage_macro"] / v["clock_mhz"])
    tall = [events.leakage_pj(v, rows, 256) / whole for rows in (64, 128, 512)]
    assert 0.25 < tall[0] < tall[1] < 1 < tall[2] < 2
    bare = v | {"leakage_edge": 0.0}
    assert events.leakage_pj(bare, 64, 256) == pytest.approx(whole / 4)


def test_a_flavour_of_devices_is_a_choice(table, v):
    low = constants.values(constants.flavoured(table, "LP"))
    assert low["leakage_macro"] == pytest.approx(v["leakage_macro"] / 99, rel=0.01)
    with pytest.raises(Fault, match="GP or LP"):
        constants.flavoured(table, "HP")


@pytest.mark.parametrize("leakage, share", [("none", 0), ("gated", 0.5)])
def test_leakage_is_none_gated_or_always_on(table, leakage, share):
    rows = synthetic()
    for row in rows:
        row["macro_cycles"] = row["cycles"] * 2  # half of the four macros work
    always = bill(rows, table, SHAPE).by_component()["leakage"]
    made = bill(rows, table, SHAPE, leakage).by_component()["leakage"]
    assert made == pytest.approx(share * always)
    with pytest.raises(Fault, match="no such leakage"):
        bill(rows, table, SHAPE, "sometimes")


def test_an_unknown_rival_is_refused(v):
    with pytest.raises(Fault, match="row-wide"):
        baselines.rival(v, "LD-LIF", "by mail", 10, 512)
    with pytest.raises(Fault, match="LD-LIF"):
        baselines.rival(v, "quadratic", "row-wide", 10, 512)


def test_calibration_against_impulse_stays_where_it_was(table):
    told = calibrate.impulse(table)
    assert told["silicon_fj"] == pytest.approx(128.8, abs=0.1)
    assert told["ratio"] == pytest.approx(1.01, abs=0.02)
    assert told["ours_ratio"] == pytest.approx(1.37, abs=0.02)
    assert calibrate.LEAST < told["low"] < 1 < told["high"] < calibrate.MOST


def test_the_gap_to_cacti_is_explained_step_by_step(table):
    steps = dict(calibrate.explained(table))
    assert len(steps) == 7
    told = calibrate.impulse(table, n=100)
    assert told["cacti_ratio"] == pytest.approx(1.68, abs=0.02)


def test_prices_are_positive_and_name_fields_of_the_ledger(v):
    derived = {"row_activations", "half_selected", "leaking_cycles", "transposed_bits"}
    for field, price in events.prices(v, 256, 256).values():
        assert price > 0 and field in {*NEEDED, *derived, "tree_ops"}


def test_the_table_of_sources_names_every_constant_of_the_model(table):
    rows = {row["constant"]: row for row in sources.table(table)}
    assert set(rows) == {k for k, c in table.items() if c.role == "model"}
    assert rows["wordline_column"]["unit"] == "fJ"
    assert float(rows["wordline_column"]["at 65 nm, 1.0 V"]) == pytest.approx(0.593)
    assert rows["control_cycle"]["source"] == "no source: a swept range"
    assert "Agrawal" in rows["clock_mhz"]["source"]


def test_an_unknown_source_is_refused():
    with pytest.raises(Fault, match="references.bib"):
        sources.cite("nobody1999")
