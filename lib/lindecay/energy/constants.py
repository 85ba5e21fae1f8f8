"""Technology constants: value, spread, unit, node, supply, source, what was verified.

Read from data/technology.csv; units are checked there and then, once, with pint.
After that a constant is a float in one of `UNITS`.
"""

import csv
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from lindecay.energy import scaling
from lindecay.settings import Fault, committed

UNITS = ("pJ", "fF", "mW", "MHz", "mm", "mm**2", "pJ/mm", "ns", "dimensionless")
COUNTED = ("op", "SOP", "update")  # a unit may be per one of these
Role = Literal["model", "anchor", "comparator", "memory"]  # memory: never in a sum


class Constant(BaseModel):
    """One row of the table, at its own node and supply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    value: float
    low: float
    high: float
    unit: str
    node_nm: int
    vdd_V: float | None = None
    scale: Literal["energy", "voltage", "none"]
    role: Role
    kind: str  # silicon, model, simulation, synthesis, library, swept
    source: str  # key in book/references.bib, or "assumption"
    year: int
    verified: str  # rerun, read, abstract, table, title, secondary, from-memory, swept
    note: str = ""

    @model_validator(mode="after")
    def _spread_holds_value(self):
        if not 0 <= self.low <= self.value <= self.high:
            raise ValueError(f"{self.low} <= {self.value} <= {self.high} must hold")
        if self.scale != "none" and self.vdd_V is None:
            raise ValueError("a constant that scales needs its supply")
        return self

    @property
    def swept(self) -> bool:
        """Without a source: the range counts, its middle is used."""
        return self.verified == "swept"

    @property
    def unit_of_ours(self) -> str:
        """The unit of `headline`."""
        return _ours(self.unit)

    def factors(self) -> tuple[float, float]:
        """To the headline node and supply (65 nm, 1.0 V), low and high.

        They differ only for a node that the table of `scaling` does not have.
        """
        if self.scale == "energy":
            return scaling.band(self.node_nm, self.vdd_V)
        one = scaling.HEADLINE[1] / self.vdd_V if self.scale == "voltage" else 1.0
        return one, one

    def headline(self) -> tuple[float, float, float]:
        """(value, low, high) at 65 nm and 1.0 V, in our units."""
        (least, most), unit = self.factors(), _to_ours(self.unit)
        middle = (least * most) ** 0.5
        most, least, middle = most * unit, least * unit, middle * unit
        return self.value * middle, self.low * least, self.high * most


@cache
def _ours(unit: str) -> str:
    """Which of our units fits a unit of the table; Fault when none does."""
    import pint  # half a second: only where a table is read

    try:
        quantity = _registry().Quantity(1.0, unit if unit != "1" else "")
        for ours in UNITS:
            if quantity.is_compatible_with(ours):
                return ours
    except (pint.errors.UndefinedUnitError, AssertionError, ValueError):
        pass
    raise Fault("not a unit of the table", expected=", ".join(UNITS), found=unit)


@cache
def _to_ours(unit: str) -> float:
    """Factor from a unit of the table to ours."""
    ours = _ours(unit)
    quantity = _registry().Quantity(1.0, unit if unit != "1" else "")
    return float(quantity.to(ours).magnitude)


@cache
def _registry():
    import pint

    registry = pint.UnitRegistry()
    for name in COUNTED:
        registry.define(f"{name} = 1")
    return registry


def load(path: Path | str | None = None) -> dict[str, Constant]:
    """The table by key.

    Raises:
        Fault: names the file, the row and what is wrong with it.
    """
    path = Path(path) if path else committed("technology.csv")
    found: dict[str, Constant] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            one = _constant(row, f"line {number} of {path.name}")
            if one.key in found:
                raise Fault("two rows of one name", found=one.key, where=path.name)
            found[one.key] = one
    return found


def _constant(row: dict, where: str) -> Constant:
    try:
        one = Constant(**{k: v for k, v in row.items() if v != ""})
        one.headline()  # unit and supply are known, or say so now
        return one
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "row"
        raise Fault(
            "bad constant",
            expected=f"{field}: {first['msg']}",
            found=row.get("key") or "no key",
            where=where,
        ) from None
    except Fault as fault:
        raise Fault("bad constant", found=str(fault), where=where) from None


def swap(constants: dict[str, Constant], **values: float) -> dict[str, Constant]:
    """The same table with some values replaced, by name, in the row's own unit.

    The spread moves along: it keeps its ratio to the value.

    >>> table = swap(load(), clock_mhz=100)
    >>> table["clock_mhz"].value, table["clock_mhz"].high
    (100.0, 200.0)
    """
    out = dict(constants)
    for key, value in values.items():
        if key not in out:
            near = ", ".join(k for k in out if k[:4] == key[:4]) or "see technology.csv"
            raise Fault("no such constant", expected=near, found=key)
        if not value > 0:
            raise Fault("a constant is positive", found=f"{key} = {value}")
        ratio = value / out[key].value
        moved = {k: getattr(out[key], k) * ratio for k in ("value", "low", "high")}
        note = f"set by hand, was {out[key].value:g}"
        out[key] = out[key].model_copy(update=moved | {"note": note})
    return out


FLAVOURS = ("GP", "LP")  # low operating power, low standby power


def flavoured(constants: dict[str, Constant], flavour: str) -> dict[str, Constant]:
    """The table with the leakage of that device flavour: a choice, not a spread.

    >>> [flavoured(load(), f)["leakage_macro"].value for f in FLAVOURS]
    [0.178, 0.0018]
    """
    if flavour not in FLAVOURS:
        raise Fault("no such flavour", expected=" or ".join(FLAVOURS), found=flavour)
    if flavour == "GP":
        return constants
    own = constants["leakage_macro_lp"]
    moved = {k: getattr(own, k) for k in ("value", "low", "high", "note")}
    return constants | {
        "leakage_macro": constants["leakage_macro"].model_copy(update=moved)
    }


def parse_swap(text: str) -> dict[str, float]:
    """NAME=VALUE[,NAME=VALUE] of a command line.

    >>> parse_swap("clock_mhz=100,read_swing=1")
    {'clock_mhz': 100.0, 'read_swing': 1.0}
    """
    try:
        pairs = (part.split("=") for part in text.split(",") if part.strip())
        return {key.strip(): float(value) for key, value in pairs}
    except ValueError:
        raise Fault("not a swap", expected="NAME=VALUE,…", found=text) from None


def values(constants: dict[str, Constant], role: Role = "model") -> dict[str, float]:
    """Headline values of one role by key: what the formulas of the model take."""
    return {k: c.headline()[0] for k, c in constants.items() if c.role == role}


def draw(
    constants: dict[str, Constant], n: int, seed: int = 0, role: Role = "model"
) -> dict[str, np.ndarray]:
    """n draws of every constant, independent: triangular in the logarithm.

    The mode is the value, the ends are the spread (triangular as it is where it begins
    at zero). A prior of ours, not a
    measurement: most spreads come from two or three sources that disagree.
    """
    random = np.random.default_rng(seed)
    out = {}
    for key, one in constants.items():
        if one.role == role:
            spread = _triangular if one.low == 0 else _log_triangular
            out[key] = spread(random, *one.headline(), n)
    return out


def _triangular(random, value: float, low: float, high: float, n: int):
    return random.triangular(low, value, high, n)


def _log_triangular(random, value: float, low: float, high: float, n: int):
    if low == high:
        return np.full(n, value)
    left, mode, right = np.log([low, value, high])
    return np.exp(random.triangular(left, mode, right, n))
