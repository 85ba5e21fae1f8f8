"""Liberty: area, pin capacitance, internal power and leakage of a cell library.

    group(name) { attribute : value; attribute (values); group ... }

Read where Debian installs it, never copied. The parsers on PyPI are either GPL or long
without a release; what is needed is this grammar and four attributes, so it stands
here, and Yosys' own reader (areas) is the oracle of the tests.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from lindecay.settings import Fault

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}();:,]|[^\s{}();:,"]+', re.S)


@dataclass
class Group:
    """One group of a Liberty file."""

    kind: str
    args: tuple[str, ...] = ()
    attributes: dict[str, list] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def all(self, kind: str) -> list["Group"]:
        """Groups of that kind directly inside."""
        return [g for g in self.groups if g.kind == kind]

    def number(self, name: str, otherwise: float = 0.0) -> float:
        """A simple attribute as a float."""
        return float(self.attributes.get(name, [otherwise])[0])


def parse(text: str) -> Group:
    """The outermost group of a Liberty text.

    Raises:
        Fault: where brackets or words do not fit.

    >>> parse("library(x) { a : 1; cell(INV) { area : 2; } }").all("cell")[0].args
    ('INV',)
    """
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")
    tokens = TOKEN.findall(text)
    try:
        group, end = _group(tokens, 0)
    except (IndexError, ValueError):
        raise Fault("not a Liberty file", expected="groups", found="an end") from None
    if end < len(tokens):
        raise Fault("not a Liberty file", expected="one group", found=tokens[end])
    return group


def _args(tokens: list[str], i: int) -> tuple[list[str], int]:
    """Words between brackets that open at i."""
    stop = tokens.index(")", i)
    return [t.strip('"') for t in tokens[i + 1 : stop] if t != ","], stop + 1


def _group(tokens: list[str], i: int) -> tuple[Group, int]:
    args, j = _args(tokens, i + 1)
    out = Group(tokens[i], tuple(args))
    if tokens[j] != "{":
        raise ValueError(tokens[j])
    j += 1
    while tokens[j] != "}":
        if tokens[j] == ";":
            j += 1
        elif tokens[j + 1] == ":":
            stop = tokens.index(";", j)
            out.attributes[tokens[j]] = [t.strip('"') for t in tokens[j + 2 : stop]]
            j = stop + 1
        else:
            args, after = _args(tokens, j + 1)
            if after < len(tokens) and tokens[after] == "{":
                inner, j = _group(tokens, j)
                out.groups.append(inner)
            else:
                out.attributes[tokens[j]] = args
                j = after
    return out, j + 1


def _floats(values: list[str]) -> np.ndarray:
    rows = [[float(x) for x in row.replace(",", " ").split()] for row in values]
    return np.array(rows)


@dataclass(frozen=True)
class Table:
    """Energy in pJ over output load in pF (rows, if any) and input slew in ns."""

    load: np.ndarray
    slew: np.ndarray
    values: np.ndarray

    def at(self, load: float, slew: float) -> float:
        """Interpolated, held at the edges."""
        across = np.array([np.interp(slew, self.slew, row) for row in self.values])
        return float(np.interp(load, self.load, across))


def _table(group: Group) -> Table:
    index = [_floats(group.attributes[k])[0] for k in ("index_1", "index_2")
             if k in group.attributes]  # fmt: skip
    values = _floats(group.attributes["values"])
    load = index[0] if len(index) == 2 else np.zeros(1)
    return Table(load, index[-1], values)


@dataclass(frozen=True)
class Pin:
    """A pin of a cell."""

    direction: str
    pf: float
    clock: bool
    tables: tuple[Table, ...]  # of internal power, rise and fall of each arc

    def internal_pj(self, load: float, slew: float) -> float:
        """Mean energy of one toggle inside the cell."""
        found = [t.at(load, slew) for t in self.tables]
        return float(np.mean(found)) if found else 0.0


@dataclass(frozen=True)
class Cell:
    """A cell: area in the library's unit, leakage in nW."""

    area: float
    leakage_nw: float
    pins: dict[str, Pin]


@dataclass(frozen=True)
class Library:
    """A cell library at its nominal supply."""

    name: str
    vdd_v: float
    cells: dict[str, Cell]


def _pin(group: Group) -> Pin:
    power = [t for p in group.all("internal_power") for t in p.groups]
    return Pin(
        group.attributes["direction"][0],
        group.number("capacitance"),
        group.attributes.get("clock", ["false"])[0] == "true",
        tuple(_table(t) for t in power if t.kind in ("rise_power", "fall_power")),
    )


def library(text: str) -> Library:
    """Cells of a Liberty text.

    Raises:
        Fault: no Liberty, other units, or no power tables.
    """
    top = parse(text)
    unit = [*top.attributes.get("capacitive_load_unit", ["1", "pf"])]
    units = {"capacitance": unit == ["1", "pf"], "voltage": "1V", "time": "1ns"}
    for name in ("voltage", "time"):
        units[name] = top.attributes.get(f"{name}_unit", ["1V"])[0] == units[name]
    if not all(units.values()):
        raise Fault("units of the library", expected="pf, 1V, 1ns", found=str(unit))
    cells = {
        g.args[0]: Cell(
            g.number("area"),
            g.number("cell_leakage_power"),
            {p.args[0]: _pin(p) for p in g.all("pin")},
        )
        for g in top.all("cell")
    }
    powered = [p for c in cells.values() for p in c.pins.values() if p.tables]
    if not powered:
        raise Fault(
            "a library without power tables",
            expected="internal_power in its cells",
            found=f"{len(cells)} cells with none",
        )
    return Library(top.args[0], top.number("nom_voltage"), cells)


@cache
def read(path: Path) -> Library:
    """The library of a file; Fault when it is missing."""
    if not Path(path).exists():
        raise Fault("no such library", expected="a Liberty file", found=str(path))
    return library(Path(path).read_text())
