"""Claims: the registry is complete, the rules judge as written, red turns red."""

import io
import json
import re
import subprocess
from decimal import ROUND_HALF_UP, Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats

from lindecay import claims, results
from lindecay.claims import (
    assumptions,
    audit,
    history,
    inventory,
    judge,
    page,
    printed,
    registry,
    report,
    rules,
    stamps,
    statistics,
    typed,
)
from lindecay.results import Result
from lindecay.settings import Fault
from lindecay.site import values

ROW_KEYS = (
    "id published ours interval seeds clips source profile status verdict why others "
    "scopes here"
).split()


def result(id, value, **stamp):
    stamp = {"source": "recordings", "chapter": "04_training"} | stamp
    return Result(id=id, value=value, **stamp)


def found(*made):
    return {r.id: r for r in made}


def nmnist(drops, without=15.0, half=0.8, **stamp):
    """What chapter 04 publishes, with these paired drops; half: of its interval."""
    mean = float(np.mean(drops))
    return found(
        result("nmnist.drop", mean, interval=(mean - half, mean + half), **stamp),
        result("nmnist.drop_per_seed", list(drops), **stamp),
        result("nmnist.acc.vlif", 95.0, n=10_000, **stamp),
        result("nmnist.acc.ldlif", 94.0, interval=(93.5, 94.5), **stamp),
        result("nmnist.acc.if", 95.0 - without, **stamp),
        result("nmnist.drop_if", without, **stamp),
        result("nmnist.lam_zero_share", 0.0, unit="%", **stamp),
    )


def array(cycles=74, form=74):
    sizes = (16, 64, 256, 1024, 4096)
    own = {"source": "computed", "chapter": "06_sram_array"}
    return found(
        result("array.update_cycles", [[n, cycles] for n in sizes], **own),
        result("array.update_cycles_sequential", [[n, 2 * n] for n in sizes], **own),
        result("array.update_closed_form", form, **own),
        result("array.accumulate_cycles_per_event", [[16, 12], [64, 12]], **own),
        result("array.tree_cycles", 3, **own),
    )


def energy(pj=1.4, band=None, module=5.0):
    own = {"chapter": "08_energy"}
    known = claims.load()
    energies = [id for id in known["sop-energy-ratio"].ids]
    ratios = [id for id in known["module-ratio-65nm"].ids]
    shares = [id for id in known["bottleneck"].ids]
    return found(
        *(result(id, pj, interval=band, **own) for id in energies),
        *(result(id, module, interval=(1.8, 6.0), **own) for id in ratios),
        *(result(id, 80.0 if "time" in id else 60.0, **own) for id in shares),
        result("energy.metrics_hits", 0, **own),
        result("energy.metrics_pairs", 90, **own),
        result("energy.metrics_luck", 12.0, **own),
    )


def others():
    """What chapters 05 and 07 publish: SHD, and two widths of weights."""
    own = {"chapter": "05_accuracy"}
    return found(
        result("shd.drop", 1.0, interval=(-1.0, 3.0), **own),
        result("shd.drop_per_seed", [0.9, 1.0, 1.1], **own),
        result("shd.acc.vlif", 75.0, n=1500, **own),
        result("shd.drop_if", 5.0, **own),
        result("shd.weight_bits", 4, **own),
        result("dvsgesture.weight_bits", 4, chapter="07_networks"),
    )


GOOD = {**nmnist([0.9, 1.0, 1.1]), **array(), **energy(), **others()}


def row(id, here=(), kept=(), profile="quick"):
    return judge.judge(claims.load()[id], dict(here), dict(kept), profile)[0]


@pytest.fixture
def settled(monkeypatch):
    """The committed verdicts are those of GOOD on this machine's recordings."""
    monkeypatch.setattr(audit, "local_source", lambda needs: "recordings")
    monkeypatch.setattr(audit, "unused", lambda here: [])
    monkeypatch.setattr(stamps, "_moved_since", lambda commit, chapter: "")
    made = {}
    for id, claim in registry.every().items():
        pair = "computed" if claim.needs == "none" else "recordings"
        verdict = judge.judge(claim, GOOD, {}, "quick")[0].verdict
        made[id] = {f"quick/{pair}": verdict}
    monkeypatch.setattr(audit, "verdicts", lambda: made)
    return made


def kinds(made):
    return sorted({(p.kind, p.id) for p in made.problems})


# ---------------------------------------------------------------- registry


def test_every_row_of_the_published_numbers_has_an_entry():
    path = inventory.source_path()
    if path is None:
        pytest.skip("the source text does not lie beside this checkout")
    table = (path.parent / "published-numbers.md").read_text()
    names = re.findall(r"^\| ([a-z0-9-]+)[^|]*\| ", table, re.M)
    names = set(names) - {"id", "weights-mlp1", "cited-figures"}
    assert len(names) == 12
    assert names <= set(claims.load())
    assert {"weights-mlp1", "weights-mlp2", "weights-cnn"} <= set(claims.load())


def test_every_number_of_the_source_text_is_accounted_for():
    path = inventory.source_path()
    if path is None:
        pytest.skip("the source text does not lie beside this checkout")
    text = path.read_text("utf-8")
    assert inventory.same_text(path)
    assert inventory.unlisted(text) == []
    assert inventory.unquoted(text) == []
    planted = text.replace("5.2 times", "5.3 times") + "\nand 7.25 pJ more"
    found = [n.split()[0] for n in inventory.unlisted(planted)]
    assert found == ["5.3", "5.3", "7.25"]
    assert inventory.unquoted(planted)[0][0] == "module-ratio-65nm"


def test_an_exemption_covers_its_own_place_only():
    assert inventory.unlisted("trained as MLP-1 here") == []
    assert inventory.unlisted("trained in 1 hour")


