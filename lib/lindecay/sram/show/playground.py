"""The array as data for a reader's browser: the very microcode that the library runs.

    page = export(prices, words)      one JSON: cycles, programs, rows, prices

The page (book/_static/playground.js) knows what a cycle does and nothing of programs:
every program is a list of numbers into `cycles`, and each cycle there is a `Cycle` of
`language`, with its line of the listing and a sentence. Prices come from outside: the
energy model stands above this package.
"""

from dataclasses import MISSING, dataclass, fields

from lindecay.sram.isa import programs as microcode
from lindecay.sram.isa.programs import Cycle, Program
from lindecay.sram.place.linear import bits_for

LAWS = {  # key: label, how the membrane decays
    "shrink": ("linear, towards rest", "sign(V) · max(|V| − λ, 0)"),
    "floor": ("linear, floor at rest", "max(V − λ, 0)"),
    "drift": ("drift", "V − λ"),
    "shift1": ("exponential by a shift of 1", "V − (V >> 1)"),
    "shift2": ("exponential by a shift of 2", "V − (V >> 2)"),
    "shift3": ("exponential by a shift of 3", "V − (V >> 3)"),
    "none": ("no decay", "V"),
}
MEMBRANE = (4, 5, 6, 7, 8)  # bits B
WEIGHT = (2, 3, 4)  # bits of a weight
INPUTS = 4
COLUMNS = (8, 16, 64, 256)
RESETS = ("subtract", "zero")


@dataclass(frozen=True)
class Widths:
    """A small layer on one macro: law, membrane bits, weight bits, inputs."""

    law: str = "shrink"
    B: int = 6
    bits: int = 3
    inputs: int = INPUTS

    @property
    def A(self) -> int:
        """Membrane rows with guard rows: no sum of a step can leave them."""
        top, heaviest = 2 ** (self.B - 1), self.inputs * 2 ** (self.bits - 1)
        low = -top - heaviest - (top - 1 if self.law == "drift" else 0)
        return max(bits_for(low, top - 1 + heaviest - self.inputs), self.B + 1)

    @property
    def rows(self) -> dict[str, int]:
        """First row of each space, and how many rows there are in all."""
        return {"V": 0, "W": self.A, "all": self.A + self.inputs * self.bits}


def programs(w: Widths) -> dict[str, Program]:
    """The programs of a step by name; a program that a law does not need is left out.

    >>> {name: len(program) for name, program in programs(Widths()).items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'decay': 13, 'extend': 1, 'accumulate': 7, 'clamp': 7, 'fire': 7,
     'subtract': 6, 'zero': 6}
    """
    law = w.law.rstrip("123")
    amount = int(w.law[len(law) :] or 0)
    found = {
        "decay": microcode.decay(law, w.B, w.A, amount),
        "extend": microcode.extend(w.B, w.A),
        "accumulate": microcode.accumulate(0, w.A, w.bits),
        "clamp": microcode.clamp(w.B, w.A),
        "fire": microcode.fire(w.B),
    }
    found |= {kind: microcode.reset(kind, w.B) for kind in RESETS}
    if law == "drift":  # extends the sign itself
        del found["extend"]
    return {name: program for name, program in found.items() if len(program)}


def say(name: str, c: Cycle, w: Widths) -> str:
    """What a cycle does, as a sentence.

    >>> say("decay", microcode.floor(6, 6).cycles[2], Widths("floor"))
    'Subtract bit 2 of λ in every column.'
    """
    k = (c.w or c.a)[0][1]
    return _SAY[name](c, k, w)


def _decay(c: Cycle, k: int, w: Widths) -> str:
    if not c.w:
        return "Read the sign of every membrane and keep it in latch T."
    if c.masked:
        return f"Where tag G is set, clear bit {k}: that membrane stops at rest."
    if c.b:
        near = f"bit {c.b[0][1]}" if c.b != c.a else "the sign"
        return f"Subtract {near} from bit {k} in every column: V minus V shifted."
    if c.y == "lam" and "T" in c.invert:
        return f"Bit {k} of λ: subtract it where V ≥ 0, add it where V < 0, everywhere."
    if c.y == "lam":
        return f"Subtract bit {k} of λ in every column."
    if c.G == "sum^T":
        return "Finish at the sign bit. Tag (G) the columns whose sign turned."
    if c.G == "X|sum":
        return "Finish at the sign bit. Tag (G) what is below rest, before or after."
    return f"Carry the borrow on into bit {k}."


def _extend(c: Cycle, k: int, w: Widths) -> str:
    return f"Copy the sign into guard bit {k}: room for a sum that outgrows {w.B} bits."


