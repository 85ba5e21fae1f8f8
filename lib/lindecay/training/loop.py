"""The loop: resumable, stamped, done once; and what a trained network gives.

A killed run goes on at its last finished epoch and ends with the same weights.
"""

import io
import json
import os
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
from torch import nn

from lindecay import events, store
from lindecay.decay import learned
from lindecay.quantization import Checkpoint
from lindecay.settings import profile, store_dir
from lindecay.training.plan import Plan, arm, events_of


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


def checkpoint_for(profile_name: str, arm_name: str, seed: int = 0) -> Checkpoint:
    """The trained integer network; trained now unless it is in the store."""
    folder = train(Plan(arm_name, seed, profile(profile_name)))
    return Checkpoint.load(folder / "checkpoint.npz")


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
