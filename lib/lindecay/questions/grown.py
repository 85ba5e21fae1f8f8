"""A network of 100 to a million neurons, for the simulator: sizes, wiring, spikes.

A group's programs are those of one machine of the array with random weights; where a
rival updates, the closed forms of `sram` stand in.
"""

from dataclasses import dataclass, replace

import numpy as np

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.questions.fabric import Builder, Programs, programs, under_a_tree
from lindecay.questions.simulator import Fabric, Traffic
from lindecay.sram import MacroSpec, closed_forms
from lindecay.sram.place.linear import plan_layer
from lindecay.sram.serial.machine import LayerMachine


@dataclass(frozen=True)
class Grown:
    """A layered network of any size with random spikes; nothing but time is simulated.

    neurons: in `layers` hidden layers of equal width, behind a sensor of that width.
    fan_in: inputs of a neuron, which all neurons of a group share.
    active: share of neurons (and of the sensor) that spike in a step.
    wiring: "near" (a group reads the same place of the layer before), or "far" (its
        inputs come from groups anywhere in that layer).
    update: "in place", "row" or "word" (one row of words, or one word, after another).
    unit: one for a "layer", or one for each "group".
    """

    neurons: int
    layers: int = 4
    fan_in: int = 256
    active: float = 0.02
    wiring: str = "near"
    rows: int = 256
    cols: int = 256
    ports: int = 2
    together: int = 1
    layout: str = "A"
    update: str = "in place"
    unit: str = "layer"
    law: str = "shrink"
    steps: int = 8
    seed: int = 0

    @property
    def width(self) -> int:
        """Neurons of a layer."""
        return max(1, self.neurons // self.layers)

    @property
    def inputs(self) -> int:
        """Inputs of a neuron: as many as asked for and there are."""
        return min(self.fan_in, self.width)

    @property
    def groups(self) -> int:
        """Groups of a layer."""
        return -(-self.width // self.cols)

    @property
    def spec(self) -> MacroSpec:
        return MacroSpec(rows=self.rows, cols=self.cols, ports=self.ports)


GRID = {"B": 10, "f": 2, "law": "shrink", "reset": "subtract"}  # of MLP-1
BITS = 4


def one_group(net: Grown) -> LayerMachine:
    """The machine of one group: random weights of 4 bits on the grid of MLP-1."""
    rng = np.random.default_rng((net.seed, net.inputs, net.cols))
    half = 1 << (BITS - 1)
    outputs = min(net.cols, net.width)
    w = rng.integers(-half, half, (outputs, net.inputs)).astype(np.int8)
    told = {"theta": np.int32(200), "lam": np.int32(8 * (net.law == "shrink"))}
    if net.law == "exponential":
        told |= {"beta": np.int32(230), "beta_shift": 8}  # 0.9
    if net.law == "shift":
        told["beta"] = np.int32(3)  # V - V / 2^3
    layer = Layer("group", w, bits=BITS, **told)
    ck = Checkpoint({**GRID, "law": net.law, "T": net.steps}, (layer,))
    return LayerMachine(ck, layer, plan_layer(ck, layer, net.spec), net.spec)


def group_programs(net: Grown) -> Programs:
    """Cycles of a group's programs in its layout, with its way to update."""
    machine = one_group(net)
    found, plan = programs(machine), machine.plan
    if net.layout == "C":
        found = under_a_tree(found, plan, net.spec)
    if net.update == "in place":
        return found
    served = net.width if net.unit == "layer" else plan.outputs
    cycles = {
        "word": closed_forms.word_sequential_cycles(served, net.ports),
        "row": closed_forms.row_wide_cycles(served, plan.B, net.cols, net.ports),
    }[net.update]
    holders = net.groups if net.unit == "layer" else 1
    reads = plan.A * holders if net.layout == "A" else 0  # sums stand upright
    merge = found.merge - (plan.A - plan.f if net.layout == "C" else 0)
    return replace(found, pre=0, mid=cycles + reads, after=0, merge=merge)


def grown(net: Grown) -> tuple[Fabric, Traffic]:
    """Fabric and random traffic of a network of that size.

    Layers stand side by side along the snake, so that the same place in the next layer
    is the next node.
    """
    rng = np.random.default_rng((net.seed, net.neurons, net.steps))
    found, made = group_programs(net), Builder(net.steps)
    tile_of = one_group(net).plan.tile_of
    if net.layout == "C":
        tile_of = np.arange(net.inputs) // net.rows
    before = made.sensor(net.groups)
    for _ in range(net.layers):
        here = made.layer_of(net.groups, found)
        group, neuron = wiring(net, rng)  # of each input of each group
        _spread(made, net, rng, before, here, group, neuron, tile_of)
        before = here
    place = np.arange(net.layers + 1)[:, None] + (net.layers + 1) * np.arange(
        net.groups
    )
    return made.fabric(net.together, place.ravel()), made.traffic()


def wiring(net: Grown, rng) -> tuple[np.ndarray, np.ndarray]:
    """(source group, neuron in it) of each input of each group, int64 [groups, K]."""
    groups, K, cols = net.groups, net.inputs, min(net.cols, net.width)
    if net.wiring == "near":  # a window round the same place, half a group aside
        first = np.arange(groups)[:, None] * net.cols + cols // 2
        at = np.minimum(first, net.width - K) + np.arange(K)
        return at // net.cols, at % net.cols
    runs = max(1, K // 64)  # runs of 64 inputs, each from a group anywhere
    group = np.repeat(rng.integers(0, groups, (groups, runs)), -(-K // runs), axis=1)
    place = np.tile(np.arange(-(-K // runs)), runs)[None, :K]
    last = net.width - group[:, :K] * net.cols
    return group[:, :K], np.minimum(place, np.minimum(last, cols) - 1)


def _spread(made, net, rng, before, here, group, neuron, tile_of) -> None:
    """Random spikes of a layer, copied to every row tile that reads them; tokens."""
    width, many = net.cols, net.groups
    key = (group * width + neuron).ravel()  # source neuron of each input
    order = np.argsort(key, kind="stable")
    starts = np.searchsorted(key[order], np.arange(many * width + 1))
    reader = np.repeat(np.arange(many), net.inputs)[order]
    tile = np.tile(tile_of, many)[order]
    n = rng.binomial(net.width, net.active, net.steps)
    spikes = [np.sort(rng.choice(net.width, k, replace=False)) for k in n]
    sent = np.repeat(np.arange(net.steps), n)
    who = np.concatenate(spikes)
    copies = starts[who + 1] - starts[who]
    event = np.repeat(np.arange(len(who)), copies)
    entry = np.arange(len(event)) - np.repeat(np.cumsum(copies) - copies, copies)
    entry += starts[who[event]]
    source = before[who[event] // width]
    made.send(source, sent[event], here[reader[entry]], tile[entry])
    pairs = np.unique(
        np.stack([group.ravel(), np.repeat(np.arange(many), net.inputs)]), axis=1
    )
    made.link(before[pairs[0]], here[pairs[1]])
