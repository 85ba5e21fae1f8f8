"""Cards of a table on a phone, and the drawing of a column: styled where they stand."""

from types import SimpleNamespace

import pytest

from conftest import ROOT
from lindecay.site import phone, playground

NAMES = ("network", "layout", "pJ/update", "accuracy, %", "µJ/clip, on / gated / none")
CELLS = ("MLP-1", "A", "24.5", "", "3.26 / 2.69 / 2.61")


@pytest.fixture
def cards(browser):
    """A table of one row at the width of a phone."""
    css = (ROOT / "book" / "_static" / "lindecay.css").read_text()
    head = "".join(f"<th><p>{name}</p></th>" for name in NAMES)
    row = "".join(f"<td><p>{cell}</p></td>" for cell in CELLS)
    table = f"<thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody>"
    made = phone.labelled(f'<table class="shown-table">{table}</table>')
    tab = browser.new_page(viewport={"width": 390, "height": 800})
    reset = "p{margin:0} body{margin:16px; font: 16px/1.5 sans-serif}"
    tab.set_content(f"<style>{reset}{css}</style><body>{made}</body>")
    yield tab
    tab.close()


def test_no_label_is_broken_and_short_cells_share_a_line(cards):
    boxes = [c.bounding_box() for c in cards.locator("td").all()]
    shown = [box for box in boxes if box]
    assert len(shown) == len(CELLS) - 1, "an empty cell takes no room"
    assert max(box["height"] for box in shown) < 35, "a label or a cell was broken"
    assert shown[1]["y"] == shown[2]["y"], "layout and pJ/update stand side by side"
    assert max(box["x"] + box["width"] for box in shown) <= 390


@pytest.mark.parametrize(
    ("body", "scripts", "styles"),
    [
        ('<div data-playground></div><div class="pg-stills">', 1, 1),
        (playground.DRAWN, 0, 1),
        ("<p>words about pg-stills</p>", 0, 0),
    ],
)
def test_a_column_is_styled_on_every_page_that_draws_one(body, scripts, styles):
    js, css = [], []
    app = SimpleNamespace(
        add_js_file=lambda name, **how: js.append(name), add_css_file=css.append
    )
    playground.add_files(app, "x", "page.html", {"body": body}, None)
    assert (len(js), len(css)) == (scripts, styles)
