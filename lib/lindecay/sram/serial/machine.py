"""A layer as bits on its macros: cells, programs, schedule. Open to be looked at.

    decay -> extend -> accumulate (every input spike) -> merge -> bias
          -> clamp -> fire -> reset

Weights lie as bits in `cells`; the sequencer broadcasts λ and θ where they are one
value for the layer, otherwise they are rows.
"""

import numpy as np

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.laws import at_step
from lindecay.settings import Fault
from lindecay.sram.isa import programs as microcode
from lindecay.sram.isa.encoding import encode
from lindecay.sram.isa.programs import Cycle, Program
from lindecay.sram.ledger import PROGRAMS
from lindecay.sram.place.linear import leak_of, tags_kept
from lindecay.sram.place.plans import LayerPlan
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.place.tiling import Wires
from lindecay.sram.serial.planes import COLUMNS, WORDS, aligned, pack

MANY = ("accumulate", "merge")  # one program a tile, one a merge
ONE = [name for name in PROGRAMS if name not in MANY]
ID = np.array([ONE.index(n) if n in ONE else -1 for n in PROGRAMS], np.int64)


class LayerMachine:
    """One layer on its macros: bits, programs, schedule. Open to be looked at.

    `programs` maps a name to its Program (accumulate: one a row tile; drain, merge: one
    a merge); `schedule` names what a step does, in order. Tests break both on purpose.
    """

    def __init__(
        self,
        ck: Checkpoint,
        layer: Layer,
        plan: LayerPlan,
        spec: MacroSpec,
        linked=None,
    ):
        """`ck` speaks for this layer (`Checkpoint.of`).

        linked: where a neuron is connected, bool [outputs, inputs]; None: everywhere.
        """
        self.layer, self.plan, self.spec, self.law = layer, plan, spec, ck.law
        self.linked = np.ones(layer.w.shape, bool) if linked is None else linked
        self.words = WORDS * -(-plan.outputs // COLUMNS)
        self.used = aligned(pack(np.ones(plan.outputs, bool)))
        self.cells = np.zeros((plan.row_tiles, plan.rows, self.words), np.uint64)
        lam, theta = layer.row("lam"), layer.row("theta")
        self.registers = np.array([lam[0], theta[0]], np.int64)
        self.programs = _programs(ck, layer, plan, spec)
        self.schedule = _schedule(ck, layer)
        self.merges = list(plan.merges)
        self.events = np.zeros(0, np.int32)  # inputs that will spike, for mutants
        self._load(ck, lam, theta)

    def _load(self, ck: Checkpoint, lam: np.ndarray, theta: np.ndarray) -> None:
        """Write weights and per-neuron rows: the state before the first clip."""
        p = self.plan
        w = np.ascontiguousarray(self.layer.w.T).view(np.uint8)
        for k in range(p.bits):
            self.cells[p.tile_of, p.weight_row + k] = pack(w & np.uint8(1 << k))
        if "L" in self._rows_held():
            self._store(p.bases["L"], lam, ck.B - 1)
        if "H" in self._rows_held():
            self._store(p.bases["H"], theta, ck.B - 1)
        if p.bias_bits:
            self._store(p.bases["bias"], self.layer.row("bias"), p.bias_bits)
        self._factors(ck, self.layer.row("beta"))

    def _factors(self, ck: Checkpoint, factors: np.ndarray) -> None:
        """β of each neuron in binary, or a row of tags for each k in use."""
        leak, first = leak_of(ck, self.layer), self.plan.bases["K"]
        if leak.bits:
            self._store(first, factors, leak.bits)
        for i, k in enumerate(leak.ks):
            self._store(first + i, (factors == k).astype(np.int64), 1)

    def _rows_held(self) -> str:
        b = self.plan.bases
        return "L" * (b["H"] > b["L"]) + "H" * (b["M"] > b["H"])

    def _store(self, base: int, values: np.ndarray, bits: int) -> None:
        planes = values[None, :] >> np.arange(bits)[:, None] & 1
        self.cells[0, base : base + bits] = pack(planes)

    def bases(self, tile: int) -> list[int]:
        """First row of each space (V, W, L, H, M, K, I) on a row tile."""
        b = self.plan.bases
        if tile == 0:
            return [0, *(b[space] for space in "WLHMK"), b["bias"]]
        return [0, self.plan.weight_base(tile), 0, 0, 0, 0, 0]

    @property
    def own_rows(self) -> int:
        """Rows before the weights, on the row tile that has most of them."""
        return max(self.plan.bases["W"], self.plan.sum_rows)

    def fan_out(self, used=slice(None)) -> np.ndarray:
        """For each input, the neurons that it reaches, int64 [inputs]."""
        return self.linked[used].sum(0, dtype=np.int64)

    def zero_weights(self, used=slice(None)) -> np.ndarray:
        """For each input, the neurons that it reaches with a weight of 0."""
        silent = self.linked[used] & (self.layer.w[used] == 0)
        return silent.sum(0, dtype=np.int64)

    @property
    def wires(self) -> Wires:
        """Every input's wordline: all columns follow it."""
        every = np.arange(self.plan.inputs, dtype=np.int64)
        first = np.arange(self.plan.inputs + 1, dtype=np.int64)
        return Wires(first, 0 * every, every, self.fan_out(), self.zero_weights())

    @property
    def neurons(self) -> np.ndarray:
        """Neuron of each column of each tile of columns: here one, [1, outputs]."""
        return np.arange(self.plan.outputs, dtype=np.int64)[None]

    def check(self) -> None:
        """Refuse programs that break a port rule or leave the array."""
        names = microcode.SPACES
        for program, tile in self._listed():
            bases = dict(zip(names, self.bases(tile)))
            last = self.plan.slot_of[self.plan.tile_of == tile].max(initial=0)
            if program.name == "accumulate":
                bases["W"] += int(last) * self.plan.bits
            microcode.check(program, bases, self.plan.rows, self.spec.ports)
            self._apart(program, bases)

    def _apart(self, program: Program, bases: dict[str, int]) -> None:
        """Refuse a program that takes a row of weights for one of its own."""
        for i, cycle in enumerate(program.cycles):
            for space, k in cycle.a + cycle.b + cycle.w:
                most = self.plan.bits if space == "W" else self.own_rows - bases[space]
                if k >= most or (space, k) in cycle.w and space == "W":
                    told = f"{space}{k}"
                    microcode.refuse("no such row", program.name, i, told, f"< {most}")

    def _listed(self) -> list[tuple[Program, int]]:
        """Every program with the row tile that runs it, in the order of the table."""
        one = [(self.programs[name], 0) for name in PROGRAMS if name not in MANY]
        one += [(p, t) for t, p in enumerate(self.programs["accumulate"])]
        for m, drain, merge in zip(
            self.plan.merges, self.programs["drain"], self.programs["merge"]
        ):
            one += [(drain, m.src), (merge, m.dst)]
        return one

    def table(self) -> tuple[np.ndarray, ...]:
        """All programs in one table: rows, masks, first cycle, and sums of each."""
        programs = [program for program, _ in self._listed()]
        coded = [encode(program) for program in programs]
        starts = np.cumsum([0, *map(len, programs)]).astype(np.int64)
        rows, masks = (np.concatenate([c[i] for c in coded]) for i in (0, 1))
        sums = np.array([_sums(program) for program in programs], np.int64)
        return rows, masks, starts, sums

    def merge_table(self) -> np.ndarray:
        """int64 [merges, 5]: round, dst, src, program of the drain, bits sent."""
        first = len(PROGRAMS) - len(MANY) + self.plan.row_tiles
        order = {m: first + 2 * i for i, m in enumerate(self.plan.merges)}
        rows = [(m.round, m.dst, m.src, order[m], m.sent) for m in self.merges]
        return np.array(rows, np.int64).reshape(-1, 5)


def turned(machine: LayerMachine, registers, step: int) -> bool:
    """Turn the register of λ to this step's value; whether the decay runs at all.

    registers: an array or dict whose first entry, or "lam", is broadcast as λ.

    Raises:
        Fault: λ lies in rows, and the step asks for another one than those or 0.
    """
    lam = machine.layer.row("lam").astype(np.int64)
    here = at_step(machine.law, lam, step)
    registers["lam" if isinstance(registers, dict) else 0] = here[0]
    rows = "L" in machine._rows_held()
    if rows and here.any() and (here != lam).any():
        told = {"expected": "one λ a layer", "found": "λ of each neuron in rows"}
        raise Fault(f"law {machine.law} changes λ from step to step", **told)
    return bool(here.any())


def _sums(program: Program) -> list[int]:
    """Cycles, read wordlines, write wordlines and additions of a program."""
    told = [(len(c.a) + len(c.b), len(c.w), c.adds) for c in program.cycles]
    return [len(told), *(sum(column) for column in zip(*told))] if told else [0] * 4


def _programs(ck: Checkpoint, layer: Layer, p: LayerPlan, spec: MacroSpec) -> dict:
    ports = spec.ports
    per_theta = p.bases["M"] > p.bases["H"]
    leak = leak_of(ck, layer, p.A, spec.signed_beta)
    bias = microcode.accumulate(0, p.A, p.bias_bits, ports, "I")
    wide = p.A if (ck.law, ck.reset) == ("drift", "late") else p.B
    low = [p.f] + [0] * (p.row_tiles - 1)
    found = {
        "clear": microcode.clear(p.B),
        "decay": leak.program(ports),
        "extend": microcode.extend(p.B, p.A),
        "bias": bias if p.bias_bits else Program("bias", ()),
        "clamp": microcode.clamp(p.B, p.A, ports),
        "fire": microcode.fire(p.B, per_theta, ports),
        "reset": microcode.reset(ck.reset, p.B, per_theta, ports, wide),
        "accumulate": [
            microcode.accumulate(a, a + width, p.bits, ports)
            for a, width in zip(low, p.widths)
        ],
        "drain": [microcode.drain(m.sent) for m in p.merges],
        "merge": [microcode.merge(m.low, m.own, m.sent, m.width) for m in p.merges],
    }
    return _with_tags(found, leak.held) if tags_kept(ck, layer) else found


def _with_tags(programs: dict, row: int) -> dict:
    """A late reset whose tags wait in a row while the decay uses their latch."""
    kept = microcode.keep(row)
    rest = Cycle(w=kept.cycles[0].w, value="0")
    return programs | {
        "clear": programs["clear"] + Program("clear", (rest,)),
        "fire": programs["fire"] + kept,
        "reset": microcode.fetch(row) + programs["reset"],
    }


def _schedule(ck: Checkpoint, layer: Layer) -> list[str]:
    """The order of the contract; programs that are empty stay out."""
    steps = ["decay", "extend", "accumulate", "merge", "bias", "clamp", "fire", "reset"]
    if ck.law == "drift":  # extends the sign itself
        steps.remove("extend")
    if ck.law == "none":
        steps.remove("decay")
    if ck.law == "floor_after":
        steps = ["extend", "accumulate", "merge", "bias", "decay", *steps[5:]]
    if layer.bias is None:
        steps.remove("bias")
    if ck.reset == "late":  # the tags of the last step are still in their latches
        steps.remove("reset")
        steps.insert(1 if steps[0] == "decay" else 0, "reset")
    return steps