def test_each_claim_quotes_its_numbers_and_names_known_things():
    for claim in claims.load().values():
        assert inventory.silent(claim) == [], claim.id
        assert claim.rule in rules.RULES, claim.id
        assert set(claim.assumes) <= set(assumptions.load()), claim.id
        for part in claim.args.get("claims", []):
            assert part in claims.load()


def test_each_assumption_is_one_that_a_claim_rests_on():
    for id in assumptions.load():
        assert assumptions.dependants(id), id
        assert "{" not in assumptions.choice(assumptions.load()[id], "quick")


def test_the_text_of_the_registry_types_no_printed_digit_in_a_reason():
    """A tolerance says why in words that hold for any printed value."""
    for claim in claims.load().values():
        if claim.kind in ("stochastic", "simulated") and claim.printed:
            assert len(claim.tolerance.basis.split()) > 8, claim.id
            for value, printed in zip(claim.published, claim.printed):
                low, high = registry.window(printed)
                assert claim.tolerance.reach(value) >= (high - low) / 2 - 1e-9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- no mapping", "YAML that fits Registry"),
        ("schema: 2", "schema"),
        ("schema: 1\nsource: [", "ParserError"),
    ],
)
def test_a_bad_registry_is_one_clear_line(tmp_path, text, says):
    path = tmp_path / "paper.yml"
    path.write_text(text)
    with pytest.raises(Fault, match=re.escape(says)) as caught:
        registry.read(path, registry.Registry)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_misspelt_field_and_a_missing_tolerance_are_refused():
    good = claims.load()["acc-drop-shd"].model_dump()
    with pytest.raises(ValueError, match="tolerence"):
        claims.Claim(**good, tolerence=1)
    with pytest.raises(ValueError, match="no tolerance"):
        claims.Claim(**{**good, "tolerance": None})


# -------------------------------------------------------------- statistics


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12))
def test_interval_is_the_t_interval_of_scipy(drops):
    made = statistics.paired(drops)
    if made.error < 1e-9:
        return
    low, high = stats.t.interval(
        0.95, len(drops) - 1, loc=np.mean(drops), scale=stats.sem(drops)
    )
    assert made.interval() == pytest.approx((low, high), abs=1e-9)


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=9, unique=True))
def test_equivalence_is_two_one_sided_tests(drops):
    made = statistics.paired(drops)
    if made.error < 1e-9:
        return
    above = stats.ttest_1samp(drops, -1.0, alternative="greater").pvalue
    below = stats.ttest_1samp(drops, 1.0, alternative="less").pvalue
    if abs(max(above, below) - 0.05) > 1e-9:
        ours = statistics.equivalent([made.interval(0.90)], 1.0)
        assert ours == (max(above, below) < 0.05)


def test_detectable_drop_matches_the_power_of_simulated_pairs():
    rng = np.random.default_rng(5)
    many = rng.normal(size=(20_000, 10))
    error = many.std(1, ddof=1) / np.sqrt(10)
    made = statistics.Paired(0.0, 1 / np.sqrt(10), 10)
    t = stats.t.ppf(0.975, 9)
    power = np.mean(np.abs(many.mean(1) + made.detectable()) > t * error)
    assert power == pytest.approx(0.8, abs=0.05)  # t for t, not the noncentral one


@given(st.integers(50, 900), st.integers(0, 40))
def test_counts_find_every_k_that_prints_so(clips, k):
    unit = Decimal("0.01")
    printed = str((Decimal(100 * k) / clips).quantize(unit, ROUND_HALF_UP))
    brute = [
        j
        for j in range(clips + 1)
        if str((Decimal(100 * j) / clips).quantize(unit, ROUND_HALF_UP)) == printed
    ]
    assert statistics.counts(printed, clips) == brute and k in brute


def test_what_the_printed_drops_are_in_clips():
    assert statistics.counts("0.38", 264) == [1]
    assert statistics.counts("0.38", 288) == []
    assert statistics.counts("1.11", 2264) == []
    assert statistics.counts_rounded_first("1.11", 2264) == [25]
    assert statistics.counts("0.96", 10_000) == [96]
    assert statistics.standard_error(80, 2264) == pytest.approx(0.84, abs=0.005)


def test_one_pair_of_cited_chips_fits_both_ends_of_the_sop_range():
    chips = {"anpi": 1.5, "anpg": 1.04, "loihi": 23.6, "truenorth": 26.0}
    fits = {
        (a, b): x
        for a in chips
        for b in chips
        if (x := rules.one_value(chips[a], chips[b], "1.1", "16.7"))
    }
    assert list(fits) == [("anpi", "loihi")]
    assert fits["anpi", "loihi"] == pytest.approx((1.409, 1.4174), abs=1e-3)
    for near, far in [(1.5, 23.6), (1.04, 26.0), (1.5, 26.0), (1.04, 23.6)]:
        assert rules.one_value(near, far, "15.9", "69") is None


# ------------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("drops", "half", "verdict"),
    [
        ([0.95, 0.96, 0.97], 0.8, "exact"),
        ([1.0, 1.1, 1.2], 0.8, "within-tolerance"),
        ([2.0, 2.5, 3.0], 1.6, "trend-only"),
        ([0.95, 0.96, 0.97], 1.0, "unresolved"),  # as printed, and no sign
        ([-0.1, 0.1, 0.0], 2.0, "unresolved"),
        ([6.0, 6.1, 6.2], 3.0, "differs"),
        ([-4.0, -4.1, -4.2], 3.0, "differs"),
    ],
)
def test_a_drop_is_judged_by_its_interval_and_its_distance(drops, half, verdict):
    here = nmnist(drops, half=half, source="official", profile="paper")
    made = row("acc-drop-nmnist", here, profile="paper")
    assert made.verdict == verdict
    assert made.seeds == 3 and made.clips == 10_000
    assert made.interval[0] < made.ours < made.interval[1]
    answers = {o["what"].split(" (")[0]: o["value"] for o in made.others}
    assert answers["compatible with the published 0.96"] is (verdict != "differs")
    assert "equivalent to zero within 1 point" in answers


