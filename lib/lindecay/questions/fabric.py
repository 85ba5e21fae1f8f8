"""From networks to what the simulator runs: groups, their programs, what they send.

`of_run` takes a checkpoint as the emulator ran it, spike by spike; `grown` makes a
network of any size. Program lengths are those of the array's own microcode
(`sram.build`), of layout A or of C with the update in place.
"""

from dataclasses import dataclass, replace

import numpy as np

from lindecay.checkpoints import CLIPS, Checkpoint
from lindecay.events import Clips
from lindecay.integer import Walk
from lindecay.questions.simulator import Fabric, Traffic
from lindecay.sram import MacroSpec, Run, build
from lindecay.sram.layouts import TREE_CYCLES
from lindecay.sram.place.wiring import offsets
from lindecay.sram.serial.machine import LayerMachine

SENSOR = 256  # inputs of one group of the sensor


@dataclass(frozen=True)
class Programs:
    """Cycles of a layer's programs; `pairs`: (receiver, sender, cycles) of a merge."""

    pre: int
    mid: int
    after: int
    clear: int
    spike: tuple[int, ...]  # of each row tile; 0 under an adder tree
    merge: int
    pairs: tuple[tuple[int, int, int], ...] = ()
    tree: int = 0

    @property
    def update(self) -> int:
        """What is left of a step without spikes and merging."""
        return self.pre + self.mid + self.after


def programs(machine: LayerMachine) -> Programs:
    """Of a layer in layout A, from its machine's own programs."""
    length = {k: len(v) for k, v in machine.programs.items() if not isinstance(v, list)}
    order = machine.schedule
    at, fires = order.index("accumulate"), order.index("fire")
    spike = tuple(len(p) for p in machine.programs["accumulate"])
    pairs, rounds = [], {}
    told = zip(
        machine.plan.merges, machine.programs["drain"], machine.programs["merge"]
    )
    for m, drain, add in told:
        long = max(len(drain), len(add))
        pairs.append((m.dst, m.src, long))
        rounds[m.round] = max(rounds.get(m.round, 0), long)

    def of(names) -> int:
        return sum(length[k] for k in names if k in length)

    return Programs(
        pre=of(order[:at]),
        mid=of(x for x in order[at + 1 : fires + 1] if x != "merge"),
        after=of(order[fires + 1 :]),
        clear=length["clear"],
        spike=spike,
        merge=sum(rounds.values()),
        pairs=tuple(pairs),
    )


def both(found: dict) -> tuple:
    """Programs of the sender and of the receiver of each merge."""
    return found["drain"], found["merge"]


