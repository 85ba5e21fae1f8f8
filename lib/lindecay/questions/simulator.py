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

import heapq
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from lindecay.settings import Fault

SCHEDULES = ("serial", "pipelined", "overlapped")
PARTS = ("transport", "update", "accumulate", "merge")
ENCODE, HOP, FINISH, LAYER = 0, 1, 2, 3  # kinds of event


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
    cost = (wires.encode, wires.hop, wires.link, wires.leave, wires.barrier)
    net = tuple(getattr(fabric, k) for k in FABRIC)
    sent = (traffic.start, traffic.to, traffic.tile, traffic.step, traffic.offset)
    size = fabric.side, traffic.steps, how, every
    parts, finished, released, told, busy = _run(net, sent, cost, size)
    if (finished[-1] < 0).any():
        step = int(np.argmax(finished[-1] < 0))
        what = "a step never ends: a token is missing"
        raise Fault(what, expected=f"{traffic.steps} steps", found=f"{step} finished")
    clear = fabric.clear.sum() if how == 0 else fabric.clear.max(initial=0)
    busiest = dict(zip(("encoder", "link", "exit", "queue"), map(int, busy)))
    done = (parts, finished, released, int(clear), *map(int, told))
    return Timing(schedule, traffic.steps, *done, busiest)


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


FABRIC = ("layer", "node", "first", "length", "pre", "tree", "together", "merge")
FABRIC += ("mid", "after", "pairs", "tokens")


@njit(cache=True)
def _next(node, goal, side):
    """(neighbour, direction) on the way: along x, then along y."""
    x, y, a, b = node % side, node // side, goal % side, goal // side
    if x < a:
        return node + 1, 0
    if x > a:
        return node - 1, 1
    if y < b:
        return node + side, 2
    return node - side, 3


