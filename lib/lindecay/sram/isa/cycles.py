"""Cycles of every program in closed form: what the ledger must come to.

    update = decay + extend + clamp + fire + reset,  the same for any number of columns

B membrane bits, A rows with guard rows, b weight bits, f fraction bits.
"""

from lindecay.laws import OWN
from lindecay.sram.isa.programs import digits


def decay_cycles(
    law: str,
    B: int,
    A: int,
    beta: int = 0,
    n: int = 0,
    signed: bool = False,
    ports: int = 2,
    per_neuron: bool = False,
    rounding: str | None = None,
) -> int:
    """Cycles of the decay in place; β in binary or in signed digits.

    With one read port (8T) every cycle that reads two rows takes two: all of a shift,
    the additions of a product after its first, B - 1 where λ lies in rows.

    >>> [decay_cycles(law, 11, 16) for law in ("shrink", "floor", "drift", "none")]
    [23, 22, 16, 0]
    """
    if law == "exponential":
        if beta == 0:
            return B
        adds = [B + n - i for i, _ in digits(beta, n, signed)]
        twice = max(0, adds[0] - B) + sum(adds[1:])  # those that read M and V
        sign = 0 if rounding == "floor" else 1
        return sign + n + sum(adds) + (twice if ports == 1 else 0)
    if law == "shift":
        return shift_cycles(B, beta, rounding or "floor") + (B if ports == 1 else 0)
    if law in OWN:  # counted, not closed
        return len(OWN[law].program(B, per_neuron))
    forms = {"shrink": 2 * B + 1, "floor": 2 * B, "floor_after": 2 * A}
    forms |= {"drift": A, "none": 0}
    rows = B - 1 if ports == 1 and per_neuron and law != "none" else 0
    return forms[law] + rows


def shift_cycles(B: int, s: int = 0, rounding: str = "floor") -> int:
    """Cycles of V - V / 2^s; rounding fetches the sign and reads the s bits below.

    >>> [shift_cycles(10, 4, how) for how in ("floor", "nearest", "trunc")]
    [10, 15, 15]
    """
    return B if rounding == "floor" or not s else B + 1 + s


def shift_each_cycles(
    B: int, ks: tuple[int, ...], rounding: str = "floor", ports: int = 2
) -> int:
    """The same with a k of each neuron: a tag and a shift for every k in use.

    >>> shift_each_cycles(10, (2, 4)), shift_each_cycles(10, (2, 4), "nearest")
    (22, 29)
    """
    one = B * (2 if ports == 1 else 1) + 1
    if rounding == "floor":
        return one * len(ks)
    return sum(ks) + one * len(ks) + (len(ks) if ports == 1 else 1)


def exponential_each_cycles(
    B: int, bits: int, n: int, rounding: str = "nearest", ports: int = 2
) -> int:
    """β of each neuron in `bits` rows: constant, a tag and an addition a bit, copy.

    >>> exponential_each_cycles(10, 8, 8), exponential_each_cycles(10, 16, 16)
    (153, 349)
    """
    adds = sum(B + n - i for i in range(bits))
    sign = 0 if rounding == "floor" else 1
    return sign + (B + n) + bits + adds * (2 if ports == 1 else 1) + B


def extend_cycles(law: str, B: int, A: int) -> int:
    """Cycles that copy the sign into the guard rows (drift does it itself)."""
    return 0 if law == "drift" else A - B


def accumulate_cycles(width: int, bits: int, ports: int = 2) -> int:
    """Cycles of one input spike; a single read port fetches the weight first."""
    return width + (bits if ports == 1 else 0)


def clamp_cycles(A: int, ports: int = 2) -> int:
    """A - B rows are compared with the sign, B rows are set where they differ."""
    return A + (1 if ports == 1 else 0)


def fire_cycles(B: int) -> int:
    """U - θ - 1 over B + 1 bits."""
    return B + 1


def reset_cycles(reset: str, B: int) -> int:
    """B rows subtracted or cleared."""
    return 0 if reset == "none" else B


def update_cycles(
    B: int,
    A: int | None = None,
    law: str = "shrink",
    reset: str = "subtract",
    ports: int = 2,
    beta: int = 0,
    n: int = 0,
) -> int:
    """Cycles of one state update: what does not depend on spikes or on N.

    With the sign-aware decay and reset by subtraction, 3B + 2A + 2.

    >>> update_cycles(11, 16)
    67
    """
    A = B + 1 if A is None else A
    return (
        decay_cycles(law, B, A, beta, n, ports=ports)
        + extend_cycles(law, B, A)
        + clamp_cycles(A, ports)
        + fire_cycles(B)
        + reset_cycles(reset, B)
    )


def merge_cycles(widths: list[int]) -> int:
    """Rounds follow one another; each lasts as long as its widest sum."""
    return sum(widths)


def on_one_macro(cycles: int, N: int, C: int = 256) -> int:
    """The same on a single macro of C columns: ceil(N / C) times as long."""
    return -(-N // C) * cycles


def word_sequential_cycles(N: int, ports: int = 2) -> int:
    """One membrane word after another: read, compute, write.

    Two cycles a neuron where read and write share a port, one where they do not, as
    in the default macro: one count of a rival's cycles, here, emulated and in joules.

    >>> [word_sequential_cycles(512, ports) for ports in (1, 2)]
    [1024, 512]
    """
    return N * (2 if ports == 1 else 1)


def row_wide_cycles(N: int, B: int, C: int = 256, ports: int = 2) -> int:
    """One membrane row after another, C // B words at once, near memory."""
    return -(-N // (C // B)) * (2 if ports == 1 else 1)


def layout_update_cycles(spec, N: int, B: int, A: int) -> int:
    """One update of N neurons in a layout (sign-aware decay, reset by subtraction).

    Args:
        spec: MacroSpec; with enough macros for all columns.

    >>> from lindecay.sram import MacroSpec
    >>> C = [MacroSpec(layout="C", update=u, ports=1) for u in ("row", "word")]
    >>> [layout_update_cycles(s, 512, 10, 13) for s in (MacroSpec(layout="B"), *C)]
    [5, 42, 1024]
    """
    if spec.layout == "B":  # two for the decay, then clamp, fire, reset
        return 5
    if spec.update == "row":
        return row_wide_cycles(N, B, spec.cols, spec.ports)
    if spec.update == "word":
        return word_sequential_cycles(N, spec.ports)
    return update_cycles(B, A)


def at_equal_area(N: int, B: int, A: int, C: int = 256, ports: int = 2) -> dict:
    """Cycles of one update when every design gets the ceil(N / C) home macros.

    Each macro then has its own unit, or its own row of units: nobody grows with N
    beyond C, and what is left is the width of the access.

    >>> at_equal_area(512, 10, 13)["row by row"], at_equal_area(4096, 10, 13)["word"]
    (11, 256)
    """
    here = min(N, C)
    return {
        "in the array": update_cycles(B, A),
        "row by row": row_wide_cycles(here, B, C, ports),
        "word": word_sequential_cycles(here, ports),
        "word, one unit in all": word_sequential_cycles(N, ports),
    }


def passes(macros: int, there: int) -> int:
    """How often the macros that are there must be refilled with other weights.

    >>> passes(31, 31), passes(62, 31), passes(63, 31)
    (1, 2, 3)
    """
    return -(-macros // there)
