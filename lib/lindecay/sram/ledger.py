"""The ledger: events counted, by layer and program. Counts only, never joules.

Structural counters follow from the programs (`closed_forms`); discharges, flips,
selected columns, fired, cleared and clamped membranes depend on the bits.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

import numpy as np

from lindecay.settings import Fault

PROGRAMS = (
    "clear",  # membranes to rest at the start of a clip
    "decay",
    "extend",  # sign into the guard rows
    "accumulate",
    "merge",
    "bias",
    "clamp",
    "fire",
    "reset",
)
UPDATE = ("decay", "extend", "clamp", "fire", "reset")  # once a step, every neuron


@dataclass
class Counts:
    """Events of one program of one layer."""

    cycles: int = 0  # critical path: the slowest tile
    macro_cycles: int = 0  # summed over macros
    read_rows: int = 0  # read wordlines raised
    write_rows: int = 0  # write wordlines raised
    columns_read: int = 0  # bitlines precharged and sensed
    sense_ops: int = 0
    adder_ops: int = 0  # one full adder, one cycle
    columns_written: int = 0  # bitlines driven, half-selected columns included
    columns_selected: int = 0  # columns that the write meant
    discharges: int = 0  # read bitlines that fell (the cell held 1)
    flips: int = 0  # cells that changed
    queue_entries: int = 0  # spikes that passed a queue
    transport_bits: int = 0  # bits of partial sums between macros
    sops: int = 0  # input events times fan-out
    zero_sops: int = 0  # of those, over a weight of 0
    fired: int = 0
    cleared: int = 0  # membranes that the decay brought to rest
    clamped: int = 0

    def __getitem__(self, name: str) -> int:
        return getattr(self, name)

    def __add__(self, other: "Counts") -> "Counts":
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})


FIELDS = tuple(field.name for field in fields(Counts))


class Ledger:
    """Counts by (layer, program).

    >>> one = Ledger({("hidden", "decay"): Counts(cycles=9)})
    >>> (one + one).total().cycles
    18
    """

    def __init__(self, table: dict[tuple[str, str], Counts] | None = None):
        self.table = dict(table or {})

    @classmethod
    def from_array(cls, layer: str, counts: np.ndarray) -> "Ledger":
        """From int64 [programs, fields], as the interpreter fills it."""
        rows = zip(PROGRAMS, counts.tolist(), strict=True)
        return cls({(layer, name): Counts(*row) for name, row in rows if any(row)})

    def __getitem__(self, key: tuple[str, str]) -> Counts:
        return self.table.get(key, Counts())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.table)

    def __eq__(self, other) -> bool:
        return isinstance(other, Ledger) and self.table == other.table

    def __add__(self, other: "Ledger") -> "Ledger":
        keys = [*self.table, *(k for k in other.table if k not in self.table)]
        return Ledger({key: self[key] + other[key] for key in keys})

    def total(self) -> Counts:
        """Everything; `cycles` then assumes one program after the other."""
        return sum(self.table.values(), Counts())

    def _grouped(self, place: int) -> dict[str, Counts]:
        out: dict[str, Counts] = {}
        for key, counts in self.table.items():
            out[key[place]] = out.get(key[place], Counts()) + counts
        return out

    def by_layer(self) -> dict[str, Counts]:
        """Sums over programs."""
        return self._grouped(0)

    def by_program(self) -> dict[str, Counts]:
        """Sums over layers."""
        return self._grouped(1)

    def to_rows(self) -> list[dict]:
        """One dict for each layer and program, for tables."""
        return [
            {"layer": layer, "program": program, **asdict(counts)}
            for (layer, program), counts in self.table.items()
        ]

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        return json.dumps({"format": 1, "rows": self.to_rows()})

    @classmethod
    def from_json(cls, text: str) -> "Ledger":
        """Fault when the text is no ledger of this format."""
        try:
            found = json.loads(text)
            if found["format"] != 1:
                raise ValueError(f"format {found['format']}")
            table = {}
            for row in found["rows"]:
                row = dict(row)
                key = (row.pop("layer"), row.pop("program"))
                table[key] = Counts(**row)
        except (ValueError, KeyError, TypeError) as error:
            raise Fault(
                "not a ledger", expected="JSON of format 1", found=str(error)
            ) from None
        return cls(table)

    def conserved(self, columns: int) -> list[str]:
        """Conservation laws that do not hold, in words; empty when all hold."""
        broken = []
        for (layer, program), c in self.table.items():
            laws = {
                "every read wordline reads all columns": c.columns_read
                == c.read_rows * columns,
                "every bitline read is sensed": c.sense_ops == c.columns_read,
                "every write drives all columns": c.columns_written
                == c.write_rows * columns,
                "no more selected than driven": c.columns_selected <= c.columns_written,
                "only selected cells flip": c.flips <= c.columns_selected,
                "only read bitlines fall": c.discharges <= c.columns_read,
                "the slowest tile is one of them": c.cycles <= c.macro_cycles,
                "at most two reads a cycle": c.read_rows <= 2 * c.macro_cycles,
                "at most one write a cycle": c.write_rows <= c.macro_cycles,
                "a weight of 0 is a SOP too": c.zero_sops <= c.sops,
            }
            broken += [f"{layer} {program}: {k}" for k, ok in laws.items() if not ok]
        return broken
