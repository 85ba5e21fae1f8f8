"""The frozen network on fewer and on more events: how a bill goes with activity.

    kept 1/k   every event of a clip stays with probability 1/k
    times k    a clip and the k - 1 clips after it lie on top of each other

Each is run on the array anew: hidden spikes, clamps and resets are those that the
network then has, and nothing is interpolated. What the network says about such clips is
nobody's accuracy; only its work is looked at.
"""

from dataclasses import dataclass, replace

import numpy as np

from lindecay import store
from lindecay.energy import choices, layouts, network
from lindecay.energy.choices import Case
from lindecay.energy.network import Measured
from lindecay.events import Clips

FACTORS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)


@dataclass(frozen=True)
class Busy:
    """The frozen network at one activity, with its ledger in every layout."""

    factor: float  # of the recordings' events; 1: as they are
    spikes: float  # input spikes a step, mean over clips
    inside: dict[str, Measured]  # layout: its ledger, updated in place
    beside: dict[str, Measured]  # layout: the ledger that a rival shares


def scaled(clips: Clips, factor: float, seed: int = 0) -> Clips:
    """The same clips with that many times their events.

    Args:
        factor: below 1 a share that is kept, above 1 a whole number of clips.
        seed: of the choice.
    """
    if factor == 1:
        return clips
    whole = clips.dense().astype(bool)  # (time, batch, channels)
    made = _kept(whole, factor, seed) if factor < 1 else _piled(whole, round(factor))
    clip, step, channel = np.nonzero(made.transpose(1, 0, 2))
    size = np.bincount(clip * clips.steps + step, minlength=len(clips) * clips.steps)
    return replace(
        clips,
        indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        channel=channel.astype(np.int32),
        count=None,
        sha256=store.key_of({"of": clips.sha256, "times": factor, "seed": seed}, ()),
    )


def _kept(whole: np.ndarray, share: float, seed: int) -> np.ndarray:
    return whole & (np.random.default_rng(seed).random(whole.shape) < share)


def _piled(whole: np.ndarray, times: int) -> np.ndarray:
    return np.any([np.roll(whole, -k, axis=1) for k in range(times)], axis=0)


def spikes(clips: Clips) -> float:
    """Input spikes a step, mean over clips."""
    return len(clips.channel) / (len(clips) * clips.steps)


def of(one: Measured, spikes: float, factor: float = 1) -> Busy:
    """A ledger of layout A with those of the other layouts, in closed form."""
    words = layouts.words(one)
    inside = {"A": one, "B": words, "C": layouts.tree(one, in_place=True)}
    beside = {"A": one, "B": words, "C": layouts.tree(one)}
    return Busy(factor, spikes, inside, beside)


def busy(case: Case, profile: str) -> list[Busy]:
    """The case's network at every activity; the case itself at 1."""
    from lindecay import training  # heavy: only where a network is wanted

    own = case.choices
    clips = choices.clips_of(own.profile(profile), own.clips)
    ck = training.checkpoint_for(profile, "ldlif")
    made = []
    for factor in FACTORS:
        some = scaled(clips, factor)
        one = network.stored(ck, some, "ldlif", own.spec())
        made.append(of(one, spikes(some), factor))
    return made
