"""Whole designs side by side: the array's update and every rival, on one ledger.

    E(clip) = accumulation and merging + updates + leakage x latency

Accumulation and merging are the ledger's in all of them; designs differ in the update,
and through its cycles in what leaks meanwhile. All macros of the network are powered.
"""

from dataclasses import dataclass

from lindecay.energy import baselines, events
from lindecay.energy.model import UPDATE, rows_of, swept
from lindecay.energy.network import Measured

IN_ARRAY = {  # law of the ledger: its name beside the rivals
    "shrink": "LD-LIF",
    "exponential": "v-LIF, 8-bit β",
    "shift": "shift-exponential",
    "floor": "LD-LIF, floor",
    "drift": "LD-LIF, drift",
    "none": "IF",
}


@dataclass(frozen=True)
class Design:
    """One design on one network; energies in pJ, floats or arrays of draws."""

    law: str
    access: str
    layout: str
    update_dynamic: float  # a neuron and step, mean over the network
    other_dynamic: float  # a clip: accumulation, merging, clears
    update_cycles: float  # a clip
    other_cycles: float  # a clip
    leak: float  # pJ a cycle, of everything that is powered
    clock_mhz: float
    updates: float  # a clip
    sops: float  # a clip

    @property
    def name(self) -> str:
        """Law, access, layout."""
        return f"{self.law}, {self.access} ({self.layout})"

    @property
    def update(self):
        """pJ a neuron update, with the leakage over the update's cycles."""
        return self.update_dynamic + self.leak * self.update_cycles / self.updates

    @property
    def cycles(self):
        """Cycles a clip."""
        return self.update_cycles + self.other_cycles

    @property
    def clip(self):
        """pJ a clip."""
        dynamic = self.update_dynamic * self.updates + self.other_dynamic
        return dynamic + self.leak * self.cycles

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


def _shared(m: Measured, v: dict) -> dict:
    """What all designs have in common on this ledger."""
    rows = rows_of(m.ledger)
    others = [p for p in {r["program"] for r in rows} if p not in UPDATE]
    dynamic = swept(rows, v, m.shape, others, without=("leakage",))
    cycles = sum(r["cycles"] for r in rows if r["program"] in others)
    return {
        "other_dynamic": dynamic / m.shape.clips,
        "other_cycles": cycles / m.shape.clips,
        "clock_mhz": v["clock_mhz"],
        "updates": m.shape.updates / m.shape.clips,
        "sops": sum(r["sops"] for r in rows) / m.shape.clips,
    }


def in_array(m: Measured, v: dict, law: str = "shrink", layout: str = "A") -> Design:
    """The design that the ledger counted: its own update programs."""
    rows = [r for r in rows_of(m.ledger) if r["program"] in UPDATE]
    dynamic = swept(rows, v, m.shape, without=("leakage",))
    return Design(
        law=IN_ARRAY[law],
        access="in the array",
        layout=layout,
        update_dynamic=dynamic / m.shape.updates,
        update_cycles=sum(r["cycles"] for r in rows) / m.shape.clips,
        leak=m.shape.macros * events.leakage_pj(v),
        **_shared(m, v),
    )


def rival(m: Measured, v: dict, law: str, access: str, layout: str = "A") -> Design:
    """The same network with its update done outside the array.

    The sum of a step is read from the columns that accumulated it (A bits; layout C
    hands it over by wire) and cleared there.
    """
    energy, cycles = 0.0, 0
    for plan in m.layers:
        sums = 0 if layout == "C" else plan["A"]
        one = baselines.rival(v, law, access, plan["B"], plan["outputs"], sum_bits=sums)
        energy, cycles = energy + one.pj * plan["outputs"], cycles + one.cycles
    bits = sum(plan["outputs"] * plan["B"] for plan in m.layers)
    memory = bits / (m.shape.rows * m.shape.cols)  # macros' worth of cells
    return Design(
        law=law,
        access=access,
        layout=layout,
        update_dynamic=energy / m.shape.neurons,
        update_cycles=cycles * m.shape.steps,
        leak=(m.shape.macros + memory) * events.leakage_pj(v),
        **_shared(m, v),
    )


def designs(m: Measured, v: dict, layout: str = "A", law: str = "shrink") -> list:
    """The array and every rival on one ledger."""
    outside = [
        rival(m, v, name, access, layout)
        for access in baselines.ACCESSES
        for name in baselines.LAWS
    ]
    return [in_array(m, v, law, layout), *outside]


def shares(found: list[Design]) -> dict[str, float]:
    """Where the gain over word-sequential v-LIF comes from, factors that multiply.

    wider access x a cheaper law x arithmetic inside the array; below 1 it loses.
    """
    by = {(d.law, d.access): d.update for d in found}
    law, linear = baselines.LAWS[0], "LD-LIF"
    start, wide = by[law, "word-sequential"], by[law, "row-wide"]
    cheap, inside = by[linear, "row-wide"], by[linear, "in the array"]
    return {
        "row-wide access": start / wide,
        "linear instead of exponential": wide / cheap,
        "arithmetic in the array": cheap / inside,
        "all three": start / inside,
    }


SCOPES = {
    "decay alone": "8-bit β product over one addition",
    "neuron without memory": "decay, add, compare, reset, registers",
    "neuron and memory, both word by word": "same access, the law differs",
    "neuron and memory, both row-wide": "same access, the law differs",
    "word-sequential v-LIF over row-wide LD-LIF": "access and law",
    "word-sequential v-LIF over LD-LIF in the array": "the frozen scope",
    "the same without leakage": "dynamic energy alone",
    "v-LIF over LD-LIF, both in the array": "bit-serial product over subtraction",
}


def scopes(m: Measured, product: Measured, v: dict) -> dict:
    """v-LIF over LD-LIF for everything that "the module" could contain.

    Args:
        m: the network's ledger, linear decay in the array.
        product: the same weights with the exponential decay in the array.
        v: values of the constants, floats or draws.
    """
    exp, lin, bits = baselines.LAWS[0], "LD-LIF", m.shape.bits
    logic = {law: sum(baselines.logic(v, law, bits).values()) for law in (exp, lin)}
    by_word, by_row = baselines.ACCESSES
    seq = rival(m, v, exp, by_word)
    seq_lin = rival(m, v, lin, by_word)
    wide, wide_lin = rival(m, v, exp, by_row), rival(m, v, lin, by_row)
    ours = in_array(m, v)
    ratios = (
        baselines.decay_pj(v, exp, bits) / baselines.decay_pj(v, lin, bits),
        logic[exp] / logic[lin],
        seq.update / seq_lin.update,
        wide.update / wide_lin.update,
        seq.update / wide_lin.update,
        seq.update / ours.update,
        seq.update_dynamic / ours.update_dynamic,
        in_array(product, v, "exponential").update / ours.update,
    )
    return dict(zip(SCOPES, ratios))
