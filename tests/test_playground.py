"""The playground computes what the array computes, and anybody can drive it."""

import base64
import json
import random
import re

import numpy as np
import pytest

from conftest import ROOT
from lindecay.energy import constants, model
from lindecay.site import playground
from lindecay.sram import Array, Cycle, Program, closed_forms
from lindecay.sram.isa import language
from lindecay.sram.show import column
from lindecay.sram.show import playground as pg
from test_site import WIDER, open_page, violations  # noqa: F401  a fixture

STATIC = ROOT / "book" / "_static"
SCRIPT, STYLE = STATIC / "playground.js", STATIC / "playground.css"
FROM_BITS = ("cycles", "read_rows", "columns_read", "discharges", "write_rows")
FROM_BITS += ("columns_written", "columns_selected", "flips", "adder_ops")
TOLD = (*FROM_BITS, "queue_entries", "fired", "cleared", "clamped")
PAGE = """<!doctype html><html lang=en data-theme={theme}><meta charset=utf-8>
<meta name=viewport content="width=device-width"><title>x</title><style>{css}
body {{ margin: 16px; background: var(--pst-color-background); }}
html[data-theme=dark] {{ --pst-color-text-base: #ced6dd; --pst-color-border: #48566b;
  --pst-color-background: #14181e; --pst-color-surface: #29313d; }}</style>
<body><div class="playground" data-playground hidden>
<script type="application/json">{data}</script></div>{still}<script>{script}</script>"""

# Runs every instance; all cells and latches after every cycle, and the counters.
RUN = """(text) => {
  const [listing, ones] = JSON.parse(text), P = lindecayPlayground
  const bits = [], counts = [], told = TOLD
  for (const o of ones) {
    const m = P.array(o.rows, o.N)
    m.cells.set(Array.from(o.cells, Number)); m.registers = o.registers
    const keep = () => [m.cells, m.T, m.G, m.C].forEach(x => bits.push(x.slice()))
    if (o.cycles) {
      m.bases = o.bases
      for (const c of o.cycles) { P.step(m, {...listing.defaults, ...c}); keep() }
    } else {
      const machine = listing.machines[o.key]
      const programs = P.schedule(listing, machine, o.spikes, o.bits, o.reset)
      P.runStep(m, programs, o.B, keep)
    }
    counts.push(told.map(n => m.counts[n] || 0))
  }
  const all = new Uint8Array(bits.reduce((n, x) => n + x.length, 0))
  let at = 0
  for (const x of bits) { all.set(x, at); at += x.length }
  let out = ''
  for (let i = 0; i < all.length; i += 32768)
    out += String.fromCharCode(...all.subarray(i, i + 32768))
  return btoa(out) + ' ' + JSON.stringify(counts)
}""".replace("TOLD", json.dumps(TOLD))


def a_step(rng: np.random.Generator) -> dict:
    """A random time step: law, widths, values, spikes."""
    law, B = rng.choice(list(pg.LAWS)), int(rng.choice(pg.MEMBRANE))
    w = pg.Widths(str(law), B, int(rng.choice(pg.WEIGHT)))
    N, top = int(rng.integers(1, 9)), 2 ** (B - 1)
    array = Array(w.rows["all"], N)
    array.poke("V", rng.integers(-top, top, N), w.A)
    heavy = 2 ** (w.bits - 1)
    for i in range(w.inputs):
        array.bases["W"] = w.A + i * w.bits
        array.poke("W", rng.integers(-heavy, heavy, N), w.bits)
    array.registers = {n: int(rng.integers(0, top)) for n in ("lam", "theta")}
    spikes = [i for i in range(w.inputs) if rng.random() < 0.5]
    reset = str(rng.choice(pg.RESETS))
    return {"w": w, "array": array, "spikes": spikes, "reset": reset}


def some_cycles(rng: np.random.Generator) -> dict:
    """Random cycles that keep the rules of the ports, on random bits."""
    array, pick = (
        Array(12, int(rng.integers(1, 9))),
        random.Random(int(rng.integers(2**31))),
    )
    array.bases |= {"V": 0, "W": 7}
    array.cells[:] = rng.integers(0, 2, array.cells.shape)
    array.registers = {n: int(rng.integers(0, 16)) for n in ("lam", "theta")}
    cycles = tuple(_cycle(pick) for _ in range(30))
    return {"array": array, "program": Program("any", cycles)}


