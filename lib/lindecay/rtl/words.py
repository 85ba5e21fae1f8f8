"""Microcode as words of a ROM: one line of a program is one word, field by field.

The names of the fields' values go to the Verilog as a header (`language.vh`), so that
the emulator's language and the hardware's cannot drift apart: a word that the column
logic does not know is refused here.
"""

from lindecay.rtl.emulator import Cycle, Program, language
from lindecay.settings import Fault

ROW_BITS = 8  # an offset within a space
CHOICES = {  # what columns.v can do, field by field: the language's word -> its name
    "X": {"0": "0", "A": "A", "G": "G"},
    "Y": {"0": "0", "B": "B", "T": "T", "bus": "BUS", "lam": "LAM", "theta": "THETA"},
    "INVERT": {"": "NONE", "~": "NOT", "^T": "XT", "^~T": "XNT"},
    "CARRY": {"": "NONE", "C": "C", "0": "0", "1": "1", "~T": "NT", "~C": "NC"},
    "VALUE": {"sum": "SUM", "0": "0", "T": "T", "~T": "NT"},
    "T": {"hold": "HOLD", "X": "X", "Y": "Y", "sum": "SUM"},
    "G": {
        "hold": "HOLD", "X": "X", "sum": "SUM", "~sum": "NSUM", "sum^T": "SUM_XT",
        "X|sum": "X_OR_SUM", "G|sum": "G_OR_SUM",
    },
    "SPACE": {"V": "V", "W": "W", "L": "L", "H": "H", "M": "M", "K": "K", "I": "I"},
}  # fmt: skip
OF_CYCLE = {"X": "x", "Y": "y", "INVERT": "invert", "CARRY": "carry"}
OF_CYCLE |= {"VALUE": "value", "T": "T", "G": "G"}
PORTS = (("A", "a"), ("B", "b"), ("W", "w"))


def _bits(choices: dict) -> int:
    return (len(choices) - 1).bit_length()


def fields() -> dict[str, int]:
    """Fields of a word and their bits, lowest first."""
    out = {"LAST": 1, "MASKED": 1, "EMIT": 1, "BACK": 1, "BIT": 6}
    out |= {name: _bits(CHOICES[name]) for name in OF_CYCLE}
    for port, _ in PORTS:
        out |= {f"{port}_ON": 1, f"{port}_SPACE": 3, f"{port}_ROW": ROW_BITS}
    return out


WIDTH = sum(fields().values())


def code(field: str, word: str) -> int:
    """The number of a word of the language in its field.

    Raises:
        Fault: for a word that the columns have no wire for.
    """
    known = CHOICES[field]
    if word not in known:
        raise Fault(
            f"the column logic has no {field} {word!r}",
            expected=" or ".join(map(repr, known)),
            found=repr(word),
        )
    return list(known).index(word)


def word(cycle: Cycle, last: bool) -> int:
    """One line of microcode as an integer of WIDTH bits."""
    written, read = cycle.w[:1], cycle.b[:1]
    held = {"LAST": last, "MASKED": bool(cycle.masked and written)}
    held |= {"EMIT": cycle.emit, "BIT": cycle.bit}
    held["BACK"] = bool(written) and written == read and cycle.a[:1] != written
    held |= {name: code(name, getattr(cycle, key)) for name, key in OF_CYCLE.items()}
    for port, key in PORTS:
        rows = getattr(cycle, key)
        if rows:
            space, k = rows[0]
            held |= {f"{port}_ON": 1, f"{port}_SPACE": code("SPACE", space)}
            held[f"{port}_ROW"] = k
    return _packed(held)


def _packed(held: dict) -> int:
    out, place = 0, 0
    for name, bits in fields().items():
        value = int(held.get(name, 0))
        if not 0 <= value < 1 << bits:
            raise Fault(f"{name} of a line", expected=f"{bits} bits", found=value)
        out, place = out | value << place, place + bits
    return out


def rom(programs: list[Program]) -> tuple[list[int], list[int]]:
    """All programs one after the other, and the first line of each."""
    lines, starts = [], []
    for program in programs:
        starts.append(len(lines))
        n = len(program)
        lines += [word(cycle, i == n - 1) for i, cycle in enumerate(program.cycles)]
    return lines or [0], starts


def header() -> str:
    """`language.vh`: where each field stands, and the number of each word."""
    out = ["// Generated from the emulator's language: one line of microcode."]
    out.append(f"`define LINE {WIDTH}")
    place = 0
    for name, bits in fields().items():
        at = f"{place + bits - 1}:{place}" if bits > 1 else f"{place}"
        out += [f"`define AT_{name} {at}", f"`define W_{name} {bits}"]
        place += bits
    for name, known in CHOICES.items():
        size = 3 if name == "SPACE" else _bits(known)
        names = enumerate(known.values())
        out += [f"`define {name}_{said} {size}'d{i}" for i, said in names]
    return "\n".join(out) + "\n"


def gaps() -> dict[str, set]:
    """Words of the language without a wire, and wires without a word; empty: none."""
    told = {
        "X": language.X_FROM, "Y": language.Y_FROM, "INVERT": language.INVERT,
        "CARRY": language.CARRY_IN, "VALUE": language.VALUES, "T": language.T_FROM,
        "G": language.G_FROM, "SPACE": language.SPACES,
    }  # fmt: skip
    found = {name: set(words) ^ set(CHOICES[name]) for name, words in told.items()}
    return {name: words for name, words in found.items() if words}