def _accumulate(c: Cycle, k: int, w: Widths) -> str:
    if c.b:
        return f"Add bit {c.b[0][1]} of the weight to bit {k} of V, in every column."
    return f"Carry on into bit {k}, with the weight's sign."


def _clamp(c: Cycle, k: int, w: Widths) -> str:
    if not c.w:
        return f"Does bit {k} differ from the sign? Then V left its {w.B} bits: tag it."
    return f"Tagged columns: set bit {k} of the largest or the smallest value."


def _fire(c: Cycle, k: int, w: Widths) -> str:
    if c.G == "~sum":
        return "The sign of V − θ − 1 tells whether V > θ: those columns fire (tag G)."
    bit = f"bit {k} of θ" if c.y == "theta" else "the sign of θ, 0,"
    return f"Compare: subtract {bit} in every column, and write nothing."


def _subtract(c: Cycle, k: int, w: Widths) -> str:
    bit = f"bit {k} of θ" if c.y == "theta" else "the borrow at the sign bit"
    return f"Columns that fired: subtract {bit}. The others keep theirs."


def _zero(c: Cycle, k: int, w: Widths) -> str:
    return f"Columns that fired: clear bit {k}. The others keep theirs."


_SAY = {
    "decay": _decay,
    "extend": _extend,
    "accumulate": _accumulate,
    "clamp": _clamp,
    "fire": _fire,
    "subtract": _subtract,
    "zero": _zero,
}


def coded(c: Cycle) -> dict:
    """A cycle as JSON: what differs from the defaults; rows as [space, number].

    >>> coded(microcode.fire(4).cycles[0])
    {'a': ['V', 0], 'y': 'theta', 'invert': '~', 'carry': '0'}
    """
    told = {f.name: getattr(c, f.name) for f in fields(Cycle)}
    out = {k: v for k, v in told.items() if v != defaults()[k]}
    return {k: list(v[0]) if k in "abw" else v for k, v in out.items()}


def defaults() -> dict:
    """What a cycle says where it says nothing."""
    return {f.name: f.default for f in fields(Cycle) if f.default is not MISSING}


def export(prices: dict, words: dict, laws=LAWS) -> dict:
    """All that the page needs, ready for `json.dumps`.

    Args:
        prices: {columns: {component: {counter: pJ}}}, see `spread`.
        words: {"law/B/bits/columns": [cycles before the first, pJ of one update]}, by
            one word-wide unit.
    """
    seen: dict[str, int] = {}
    cycles, machines = [], {}
    for w in (Widths(law, B, b) for law in laws for B in MEMBRANE for b in WEIGHT):
        listed = {}
        for name, program in programs(w).items():
            lines = [coded(c) | _told(name, c, w) for c in program.cycles]
            listed[name] = [_place(line, seen, cycles) for line in lines]
        key = f"{w.law}/{w.B}/{w.bits}"
        machines[key] = {"A": w.A, "rows": w.rows, "programs": listed}
    return {
        "cycles": cycles,
        "defaults": defaults() | dict.fromkeys("abw"),
        "machines": machines,
        "laws": {key: list(LAWS[key]) for key in laws},
        "inputs": INPUTS,
        "choices": {"B": MEMBRANE, "bits": WEIGHT, "N": COLUMNS, "reset": RESETS},
        "prices": prices,
        "words": words,
    }


def _told(name: str, c: Cycle, w: Widths) -> dict:
    return {"line": c.words(), "say": say(name, c, w)}


def _place(line: dict, seen: dict[str, int], cycles: list[dict]) -> int:
    key = repr(line)
    if key not in seen:
        seen[key] = len(cycles)
        cycles.append(line)
    return seen[key]


def spread(priced: dict) -> dict:
    """Prices of the energy model as prices of the array's own counters.

    Args:
        priced: {component: (field of the ledger, pJ)}.

    >>> spread({"wordlines": ("row_activations", 2.0), "tree": ("tree_ops", 1.0)})
    {'wordlines': {'read_rows': 2.0, 'write_rows': 2.0}}
    """
    found = {name: _counters(field, float(pj)) for name, (field, pj) in priced.items()}
    return {name: told for name, told in found.items() if told}


def _counters(field: str, pj: float) -> dict:
    own = "discharges columns_read columns_selected adder_ops flips queue_entries"
    derived = {
        "row_activations": {"read_rows": pj, "write_rows": pj},
        "half_selected": {"columns_written": pj, "columns_selected": -pj},
        "sense_ops": {"columns_read": pj},
        "macro_cycles": {"cycles": pj},
        "leaking_cycles": {"cycles": pj},
    }
    return {field: pj} if field in own.split() else derived.get(field, {})
