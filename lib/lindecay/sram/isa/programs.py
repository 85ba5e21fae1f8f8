"""Microcode: the programs of a neuron's step, bit-serial, a neuron a column.

    decay (every law)  extend  accumulate  drain, merge  clamp  fire  reset  clear

Membranes are two's complement, least significant bit first: row V0 is the LSB. What a
cycle can say is `language`; how many cycles a program takes is `closed_forms`. The
array of the paper is not published: these programs are assumptions, named as such.
"""

from dataclasses import dataclass, replace

from lindecay.laws import OWN
from lindecay.sram.isa.language import (
    SPACES,
    Cycle,
    PortFault,
    Program,
    Row,
    check,
    check_cycle,
    refuse,
    rows_text,
)

__all__ = [
    "SPACES",
    "Cycle",
    "PortFault",
    "Program",
    "check",
    "check_cycle",
    "refuse",
    "rows_text",
]


def _V(k: int) -> tuple[Row, ...]:
    return (("V", k),)


def _operand(name: str, k: int, B: int, per_neuron: bool) -> dict:
    """Bit k of λ or θ: broadcast by the sequencer, or read from rows of the array."""
    if k >= B - 1:  # both lie in [0, V_max], so their sign bit is 0
        return {"y": "0"}
    if per_neuron:
        return {"y": "B", "b": (("L" if name == "lam" else "H", k),)}
    return {"y": name, "bit": k}


def _rewrite(k: int, **what) -> Cycle:
    """Read row Vk, write it in the same cycle."""
    return Cycle(a=_V(k), w=_V(k), **what)


def _clear_tagged(width: int) -> list[Cycle]:
    return [_rewrite(k, value="0", masked=True) for k in range(width)]


def shrink(B: int, per_neuron: bool = False) -> Program:
    """sign(V) max(|V| - λ, 0): T = sign, add -λ or +λ, clear where the sign turned."""
    out = [Cycle(a=_V(B - 1), T="X")]
    for k in range(B):
        more = {"carry": "C" if k else "~T", "invert": "^~T"}
        tag = "sum^T" if k == B - 1 else "hold"
        out.append(_rewrite(k, **_operand("lam", k, B, per_neuron), **more, G=tag))
    return Program("decay", (*out, *_clear_tagged(B)))


def floor(B: int, width: int, per_neuron: bool = False) -> Program:
    """max(V - λ, 0): subtract, clear where old or new sign is set."""
    out = []
    for k in range(width):
        more = {"carry": "C" if k else "1", "invert": "~"}
        tag = "X|sum" if k == width - 1 else "hold"
        out.append(_rewrite(k, **_operand("lam", k, B, per_neuron), **more, G=tag))
    return Program("decay", (*out, *_clear_tagged(width)))


def drift(B: int, A: int, per_neuron: bool = False) -> Program:
    """V - λ over all A rows: it may leave B bits, so it extends the sign itself."""
    out = []
    for k in range(A):
        more = {"carry": "C" if k else "1", "invert": "~", "w": _V(k)}
        more |= {"a": _V(k)} if k < B else {"x": "G"}
        tag = "X" if k == B - 1 else "hold"
        out.append(Cycle(**_operand("lam", k, B, per_neuron), **more, G=tag))
    return Program("decay", tuple(out))


def _sign(B: int) -> Cycle:
    """T <- the sign of V."""
    return Cycle(a=_V(B - 1), T="X")


def _tag(space: str, k: int) -> Cycle:
    """G <- a row: the neurons that the next writes mean."""
    return Cycle(a=((space, k),), G="X")


def _shifted(B: int, s: int, rounding: str, masked: bool = False) -> list[Cycle]:
    """V - (V + r) / 2^s, LSB first: no row is read after it was written.

    The carry of V + r into bit s is all that rounding asks of the bits below: r is
    2^(s-1) (nearest; one less below rest) or, below rest, 2^s - 1 (towards zero). It
    runs through C, nothing written; T holds the sign.
    """
    out, first = [], "1"
    for j in range(s if rounding != "floor" else 0):
        turn = "~" if rounding == "nearest" and j == s - 1 else ""
        carry = "C" if j else "0"
        out.append(Cycle(a=_V(min(j, B - 1)), y="T", invert=turn, carry=carry))
        first = "~C"
    for k in range(B):
        more = {"carry": "C" if k else first, "invert": "~", "masked": masked}
        out.append(_rewrite(k, b=_V(min(k + s, B - 1)), y="B", **more))
    return out


