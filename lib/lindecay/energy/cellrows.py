"""The committed rows of real cells, ratios by scope, the band, and what they allow.

    ratio = E(v-LIF with a β multiplier) / E(LD-LIF), same scope, width, node, timing

Rows are measured by `mapped`; where its tools are missing the committed ones serve and
say `carried`.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from lindecay.arms import PRODUCT, SHIFT
from lindecay.energy import constants, memory, toggles
from lindecay.settings import Fault, committed

OURS, RIVAL, SHIFT = toggles.OURS, PRODUCT, SHIFT
SCOPES = ("decay alone", "neuron", "neuron, registers and clock", "with memory")
FILE = "reference/gates_cells.csv"
WORDS = 256  # membranes of the memory beside the unit
PRINTED = 5.2
ADDER = "addition"


@dataclass(frozen=True)
class Row:
    """One module measured: pJ a membrane, with glitches and settled."""

    name: str
    neuron: bool
    registers: bool
    bits: int
    node: str
    timing: str
    cells: int
    area_um2: float
    wrong: int  # outputs that differ from the integers
    glitches_pj: float  # everything, clock and leakage included
    settled_pj: float
    wires_pj: float  # of which, with glitches
    internal_pj: float
    clock_pj: float
    leakage_pj: float
    library: str = ""  # package and its version
    commit: str = ""

    @property
    def scope(self) -> str:
        if self.registers:
            return SCOPES[2]
        return SCOPES[1] if self.neuron else SCOPES[0]


def text(rows: Iterable[Row]) -> str:
    """Rows as CSV, four digits."""
    out = io.StringIO()
    table = csv.DictWriter(out, [f.name for f in fields(Row)], lineterminator="\n")
    table.writeheader()
    for row in rows:
        told = {
            k: f"{x:.4g}" if isinstance(x, float) else int(x) if x in (0, 1) else x
            for k, x in asdict(row).items()
        }
        table.writerow(told)
    return out.getvalue()


def read(path: Path | None = None) -> list[Row]:
    """Rows of a CSV; by default the committed ones.

    Raises:
        Fault: the file is missing or no such table.
    """
    path = Path(path) if path else committed(FILE)
    kinds = {f.name: f.type for f in fields(Row)}
    turn = {bool: lambda x: x == "1", int: int, float: float, str: str}
    try:
        with path.open(newline="") as lines:
            rows = [
                Row(**{k: turn[kinds[k]](x) for k, x in row.items()})
                for row in csv.DictReader(lines)
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise Fault("rows of real cells", expected=FILE, found=str(error)) from None
    return rows


def ratios(rows: list[Row], over: str = OURS) -> list[dict]:
    """Every datapath over ours: one dict a row, glitches and settled."""
    key = ("neuron", "registers", "bits", "node", "timing")
    ours = {tuple(getattr(r, k) for k in key): r for r in rows if r.name == over}
    out = []
    for r in rows:
        own = ours.get(tuple(getattr(r, k) for k in key))
        if own is None or r.name in (over, ADDER):
            continue
        told = {"datapath": r.name, "scope": r.scope, "bits": r.bits, "node": r.node}
        told |= {"timing": r.timing, "glitches": r.glitches_pj / own.glitches_pj}
        told |= {"settled": r.settled_pj / own.settled_pj}
        out.append(told | {"area": r.area_um2 / own.area_um2})
    return out + with_memory(rows)


def memory_pj(bits: int) -> float:
    """Reading and writing one membrane's word at 65 nm, 1.0 V, from the constants."""
    v = constants.values(constants.load())
    return float(memory.update_pj(v, WORDS, bits))


def at_65nm(rows: list[Row], row: Row, kind: str) -> float | None:
    """A unit's pJ at 65 nm: its energy over its library's adder's, times add8's."""
    adders = [r for r in rows if r.name == ADDER and r.node == row.node]
    same = [r for r in adders if r.bits == row.bits] or adders
    if not same:
        return None
    add8 = constants.values(constants.load())["add8"]
    anchor = add8 * same[0].bits / 8
    return anchor * getattr(row, kind) / getattr(same[0], kind)


def with_memory(rows: list[Row], over: str = OURS) -> list[dict]:
    """The registered neurons with a word of memory read and written beside them."""
    found = [r for r in rows if r.registers]
    key = ("bits", "node", "timing")
    ours = {tuple(getattr(r, k) for k in key): r for r in found if r.name == over}
    out = []
    for r in found:
        own = ours.get(tuple(getattr(r, k) for k in key))
        if own is None or r.name == over:
            continue
        told = {"datapath": r.name, "scope": SCOPES[3], "bits": r.bits}
        told |= {"node": r.node, "timing": r.timing}
        for kind in ("glitches", "settled"):
            pair = [at_65nm(rows, x, f"{kind}_pj") for x in (r, own)]
            if None not in pair:
                word = memory_pj(r.bits)
                told[kind] = (pair[0] + word) / (pair[1] + word)
        out += [told] if "settled" in told else []
    return out


