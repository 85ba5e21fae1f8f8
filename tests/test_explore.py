"""Sliders under a figure: the library's numbers, by keyboard, on any screen."""

import gzip
import html
import json
import re

import numpy as np
import pytest
from scipy import stats

import site_checks as checks
from conftest import ROOT
from lindecay import decay, figures, kernels
from lindecay.plots import look_of
from lindecay.site import directives
from test_site import OURS, WIDER, open_page, violations  # noqa: F401  a fixture

LOADS = re.compile(r'<script[^>]*src="[^"]*explore\.js')

KNOBS = {  # page -> its sliders
    "00_ten_minutes": ["decay", "rates"],
    "01_decay": ["decay", "rates"],
    "05_accuracy": ["seeds"],
    "08_energy": ["bill"],
    "12_memories": ["faults", "supply"],
}
DATA_BYTES = 300_000  # gzipped, of the tables behind a page's sliders
SCRIPT = ROOT / "book" / "_static" / "explore.js"
PAGE = """<!doctype html><meta charset=utf-8><title>x</title><style>{css}</style>
<body><figure><svg class="drawing" role="img" aria-label="still"
 viewBox="0 0 468 202"></svg>
<div class="explore" data-explore="{kind}" data-given="{given}"
 data-rows="{rows}" hidden>
</div></figure><script>{script}</script>"""


OUTSIDE = """() => { const box = document.querySelector('svg.live')
  const [, , w, h] = box.getAttribute('viewBox').split(' ').map(Number)
  return [...box.querySelectorAll('polyline')].flatMap(p =>
    p.getAttribute('points').split(' ').map(q => q.split(',').map(Number))
  ).filter(([x, y]) => !(x >= 0 && x <= w && y >= 0 && y <= h)) }"""


@pytest.fixture
def explorer(browser, tmp_path):
    """explorer(kind, **context) -> a page with one figure and its sliders."""
    open_ones = []

    def open_(kind, given=None, rows=(), **context):
        css = (ROOT / "book" / "_static" / "lindecay.css").read_text()
        page = tmp_path / f"{kind}.html"
        script = SCRIPT.read_text()
        given = given or f"0.9 {decay.lam_least_squares(0.9)!r}"
        rows = html.escape(json.dumps(directives.packed(rows) if rows else {}))
        told = dict(kind=kind, css=css, script=script, given=given, rows=rows)
        page.write_text(PAGE.format(**told))
        made = browser.new_context(**context)
        open_ones.append(made)
        tab = made.new_page()
        tab.on("pageerror", lambda error: pytest.fail(str(error)))
        tab.goto(page.as_uri())
        return tab

    yield open_
    for context in open_ones:
        context.close()


def ask(tab, call):
    return tab.evaluate(f"() => lindecayExplore.{call}")


def test_the_browser_computes_what_the_library_computes(explorer):
    import torch

    tab = explorer("decay")
    for beta in (0.5, 0.9, 0.97):
        lam = ask(tab, f"matched({beta})")
        assert lam == pytest.approx(decay.lam_least_squares(beta))
        for i in (0.01, 0.04, 0.1, 0.25, 0.6):
            fast = ask(tab, f"rateExponential({i}, {beta})")
            assert fast == pytest.approx(float(decay.rate_exponential(i, beta)))
            slow = ask(tab, f"rateLinear({i}, {lam})")
            assert slow == pytest.approx(float(decay.rate_linear(i, lam)))
        for v in (1.0, -0.6, 0.3):
            assert ask(tab, f"horizon({v}, {lam})") == decay.horizon_linear(v, lam)
            for law, p in (("shrink", lam), ("floor", lam), ("exponential", beta)):
                ours = ask(tab, f"path(lindecayExplore.{law}, {v}, {p}, 20)")
                theirs, step = (
                    [torch.tensor(v, dtype=torch.float64)],
                    decay.LAWS[law].step,
                )
                for _ in range(20):
                    theirs.append(step(theirs[-1], p))
                assert ours == pytest.approx([float(x) for x in theirs])


