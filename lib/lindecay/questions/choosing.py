"""Choosing lambda: rules, their cost, and what a converted network keeps.

    from beta alone      least squares, half-life, rheobase: `decay.MATCHES`
    from the membranes   lambda with E[min(|V|, lambda)] = E|V - D(V)|, what the
                         exponential itself takes off, by layer or by neuron
    from the data        mean step of the current over mean gap between events
    searched             the layer's match times a factor, the best on training clips

A trained v-LIF network becomes LD-LIF without training: weights and thresholds stay.
A rule sees training clips only; the test clips judge each converted network once.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from lindecay import events, integer, results, training
from lindecay.checkpoints import Checkpoint, Layer
from lindecay.decay import MATCHES, learned
from lindecay.events import Clips
from lindecay.networks import Mlp, MlpSpec
from lindecay.quantization import Grid
from lindecay.settings import Fault, committed, profile, store_dir
from lindecay.studies import designs, protocol
from lindecay.training import speech

CALIBRATE = 500  # training clips that a rule may look at
FACTORS = tuple(float(2.0**k) for k in np.arange(-3, 3.01, 0.5))
SETS = ("nmnist", "shd", "nmnist stand-in", "shd stand-in")
KEPT = {"nmnist": "reference/nmnist/vlif-seed0.npz"}
KEPT["shd"] = "reference/shd_open/vlif-seed1.npz"


def decayed(ck: Checkpoint, layer: Layer, V: np.ndarray) -> np.ndarray:
    """What the leak makes of membranes V [..., out], whole numbers."""
    amount = layer.row("lam" if ck.law == "shrink" else "beta")
    return integer.leak(ck.law, V, amount, layer.beta_shift or 0, ck.rounding)


def matched(V: np.ndarray, lost: np.ndarray, most: int) -> int:
    """The whole lambda whose mean loss min(|V|, lambda) is nearest to mean `lost`.

    >>> matched(np.array([10, 10]), np.array([3, 5]), 9)
    4
    """
    size, wanted = np.sort(np.abs(V.ravel())), float(np.mean(lost))
    below = np.concatenate([[0], np.cumsum(size)])
    lam = np.arange(most + 1)
    at = np.searchsorted(size, lam)
    mean = (below[at] + lam * (len(size) - at)) / max(len(size), 1)
    return int(np.abs(mean - wanted).argmin())


def _from_beta(rule: str) -> Callable:
    def choose(ck, layer, seen):
        beta = layer.row("beta") / 2**layer.beta_shift
        theta = layer.row("theta").astype(float)
        with np.errstate(divide="ignore"):
            return MATCHES[rule](np.maximum(beta, 1e-9), theta)

    return choose


def _by_layer(ck, layer, seen):
    V, lost = seen["V"], seen["lost"]
    lam = matched(V, lost, int(layer.row("theta").min()) - 1)
    return np.full(layer.out, float(lam))


def _by_neuron(ck, layer, seen):
    most = layer.row("theta") - 1
    each = (matched(seen["V"][..., j], seen["lost"][..., j], int(most[j]))
            for j in range(layer.out))  # fmt: skip
    return np.array([float(lam) for lam in each])


def _from_data(ck, layer, seen):
    """A membrane that gets a step of mean size every `gap` steps loses just that."""
    current = np.abs(seen["current"])
    gap = 1 / max(float((current > 0).mean()), 1e-9)
    size = float(current[current > 0].mean()) if (current > 0).any() else 0.0
    return np.full(layer.out, size / gap)


RULES: dict[str, Callable] = {name: _from_beta(name) for name in MATCHES}
RULES |= {"membranes, by layer": _by_layer, "membranes, by neuron": _by_neuron}
RULES |= {"data alone": _from_data}
BEST, CHEAP = "membranes, by neuron", "least squares"  # without training, with


def seen(ck: Checkpoint, clips: Clips) -> list[dict]:
    """What the exponential network held: V before each decay, its loss, currents."""
    trace, told = integer.run(ck, clips), []
    for layer, found in zip(ck.layers, trace.layers):
        V = np.zeros_like(found.V)
        V[:, 1:] = found.V[:, :-1]
        rest = decayed(ck, layer, V)
        told.append({"V": V, "lost": np.abs(V - rest), "current": found.U - rest,
                     "rest": rest})  # fmt: skip
    return told


def converted(
    ck: Checkpoint,
    clips: Clips,
    rule: str = BEST,
    factor: float = 1.0,
    bias: bool = True,
) -> Checkpoint:
    """A v-LIF network as LD-LIF, nothing trained.

    Args:
        clips: training clips that a rule may look at.
        rule: a key of RULES; the default lost least of all that need no training.
        factor: of its lambda. bias: what the leaks still differ by, on average, becomes
            a bias of each neuron.

    Raises:
        Fault: an unknown rule, or a network of another law.
    """
    if rule not in RULES:
        known = ", ".join(RULES)
        raise Fault("no such rule for lambda", expected=known, found=repr(rule))
    if ck.law != "exponential":
        raise Fault("nothing to convert", expected="law exponential", found=ck.law)
    layers = [
        _converted(ck, layer, RULES[rule](ck, layer, held), held, factor, bias)
        for layer, held in zip(ck.layers, seen(ck, clips))
    ]
    meta = {k: v for k, v in ck.meta.items() if k != "rounding"}
    return Checkpoint(meta | {"law": "shrink", "arm": "ldlif"}, tuple(layers))


def _converted(ck, layer: Layer, lam, held: dict, factor: float, bias: bool) -> Layer:
    lam = np.rint(np.asarray(lam) * factor).clip(0, layer.row("theta") - 1)
    lam = lam.astype(np.int32)
    told = {"lam": lam, "beta": None, "beta_shift": None}
    if bias:
        mine = integer.leak("shrink", held["V"], lam)
        left = np.rint((held["rest"] - mine).mean((0, 1))).astype(np.int32)
        told["bias"] = layer.row("bias") + left
    return replace(layer, **told)


def fine_tuned(
    ck: Checkpoint, clips: Clips, epochs: int = 1, seed: int = 0
) -> Checkpoint:
    """A converted MLP-1, trained on from its weights and one lambda a layer."""
    sizes = (clips.channels, *(layer.out for layer in ck.layers))
    grid = Grid(ck.layers[0].bits, ck.B, ck.f)
    net = Mlp(MlpSpec("MLP-1", sizes, "shrink", 0.9, grid))
    for mine, layer in zip(net.layers, ck.layers):
        theta = float(np.mean(layer.row("theta")))
        mine.scale.fill_(2.0**ck.f / theta)
        mine.weight.data = torch.tensor(layer.w).float() * mine.scale
        mine.decay.data.fill_(float(np.mean(layer.row("lam"))) / theta)
    plan = training.Plan("ldlif", seed, profile("paper"))
    adam, draws = plan.optimizer(net), np.random.default_rng(seed)
    for _ in range(epochs):
        for idx in np.array_split(draws.permutation(len(clips)), len(clips) // 50):
            loss = plan.loss(net(training.events_of(clips, idx))[-1][0],
                             torch.from_numpy(clips.labels[idx]))  # fmt: skip
            adam.zero_grad()
            loss.backward()
            adam.step()
    return net.eval().export({k: ck.meta[k] for k in ("T", "data") if k in ck.meta})


def spoken(ck: Checkpoint, clips: Clips, epochs: int = 1) -> Checkpoint:
    """A converted MLP-2, trained on: its rows are a normalisation again.

    gamma = sigma/theta and shift = (bias + mean)/theta give theta and bias back, with
    mean and sigma of the currents of these clips.
    """
    hidden = tuple(layer.out for layer in ck.layers[:-1])
    grid = Grid(ck.layers[0].bits, ck.B, ck.f)
    spec = speech.SpeechSpec("shrink", decays="open", hidden=hidden, grid=grid)
    size = replace(profile("paper"), epochs=epochs, batch=128)
    plan = speech.Plan("ldlif", 0, size, network_spec=spec, learning_rate=5e-4)
    run = training.Run(plan, clips)
    held = seen(ck, clips.subset(np.arange(min(CALIBRATE, len(clips)))))
    for mine, layer, one in zip(run.net.layers, ck.layers, held):
        _as_normalised(mine, layer, one["current"])
    run.net.train()
    for _ in range(epochs):
        run.epoch()
    return run.net.eval().export({k: ck.meta[k] for k in ("T", "data") if k in ck.meta})


def _as_normalised(mine, layer: Layer, current: np.ndarray) -> None:
    rows = {n: torch.tensor(layer.row(n)).float() for n in ("theta", "bias", "lam")}
    fed = torch.from_numpy(current.reshape(-1, layer.out)).float() - rows["bias"]
    mean, sigma = fed.mean(0), (fed.var(0, correction=0) + 1.0).sqrt()
    mine.weight.data = torch.tensor(layer.w).float() * mine.scale
    mine.mean.copy_(mean)
    mine.var.copy_(sigma**2 - 1.0)
    mine.gamma.data = sigma / rows["theta"]
    mine.shift.data = (rows["bias"] + mean) / rows["theta"]
    mine.raw.data = learned.raw((rows["lam"] / rows["theta"]).clamp(1e-3, 0.9))


@contextmanager
def _of(name: str) -> Iterator[str]:
    """The data set's name; of a stand-in with no recordings in sight."""
    set_, _, made = name.partition(" ")
    before = os.environ.get("LINDECAY_DATA")
    if made:
        empty = store_dir() / "no recordings"
        empty.mkdir(parents=True, exist_ok=True)
        os.environ["LINDECAY_DATA"] = str(empty)
    try:
        yield set_
    finally:
        if made:
            os.environ.pop("LINDECAY_DATA")
            if before is not None:
                os.environ["LINDECAY_DATA"] = before


