"""A layer as bits on its macros: cells, programs, schedule. Open to be looked at.

    decay -> extend -> accumulate (every input spike) -> merge -> bias
          -> clamp -> fire -> reset

Weights lie as bits in `cells`; the sequencer broadcasts λ and θ where they are one
value for the layer, otherwise they are rows.
"""

import numpy as np

from lindecay.quantization import Checkpoint, Layer
from lindecay.sram.isa import programs as microcode
from lindecay.sram.isa.encoding import encode
from lindecay.sram.isa.programs import Program
from lindecay.sram.ledger import PROGRAMS
from lindecay.sram.place.plans import LayerPlan
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial.planes import COLUMNS, WORDS, aligned, pack

MANY = ("accumulate", "merge")  # one program a tile, one a merge
ONE = [name for name in PROGRAMS if name not in MANY]
ID = np.array([ONE.index(n) if n in ONE else -1 for n in PROGRAMS], np.int64)


class LayerMachine:
    """One layer on its macros: bits, programs, schedule. Open to be looked at.

    `programs` maps a name to its Program (accumulate: one a row tile; drain, merge: one
    a merge); `schedule` names what a step does, in order. Tests break both on purpose.
    """

    def __init__(self, ck: Checkpoint, layer: Layer, plan: LayerPlan, spec: MacroSpec):
        self.layer, self.plan, self.spec, self.law = layer, plan, spec, ck.law
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
            self._store(p.bases["bias"], self.layer.bias, p.bias_bits)

    def _rows_held(self) -> str:
        b = self.plan.bases
        return "L" * (b["H"] > b["L"]) + "H" * (b["M"] > b["H"])

    def _store(self, base: int, values: np.ndarray, bits: int) -> None:
        planes = values[None, :] >> np.arange(bits)[:, None] & 1
        self.cells[0, base : base + bits] = pack(planes)

    def bases(self, tile: int) -> list[int]:
        """First row of each space (V, W, L, H, M) on a row tile."""
        b = self.plan.bases
        if tile == 0:
            return [0, b["W"], b["L"], b["H"], b["M"]]
        return [0, self.plan.weight_base(tile), 0, 0, 0]

    def zero_weights(self) -> np.ndarray:
        """For each input, the neurons whose weight is 0, int64 [inputs]."""
        p = self.plan
        held = np.zeros((p.inputs, self.words), np.uint64)
        for k in range(p.bits):
            held |= self.cells[p.tile_of, p.weight_row + k]
        return p.outputs - np.bitwise_count(held).sum(1, dtype=np.int64)

    def check(self) -> None:
        """Refuse programs that break a port rule or leave the array."""
        names = microcode.SPACES
        for program, tile in self._listed():
            bases = dict(zip(names, self.bases(tile)))
            if program.name == "bias":
                bases["W"] = self.plan.bases["bias"]
            last = self.plan.slot_of[self.plan.tile_of == tile].max(initial=0)
            if program.name == "accumulate":
                bases["W"] += int(last) * self.plan.bits
            microcode.check(program, bases, self.plan.rows, self.spec.ports)

    def _listed(self) -> list[tuple[Program, int]]:
        """Every program with the row tile that runs it, in the order of the table."""
        one = [(self.programs[name], 0) for name in PROGRAMS if name not in MANY]
        one += [(p, t) for t, p in enumerate(self.programs["accumulate"])]
        for m, drain, merge in zip(
            self.plan.merges, self.programs["drain"], self.programs["merge"]
        ):
            one += [(drain, m.src), (merge, m.dst)]
        return one

    def table(self):
        """All programs in one table: rows, masks, first cycle of each, and names."""
        programs = [program for program, _ in self._listed()]
        coded = [encode(program) for program in programs]
        starts = np.cumsum([0, *map(len, programs)])
        rows, masks = (np.concatenate([c[i] for c in coded]) for i in (0, 1))
        return rows, masks, starts.astype(np.int64), [p.name for p in programs]

    def merge_table(self) -> np.ndarray:
        """int64 [merges, 5]: round, dst, src, program of the drain, bits sent."""
        first = len(PROGRAMS) - len(MANY) + self.plan.row_tiles
        order = {m: first + 2 * i for i, m in enumerate(self.plan.merges)}
        rows = [(m.round, m.dst, m.src, order[m], m.sent) for m in self.merges]
        return np.array(rows, np.int64).reshape(-1, 5)


def _programs(ck: Checkpoint, layer: Layer, p: LayerPlan, spec: MacroSpec) -> dict:
    ports = spec.ports
    per_lam, per_theta = p.bases["H"] > p.bases["L"], p.bases["M"] > p.bases["H"]
    beta = 0 if layer.beta is None else int(layer.beta)
    bias = microcode.accumulate(0, p.A, p.bias_bits, ports).cycles
    low = [p.f] + [0] * (p.row_tiles - 1)
    return {
        "clear": microcode.clear(p.B),
        "decay": microcode.decay(
            ck.law, p.B, p.A, beta, layer.beta_shift, per_lam, spec.signed_beta, ports
        ),
        "extend": microcode.extend(p.B, p.A),
        "bias": Program("bias", bias if p.bias_bits else ()),
        "clamp": microcode.clamp(p.B, p.A, ports),
        "fire": microcode.fire(p.B, per_theta, ports),
        "reset": microcode.reset(ck.reset, p.B, per_theta, ports),
        "accumulate": [
            microcode.accumulate(a, a + width, p.bits, ports)
            for a, width in zip(low, p.widths)
        ],
        "drain": [microcode.drain(m.sent) for m in p.merges],
        "merge": [microcode.merge(m.low, m.own, m.sent, m.width) for m in p.merges],
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
