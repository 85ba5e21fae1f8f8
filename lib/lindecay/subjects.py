"""The networks of the book, one row a data set: how each is trained, kept and run.

A new network on a new set is a row of `SUBJECTS`; proofs, bills, hardware and the
reference read it from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lindecay import training
from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault, committed, profile
from lindecay.studies import designs, protocol
from lindecay.training import gestures, speech

LITTLE = "quick"  # the size at which a network is trained that nobody committed


@dataclass(frozen=True)
class Subject:
    """One network of the book.

    plan: (profile, arm, seed) -> its training run.
    clips: (profile) -> the clips that it is run on, none of them trained on.
    """

    title: str
    plan: Callable[[str, str, int], training.Plan]
    clips: Callable[[str], Clips]


def _digits(profile_name: str, arm: str, seed: int) -> training.Plan:
    return training.Plan(arm, seed, profile(profile_name))


def _speech(profile_name: str, arm: str, seed: int) -> training.Plan:
    """Arms of the first edition as it tuned them, the others with open decays."""
    how = {"horizon": protocol.TUNED.get(arm)}
    if arm not in protocol.TUNED:
        how = {"horizon": designs.chosen(training.arm(arm).name), "version": 2}
    task = protocol.Task("test", "shd", arm, seed, **how)
    if profile_name == LITTLE:  # chapter 05's little training: enough to fire
        task = replace(task, **protocol.SMALL)
    return protocol.shd_plan(task)


def _test(room) -> Callable[[str], Clips]:
    return lambda profile_name: room.clips_for(profile_name, "test")


SUBJECTS = {
    "nmnist": Subject("MLP-1", _digits, _test(training)),
    "shd": Subject("MLP-2", _speech, _test(speech)),
    "dvsgesture": Subject("CNN", gestures.plan, gestures.clips_for),
}


def subject(name: str) -> Subject:
    """The network of a data set.

    Raises:
        Fault: there is none.
    """
    if name not in SUBJECTS:
        raise Fault("no such network", expected=" or ".join(SUBJECTS), found=repr(name))
    return SUBJECTS[name]


def proven(
    name: str, profile_name: str = LITTLE, arm: str = "ldlif", seed: int = 0
) -> tuple[training.Plan, Checkpoint, Clips]:
    """A set's training run, its integers (trained if need be), the clips to prove."""
    one = subject(name)
    plan, clips = one.plan(profile_name, arm, seed), one.clips(profile_name)
    many = min(profile(profile_name).prove_clips, len(clips))
    return plan, trained(plan), clips.subset(np.arange(many))


def kept(name: str) -> dict[str, Path]:
    """Committed checkpoints of a data set by arm, the first seed of each."""
    found = sorted((committed("reference") / name).glob("*-seed0.npz"))
    return {path.name.removesuffix("-seed0.npz"): path for path in found}


def checkpoint(name: str, arm: str = "ldlif") -> Checkpoint:
    """The committed network; where none is, one trained at the quick size."""
    path = kept(name).get(arm)
    if path:
        return Checkpoint.load(path)
    return trained(subject(name).plan(LITTLE, arm, 0))


def trained(plan: training.Plan) -> Checkpoint:
    """The integers of a training run; trained now unless the store holds them."""
    return Checkpoint.load(training.train(plan) / "checkpoint.npz")