def shift(B: int, s: int, rounding: str = "floor") -> Program:
    """V - V / 2^s, the quotient downwards, to nearest (ties away) or towards zero."""
    sign = [] if rounding == "floor" or not s else [_sign(B)]
    return Program("decay", (*sign, *_shifted(B, s, rounding)))


def shift_each(
    B: int, ks: tuple[int, ...], rounding: str = "floor", ports: int = 2
) -> Program:
    """The same where each neuron has its own k: a row of tags for each k in use.

    Row i of K marks the neurons with k = ks[i]; they alone are written. With one read
    port the sign latch is lost to each subtraction, and fetched again.
    """
    out: list[Cycle] = []
    for i, s in enumerate(ks):
        if rounding != "floor" and (not i or ports == 1):
            out.append(_sign(B))
        out += [_tag("K", i), *_shifted(B, s, rounding, masked=True)]
    return Program("decay", tuple(out))


def digits(beta: int, n: int, signed: bool = False) -> list[tuple[int, int]]:
    """β as (place, sign) of its digits that are not 0, lowest first.

    Signed digits (canonical: no two neighbours) are fewer where ones stand in a row.

    >>> digits(230, 8), digits(240, 8, signed=True)
    ([(1, 1), (2, 1), (5, 1), (6, 1), (7, 1)], [(4, -1), (8, 1)])
    """
    out, place = [], 0
    while beta:
        if beta & 1:
            digit = 2 - (beta & 3) if signed else 1
            out.append((place, digit))
            beta -= digit
        beta, place = beta >> 1, place + 1
    return out


def _constant(width: int, n: int, rounding: str) -> list[Cycle]:
    """M <- what makes the floor of the last shift round; T holds the sign of V.

    nearest, ties away: 2^(n-1), less one below rest; towards zero: 2^n - 1 below rest.
    """
    below = {"nearest": "T", "trunc": "T", "floor": "0"}[rounding]
    values = [below] * n + ["0"] * (width - n)
    if rounding == "nearest" and n:
        values[n - 1] = "~T"
    return [Cycle(w=(("M", k),), value=value) for k, value in enumerate(values)]


def exponential(
    B: int, beta: int, n: int, signed: bool = False, rounding: str = "nearest"
) -> Program:
    """beta V / 2^n rounded: shift and add in scratch rows M, β in the program.

    A digit -1 subtracts. The last product goes straight back into V: row k - n is
    written after every row below k - i was read (i <= n).
    """
    if beta == 0:
        return Program("decay", tuple(Cycle(w=_V(k), value="0") for k in range(B)))
    out = [] if rounding == "floor" else [_sign(B)]
    out += _constant(n, n, rounding)
    factors = digits(beta, n, signed)
    for i, sign in factors:
        for k in range(i, B + n):
            fresh = i == factors[0][0] and k >= n
            into = (("M", k),)
            if i == factors[-1][0]:
                into = _V(k - n) if k >= n else ()
            start = "0" if sign > 0 else "1"
            out.append(
                Cycle(
                    a=() if fresh else (("M", k),),
                    x="0" if fresh else "A",
                    b=_V(min(k - i, B - 1)),
                    y="B",
                    invert="" if sign > 0 else "~",
                    carry="C" if k > i else start,
                    w=into,
                )
            )
    return Program("decay", tuple(out))


def exponential_each(B: int, bits: int, n: int, rounding: str = "nearest") -> Program:
    """The same where each neuron has its own β, in `bits` rows of K.

    Bit i of β goes to the tag G, and V << i is added to M where it is 1: masked writes
    need no other gate. The product is copied back from row n on.
    """
    out = [] if rounding == "floor" else [_sign(B)]
    out += _constant(B + n, n, rounding)
    for i in range(bits):
        out.append(_tag("K", i))
        for k in range(i, B + n):
            row, carry = (("M", k),), "C" if k > i else "0"
            more = {"b": _V(min(k - i, B - 1)), "y": "B", "carry": carry}
            out.append(Cycle(a=row, w=row, masked=True, **more))
    back = (Cycle(a=(("M", k + n),), w=_V(k), carry="0") for k in range(B))
    return Program("decay", (*out, *back))


