"""Many macros on a mesh, event by event: when is each time step finished?

    spike -> encoder of its group -> links, x then y -> exit -> queue of a row tile
    step of a group = pre | slowest queue | merge | mid | after

One unit of time is a clock cycle. Every spike is copied to each row tile that holds its
weights; a *token* behind the spikes of a step tells a group that this source is done.
All servers (encoder, link, exit, queue) are first in, first out, with fixed service, so
one event is one packet at one server, and the cost is linear in events (times the
logarithm of those that are under way: a heap).

    serial      one layer after another, phase by phase: the emulator's rule
    pipelined   each group goes on as soon as its tokens are in and it is free
    overlapped  and its row tiles add while the home tile decays, merge in pairs as
                soon as both are ready, and spikes leave before the reset
"""

from dataclasses import dataclass, field

import numpy as np

from lindecay.questions.loop import EVENTS, Net, State, run
from lindecay.settings import Fault

SCHEDULES = ("serial", "pipelined", "overlapped")
PARTS = ("transport", "update", "accumulate", "merge")
SERVERS = ("encoder", "link", "exit", "queue")


@dataclass(frozen=True)
class Wires:
    """The network between groups, in cycles; all 0 is the emulator's ideal wire."""

    encode: int = 1  # a group sends one copy of a spike in so many cycles
    hop: int = 1  # from one node to the next
    link: int = 1  # a link takes one packet in so many cycles
    leave: int = 1  # a node hands one packet over in so many cycles
    barrier: int = 0  # between two steps, serial only


IDEAL = Wires(0, 0, 0, 0)


@dataclass(frozen=True)
class Fabric:
    """Groups of row tiles on nodes, and what their programs take; int64 throughout.

    A group is one tile of columns with its row tiles; sensors are groups of layer -1.
    """

    layer: np.ndarray  # [groups], in order; -1: a sensor
    node: np.ndarray  # [groups]
    side: int  # of the mesh
    first: np.ndarray  # [groups + 1]: row tiles of a group
    length: np.ndarray  # [tiles]: cycles of one spike; 0: an adder tree
    pre: np.ndarray  # [layers]: before the spikes: decay, extend
    tree: np.ndarray  # [layers]: cycles of the adder tree, else 0
    together: np.ndarray  # [layers]: spikes that one pass adds
    merge: np.ndarray  # [layers]: all rounds, one after another
    mid: np.ndarray  # [layers]: bias, clamp, fire
    after: np.ndarray  # [layers]: reset
    clear: np.ndarray  # [layers]: at the start of a clip
    pairs: np.ndarray  # [merges, 4]: layer, receiving tile, sending tile, cycles
    tokens: np.ndarray  # [groups, 2]: sources of this step, and of the one before

    @property
    def groups(self) -> int:
        return len(self.layer)

    @property
    def layers(self) -> int:
        return len(self.pre)

    @property
    def macros(self) -> int:
        """Row tiles of all groups that hold neurons."""
        return int(np.diff(self.first)[self.layer >= 0].sum())


@dataclass(frozen=True)
class Traffic:
    """What every group sends in every step, tokens last; CSR over (group, step)."""

    steps: int
    start: np.ndarray  # int64 [groups * steps + 1]
    to: np.ndarray  # int32: the group that gets it
    tile: np.ndarray  # int32: its row tile; -1: a token
    step: np.ndarray  # int32: the step that it counts for
    offset: np.ndarray  # int64: cycles after the release, of sensors in real time

    @property
    def spikes(self) -> int:
        """Copies of spikes, without tokens."""
        return int((self.tile >= 0).sum())


@dataclass
class Timing:
    """What the run took, in cycles."""

    schedule: str
    steps: int
    parts: np.ndarray  # [layers, PARTS], serial only
    finished: np.ndarray  # [layers, steps]: when a layer's last group was done
    released: np.ndarray  # [steps]: when the sensor handed the step over
    clear: int
    waited: int  # cycles that packets waited before a row tile, in all
    longest: int  # the longest wait
    deepest: int  # packets before a row tile, at most
    hops: int
    delivered: int
    events: int
    busiest: dict = field(default_factory=dict)  # server -> busy cycles, the busiest

    @property
    def cycles(self) -> int:
        """From the start to the end of the last step, clearing included."""
        return self.clear + int(self.finished.max(initial=0))

    @property
    def period(self) -> float:
        """Cycles a step, in the long run."""
        return float(self.finished[-1, -1]) / self.steps

    @property
    def latency(self) -> float:
        """Mean cycles from the release of a step to its last output."""
        return float((self.finished[-1] - self.released).mean())

    @property
    def late(self) -> int:
        """The longest of them."""
        return int((self.finished[-1] - self.released).max())


