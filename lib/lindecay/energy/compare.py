"""Whole designs side by side: the array's update and every rival, on one ledger.

    E(clip) = accumulation and merging + updates + leakage

Accumulation and merging are the ledger's in all of them; designs differ in the update,
and through its cycles in what leaks meanwhile. A design is a sum over layers: they work
one after another, or overlapped (a layer takes step t while the next takes t - 1).
"""

from dataclasses import dataclass, replace

from lindecay.arms import LINEAR, NO_DECAY, PRODUCT, SHIFT, UNITS
from lindecay.energy import baselines, events
from lindecay.energy.model import LEAKAGE, UPDATE, rows_of, swept
from lindecay.energy.network import Measured
from lindecay.settings import Fault

IN_ARRAY = {  # law of the ledger: its name beside the rivals
    "shrink": LINEAR,
    "exponential": PRODUCT,
    "shift": SHIFT,
    "floor": "LD-LIF, floor",
    "floor_after": "LD-LIF, floor after",
    "drift": "LD-LIF, drift",
    "none": NO_DECAY,
}


@dataclass(frozen=True)
class Part:
    """One layer of a design, a clip; energies in pJ without leakage."""

    name: str
    updates: float  # neurons x steps
    sops: float
    update: float  # pJ of all its updates
    other: float  # pJ of accumulation, merging, clears
    update_cycles: float
    other_cycles: float
    macros: float  # worth of macros that hold it, its rival's memory among them
    update_busy: float  # macro-cycles in which something works
    other_busy: float


@dataclass(frozen=True)
class Design:
    """One design on one network; energies in pJ, floats or arrays of draws."""

    law: str
    access: str
    layout: str
    parts: tuple[Part, ...]
    leak: float  # pJ a macro and cycle
    clock_mhz: float
    leakage: str = "always on"
    overlap: bool = False

    @property
    def name(self) -> str:
        """Law, access, layout."""
        return f"{self.law}, {self.access} ({self.layout})"

    def leaking(self, how: str) -> "Design":
        """The same under another leakage, a key of `model.LEAKAGE`."""
        if how not in LEAKAGE:
            raise Fault("no such leakage", expected=", ".join(LEAKAGE), found=how)
        return replace(self, leakage=how)

    def overlapped(self) -> "Design":
        """The same with all layers at work at once, each a step behind."""
        return replace(self, overlap=True)

    def only(self, layer: str) -> "Design":
        """One layer with its own macros."""
        kept = tuple(p for p in self.parts if p.name == layer)
        if not kept:
            known = ", ".join(p.name for p in self.parts)
            raise Fault("no such layer", expected=known, found=layer)
        return replace(self, parts=kept)

    def _sum(self, name: str):
        return sum(getattr(part, name) for part in self.parts)

    def _time(self, *names: str) -> float:
        join = max if self.overlap else sum
        return join(sum(getattr(p, n) for n in names) for p in self.parts)

    def _leaked(self, kind: str, cycles: float):
        if self.leakage == "gated":
            return self.leak * self._sum(f"{kind}_busy")
        always = self.leakage == "always on"
        return self.leak * self._sum("macros") * cycles if always else 0.0

    @property
    def updates(self) -> float:
        """Neuron updates a clip."""
        return self._sum("updates")

    @property
    def sops(self) -> float:
        """Synaptic operations a clip."""
        return self._sum("sops")

    @property
    def update_dynamic(self):
        """pJ a neuron update, without leakage."""
        return self._sum("update") / self.updates

    @property
    def other_dynamic(self):
        """pJ a clip of all the rest, without leakage."""
        return self._sum("other")

    @property
    def other_cycles(self) -> float:
        """Cycles of a clip that all the rest takes."""
        return self.cycles - self.update_cycles

    @property
    def update_cycles(self) -> float:
        """Cycles of a clip that updates take."""
        return self._time("update_cycles")

    @property
    def cycles(self) -> float:
        """Cycles a clip."""
        return self._time("update_cycles", "other_cycles")

    @property
    def update(self):
        """pJ a neuron update, with what leaks meanwhile."""
        leaked = self._leaked("update", self.update_cycles)
        return self.update_dynamic + leaked / self.updates

    @property
    def clip(self):
        """pJ a clip."""
        leaked = self._leaked("update", self.update_cycles)
        leaked = leaked + self._leaked("other", self.other_cycles)
        return self._sum("update") + self._sum("other") + leaked

    @property
    def sop(self):
        """pJ a synaptic operation, everything included."""
        return self.clip / self.sops

    @property
    def latency_us(self):
        """µs a clip."""
        return self.cycles / self.clock_mhz

    @property
    def edp(self):
        """pJ µs a clip."""
        return self.clip * self.latency_us

    @property
    def update_share(self):
        """(of energy, of cycles) that the update takes."""
        energy = self.update * self.updates / self.clip
        return energy, self.update_cycles / self.cycles

    def idle_pj(self, step_us: float, steps: int):
        """What all macros leak while a clip's steps wait for their bins to pass."""
        waiting = max(step_us * steps - float(self.cycles / self.clock_mhz), 0.0)
        return self.leak * self.clock_mhz * waiting * self._sum("macros")

    def row(self) -> dict:
        """For tables; one value of the constants."""
        energy, cycles = self.update_share
        return {
            "law": self.law,
            "update": self.access,
            "layout": self.layout,
            "pJ/update": float(self.update),
            "of which leakage": float(self.update - self.update_dynamic),
            "pJ/SOP": float(self.sop),
            "µJ/clip": float(self.clip) * 1e-6,
            "µs/clip": float(self.latency_us),
            "pJ·s/clip": float(self.edp) * 1e-6,
            "update, % of energy": 100 * float(energy),
            "update, % of time": 100 * float(cycles),
        }