def under_a_tree(found: Programs, plan, spec: MacroSpec) -> Programs:
    """The same layer in layout C, updated in place: one pass, then the sum enters."""
    tiles = -(-plan.inputs // spec.rows)
    enters = plan.A - plan.f
    merges = int(np.ceil(np.log2(tiles)))
    told = {"spike": (0,) * tiles, "merge": merges + enters, "pairs": ()}
    return replace(found, tree=TREE_CYCLES, **told)


def tiles_of(machine) -> LayerMachine:
    """The machine of one tile of columns."""
    return getattr(machine, "machine", machine)


class Builder:
    """Collects groups and copies of spikes; `fabric` and `traffic` hand them over."""

    def __init__(self, steps: int):
        self.steps, self.layer, self.tiles = steps, [], []
        self.length, self.found = [], []
        self.columns: list[tuple] = []  # (from, sent in step, to, tile, counts for)
        self.links: list[tuple[int, int, int]] = []  # (from, to, delay)

    def sensor(self, groups: int) -> np.ndarray:
        """Groups of the sensor, int64."""
        return self._groups(groups, -1, ())

    def layer_of(self, groups: int, found: Programs) -> np.ndarray:
        """Groups of the next layer, int64."""
        self.found.append(found)
        return self._groups(groups, len(self.found) - 1, found.spike)

    def _groups(self, groups: int, layer: int, spike) -> np.ndarray:
        first = len(self.layer)
        self.layer += [layer] * groups
        self.tiles += [len(spike)] * groups
        self.length += list(spike) * groups
        return np.arange(first, first + groups)

    def send(self, source, sent, to, tile, delay: int = 0) -> None:
        """Copies of spikes: groups, steps, groups, row tiles within the group."""
        keep = sent + delay < self.steps
        rows = (source, sent, to, tile, sent + delay)
        self.columns.append(tuple(np.asarray(x)[keep] for x in rows))

    def link(self, source, to, delay: int = 0) -> None:
        """Tokens from each source to each reader, int64 arrays of equal length."""
        self.links.append((np.asarray(source), np.asarray(to), delay))

    def fabric(self, together: int = 1, order=None) -> Fabric:
        """The groups on a mesh; order: place of each group along the snake."""
        groups = len(self.layer)
        order = np.arange(groups) if order is None else order
        side = max(1, int(np.ceil(np.sqrt(groups))))
        need = np.zeros((groups, 2), np.int64)
        for _, to, delay in self.links:
            np.add.at(need[:, delay], to, 1)
        pairs = [(k, *p) for k, f in enumerate(self.found) for p in f.pairs]
        rows = {k: [getattr(f, k) for f in self.found] for k in KEYS}
        rows = {k: np.array(v, np.int64) for k, v in rows.items()}
        return Fabric(
            layer=np.array(self.layer, np.int64),
            node=snake(groups, side)[order],
            side=side,
            first=np.cumsum([0, *self.tiles]).astype(np.int64),
            length=np.array(self.length, np.int64),
            together=np.full(len(self.found), together, np.int64),
            pairs=np.array(pairs, np.int64).reshape(-1, 4),
            tokens=need,
            **rows,
        )

    def traffic(self) -> Traffic:
        """All copies and tokens by group and step, tokens last."""
        parts = [*self.columns, *(self._tokens(*link) for link in self.links)]
        source, sent, to, tile, step = (np.concatenate(x) for x in zip(*parts))
        cell = source.astype(np.int64) * self.steps + sent
        order = np.lexsort((tile < 0, cell))
        many = np.bincount(cell, minlength=len(self.layer) * self.steps)
        first = np.cumsum([0, *self.tiles])
        tile = np.where(tile < 0, -1, first[to] + tile)
        start = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
        rows = (x[order].astype(np.int32) for x in (to, tile, step))
        return Traffic(self.steps, start, *rows, np.zeros(len(order), np.int64))

    def _tokens(self, source, to, delay: int) -> tuple:
        t = np.arange(self.steps - delay)
        n = len(source)
        sent = np.tile(t, n)
        rows = np.repeat(source, len(t)), sent, np.repeat(to, len(t))
        return (*rows, np.full(len(sent), -1), sent + delay)


KEYS = ("pre", "tree", "merge", "mid", "after", "clear")


def snake(groups: int, side: int) -> np.ndarray:
    """Nodes row by row, every other row backwards: neighbours stay neighbours.

    >>> snake(5, 2).tolist(), snake(9, 3).tolist()
    ([0, 1, 3, 2, 4], [0, 1, 2, 5, 4, 3, 6, 7, 8])
    """
    row, column = np.divmod(np.arange(groups), side)
    return row * side + np.where(row % 2, side - 1 - column, column)


def of_run(
    ck: Checkpoint, clips: Clips, run: Run, clip: int = 0
) -> tuple[Fabric, Traffic]:
    """One clip of a network as the emulator ran it (layout A, or C in place).

    Args:
        ck, clips: the network and its events.
        run: of `sram.emulate`: its trace says who spiked when.
        clip: which clip.
    """
    spec = run.mapping.spec
    machines = build(ck, replace(spec, layout="A"), run.mapping.most)[1]
    made = Builder(ck.steps)
    walk, homes = Walk(ck, clips), []
    for state in run.trace.layers:
        walk.add(state.S)
    senses = made.sensor(-(-clips.channels // SENSOR))
    for machine in machines:
        one = tiles_of(machine)
        found = programs(one)
        if spec.layout == "C":
            found = under_a_tree(found, one.plan, spec)
        tiled = machine is not one
        groups = len(machine.neurons) if tiled else one.plan.column_tiles
        homes.append(made.layer_of(groups, found))
    for i in range(len(machines)):
        for b, first in zip(ck.bundles(i), offsets(ck.bundles(i))):
            bundle = (i, b, int(first), spec)
            _wire(made, ck, walk, machines, homes, senses, bundle, clip)
    return made.fabric(), made.traffic()


def _wire(made, ck, walk, machines, homes, senses, bundle, clip: int) -> None:
    """Spikes and tokens of one bundle of one layer."""
    i, b, first, spec = bundle
    sources = senses if b.source == CLIPS else homes[b.source]
    rows = np.repeat(sources, len(homes[i])), np.tile(homes[i], len(sources))
    made.link(*rows, b.delay)
    indptr, channel = _events(walk, b, clip)
    sent = np.repeat(np.arange(ck.steps), np.diff(indptr))
    if b.source == CLIPS:
        group = senses[channel_of(b, channel) // SENSOR]
    else:
        owner = _owners(machines[b.source], homes[b.source])
        group = owner[channel_of(b, channel)]
    tree = spec.rows if spec.layout == "C" else 0
    event, to, tile = _targets(machines[i], homes[i], channel + first, tree)
    made.send(group[event], sent[event], to, tile, b.delay)


def _events(walk: Walk, b, clip: int) -> tuple[np.ndarray, np.ndarray]:
    """Pooled spikes of a bundle's source in one clip, by the step they are sent in."""
    from lindecay.integer import as_events, pooled

    steps = walk.ck.steps
    if b.source == CLIPS:
        indptr, channel = walk.given
        rows = indptr[clip * steps : (clip + 1) * steps + 1]
        events = rows - rows[0], channel[rows[0] : rows[-1]]
    else:
        events = as_events(_spikes(walk, b.source)[clip : clip + 1])
    return pooled(b, *events)


def _spikes(walk: Walk, i: int) -> np.ndarray:
    """Spikes of a layer, uint8 [clips, T, out]."""
    found = walk.fired[i]
    if not isinstance(found, tuple):
        return found
    indptr, channel = found
    S = np.zeros((len(indptr) - 1, walk.ck.layers[i].out), np.uint8)
    S[np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), channel] = 1
    return S.reshape(walk.clips, walk.ck.steps, -1)


def channel_of(b, place: np.ndarray) -> np.ndarray:
    """The source's first neuron of the block that a pooled place stands for."""
    if b.pool == 1:
        return place
    C, H, W = b.plane
    high, wide = H // b.pool, W // b.pool
    c, rest = np.divmod(place, high * wide)
    y, x = np.divmod(rest, wide)
    return (c * H + y * b.pool) * W + x * b.pool


def _owners(machine, groups: np.ndarray) -> np.ndarray:
    """The group of each neuron of a layer."""
    one = tiles_of(machine)
    if machine is one:
        return groups[np.arange(one.plan.outputs) // one.plan.cols]
    owner = np.zeros(machine.plan.outputs, np.int64)
    for group, mine in zip(groups, machine.neurons):
        owner[mine[mine >= 0]] = group
    return owner


def _targets(machine, groups: np.ndarray, channel: np.ndarray, tree: int) -> tuple:
    """(event, group, row tile) of every copy of the layer's input events.

    tree: inputs of one adder tree; 0: row tiles as layout A deals them.
    """
    one, wires = tiles_of(machine), machine.wires
    n = (wires.first[channel + 1] - wires.first[channel]).astype(np.int64)
    event = np.repeat(np.arange(len(channel)), n)
    entry = np.arange(len(event)) - np.repeat(np.cumsum(n) - n, n)
    entry += wires.first[channel[event]]
    local = wires.local[entry]
    tile = local // tree if tree else one.plan.tile_of[local]
    if machine is not one:
        return event, groups[wires.tile[entry]], tile
    many = len(groups)  # every tile of columns gets every spike
    return np.repeat(event, many), np.tile(groups, len(event)), np.repeat(tile, many)
