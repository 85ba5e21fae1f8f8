"""Clips and Events made by hand: refused in one line before a compiled loop reads."""

import numpy as np
import pytest
import torch

from lindecay import kernels
from lindecay.events import Clips
from lindecay.settings import Fault

GOOD = dict(
    indptr=np.array([0, 2, 3, 3, 5]), channel=np.array([0, 2, 1, 0, 1], np.int32),
    labels=np.array([4, 1]), steps=2, channels=3, dt_us=1000, name="mine",
    split="test", source="own", sha256="0",
)  # fmt: skip


def test_good_clips_are_taken():
    clips = Clips(**GOOD)
    assert clips.dense().sum() == 5 and len(clips.subset([1])) == 1
    assert Clips(**GOOD | {"count": np.array([1, 3, 1, 1, 2])}).dense().sum() == 8


BAD = {
    "beyond the end": ({"indptr": np.array([0, 2, 9, 9, 9])}, "rows do not fit"),
    "not from 0": ({"indptr": np.array([1, 2, 3, 3, 5])}, "rows do not fit"),
    "falling": ({"indptr": np.array([0, 4, 3, 3, 5])}, "never fall"),
    "too few": ({"indptr": np.array([0, 2, 5])}, "5 pointers from 0 to 5"),
    "none": ({"indptr": np.zeros(0, np.int64)}, "5 pointers"),
    "float pointers": ({"indptr": np.array([0, 2, 3, 3, 5.0])}, "whole numbers"),
    "float channels": ({"channel": np.array([0, 2, 1.7, 0, 1])}, "whole numbers"),
    "mask": ({"channel": np.array([True, False, True, True, True])}, "whole numbers"),
    "a list": ({"channel": [0, 2, 1, 0, 1]}, "whole numbers"),
    "negative": ({"channel": np.array([0, 2, -1, 0, 1])}, "expected 0 to 2, found -1"),
    "outside": ({"channel": np.array([0, 3, 1, 0, 1])}, "expected 0 to 2, found 3"),
    "huge": ({"channel": np.array([0, 2**40, 1, 0, 1])}, "outside the channels"),
    "twice": ({"channel": np.array([2, 2, 1, 0, 1])}, "goes into count"),
    "unsorted": ({"channel": np.array([2, 0, 1, 0, 1])}, "must rise"),
    "labels missing": ({"labels": np.array([4])}, "rows do not fit"),
    "float labels": ({"labels": np.array([4, 1.7])}, "whole numbers"),
    "short counts": ({"count": np.array([1, 2])}, "5 counts from 1"),
    "a count of 0": ({"count": np.array([1, 0, 1, 1, 2])}, "5 counts from 1"),
    "float counts": ({"count": np.ones(5)}, "whole numbers"),
}


@pytest.mark.parametrize("change, words", BAD.values(), ids=BAD)
def test_bad_clips_are_one_line(change, words):
    with pytest.raises(Fault, match=words):
        Clips(**GOOD | change)


@pytest.mark.parametrize("idx", [[2], [-3], np.array([True]), "0"])
def test_clips_that_are_not_there(idx):
    with pytest.raises(Fault, match="no such clips"):
        Clips(**GOOD).subset(idx)


EVENTS = dict(indptr=np.array([0, 1, 3]), channel=np.array([1, 0, 2]))
SHAPE = dict(steps=1, batch=2, channels=3)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"indptr": np.array([0, 9, 3])}, "never fall"),
        ({"indptr": np.array([1, 1, 3])}, "from 0 to 3"),
        ({"indptr": np.array([0, 1])}, "3 pointers"),
        ({"indptr": np.array([0.0, 1.0, 3.0])}, "whole numbers"),
        ({"channel": np.array([1, 0, 2.5])}, "whole numbers"),
        ({"channel": np.array([1, 0, -2])}, "outside the channels"),
        ({"channel": np.array([1, 0, 2**32])}, "outside the channels"),
    ],
)
def test_bad_events_of_a_batch_are_one_line(change, words):
    with pytest.raises(Fault, match=words):
        kernels.Events(**EVENTS | change, **SHAPE)


def test_dense_events_of_another_shape_are_one_line():
    with pytest.raises(Fault, match="wrong shape"):
        kernels.Events.of(torch.zeros(3, 4))


def test_random_rows_are_taken_or_refused_and_never_read_outside():
    """2,000 spoilt rows: whatever is taken gives the dense product."""
    rng, taken = np.random.default_rng(0), 0
    weight = torch.randn(5, 6)
    for _ in range(2000):
        steps, batch = rng.integers(0, 4, 2)
        channel = rng.integers(-1, 7, rng.integers(0, 9))
        cuts = rng.integers(-1, len(channel) + 2, max(0, steps * batch - 1))
        indptr = np.concatenate([[0], np.sort(cuts), [len(channel)]])
        if rng.random() < 0.2:
            rng.shuffle(indptr)
        try:
            events = kernels.Events(indptr, channel, int(steps), int(batch), 6)
        except Fault:
            continue
        taken += 1
        got = kernels.synapses(events, weight, crossover=2)
        torch.testing.assert_close(got, events.dense() @ weight.T)
    assert taken > 50