def _shared(m: Measured, v: dict, layer: str) -> dict:
    """What all designs have in common in one layer of this ledger, a clip."""
    rows = [r for r in rows_of(m.ledger) if r["layer"] == layer]
    others = [r for r in rows if r["program"] not in UPDATE]
    clips, plan = m.shape.clips, m.layer(layer)
    cycles, busy = (
        sum(r[k] for r in others) / clips for k in ("cycles", "macro_cycles")
    )
    return {
        "name": layer,
        "updates": m.shape.steps * plan["outputs"],
        "sops": sum(r["sops"] for r in rows) / clips,
        "other": swept(others, v, m.shape, without=("leakage",)) / clips,
        "other_cycles": cycles,
        "other_busy": busy,
    }


def in_array(m: Measured, v: dict, law: str = "shrink") -> Design:
    """The design that the ledger counted: its own update programs."""
    parts = []
    for plan in m.layers:
        rows = [r for r in rows_of(m.ledger) if r["layer"] == plan["name"]]
        rows = [r for r in rows if r["program"] in UPDATE]
        pj = swept(rows, v, m.shape, without=("leakage",)) if rows else 0.0
        own = {
            "update": pj / m.shape.clips,
            "update_cycles": sum(r["cycles"] for r in rows) / m.shape.clips,
            "update_busy": sum(r["macro_cycles"] for r in rows) / m.shape.clips,
            "macros": plan["macros"],
        }
        parts.append(Part(**own, **_shared(m, v, plan["name"])))
    return Design(IN_ARRAY[law], "in the array", m.layout, tuple(parts), **_clock(m, v))


def _clock(m: Measured, v: dict) -> dict:
    leak = events.leakage_pj(v, m.shape.rows, m.shape.cols)
    return {"leak": leak, "clock_mhz": v["clock_mhz"]}


def rival(m: Measured, v: dict, law: str, access: str) -> Design:
    """The same network with its update done outside the array.

    How a step's sums arrive is the layout's: `baselines.HANDED`. The memory that a
    rival's membranes lie in leaks with the rest, cell by cell.
    """
    parts = []
    for plan in m.layers:
        one = baselines.rival(
            v, law, access, plan["B"], plan["outputs"], _sums(m, plan)
        )
        cells = plan["outputs"] * plan["B"] / (m.shape.rows * m.shape.cols)
        inside = one.cycles - one.reading
        beside = cells if access == "word-sequential" else 1
        held = plan["trees"] if m.layout == "C" else plan["macros"]
        own = {
            "update": one.pj * plan["outputs"] * m.shape.steps,
            "update_cycles": one.cycles * m.shape.steps,
            "update_busy": (one.reading + beside * inside) * m.shape.steps,
            "macros": held + cells,
        }
        parts.append(Part(**own, **_shared(m, v, plan["name"])))
    return Design(law, access, m.layout, tuple(parts), **_clock(m, v))


def _sums(m: Measured, plan: dict) -> baselines.Sums:
    """How the sums of a layer reach a unit outside."""
    how = baselines.HANDED[m.layout]
    tiles = plan.get("column_tiles", 0) if m.layout == "A" else 0
    return baselines.Sums(how, plan["A"], m.shape.rows, m.shape.cols, tiles)


def designs(m: Measured, v: dict, law: str | None = None) -> list[Design]:
    """The array and every rival on one ledger; `law` is that of the ledger."""
    outside = [
        rival(m, v, name, access) for access in baselines.ACCESSES for name in UNITS
    ]
    return [in_array(m, v, law or "shrink"), *outside]


def shares(found: list[Design]) -> dict[str, float]:
    """Where the gain over word-sequential v-LIF comes from, factors that multiply.

    wider access x a cheaper law x arithmetic inside the array; below 1 it loses.
    """
    by = {(d.law, d.access): d.update for d in found}
    law, linear = PRODUCT, LINEAR
    start, wide = by[law, "word-sequential"], by[law, "row-wide"]
    cheap, inside = by[linear, "row-wide"], by[linear, "in the array"]
    return {
        "row-wide access": start / wide,
        "linear instead of exponential": wide / cheap,
        "arithmetic in the array": cheap / inside,
        "all three": start / inside,
    }