def test_an_arm_without_leak_that_does_as_well_is_said():
    told = row("acc-drop-nmnist", nmnist([1, 2, 3], without=2.5)).why
    assert "Uninformative about decay" in told
    told = row("acc-drop-nmnist", nmnist([1, 2, 3], without=-1.0)).why
    assert "Uninformative about decay" in told
    told = row("acc-drop-nmnist", nmnist([1, 2, 3], without=9.0)).why
    assert "Uninformative" not in told
    here = nmnist([1, 2, 3])
    del here["nmnist.drop_if"]
    assert "No arm without a leak ran" in row("acc-drop-nmnist", here).why


def test_an_answer_that_hangs_on_a_hundredth_says_so():
    told = row("acc-drop-nmnist", nmnist([1.7, 1.71, 1.72], half=0.755)).why
    assert told.startswith("Only just (0.01 points inside the interval) compatible")
    told = row("acc-drop-nmnist", nmnist([1.2, 1.21, 1.22])).why
    assert told.startswith("Compatible with the published drop")


def test_one_seed_is_no_evidence():
    assert row("acc-drop-nmnist", nmnist([1.0])).verdict == "not-attempted"


@pytest.mark.parametrize(
    ("source", "profile", "best"),
    [
        ("official", "paper", "exact"),
        ("official", "quick", "trend-only"),
        ("recordings", "paper", "trend-only"),
        ("recordings", "quick", "trend-only"),
        ("computed", "paper", "trend-only"),
        ("stand-in", "paper", "not-attempted"),
    ],
)
def test_source_and_profile_cap_what_a_claim_about_data_can_reach(
    source, profile, best
):
    here = nmnist([0.95, 0.96, 0.97], source=source, profile=profile)
    assert row("acc-drop-nmnist", here, profile=profile).verdict == best


def test_one_weak_result_caps_the_whole_claim():
    here = nmnist([0.95, 0.96, 0.97], source="official", profile="paper")
    here["nmnist.acc.if"].source = "recordings"
    made = row("acc-drop-nmnist", here, profile="paper")
    assert (made.verdict, made.source) == ("trend-only", "recordings")


def test_what_could_not_have_come_out_otherwise_is_not_called_exact():
    for id in ("acc-drop-about-1", "acc-drop-nmnist-counts", "acc-drop-shd-counts"):
        assert row(id).verdict == "consistent", id
    for id in ("weights-mlp1", "module-node"):
        assert row(id).verdict == "adopted", id
    assert row("update-complexity", array()).verdict == "holds-in-our-array"
    assert row("acc-drop-about-1").ours == pytest.approx(0.8167)


@pytest.mark.parametrize(
    ("pj", "band", "verdict"),
    [
        (1.413, None, "exact"),
        (1.2, None, "within-tolerance"),
        (0.7, (0.6, 0.8), "trend-only"),
        (1.45, (1.3, 1.6), "unresolved"),  # 0.94 to 1.15 times ANP-I
        (2.4, (2.0, 3.0), "differs"),
    ],
)
def test_a_range_is_as_good_as_its_worse_end(pj, band, verdict):
    here = {
        k: r.model_copy(update={"source": "official", "profile": "paper"})
        for k, r in energy(pj, band).items()
    }
    made = row("sop-energy-ratio", here, profile="paper")
    assert made.verdict == verdict and made.published == [1.1, 16.7]
    assert len(made.scopes) == 5 and {s["verdict"] for s in made.scopes} == {verdict}
    assert [o["what"].split()[0] for o in made.others][:2] == ["low", "high"]


def test_a_band_that_includes_no_gain_is_said():
    for value, band, verdict in [
        (2.0, (0.8, 6.0), "unresolved"),  # holds the printed value, and no gain
        (3.0, (2.5, 3.5), "trend-only"),  # a gain throughout, nearer to the printed
        (2.0, (1.5, 2.5), "differs"),  # nearer to none
        (2.0, (0.8, 2.5), "differs"),
        (3.0, None, "trend-only"),
        (0.9, (0.8, 0.95), "differs"),
    ]:
        here = energy(module=value)
        for id in claims.load()["module-ratio-65nm"].ids:
            here[id].interval = band
        made = row("module-ratio-65nm", here)
        assert made.verdict == verdict, band
        if verdict == "unresolved":
            told = made.scopes[0]["why"]
            assert "holds the printed value, and it includes no gain at all" in told


def test_an_answer_that_turns_with_its_scope_is_the_list_of_them():
    here = energy()
    ids = claims.load()["module-ratio-65nm"].scopes
    here[ids["decay alone"][0]].value = 0.5
    here[ids["decay alone"][0]].interval = (0.4, 0.6)
    made = row("module-ratio-65nm", here)
    assert made.verdict == "scope-dependent"
    assert [s["scope"] for s in made.scopes] == list(ids)
    one = {s["scope"]: s["verdict"] for s in made.scopes}
    assert one["decay alone"] == "differs" and set(one.values()) > {"trend-only"}
    assert "Decay alone" in made.why or "decay alone: differs" in made.why


def test_a_scope_that_was_not_computed_is_left_out_and_missed():
    here = energy()
    gone = claims.load()["module-ratio-65nm"].scopes["decay alone"][0]
    del here[gone]
    assert len(row("module-ratio-65nm", here).scopes) == 10
    told = audit._absent(
        claims.load()["module-ratio-65nm"], row("module-ratio-65nm", here), here
    )
    assert told is None or gone in told.text