def extend(B: int, A: int) -> Program:
    """Copy the sign into the guard rows B … A-1."""
    first = Cycle(a=_V(B - 1), carry="0", w=_V(B), T="X")
    rest = [Cycle(w=_V(k), value="T") for k in range(B + 1, A)]
    return Program("extend", (first, *rest))


def accumulate(
    low: int, high: int, bits: int, ports: int = 2, space: str = "W"
) -> Program:
    """Add a weight of `bits` rows into rows low … high-1, sign-extended by T.

    With one read port (8T) every weight bit is fetched into T first: `bits` cycles
    more. space: "W" for an input's weight, "I" for the bias.
    """
    out = []
    for k in range(low, high):
        j, carry = k - low, "C" if k > low else "0"
        row = ((space, j),)
        if j < bits and ports == 1:
            out.append(Cycle(a=row, T="X"))
            out.append(_rewrite(k, y="T", carry=carry))
        elif j < bits:
            keep = "Y" if j == bits - 1 else "hold"
            out.append(_rewrite(k, b=row, y="B", carry=carry, T=keep))
        else:
            out.append(_rewrite(k, y="T", carry=carry))
    return Program("accumulate" if space == "W" else "bias", tuple(out))


def drain(width: int) -> Program:
    """Send a partial sum over the bus, LSB first, and clear it behind."""
    sent = (_rewrite(k, value="0", emit=True) for k in range(width))
    return Program("drain", tuple(sent))


def merge(low: int, own: int, sent: int, width: int) -> Program:
    """Add a partial sum of `sent` bits from the bus to one of `own` bits.

    The sum has `width` bits; G holds our sign above `own`, T theirs above `sent`.
    """
    out = []
    for k in range(width):
        more = {"a": _V(low + k)} if k < own else {"x": "G"}
        more |= {"y": "bus" if k < sent else "T", "carry": "C" if k else "0"}
        more |= {"T": "Y"} if k == sent - 1 else {}
        more |= {"G": "X"} if k == own - 1 else {}
        out.append(Cycle(w=_V(low + k), **more))
    return Program("merge", tuple(out))


def clamp(B: int, A: int, ports: int = 2) -> Program:
    """Tag what left B bits (rows B-1 … A-1 differ), set it to V_max or V_min."""
    out = [Cycle(a=_V(A - 1), T="X")] if ports == 1 else []
    for k in range(B - 1, A - 1):
        first = {"G": "sum" if k == B - 1 else "G|sum"}
        sign = {"y": "T"} if ports == 1 else {"b": _V(A - 1), "y": "B", "T": "Y"}
        out.append(Cycle(a=_V(k), **sign, carry="0", **first))
    for k in range(B):
        out.append(_rewrite(k, value="T" if k == B - 1 else "~T", masked=True))
    return Program("clamp", tuple(out))


def fire(B: int, per_neuron: bool = False, ports: int = 2) -> Program:
    """G = U > θ: the sign of U - θ - 1 over B + 1 bits, nothing written."""
    out = []
    for k in range(B + 1):
        more = {"carry": "C" if k else "0", "invert": "~"}
        more |= {"G": "~sum"} if k == B else {}
        bit = _operand("theta", k, B, per_neuron)
        out.append(Cycle(a=_V(min(k, B - 1)), **bit, **more))
    program = Program("fire", tuple(out))
    return one_port(program, "G") if ports == 1 else program


