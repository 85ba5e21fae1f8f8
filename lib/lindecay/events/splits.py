"""Validation splits, made from the training split alone.

SHD: whole speakers are held out; DVS Gesture: whole users; N-MNIST, which has
neither: stratified folds. The test split is for the end (`opened`).
"""

import numpy as np

from lindecay.events.readers import EventSet
from lindecay.settings import Fault

Fold = tuple[np.ndarray, np.ndarray]  # indices to train on, indices to validate on


def folds(labels: np.ndarray, parts: int = 5, seed: int = 0) -> list[Fold]:
    """Stratified folds: each clip validates once, classes as even as they can be.

    >>> [len(v) for _, v in folds(np.repeat([0, 1], 10), parts=4)]
    [5, 5, 5, 5]
    """
    labels = np.asarray(labels)
    if not 2 <= parts <= len(labels):
        raise Fault(
            "impossible folds",
            expected=f"2 to {len(labels)}",
            found=parts,
            where="the number of folds",
        )
    mixed = np.random.default_rng(seed).permutation(len(labels))
    order = mixed[np.argsort(labels[mixed], kind="stable")]
    part = np.empty(len(labels), np.int64)
    part[order] = np.arange(len(labels)) % parts
    return [
        (np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(parts)
    ]


def held_out(groups: np.ndarray, parts: int | None = None) -> list[Fold]:
    """Whole groups (speakers, users) held out, one at a time or in `parts`.

    >>> [v.tolist() for _, v in held_out(np.array([7, 7, 9]))]
    [[0, 1], [2]]
    """
    groups = np.asarray(groups)
    names = np.unique(groups)
    parts = min(parts or len(names), len(names))
    if parts < 2:
        raise Fault(
            "nobody can be held out",
            expected="at least two speakers or users",
            found=len(names),
            where="the training split",
        )
    out = [np.isin(groups, names[k::parts]) for k in range(parts)]
    return [(np.flatnonzero(~held), np.flatnonzero(held)) for held in out]


def validation(opened: EventSet, parts: int = 5, seed: int = 0) -> list[Fold]:
    """The set's own validation splits; Fault when handed a test split."""
    if opened.split != "train":
        raise Fault(
            "validation comes from training clips",
            expected="the train split",
            found=opened.split,
            where=opened.facts.title,
        )
    if opened.facts.grouped:
        if (opened.groups < 0).any():
            raise Fault(
                "nobody can be held out",
                expected="a speaker or user for each clip",
                found="a file that does not tell them",
                where=str(opened.home),
            )
        return held_out(opened.groups, parts)
    return folds(opened.labels, parts, seed)