def subject(name: str) -> tuple[Checkpoint, Clips, Clips]:
    """A set's v-LIF network, clips to calibrate on, clips to judge.

    Networks of the two sets are the committed ones, those of stand-ins are trained.
    """
    with _of(name) as set_:
        size = profile("paper" if name in KEPT else "quick")
        if set_ == "nmnist":
            train, test = (events.clips("nmnist", s, size) for s in ("train", "test"))
            plan = training.Plan("vlif", 0, size)
        else:
            train, test = (speech.clips_for(size.name, s) for s in ("train", "test"))
            task = protocol.Task("test", "shd", "vlif", 0, horizon=4.0, version=2,
                                 **protocol.SMALL)  # fmt: skip
            plan = protocol.shd_plan(task)
        if name in KEPT:
            ck = Checkpoint.load(committed(KEPT[name]))
        else:
            ck = Checkpoint.load(training.train(plan, quiet=True) / "checkpoint.npz")
    few = np.random.default_rng(0).permutation(len(train))[:CALIBRATE]
    return ck, train.subset(np.sort(few)), test


def trained_on(data: str, ck: Checkpoint, size) -> Checkpoint:
    """One epoch over all training clips of a set."""
    if data.startswith("nmnist"):
        return fine_tuned(ck, events.clips("nmnist", "train", size))
    return spoken(ck, speech.clips_for(size.name, "train"))