def reset(
    kind: str,
    B: int,
    per_neuron: bool = False,
    ports: int = 2,
    width: int | None = None,
) -> Program:
    """Where G: subtract θ (at once or late), or clear, or nothing.

    width: rows that the membrane fills by then, B unless a late reset follows a drift.
    """
    if kind == "none":
        return Program("reset", ())
    if kind == "zero":
        return Program("reset", tuple(_clear_tagged(B)))
    out = []
    for k in range(width or B):
        more = {"carry": "C" if k else "1", "invert": "~", "masked": True}
        out.append(_rewrite(k, **_operand("theta", k, B, per_neuron), **more))
    program = Program("reset", tuple(out))
    return one_port(program, "T") if ports == 1 else program


def one_port(program: Program, latch: str) -> Program:
    """The program for an 8T cell: of two reads the first goes to a latch, a cycle more.

    latch: "T" takes bitline B's row (programs that need no sign by then), "G" takes
    bitline A's (programs that need no tag yet).

    >>> len(shift(8, 2)), len(one_port(shift(8, 2), "T"))
    (8, 16)
    """
    out = []
    for cycle in program.cycles:
        if cycle.a and cycle.b and latch == "T":
            out.append(Cycle(a=cycle.b, T="X"))
            cycle = replace(cycle, b=(), y="T")
        elif cycle.a and cycle.b:
            out.append(Cycle(a=cycle.a, G="X"))
            cycle = replace(cycle, a=(), x="G")
        out.append(cycle)
    return Program(program.name, tuple(out))


def clear(rows: int) -> Program:
    """Rest at the start of a clip: every membrane row written with 0."""
    return Program("clear", tuple(Cycle(w=_V(k), value="0") for k in range(rows)))


def keep(row: int) -> Program:
    """Write the tags down, where the next decay needs the latch (a late reset)."""
    return Program("fire", (Cycle(x="G", carry="0", w=(("K", row),)),))


def fetch(row: int) -> Program:
    """The tags of the last step, back in their latch."""
    return Program("reset", (_tag("K", row),))


@dataclass(frozen=True)
class Leak:
    """All that a decay program depends on.

    each: one factor for each neuron. β then lies in `bits` rows of K; `ks` are the
    shifts in use, a row of tags each. rows: λ of each neuron lies in rows L.
    """

    law: str
    B: int
    A: int
    beta: int = 0  # or k of a shift, where it is one for all
    n: int = 0
    rows: bool = False
    signed: bool = False
    rounding: str = "nearest"
    bits: int = 0
    ks: tuple[int, ...] = ()

    @property
    def tags(self) -> bool:
        """Whether the decay needs the latch G, so that the last spikes are lost."""
        linear = self.law in ("shrink", "floor", "drift", *OWN)
        return linear or bool(self.bits or self.ks)

    @property
    def held(self) -> int:
        """Rows of K that hold β, or the tags of each k."""
        return self.bits + len(self.ks)

    def program(self, ports: int = 2) -> Program:
        """The cycles of the decay, for a cell with one or two read ports."""
        B, how = self.B, self.rounding
        if self.law == "shift":
            each = shift_each(B, self.ks, how, ports)
            found = each if self.ks else shift(B, self.beta, how)
        elif self.law == "exponential":
            each = exponential_each(B, self.bits, self.n, how)
            one = exponential(B, self.beta, self.n, self.signed, how)
            found = each if self.bits else one
        else:
            found = self._linear()
        latch = "T" if self.law in ("shift", "exponential") else "G"
        return one_port(found, latch) if ports == 1 else found

    def _linear(self) -> Program:
        """The laws with a λ, or with no decay at all."""
        if self.law == "shrink":
            return shrink(self.B, self.rows)
        if self.law in ("floor", "floor_after"):
            return floor(self.B, self.B if self.law == "floor" else self.A, self.rows)
        if self.law == "drift":
            return drift(self.B, self.A, self.rows)
        if self.law in OWN:
            return OWN[self.law].program(self.B, self.rows)
        return Program("decay", ())


def decay(
    law: str, B: int, A: int, beta=0, n=0, per_neuron=False, signed=False, ports=2,
    rounding=None,
) -> Program:  # fmt: skip
    """The decay program of a law; λ is a register or rows, β is in the program."""
    how = rounding or ("floor" if law == "shift" else "nearest")
    return Leak(law, B, A, beta, n or 0, per_neuron, signed, how).program(ports)
