"""Designs on one ledger: sums, rivals, layouts, printed ranges, doubt, the freeze."""

import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest

from lindecay import energy, sram
from lindecay.energy import (
    answers,
    choices,
    compare,
    constants,
    layouts,
    maps,
    metrics,
    model,
    network,
    ranges,
    report,
    scopes,
)
from lindecay.energy import uncertainty as doubt
from lindecay.events import Clips
from lindecay.quantization import Checkpoint, Layer
from lindecay.settings import Fault, root

SIZES, STEPS, B = (300, 40, 10), 6, 9


def random_network(seed=0, law="shrink", bits=B):
    random = np.random.default_rng(seed)
    layers = []
    for i, (n, m) in enumerate(zip(SIZES, SIZES[1:])):
        w = random.integers(-4, 4, (m, n)).astype(np.int8)
        one = Layer(f"fc{i + 1}", w, np.int32(40), np.int32(3), bits=3)
        layers.append(one)
    meta = {"B": bits, "f": 1, "law": law, "reset": "subtract", "T": STEPS}
    return Checkpoint(meta | {"readout": "count"}, tuple(layers))


def random_clips(n=3, seed=1):
    random = np.random.default_rng(seed)
    bins = [np.flatnonzero(random.random(SIZES[0]) < 0.05) for _ in range(n * STEPS)]
    indptr = np.cumsum([0, *map(len, bins)]).astype(np.int64)
    channel = np.concatenate(bins).astype(np.int32)
    labels = np.zeros(n, np.int64)
    told = dict(steps=STEPS, channels=SIZES[0], dt_us=1, name="nmnist", split="test")
    return Clips(indptr, channel, labels, **told, source="stand-in", sha256="0")


@pytest.fixture(scope="module")
def m():
    return network.measure(random_network(), random_clips())


@pytest.fixture(scope="module")
def product(m):
    ck = network.under(random_network(), "exponential")
    return network.measure(ck, random_clips())


@pytest.fixture(scope="module")
def table():
    return constants.load()


@pytest.fixture(scope="module")
def v(table):
    return constants.values(table)


def test_the_design_in_the_array_is_the_bill(m, v, table):
    bill = model.bill(m.ledger, table, m.shape)
    design = compare.in_array(m, v)
    assert design.clip * m.shape.clips == pytest.approx(bill.total_pj)
    assert design.sop == pytest.approx(bill.per_sop_pj)
    assert design.update == pytest.approx(bill.per_update_pj)
    assert design.latency_us == pytest.approx(bill.latency_us)


def test_sops_are_input_events_times_fan_out(m):
    clips, ck = random_clips(), random_network()
    spikes = sram.emulate(ck, clips).trace.layers[0].S.sum()
    by_hand = len(clips.channel) * SIZES[1] + int(spikes) * SIZES[2]
    assert sum(row["sops"] for row in model.rows_of(m.ledger)) == by_hand


def test_rivals_share_all_but_the_update(m, v):
    found = compare.designs(m, v)
    assert len({float(d.other_dynamic) for d in found}) == 1
    assert len({float(d.other_cycles) for d in found}) == 1
    assert len({d.name for d in found}) == len(found) == 11


def test_a_run_that_one_has_is_billed_without_another_emulation(m, table, monkeypatch):
    ck, clips = random_network(), random_clips()
    run = sram.emulate(ck, clips)
    monkeypatch.setattr(sram, "emulate", None)
    made = energy.bill(run)
    assert made.total_pj == pytest.approx(model.bill(m.ledger, table, m.shape).total_pj)
    found = energy.designs(run, checkpoint=ck)
    assert found[0].clip * len(clips) == pytest.approx(made.total_pj)
    low = energy.designs(run, leakage="none")
    assert all(a.clip > b.clip for a, b in zip(found, low))


