"""Training: paired arms on one grid, resumable, stamped; evaluation in integers.

Same initial weights, data order, surrogate and reset for every arm of a seed; only
the decay differs. The loss is cross entropy on output spike counts (snnTorch's
`ce_count_loss`); accuracy is always the integer network's, on the exported weights.
"""

import io
import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from scipy import stats
from snntorch import functional as sf
from torch import nn

from lindecay import events, integer, kernels, store
from lindecay.decay import learned
from lindecay.networks import ARMS, BETA_BITS, Mlp, MlpSpec
from lindecay.quantization import Checkpoint, Grid
from lindecay.settings import Fault, Profile, profile, store_dir

BETA = 0.9  # per 10 ms bin, not tuned (see 91_assumptions)
COMPARED = ("vlif", "ldlif", "if")  # on N-MNIST, in every profile
LEARNING_RATE = 2.5e-4  # chosen on 200 training clips held out


@dataclass(frozen=True)
class Plan:
    """All that one training run depends on."""

    arm: str
    seed: int
    profile: Profile
    data: str = "nmnist"
    beta: float = BETA  # lambda starts at its match
    watch: bool = field(default=True, kw_only=True)  # judge held-out clips each epoch

    def spec(self, clips: events.Clips) -> MlpSpec:
        p = self.profile
        grid = Grid(p.weight_bits, p.membrane_bits, p.fraction_bits)
        sizes = (clips.channels, p.hidden, 10)
        chosen = arm(self.arm)
        how = {"rounding": chosen.rounding, "beta_bits": chosen.beta_bits or BETA_BITS}
        return MlpSpec("MLP-1", sizes, chosen.law, self.beta, grid, **how)

    def clips(self) -> events.Clips:
        """What it trains on."""
        return events.clips(self.data, "train", self.profile)

    def network(self, clips: events.Clips) -> nn.Module:
        """A fresh network for these clips."""
        return Mlp(self.spec(clips))

    def export(self, net: nn.Module, meta: dict) -> Checkpoint | None:
        """The trained network as integers; None where it has no grid."""
        return net.export(meta)

    def params(self, clips: events.Clips) -> dict:
        """What tells this run from every other, beside the source."""
        sizes = asdict(self.profile)
        for unused in ("name", "seeds", "prove_clips"):
            sizes.pop(unused)
        own = {"arm": self.arm, "seed": self.seed, "beta": self.beta, "sizes": sizes}
        return own | {"data": clips.sha256, "source": clips.source}

    def optimizer(self, net: nn.Module) -> torch.optim.Optimizer:
        """What moves the weights."""
        return torch.optim.Adam(net.parameters(), lr=self.rate)

    def schedule(self, optimizer, steps: int):
        """What moves the learning rate over `steps` batches."""
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)

    def states(self, net: nn.Module, clips, idx: np.ndarray, generator) -> list:
        """(spikes, membranes) of every layer for the training clips `idx`."""
        return net(events_of(clips, idx))

    def loss(self, spikes: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """From output spikes [T, batch, out]: snnTorch's cross entropy on counts."""
        return sf.ce_count_loss()(spikes, target)

    def split(self, clips: events.Clips) -> tuple[np.ndarray, np.ndarray]:
        """Clips to train on and clips held out for validation (here none)."""
        return np.arange(len(clips)), np.arange(0)

    def settle(self, net: nn.Module, clips, idx: np.ndarray) -> None:
        """What a network needs after its last batch, such as running statistics."""

    @property
    def patience(self) -> int | None:
        """Epochs without a better validation accuracy after which it stops."""
        return None

    @property
    def rate(self) -> float:
        """Learning rate."""
        return LEARNING_RATE

    @property
    def modules(self) -> tuple[str, ...]:
        """Whose source the result depends on."""
        return MODULES


def arm(name: str):
    """The arm called `name`; Fault when there is none."""
    if name not in ARMS:
        raise Fault("unknown arm", expected=" or ".join(ARMS), found=repr(name))
    return ARMS[name]


def clips_for(profile_name: str, split: str) -> events.Clips:
    """Binned N-MNIST clips at the profile's sizes."""
    return events.clips("nmnist", split, profile(profile_name))


def checkpoint_for(profile_name: str, arm_name: str, seed: int = 0) -> Checkpoint:
    """The trained integer network; trained now unless it is in the store."""
    folder = train(Plan(arm_name, seed, profile(profile_name)))
    return Checkpoint.load(folder / "checkpoint.npz")


def train(plan: Plan, quiet: bool = False) -> Path:
    """Train once; returns the finished folder of the store.

    It holds checkpoint.npz (integers), state.pt (real weights) and curve.json.
    A killed run goes on at the last finished epoch, with the same result.
    """
    arm(plan.arm)
    clips = plan.clips()
    params = plan.params(clips)
    key = store.key_of(params, plan.modules)

    def build(folder: Path) -> None:
        _fit(plan, clips, folder, store_dir() / "unfinished" / f"{key}.pt", quiet)

    return store.memo("training", params, plan.modules, build)


def trained(plan: Plan) -> bool:
    """Whether the store holds the finished network."""
    arm(plan.arm)
    params = plan.params(plan.clips())
    return store.kept("training", params, plan.modules) is not None


MODULES = ("lindecay.training",)


def _fit(plan: Plan, clips, folder: Path, unfinished: Path, quiet: bool) -> None:
    run = Run(plan, clips)
    run.resume(unfinished)
    with _progress(quiet) as bar:
        named = f"{plan.data} {plan.arm} seed {plan.seed}"
        task = bar.add_task(named, total=plan.profile.epochs, note="")
        bar.update(task, completed=len(run.curve))
        while not run.done():
            run.epoch()
            run.keep(unfinished)
            note = f"loss {run.curve[-1]['loss']:.3f}"
            bar.update(task, completed=len(run.curve), note=note)
    _finish(plan, run.net, clips, run.curve, folder)
    for left in [unfinished, *unfinished.parent.glob(f".{unfinished.name}.*.part")]:
        left.unlink(missing_ok=True)  # also what a kill in mid-write left behind


class Run:
    """One training run: network, optimiser, schedule, generator, curve so far."""

    def __init__(self, plan: Plan, clips: events.Clips):
        self.plan, self.clips, self.curve = plan, clips, []
        self.generator = torch.Generator().manual_seed(plan.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            self.net = plan.network(clips)
        self.part, self.held = plan.split(clips)
        self.optimizer = plan.optimizer(self.net)
        batches = -(-len(self.part) // plan.profile.batch)
        steps = batches * plan.profile.epochs
        self.schedule = plan.schedule(self.optimizer, steps)

    @property
    def watched(self) -> bool:
        """Whether the held-out clips are judged after each epoch."""
        return self.plan.watch and len(self.held) > 0

    def done(self) -> bool:
        """All epochs run, or validation has not improved for `patience` of them."""
        if len(self.curve) >= self.plan.profile.epochs:
            return True
        best = [e.get("validation", 0.0) for e in self.curve]
        late = len(best) - 1 - int(np.argmax(best)) if best else 0
        return self.plan.patience is not None and late >= self.plan.patience

    def epoch(self) -> None:
        """One pass over the training clips; its numbers join the curve."""
        picked = torch.randperm(len(self.part), generator=self.generator).numpy()
        order, size = self.part[picked], self.plan.profile.batch
        self.net.train()
        rows = [
            self.batch(order[start : start + size])
            for start in range(0, len(order), size)
        ]
        last = len(self.curve) + 1 == self.plan.profile.epochs
        if last or self.watched:
            self.plan.settle(self.net, self.clips, self.part)
        self.curve.append(self.numbers(np.array(rows), len(order)))

    def batch(self, idx: np.ndarray) -> tuple[float, int, float]:
        """One step of the optimiser; loss, clips it had right, hidden spikes."""
        target = torch.from_numpy(self.clips.labels[idx])
        states = self.plan.states(self.net, self.clips, idx, self.generator)
        loss = self.plan.loss(states[-1][0], target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        right = int((states[-1][0].sum(0).argmax(1) == target).sum())
        return float(loss.detach()), right, float(states[0][0].detach().mean())

    def numbers(self, rows: np.ndarray, many: int) -> dict:
        """Loss, accuracy, hidden rate and decay of this epoch, and validation."""
        told = {
            "loss": float(rows[:, 0].mean()),
            "accuracy": float(rows[:, 1].sum()) / many,
            "hidden_rate": float(rows[:, 2].mean()),
            "decay": [decay_of(layer) for layer in self.net.layers],
        }
        if self.watched:
            told["validation"] = float(np.mean(right(self.net, self.clips, self.held)))
        return told

    def keep(self, path: Path) -> None:
        """Write down all that the next epoch depends on."""
        state = {name: getattr(self, name).state_dict() for name in PARTS}
        state |= {"generator": self.generator.get_state(), "curve": self.curve}
        buffer = io.BytesIO()
        torch.save(state, buffer)
        store.write_atomic(path, buffer.getvalue())

    def resume(self, path: Path) -> None:
        """Load what a killed run had finished, if there is any."""
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.generator.set_state(state["generator"])
        self.curve = state["curve"]


def decay_of(layer) -> float:
    """Mean of what a layer learned of its decays: beta, or lambda in real units."""
    if hasattr(layer, "raw"):
        return float(learned.share(layer.raw.detach()).mean())
    return float(layer.decay.detach().mean()) if hasattr(layer, "decay") else 0.0


PARTS = ("net", "optimizer", "schedule")


def right(net: nn.Module, clips: events.Clips, idx: np.ndarray) -> np.ndarray:
    """Which of the clips `idx` the network gets right as it stands, bool [clips]."""
    return predicted(net, clips, idx) == clips.labels[idx]


def predicted(net: nn.Module, clips: events.Clips, idx: np.ndarray) -> np.ndarray:
    """The class that the network as it stands gives the clips `idx`, int64."""
    net.eval()
    told = []
    with torch.no_grad():
        for start in range(0, len(idx), 250):
            spikes = net(events_of(clips, idx[start : start + 250]))[-1][0]
            told.append(spikes.sum(0).argmax(1).numpy())
    return np.concatenate(told)


def events_of(clips: events.Clips, idx: np.ndarray) -> kernels.Events:
    """The clips `idx` as a batch for the first layer."""
    part = clips.subset(idx)
    return kernels.Events(
        part.indptr, part.channel, part.steps, len(part), part.channels
    )


def _finish(plan: Plan, net, clips, curve, folder: Path) -> None:
    meta = {
        "data": {
            "name": clips.name,
            "source": clips.source,
            "sha256": clips.sha256,
            "dt_us": clips.dt_us,
            "train_clips": len(clips),
        },
        "T": clips.steps,
        "seed": plan.seed,
        "arm": plan.arm,
        "epochs": len(curve),
    }
    checkpoint = plan.export(net.eval(), meta)
    if checkpoint:  # a network without a grid has no integers
        checkpoint.save(folder / "checkpoint.npz")
    torch.save(net.state_dict(), folder / "state.pt")
    (folder / "curve.json").write_text(json.dumps(curve, indent=1))


def load(plan: Plan) -> nn.Module:
    """The trained network in real weights, for the training forward."""
    folder = train(plan)
    net = plan.network(plan.clips())
    net.load_state_dict(torch.load(folder / "state.pt", weights_only=True))
    return net.eval()


def curve(plan: Plan) -> list[dict]:
    """Loss, accuracy, firing rate and decay after each epoch."""
    return json.loads((train(plan) / "curve.json").read_text())


def training_forward(
    net: nn.Module, clips: events.Clips, batch: int = 50
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(U, S) of every layer as int32 [clips, T, out], from the training code."""
    parts: list[list] = [[] for _ in net.layers]
    for start in range(0, len(clips), batch):
        idx = np.arange(start, min(start + batch, len(clips)))
        with torch.no_grad():
            states = net(events_of(clips, idx))
        for part, (s, u) in zip(parts, states):
            whole = (u.numpy(), s.numpy())
            part.append([a.transpose(1, 0, 2).astype(np.int32) for a in whole])
    return [tuple(np.concatenate(x) for x in zip(*part)) for part in parts]


@dataclass(frozen=True)
class Outcome:
    """One arm on the test clips, a row per seed."""

    arm: str
    right: np.ndarray  # bool [seeds, clips]
    sops: np.ndarray  # synaptic operations per clip, [seeds]
    spikes: np.ndarray  # hidden spikes per clip, [seeds]

    @property
    def accuracy(self) -> np.ndarray:
        """Per cent of the clips, [seeds]."""
        return 100.0 * self.right.mean(1)


def compare(profile_name: str, arms=COMPARED) -> dict[str, Outcome]:
    """Every arm with the profile's seeds, trained if need be, on the test clips."""
    clips = clips_for(profile_name, "test")
    seeds = profile(profile_name).seeds
    return {
        name: _outcome(
            name, [checkpoint_for(profile_name, name, s) for s in seeds], clips
        )
        for name in arms
    }


def _outcome(name: str, checkpoints, clips: events.Clips) -> Outcome:
    traces = [integer.run(ck, clips, record=False) for ck in checkpoints]
    n = len(clips)
    return Outcome(
        name,
        right=np.array([t.predictions == clips.labels for t in traces]),
        sops=np.array([sum(layer.sops for layer in t.layers) / n for t in traces]),
        spikes=np.array([t.layers[0].spikes / n for t in traces]),
    )


def correct(ck: Checkpoint, clips: events.Clips) -> np.ndarray:
    """Which clips the integer network gets right, bool [clips]."""
    return integer.run(ck, clips, record=False).predictions == clips.labels


def with_lambda(ck: Checkpoint, change: Callable[[np.ndarray], np.ndarray]):
    """The same network with other decays, not retrained."""
    layers = [
        replace(layer, lam=np.asarray(change(layer.lam), np.int32))
        for layer in ck.layers
    ]
    return Checkpoint(ck.meta, tuple(layers))


def binomial_se(accuracy: float, clips: int) -> float:
    """Standard error of one accuracy, in points: 100 sqrt(p (1 - p) / n).

    >>> round(binomial_se(0.98, 10_000), 2)
    0.14
    """
    return 100.0 * math.sqrt(accuracy * (1 - accuracy) / clips)


def minimum_detectable_drop(accuracy: float, clips: int) -> float:
    """Smallest drop between two independent runs found with power 80 % at 5 %.

    >>> round(minimum_detectable_drop(0.9, 100), 1)
    11.9
    """
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    return float(z * math.sqrt(2) * binomial_se(accuracy, clips))


def paired_drop(base: np.ndarray, other: np.ndarray, draws: int = 10_000) -> dict:
    """Mean paired drop of `other` against `base`, in points, with intervals.

    Args:
        base, other: which clips were right, bool [seeds, clips], same seeds.
        draws: of the bootstrap that crosses seeds with clips.

    Returns:
        mean, per_seed, seeds_interval (Student's t over seeds) and interval
        (crossed bootstrap over seeds and clips, 95 %).

    >>> r = paired_drop(np.ones((3, 4), bool), np.zeros((3, 4), bool), draws=10)
    >>> r["mean"], r["interval"]
    (100.0, (100.0, 100.0))
    """
    points = 100.0 * (base.astype(float) - other.astype(float))  # [seeds, clips]
    seeds, clips = points.shape
    per_seed = points.mean(1)
    rng = np.random.default_rng(0)
    picked = np.empty(draws)
    for k in range(draws):
        rows = points[rng.integers(0, seeds, seeds)]
        picked[k] = rows[:, rng.integers(0, clips, clips)].mean()
    low, high = np.percentile(picked, [2.5, 97.5])
    return {
        "mean": float(per_seed.mean()),
        "per_seed": per_seed.tolist(),
        "seeds_interval": _t_interval(per_seed),
        "interval": (float(low), float(high)),
    }


def _t_interval(values: np.ndarray) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


def _progress(quiet: bool) -> Progress:
    console = Console(stderr=True, force_jupyter=False)  # no widgets on pages
    quiet = quiet or not console.is_terminal or bool(os.environ.get("LINDECAY_QUIET"))
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs, {task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet,
        transient=True,
    )
