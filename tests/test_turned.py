"""The knobs of chapters 08 and 12: positions that the library computed, no others."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lindecay.claims import registry
from lindecay.energy import (
    activity,
    answers,
    choices,
    compare,
    maps,
    network,
    turned,
)
from lindecay.energy import constants as technology
from lindecay.energy.model import LEAKAGE, bill
from lindecay.energy.scopes import BY_WORD, PRODUCT, low_leak
from lindecay.pages import memories
from lindecay.pages import turned as page
from lindecay.questions import damage
from lindecay.questions.memories import ber
from test_energy_designs import random_clips, random_network
from test_explore import OUTSIDE, explorer  # noqa: F401  a fixture

SIZE = (1000, 5)  # µs of a bin, bins of a clip


@pytest.fixture(scope="module")
def table():
    return technology.load()


@pytest.fixture(scope="module")
def busy():
    """One small network on few and on more events."""
    ck, clips, made = random_network(), random_clips(), []
    for factor in (1, 2):
        some = activity.scaled(clips, factor)
        one = network.measure(ck, some)
        made.append(activity.of(one, activity.spikes(some), factor))
    return made


@pytest.fixture(scope="module")
def found(busy, table):
    """{(constants, layout, design, leakage, factor): Point}."""
    return {key(p): p for p in turned.points(busy, table)}


def key(p):
    return p.constants, p.layout, p.update, p.leakage, p.busy.factor


@pytest.fixture(scope="module")
def rows(found):
    """The table as the page hands it to its sliders."""
    made = [
        page.place(p) | page.numbers(p, *SIZE) | page.verdicts(p, "recordings", "quick")
        for p in found.values()
    ]
    return pd.DataFrame(made).to_dict("records")


def test_events_are_kept_or_piled_up_and_clips_stay_clips():
    clips = random_clips()
    whole = clips.dense()
    half, twice = (activity.scaled(clips, f) for f in (0.5, 2))
    assert (half.dense() <= whole).all() and half.dense().sum() < whole.sum()
    assert (twice.dense() == np.maximum(whole, np.roll(whole, -1, axis=1))).all()
    assert activity.scaled(clips, 1) is clips
    assert len({clips.sha256, half.sha256, twice.sha256}) == 3
    assert activity.spikes(clips) == whole.sum() / whole.shape[0] / whole.shape[1]


def test_a_layer_that_hears_nothing_is_billed_in_every_layout(table):
    """So few events that no spike reaches the second layer."""
    clips = random_clips()
    silent = replace(
        clips, indptr=np.zeros_like(clips.indptr), channel=clips.channel[:0]
    )
    one = network.measure(random_network(), silent)
    for layout, m in activity.of(one, 0.0).inside.items():
        assert compare.in_array(m, technology.values(table)).clip > 0, layout


def test_the_frozen_position_is_the_claim_s_own_answer(busy, table, found):
    """Shares, intervals and ratio of `answers` for the same ledgers."""
    one, v = busy[0], technology.values(table)
    told = (choices.Choices(), "computed", one.inside["A"].shape.clips, SIZE[0])
    ledgers = one.inside["A"], one.inside["A"], one.inside["C"], one.beside["C"]
    case = choices.Case(*told, *ledgers)
    by = {a.id: a for a in answers.shares(case)}
    for layout in "AC":
        at = found["as in the table", layout, turned.RIVAL, "always on", 1]
        id = layout.lower()
        assert at.share[0] == by[f"energy.share_time.{id}"].value
        assert at.share[1] == by[f"energy.share_pj.{id}"].value
        band = tuple(round(x, 1) for x in at.share_band)
        assert band == by[f"energy.share_pj.{id}"].interval
    place = found["as in the table", "C", "LD-LIF, in the array", "always on", 1]
    assert place.share[1] == by["energy.share_pj.c_in_place"].value
    lean = found["devices of low standby power", "C", turned.RIVAL, "always on", 1]
    assert lean.share[1] == by["energy.share_pj.c_lp"].value
    rival = compare.rival(one.beside["A"], low_leak(v), PRODUCT, BY_WORD)
    ours = compare.in_array(one.inside["A"], low_leak(v))
    at = found[
        "devices of low standby power", "A", "LD-LIF, in the array", "always on", 1
    ]
    assert at.ratio == pytest.approx(float(rival.update / ours.update))


def test_parts_are_the_whole_bill_at_every_position(found, busy, table):
    for p in found.values():
        assert sum(p.parts().values()) == pytest.approx(float(p.one.clip))
    for layout, m in busy[1].inside.items():
        at = found["as in the table", layout, "LD-LIF, in the array", "gated", 2]
        whole = bill(m.ledger, table, m.shape, "gated")
        assert float(at.one.clip) == pytest.approx(whole.per_clip_pj)


def test_each_set_of_constants_is_what_it_is_called(found, busy, table):
    """Against tables with that constant swapped, and the scaling of supplies."""
    swapped = {
        "half the clock": {"clock_mhz": 100},
        "bitlines a quarter as long": {"bitline_cell": 0.345 / 4},
    }
    place = ("B", "LD-LIF, in the array", "always on", 1)
    for name, values in swapped.items():
        v = technology.values(technology.swap(table, **values))
        want = compare.in_array(busy[0].inside["B"], v)
        assert float(found[name, *place].one.clip) == pytest.approx(float(want.clip))
    plain = found["as in the table", *place].one
    low = maps.at_supply(plain, 0.8).clip
    assert found["supply of 0.8 V", *place].one.clip == pytest.approx(low)


def test_every_position_has_its_row_and_a_known_verdict(found, rows):
    n = len(turned.SETS) * 2 * 3 * len(turned.UPDATES) * len(LEAKAGE)
    assert len(found) == len(rows) == n
    for row in rows:
        assert row[page.BOTTLENECK] in registry.VERDICTS
        own = row["design"].startswith("LD-LIF")
        assert bool(row[page.MODULE]) == own


@pytest.mark.parametrize(
    ("time", "energy", "band", "verdict"),
    [
        (80, 70, (60, 80), "trend-only"),
        (80, 60, (45, 75), "unresolved"),
        (80, 30, (20, 40), "differs"),
        (30, 70, (60, 80), "differs"),
    ],
)
def test_the_bottleneck_turns_where_the_claim_s_rule_turns(time, energy, band, verdict):
    read = {"time": (time, None), "energy": (energy, band)}
    assert page.judged(page.BOTTLENECK, read, "recordings", "quick") == verdict


BILL = "83 5.2"


def pick(tab, name):
    """A knob of choices by its name, as a screen reader has it."""
    return tab.get_by_role("combobox", name=name, exact=True)


def turn(tab, p):
    """Put every knob at a position."""
    names = ("layout", "update", "constants", "leakage")
    for name in names:
        pick(tab, name).select_option(getattr(p, name))
    tab.get_by_role("slider").fill(str(p.busy.factor - 1))


def said(tab):
    """What the browser tells: the numbers of its text, and its verdicts."""
    text = tab.locator(".told").inner_text().replace(",", "")
    told = re.findall(r"(\d[\d.]*) (pJ a syn|µJ and|µs a|pJ an|% of the e)", text)
    return {name: float(x) for x, name in told}, text


def want(p):
    """The same, straight from the design."""
    one = p.one
    told = {
        "pJ a syn": one.sop,
        "µJ and": one.clip * 1e-6,
        "µs a": one.latency_us,
        "pJ an": one.update,
        "% of the e": 100 * one.update_share[0],
    }
    return {k: float(x) for k, x in told.items()}


PLACES = [
    ("as in the table", "A", turned.RIVAL, "always on", 1),
    ("half the clock", "C", "LD-LIF, in the array", "gated", 2),
    ("supply of 0.8 V", "B", "LD-LIF, row by row", "none", 2),
]


@pytest.mark.parametrize("at", PLACES)
def test_the_browser_shows_the_library_s_bill(explorer, found, rows, at):  # noqa: F811
    tab, p = explorer("bill", BILL, rows), found[at]
    turn(tab, p)
    numbers, text = said(tab)
    assert numbers == pytest.approx(want(p), rel=0.006)  # three digits are shown
    told = page.verdicts(p, "recordings", "quick")
    assert f"Verdict on the bottleneck: {told[page.BOTTLENECK]}" in text
    if told[page.MODULE]:
        assert f"Verdict on the printed 5.2 times: {told[page.MODULE]}" in text
        assert f"takes {float(f'{p.ratio:.3g}'):g} times" in text
    bars = tab.locator(f"svg.live [data-bar='{p.update}']")
    wide = [float(bar.get_attribute("width")) for bar in bars.all()]
    parts = list(p.parts().values())
    shares = np.array(wide) / sum(wide)
    assert shares == pytest.approx(np.array(parts) / sum(parts), abs=0.002)


def test_an_altered_number_is_seen(explorer, found, rows):  # noqa: F811
    p = found[PLACES[1]]
    for name, which in (("sop", "pJ a syn"), ("energy", "% of the e")):
        doctored = [
            row | {name: row[name] * 1.05}
            if page.place(p).items() <= row.items()
            else row
            for row in rows
        ]
        tab = explorer("bill", BILL, doctored)
        turn(tab, p)
        numbers, _ = said(tab)
        assert numbers[which] != pytest.approx(want(p)[which], rel=0.006)
        numbers.pop(which)
        assert numbers == pytest.approx({k: want(p)[k] for k in numbers}, rel=0.006)


def test_a_verdict_that_moved_is_told_with_what_it_was(explorer, rows):  # noqa: F811
    first = {k: rows[0][k] for k in ("constants", "layout", "design", "leakage")}
    told = {True: "differs", False: "unresolved"}
    moved = [
        row | {page.BOTTLENECK: told[first.items() <= row.items()]} for row in rows
    ]
    tab = explorer("bill", BILL, moved)
    pick(tab, "layout").select_option("C")
    text = tab.locator(".told").inner_text()
    assert "bottleneck: unresolved (differs where the knobs began)" in text
    pick(tab, "layout").select_option(first["layout"])
    assert "where the knobs began" not in tab.locator(".told").inner_text()


def test_the_faults_are_the_committed_rows(explorer, table):  # noqa: F811
    made = memories.turned(table)
    tab = explorer("faults", "0", made.to_dict("records"))
    v50, sigma = table["ber_v50"].value, table["ber_sigma"].value
    for place, rate in (("V", 1e-3), ("W", 1e-2), ("decay", 1e-4)):
        pick(tab, "cells").select_option(memories.PLACES[place])
        tab.get_by_role("slider").fill(str(damage.RATES.index(rate)))
        told = tab.locator(".told").inner_text().replace("\u2212", "-")
        assert memories.one_in(rate) in told
        for arm, name in (("vlif", "v-LIF"), ("ldlif", "LD-LIF"), ("if", "IF")):
            lost = damage.lost(arm, place, rate)
            if lost is None:
                assert ", IF" not in told
                continue
            shown = float(re.search(rf"(?<![\w-]){name} (-?\d+(?:\.\d+)?)", told)[1])
            assert shown == pytest.approx(lost, abs=0.051)
        volts = float(re.search(r"at ([\d.]+) V", told)[1])
        assert float(ber(volts, v50, sigma)) == pytest.approx(rate, rel=0.05)


def test_an_altered_fault_is_seen(explorer, table):  # noqa: F811
    made = memories.turned(table)
    made["lost"] += 0.5
    tab = explorer("faults", "0", made.to_dict("records"))
    tab.get_by_role("slider").fill("5")
    told = tab.locator(".told").inner_text()
    lost = damage.lost("vlif", "V", 1e-3)
    assert f"v-LIF {round(lost, 1):g}," not in told


def _tables(rows, table):
    return {
        "bill": (BILL, rows),
        "faults": ("0", memories.turned(table).to_dict("records")),
    }


@pytest.mark.parametrize("kind", ["bill", "faults"])
@pytest.mark.parametrize("width", [900, 390])
def test_every_knob_turns_by_keyboard_and_nothing_leaves_its_axes(
    explorer, rows, table, kind, width  # noqa: F811
):  # fmt: skip
    tab = explorer(
        kind, *_tables(rows, table)[kind], viewport={"width": width, "height": 800}
    )
    heard = {tab.locator(".told").inner_text()}
    for knob in tab.locator("select").all():
        knob.press("ArrowDown")
        heard.add(tab.locator(".told").inner_text())
    slider = tab.get_by_role("slider")
    for press in ("Home", "ArrowLeft", "ArrowRight", "PageUp", "PageDown"):
        slider.press(press)
    heard.add(tab.locator(".told").inner_text())
    assert len(heard) >= 2 + tab.locator("select").count()
    for knob in tab.locator("select").all():
        for k in range(knob.locator("option").count()):
            knob.select_option(index=k)
            assert tab.evaluate(OUTSIDE) == []
            assert not re.search("NaN|undefined", tab.locator(".explore").inner_text())
            assert "NaN" not in tab.locator("svg.live").inner_html()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.get_by_role("button", name="Back").press("Enter")
    assert tab.locator("svg.live").count() == 0


@pytest.mark.book
def test_the_page_starts_at_what_it_published(book):
    """The grid of the page at the frozen positions: the shares that are judged."""
    grid = pd.read_csv(book.build.figure("energy-knobs", "csv"))
    told = book.build.published
    spikes = grid.spikes.iloc[
        (grid.spikes - told["energy.input_spikes"].value).abs().argmin()
    ]
    for layout in "AC":
        at = grid[
            (grid.layout == layout)
            & (grid.spikes == spikes)
            & (grid.constants == "as in the table")
            & (grid.leakage == "always on")
            & (grid.design == turned.RIVAL)
        ].iloc[0]
        share = told[f"energy.share_pj.{layout.lower()}"]
        assert at.energy == pytest.approx(share.value, rel=1e-3)
        assert (at.low, at.high) == pytest.approx(share.interval, abs=0.06)