@pytest.mark.parametrize(
    ("law", "own"),
    [
        ("shrink", dict(law="shrink", lam=0.07)),
        ("exponential", dict(law="exponential", beta=0.9, reset="zero")),
    ],
)
def test_the_neuron_of_the_browser_is_that_of_the_time_loop(explorer, law, own):
    import torch

    tab, p = explorer("rates"), own.get("lam", own.get("beta"))
    zero = str(own.get("reset") == "zero").lower()
    call = f"neuron(lindecayExplore.{law}, {p}, 0.23, 200, {zero})"
    told = ask(tab, call)
    s, u = kernels.sequence(torch.full((200, 1, 1), 0.23, dtype=torch.float64), **own)[
        :2
    ]
    assert told["spikes"] == int(s.sum())
    # the loop keeps λ and β in float32; over 200 steps that stays below 1e-5
    assert told["u"] == pytest.approx(np.ravel(u.numpy()).tolist(), abs=1e-5)


ROWS = [
    {"arm": arm, "volts": v, "accuracy": a - lost}
    for arm, lost in (("vlif", 0), ("ldlif", 2), ("shift", 3), ("if", 8))
    for v, a in ((0.6, 75.0), (0.55, 74.0), (0.52, 30.0))
]
TOLD = [
    {"what": "interval", "pairs": 3, "points": 2.0},
    {"what": "IF against LD-LIF", "pairs": 4, "points": 6.12},
]
OTHERS = {
    "seeds": ("6 1.7 1.11", TOLD),
    "supply": ("1.0", ROWS),
}


def test_the_browser_knows_student_s_t_and_the_power_of_pairs(explorer):
    tab = explorer("seeds", *OTHERS["seeds"])
    for n in (3, 4, 6, 10, 20, 60):
        t = stats.t(n - 1)
        half = t.ppf(0.975) * 1.7 / np.sqrt(n)
        assert ask(tab, f"reach({n}, 1.7)") == pytest.approx(half, rel=0.01)
        least = (t.ppf(0.975) + t.ppf(0.8)) * 1.7 / np.sqrt(n)
        assert ask(tab, f"found({n}, 1.7)") == pytest.approx(least, rel=0.01)
    many = ask(tab, "enough(1.11, 1.7)")
    assert ask(tab, f"found({many}, 1.7)") <= 1.11 < ask(tab, f"found({many - 1}, 1.7)")
    assert ask(tab, "enough(0.001, 4)") == 0


def test_the_supply_reads_the_points_of_the_figure(explorer):
    tab = explorer("supply", *OTHERS["supply"])
    tab.get_by_role("slider").first.press("ArrowRight")
    told = tab.locator(".told").inner_text()
    assert "At 0.551 V a step takes 0.304 of its nominal energy" in told
    assert "v-LIF 74 % (1 lost), LD-LIF 72 % (1 lost), shift 71 %" in told
    slider = tab.get_by_role("slider").first
    ends = [float(slider.get_attribute(end)) for end in ("min", "max")]
    assert ends == [0.52, 0.6], "as far as the figure's points, not a step more"
    x, y = [0.52, 0.55, 0.6], [30.0, 74.0, 75.0]
    for at in (0.4, 0.52, 0.53, 0.5501, 0.6, 0.9):
        assert ask(tab, f"between({x}, {y}, {at})") == pytest.approx(
            np.interp(at, x, y)
        )
    assert tab.get_by_role("button", name="Match").count() == 0


