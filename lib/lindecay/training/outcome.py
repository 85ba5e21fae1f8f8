"""Trained arms on test clips, and intervals of what parts them.

Accuracy is always the integer network's, on the exported weights.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from lindecay import events, integer
from lindecay.quantization import Checkpoint
from lindecay.settings import profile
from lindecay.training.loop import checkpoint_for
from lindecay.training.plan import clips_for

COMPARED = ("vlif", "ldlif", "if")  # on N-MNIST, in every profile


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