def test_a_chosen_metric_is_judged_between_the_printed_ends():
    for value, verdict in ((20.0, "trend-only"), (3.0, "differs")):
        chosen = result("energy.metric_chosen", value, note="edp_vlif_seq")
        here = energy() | found(chosen)
        assert row("energy-efficiency-ratio", here).verdict == verdict


def test_an_undefined_metric_is_never_judged():
    made = row("energy-efficiency-ratio", energy())
    assert made.verdict == "not-comparable" and made.status == "recomputed"
    assert made.ours.startswith("0 of 90") and "12 % of cases" in made.why


@pytest.mark.parametrize(
    ("time", "joules", "verdict", "told"),
    [
        (80, 60, "trend-only", "takes 80 %"),
        (80, 20, "differs", "dominates latency only"),
        (30, 20, "differs", "takes 30 %"),
    ],
)
def test_a_bottleneck_takes_more_than_half_of_time_and_of_energy(
    time, joules, verdict, told
):
    here = energy()
    for id in claims.load()["bottleneck"].ids:
        here[id].value = time if "time" in id else joules
    made = row("bottleneck", here)
    assert made.verdict == verdict and told in made.scopes[0]["why"]
    for id in claims.load()["bottleneck"].ids:
        here[id].interval = None if "time" in id else (20, 80)
    assert row("bottleneck", here).verdict == ("unresolved" if time > 50 else "differs")


def test_update_cycles_must_be_constant_and_of_the_closed_form():
    assert row("update-complexity", array(form=62)).verdict == "differs"
    grown = array()
    grown["array.update_cycles"].value[-1][1] = 75
    assert row("update-complexity", grown).verdict == "differs"


def test_accumulation_is_constant_for_an_event_but_not_for_a_step():
    made = row("mvm-complexity", array())
    assert made.verdict == "scope-dependent"
    assert [s["verdict"] for s in made.scopes] == ["differs", "holds-in-our-array"]
    grown = array()
    grown["array.accumulate_cycles_per_event"].value = [[16, 12], [64, 13]]
    assert row("mvm-complexity", grown).scopes[0]["ours"] == "grows"


def test_no_decay_left_on_the_grid_is_a_difference():
    here = nmnist([1, 2])
    assert row("decay-parameter-analysis", here).verdict == "trend-only"
    here["nmnist.lam_zero_share"].value = 100.0
    assert row("decay-parameter-analysis", here).verdict == "differs"


def test_our_table_of_constants_may_not_contradict_a_cited_figure(monkeypatch):
    assert row("cited-anpi-sop").verdict == "not-comparable"
    monkeypatch.setattr(printed, "technology", lambda: {"anpi_sop": {"value": "1.6"}})
    assert row("cited-anpi-sop").verdict == "differs"
    monkeypatch.setattr(printed, "technology", dict)
    assert row("cited-anpi-sop").ours is None


def test_a_result_of_the_wrong_form_is_one_clear_line():
    here = array()
    here["array.update_cycles"].value = 74
    with pytest.raises(Fault, match="update-complexity .*array.update_cycles"):
        row("update-complexity", here)


# ------------------------------------------------- recomputed and carried


def test_a_stand_in_judges_nothing_and_the_reference_speaks():
    here = nmnist([5.0, 5.1], source="stand-in")
    alone = row("acc-drop-nmnist", here)
    assert (alone.verdict, alone.ours) == ("not-attempted", None)
    assert "no evidence" in alone.others[0]["what"]
    kept = nmnist([0.9, 1.0, 1.1], profile="paper")
    carried = row("acc-drop-nmnist", here, kept)
    assert (carried.status, carried.verdict) == ("carried", "trend-only")
    assert (carried.profile, carried.source) == ("paper", "recordings")


def test_the_run_of_more_seeds_leads_and_the_other_stands_second():
    kept = nmnist([0.9, 1.0, 1.1], profile="paper")
    made = row("acc-drop-nmnist", nmnist([2.0, 3.0]), kept)
    assert (made.status, made.ours, made.seeds) == ("carried", 1.0, 3)
    second = made.others[-1]
    assert second["what"].startswith("this build (quick") and second["value"] == 2.5
    assert made.here == second["verdict"]
    made = row("acc-drop-nmnist", nmnist([2.0, 3.0, 2.5, 2.5]), kept)
    assert (made.status, made.ours, made.here) == ("recomputed", 2.5, None)
    assert made.others[-1]["what"].startswith("committed reference (paper")


def test_a_build_that_moved_is_red_behind_a_stronger_reference(settled):
    kept = nmnist([0.9, 1.0, 1.1, 1.0, 1.0], profile="paper")
    made = claims.report_on("quick", {**GOOD, **nmnist([9.0, 9.1, 9.2])}, kept)
    lead = next(r for r in made.rows if r.id == "acc-drop-nmnist")
    assert (lead.verdict, lead.here) == ("trend-only", "differs")
    assert ("moved", "acc-drop-nmnist") in kinds(made)


def test_text_gives_the_roles_their_words():
    kept = {f"reference/{k}": r for k, r in nmnist([0.5, 0.7]).items()}
    here = {**nmnist([2.0, 2.5, 3.0]), **kept}
    assert claims.text("sop-energy-ratio") == "1.1 to 16.7"
    assert claims.text("acc-drop-nmnist", "ours", here) == "2.5"
    assert claims.text("reference/acc-drop-nmnist", "ours", here) == "0.6"
    assert claims.text("acc-drop-nmnist", "status", here) == "recomputed"
    assert claims.text("reference/acc-drop-nmnist", "status", here) == "carried"
    assert claims.text("acc-drop-nmnist", "ours", {}) == "not attempted"
    assert claims.text("acc-drop-shd", "quote").startswith("decreases by only")
    for id in claims.load():
        for field in ("published", "ours", "verdict", "why", "quote", "basis"):
            assert claims.text(id, field, here).strip()
    for wrong in [("no-such", "ours"), ("acc-drop-shd", "no-such"), ("x/y", "why")]:
        with pytest.raises(Fault):
            claims.text(*wrong, here)