@pytest.mark.parametrize("update", ["in-place", "row", "word"])
def test_a_run_of_layout_c_pays_for_its_tree_and_its_buffer(update, table):
    ck, clips = random_network(), random_clips()
    run = sram.emulate(ck, clips, sram.MacroSpec(layout="C", update=update))
    parts = energy.bill(run, checkpoint=ck).by_component()
    assert parts["adder tree"] > 0
    assert (parts["transposition"] > 0) == (update == "in-place")
    m = network.of_run(run, ck)
    again = {k: sum(r[k] for r in m.ledger) for k in ("cycles", "adder_ops")}
    assert again == {k: run.ledger.total()[k] for k in again}
    for access, name in (("row-wide", "row"), ("word-sequential", "word")):
        if update == name:  # one count of a rival's cycles, here and in the emulator
            spent = sum(r["cycles"] for r in m.ledger if r["program"] == "update")
            rival = compare.rival(m, constants.values(table), "LD-LIF", access)
            assert rival.update_cycles * len(clips) == spent


def test_layers_alone_overlapped_and_in_turn(m, v):
    ours = compare.in_array(m, v)
    alone = [ours.only(plan["name"]) for plan in m.layers]
    assert sum(d.updates for d in alone) == ours.updates
    assert ours.overlapped().cycles == max(d.cycles for d in alone)
    assert ours.cycles == pytest.approx(sum(d.cycles for d in alone))
    assert sum(d.clip for d in alone) < ours.overlapped().clip < ours.clip
    with pytest.raises(Fault, match="no such layer"):
        ours.only("fc9")


def test_leakage_modes_are_ordered(m, v):
    for design in compare.designs(m, v):
        none, gated, always = (
            design.leaking(how).clip for how in ("none", "gated", "always on")
        )
        assert none < gated < always, design.name
    with pytest.raises(Fault, match="no such leakage"):
        design.leaking("maybe")


def test_shares_multiply_to_the_whole_gain(m, v):
    gain = compare.shares(compare.designs(m, v))
    whole = gain.pop("all three")
    assert np.prod([float(x) for x in gain.values()]) == pytest.approx(float(whole))


def test_sequential_cycles_grow_with_neurons_and_row_wide_with_rows(m, v):
    seq = compare.rival(m, v, "LD-LIF", "word-sequential")
    wide = compare.rival(m, v, "LD-LIF", "row-wide")
    sums = sum(plan["A"] for plan in m.layers)  # upright: a cycle a row
    assert seq.update_cycles == STEPS * (sums + SIZES[1] + SIZES[2])
    assert wide.update_cycles == STEPS * (sums + 3)  # 28 words of 9 bits a row of 256
    by_wire = compare.rival(layouts.tree(m), v, "LD-LIF", "word-sequential")
    assert by_wire.update_cycles == STEPS * (SIZES[1] + SIZES[2])


def test_a_product_in_the_array_costs_more_than_a_subtraction(m, product, v):
    exponential = compare.in_array(product, v, "exponential")
    assert (
        exponential.layout == "A"
        and exponential.update > 1.5 * compare.in_array(m, v).update
    )
    assert exponential.law == "v-LIF, 8-bit β"


@pytest.fixture(scope="module")
def case(m, product):
    told = (choices.Choices(), "stand-in", 3, 1, m, product)
    return choices.Case(*told, layouts.tree(m, in_place=True), layouts.tree(m))


def test_the_judged_scopes_are_those_of_the_second_freeze(case, v):
    listed = metrics.frozen(2)["scopes"]
    found = scopes.sop(case), scopes.module(case), scopes.bottleneck(case)
    names = ("sop_energy_ratio", "module_ratio_65nm", "bottleneck")
    assert [list(f) for f in found] == [listed[name] for name in names]
    assert all(f(v) > 0 for f in (found[0] | found[1]).values())
    assert all(0 < f(v) < 100 for pair in found[2].values() for f in pair)


