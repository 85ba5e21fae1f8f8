"""Ledger times constants: picojoules by component, layer and program.

    E = sum over components of (count of its event) x (price of its event)

The ledger counts and holds no joules; the prices are in `events`. One node, one
supply (65 nm, 1.0 V). The bill is a table [layer and program, component], so every
view of it (components, programs, layers) has the same total.

Idle time between time steps is not billed: a step starts when the last one ended.
`Bill.real_time_leakage_pj` says what it would cost to wait for the events instead.
"""

from dataclasses import dataclass

import numpy as np

from lindecay.energy import constants as table
from lindecay.energy import events
from lindecay.settings import Fault

UPDATE = (  # once a step, every neuron; `enter` and `update`: layout C
    "enter",
    "decay",
    "extend",
    "clamp",
    "fire",
    "reset",
    "update",
)
MERGE = ("drain", "merge")  # partial sums of row tiles
COUNTED_AT = {"update": UPDATE, "merge": MERGE, "clear": ("clear",)}
LEAKAGE = {
    "always on": "every macro leaks as long as the network works on a clip",
    "gated": "a macro leaks in the cycles in which it works; waking costs nothing",
    "none": "no leakage",
}
NEEDED = (
    "cycles macro_cycles read_rows write_rows columns_read sense_ops adder_ops "
    "columns_written columns_selected discharges flips queue_entries transport_bits "
    "sops"
).split()


@dataclass(frozen=True)
class Shape:
    """What the ledger's counts refer to.

    Args:
        rows, cols: cells of one macro.
        macros: macros that hold the network; all of them leak while one works.
        clips, steps: clips run, time steps of each.
        neurons: neurons of the whole network.
        bits: membrane bits B.
        address_bits: bits of a queue entry.
    """

    macros: int
    clips: int
    steps: int
    neurons: int
    bits: int
    rows: int = 256
    cols: int = 256
    address_bits: int = 12

    @property
    def updates(self) -> int:
        """Neuron updates: every neuron, every step, every clip."""
        return self.clips * self.steps * self.neurons


@dataclass(frozen=True)
class Bill:
    """Energies in pJ: `pj[row, component]`, rows are (layer, program)."""

    pj: np.ndarray
    keys: tuple[tuple[str, str], ...]
    components: tuple[str, ...]
    counts: dict[str, int]
    shape: Shape
    values: dict[str, float]

    @property
    def total_pj(self) -> float:
        """Everything, in pJ."""
        return float(self.pj.sum())

    @property
    def per_sop_pj(self) -> float:
        """Total over synaptic operations: input events x fan-out, zero weights too."""
        return self.total_pj / self.counts["sops"]

    @property
    def per_clip_pj(self) -> float:
        """Total over clips."""
        return self.total_pj / self.shape.clips

    @property
    def per_step_pj(self) -> float:
        """Total over clips and time steps."""
        return self.per_clip_pj / self.shape.steps

    @property
    def per_update_pj(self) -> float:
        """Decay, sign extension, clamp, fire, reset of one neuron in one step."""
        return self.of(*UPDATE) / self.shape.updates

    @property
    def latency_us(self) -> float:
        """Critical path of one clip: its cycles at the assumed clock."""
        return self.counts["cycles"] / self.shape.clips / self.values["clock_mhz"]

    def of(self, *programs: str) -> float:
        """pJ of some programs."""
        chosen = [program in programs for _, program in self.keys]
        return float(self.pj[chosen].sum())

    def by_component(self) -> dict[str, float]:
        """pJ by component; sums to the total."""
        return dict(zip(self.components, self.pj.sum(axis=0).tolist()))

    def by_program(self) -> dict[str, float]:
        """pJ by program; sums to the total."""
        return self._grouped(1)

    def by_layer(self) -> dict[str, float]:
        """pJ by layer; sums to the total."""
        return self._grouped(0)

    def _grouped(self, which: int) -> dict[str, float]:
        out: dict[str, float] = {}
        for key, row in zip(self.keys, self.pj.sum(axis=1).tolist()):
            out[key[which]] = out.get(key[which], 0.0) + row
        return out

    def parts(self) -> dict[str, float]:
        """The whole list of the headline: components, with merging and clears apart.

        `clears` is the write of rest at the start of a clip; the masked clear of a
        shrinking membrane is part of decay.
        """
        apart = {"merging": MERGE, "clears": ("clear",)}
        named = {k for programs in apart.values() for k in programs}
        rest = [program not in named for _, program in self.keys]
        out = dict(zip(self.components, self.pj[rest].sum(axis=0).tolist()))
        return out | {name: self.of(*programs) for name, programs in apart.items()}

    def real_time_leakage_pj(self, step_us: float) -> float:
        """Leakage of a clip when each step waits for its time bin to pass."""
        waiting = max(step_us * self.shape.steps - self.latency_us, 0)
        one = events.leakage_pj(self.values, self.shape.rows, self.shape.cols)
        return one * self.values["clock_mhz"] * waiting * self.shape.macros