@pytest.mark.parametrize(
    ("here", "kept", "mark"),
    [
        (nmnist([2.0, 3.0]), {}, "here"),
        ({}, nmnist([0.9, 1.0]), "carried"),
        (nmnist([2.0, 3.0], source="stand-in"), nmnist([0.9, 1.0]), "carried"),
        (nmnist([2.0, 3.0], source="stand-in"), {}, "none"),
    ],
)
def test_a_mark_tells_recomputed_from_carried(here, kept, mark):
    """{claim} on a page: whose number stands there, in view."""
    published = here | {f"reference/{id}": r for id, r in kept.items()}
    build = SimpleNamespace(published=published, profile="quick")
    for field in ("ours", "verdict", "interval", "why"):
        told = values.look_up(build, "claim", f"acc-drop-nmnist.{field}")
        assert told[1] == mark and values.TOLD[mark] in told[2]
    assert values.look_up(build, "claim", "acc-drop-nmnist")[1] == "paper"
    assert values.look_up(build, "claim", "acc-drop-nmnist.basis")[1] == "registry"
    assert values.look_up(build, "claim", "own-floor")[1] == "registry", "not printed"


def test_every_mark_but_the_registrys_has_its_look():
    css = (inventory.root() / "book" / "_static" / "lindecay.css").read_text()
    assert all(f".value.{mark}" in css for mark in values.TOLD if mark != "registry")


# ------------------------------------------------------------- red and green


def test_results_that_agree_with_the_committed_verdicts_are_green(settled):
    made = claims.report_on("quick", GOOD, {})
    assert (kinds(made), made.exit_code) == ([], 0)


def test_a_doctored_result_is_red(settled):
    doctored = {**GOOD, **nmnist([9.0, 9.1, 9.2])}
    made = claims.report_on("quick", doctored, {})
    assert ("moved", "acc-drop-nmnist") in kinds(made)
    alone = {k: r.model_copy(deep=True) for k, r in GOOD.items()}
    alone["nmnist.drop"].value = 0.5  # the seeds still say 1.0
    made = claims.report_on("quick", alone, {})
    assert ("inconsistent", "acc-drop-nmnist") in kinds(made)
    cycles = {**GOOD, **array(cycles=75)}
    made = claims.report_on("quick", cycles, {})
    assert ("moved", "update-complexity") in kinds(made) and made.exit_code == 1


@pytest.mark.parametrize(
    ("committed", "how"), [("differs", "better"), ("exact", "worse")]
)
def test_a_better_verdict_is_as_red_as_a_worse_one(settled, committed, how):
    settled["acc-drop-nmnist"] = {"quick/recordings": committed}
    made = claims.report_on("quick", GOOD, {})
    assert kinds(made) == [("moved", "acc-drop-nmnist")]
    assert made.problems[0].text.startswith(f"{how}: committed {committed}")


def test_a_missing_entry_is_red(settled):
    del settled["acc-drop-nmnist"]
    made = claims.report_on("quick", GOOD, {})
    assert kinds(made) == [("missing", "acc-drop-nmnist")]


def test_a_result_that_this_machine_should_have_made_is_red(settled):
    less = {k: r for k, r in GOOD.items() if k != "nmnist.drop"}
    made = claims.report_on("quick", less, {})
    assert ("missing", "acc-drop-nmnist") in kinds(made)
    kept = nmnist([0.9, 1.0, 1.1], profile="paper")
    made = claims.report_on("quick", less, kept)
    assert ("carried", "acc-drop-nmnist") in kinds(made)


def test_carrying_is_fine_where_there_are_no_recordings(settled, monkeypatch):
    monkeypatch.setattr(audit, "local_source", lambda needs: "stand-in")
    less = {k: r for k, r in GOOD.items() if not k.startswith(("nmnist", "energy"))}
    kept = nmnist([0.9, 1.0, 1.1], profile="paper")
    made = claims.report_on("quick", less, kept)
    assert kinds(made) == []  # nobody committed verdicts for stand-ins: a note
    assert any("acc-drop-nmnist" in note for note in made.notes)


def test_nothing_run_is_red_in_one_line(settled):
    made = claims.report_on("quick", {}, {})
    assert ("missing", "results") in kinds(made)
    assert sum(p.kind == "missing" for p in made.problems) == 1


def test_a_stale_stamp_is_red(settled, monkeypatch):
    other = {k: r.model_copy(update={"profile": "paper"}) for k, r in GOOD.items()}
    assert {k for k, _ in kinds(claims.report_on("quick", other, {}))} == {"stale"}
    told = "lib/lindecay/decay.py"
    monkeypatch.setattr(stamps, "_moved_since", lambda commit, chapter: told)
    made = claims.report_on("quick", GOOD, {})
    assert {k for k, _ in kinds(made)} == {"stale"}
    assert "04_training" in made.problems[0].text and told in made.problems[0].text


def test_results_that_name_no_data_or_no_chapter_are_red(settled):
    here = {k: r.model_copy(deep=True) for k, r in GOOD.items()}
    for id in claims.load()["acc-drop-nmnist"].may_read:
        here.pop(id, None)
    here["nmnist.drop"].source = here["nmnist.drop_per_seed"].source = "computed"
    made = claims.report_on("quick", here, {})
    assert ("unsourced", "acc-drop-nmnist") in kinds(made)
    here = {**GOOD, **found(result("array.extra", 1, source="computed", chapter=""))}
    assert kinds(claims.report_on("quick", here, {})) == [("unsourced", "array.extra")]


