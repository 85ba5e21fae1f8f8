"""A machine's bits as planes, and clips through them: the bit-sliced tier of a layer.

    planes = tiles of columns side by side; of a convolution, all tiles of its map

It loads what a `LayerMachine` or `TiledMachine` holds, runs `sliced`, and reads traces
and ledgers out.
"""

import numpy as np

from lindecay.integer import LayerTrace
from lindecay.laws import OWN
from lindecay.sram.isa.encoding import (
    A_ROW,
    ADD_T,
    ADD_W,
    B_ROW,
    KIND,
    RUN,
    encode,
)
from lindecay.sram.ledger import FIELDS, PROGRAMS, Ledger
from lindecay.sram.serial import sliced
from lindecay.sram.serial.machine import ID, ONE, LayerMachine, turned
from lindecay.sram.serial.planes import COLUMNS, WORDS, aligned, pack

_F = {name: i for i, name in enumerate(FIELDS)}


class Runner:
    """One layer at speed.

    Args:
        machine: a LayerMachine, or a TiledMachine (all tiles run side by side).
        clips, steps: of the trace; record: keep U and V of every step.
        busiest: events of the busiest step; 0 where steps come one by one.
    """

    def __init__(self, machine, clips: int, steps: int, record: bool, busiest: int):
        self.machine, self.steps = machine, steps
        one: LayerMachine = getattr(machine, "machine", machine)
        self.tile = one
        one.check()
        self.counts = np.zeros((len(PROGRAMS), len(FIELDS)), np.int64)
        self._shape()
        self._cells()
        bases = np.array([one.bases(t) for t in range(one.plan.row_tiles)], np.int64)
        rows, masks, *rest = one.table()
        self.held.append(masks)
        address = masks.ctypes.data
        self.code = sliced.Code(rows, address, *rest, bases, one.registers)
        self._ways()
        out = machine.plan.outputs
        self.S = np.zeros((clips, steps, out), np.uint8)
        kept = (clips, steps, out) if record else (0, 0, 0)
        U, V = (np.zeros(kept, np.int32) for _ in "UV")
        last = np.zeros((clips, out), np.int32)
        self.seen = sliced.Seen(self._columns().reshape(-1), U, V, self.S, last)
        self._room(busiest)

    def _shape(self) -> None:
        one, tiles = self.tile, len(self.machine.neurons)
        span = one.words // WORDS
        across = one.plan.column_tiles if tiles == 1 else 1
        self.shape = sliced.Shape(
            tiles * span, one.own_rows, span, across, one.plan.bits
        )

    def _columns(self) -> np.ndarray:
        """Neuron of each column of the planes, -1 where there is none."""
        mine, wide = self.machine.neurons, self.shape.span * COLUMNS
        return np.pad(mine, ((0, 0), (0, wide - mine.shape[1])), constant_values=-1)

    def _cells(self) -> None:
        """Own rows of every tile, weights of one, latches, bus."""
        one, s = self.tile, self.shape
        p, tiles = one.plan, s.planes // s.span
        used = pack(self._columns() >= 0).reshape(tiles, s.span, WORDS)
        used &= one.used.reshape(s.span, WORDS)
        rows = one.cells[:, : s.height].reshape(p.row_tiles, s.height, s.span, WORDS)
        own = np.broadcast_to(
            rows.transpose(0, 2, 1, 3)[:, None],
            (p.row_tiles, tiles, s.span, s.height, WORDS),
        )
        first = p.weight_row[:, None] + np.arange(p.bits)
        held = one.cells[p.tile_of[:, None], first]  # [inputs, bits, words]
        weights = held.reshape(p.inputs, p.bits, s.span, WORDS).transpose(0, 2, 1, 3)
        own = own & used[None, :, :, None]
        for t, start in enumerate([p.bases["W"], *[p.sum_rows] * (p.row_tiles - 1)]):
            own[t, :, :, start:] = 0  # rows of weights are read as weights alone
        latches = np.zeros(p.row_tiles * s.planes * 3 * WORDS, np.uint64)
        bus = np.zeros(s.planes * sliced.LONGEST * WORDS, np.uint64)
        arrays = (own, latches, np.ascontiguousarray(weights), bus, used)
        self.held = [aligned(x) for x in (*arrays, 0 * used, 0 * used)]  # kept alive
        self.cells = sliced.Cells(*(x.ctypes.data for x in self.held))

    def _ways(self) -> None:
        one, wires = self.tile, self.machine.wires
        order = [PROGRAMS.index(name) for name in one.schedule]
        told = (wires.first, wires.tile, wires.local, wires.fan, wires.zeros)
        told = [np.ascontiguousarray(x, dtype=np.int64) for x in told]
        more = (one.plan.tile_of, one.merge_table(), np.array(order, np.int64), ID)
        columns = np.bitwise_count(self.held[4].reshape(-1, WORDS)).sum(1)
        last = (self._runs(), columns.astype(np.int64))
        self.ways = sliced.Ways(*told, *more, len(ONE), *last)
        still = [i for i in order if PROGRAMS[i] != "decay"]
        self.idle = self.ways._replace(schedule=np.array(still, np.int64))
        self.most = int(np.diff(wires.first).max(initial=1))

    def _runs(self) -> np.ndarray:
        """First row, rows of the weight and of its sign, where all tiles just add."""
        out = []
        for program in self.tile.programs["accumulate"]:
            rows, _ = encode(program)
            first = int(rows[0, RUN]) if rows[0, KIND] == ADD_W else 0
            rest = len(rows) - first
            whole = not rest or (
                rows[first, KIND] == ADD_T and rows[first, RUN] == rest
            )
            from_0 = program.cycles[0].carry == "0" and rows[0, B_ROW] == 0
            out.append([rows[0, A_ROW], first * (whole and from_0), rest])
        runs = np.array(out, np.int64)
        return runs if runs[:, 1].all() else 0 * runs

    def _room(self, events: int) -> None:
        """Room for the jobs of the busiest step."""
        jobs = max(events * self.most, 2 * len(self.tile.merges), 1)
        self.work = np.zeros((jobs, 5), np.int64)

    def go(self, indptr, channel, clips: tuple, times: tuple) -> None:
        """Some clips through some steps; events as CSR over (clip, step)."""
        law = OWN.get(self.tile.law)
        if law is None or law.timed is None:
            return self._go(self.ways, indptr, channel, clips, times)
        for c in range(*clips):
            for t in range(*times):
                runs = turned(self.tile, self.code.registers, t)
                ways = self.ways if runs else self.idle
                self._go(ways, indptr, channel, (c, c + 1), (t, t + 1))

    def _go(self, ways, indptr, channel, clips: tuple, times: tuple) -> None:
        sliced.run(
            clips, times, self.steps, indptr, channel, self.cells, self.code,
            self.shape, ways, self.work, self.seen, self.tile.plan.B,
            self.tile.law != "floor_after", self.counts,
        )  # fmt: skip

    def step(self, events: np.ndarray, clip: int, t: int) -> None:
        """One step of one clip, for networks with loops."""
        if len(events) * self.most > len(self.work):
            self._room(2 * len(events))
        indptr = np.zeros(clip * self.steps + t + 2, np.int64)
        indptr[-1] = len(events)
        self.go(indptr, events, (clip, clip + 1), (t, t + 1))

    def ledger(self) -> Ledger:
        """All events of the layer; every row is C bitlines."""
        p, counts = self.tile.plan, self.counts.copy()
        counts[:, _F["adder_ops"]] *= p.cols
        counts[:, _F["columns_read"]] = counts[:, _F["read_rows"]] * p.cols
        counts[:, _F["sense_ops"]] = counts[:, _F["columns_read"]]
        counts[:, _F["columns_written"]] = counts[:, _F["write_rows"]] * p.cols
        return Ledger.from_array(p.name, counts)

    def trace(self) -> LayerTrace:
        """All states of the layer, once every step has run."""
        U, V = self.seen.U, self.seen.V
        kept = (U, V) if U.size else (None, None)
        name = self.tile.plan.name
        found = self.ledger().by_layer()[name]
        done = found.cleared, found.clamped, found.sops
        return LayerTrace(name, *kept, self.S, *done, self.seen.last)