def test_measured_pairs_are_marked_and_told_beside_the_curves(explorer):
    tab = explorer("seeds", *OTHERS["seeds"])
    tab.get_by_role("slider").first.press("ArrowRight")
    assert tab.locator("svg.live circle.measured").count() == 1
    drawn = tab.locator("svg.live polyline").evaluate_all(
        "all => all.map(line => line.getAttribute('stroke'))"
    )
    assert drawn == [look_of("", k=k).colour for k in (0, 1)], "as in the figure"
    assert "IF against LD-LIF 6.12" in tab.locator(".told").inner_text()
    tab = explorer("seeds", OTHERS["seeds"][0])
    tab.get_by_role("slider").first.press("ArrowRight")
    assert "measured" not in tab.locator(".told").inner_text()


@pytest.mark.parametrize("kind", list(OTHERS))
def test_other_knobs_turn_by_keyboard_too_and_stay_in_their_axes(explorer, kind):
    tab = explorer(kind, *OTHERS[kind], viewport={"width": 390, "height": 800})
    said = {tab.locator(".told").inner_text()}
    for slider in tab.get_by_role("slider").all():
        slider.press("ArrowRight")
        said.add(tab.locator(".told").inner_text())
    assert len(said) == 1 + tab.get_by_role("slider").count()
    for end in ("min", "max"):
        for slider in tab.get_by_role("slider").all():
            slider.fill(slider.get_attribute(end))
        assert tab.evaluate(OUTSIDE) == []
        assert "NaN" not in tab.locator("svg.live").inner_html()
    tab.get_by_role("button", name="Back").press("Enter")
    assert tab.locator("svg.live").count() == 0


@pytest.mark.parametrize("kind", ["decay", "rates"])
def test_the_keyboard_turns_every_knob_and_brings_the_figure_back(explorer, kind):
    tab = explorer(kind)
    still, live = tab.locator("svg.drawing").first, tab.locator("svg.live")
    assert still.evaluate("e => getComputedStyle(e).display") != "none"
    assert live.count() == 0, "the figure of the build stands until a slider moves"
    said = set()
    for slider in tab.get_by_role("slider").all():
        before = slider.get_attribute("aria-valuetext")
        slider.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") != before
        said.add(tab.locator(".told").inner_text())
        assert live.get_attribute("aria-label")
    assert len(said) == 3, "each knob changes what is told"
    assert still.evaluate("e => getComputedStyle(e).display") == "none"
    tab.get_by_role("button", name="Match").press("Enter")
    assert tab.get_by_role("slider").nth(1).get_attribute("aria-valuetext") == "0.0471"
    tab.emulate_media(media="print")
    assert still.evaluate("e => getComputedStyle(e).display") != "none"
    assert live.evaluate("e => getComputedStyle(e).display") == "none"
    tab.emulate_media(media="screen")
    tab.get_by_role("button", name="Back").press("Enter")
    assert live.count() == 0
    assert still.evaluate("e => getComputedStyle(e).display") != "none"


def test_no_curve_leaves_its_axes_at_any_end_of_the_knobs(explorer):
    for kind in ("decay", "rates"):
        tab = explorer(kind, viewport={"width": 390, "height": 800})
        for end in ("min", "max"):
            for slider in tab.get_by_role("slider").all():
                slider.fill(slider.get_attribute(end))
            out = tab.evaluate(OUTSIDE)
            assert out == []
            assert "NaN" not in tab.locator("svg.live").inner_html()


def test_beta_alone_leaves_the_horizon_of_the_page(explorer):
    """λ of the page goes in at full precision, so that 19 steps stay 19."""
    tab = explorer("decay")
    tab.get_by_role("slider").first.press("ArrowRight")
    steps = decay.horizon_linear(1, decay.lam_least_squares(0.9))
    assert f"at rest after {steps} steps" in tab.locator(".told").inner_text()


def test_little_is_left_is_said_as_little_and_not_as_nothing(explorer):
    tab = explorer("decay")
    for _ in range(4):
        tab.get_by_role("slider").first.press("PageDown")  # β = 0.5
    told = tab.locator(".told").inner_text()
    assert "less than 0.001 θ is left" in told and " 0 θ" not in told