@dataclass(frozen=True)
class Choice:
    """One way to choose lambda on one set."""

    data: str
    rule: str
    factor: float = 1.0
    after: str = ""  # "bias", "epoch" or "bias, epoch": what follows the conversion

    @property
    def key(self) -> str:
        return ",".join(f"{k}={v}" for k, v in asdict(self).items())

    def row(self) -> dict:
        """Accuracy on calibration and test clips, spikes, CPU seconds of the rule."""
        ck, calibrate, test = subject(self.data)
        began, made = time.process_time(), ck
        if self.rule != "v-LIF":
            bias = self.after.startswith("bias")
            made = converted(ck, calibrate, self.rule, self.factor, bias)
        if self.after.endswith("epoch"):
            with _of(self.data):
                size = profile("paper" if self.data in KEPT else "quick")
                made = trained_on(self.data, made, size)
        spent = time.process_time() - began
        told = {"key": self.key} | asdict(self) | {"cpu_s": round(spent, 2)}
        told |= {"source": test.source, "commit": results.commit()}
        for name, clips in (("calibrated", calibrate), ("test", test)):
            told |= _judged(name, made, clips)
        return told | {"lam": [float(np.mean(la.row("lam"))) for la in made.layers]}


def _judged(name: str, ck: Checkpoint, clips: Clips) -> dict:
    trace = integer.run(ck, clips, record=False)
    right = float((trace.predictions == clips.labels).mean())
    spikes = sum(layer.spikes for layer in trace.layers) / len(clips)
    sops = sum(layer.sops for layer in trace.layers) / len(clips)
    told = {"": round(100 * right, 3), "_spikes": round(spikes, 1)}
    told |= {"_sops": round(sops, 1), "_clips": len(clips)}
    return {name + k: v for k, v in told.items()}


def _rules() -> Iterator[Choice]:
    """Rules for lambda: a trained v-LIF network converted by each, on four sets."""
    for data in SETS:
        yield Choice(data, "v-LIF")
        for rule in RULES:
            yield Choice(data, rule)
            yield Choice(data, rule, after="bias")
            yield Choice(data, rule, after="epoch")
        if data.startswith("shd"):  # MLP-1 has no bias to train on
            yield Choice(data, "membranes, by neuron", after="bias, epoch")


def _searched() -> Iterator[Choice]:
    """Lambda by search: the layer's match times thirteen factors, on four sets."""
    for data in SETS:
        for factor in FACTORS:
            if factor != 1:  # among the rules
                yield Choice(data, "membranes, by layer", factor)


def follows() -> dict[str, float]:
    """Result ids of chapter 09 and what the committed rows give for them."""
    rows = protocol.kept("choosing-rules")
    at = {(r["data"], r["rule"], r["after"]): r["test"] for r in rows}
    told = {"lost": (CHEAP, ""), "epoch_lost": (CHEAP, "epoch")}
    told |= {"matched_lost": (BEST, ""), "biased_lost": (BEST, "bias")}
    told |= {"both_lost": (BEST, "bias, epoch")}
    return {
        f"choosing.shd.{id}": at["shd", "v-LIF", ""] - at["shd", *how]
        for id, how in told.items()
        if ("shd", *how) in at
    }


STUDIES = designs.added({"choosing-rules": _rules, "choosing-search": _searched})