def test_every_answer_has_an_id_of_its_own_and_holds_its_interval(case):
    found = answers.answers(case)
    assert len({a.id for a in found}) == len(found) > 30
    for one in found:
        if one.interval:
            assert one.interval[0] <= one.value <= one.interval[1], one.id


def test_a_chosen_layout_is_judged_alone(case):
    chosen = replace(case, choices=choices.Choices(layout="A", module="decay alone"))
    told = [a.id for a in answers.answers(chosen) if a.id.startswith("energy.sop_pj")]
    assert told == ["energy.sop_pj.a_in_place"]
    modules = [a.id for a in answers.answers(chosen) if ".module." in a.id]
    assert modules == ["energy.module.decay_alone"]


def test_a_ledger_survives_the_store(m):
    again = network.Measured.from_json(m.to_json())
    assert again.shape == m.shape and again.ledger == m.ledger.to_rows()
    assert again.layers == m.layers


def test_the_same_weights_under_another_law():
    ck = random_network()
    other = network.under(ck, "shift")
    assert other.law == "shift" and ck.law == "shrink"
    assert np.array_equal(other.layers[0].w, ck.layers[0].w)


@pytest.mark.parametrize("make", [layouts.words, layouts.tree])
def test_other_layouts_do_the_same_work(m, make):
    made = make(m)
    for what in ("sops", "zero_sops", "queue_entries"):
        told = [sum(r[what] for r in model.rows_of(x.ledger)) for x in (m, made)]
        assert told[0] == told[1]
    for row in made.ledger:
        columns = m.shape.cols
        assert row["columns_read"] == row["read_rows"] * columns == row["sense_ops"]
        assert row["columns_written"] == row["write_rows"] * columns
        assert row["columns_selected"] <= row["columns_written"]
        assert row["discharges"] <= row["columns_read"]
        assert row["flips"] <= row["columns_selected"]


@pytest.mark.parametrize("layout", ["B", "C"])
def test_closed_forms_of_other_layouts_are_what_the_emulator_counts(layout, table):
    run, formed = layouts.emulated(random_network(), random_clips(), layout)
    for what in ("sops", "queue_entries"):
        told = [sum(r[what] for r in model.rows_of(x.ledger)) for x in (run, formed)]
        assert told[0] == told[1]
    bills = [model.bill(x.ledger, table, x.shape) for x in (run, formed)]
    near = {"B": 0.5, "C": 0.05}[layout]
    assert bills[0].per_sop_pj == pytest.approx(bills[1].per_sop_pj, rel=near)
    assert bills[0].of("decay") > 0 and bills[0].of("accumulate") > 0


def test_the_adder_tree_takes_the_same_time_for_any_spikes(table):
    ck, cycles = random_network(), []
    for seed in (1, 2):
        made = layouts.tree(network.measure(ck, random_clips(seed=seed)))
        rows = [r for r in made.ledger if r["program"] == "accumulate"]
        cycles.append(sum(r["cycles"] for r in rows))
    assert cycles[0] == cycles[1] == layouts.TREE_CYCLES * 2 * 3 * STEPS


def test_membranes_in_place_under_a_tree_are_billed_once(m, table):
    made = layouts.tree(m, in_place=True)
    bill = model.bill(made.ledger, table, made.shape)
    assert sum(bill.by_component().values()) == pytest.approx(bill.total_pj)
    assert bill.by_component()["adder tree"] > 0 and bill.of("decay") > 0


def test_windows_are_what_rounds_to_the_print():
    for printed in ("1.1", "16.7", "69", "0.96"):
        low, high = ranges.window(printed)
        digits = len(printed.split(".")[1]) if "." in printed else 0
        for x in (low * 1.0001, high * 0.9999):
            assert f"{x:.{digits}f}" == printed


