"""The compiled loop of the simulator: one function for each kind of event.

    ENCODE  a group sends a copy      HOP    a packet takes a link, or arrives
    FINISH  a group's step is over    LAYER  a layer's step is over (serial)

`Net` is what a run does not change, `State` what it does; a heap holds what is to come.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit

ENCODE, HOP, FINISH, LAYER = 0, 1, 2, 3
WAITED, LONGEST, DEEPEST, HOPS, DELIVERED, EVENTS, SEQUENCE, OVER = range(8)


class Net(NamedTuple):
    """What a run does not change, as compiled loops take it."""

    layer: np.ndarray
    node: np.ndarray
    first: np.ndarray
    length: np.ndarray
    pre: np.ndarray
    tree: np.ndarray
    together: np.ndarray
    merge: np.ndarray
    mid: np.ndarray
    after: np.ndarray
    pairs: np.ndarray
    need: np.ndarray  # tokens of a group
    start: np.ndarray
    to: np.ndarray
    tile: np.ndarray
    step: np.ndarray
    offset: np.ndarray
    begin: np.ndarray  # first group of each layer
    reads: np.ndarray  # whether a group reads the sensor
    encode: int
    hop: int
    link: int
    leave: int
    barrier: int
    side: int
    steps: int
    sensors: int
    serial: bool
    overlap: bool
    every: int


class State(NamedTuple):
    """What a run changes; all times in cycles."""

    waiting: np.ndarray  # [tiles, steps]: spikes that came before their tile was open
    came: np.ndarray  # [tiles, steps]: the sum of their arrivals
    free: np.ndarray  # [tiles]: when the queue is empty
    is_open: np.ndarray  # [tiles]: the step that a tile adds
    tokens: np.ndarray  # [groups, steps]
    ready: np.ndarray  # [groups, steps]: when the last token came, or -1
    idle: np.ndarray  # [groups]: when the last step is over
    done: np.ndarray  # [groups]: the last step that is over
    complete: np.ndarray  # [layers, steps]: groups that have their tokens
    lready: np.ndarray  # [layers, steps]: when the last of them had
    ended: np.ndarray  # [layers, steps]: groups that are done
    ldone: np.ndarray  # [layers]: the last step that is over, serial
    finished: np.ndarray  # [layers, steps]
    credit: np.ndarray  # [steps]: readers of the sensor that are done
    released: np.ndarray  # [steps]
    parts: np.ndarray  # [layers, PARTS]
    sending: np.ndarray  # [groups]: the next copy
    limit: np.ndarray  # [groups]: the end of what may be sent
    link_free: np.ndarray
    exit_free: np.ndarray
    busy_encoder: np.ndarray
    busy_link: np.ndarray
    busy_exit: np.ndarray
    busy_queue: np.ndarray
    count: np.ndarray  # WAITED … EVENTS, then SEQUENCE and OVER


@njit(cache=True)
def _push(heap, s, when, kind, a, b):
    s.count[SEQUENCE] += 1
    event = (
        np.int64(when),
        s.count[SEQUENCE],
        np.int64(kind),
        np.int64(a),
        np.int64(b),
    )
    heapq.heappush(heap, event)


@njit(cache=True)
def _release(heap, n, s, step, when):
    """The sensor hands a step over."""
    s.released[step] = when
    for g in range(n.sensors):
        _push(heap, s, when, FINISH, g, step)


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
def _encode(heap, n, s, now, g):
    """A group sends its next copy; the one behind it may follow."""
    i = s.sending[g]
    s.sending[g] += 1
    s.busy_encoder[g] += n.encode
    _push(heap, s, now + n.encode, HOP, i, n.node[g])
    if s.sending[g] < s.limit[g]:
        when = now + n.encode
        if g < n.sensors:
            when = max(when, s.released[n.step[i + 1]] + n.offset[i + 1])
        _push(heap, s, when, ENCODE, g, 0)


@njit(cache=True)
def _hop(heap, n, s, now, i, node):
    """A packet takes a link, or leaves the mesh: then when; else -1."""
    goal = n.node[n.to[i]]
    if node != goal and n.hop + n.link > 0:
        then, way = _next(node, goal, n.side)
        at = node * 4 + way
        begins = max(now, s.link_free[at])
        s.link_free[at] = begins + n.link
        s.busy_link[at] += n.link
        s.count[HOPS] += 1
        _push(heap, s, begins + n.hop, HOP, i, then)
        return -1
    begins = max(now, s.exit_free[goal])
    s.exit_free[goal] = begins + n.leave
    s.busy_exit[goal] += n.leave
    return begins + n.leave


@njit(cache=True)
def _arrive(n, s, now, i):
    """A packet is there: a spike queues, a token counts; whether its group has all."""
    s.count[DELIVERED] += 1
    g, k, t = n.to[i], n.tile[i], n.step[i]
    if k < 0:
        s.tokens[g, t] += 1
        if s.tokens[g, t] != n.need[g, 0] + (n.need[g, 1] if t else 0):
            return False
        la = n.layer[g]
        s.ready[g, t] = now
        s.complete[la, t] += 1
        s.lready[la, t] = max(s.lready[la, t], now)
        return True
    if s.is_open[k] == t:
        _queue(n, s, k, max(s.free[k], now) - now)
        s.free[k] = max(s.free[k], now) + n.length[k]
    else:
        s.waiting[k, t] += 1
        s.came[k, t] += now
    return False


@njit(cache=True)
def _queue(n, s, k, wait):
    """Books of one spike that waits so long before a row tile."""
    s.count[WAITED] += wait
    s.count[LONGEST] = max(s.count[LONGEST], wait)
    if n.length[k]:
        s.count[DEEPEST] = max(s.count[DEEPEST], -(-wait // n.length[k]))
    s.busy_queue[k] += n.length[k]


@njit(cache=True)
def _emptied(n, s, k, t, together):
    """Cycles in which a tile adds all spikes of a step that wait; their books."""
    many, long = s.waiting[k, t], n.length[k]
    passes = -(-many // together)
    s.count[WAITED] += long * many * (many - 1) // 2
    s.count[LONGEST] = max(s.count[LONGEST], (many - 1) * long)
    s.count[DEEPEST] = max(s.count[DEEPEST], many)
    s.busy_queue[k] += passes * long
    return passes * long


@njit(cache=True)
def _slowest(n, s, a, z, t, la):
    """Cycles of the fullest queue among the tiles of groups a … z - 1."""
    most = 0
    for k in range(n.first[a], n.first[z]):
        most = max(most, _emptied(n, s, k, t, n.together[la]))
    return most + n.tree[la]


@njit(cache=True)
def _merged(n, s, la, base):
    """Pairs of a group merge as soon as both are ready; when home holds the sum."""
    for p in range(len(n.pairs)):
        if n.pairs[p, 0] == la:
            to, by = base + n.pairs[p, 1], base + n.pairs[p, 2]
            s.free[to] = max(s.free[to], s.free[by]) + n.pairs[p, 3]
    return s.free[base]


@njit(cache=True)
def _opened(n, s, g, t, now):
    """A group's tiles turn to step t: home after its decay, the others at once."""
    for k in range(n.first[g], n.first[g + 1]):
        s.free[k] = s.idle[g] + n.pre[n.layer[g]] if k == n.first[g] else now
        s.count[WAITED] += s.waiting[k, t] * s.free[k] - s.came[k, t]
        s.free[k] += _emptied(n, s, k, t, 1)
        s.is_open[k] = t