def _cycle(pick: random.Random) -> Cycle:
    def row():
        return pick.choice(
            [(), (("V", pick.randrange(7)),), (("W", pick.randrange(5)),)]
        )

    a, b = row(), row()
    masked = pick.random() < 0.4
    return Cycle(
        a=a,
        b=b,
        x=pick.choice(language.X_FROM),
        y=pick.choice([y for y in language.Y_FROM if y != "bus"]),
        bit=pick.randrange(4),
        invert=pick.choice(language.INVERT),
        carry=pick.choice(language.CARRY_IN),
        w=pick.choice([a, b]) if masked else row(),
        value=pick.choice(language.VALUES),
        masked=masked,
        T=pick.choice(language.T_FROM),
        G=pick.choice(language.G_FROM),
    )


def for_browser(one: dict) -> dict:
    """The same instance as plain data, before it runs here."""
    array = one["array"]
    told = {"rows": len(array.cells), "N": array.cells.shape[1]}
    told |= {"cells": (array.cells + np.uint8(48)).tobytes().decode()}
    told |= {"registers": array.registers}
    if "program" in one:
        cycles = [pg.coded(c) for c in one["program"].cycles]
        return told | {"cycles": cycles, "bases": {"V": 0, "W": 7}}
    w = one["w"]
    told |= {"key": f"{w.law}/{w.B}/{w.bits}", "B": w.B, "bits": w.bits}
    return told | {"spikes": one["spikes"], "reset": one["reset"]}


def run_here(one: dict) -> tuple[list[np.ndarray], list[int]]:
    """The bit tier: cells and latches after each cycle, and the counters."""
    array, seen = one["array"], []
    if "program" in one:
        _go(array, one["program"], seen)
        return seen, [array.counts.get(n, 0) for n in TOLD]
    w, more = one["w"], dict.fromkeys(TOLD, 0)
    programs = pg.programs(w)
    order = ["decay", "extend", *["accumulate"] * len(one["spikes"])]
    order += ["clamp", "fire", one["reset"]]
    queue = iter(one["spikes"])
    for name in [n for n in order if n in programs]:
        array.bases["W"] = w.A
        if name == "accumulate":
            array.bases["W"] += next(queue) * w.bits
            more["queue_entries"] += 1
        before = array.peek("V", w.B)
        _go(array, programs[name], seen)
        if name == "decay":
            more["cleared"] = int(((array.peek("V", w.B) == 0) & (before != 0)).sum())
        if name in ("clamp", "fire"):
            more[{"clamp": "clamped", "fire": "fired"}[name]] = int(array.G.sum())
    return seen, [
        (array.counts | {k: v for k, v in more.items() if k not in FROM_BITS}).get(n, 0)
        for n in TOLD
    ]


def _go(array: Array, program: Program, seen: list[np.ndarray]) -> None:
    for i in range(len(program)):
        array.step(program, i)
        seen += [array.cells.ravel().copy(), array.T, array.G, array.C]


def differences(tab, ones: list[dict]) -> tuple[np.ndarray, int, int, int]:
    """Counters, bits compared, bits that differ, counters that differ."""
    asked = [json.loads(playground.listing()), [for_browser(one) for one in ones]]
    text, theirs = tab.evaluate(RUN, json.dumps(asked)).split(" ")
    found = [run_here(one) for one in ones]
    bits = np.concatenate([x for seen, _ in found for x in seen]).astype(np.uint8)
    there = np.frombuffer(base64.b64decode(text), np.uint8)
    ours = np.array([counts for _, counts in found])
    assert bits.size == there.size, "the browser ran other cycles"
    wrong = (
        int((bits != there).sum()),
        int((ours != np.array(json.loads(theirs))).sum()),
    )
    return ours, bits.size, *wrong


def instances(n: int, seed: int = 21) -> list[dict]:
    """Three steps of a neuron for each run of random cycles."""
    rng = np.random.default_rng(seed)
    return [(a_step, some_cycles)[k % 4 == 3](rng) for k in range(n)]


