"""The language of the array: what one cycle may say, and the rules of its ports.

Below every column sits one full adder. A cycle is one line of a program:

    A, B  <- cells of the rows whose read wordlines rise (one on each read port)
    X, Y  <- adder inputs: X from A, G or 0; Y from B, T, bus, a broadcast bit or 0
    sum   =  X ^ Y ^ C,   C <- majority(X, Y, C)
    write <- sum, 0, T or not T, into one row, of all columns or of those with G set
    T, G  <- sign latch and tag latch, at the end of the cycle

Programs are data that a reader can print; `microcode` writes them.
"""

from dataclasses import dataclass

from lindecay.settings import Fault

# membrane or partial sum, weight, λ, θ, product, β or k of each neuron, bias
SPACES = ("V", "W", "L", "H", "M", "K", "I")
X_FROM = ("0", "A", "G")
Y_FROM = ("0", "B", "T", "bus", "lam", "theta")
INVERT = ("", "~", "^T", "^~T")
CARRY_IN = ("", "C", "0", "1", "~T", "~C")  # "" where nothing is added
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

    def parts(self) -> tuple[str, str, str, str, str]:
        """Bitline A, bitline B, addition, write, latches: each as text."""
        y = f"{self.y}[{self.bit}]" if self.y in ("lam", "theta") else self.y
        y = f"~{y}" if self.invert == "~" else y + self.invert
        add = f"{self.x} + {y} + {self.carry}" if self.adds else ""
        write = f"{rows_text(self.w)} <- {self.value}" if self.w else ""
        write += " if G" if self.w and self.masked else ""
        latch = [f"{n}<-{s}" for n, s in (("T", self.T), ("G", self.G)) if s != "hold"]
        latch += ["bus<-A"] if self.emit else []
        return rows_text(self.a), rows_text(self.b), add, write, " ".join(latch)

    def line(self) -> str:
        """The cycle in the words of the listing."""
        return "{:<5} {:<5} {:<20} {:<16} {}".format(*self.parts()).rstrip()

    def words(self) -> str:
        """The cycle as a sentence.

        >>> Cycle(a=(("V", 0),), y="T", carry="C", w=(("V", 0),)).words()
        'read V0; add A + T + C; V0 <- sum'
        """
        a, b, add, write, latch = self.parts()
        read = " and ".join(row for row in (a, b) if row != "-")
        told = (f"read {read}" if read else "", f"add {add}" if add else "")
        return "; ".join(text for text in (*told, write, latch) if text)


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

        >>> from lindecay.sram.isa.programs import fire
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