@njit(cache=True)
def _group(heap, n, s, now, g, t):
    """A group has all of a step: when it is over, pipelined or overlapped."""
    la = n.layer[g]
    if n.overlap:
        for k in range(n.first[g], n.first[g + 1]):
            s.free[k] = max(s.free[k], now)
        fired = _merged(n, s, la, n.first[g]) + n.tree[la] + n.mid[la]
    else:
        begins = max(now, s.idle[g]) + n.pre[la]
        fired = begins + _slowest(n, s, g, g + 1, t, la) + n.merge[la] + n.mid[la]
    s.idle[g] = fired + n.after[la]
    _push(heap, s, fired if n.overlap else s.idle[g], FINISH, g, t)


@njit(cache=True)
def _layer(heap, n, s, now, la, t):
    """A layer's step, serial: once all its groups are complete and its turn is come."""
    lo, hi = n.begin[la], n.begin[la + 1]
    last = s.ldone[la - 1] >= t if la else s.ldone[len(s.ldone) - 1] >= t - 1
    if s.complete[la, t] < hi - lo or not last or s.finished[la, t] >= 0:
        return
    begins, queue = max(now, s.lready[la, t]), _slowest(n, s, lo, hi, t, la)
    update = n.pre[la] + n.mid[la] + n.after[la]
    s.parts[la, 0] += begins - s.count[OVER]
    s.parts[la, 1] += update
    s.parts[la, 2] += queue
    s.parts[la, 3] += n.merge[la]
    s.finished[la, t] = begins + update + queue + n.merge[la]
    _push(heap, s, s.finished[la, t], LAYER, la, t)