@pytest.fixture(scope="module")
def engine(browser):
    """engine(script) -> a page that holds the script and no playground."""
    pages = []

    def open_(script: str):
        pages.append(browser.new_page())
        pages[-1].set_content(
            f"<!doctype html><title>x</title><script>{script}</script>"
        )
        return pages[-1]

    yield open_
    for page in pages:
        page.close()


def test_a_thousand_programs_equal_the_bit_tier(engine):
    ones = instances(1000)
    counters, bits, *wrong = differences(engine(SCRIPT.read_text()), ones)
    told = dict(zip(TOLD, counters.sum(0).tolist()))
    print(f"{bits:,} bits, {counters.size:,} counters, {told['cycles']:,} cycles")
    assert wrong == [0, 0]
    assert bits > 1_000_000 and counters.shape == (1000, len(TOLD))
    assert min(told.values()) > 0, told  # every counter had something to count


FAULTS = {
    "carry dropped": ("(x & y) | (x & ci) | (y & ci)", "x & y"),
    "tags ignored": ("(!c.masked || g)", "true"),
    "sign not inverted": ('"^~T": 1 - t }[c.invert]', '"^~T": t }[c.invert]'),
    "a fall not counted": ("fell += A + B", "fell += A"),
    "tag of the wrong latch": ('"sum^T": sum ^ t', '"sum^T": sum'),
    "weight of the first input": ("W + i * bits", "W"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(engine, fault):
    good, bad = FAULTS[fault]
    script = SCRIPT.read_text()
    assert script.count(good) == 1
    *_, bits, counters = differences(engine(script.replace(good, bad)), instances(60))
    assert bits + counters > 0


def test_the_page_carries_the_programs_of_the_library():
    told = json.loads(playground.listing())
    for key, machine in told["machines"].items():
        law, B, bits = key.split("/")
        w = pg.Widths(law, int(B), int(bits))
        for name, numbers in machine["programs"].items():
            cycles = [_decoded(told["cycles"][i]) for i in numbers]
            assert tuple(cycles) == pg.programs(w)[name].cycles, (key, name)
            listed = Program("", tuple(cycles))
            language.check(listed, w.rows, w.rows["all"])


def _decoded(line: dict) -> Cycle:
    told = {k: v for k, v in line.items() if k not in ("line", "say")}
    return Cycle(**{k: (tuple(v),) if k in "abw" else v for k, v in told.items()})


@pytest.mark.parametrize("law", pg.LAWS)
def test_cycles_are_those_of_the_closed_forms(law):
    w = pg.Widths(law)
    found = pg.programs(w)
    update = [p for name, p in found.items() if name not in ("accumulate", "zero")]
    form = closed_forms.update_cycles(w.B, w.A, law.rstrip("123"), "subtract")
    assert sum(map(len, update)) == form


def test_no_sum_leaves_the_guard_rows():
    """The heaviest weights on the outermost membranes: U is right before the clamp."""
    for law in pg.LAWS:
        for B in pg.MEMBRANE:
            for bits in pg.WEIGHT:
                w, top = pg.Widths(law, B, bits), 2 ** (B - 1)
                array = Array(w.rows["all"], 2)
                V = np.array([-top, top - 1])
                array.poke("V", V, w.A)
                heavy = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
                array.registers = {"lam": top - 1 if law == "drift" else 0, "theta": 0}
                programs = pg.programs(w)
                for name in [n for n in ("decay", "extend") if n in programs]:
                    if not law.startswith("shift"):
                        array.run(programs[name])
                array.bases["W"] = w.A
                array.poke("W", heavy, bits)
                expected = array.peek("V", w.A) + w.inputs * heavy
                for _ in range(w.inputs):
                    array.run(programs["accumulate"])
                assert array.peek("V", w.A).tolist() == expected.tolist()


def test_picojoules_are_those_of_the_energy_model(engine):
    told, v = json.loads(playground.listing()), constants.load()
    counts = {n: 10 * k + 7 for k, n in enumerate(TOLD)}
    counts |= {"columns_selected": 40, "columns_written": 64}
    tab = engine(SCRIPT.read_text())
    for n in pg.COLUMNS:
        row = {name: 0 for name in model.NEEDED} | counts
        row |= {"macro_cycles": counts["cycles"], "sense_ops": counts["columns_read"]}
        shape = model.Shape(1, 1, 1, n, 6, rows=playground.MACRO_ROWS, cols=n)
        bill = model.bill([{"layer": "x", "program": "decay"} | row], v, shape)
        asked = [told["prices"][str(n)], counts]
        pj = tab.evaluate("([p, c]) => lindecayPlayground.pj(p, c)", asked)
        assert pj == pytest.approx(bill.total_pj)


def test_own_code_is_light():
    size = len(SCRIPT.read_bytes()) + len(STYLE.read_bytes())
    assert size <= 40_000, size
    assert not re.search(r"https?://|import\(|fetch\(|XMLHttp", SCRIPT.read_text())


# ---- the page: a harness without the book, then the book's own -------------------


@pytest.fixture
def opened(browser, tmp_path):
    """opened(theme, **context) -> (page, what it complained of)."""
    contexts, heard = [], []

    def open_(theme="light", **context):
        css = (STATIC / "lindecay.css").read_text() + STYLE.read_text()
        data = playground.listing().replace("<", "\\u003c")
        parts = {"css": css, "data": data, "theme": theme, "still": column.svg()}
        file = tmp_path / "page.html"
        file.write_text(PAGE.format(script=SCRIPT.read_text(), **parts))
        contexts.append(browser.new_context(**context))
        tab = contexts[-1].new_page()
        tab.on("console", lambda m: heard.append(m.text))
        tab.on("pageerror", lambda e: heard.append(str(e)))
        tab.goto(file.as_uri())
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert heard == []


def says(tab) -> str:
    return tab.locator(".pg-say").inner_text()


def test_it_starts_at_cycle_0_and_the_keyboard_steps_through(opened):
    tab = opened()
    assert says(tab).startswith("Cycle 0. Nothing has run yet")
    assert tab.locator(".pg-bill td").first.inner_text().startswith("0 of")
    tab.get_by_label("Cycle of the time step").press("ArrowRight")
    assert "latch T" in says(tab) and "Decay, line 1 of 13" in says(tab)
    tab.get_by_label("One cycle on").press("Enter")
    assert "Bit 0 of λ" in says(tab)
    assert (
        tab.locator(".pg-code li.on").inner_text().startswith("read V0; add A + lam[0]")
    )
    tab.get_by_label("To the end of the step").press("Enter")
    assert "fired" in says(tab) or "reset" in says(tab)


def test_spikes_are_typed_and_the_next_step_goes_on(opened):
    tab = opened()
    first = tab.locator("[data-lane=array] span").count()
    tab.get_by_label("One cycle on").press("2")
    assert tab.locator("[data-lane=array] span").count() == first + 1
    assert (
        tab.get_by_role("button", name="input 2").get_attribute("aria-pressed")
        == "true"
    )
    tab.get_by_label("To the end of the step").click()
    last = tab.evaluate("document.querySelector('.playground').playground.membranes()")
    tab.get_by_role("button", name="Next time step").click()
    assert says(tab).startswith("Cycle 0")
    now = tab.evaluate("document.querySelector('.playground').playground.state.V")
    assert now == last and min(now) < 0


def one_step(V, current, law, lam, theta, top):
    """The contract in integers: decay, integrate, clamp, fire, reset by subtraction."""
    decays = {
        "shrink": np.sign(V) * np.maximum(np.abs(V) - lam, 0),
        "floor": np.maximum(V - lam, 0),
        "drift": V - lam,
        "shift2": V - (V >> 2),
        "none": V,
    }
    U = np.clip(decays[law] + current, -top, top - 1)
    return U - theta * (U > theta), int((U > theta).sum())


@pytest.mark.parametrize("law", ["shrink", "floor", "drift", "shift2", "none"])
def test_steps_in_a_row_are_those_of_the_contract(opened, law):
    tab = opened(viewport={"width": 1000, "height": 900})
    tab.get_by_label("Law").select_option(law)
    state = "document.querySelector('.playground').playground.state"
    V, W = (np.array(tab.evaluate(f"{state}.{name}")) for name in "VW")
    fired = 0
    for key in "4234":  # switched on and off: the spikes differ from step to step
        tab.get_by_label("One cycle back").press(key)
        spikes = tab.evaluate(f"{state}.spikes")
        V, n = one_step(V, W[spikes].sum(0), law, 3, 10, 32)
        fired += n
        tab.get_by_role("button", name="Next time step").click()
        assert tab.evaluate(f"{state}.V") == V.tolist()
    tab.locator(".pg-ledger summary").click()
    row = tab.locator(".pg-ledger tr", has_text="spikes fired").locator("td").last
    assert fired > 0 and row.inner_text() == str(fired)


def test_values_are_set_within_their_widths(opened):
    tab = opened(viewport={"width": 1000, "height": 900})
    tab.get_by_label("Bits of V").select_option("4")
    tab.get_by_label("V", exact=True).fill("-99")
    tab.get_by_label("V", exact=True).press("Enter")
    assert tab.get_by_label("V", exact=True).input_value() == "-8"
    assert tab.locator("svg.pg-column").get_attribute("aria-label").find("−8") > 0
    for law in pg.LAWS:
        tab.get_by_label("Law").select_option(law)
        tab.get_by_label("To the end of the step").click()
        assert "undefined" not in tab.locator(".pg").inner_text(), law
    for n in pg.COLUMNS:
        tab.get_by_label("Columns").select_option(str(n))
        assert f"All {n} columns" in tab.locator(".pg").inner_text()
        assert "NaN" not in tab.locator(".pg").inner_text()


def test_the_array_does_not_slow_down_with_columns(opened):
    tab = opened()
    found = []
    for n in ("8", "256"):
        tab.get_by_label("Columns").select_option(n)
        found.append(
            [
                int(re.search(r"\d+", t)[0])
                for t in tab.locator(".pg-name b").all_inner_texts()
            ]
        )
    assert found[0][0] == found[1][0] and found[1][1] - found[0][1] == 256 - 8


def test_nothing_moves_by_itself_and_play_is_calm_where_asked(opened):
    tab = opened(reduced_motion="reduce")
    tab.wait_for_timeout(300)
    assert says(tab).startswith("Cycle 0")
    assert tab.evaluate("document.getAnimations().length") == 0
    tab.get_by_role("button", name="Play").click()
    assert "Decay, line 13 of 13" in says(tab), "a part at a time"
    tab.get_by_role("button", name="Pause").click()


def test_without_scripts_the_drawing_stands_alone(opened):
    tab = opened(java_script_enabled=False)
    assert tab.locator("svg.pg-still").first.is_visible()
    assert not tab.locator(".playground").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1000, 900), (390, 844)])
