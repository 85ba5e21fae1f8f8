"""How much of a task needs time: a linear readout of counts in k time slices.

counts[clip, slice * channels], standardised on the training clips and scaled to a
mean squared norm of 1 -> multinomial logistic regression (scikit-learn). Its
strength C is chosen inside the training clips of each fold, on the fold's
neighbour; the clips that are judged never take part. k = 1 never looks at time.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from lindecay.events.binning import Binning
from lindecay.events.clips import Clips, binned
from lindecay.events.sources import Location
from lindecay.events.split_log import open_split
from lindecay.events.splits import Fold, folds, held_out
from lindecay.settings import Fault
from lindecay.store import memo

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # C for features of unit mean squared norm
RIDGE = 1e-6  # of a clip's mean squared norm, below what a readout can see


def counts(clips: Clips, slices: int) -> np.ndarray:
    """float32 [clips, slices * channels]: bins joined into `slices` equal parts."""
    if clips.steps % slices:
        raise Fault(
            "slices must hold whole bins",
            expected=f"a divisor of {clips.steps}",
            found=slices,
            where="the readout",
        )
    part = np.arange(clips.steps) * slices // clips.steps
    row = np.arange(len(clips))[:, None] * slices + part
    flat = np.repeat(row.ravel(), np.diff(clips.indptr)) * clips.channels
    flat += clips.channel
    size = len(clips) * slices * clips.channels
    total = np.bincount(flat, weights=clips.count, minlength=size)
    return total.reshape(len(clips), -1).astype(np.float32)


def predictions(features: np.ndarray, labels: np.ndarray, folds: list[Fold]):
    """The class of each clip, told by a readout that was not trained on it.

    features [clips, d], labels [clips]; returns int64 [clips], -1 where no fold
    validates.
    """
    out = np.full(len(labels), -1, np.int64)
    for (train, held), (_, inner) in zip(folds, folds[1:] + folds[:1]):
        rest = np.setdiff1d(train, inner)
        told = _fit(features, labels, rest, inner, STRENGTHS)
        best = np.argmax([(one == labels[inner]).mean() for one in told])
        out[held] = _fit(features, labels, train, held, STRENGTHS[best:][:1])[0]
    return out


def _fit(features, labels, train, held, strengths) -> list[np.ndarray]:
    """Classes of the clips `held` by readouts trained on `train`, one a strength."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    fed, asked = _spanned(*_standard(features[train], features[held]))
    # small matrices: a second thread only waits, far longer on a busy machine
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = [
            LogisticRegression(C=c, max_iter=100, tol=1e-3).fit(fed, labels[train])
            for c in strengths
        ]
    return [model.predict(asked) for model in models]


def _standard(fed: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both centred and scaled by what the training clips say; float32 stays so."""
    mean, spread = fed.mean(0), fed.std(0)
    norm = np.sqrt((spread > 0).sum(), dtype=fed.dtype)
    scale = np.where(spread > 0, spread, np.inf) * norm
    return (fed - mean) / scale, (asked - mean) / scale


def _spanned(fed: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in the space that the training clips span, where that one is smaller.

    An L2-penalised readout never leaves that space (representer theorem). Its axes
    are the rows of L, L L' = fed fed'; RIDGE of a clip's norm keeps L from ending
    where clips repeat each other.
    """
    if 3 * len(fed) >= fed.shape[1]:
        return fed, asked
    from scipy.linalg import solve_triangular

    dtype, fed, asked = fed.dtype, fed.astype(np.float64), asked.astype(np.float64)
    gram = fed @ fed.T
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram)
    lower = np.linalg.cholesky(gram)
    turned = solve_triangular(lower, fed @ asked.T, lower=True)
    return lower.astype(dtype), turned.T.astype(dtype)


def readout(clips: Clips, slices: int, folds: list[Fold]) -> np.ndarray:
    """`predictions` from counts in `slices` slices, kept in the store."""

    def build(folder) -> None:
        told = predictions(counts(clips, slices), clips.labels, folds)
        np.save(folder / "told.npy", told)

    held = [[int(i) for i in held] for _, held in folds]
    params = {"clips": clips.sha256, "slices": slices, "folds": held}
    home = memo("readout", params, ["lindecay.events.readout"], build)
    return np.load(home / "told.npy")


@dataclass(frozen=True)
class Curve:
    """Accuracy against the number of slices, in per cent, with 95 % intervals."""

    slices: tuple[int, ...]
    share: np.ndarray  # [slices]
    low: np.ndarray
    high: np.ndarray
    clips: int
    people: int  # speakers or users; 0 where clips are independent


def curve(
    found: Location, length_us: int, slices=(1, 2, 5, 10), every: int = 1, **options
) -> Curve:
    """Readouts of a set's training clips by its own validation splits.

    length_us: time that the slices share out; every: takes one clip in so many,
    drawn from a fixed seed; options: of the binning (down-sampling, polarity).
    """
    many = max(slices)
    binning = Binning(length_us // many, many, counted=True, **options)
    opened, clips = open_split(found, "train"), found.counts["train"]
    # drawn, not strided: files come in order of class or speaker
    idx = np.sort(np.random.default_rng(0).permutation(clips)[: clips // every])
    fed, groups = binned(found, "train", binning).subset(idx), opened.groups[idx]
    parts = held_out(groups, 5) if opened.facts.grouped else folds(fed.labels)
    rows = []
    for k in slices:
        right = readout(fed, k, parts) == fed.labels
        rows.append(interval(right, groups))
    people = len(np.unique(groups)) if opened.facts.grouped else 0
    return Curve(tuple(slices), *np.array(rows).T, len(idx), people)


def interval(right: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """Accuracy in per cent and its 95 % interval.

    Over speakers or users where there are several (Student's t), else over clips
    (Wilson 1927): clips of one speaker are not independent.
    """
    from scipy import stats

    names, share = np.unique(groups), 100 * right.mean()
    if len(names) < 2:
        done = stats.binomtest(int(right.sum()), len(right))
        low, high = done.proportion_ci(method="wilson")
        return share, 100 * low, 100 * high
    each = np.array([100 * right[groups == name].mean() for name in names])
    half = stats.t.ppf(0.975, len(each) - 1) * stats.sem(each)
    return share, share - half, share + half