def bands(rows: list[Row], name: str = RIVAL) -> list[dict]:
    """By scope: the ratio at 10 bits, settled, and the band over all that was varied.

    Returns rows {scope, ratio, low, high, n}: what a verdict for each scope needs.
    """
    out = []
    for scope in SCOPES:
        mine = [
            r for r in ratios(rows) if r["datapath"] == name and r["scope"] == scope
        ]
        if not mine:
            continue
        both = [r[kind] for r in mine for kind in ("settled", "glitches")]
        middle = [r for r in mine if r["bits"] == 10 and r["timing"] == "relaxed"]
        told = {"scope": scope, "ratio": middle[0]["settled"]}
        told |= {"with glitches": middle[0]["glitches"], "low": min(both)}
        out.append(told | {"high": max(both), "n": len(both)})
    return out


def verdicts(rows: list[Row], printed: float = PRINTED) -> list[dict]:
    """By scope, whether the band holds the printed ratio."""
    return [
        row | {"allows": bool(row["low"] <= printed <= row["high"])}
        for row in bands(rows)
    ]


VARIED = {  # what is varied: which rows to compare, all else equal
    "glitches": ("datapath", "scope", "bits", "node", "timing"),
    "node": ("datapath", "scope", "bits", "timing"),
    "width": ("datapath", "scope", "node", "timing"),
    "timing": ("datapath", "scope", "bits", "node"),
}


def spreads(rows: list[Row], name: str = RIVAL) -> list[dict]:
    """How far each choice moves the ratio: largest over smallest, all else equal."""
    found = [r for r in ratios(rows) if r["datapath"] == name]
    out = []
    for what, held in VARIED.items():
        groups: dict[tuple, list[float]] = {}
        for r in found:
            key = tuple(r[k] for k in held)
            if what == "glitches":
                groups[key] = [r["settled"], r["glitches"]]
                continue
            for kind in ("settled", "glitches"):
                groups.setdefault((*key, kind), []).append(r[kind])
        factors = [max(g) / min(g) for g in groups.values() if len(g) > 1]
        if factors:
            out.append({"what": what, "factor": max(factors), "pairs": len(factors)})
    return out


def sentence(rows: list[Row]) -> str:
    """What the bands say about the printed ratio, generated."""
    told = verdicts(rows)
    yes = [r["scope"] for r in told if r["allows"]]
    no = [r["scope"] for r in told if not r["allows"]]
    allows = f"allowed as: {', '.join(yes)}" if yes else "allowed in no scope"
    return f"{allows}; not as: {', '.join(no) or 'nothing else'}"


SHORT = {SCOPES[0]: "alone", SCOPES[1]: "neuron", SCOPES[2]: "with registers"}


def decays(rows: list[Row], bits: int = 10, node: str = "osu018") -> list[dict]:
    """A table of every datapath over ours: settled / with glitches, by scope; area."""
    found: dict[str, dict] = {}
    for r in ratios(rows):
        plain = r["bits"] == bits and r["node"] == node and r["timing"] == "relaxed"
        if not plain or r["scope"] not in SHORT:
            continue
        told = found.setdefault(r["datapath"], {"datapath": r["datapath"]})
        told[SHORT[r["scope"]]] = f"{r['settled']:.2f} / {r['glitches']:.2f}"
        if r["scope"] == SCOPES[0]:
            told["area alone"] = round(r["area"], 2)
    return list(found.values())


def draw(ax, bands, ink: str, accent: str, paper: str) -> None:
    """Ratios by scope with their bands, and the printed one, on axes of the caller."""
    for i, row in enumerate(bands.to_dict("records")):
        ax.plot([row["low"], row["high"]], [i, i], lw=5, alpha=0.35, color=accent)
        ax.plot(row["ratio"], i, "o", color=accent)
        ax.plot(row["with glitches"], i, "D", mfc="none", color=accent)
    ax.axvline(PRINTED, ls="--", color=paper)
    ax.set_yticks(range(len(bands)), list(bands["scope"]))
    ax.invert_yaxis()
    ax.set(xlabel="energy, v-LIF with an 8-bit β over LD-LIF", xlim=(0, None))