def test_it_is_accessible_on_any_screen(opened, theme, size):
    tab = opened(
        theme, viewport=dict(zip(("width", "height"), size)), is_mobile=size[0] < 500
    )
    tab.get_by_label("One cycle on").click()
    assert violations(tab) == set()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_frame_is_quick_on_a_phone(opened):
    tab = opened(
        viewport={"width": 390, "height": 844}, is_mobile=True, device_scale_factor=3
    )
    tab.locator(".pg-set summary").click()
    tab.get_by_label("Columns").select_option("256")
    times = tab.evaluate(
        """() => { const p = document.querySelector('.playground').playground
          return Array.from({length: 60}, (_, k) => {
            const t = performance.now(); p.go(k % 50); document.body.offsetHeight
            return performance.now() - t }) }"""
    )
    print("ms a frame, median and 95 %:", *np.percentile(times, [50, 95]).round(1))
    assert np.median(times) < 100  # ten times slower would still be seen as motion


@pytest.mark.book
@pytest.mark.parametrize("size, scheme", [("desktop", "dark"), ("phone", "light")])
def test_playground_on_its_page(open_page, size, scheme):  # noqa: F811
    tab, heard = open_page("book/playground", size, scheme)
    tab.get_by_label("One cycle on").click()
    assert heard == [] and tab.evaluate(WIDER) == []
    assert violations(tab) == set()
