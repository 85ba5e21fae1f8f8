"""One column of the array as a drawing, and its neighbours: SVG in the page's colours.

cells on two bitlines -> full adder -> latches C, T, G -> write bitline -> cells
"""

from html import escape

CAPTION = (
    "A neuron is a column, and every column does the same line of microcode at once: "
    "that is why an update takes as many cycles for 256 neurons as for one. A raised "
    "wordline puts a row's bits on the bitlines (A, and B for a second row). The full "
    "adder below adds them, or a bit of λ or θ that the sequencer sends to every "
    "column. The sum goes back into a row in the same cycle. Latch C keeps the carry, "
    "T the sign, G the tag that lets a write through."
)
ALT = (
    "One column drawn large: rows of the membrane V and of a weight W on two read "
    "bitlines and a write bitline, a full adder below, latches C, T and G."
)
ALT_MANY = (
    "The same column many times over, side by side on shared wordlines, each with its "
    "own adder and latches."
)
BITS = "1011001101"  # cells of the drawn column, top row first
ROWS = [f"V{k}" for k in reversed(range(7))] + ["W2", "W1", "W0"]
TOP, HIGH, COLUMNS = 24, 17, 14


def svg() -> str:
    """Two drawings that stand side by side, or one below the other on a phone.

    Classes take their colours from playground.css.
    """
    foot = TOP + HIGH * len(ROWS) + 8
    one = _drawing([*_wires(foot), *_cells(), *_logic(foot)], 0, 232, foot, ALT)
    many = _drawing(_neighbours(foot), 244, 310, foot, ALT_MANY)
    return f'<div class="pg-stills">{one}{many}</div>'


def _drawing(parts: list[str], left: int, wide: int, foot: int, alt: str) -> str:
    box = f'viewBox="{left} 0 {wide} {foot + 112}" style="flex: {wide} 1 {wide}px"'
    head = f'<svg class="pg-still" role="img" {box} aria-label="{escape(alt)}">'
    return f"{head}{''.join(parts)}</svg>"


def _text(x, y, words, anchor="start", kind="") -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}"'
    return f'<text {place} class="{kind}">{escape(words)}</text>'


def _path(d: str, kind: str) -> str:
    return f'<path d="{d}" class="{kind}"/>'


def _rect(x, y, width, height, kind: str) -> str:
    size = f'width="{width}" height="{height}"'
    return f'<rect x="{x}" y="{y}" {size} class="{kind}"/>'


def _wires(foot: int) -> list[str]:
    """Two read bitlines, the write bitline, and the names of all three."""
    heads = [(104, "A"), (166, "B"), (206, "write")]
    return [
        *(_text(x, 14, name, "middle") for x, name in heads),
        _path(f"M104 18V{foot + 8}", "r"),
        _path(f"M166 18V{foot + 8}", "r"),
        _path(f"M206 18V{foot + 30}H190", "w"),
    ]


def _cells() -> list[str]:
    """V2 and W2 are read, V2 is written."""
    out = []
    for i, (name, bit) in enumerate(zip(ROWS, BITS)):
        y = TOP + i * HIGH
        mid, read = y + HIGH / 2 - 1, name in ("V2", "W2")
        on = " on" if bit == "1" else ""
        out += [
            _text(66, mid + 4, name, "end", "strong" if read else ""),
            _path(f"M70 {mid}H124", "r" if read else "wire"),
            _rect(124, y, 24, HIGH - 2, f"cell{on}{' rr' if read else ''}"),
            _text(136, mid + 4, bit, "middle", "inv" if on else ""),
        ]
        if name == "V2":
            out.append(
                _path(f"M206 {mid}H151M156 {mid - 4}L150 {mid}L156 {mid + 4}", "w")
            )
            out.append(f'<circle cx="104" cy="{mid}" r="3.5" class="r"/>')
        if name == "W2":
            out.append(_path(f"M148 {mid}H166", "r"))
    return out


def _logic(foot: int) -> list[str]:
    out = [
        _rect(76, foot + 8, 114, 40, "box"),
        _text(133, foot + 32, "full adder", "middle", "strong"),
        _path(f"M8 {foot + 28}H75M69 {foot + 24}L75 {foot + 28}L69 {foot + 32}", "r"),
        _text(2, foot + 20, "bit of λ or θ"),
    ]
    for i, (latch, keeps) in enumerate([("C", "carry"), ("T", "sign"), ("G", "tag")]):
        x = 76 + 40 * i
        out += [
            _path(f"M{x + 17} {foot + 48}v10", "wire"),
            _rect(x, foot + 58, 34, 20, "cell"),
            _text(x + 17, foot + 72, latch, "middle", "strong"),
            _text(x + 17, foot + 92, keeps, "middle"),
        ]
    return out


def _neighbours(foot: int) -> list[str]:
    """The same column over and over, on shared wordlines."""
    first, each = 262, 19
    last = first + each * COLUMNS
    out = [_text(first, 14, "… and 256 of them side by side, on shared wordlines")]
    for name in ("V2", "W2"):
        mid = TOP + ROWS.index(name) * HIGH + HIGH / 2 - 1
        out.append(_path(f"M{first - 14} {mid}H{last + 6}", "r"))
    for j in range(COLUMNS):
        x = first + j * each
        for i in range(len(ROWS)):
            on = " on" if (i * 7 + j * j * 3 + i * j) % 5 < 2 else ""
            out.append(_rect(x, TOP + i * HIGH, 14, HIGH - 3, f"cell{on}"))
        out.append(_rect(x, foot + 8, 14, 40, "box"))
        out += [_rect(x, foot + 54 + 9 * n, 14, 7, "cell") for n in range(3)]
    out += [
        _text(last + 4, foot + 32, "…"),
        _text(first, foot + 100, "one adder and three latches a column"),
    ]
    return out
