"""Microcode: the programs of the array, as data that a reader can print.

Below every column sits one full adder. A cycle is one line of a program:

    A, B  <- cells of the rows whose read wordlines rise (one on each read port)
    X, Y  <- adder inputs: X from A, G or 0; Y from B, T, bus, a broadcast bit or 0
    sum   =  X ^ Y ^ C,   C <- majority(X, Y, C)
    write <- sum, 0, T or not T, into one row, of all columns or of those with G set
    T, G  <- sign latch and tag latch, at the end of the cycle

Membranes are two's complement, least significant bit first: row V0 is the LSB. Which
program does what, and in how many cycles, is this file; `closed_forms` counts them.
The array of the paper is not published: these are assumptions, named as such.
"""

from dataclasses import dataclass

from lindecay.settings import Fault

SPACES = ("V", "W", "L", "H", "M")  # membrane or partial sum, weight, λ, θ, product
X_FROM = ("0", "A", "G")
Y_FROM = ("0", "B", "T", "bus", "lam", "theta")
INVERT = ("", "~", "^T", "^~T")
CARRY_IN = ("", "C", "0", "1", "~T")  # "" where nothing is added
VALUES = ("sum", "0", "T", "~T")
T_FROM = ("hold", "X", "Y", "sum")
G_FROM = ("hold", "X", "sum", "~sum", "sum^T", "X|sum", "G|sum")

Row = tuple[str, int]


@dataclass(frozen=True)
class Cycle:
    """One line of microcode. `a`, `b`, `w`: the wordlines that rise on each port.

    Hardware has one wordline a port; a tuple holds as many as the program asks for,
    so that a program which asks for too many can be written down and refused.
    """

    a: tuple[Row, ...] = ()
    b: tuple[Row, ...] = ()
    x: str = "A"
    y: str = "0"
    bit: int = 0  # which bit of λ or θ is broadcast
    invert: str = ""  # of Y
    carry: str = ""  # carry-in; "" where the adder rests and C holds
    w: tuple[Row, ...] = ()
    value: str = "sum"
    masked: bool = False  # write only columns whose tag G is set
    T: str = "hold"
    G: str = "hold"
    emit: bool = False  # bitline A drives the bus to another macro

    @property
    def adds(self) -> bool:
        """Whether the adder works (and the carry latch moves)."""
        return bool(self.carry)

    def line(self) -> str:
        """The cycle in the words of the listing."""
        y = {"lam": f"lam[{self.bit}]", "theta": f"theta[{self.bit}]"}.get(
            self.y, self.y
        )
        y = f"~{y}" if self.invert == "~" else y + self.invert
        add = f"{self.x} + {y} + {self.carry}" if self.adds else ""
        write = ""
        if self.w:
            write = f"{rows_text(self.w)} <- {self.value}" + (
                " if G" if self.masked else ""
            )
        latch = [f"{n}<-{s}" for n, s in (("T", self.T), ("G", self.G)) if s != "hold"]
        latch += ["bus<-A"] if self.emit else []
        told = (rows_text(self.a), rows_text(self.b), add, write, " ".join(latch))
        return "{:<5} {:<5} {:<20} {:<16} {}".format(*told).rstrip()


def rows_text(rows: tuple[Row, ...]) -> str:
    """V3, or V3+V4 where a program asks for two; - for none."""
    return "+".join(f"{space}{k}" for space, k in rows) or "-"


@dataclass(frozen=True)
class Program:
    """A name and its cycles."""

    name: str
    cycles: tuple[Cycle, ...]

    def __len__(self) -> int:
        return len(self.cycles)

    def __add__(self, other: "Program") -> "Program":
        return Program(self.name, self.cycles + other.cycles)

    def listing(self) -> str:
        """The program as an assembler-like text with cycle numbers.

        >>> print(fire(2).listing())
        fire: 3 cycles
        cycle A     B     adder                write            latches
            0 V0    -     A + ~theta[0] + 0
            1 V1    -     A + ~0 + C
            2 V1    -     A + ~0 + C                            G<-~sum
        """
        head = f"{self.name}: {len(self)} cycles"
        names = "cycle A     B     adder                write            latches"
        lines = [f"{i:>5} {cycle.line()}" for i, cycle in enumerate(self.cycles)]
        return "\n".join([head, names, *lines])


class PortFault(Fault):
    """A program asks for what the array's ports cannot do."""


def refuse(what: str, program: str, cycle: int, row: str, expected: str):
    """Raise the one error of the port rules: it names cycle and row."""
    raise PortFault(
        what,
        expected=expected,
        found=f"row {row}",
        where=f"cycle {cycle} of {program}",
    )


def check_cycle(cycle: Cycle, i: int, program: str, ports: int = 2) -> None:
    """The rules of the ports, for one cycle; PortFault names cycle and row."""
    reads = cycle.a + cycle.b
    if len(reads) > ports:
        rule = f"at most {ports} read wordlines, one on each read port"
        refuse("too many reads", program, i, rows_text(reads[ports:]), rule)
    for port in (cycle.a, cycle.b):
        if len(port) > 1:
            rule = "one wordline a port: two give AND, not two operands"
            refuse("two operands on one bitline", program, i, rows_text(port[1:]), rule)
    if len(cycle.w) > 1:
        rule = "at most one write wordline"
        refuse("too many writes", program, i, rows_text(cycle.w[1:]), rule)
    if cycle.masked and cycle.w and cycle.w[0] not in reads:
        rule = "a read of the row in the same cycle, for its half-selected columns"
        refuse("masked write without write-back", program, i, rows_text(cycle.w), rule)