def rows_of(ledger) -> list[dict]:
    """Rows of a Ledger, of `to_rows()`, or of its JSON; checked for what we bill."""
    rows = ledger.to_rows() if hasattr(ledger, "to_rows") else list(ledger)
    for row in rows:
        missing = [name for name in ("layer", "program", *NEEDED) if name not in row]
        if missing:
            what = "a ledger row lacks a count"
            raise Fault(what, expected=", ".join(missing), found=", ".join(row))
    if not rows:
        raise Fault("an empty ledger", expected="rows of counts", found="none")
    return rows


def counted(
    rows: list[dict], macros: int, leakage: str = "always on"
) -> dict[str, np.ndarray]:
    """Counts by field, int64 [rows], with the three that the prices derive."""
    if leakage not in LEAKAGE:
        known = ", ".join(LEAKAGE)
        raise Fault("no such leakage", expected=known, found=repr(leakage))
    names = {n: None for row in rows for n in row if n not in ("layer", "program")}
    out = {n: np.array([row.get(n, 0) for row in rows], dtype=np.int64) for n in names}
    out["row_activations"] = out["read_rows"] + out["write_rows"]
    out["half_selected"] = out["columns_written"] - out["columns_selected"]
    leaking = {"always on": out["cycles"] * macros, "gated": out["macro_cycles"]}
    out["leaking_cycles"] = leaking.get(leakage, 0 * out["cycles"])
    return out


def bill(
    ledger,
    constants: dict | None = None,
    shape: Shape | None = None,
    leakage: str = "always on",
) -> Bill:
    """Energy of a ledger.

    Args:
        ledger: counts by (layer, program): a Ledger, or its rows.
        constants: the table (`constants.load()`, or with some values swapped).
        shape: macros, clips, steps, neurons, bits.
        leakage: a key of `LEAKAGE`.

    Returns:
        A Bill; its components sum to its total.
    """
    rows = rows_of(ledger)
    if shape is None:
        raise Fault("no shape", expected="an energy.model.Shape", found="none")
    values = table.values(constants if constants is not None else table.load())
    counts = counted(rows, shape.macros, leakage)
    prices = _prices(values, counts, shape)
    pj = np.stack([counts[field] * price for field, price in prices.values()], axis=1)
    keys = tuple((str(row["layer"]), str(row["program"])) for row in rows)
    totals = {name: int(column.sum()) for name, column in counts.items()}
    return Bill(pj, keys, tuple(prices), totals, shape, values)


def _prices(values: dict, counts: dict, shape: Shape) -> dict:
    found = events.prices(values, shape.rows, shape.cols, shape.address_bits)
    return {name: pair for name, pair in found.items() if pair[0] in counts}


def swept(ledger, draws: dict, shape: Shape, programs=(), without=()):
    """Total pJ for every draw of the constants, [draws] (or one, for one value).

    Args:
        programs: only these, when any are named.
        without: components that are left out.

    The bill is linear in its prices, so counts are summed once.
    """
    rows = [r for r in rows_of(ledger) if not programs or r["program"] in programs]
    sums = {k: int(x.sum()) for k, x in counted(rows, shape.macros).items()}
    prices = _prices(draws, sums, shape)
    kept = [pair for name, pair in prices.items() if name not in without]
    return sum(sums[field] * price for field, price in kept)