@njit(cache=True)
def _slowest(first, length, waiting, a, z, step, together):
    """Cycles of the fullest queue among the tiles of groups a … z - 1."""
    most = 0
    for k in range(first[a], first[z]):
        passes = -(-waiting[k, step] // together)
        most = max(most, passes * length[k])
    return most


@njit(cache=True)
def _merged(pairs, layer, base, free):
    """Pairs of a group merge as soon as both are ready; when home holds the sum."""
    for k in range(len(pairs)):
        if pairs[k, 0] == layer:
            to, by = base + pairs[k, 1], base + pairs[k, 2]
            free[to] = max(free[to], free[by]) + pairs[k, 3]
    return free[base]


@njit(cache=True)
def _run(net, sent, cost, size):
    layer, node, first, length, pre, tree, together, merge, mid, after, pairs, need = (
        net
    )
    start, to, tile, step_of, offset = sent
    encode, hop, link, leave, barrier = cost
    side, steps, how, every = size
    serial, overlap = how == 0, how == 2
    groups, layers = len(layer), len(pre)
    sensors = 0
    while sensors < groups and layer[sensors] < 0:
        sensors += 1
    begin = np.zeros(layers + 1, np.int64)  # first group of each layer
    for g in range(sensors, groups):
        begin[layer[g] + 1] = g + 1
    begin[0] = sensors
    reads = np.zeros(groups, np.bool_)  # groups that read a sensor
    for i in range(start[sensors * steps]):
        reads[to[i]] = True
    readers = reads.sum()

    waiting = np.zeros((first[-1], steps), np.int32)
    came = np.zeros((first[-1], steps), np.int64)  # sum of arrivals of those
    free = np.zeros(first[-1], np.int64)  # of the queue of each tile
    is_open = np.full(first[-1], -1, np.int64)  # the step that a tile adds
    tokens = np.zeros((groups, steps + 1), np.int32)
    ready = np.full((groups, steps), -1, np.int64)
    idle = np.zeros(groups, np.int64)
    done = np.full(groups, -1, np.int64)
    complete = np.zeros((layers, steps), np.int64)
    ldone = np.full(layers, -1, np.int64)
    lready = np.zeros((layers, steps), np.int64)
    finished = np.full((layers, steps), -1, np.int64)
    count = np.zeros((layers, steps), np.int64)
    credit = np.zeros(steps, np.int64)
    released = np.zeros(steps, np.int64)
    parts = np.zeros((layers, 4), np.int64)
    sending = np.zeros(groups, np.int64)  # next copy of a group
    limit = np.zeros(groups, np.int64)  # end of what it may send
    link_free = np.zeros(side * side * 4, np.int64)
    exit_free = np.zeros(side * side, np.int64)
    busy_encoder = np.zeros(groups, np.int64)
    busy_link = np.zeros(side * side * 4, np.int64)
    busy_exit = np.zeros(side * side, np.int64)
    busy_queue = np.zeros(first[-1], np.int64)
    waited = longest = deepest = hops = delivered = events = seq = 0
    over = np.int64(0)  # end of the last phase, serial
    heap = [(np.int64(0), np.int64(0), np.int64(-1), np.int64(0), np.int64(0))]
    heap.pop()

    for g in range(groups):
        sending[g] = limit[g] = start[g * steps]
        if overlap and g >= sensors:
            for k in range(first[g], first[g + 1]):
                is_open[k] = 0
                free[k] = pre[layer[g]] if k == first[g] else 0
    for g in range(sensors):
        for t in range(steps if every else min(steps, 1 if serial else 2)):
            released[t] = t * every
            seq += 1
            heapq.heappush(heap, (released[t], seq, np.int64(FINISH), g, np.int64(t)))

    while heap:
        now, _, kind, a, b = heapq.heappop(heap)
        events += 1
        arrived = np.int64(-1)  # a packet that reaches its group now
        check_layer, check_step = np.int64(-1), np.int64(-1)
        if kind == ENCODE:
            i = sending[a]
            sending[a] += 1
            busy_encoder[a] += encode
            seq += 1
            heapq.heappush(heap, (now + encode, seq, np.int64(HOP), i, node[a]))
            if sending[a] < limit[a]:
                when = now + encode
                if a < sensors and offset[i + 1]:
                    t = step_of[i + 1]
                    when = max(when, released[t] + offset[i + 1])
                seq += 1
                heapq.heappush(heap, (when, seq, np.int64(ENCODE), a, b))
        elif kind == HOP:
            goal = node[to[a]]
            if b != goal and hop + link > 0:
                then, side_of = _next(b, goal, side)
                at = b * 4 + side_of
                begins = max(now, link_free[at])
                link_free[at] = begins + link
                busy_link[at] += link
                hops += 1
                seq += 1
                heapq.heappush(heap, (begins + hop, seq, np.int64(HOP), a, then))
            else:
                begins = max(now, exit_free[goal])
                exit_free[goal] = begins + leave
                busy_exit[goal] += leave
                now = begins + leave
                arrived = a
        elif kind == FINISH:
            g, t = a, b
            lo, hi = start[g * steps + t], start[g * steps + t + 1]
            if lo < hi:
                resting = sending[g] == limit[g]
                limit[g] = hi
                if resting:
                    when = now
                    if g < sensors:
                        when = max(when, released[t] + offset[lo])
                    seq += 1
                    heapq.heappush(heap, (when, seq, np.int64(ENCODE), g, np.int64(0)))
            if g >= sensors and not serial:
                la = layer[g]
                done[g] = t
                count[la, t] += 1
                if count[la, t] == begin[la + 1] - begin[la]:
                    finished[la, t] = idle[g]
                    for other in range(begin[la], begin[la + 1]):
                        finished[la, t] = max(finished[la, t], idle[other])
                if reads[g]:
                    credit[t] += 1
                    if credit[t] == readers and not every and t + 2 < steps:
                        released[t + 2] = now
                        for s in range(sensors):
                            seq += 1
                            heapq.heappush(
                                heap, (now, seq, np.int64(FINISH), s, np.int64(t + 2))
                            )
                if t + 1 < steps:
                    if overlap:
                        for k in range(first[g], first[g + 1]):
                            home = k == first[g]
                            n = waiting[k, t + 1]
                            free[k] = idle[g] + pre[la] if home else now
                            if n:
                                waited += n * free[k] - came[k, t + 1]
                                waited += length[k] * n * (n - 1) // 2
                                deepest = max(deepest, n)
                                busy_queue[k] += n * length[k]
                            free[k] += n * length[k]
                            is_open[k] = t + 1
                    if ready[g, t + 1] >= 0:
                        check_layer, check_step = g, np.int64(t + 1)
        else:  # LAYER: a layer has ended a step, serial
            ldone[a] = b
            finished[a, b] = over = now
            for g in range(begin[a], begin[a + 1]):
                seq += 1
                heapq.heappush(heap, (now, seq, np.int64(FINISH), g, b))
            if a + 1 < layers:
                check_layer, check_step = a + 1, b
            elif b + 1 < steps:
                if not every:
                    released[b + 1] = now + barrier
                    for s in range(sensors):
                        seq += 1
                        heapq.heappush(
                            heap,
                            (now + barrier, seq, np.int64(FINISH), s, np.int64(b + 1)),
                        )
                check_layer, check_step = np.int64(0), b + 1

        if arrived >= 0:
            delivered += 1
            g, k, t = to[arrived], tile[arrived], np.int64(step_of[arrived])
            if k >= 0 and is_open[k] == t:
                wait = max(free[k], now) - now
                waited += wait
                longest = max(longest, wait)
                if length[k]:
                    deepest = max(deepest, -(-wait // length[k]))
                free[k] = now + wait + length[k]
                busy_queue[k] += length[k]
            elif k >= 0:
                waiting[k, t] += 1
                came[k, t] += now
            else:
                tokens[g, t] += 1
                wanted = need[g, 0] + (need[g, 1] if t else 0)
                if tokens[g, t] == wanted:
                    ready[g, t] = now
                    la = layer[g]
                    complete[la, t] += 1
                    lready[la, t] = max(lready[la, t], now)
                    if serial:
                        check_layer, check_step = la, t
                    elif done[g] == t - 1:
                        check_layer, check_step = np.int64(g), t

        if check_layer < 0:
            continue
        if serial:
            la, t = check_layer, check_step
            whole = complete[la, t] == begin[la + 1] - begin[la]
            before = (
                ldone[la - 1] >= t if la else (t == 0 or ldone[layers - 1] >= t - 1)
            )
            if not (whole and before and ldone[la] == t - 1 and finished[la, t] < 0):
                continue
            opens = max(now, lready[la, t])
            lo, hi = begin[la], begin[la + 1]
            most = _slowest(first, length, waiting, lo, hi, t, together[la])
            for k in range(first[lo], first[hi]):
                n = np.int64(waiting[k, t])
                waited += length[k] * n * (n - 1) // 2
                longest = max(longest, (n - 1) * length[k])
                deepest = max(deepest, n)
                busy_queue[k] += -(-n // together[la]) * length[k]
            most += tree[la]
            parts[la, 0] += opens - over
            parts[la, 1] += pre[la] + mid[la] + after[la]
            parts[la, 2] += most
            parts[la, 3] += merge[la]
            ends = opens + pre[la] + most + merge[la] + mid[la] + after[la]
            finished[la, t] = ends
            seq += 1
            heapq.heappush(heap, (ends, seq, np.int64(LAYER), np.int64(la), t))
        else:
            g, t = check_layer, check_step
            la, base = layer[g], first[g]
            if overlap:
                for k in range(base, first[g + 1]):
                    free[k] = max(free[k], now)
                ends = _merged(pairs, la, base, free) + tree[la]
            else:
                most = _slowest(first, length, waiting, g, g + 1, t, together[la])
                for k in range(base, first[g + 1]):
                    busy_queue[k] += -(-waiting[k, t] // together[la]) * length[k]
                    deepest = max(deepest, waiting[k, t])
                ends = max(now, idle[g]) + pre[la] + most + tree[la] + merge[la]
            ends += mid[la]
            idle[g] = ends + after[la]
            seq += 1
            leaves = ends if overlap else idle[g]
            heapq.heappush(heap, (leaves, seq, np.int64(FINISH), np.int64(g), t))

    busy = (busy_encoder.max(), busy_link.max(), busy_exit.max(), busy_queue.max())
    told = (waited, longest, deepest, hops, delivered, events)
    return parts, finished, released, told, busy
