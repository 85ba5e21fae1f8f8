"""What a step lasts: schedules, sizes, shapes and wires; closed forms beside them.

    serial step   = layers x (update + merge) + sum of slowest queues + transport
    slowest queue = E[max of M binomials] x cycles of a spike
    pipeline      f(l, t) = max(f(l - 1, t), f(l, t - 1)) + T(l, t)
    one queue     mean wait = rho s / (2 (1 - rho))      Poisson arrivals, service s

Nothing but time is simulated for a network of random spikes: its update, its merging
and its spikes take what the array's own programs take.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from scipy import stats

from lindecay import results
from lindecay.questions import grown
from lindecay.questions.fabric import Builder, Programs
from lindecay.questions.grown import Grown
from lindecay.questions.simulator import IDEAL, PARTS, Timing, Wires, simulate
from lindecay.studies import designs
from lindecay.studies.protocol import rounded

MESH = Wires()  # a copy, a hop, a link, an exit: a cycle each
WIRES = {
    "ideal": IDEAL,
    "mesh": MESH,
    "two": replace(MESH, hop=2),
    "barrier": replace(MESH, barrier=60),  # 299 ns at 200 MHz
}
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
TALL = {"rows": 1024, "cols": 1024, "fan_in": 224}  # inputs that fit one row tile


@dataclass(frozen=True)
class Timed:
    """One network on one schedule over one kind of wire."""

    study: str
    what: str  # the name of the design in the tables
    net: Grown = field(default_factory=lambda: Grown(1000))
    schedule: str = "serial"
    wires: str = "mesh"

    @property
    def key(self) -> str:
        """Readable and unique; rows are merged by it."""
        own = {k: v for k, v in asdict(self).items() if k != "net"} | asdict(self.net)
        return ",".join(f"{k}={v}" for k, v in own.items())

    def row(self) -> dict:
        """Simulate; what came out, in cycles a step."""
        made, sent = grown.grown(self.net)
        began = time.process_time()
        told = simulate(made, sent, self.schedule, WIRES[self.wires])
        spent = time.process_time() - began
        row = {"key": self.key, "study": self.study, "what": self.what}
        row |= asdict(self.net) | {"schedule": self.schedule, "wires": self.wires}
        row |= {"macros": made.macros, "groups": made.groups, "copies": sent.spikes}
        row |= numbers(told) | {"seconds": spent, "commit": results.commit()}
        return rounded(row)


def numbers(told: Timing) -> dict:
    """A run's numbers, a step each, as a row holds them."""
    n = told.steps
    row = {"period": told.period, "latency": told.latency, "late": told.late}
    row |= dict(zip(PARTS, (told.parts.sum(0) / n).tolist()))
    row |= {"hops": told.hops / n, "delivered": told.delivered / n}
    row |= {"deepest": told.deepest, "longest": told.longest, "events": told.events}
    return row | {f"busy {k}": v / n for k, v in told.busiest.items()}


# ---- closed forms