def test_a_result_that_nobody_uses_is_red(monkeypatch):
    monkeypatch.setattr(audit, "_pages", lambda: "{result}`array.used|.2f` and x.ys")
    here = found(result("array.used", 1), result("x.y", 1), result("nmnist.drop", 1))
    assert [p.id for p in audit.unused(here)] == ["x.y"]


def test_an_entry_that_is_computed_by_now_is_no_longer_open(settled):
    each = result("dvsgesture.drop_per_seed", [0.9, 1.1])
    drops = found(result("dvsgesture.drop", 1.0), each)
    made = claims.report_on("quick", {**GOOD, **drops}, {})
    assert ("stale", "acc-drop-dvsgesture") in kinds(made)


def test_somebody_elses_file_is_judged_alone(settled, monkeypatch, tmp_path):
    path = tmp_path / "theirs.json"
    results.save(path, nmnist([0.8, 1.0, 1.2]))
    made = claims.check("quick", with_file=path)
    assert (kinds(made), made.exit_code) == ([], 0)
    results.save(path, nmnist([9.0, 9.1, 9.2]))
    made = claims.check("quick", with_file=path)
    assert kinds(made) == [("moved", "acc-drop-nmnist")]
    results.save(path, nmnist([9.0, 9.1, 9.2], source="official", profile="paper"))
    made = claims.check("quick", with_file=path)  # a pair that nobody committed yet
    assert made.profile == "paper" and kinds(made) == [("moved", "acc-drop-nmnist")]
    path.write_text("{")
    with pytest.raises(Fault, match="not a result file"):
        claims.check("quick", with_file=path)
    with pytest.raises(Fault, match="unknown profile"):
        claims.check("quikc")


# -------------------------------------------------------------------- faces


def test_json_has_the_documented_form(settled):
    made = json.loads(claims.report_on("quick", GOOD, {}).to_json())
    assert all(list(c) == ROW_KEYS for c in made["claims"])
    assert len(made["claims"]) == len(claims.load())
    assert sum(made["tally"].values()) + made["cited"] == len(claims.load())
    cited = [c for c in claims.load().values() if c.kind == "citation"]
    assert made["cited"] == len(cited) == 13
    assert set(made["tally"]) == set(claims.VERDICTS)
    assert {c["status"] for c in made["claims"]} == {"recomputed", "carried"}
    ranges = {c["id"]: c["published"] for c in made["claims"]}
    assert ranges["energy-efficiency-ratio"] == [15.9, 69.0]
    schemas = claims.schemas()
    assert json.dumps(schemas) and set(schemas["check"]["properties"]) == set(made)


def test_our_own_claims_are_judged_like_the_paper_s():
    here = GOOD | found(
        result("energy.update_pj", 24.5),
        result("energy.rowwide_update_pj", 12.9),
        result("energy.module.both_row_wide", 1.1, interval=(1.05, 1.3)),
        result("energy.gates_shift_neuron", 0.9, interval=(0.8, 0.95)),
        result("energy.waiting_times", 1400.0),
        result("protocol.shd.drop_floor", 0.2, interval=(-1.0, 0.9)),
    )
    made = claims.report_on("quick", here, {})
    told = {row.id: row.verdict for row in made.ours}
    read = {
        "own-row-wide": "trend-only",
        "own-linear-law": "unresolved",
        "own-shift": "holds-in-our-array",
        "own-idle": "trend-only",
        "own-floor": "differs",
    }
    assert read.items() <= told.items()  # the open questions' read other numbers
    assert {told[id] for id in told.keys() - read} <= {"not-attempted"}
    assert all(id in page.own_html(made) for id in told)
    for claim in registry.own().values():
        assert set(claim.assumes) <= set(assumptions.load())


def test_our_own_claims_have_a_chain_and_words_too():
    id = "own-floor"
    here = found(result("protocol.shd.drop_floor", 5.0, interval=(4.0, 6.0)))
    links = claims.why.chain(id, "quick", (here, {}))
    kinds = [one["link"] for one in links]
    assert kinds[:3] == ["question", "quote", "claim"] and "data" in kinds
    assert links[0]["where"].startswith("book/05_accuracy.md:")
    assert links[2]["where"].startswith("data/claims/ours.yml:")
    assert "{claim}" not in links[0]["told"] and "0.96" in links[0]["told"]
    assert (
        "protocol.shd.drop_floor = 5" in str(links) and links[-1]["link"] == "verdict"
    )
    assert claims.text(id) == registry.own()[id].says
    assert claims.text(id, "verdict", here) == "trend-only"
    with pytest.raises(Fault, match="unknown claim"):
        claims.text("own-nothing")
    made = claims.report_on("quick", here, {})
    assert "link by link" in page.own_html(made, {id: links})
    assert "link by link" not in page.own_html(made)


@pytest.mark.parametrize("id", list(registry.own()))
def test_the_book_says_what_it_claims(id):
    """Each quote of ours stands on a page, at the line that the chain names."""
    place, _, line = claims.why.said(registry.own()[id]).rpartition(":")
    text = (inventory.root() / place).read_text("utf-8").splitlines()
    first = registry.own()[id].quote.split()[0]
    assert first in text[int(line) - 1]


def test_a_quote_that_no_page_holds_has_no_place():
    gone = registry.own()["own-floor"].model_copy(update={"quote": "no such words"})
    assert claims.why.said(gone) == ""


