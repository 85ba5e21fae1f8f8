"""Pictures: one column as hardware, and the waveform of one program below it.

Drawn on axes that the caller owns; matplotlib comes with the book, not with the core.
"""

CELLS = ("V3", "V2", "V1", "V0", "W1", "W0")
BLOCKS = (  # name, x, y, width: what columns.v holds below each column
    ("full adder", 0.9, 2.35, 1.5),
    ("X: A, G, 0", 0.3, 3.25, 1.2),
    ("Y: B, T, bus, λ, θ; invert", 1.65, 3.25, 2.1),
    ("C carry", 0.1, 1.4, 0.9),
    ("T sign", 1.15, 1.4, 0.9),
    ("G tag", 2.2, 1.4, 0.9),
    ("write: sum, 0, T, own bit where G is off", 0.3, 0.45, 3.1),
)
WIRES = (  # from, to
    ((0.9, 4.2), (0.9, 3.85)),
    ((2.3, 4.2), (2.3, 3.85)),
    ((0.9, 3.25), (1.2, 2.95)),
    ((2.3, 3.25), (2.1, 2.95)),
    ((1.2, 2.35), (0.6, 2.0)),
    ((1.6, 2.35), (1.6, 2.0)),
    ((2.1, 2.35), (2.6, 2.0)),
    ((1.6, 1.4), (1.6, 1.05)),
)


def column(ax, ink: str, accent: str) -> list[str]:
    """Draw one column: cells on two bitlines, and the logic below; what it names."""
    for i, name in enumerate(CELLS):
        y = 7.9 - 0.62 * i
        box(ax, 1.1, y, 1.0, 0.5, name, accent if name[0] == "V" else ink)
        for ends in ((0.3, 1.1), (2.1, 3.2)):  # not through the name
            ax.plot(ends, [y + 0.25] * 2, lw=0.6, color=ink, zorder=0)
    for x, name in ((0.9, "bitline A"), (2.3, "bitline B")):
        ax.plot([x, x], [4.2, 8.5], lw=1.4, color=ink)
        ax.text(x, 8.6, name, ha="center", va="bottom", color=ink, fontsize=8)
    for name, x, y, wide in BLOCKS:
        box(ax, x, y, wide, 0.6, name, ink)
    for (x, y), (to_x, to_y) in WIRES:
        told = {"arrowstyle": "->", "color": ink, "lw": 0.8}
        ax.annotate("", (to_x, to_y), (x, y), arrowprops=told)
    back = [3.4, 3.9, 3.9, 3.3], [0.75, 0.75, 8.15, 8.15]
    ax.plot(*back, lw=1.0, ls="--", color=ink)
    ax.text(4.0, 5.9, "write port", rotation=90, va="center", color=ink, fontsize=8)
    ax.set(xlim=(0, 4.3), ylim=(0.2, 9.1))
    ax.axis("off")
    return [*CELLS, *(name for name, *_ in BLOCKS)]


def table() -> dict[str, list]:
    """What the picture holds: names and places, for the data beside it."""
    cells = [(name, 1.1, 7.9 - 0.62 * i) for i, name in enumerate(CELLS)]
    names, x, y = zip(*cells, *((name, x, y) for name, x, y, _ in BLOCKS))
    return {"part": list(names), "x": list(x), "y": list(y)}


def box(ax, x: float, y: float, wide: float, high: float, text: str, colour) -> None:
    """A rectangle with its name inside."""
    import matplotlib.patches as shapes

    made = shapes.Rectangle((x, y), wide, high, fill=False, ec=colour, lw=1.0)
    ax.add_patch(made)
    middle = x + wide / 2, y + high / 2
    ax.text(*middle, text, ha="center", va="center", color=colour, fontsize=8)


NAMES = {"A": "bitline A", "Y": "adder input Y", "c": "carry in", "s": "sum"}
NAMES |= {"T": "sign latch T", "G": "tag latch G"}


def wave(ax, lanes: dict[str, list[int]], ink: str, accent: str) -> None:
    """Draw signals as steps, one lane each, cycles from left to right."""
    n = len(next(iter(lanes.values())))
    for i, key in enumerate(reversed(NAMES)):
        line = [i * 1.5 + bit for bit in (*lanes[key], lanes[key][-1])]
        colour = accent if key in ("T", "G") else ink
        ax.step(range(n + 1), line, where="post", color=colour, lw=1.4)
    ax.set_yticks([i * 1.5 + 0.5 for i in range(len(NAMES))], [*NAMES.values()][::-1])
    ax.set(xlim=(0, n), xlabel="cycle of the decay program")
    ax.set_xticks(range(0, n + 1, 3))