def test_one_pair_of_the_cited_chips_gives_both_ends(table):
    cited = [table[f"{k}_sop"] for k in ("anpi", "anpg", "loihi", "truenorth")]
    (pair,) = ranges.pairs(cited, ("1.1", "16.7"))
    assert (pair.low_end, pair.high_end) == ("anpi_sop", "loihi_sop")
    assert 1.40 < pair.low < 1.41 < 1.42 < pair.high < 1.43
    against = ranges.contradictions(cited, pair, ("1.1", "16.7"))
    assert against["anpg_sop"] == pytest.approx(0.736, abs=1e-3)
    assert against["truenorth_sop"] == pytest.approx(18.4, abs=0.05)
    assert ranges.pairs(cited, ("15.9", "69")) == []


def test_more_chips_explain_more_fake_ranges(table):
    chips = [c for k, c in table.items() if k.endswith("_sop")]
    assert ranges.luck(chips[:3], n=400) < ranges.luck(chips, n=400)


def test_a_range_over_workloads_runs_from_one_to_the_ceiling():
    found = ranges.over_workloads(1.0, 50.0, 5.0, [1e-6, 1e9])
    assert found == pytest.approx([10.0, 1.0], rel=1e-4)
    s = ranges.spikes_for(3.0, 1.0, 50.0, 5.0)
    assert ranges.over_workloads(1.0, 50.0, 5.0, [s]) == pytest.approx([3.0])
    assert np.isnan(ranges.spikes_for(16.7, 1.0, 50.0, 5.0))


def scores(m, product, v, table):
    law = "v-LIF, 8-bit β"
    seq = compare.rival(m, v, law, "word-sequential")
    seq16 = compare.rival(m, v, "v-LIF, 16-bit β", "word-sequential")
    exponential = compare.in_array(product, v, "exponential")
    return metrics.score(table, compare.in_array(m, v), seq, seq16, exponential)


def test_the_scored_metrics_are_the_frozen_ones(m, product, v, table):
    found = scores(m, product, v, table)
    assert list(found) == list(metrics.listed())
    assert metrics.tried(found) == (15, 210)
    assert 0 <= metrics.luck(found, 15.9, 69, n=500) <= 1


def test_a_metric_that_is_not_on_the_list_is_refused(m, product, v, table, monkeypatch):
    monkeypatch.setattr(metrics, "listed", lambda: {"one": "only"})
    with pytest.raises(Fault, match="frozen"):
        scores(m, product, v, table)


def test_range_hits_need_both_ends():
    found = {"a": 16.0, "b": 70.0, "c": 3.0}
    assert metrics.range_hits(found, 15.9, 69) == [("a", "b")]
    assert metrics.range_hits(found, 15.9, 40) == []


def test_a_hundred_thousand_draws_take_seconds(m, table):
    start = time.perf_counter()
    told = doubt.spread(lambda v: compare.in_array(m, v).sop, table, n=100_000)
    assert time.perf_counter() - start < 10
    assert told.low < told.value < told.high


def test_a_tornado_is_sorted_and_its_ends_are_single_moves(m, table):
    def f(v):
        return compare.in_array(m, v).sop

    bars = doubt.tornado(f, table)
    swings = [bar.swing for bar in bars]
    assert swings == sorted(swings, reverse=True)
    bar = next(b for b in bars if b.key == "bitline_cell")
    values = constants.values(table)
    _, low, _ = table["bitline_cell"].headline()
    assert bar.at_low == pytest.approx(float(f(values | {"bitline_cell": low})))


def test_a_crossing_is_where_the_quantity_meets_the_end(table):
    def f(v):
        return v["clock_mhz"] / 100

    at = doubt.crossing(f, table, "clock_mhz", 3.0)
    assert at == pytest.approx(300)
    assert doubt.crossing(f, table, "clock_mhz", 9.0) is None
    told = doubt.condition(f, table, 3.0, n=1000).sentence()
    assert "it holds if clock_mhz = 300 MHz" in told
    assert "no constant" in doubt.condition(f, table, 9.0, n=1000).sentence()
    assert "reaches it" in doubt.condition(f, table, 1.5, n=1000).sentence()