def test_a_claim_of_ours_that_moves_is_red_too(settled):
    id = "memories.energy.ldlif"
    here = GOOD | found(result(id, 0.3, source="recordings"))
    settled["own-low-supply"] = {"quick/recordings": "trend-only"}
    assert "own-low-supply" not in str(claims.report_on("quick", here, {}).problems)
    here[id].value = 0.9
    assert ("moved", "own-low-supply") in kinds(claims.report_on("quick", here, {}))


@pytest.mark.parametrize(
    ("value", "interval", "verdict"),
    [
        (0.96, None, "exact"),
        (1.2, None, "within-tolerance"),
        (1.2, (1.15, 1.25), "within-tolerance"),
        (1.2, (0.2, 2.2), "unresolved"),
        (3.0, (0.9, 5.1), "unresolved"),
        (3.0, (2.9, 3.1), "differs"),
        (3.0, None, "differs"),
    ],
)
def test_a_measured_number_stands_beside_its_tolerance(value, interval, verdict):
    claim = claims.load()["acc-drop-nmnist"]  # 0.96 with 0.31 of tolerance
    told = claim.model_copy(update={"rule": "measured", "reads": ("x",)})
    read = {"x": result("x", value, interval=interval)}
    assert rules.RULES["measured"](told, read, "paper").verdict == verdict


def test_people_see_every_claim_in_each_table(settled):
    made = claims.report_on("quick", GOOD, {})
    console = Console(file=io.StringIO(), width=200)
    console.print(made.to_table())
    for shown in (console.file.getvalue(), made.to_markdown(), made.to_html()):
        assert all(id in shown for id in claims.load())
    lines = made.to_markdown().splitlines()
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert made.badge()["color"] == "informational"


def test_the_page_table_has_anchors_labels_and_escaped_words(settled):
    html = claims.report_on("quick", GOOD, {}).to_html("accuracy")
    ids = re.findall(r'<tr id="([^"]+)"', html)
    accuracy = [i for i, c in claims.load().items() if c.group == "accuracy"]
    assert ids == accuracy
    assert html.count('data-label="Verdict"') == len(ids)
    assert "None" not in html and "nan" not in html
    assert "recomputed in this build" in html
    assert "&lt;" in page.escape("<b>")


def test_the_page_links_only_to_chapters_that_exist(settled, monkeypatch, tmp_path):
    monkeypatch.setattr(page, "root", lambda: tmp_path)
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "04_training.md").touch()
    html = claims.report_on("quick", GOOD, {}).to_html()
    assert set(re.findall(r'href="([^"]+)"', html)) == {"04_training.html"}
    assert "Chapter 08_energy is not written yet" in html


def test_every_verdict_has_its_look():
    path = inventory.root() / "book" / "_static" / "claims.css"
    for verdict in claims.VERDICTS:
        assert f".verdict.{verdict}" in path.read_text()
        assert page.SIGNS[verdict]


def test_the_download_holds_the_report(settled):
    made = claims.report_on("quick", GOOD, {})
    link = page.download(made)
    data = re.search(r"base64,([^\"]+)", link)[1]
    import base64

    assert json.loads(base64.b64decode(data))["tally"] == made.tally


def test_accept_writes_this_pair_and_keeps_the_others(tmp_path, monkeypatch):
    path = tmp_path / "verdicts.json"
    monkeypatch.setattr(audit, "verdicts_path", lambda: path)
    monkeypatch.setattr(report, "load_set", lambda name: GOOD)
    monkeypatch.setattr(audit, "local_source", lambda needs: "recordings")
    old = {"acc-drop-nmnist": {"paper/official": "exact"}, "left": {"a/b": "exact"}}
    monkeypatch.setattr(audit, "verdicts", lambda: old)
    claims.accept(claims.report_on("quick", GOOD, {}))
    made = json.loads(path.read_text())["verdicts"]
    assert made["acc-drop-nmnist"] == {
        "paper/official": "exact",
        "quick/recordings": "trend-only",
    }
    assert "left" not in made and set(made) == set(registry.every())


