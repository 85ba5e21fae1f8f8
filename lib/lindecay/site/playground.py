"""{playground}: the array in the reader's browser, with its listing and its prices.

{column}: the drawing of a column alone.

The listing is the library's (`sram.show.playground`), the prices are the energy
model's; book/_static/playground.js runs the one and multiplies the other. Where
scripts are off, a drawing of the columns stands alone.
"""

import json
from functools import cache

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lindecay.arms import LINEAR, SHIFT
from lindecay.energy import baselines, constants, events
from lindecay.sram.show import column
from lindecay.sram.show import playground as array

DRAWN = f"<figure>{column.svg()}<figcaption>{column.CAPTION}</figcaption></figure>"
MACRO_ROWS = 256  # cells on a bitline: those of the default macro


@cache
def listing() -> str:
    """The page's JSON: programs, and what an event and a word cost in pJ."""
    v = constants.values(constants.load())
    prices = {n: array.spread(events.prices(v, MACRO_ROWS, n)) for n in array.COLUMNS}
    words = {
        f"{law}/{B}/{bits}/{n}": word(v, array.Widths(law, B, bits), n)
        for law in array.LAWS
        for B in array.MEMBRANE
        for bits in array.WEIGHT
        for n in array.COLUMNS
    }
    told = array.export(prices, words)
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def word(v: dict, w: array.Widths, neurons: int) -> list:
    """One word-wide unit for the update of a step: [cycles of the sums, pJ a neuron].

    The array has added the inputs up; their sums stand upright in its columns and are
    read out first, a row a cycle. Leakage of that array over all cycles is included.
    """
    name = SHIFT if w.law.startswith("shift") else LINEAR
    sums = baselines.Sums("upright", w.A, MACRO_ROWS, neurons, 1)
    one = baselines.word_sequential(v, name, w.B, neurons, sums)
    parts = dict(one.parts)
    if w.law == "none":
        del parts["decay"]
    leaks = events.leakage_pj(v, MACRO_ROWS, neurons) * one.cycles / neurons
    return [one.cycles - neurons, round(float(sum(parts.values()) + leaks), 6)]


class playground(nodes.General, nodes.Element):
    """The place of the playground (attribute alt)."""


class Playground(SphinxDirective):
    """The playground, and below it the drawing that stands without scripts."""

    def run(self) -> list[nodes.Node]:
        return [playground()]


def visit(self, node: playground) -> None:
    """The listing as data, which the page's own script runs."""
    data = listing().replace("<", "\\u003c")
    self.body.append(
        '<div class="playground" data-playground hidden>'
        f'<script type="application/json">{data}</script></div>\n'
        f"{DRAWN}\n"
    )
    raise nodes.SkipNode


class Column(SphinxDirective):
    """One column of the array and its neighbours, drawn."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", DRAWN, format="html")]


def add_files(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """The script on the page that needs it, the style on every page with a column."""
    body = context.get("body", "")
    if "data-playground" in body:
        app.add_js_file("playground.js", loading_method="defer")
    if 'class="pg-stills"' in body:
        app.add_css_file("playground.css")


def setup(app: Sphinx) -> None:
    """What the extension calls: the directive and its node."""
    app.add_directive("playground", Playground)
    app.add_directive("column", Column)
    app.add_node(playground, html=(visit, None))
    app.connect("html-page-context", add_files, priority=890)
