"""Programs as tables of rows, flags and masks, for the machine at speed.

Every choice of a cycle (which line feeds the adder, what a latch takes) becomes a mask
of all ones or all zeros, so that one straight line of logic serves every cycle.
"""

from functools import lru_cache

import numpy as np

from lindecay.sram.isa.language import SPACES, Cycle, Program

ALL = 0xFFFFFFFFFFFFFFFF

# columns of the table of rows
A_SPACE, A_ROW, B_SPACE, B_ROW, W_SPACE, W_ROW, MORE_SPACE, MORE_ROW = range(8)
MASKED, ADDS, EMIT, REGISTER, BIT, KIND, RUN = range(8, 15)
PLAIN, ADD_W, ADD_T, ADD_BUS, SEND = range(5)  # common cycles have a short way


@lru_cache(maxsize=512)
def encode(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """A program as int64 [cycles, 15] (rows, flags) and uint64 [cycles, 24] (masks)."""
    rows = [[*_rows(cycle), 1] for cycle in program.cycles]
    for i in range(len(rows) - 2, -1, -1):
        if _goes_on(rows[i], program.cycles[i], rows[i + 1], program.cycles[i + 1]):
            rows[i][RUN] = 1 + rows[i + 1][RUN]
    masks = [_masks(cycle) for cycle in program.cycles]
    return (
        np.array(rows, np.int64).reshape(-1, 15),
        np.array(masks, np.uint64).reshape(-1, 24),
    )


def _rows(cycle: Cycle) -> list[int]:
    further = cycle.a[1:] + cycle.b[1:] + cycle.w[1:]  # refused when it runs
    out = []
    for rows in (cycle.a, cycle.b, cycle.w, further):
        out += [SPACES.index(rows[0][0]), rows[0][1]] if rows else [-1, 0]
    register = {"lam": 0, "theta": 1}.get(cycle.y, -1)
    masked = bool(cycle.masked and cycle.w)
    flags = [masked, cycle.adds, cycle.emit, register, cycle.bit]
    return [*out, *flags, PLAIN if further else _kind(cycle)]


def _kind(c: Cycle) -> int:
    """Which short way means the same as the masks: Vk <- Vk + W, T, bus; or Vk sent."""
    if c == Cycle(a=c.a, w=c.a, value="0", emit=True) and c.a:
        return SEND
    adds = c.a and c.a == c.w and c.x == "A" and c.carry in ("0", "C")
    holds = c.G == "hold" and c.T in ("hold", "Y") and not (c.masked or c.emit)
    if not (adds and holds and c.value == "sum" and not c.invert):
        return PLAIN
    if c.y == "B" and c.b:
        return ADD_W if c.b[0][0] == "W" else PLAIN
    return {"T": ADD_T, "bus": ADD_BUS}.get(c.y, PLAIN) if not c.b else PLAIN


def _goes_on(mine: list[int], c: Cycle, then: list[int], d: Cycle) -> bool:
    """Whether the next cycle does the same one row further up: they may run as one."""
    if mine[KIND] == PLAIN or mine[KIND] != then[KIND]:
        return False
    spaces = (A_SPACE, B_SPACE, W_SPACE)
    if any(mine[s] != then[s] for s in spaces):
        return False
    if any(mine[s] >= 0 and then[s + 1] != mine[s + 1] + 1 for s in spaces):
        return False
    adds = mine[KIND] != SEND
    return not adds or (c.T == "hold" and d.carry == "C")


def _masks(c: Cycle) -> list[int]:
    tests = [
        c.x == "A",
        c.x == "G",
        c.y == "B",
        c.y == "T",
        c.y == "bus",
        c.invert in ("~", "^~T"),
        c.invert in ("^T", "^~T"),
        c.carry in ("C", "~C"),
        c.carry in ("1", "~T", "~C"),
        c.carry == "~T",
        c.adds,
        c.value == "sum",
        c.value in ("T", "~T"),
        c.value == "~T",
        not c.masked,
        c.T == "hold",
        c.T == "X",
        c.T == "Y",
        c.T == "sum",
        c.G in ("hold", "G|sum"),
        c.G == "~sum",
        c.G == "sum^T",
        "sum" in c.G,
        c.G in ("X", "X|sum"),
    ]
    return [ALL if test else 0 for test in tests]