def check(program: Program, bases: dict[str, int], rows: int, ports: int = 2) -> None:
    """Refuse a program that breaks a port rule or leaves the array.

    Args:
        program: cycles to check.
        bases: first row of each space that the program names.
        rows: rows of the array.
        ports: read ports of a cell, 2 (10T) or 1 (8T).

    Raises:
        PortFault: names the rule, the cycle and the row.
    """
    for i, cycle in enumerate(program.cycles):
        check_cycle(cycle, i, program.name, ports)
        for space, k in cycle.a + cycle.b + cycle.w:
            row = bases[space] + k
            if not 0 <= row < rows:
                found = f"{space}{k} = {row}"
                refuse("no such row", program.name, i, found, f"0 to {rows - 1}")


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


def shift(B: int, s: int) -> Program:
    """V - (V >> s), truncating: LSB first it never reads a row it has written."""
    out = []
    for k in range(B):
        source = (("V", min(k + s, B - 1)),)
        more = {"carry": "C" if k else "1", "invert": "~"}
        out.append(_rewrite(k, b=source, y="B", **more))
    return Program("decay", tuple(out))


def exponential(B: int, beta: int, n: int) -> Program:
    """beta V / 2^n to nearest, ties away from zero: shift and add in scratch rows M.

    M starts as the rounding constant, 2^(n-1) less one LSB below rest, so that the
    floor of the last shift rounds. The last product goes straight back into V: row
    k - n is written after every row from k - i on was read (i < n).
    """
    if beta == 0:
        return Program("decay", tuple(Cycle(w=_V(k), value="0") for k in range(B)))
    out = [Cycle(a=_V(B - 1), T="X")]
    out += [
        Cycle(w=(("M", k),), value="~T" if k == n - 1 else "T") for k in range(n)
    ]
    factors = [i for i in range(n) if beta >> i & 1]
    for i in factors:
        for k in range(i, B + n):
            fresh = i == factors[0] and k >= n
            into = (("M", k),)
            if i == factors[-1]:
                into = _V(k - n) if k >= n else ()
            out.append(
                Cycle(
                    a=() if fresh else (("M", k),),
                    x="0" if fresh else "A",
                    b=_V(min(k - i, B - 1)),
                    y="B",
                    carry="C" if k > i else "0",
                    w=into,
                )
            )
    return Program("decay", tuple(out))


def extend(B: int, A: int) -> Program:
    """Copy the sign into the guard rows B … A-1."""
    first = Cycle(a=_V(B - 1), carry="0", w=_V(B), T="X")
    rest = [Cycle(w=_V(k), value="T") for k in range(B + 1, A)]
    return Program("extend", (first, *rest))


def accumulate(low: int, high: int, bits: int, ports: int = 2) -> Program:
    """Add a weight of `bits` rows into rows low … high-1, sign-extended by T.

    With one read port (8T) every weight bit is fetched into T first: `bits` cycles
    more.
    """
    out = []
    for k in range(low, high):
        j, carry = k - low, "C" if k > low else "0"
        if j < bits and ports == 1:
            out.append(Cycle(a=(("W", j),), T="X"))
            out.append(_rewrite(k, y="T", carry=carry))
        elif j < bits:
            keep = "Y" if j == bits - 1 else "hold"
            out.append(_rewrite(k, b=(("W", j),), y="B", carry=carry, T=keep))
        else:
            out.append(_rewrite(k, y="T", carry=carry))
    return Program("accumulate", tuple(out))


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


def fire(B: int, per_neuron: bool = False) -> Program:
    """G = U > θ: the sign of U - θ - 1 over B + 1 bits, nothing written."""
    out = []
    for k in range(B + 1):
        more = {"carry": "C" if k else "0", "invert": "~"}
        more |= {"G": "~sum"} if k == B else {}
        bit = _operand("theta", k, B, per_neuron)
        out.append(Cycle(a=_V(min(k, B - 1)), **bit, **more))
    return Program("fire", tuple(out))


def reset(kind: str, B: int, per_neuron: bool = False) -> Program:
    """Where G: subtract θ, or clear, or nothing."""
    if kind == "none":
        return Program("reset", ())
    if kind == "zero":
        return Program("reset", tuple(_clear_tagged(B)))
    out = []
    for k in range(B):
        more = {"carry": "C" if k else "1", "invert": "~", "masked": True}
        out.append(_rewrite(k, **_operand("theta", k, B, per_neuron), **more))
    return Program("reset", tuple(out))


def clear(rows: int) -> Program:
    """Rest at the start of a clip: every membrane row written with 0."""
    return Program("clear", tuple(Cycle(w=_V(k), value="0") for k in range(rows)))


def decay(law: str, B: int, A: int, beta=0, n=0, per_neuron=False) -> Program:
    """The decay program of a law; λ is a register or rows, β is in the program."""
    if law == "shrink":
        return shrink(B, per_neuron)
    if law == "floor":
        return floor(B, B, per_neuron)
    if law == "floor_after":
        return floor(B, A, per_neuron)
    if law == "drift":
        return drift(B, A, per_neuron)
    if law == "shift":
        return shift(B, beta)
    if law == "exponential":
        return exponential(B, beta, n)
    return Program("decay", ())