@njit(cache=True)
def _layer_ends(heap, n, s, now, la, t):
    """Its spikes leave; the next layer's turn, or the next step's."""
    s.ldone[la], s.count[OVER] = t, now
    for g in range(n.begin[la], n.begin[la + 1]):
        _push(heap, s, now, FINISH, g, t)
    if la + 1 < len(s.ldone):
        _layer(heap, n, s, now, la + 1, t)
    elif t + 1 < n.steps:
        if not n.every:
            _release(heap, n, s, t + 1, now + n.barrier)
        _layer(heap, n, s, now, 0, t + 1)


@njit(cache=True)
def _sends(heap, n, s, now, g, t):
    """What a group sends in a step joins its encoder's list."""
    lo, hi = n.start[g * n.steps + t], n.start[g * n.steps + t + 1]
    if lo == hi:
        return
    resting = s.sending[g] == s.limit[g]
    s.limit[g] = hi
    if resting:
        when = max(now, s.released[t] + n.offset[lo]) if g < n.sensors else now
        _push(heap, s, when, ENCODE, g, 0)


@njit(cache=True)
def _ends(heap, n, s, now, g, t):
    """A group's step is over, not serial: credit for the sensor, the next step."""
    la = n.layer[g]
    s.done[g] = t
    s.ended[la, t] += 1
    if s.ended[la, t] == n.begin[la + 1] - n.begin[la]:
        s.finished[la, t] = s.idle[n.begin[la] : n.begin[la + 1]].max()
    if n.reads[g]:
        s.credit[t] += 1
        if s.credit[t] == n.reads.sum() and not n.every and t + 2 < n.steps:
            _release(heap, n, s, t + 2, now)
    if t + 1 < n.steps:
        if n.overlap:
            _opened(n, s, g, t + 1, now)
        if s.ready[g, t + 1] >= 0:
            _group(heap, n, s, now, g, t + 1)


@njit(cache=True)
def _begin(heap, n, s):
    """Tiles are open where they may be, and the sensor hands the first steps over."""
    for g in range(n.sensors, len(n.layer) * n.overlap):
        _opened(n, s, g, 0, 0)
    first = n.steps if n.every else min(n.steps, 1 if n.serial else 2)
    for t in range(first):
        _release(heap, n, s, t, t * n.every)


@njit(cache=True)
def run(n, s):
    """Event after event, the earliest first; of equals the one that was told first."""
    heap = [(np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0))]
    heap.pop()
    _begin(heap, n, s)
    while heap:
        now, _, kind, a, b = heapq.heappop(heap)
        s.count[EVENTS] += 1
        if kind == ENCODE:
            _encode(heap, n, s, now, a)
        elif kind == LAYER:
            _layer_ends(heap, n, s, now, a, b)
        elif kind == FINISH:
            _sends(heap, n, s, now, a, b)
            if a >= n.sensors and not n.serial:
                _ends(heap, n, s, now, a, b)
        else:
            there = _hop(heap, n, s, now, a, b)
            if there >= 0 and _arrive(n, s, there, a):
                g, t = n.to[a], n.step[a]
                if n.serial:
                    _layer(heap, n, s, there, n.layer[g], t)
                elif s.done[g] == t - 1:
                    _group(heap, n, s, there, g, t)
