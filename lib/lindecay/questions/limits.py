"""Where linear decay fails: one small network, five tasks, every arm tuned alike.

    groups of 8 lines -> 32 neurons -> classes,  a learned decay a layer, no bias

A row is a point (task, knob, arm): it tries every horizon of HORIZONS on one seed that
is never used again, keeps the best on clips of their own, and trains SEEDS from
there. Every seed draws network, training clips and test clips anew. The forward of
training is the integer network's, bit for bit (tests/test_limits.py).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from lindecay import integer
from lindecay.networks import ARMS
from lindecay.networks.decays import Neurons
from lindecay.networks.layer import Linear, Network, SpikingLayer, bound
from lindecay.quantization import Checkpoint, Grid
from lindecay.questions import remedies, tasks_made
from lindecay.questions.tasks_made import Made
from lindecay.studies import designs
from lindecay.training import events_of

GRID = Grid(weight_bits=4, membrane_bits=10, fraction_bits=1)
HIDDEN, CLIPS, TEST, BATCH, EPOCHS = 32, 400, 400, 100, 40
RATE, DECAY_RATE = 1e-2, 2e-2  # of Adam: weights, and what stands behind decays
GAIN = (2.0, 6.0)  # variance of the weights' start x inputs / 3
HORIZONS = (2.0, 4.0, 16.0)  # steps, that every arm with a decay tries
TUNING, SEEDS, FIXED = 90, range(6), 16.0  # the seed that chooses; those that count
MAIN = ("if", "vlif", "ldlif", "shift")
HELD = ("vlif", "ldlif")  # arms whose decay is also held at FIXED
EACH = {"neuron": "ldlif", "neuron_vlif": "vlif"}  # λ, or β, for each neuron
CURES = (*EACH, *remedies.LAWS)
KNOBS = {
    "match": (4, 16, 32, 64),
    "rate": (10, 30, 100),
    "adding": (8, 32),
    "order": (32,),
    "chain": (4, 16),
}
CURED = (("rate", 30), ("match", 32), ("adding", 32))


@dataclass(frozen=True)
class Net:
    """What a network is made of; `export` reads name, law, grid and rounding."""

    law: str
    grid: Grid
    rounding: str | None = None
    name: str = "limits"


def law_of(arm: str) -> str:
    """The decay law of an arm or a remedy."""
    arm = EACH.get(arm, arm)
    return ARMS[arm].law if arm in ARMS else arm


def start_of(arm: str, horizon: float) -> float:
    """beta, or lambda* = (1 - beta)/(1 + beta) of a threshold, in the law's units."""
    beta = 1 - 1 / horizon
    if law_of(arm) in ("exponential", "shift"):
        return beta
    return min((1 - beta) / (1 + beta) * remedies.GAIN.get(arm, 1), 0.9)


def network(arm: str, horizon: float, sizes: tuple[int, ...], learns=True) -> Network:
    """Layers of one arm; EACH has a decay for each neuron, all others one a layer."""
    base = EACH.get(arm, arm)
    rounding, law = ARMS[base].rounding if base in ARMS else None, law_of(arm)
    bits = {"exponential": 8, "shift": 1}.get(law)
    how = {"rounding": rounding, "decays": "open", "learns": learns}
    neurons, layers = Neurons(law, GRID, bits, **how), {}
    for k, (i, o) in enumerate(zip(sizes, sizes[1:])):
        start = torch.full((o,) if arm in EACH else (), start_of(arm, horizon))
        gain = bound(GAIN[k > 0], i)
        layers[f"fc{k + 1}"] = SpikingLayer(neurons, Linear(i, o), gain, start)
    return Network(Net(law, GRID, rounding), layers)