def simulate(
    fabric: Fabric,
    traffic: Traffic,
    schedule: str = "serial",
    wires: Wires = IDEAL,
    every: int = 0,
) -> Timing:
    """Run all steps.

    Args:
        every: cycles between two releases of the sensor; 0: as soon as there is room
            (serial: the step before is over; else: two steps are under way).

    Raises:
        Fault: an unknown schedule, or a step that never ends (a token is missing).
    """
    if schedule not in SCHEDULES:
        told = " or ".join(SCHEDULES)
        raise Fault("unknown schedule", expected=told, found=repr(schedule))
    _fit(fabric, traffic)
    how = SCHEDULES.index(schedule)
    net, state = _net(fabric, traffic, wires, how, every), _state(fabric, traffic)
    run(net, state)
    ends = state.finished[-1]
    if (ends < 0).any():
        what, found = "a step never ends: a token is missing", int(np.argmax(ends < 0))
        raise Fault(what, expected=f"{traffic.steps} steps", found=f"{found} finished")
    clear = fabric.clear.sum() if how == 0 else fabric.clear.max(initial=0)
    busiest = {k: int(getattr(state, f"busy_{k}").max(initial=0)) for k in SERVERS}
    done = (state.parts, state.finished, state.released, int(clear))
    told = map(int, state.count[: EVENTS + 1])
    return Timing(schedule, traffic.steps, *done, *told, busiest)


def _fit(fabric: Fabric, traffic: Traffic) -> None:
    """Fault unless every packet has a place to go to: compiled loops trust it."""
    bounds = {
        "group": (traffic.to, 0, fabric.groups),
        "row tile": (traffic.tile, -1, len(fabric.length)),
        "step": (traffic.step, 0, traffic.steps),
        "node": (fabric.node, 0, fabric.side**2),
    }
    for what, (values, low, high) in bounds.items():
        if values.size and not (values.min() >= low and values.max() < high):
            found = int(values.max() if values.max() >= high else values.min())
            told = f"{low} to {high - 1}"
            raise Fault(f"a packet to an unknown {what}", expected=told, found=found)
    sizes = fabric.groups * traffic.steps + 1, len(traffic.to)
    if (len(traffic.start), int(traffic.start[-1])) != sizes:
        what = "traffic that does not fit the groups"
        raise Fault(what, expected=f"{sizes[0]} starts", found=len(traffic.start))


def _net(f: Fabric, t: Traffic, wires: Wires, how: int, every: int) -> Net:
    """Everything that stays, in one tuple."""
    sensors = int((f.layer < 0).sum())
    begin = sensors + np.searchsorted(f.layer[sensors:], np.arange(f.layers + 1))
    reads = np.zeros(f.groups, np.bool_)
    reads[t.to[: t.start[sensors * t.steps]]] = True
    net = (getattr(f, k) for k in Net._fields[:11])
    sent = (t.start, t.to, t.tile, t.step, t.offset, begin.astype(np.int64), reads)
    cost = (wires.encode, wires.hop, wires.link, wires.leave, wires.barrier)
    how = (how == 0, how == 2, every)
    return Net(*net, f.tokens, *sent, *cost, f.side, t.steps, sensors, *how)


def _state(f: Fabric, t: Traffic) -> State:
    """Nothing has happened yet."""
    tiles, groups, layers, nodes = len(f.length), f.groups, f.layers, f.side**2
    shapes = {"waiting": (tiles, t.steps), "came": (tiles, t.steps), "free": tiles}
    shapes |= {"is_open": tiles, "tokens": (groups, t.steps), "idle": groups}
    shapes |= {"ready": (groups, t.steps), "done": groups, "ldone": layers}
    shapes |= dict.fromkeys(("complete", "lready", "ended"), (layers, t.steps))
    shapes |= {"finished": (layers, t.steps), "credit": t.steps, "released": t.steps}
    shapes |= {"parts": (layers, 4), "sending": groups, "limit": groups, "count": 8}
    shapes |= {"link_free": 4 * nodes, "busy_link": 4 * nodes, "exit_free": nodes}
    shapes |= {"busy_exit": nodes, "busy_encoder": groups, "busy_queue": tiles}
    made = {k: np.zeros(shape, np.int64) for k, shape in shapes.items()}
    for k in ("is_open", "ready", "done", "ldone", "finished"):
        made[k] -= 1
    made["sending"] += t.start[: -1 : t.steps]
    made["limit"] += made["sending"]
    return State(**made)