def test_the_other_side_of_rest_is_drawn_as_in_the_figure(explorer):
    tab = explorer("decay")
    tab.get_by_role("slider").first.press("ArrowRight")
    names = tab.locator("svg.live polyline").evaluate_all(
        "lines => lines.map(line => line.dataset.curve)"
    )
    assert names == ["exponential", "linear", "floor"] * 2
    assert tab.locator("svg.live text", has_text="floor").count() == 1


@pytest.mark.parametrize("kind", ["decay", "rates"])
@pytest.mark.parametrize("width", [900, 390])
def test_the_slider_stays_below_the_finger(explorer, kind, width):
    tab = explorer(kind, viewport={"width": width, "height": 500})
    tab.evaluate("document.body.style.padding = '900px 8px'")
    slider = tab.get_by_role("slider").first
    slider.scroll_into_view_if_needed()
    before = slider.bounding_box()["y"]
    slider.press("ArrowRight")
    assert abs(slider.bounding_box()["y"] - before) < 2


def test_nothing_moves_by_itself(explorer):
    tab = explorer("decay", reduced_motion="reduce")
    tab.get_by_role("slider").first.press("ArrowRight")
    assert tab.evaluate("document.getAnimations().length") == 0
    assert not re.search(r"requestAnimationFrame|setInterval", SCRIPT.read_text())


def test_the_colours_are_those_of_the_figures():
    text = SCRIPT.read_text()
    for name in ("EXP", "LIN", "PURPLE", "GREEN"):
        assert f'{name} = "{getattr(figures, name)}"' in text


def test_without_scripts_the_figure_stands_alone(explorer):
    tab = explorer("decay", java_script_enabled=False)
    assert tab.locator("svg.drawing").count() == 1
    assert not tab.locator(".explore").is_visible()


@pytest.mark.book
@pytest.mark.parametrize("page", list(KNOBS))
@pytest.mark.parametrize("size, scheme", [("desktop", "dark"), ("phone", "light")])
def test_sliders_on_the_page(open_page, page, size, scheme):  # noqa: F811
    tab, heard = open_page(f"book/{page}", size, scheme)
    boxes = tab.locator("[data-explore]")
    assert [b.get_attribute("data-explore") for b in boxes.all()] == KNOBS[page]
    for slider in tab.locator("[data-explore] input").all():
        slider.press("ArrowRight")
        assert slider.bounding_box()["height"] >= 24  # WCAG 2.2, target size
    for knob in tab.locator("[data-explore] select").all():
        knob.select_option(index=1)
        assert knob.bounding_box()["height"] >= 24
    assert tab.locator("svg.live").count() == len(KNOBS[page])
    assert heard == [] and tab.evaluate(WIDER) == []
    assert violations(tab) == set()


@pytest.mark.book
def test_pages_without_sliders_load_no_script_for_them(book):
    loads = {
        path.stem: bool(LOADS.search(path.read_text("utf-8")))
        for path in (book.html / "book").glob("*.html")
    }
    sliders = {name for name, does in loads.items() if does}
    assert sliders == set(KNOBS)


@pytest.mark.book
@pytest.mark.parametrize("page", list(KNOBS))
def test_a_page_with_sliders_is_light_with_its_script(book, page):
    static = book.html / "_static"
    extra = [static / name for name in (*OURS, "explore.js")]
    assert checks.weight(book.html / "book" / f"{page}.html", extra) < checks.OWN_BYTES


@pytest.mark.book
@pytest.mark.parametrize("page", list(KNOBS))
def test_the_tables_behind_the_sliders_of_a_page_are_small(book, page):
    soup = checks.soup_of(book.html / "book" / f"{page}.html")
    told = [box.get("data-rows", "") for box in soup.select("[data-explore]")]
    assert len(gzip.compress("".join(told).encode())) < DATA_BYTES
