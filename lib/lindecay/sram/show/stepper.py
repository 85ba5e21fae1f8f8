"""One macro drawn as an array that a reader steps through, cycle by cycle.

`record` runs programs on the single-bit array and keeps what every cycle showed;
`html` draws one cycle as a table and ships the others with a small script. Where
scripts are off, the table stands as it is. Keyboard: buttons and a slider, as the
browser gives them.
"""

import json
from html import escape
from importlib.resources import files

import numpy as np

from lindecay.sram.isa.programs import Program, rows_text
from lindecay.sram.serial.array import Array

LINES = (
    ("A", "bitline A"),
    ("B", "bitline B"),
    ("Y", "adder input Y"),
    ("c", "carry in"),
    ("s", "sum"),
    ("T", "sign latch T"),
    ("G", "tag latch G"),
    ("V", "all V rows"),
)


def _bits(values: np.ndarray) -> str:
    return "".join("1" if v else "0" for v in values)


def record(array: Array, programs: list[Program], spaces: dict[str, int]) -> dict:
    """Run programs; the names of the rows and one frame for each cycle.

    Args:
        array: single-bit array; it is changed.
        programs: run one after the other.
        spaces: rows of each space to show, the membrane's as {"V": rows}.

    >>> from lindecay.sram import microcode
    >>> array = Array(4, 2)
    >>> array.poke("V", [3, -2], 4)
    >>> told = record(array, [microcode.fire(4)], {"V": 4})
    >>> len(told["frames"]), told["frames"][0]["read"], told["frames"][0]["A"]
    (5, [3], '10')
    """
    names = [(s, k) for s, n in spaces.items() for k in reversed(range(n))]
    where = {row: i for i, row in enumerate(names)}
    frames = []
    for program in programs:
        for i, cycle in enumerate(program.cycles):
            seen = array.step(program, i)
            cells = [_bits(array.cells[array.bases[s] + k]) for s, k in names]
            adds = cycle.adds
            frames.append(
                {
                    "p": program.name,
                    "i": i,
                    "n": len(program),
                    "say": cycle.words(),
                    "read": [where[r] for r in cycle.a + cycle.b],
                    "write": [where[r] for r in cycle.w],
                    "cells": cells,
                    "A": _bits(seen.A) if cycle.a else "",
                    "B": _bits(seen.B) if cycle.b else "",
                    "Y": _bits(seen.Y) if adds else "",
                    "c": _bits(seen.carry_in) if adds else "",
                    "s": _bits(seen.sum) if adds else "",
                    "T": _bits(seen.T),
                    "G": _bits(seen.G),
                    "V": array.peek("V", spaces["V"]).tolist(),
                }
            )
    return {"rows": [rows_text((r,)) for r in names], "frames": frames}


def _row(label: str, values, kind: str, mark: str = "") -> str:
    cells = "".join(f"<td>{escape(str(v))}</td>" for v in values)
    return (
        f'<tr class="{kind}"><th scope="row">{escape(label)}</th>'
        f'<td class="mark">{mark}</td>{cells}</tr>'
    )


def _table(told: dict, k: int) -> str:
    frame, columns = told["frames"][k], len(told["frames"][k]["V"])
    rows = []
    for i, name in enumerate(told["rows"]):
        mark = "R" * (i in frame["read"]) + "W" * (i in frame["write"])
        rows.append(_row(name, frame["cells"][i], f"cell {mark}".strip(), mark))
    for key, label in LINES:
        values = frame[key] if len(frame[key]) else [""] * columns
        rows.append(_row(label, values, "line"))
    heads = "".join(f'<th scope="col">{j}</th>' for j in range(columns))
    head = f'<tr><th scope="col">row</th><th scope="col">port</th>{heads}</tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _told(frame: dict) -> str:
    return f"{frame['p']}, cycle {frame['i'] + 1} of {frame['n']}: {frame['say']}"


def html(told: dict, name: str, label: str, start: int = 0) -> str:
    """The stepper as HTML; `start` is the cycle that stands where scripts are off."""
    here = files("lindecay.sram")
    data = json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
    buttons = "".join(
        f'<button type="button" data-go="{go}" aria-label="{what}">{face}</button>'
        for go, what, face in (
            ("first", "first cycle", "|&lt;"),
            ("back", "one cycle back", "&lt;"),
            ("on", "one cycle on", "&gt;"),
            ("last", "last cycle", "&gt;|"),
        )
    )
    last, now = len(told["frames"]) - 1, escape(_told(told["frames"][start]))
    slider = f'<input type="range" min="0" max="{last}" value="{start}" '
    return "".join(
        [
            f"<style>{(here / 'stepper.css').read_text()}</style>",
            f'<div class="array-stepper" id="{name}" role="group" ',
            f'aria-label="{escape(label)}" data-start="{start}">',
            f'<p class="told" aria-live="polite">{now}</p><div class="go" hidden>',
            buttons,
            f'{slider}aria-label="cycle"></div>',
            f'<div class="wide" tabindex="0">{_table(told, start)}</div>',
            f'<script type="application/json">{data}</script></div>',
            f"<script>{(here / 'stepper.js').read_text()}</script>",
        ]
    )