def slowest_queue(counts, active: float, tiles: int, cycles) -> float:
    """Expected cycles of the fullest of many queues of random spikes.

    Args:
        counts: inputs of each row tile of a group; cycles: of a spike there.
        active: share of the inputs that spike; tiles: groups.

    >>> round(slowest_queue([64], 0.02, 1, [1]), 2)  # one queue: its mean
    1.28
    >>> round(slowest_queue([64], 0.02, 1000, [1]), 1)  # the fullest of a thousand
    6.1
    """
    most = max(int(k * c) for k, c in zip(counts, cycles))
    below = np.ones(most + 1)
    for k, c in zip(counts, cycles):
        if c:
            below *= stats.binom.cdf(np.arange(most + 1) // c, k, active)
    return float((1 - below**tiles).sum())


def serial_step(net: Grown) -> float:
    """Expected cycles of a serial step with ideal wires and independent groups."""
    found, plan = grown.group_programs(net), grown.one_group(net).plan
    counts = np.bincount(plan.tile_of, minlength=len(found.spike))
    queue = found.tree
    if not found.tree:
        told = counts.tolist(), net.active, net.groups, found.spike
        queue = slowest_queue(*told)
    return net.layers * (found.update + found.merge + queue)


def flow(took: np.ndarray) -> np.ndarray:
    """When each layer ends each step, pipelined: [layers, steps] from durations.

    >>> flow(np.full((3, 4), 2))[-1].tolist()  # (layers + steps - 1) x 2 at the end
    [6, 8, 10, 12]
    """
    ends = np.zeros_like(took)
    for la, t in np.ndindex(took.shape):
        before = ends[la - 1, t] if la else 0
        ends[la, t] = max(before, ends[la, t - 1] if t else 0) + took[la, t]
    return ends


def md1(load: float, service: float) -> float:
    """Mean wait of a queue with Poisson arrivals and one fixed service time.

    >>> md1(0.5, 16)
    8.0
    """
    return load * service / (2 * (1 - load))


def mean_hops(side: int) -> float:
    """Mean hops between two nodes drawn from a mesh: 2 (side² - 1) / (3 side).

    >>> mean_hops(3)
    1.7777777777777777
    """
    return 2 * (side**2 - 1) / (3 * side)


def one_queue(arrivals: np.ndarray, service: int) -> Timing:
    """A single row tile whose spikes come when the sensor says, in cycles.

    Args:
        arrivals: cycles, sorted, from 1 on.
    """
    made = Builder(1)
    senses = made.sensor(1)
    alone = Programs(pre=0, mid=0, after=0, clear=0, spike=(service,), merge=0)
    here = made.layer_of(1, alone)
    zeros = np.zeros(len(arrivals), np.int64)
    made.send(zeros + senses[0], zeros, zeros + here[0], zeros)
    made.link(senses, here)
    sent = made.traffic()
    times = np.sort(np.asarray(arrivals, np.int64))
    sent = replace(sent, offset=np.append(times, times[-1:]))
    return simulate(made.fabric(), sent, "overlapped", IDEAL, every=int(times[-1]) + 1)


def poisson(load: float, service: int, many: int, seed: int = 0) -> np.ndarray:
    """Arrival times in cycles of a Poisson process of that load."""
    rng = np.random.default_rng((seed, many))
    gaps = rng.exponential(service / load, many)
    return np.ceil(np.cumsum(gaps)).astype(np.int64) + 1


def mean_wait(arrivals: np.ndarray, service: int) -> float:
    """Mean cycles that a spike waits before the row tile."""
    told = one_queue(arrivals, service)
    return told.waited / len(arrivals)


# ---- what a sensor needs


def largest(cycles_of, deadline: float, sizes=SIZES) -> int:
    """The largest size whose step is over within `deadline` cycles; 0 if none."""
    fits = [n for n in sizes if cycles_of(n) <= deadline]
    return max(fits, default=0)


# ---- studies


ALONE = {"unit": "group"}  # units beside each home macro, not one a layer
DESIGNS = {
    "word by word": {"update": "word"},
    "word by word, each macro": {"update": "word"} | ALONE,
    "row by row, each macro": {"update": "row"} | ALONE,
    "in place": {},
    "tree, word by word": {"layout": "C", "update": "word"},
    "tree, row by row, each macro": {"layout": "C", "update": "row"} | ALONE,
    "tree, in place": {"layout": "C"},
}


def few(neurons: int) -> int:
    """Steps of a run: fewer where there is more to average over."""
    return 8 if neurons <= 100_000 else 4


def _shares() -> Iterator[Timed]:
    """Parts of a serial step from 100 to 1 M neurons, seven designs."""
    for n in SIZES:
        for name, how in DESIGNS.items():
            yield Timed("latency-shares", name, Grown(n, steps=few(n), **how))


def _schedules() -> Iterator[Timed]:
    """Serial, pipelined, overlapped: period and latency of a step."""
    for n in SIZES:
        for name in ("in place", "tree, in place"):
            for schedule in ("serial", "pipelined", "overlapped"):
                net = Grown(n, steps=few(n) * 2, **DESIGNS[name])
                yield Timed("latency-schedules", name, net, schedule)


def _cures() -> Iterator[Timed]:
    """100,000 neurons: what each change takes off a step."""
    base = Grown(100_000)
    cures = {
        "as it was": {},
        "one read port": {"ports": 1},
        "two spikes a pass": {"together": 2},
        "four spikes a pass": {"together": 4},
        "adder tree": {"layout": "C"},
        "macros of 128 rows": {"rows": 128},
        "macros of 512 rows": {"rows": 512},
        "macros of 1024 rows": {"rows": 1024},
        "exponential leak by a product": {"law": "exponential"},
        "exponential leak by a shift": {"law": "shift"},
    }
    for active in (0.005, 0.02, 0.1):
        for name, how in cures.items():
            net = replace(base, active=active, **how)
            yield Timed("latency-cures", name, net, wires="ideal")
    for name in WIRES:
        for wiring in ("near", "far"):
            net = replace(base, wiring=wiring)
            yield Timed("latency-cures", f"{wiring}, {name}", net, wires=name)


def _million() -> Iterator[Timed]:
    """A million neurons on a thousand macros of 1,024 x 1,024 cells."""
    for name in ("in place", "tree, in place"):
        for schedule in ("serial", "pipelined", "overlapped"):
            net = Grown(1_000_000, steps=4, **TALL, **DESIGNS[name])
            yield Timed("latency-million", name, net, schedule)


STUDIES = designs.added(
    {
        "latency-shares": _shares,
        "latency-schedules": _schedules,
        "latency-cures": _cures,
        "latency-million": _million,
    }
)