# ------------------------------------------------------------------ history


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A small repository with committed numbers."""

    def git(*ask):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        ask = ["git", *who, *ask]
        subprocess.run(ask, cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr(history, "root", lambda: tmp_path)
    monkeypatch.setattr(stamps, "root", lambda: tmp_path)
    stamps._changed.cache_clear()
    for name in ("data/reference/results", "data/claims", "book", "lib/lindecay"):
        (tmp_path / name).mkdir(parents=True)
    results.save(tmp_path / "data/reference/results/a.json", nmnist([1.0, 2.0]))
    (tmp_path / "data/technology.csv").write_text("key,value\nsop,1.5\n")
    (tmp_path / "lib/lindecay/decay.py").write_text("one\n")
    (tmp_path / "book/01_decay.md").write_text("from lindecay import decay\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    head = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(head, cwd=tmp_path, capture_output=True, text=True)
    yield SimpleNamespace(path=tmp_path, head=done.stdout.strip())
    stamps._changed.cache_clear()


def test_every_number_that_moved_since_a_commit_is_told(clone):
    assert claims.against("HEAD") == []
    results.save(clone.path / "data/reference/results/a.json", nmnist([1.0, 2.5]))
    (clone.path / "data/technology.csv").write_text("key,value\nsop,1.6\nnew,2\n")
    moved = {m.id: (m.before, m.now) for m in claims.against("HEAD")}
    assert moved["sop.value"] == ("1.5", "1.6") and moved["new.value"] == (None, "2")
    assert moved["nmnist.drop.value"] == (1.5, 1.75)
    with pytest.raises(Fault, match="no such commit"):
        claims.against("no-such-ref")


def test_a_chapter_is_stale_when_its_library_moved(clone):
    made = found(result("decay.beta", 0.9, chapter="01_decay", commit=clone.head))
    assert stamps.stale(made, "quick") == []
    (clone.path / "lib/lindecay/decay.py").write_text("two\n")
    stamps._changed.cache_clear()
    told = stamps.stale(made, "quick")
    assert told[0][0] == "decay.beta" and "lib/lindecay/decay.py" in told[0][1]
    made["decay.beta"].commit = "0" * 40
    assert "not in this repository" in stamps.stale(made, "quick")[0][1]


@pytest.mark.parametrize("stamp", ["HEAD", "HEAD-dirty"])
def test_the_record_of_a_run_tells_what_changed_since(clone, monkeypatch, stamp):
    commit = stamp.replace("HEAD", clone.head)
    monkeypatch.setattr(stamps, "source_digests", lambda m: {"lindecay.decay": "now"})
    made = found(result("decay.beta", 0.9, chapter="01_decay", commit=commit))
    assert stamps.stale(made, "quick") == []  # no record: the commit, if there is one
    assert len(stamps.untraceable(made, "quick")) == (stamp == "HEAD-dirty")
    record = clone.path / "_build" / "runs" / "quick" / "01_decay.json"
    record.parent.mkdir(parents=True)
    page, table = clone.path / "book/01_decay.md", clone.path / "data/technology.csv"
    key = {"lindecay.decay": "now", "its text": stamps._short_digest(page)}
    key["data/technology.csv"] = stamps._short_digest(table)

    def changed():
        record.write_text(json.dumps({"commit": commit, "key": key}))
        return [told.split("since: ")[1] for _, told in stamps.stale(made, "quick")]

    assert changed() == []
    notes = stamps.untraceable(made, "quick")
    assert ["still the same" in n for n in notes] == [True] * (stamp == "HEAD-dirty")
    page.write_text("another cell")
    table.write_text("key,value\nsop,9\n")
    key["lindecay.decay"] = "then"
    assert changed() == ["data/technology.csv, its text, lindecay.decay"]
    assert stamps.untraceable(made, "quick") == []  # red says it already


def test_a_stamp_of_edited_files_is_told_and_red_in_the_reference(clone):
    made = found(result("decay.beta", 0.9, chapter="01_decay", commit="abc-dirty"))
    assert stamps.stale(made, "quick") == []
    assert "no commit holds" in stamps.untraceable(made, "quick")[0]
    wrong, notes = stamps.of_reference(made)
    assert [id for id, _ in wrong] == ["decay.beta"] and notes == []
    made["decay.beta"].commit = clone.head
    assert stamps.of_reference(made) == ([], [])
    (clone.path / "lib/lindecay/decay.py").write_text("two\n")
    stamps._changed.cache_clear()
    wrong, notes = stamps.of_reference(made)
    assert wrong == [] and "lib/lindecay/decay.py" in notes[0]


# ---------------------------------------------------------------- committed


def test_committed_verdicts_name_known_claims_pairs_and_words():
    known = registry.every()
    for id, pairs in audit.verdicts().items():
        assert id in known
        for pair, verdict in pairs.items():
            profile, source = pair.split("/")
            assert profile in ("quick", "paper") and verdict in claims.VERDICTS
            assert source in judge.WEAKEST_FIRST
            data = known[id].needs != "none"
            if known[id].kind in ("stochastic", "simulated"):
                # the first page says so in words: change them together
                assert verdict not in ("exact", "within-tolerance"), id
            if data and (profile == "quick" or source in ("stand-in", "recordings")):
                assert verdict not in ("exact", "within-tolerance"), id


def test_cited_keys_are_rows_of_the_table_of_constants():
    table = rules.technology()
    for claim in claims.load().values():
        keys = [claim.args.get("row"), *claim.args.get("chips", [])]
        assert all(k in table for k in keys if k and k != "chih_dcim"), claim.id


# ------------------------------------------------------------ typed numbers


def pages():
    return sorted((inventory.root() / "book").glob("*.md"))


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.stem)
def test_no_sentence_is_swallowed_as_a_comment(page):
    """A wrapped line that began with a per cent sign lost a sentence of chapter 05."""
    assert typed.swallowed(page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.stem)
def test_no_number_of_the_paper_is_typed(page):
    assert list(typed.typed(page.read_text("utf-8"), {})) == []


@pytest.mark.parametrize("name", ["index.md", "90_claims.md", "91_assumptions.md"])
def test_no_number_of_a_claim_is_typed_on_a_page_about_claims(name):
    page = next(p for p in pages() if p.name == name)
    assert list(typed.typed(page.read_text("utf-8"), GOOD)) == []


@pytest.mark.parametrize(
    "planted",
    [
        "The paper reports 16.7 times.",
        "```{show} a-figure\n:alt: a bar at 0.96 points\nFinding.\n```",
        "```{show} a-figure\n:alt: a bar\nThe bar stands at 0.96, says the paper.\n```",
        "| claim | ours |\n|---|---|\n| drop | 4.27 |",
        # between two directives: their bare fences are ends, not beginnings
        "```{show} a\nOne.\n```\n\nWe lose 0.96.\n\n```{show} b\nTwo.\n```",
    ],
)
def test_a_planted_number_is_caught_on_every_kind_of_page(planted):
    made = found(result("nmnist.drop", 4.2689, digits=2))
    assert len(list(typed.typed(planted, made))) == 1


@pytest.mark.parametrize(
    "innocent",
    [
        "{claim}`acc-drop-nmnist|0.96` points",
        "```{code-cell} ipython3\nx = 0.96\n```",
        "with $x = 0.96$ and [a link](page-16.7.html)",
        "% typed: a length of ours, no result\nIt is 0.96 m long.",
        "arXiv:16.7 and v16.7.1 in 2026-16.7",
    ],
)
def test_code_formulas_roles_and_excused_lines_may_hold_numbers(innocent):
    assert list(typed.typed(innocent, {})) == []