def born(path: str) -> int | None:
    """Time of the commit that added a file; None where git cannot say."""
    ask = ["git", "log", "--diff-filter=A", "--format=%ct", "--", path]
    done = subprocess.run(ask, cwd=root(), capture_output=True, text=True)
    times = done.stdout.split()
    return int(times[-1]) if done.returncode == 0 and times else None


def test_the_design_was_frozen_before_the_first_comparison():
    for design, compared in (
        ("data/claims/frozen_design.yml", "book/08_energy.md"),
        ("data/claims/frozen_design_2.yml", "lib/lindecay/energy/scopes.py"),
    ):
        times = born(design), born(compared)
        if None in times:
            pytest.skip("no history here")
        assert times[0] < times[1], design


def test_maps_price_every_supply_by_the_fit(m, v):
    ours = compare.in_array(m, v)
    low = maps.at_supply(ours, 0.8)
    assert ours.update_dynamic / low.update_dynamic == pytest.approx(1.549, abs=1e-3)
    assert low.leak / ours.leak == pytest.approx(0.8)
    assert maps.at_supply(ours, 1.0).sop == pytest.approx(ours.sop)


def test_a_map_s_layer_has_the_spikes_that_it_says(table):
    point = maps.Point(B=9, s=5, N=20, rows=128)
    ck, clips = maps.layer(point)
    made = network.measure(ck, clips, spec=sram.MacroSpec(rows=128))
    assert made.spikes_per_update == point.s
    assert made.shape.rows == 128 and made.shape.bits == 9


def test_shares_of_fake_windows_are_fair():
    x = np.exp(np.random.default_rng(0).uniform(0, 3, 20_000))
    whole = maps.share_within(x, 2.0, 2.2)
    fakes = maps.fake_shares(x, 2.0, 2.2)
    assert fakes.mean() == pytest.approx(whole, rel=0.1)


def test_neurobench_counts_what_we_count_where_definitions_meet(m):
    """Effective_ACs: non-zero inputs times non-zero weights; ours adds zero weights."""
    where = "neurobench.metrics.utils.layers.macs"
    macs = pytest.importorskip(where, reason="pip install --no-deps neurobench")
    torch = pytest.importorskip("torch")
    ck, clips = random_network(), random_clips()
    trace = sram.emulate(ck, clips).trace
    hidden = trace.layers[0].S.transpose(1, 0, 2)  # (time, batch, neurons)
    effective = dense = 0
    for layer, spikes in zip(ck.layers, (clips.dense(np.arange(3)), hidden)):
        linear = torch.nn.Linear(*reversed(layer.w.shape), bias=False)
        linear.weight.data = torch.from_numpy(layer.w).float()
        for x in torch.from_numpy(np.ascontiguousarray(spikes)).float():
            effective += macs.single_layer_MACs(x, linear)[0]
            dense += macs.single_layer_MACs(x, linear, total=True)[0]
    rows = model.rows_of(m.ledger)
    sops, zeros = (sum(r[k] for r in rows) for k in ("sops", "zero_sops"))
    assert zeros > 0 and effective == sops - zeros
    assert dense == len(clips) * STEPS * sum(w.w.size for w in ck.layers)


def test_a_report_says_what_was_swapped(m, monkeypatch):
    monkeypatch.setattr(report, "frozen_clips", lambda profile: random_clips())
    monkeypatch.setattr(report.network, "kept", lambda *given: m)
    plain, dear = report.report(), report.report(swap="leakage_macro=0.28")
    assert dear["set"] == {"leakage_macro": 0.28} and plain["set"] == {}
    assert dear["designs"][0]["pJ/SOP"] > plain["designs"][0]["pJ/SOP"]
    assert plain["source"] == "stand-in" and plain["clips"] == 3
    with pytest.raises(Fault, match="no such constant"):
        report.report(swap="moon=1")
    with pytest.raises(Fault, match="not a swap"):
        report.report(swap="leakage_macro:1")
