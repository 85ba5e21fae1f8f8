"""Datapaths on the membranes of trained networks: toggles, ratios, picojoules.

One unit serves a layer neuron by neuron, step by step, so its inputs change from one
neuron's membrane to the next. The stream is what the trained network really held.
"""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from lindecay import integer
from lindecay.arms import LINEAR, MODULES
from lindecay.energy import gates, network
from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.settings import committed

# which law a datapath computes; two products that no arm of the comparison has
LAW = MODULES | {"decay_beta_floor": "exponential", "decay_const": "exponential"}
OURS = f"{LINEAR}, shrink"
FEW = 20_000  # membranes that are simulated with delays


def streams(ck: Checkpoint, clips: Clips, layer: int = 0) -> dict[str, np.ndarray]:
    """What a unit sees, int64 [clips x steps x neurons]: v, i, theta, lam; and the
    integer network's answer, y and fired.
    """
    trace = integer.run(ck, clips)
    one, plan = trace.layers[layer], ck.layers[layer]
    before = np.zeros_like(one.V)
    before[:, 1:] = one.V[:, :-1]
    events = (clips.indptr, clips.channel)
    if layer:
        events = integer.as_events(trace.layers[layer - 1].S)
    rows = plan.w.T.astype(np.int64) << ck.f
    steps = len(events[0]) - 1
    current = [rows[events[1][a:b]].sum(0) for a, b in zip(events[0], events[0][1:])]
    current = np.array(current, np.int64).reshape(steps, plan.out)
    flat = {"v": before, "y": one.V, "fired": one.S, "i": current}
    out = {k: np.asarray(x, np.int64).reshape(-1) for k, x in flat.items()}
    for name, values in (("theta", plan.row("theta")), ("lam", plan.row("lam"))):
        out[name] = np.tile(values.astype(np.int64), steps)
    return out


def beta_for(path: gates.Datapath) -> int:
    """The trained beta on the datapath's own grid."""
    bits = dict(path.parameters).get("N", 8)
    return round(network.BETA[0] / 2 ** network.BETA[1] * 2**bits)


def at_width(told: dict, B: int, bits: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The same stream on a membrane of `bits` instead of B.

    Narrower: low bits fall off. Wider: random low bits, since a finer grid would
    not hold zeros there.
    """
    k, random = bits - B, np.random.default_rng(seed)
    if k <= 0:
        return {n: np.maximum(x >> -k, 1) if n == "theta" else x >> -k
                for n, x in told.items()}  # fmt: skip
    low = {n: random.integers(0, 1 << k, len(x)) for n, x in told.items()}
    still = ("theta", "lam")
    return {n: (x << k) + (0 if n in still else low[n]) for n, x in told.items()}


@dataclass(frozen=True)
class Row:
    """One datapath at one width."""

    name: str
    neuron: bool
    bits: int
    gates: int
    area: float  # NANDs
    toggles: float  # weighted, a membrane, no delays
    glitchy: float  # the same with one unit of delay a gate


def run(path: gates.Datapath, told: dict, B: int, A: int) -> Row:
    """Toggles of a datapath on a stream."""
    net = gates.netlist(path, B, A)
    told = told | {"beta": np.full(len(told["v"]), beta_for(path))}
    told = {k: told[k] for k in path.inputs}
    _, moved = gates.simulate(net, told)
    few = {k: x[:FEW] for k, x in told.items()}
    calm = gates.energy(net, moved, len(told["v"]))
    wild = gates.energy(net, gates.glitches(net, few), len(few["v"]) - 1)
    return Row(path.name, path.neuron, B, len(net.cells), net.area, calm, wild)


def rows(ck: Checkpoint, clips: Clips, bits=(10,), A: int = 13) -> list[Row]:
    """Every datapath, decay alone and whole neuron, each on its own law's membranes."""
    seen = {law: streams(network.under(ck, law), clips) for law in set(LAW.values())}
    out = []
    for width in bits:
        for path in gates.DECAYS:
            told = at_width(seen[LAW[path.module]], ck.B, width)
            wide = A + width - ck.B
            out += [run(p, told, width, wide) for p in (path, path.whole())]
        out.append(run(gates.ADDER, noise(width), width, wide))
    return out


def ratios(found: list[Row], over: str = OURS) -> list[dict]:
    """Each datapath over ours, by scope; low and high over widths and both delays.

    `ratio` is without delays, at the middle width.
    """
    ours = {(r.neuron, r.bits): r for r in found if r.name == over}
    table: dict[tuple, list[tuple[float, float]]] = {}
    for r in found:
        if r.name == gates.ADDER.name:
            continue
        own = ours[r.neuron, r.bits]
        pair = (r.toggles / own.toggles, r.glitchy / own.glitchy)
        table.setdefault((r.name, r.neuron), []).append(pair)
    out = []
    for (name, neuron), pairs in table.items():
        both = [x for pair in pairs for x in pair]
        row = {"datapath": name, "scope": "neuron" if neuron else "decay alone"}
        row |= {"ratio": pairs[len(pairs) // 2][0]}
        row |= {"with delays": pairs[len(pairs) // 2][1]}
        out.append(row | {"low": min(both), "high": max(both)})
    return out


def noise(B: int, n: int = 20_000, seed: int = 0) -> dict[str, np.ndarray]:
    """Random numbers for the adder that turns toggles into joules."""
    random, half = np.random.default_rng(seed), 1 << (B - 1)
    return {k: random.integers(-half, half, n) for k in ("v", "i")}


def pj(found: list[Row], row: Row, add8_pj: float) -> tuple[float, float]:
    """Picojoules of a datapath, without and with delays.

    The anchor is the adder of the same width: B additions of a bit cost add8 B / 8,
    glitches included, so each way of counting is measured by its own adder.
    """
    (add,) = (r for r in found if r.name == gates.ADDER.name and r.bits == row.bits)
    cost = add8_pj * row.bits / 8
    return cost * row.toggles / add.toggles, cost * row.glitchy / add.glitchy


def write(found: Iterable[Row], path: Path) -> None:
    """Rows as CSV, four digits: what data/reference/gates.csv holds."""
    with Path(path).open("w", newline="") as file:
        out = csv.DictWriter(file, [f.name for f in fields(Row)])
        out.writeheader()
        for row in found:
            told = asdict(row)
            exact = {k: f"{told[k]:.1f}" for k in ("area", "toggles", "glitchy")}
            out.writerow(told | {"neuron": int(row.neuron)} | exact)


def read(path: Path | None = None) -> list[Row]:
    """Rows of a CSV; by default of the committed sweep over widths 8 to 16."""
    path = Path(path) if path else committed("reference/gates.csv")
    out = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            whole = {k: int(row[k]) for k in ("bits", "gates")}
            real = {k: float(row[k]) for k in ("area", "toggles", "glitchy")}
            out.append(Row(row["name"], row["neuron"] == "1", **whole, **real))
    return out