def trained(
    arm: str, made: Made, horizon: float, seed: int, learns=True, epochs: int = EPOCHS
) -> Network:
    """A network trained on all clips of `made`; same weights and order for every arm.

    The loss is cross entropy on the output spikes of the steps that are judged.
    """
    sizes = (made.clips.channels, HIDDEN, made.classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = network(arm, horizon, sizes, learns)
    adam = optimiser(net)
    draws, labels = np.random.default_rng(seed), torch.from_numpy(made.clips.labels)
    for _ in range(epochs):
        for idx in np.split(draws.permutation(len(labels)), len(labels) // BATCH):
            spikes = net(events_of(made.clips, idx))[-1][0]
            loss = functional.cross_entropy(spikes[made.window :].sum(0), labels[idx])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return net.eval()


def optimiser(net: Network) -> torch.optim.Adam:
    """Adam, with a rate of its own for what stands behind the decays."""
    named = list(net.named_parameters())
    groups = [{"params": [p for n, p in named if "raw" not in n]}]
    groups += [{"params": [p for n, p in named if "raw" in n], "lr": DECAY_RATE}]
    return torch.optim.Adam(groups, lr=RATE)


def exported(net: Network, made: Made) -> Checkpoint:
    """The network as integers, for clips like these."""
    return net.export({"T": made.clips.steps})


def accuracy(ck: Checkpoint, made: Made) -> float:
    """Percent right of the integer network, by its spikes from the window on."""
    counts = integer.run(ck, made.clips, record=False).layers[-1].S[:, made.window :]
    return 100 * float((counts.sum(1).argmax(1) == made.clips.labels).mean())


def critical_rate(ck: Checkpoint, lines: int = tasks_made.LINES) -> float:
    """Spikes a line in a thousand steps whose mean drive is λ, in the keenest neuron.

    Below it nothing accumulates on average in any hidden neuron: λ over the sum of a
    neuron's positive weights from the first `lines` inputs.
    """
    layer = ck.layers[0]
    drive = np.maximum(layer.w[:, :lines].astype(int), 0).sum(1) << ck.f
    return 1000 * float((layer.row("lam") / np.maximum(drive, 1)).min())


@dataclass(frozen=True)
class Point:
    """One arm at one knob of one task: tuned, then trained from five seeds."""

    task: str
    knob: int
    arm: str
    held: bool = False  # the decay stays at FIXED

    @property
    def key(self) -> str:
        """Readable and unique."""
        return f"{self.task},{self.knob},{self.arm}" + (",held" if self.held else "")

    def row(self) -> dict:
        """Accuracies of all seeds, what was tried, and what was learned."""
        began = time.process_time()
        torch.set_num_threads(1)
        with remedies.known():
            tried = self._tried()
            best = max(tried, key=lambda h: (tried[h], h))
            runs = [self._run(best, seed) for seed in SEEDS]
        told = {"key": self.key, "task": self.task, "knob": self.knob, "arm": self.arm}
        told |= {"held": self.held, "horizon": best}
        told |= {"tried": [[h, tried[h]] for h in tried]}
        told |= {name: [run[name] for run in runs] for name in runs[0]}
        return told | {"cpu_s": round(time.process_time() - began, 1)}

    def _tried(self) -> dict[float, float]:
        """Accuracy of every horizon on clips that choose and are used for no more."""
        if self.held:
            return {FIXED: 0.0}
        if self.arm == "if":
            return {HORIZONS[0]: 0.0}
        made, judged = (self._made(s, n) for s, n in ((TUNING, CLIPS), (190, TEST)))
        nets = {h: trained(self.arm, made, h, TUNING) for h in HORIZONS}
        found = {h: accuracy(exported(net, made), judged) for h, net in nets.items()}
        return {h: round(x, 2) for h, x in found.items()}

    def _made(self, seed: int, clips: int) -> Made:
        return tasks_made.make(self.task, self.knob, clips, seed)

    def _run(self, horizon: float, seed: int) -> dict:
        made, test = self._made(seed, CLIPS), self._made(1000 + seed, TEST)
        net = trained(self.arm, made, horizon, seed, learns=not self.held)
        ck = exported(net, made)
        told = {"accuracy": accuracy(ck, test), "trained": accuracy(ck, made)}
        return {k: round(x, 2) for k, x in told.items()} | learned(ck, test, self.knob)


@dataclass(frozen=True)
class Starts:
    """One arm from every start, all seeds: is a gap one of tuning?"""

    task: str
    knob: int
    arm: str
    horizon: float

    @property
    def key(self) -> str:
        """Readable and unique."""
        return f"{self.task},{self.knob},{self.arm},start {self.horizon:g}"

    def row(self) -> dict:
        """Accuracies of all seeds from this start."""
        began = time.process_time()
        torch.set_num_threads(1)
        found = [self._run(seed) for seed in SEEDS]
        told = {"key": self.key, "task": self.task, "knob": self.knob, "arm": self.arm}
        told |= {"horizon": self.horizon, "accuracy": found}
        return told | {"cpu_s": round(time.process_time() - began, 1)}

    def _run(self, seed: int) -> float:
        made = tasks_made.make(self.task, self.knob, CLIPS, seed)
        test = tasks_made.make(self.task, self.knob, TEST, 1000 + seed)
        net = trained(self.arm, made, self.horizon, seed)
        return round(accuracy(exported(net, made), test), 2)


def learned(ck: Checkpoint, made: Made, delay: int) -> dict:
    """λ, θ and β of each layer, means over neurons; the largest |V| after the cue.

    peak: mean over clips of the hidden layer's largest |V| where the delay begins.
    """
    few = made.clips.subset(np.arange(min(100, len(made.clips))))
    V = np.abs(integer.run(ck, few).layers[0].V[:, max(made.window - delay - 1, 0)])
    return {
        "theta": [int(layer.row("theta").max()) for layer in ck.layers],
        "lam": [round(float(layer.row("lam").mean()), 2) for layer in ck.layers],
        "beta": [round(float(layer.row("beta").mean()), 1) for layer in ck.layers],
        "peak": round(float(V.max(1).mean()), 1),
    }


def _main() -> Iterator[Point]:
    """Five tasks, four arms tuned alike, and two whose decay is held at 16 steps."""
    for task, knobs in KNOBS.items():
        for knob in knobs:
            for arm in MAIN:
                yield Point(task, knob, arm)
    for task in ("match", "rate"):
        for knob in KNOBS[task]:
            for arm in HELD:
                yield Point(task, knob, arm, held=True)


def _cures() -> Iterator[Point]:
    """Remedies of the linear decay on the points where arms differ."""
    for task, knob in CURED:
        for arm in CURES:
            yield Point(task, knob, arm)


def _starts() -> Iterator[Starts]:
    """Delayed match from three starts of the decay: is the gap one of tuning?"""
    for horizon in (4.0, 8.0, 16.0):
        for arm in HELD:
            yield Starts("match", 32, arm, horizon)


STUDIES = designs.added(
    {"limits": _main, "limits-cures": _cures, "limits-starts": _starts}
)
