"""Tasks that ask for memory, made from a seed: what a decay must keep or forget.

    match   an old cue, a cue, a delay with distractors, a second cue: the same one?
    rate    a burst that says nothing, many steps of a weak rate, go: high or low?
    adding  two pulses of some size, a delay between them: more than 8 in all?
    order   an old cue, two cues, a delay between them: which was which?
    chain   three gestures one after another on a small field: in which order?

A task is (dense events [clips, steps, channels], classes, first step that is judged).
Spikes of the output before that step do not count: a counter at the output would be a
memory that no neuron has. Every task but `chain` has LINES channels a group.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np

from lindecay import store
from lindecay.events import Clips
from lindecay.settings import Fault

LINES, CUE, AFTER = 8, 4, 4  # channels of a group; steps of a cue, and after the last
NOISE, HIT = 0.02, 0.6  # chance of a spike of a line in a step: at any time, in a cue
AGO = 16  # steps from the cue of a trial before, which says nothing, to the first
BURST, GAP, LONG, APART = 6, 16, 48, 3.0  # of `rate`: steps, and high over low
SIDE, PIECE = 8, 12  # of `chain`: pixels of the pooled field; steps of a gesture
FILMED = (4, 7)  # people of the stand-in, and their seed


@dataclass(frozen=True)
class Made:
    """Clips with what is judged: the output's spikes from step `window` on."""

    clips: Clips
    window: int
    classes: int


def _noise(rng, clips: int, steps: int, groups: int) -> np.ndarray:
    return rng.random((clips, steps, groups * LINES)) < NOISE


def _cue(rng, dense, start: int, group: np.ndarray, length: int = CUE) -> None:
    """Spikes of one group a clip, from `start` on."""
    for k in range(LINES):
        on = rng.random((len(group), length)) < HIT
        dense[np.arange(len(group)), start : start + length, group * LINES + k] |= on


def _two_cues(rng, clips: int, delay: int, groups: int):
    """An old cue, AGO steps, a cue, a delay, a cue: events, and which was which."""
    start = CUE + AGO
    dense = _noise(rng, clips, start + CUE + delay + CUE + AFTER, groups)
    old, first, second = rng.integers(0, 2, (3, clips))
    _cue(rng, dense, 0, old)
    _cue(rng, dense, start, first)
    _cue(rng, dense, start + CUE + delay, second)
    return dense, first, second, start + CUE + delay


def match(rng, clips: int, delay: int):
    """Delayed match to sample: is the second cue the first? Distractors in between."""
    dense, first, second, window = _two_cues(rng, clips, delay, 3)
    shape = (clips, delay, LINES)
    dense[:, window - delay : window, 2 * LINES :] |= rng.random(shape) < 2 * NOISE
    return dense, (first == second).astype(np.int64), window


def order(rng, clips: int, delay: int):
    """Temporal order: A or B, a delay, A or B; four classes."""
    dense, first, second, window = _two_cues(rng, clips, delay, 2)
    return dense, 2 * first + second, window


def adding(rng, clips: int, delay: int):
    """Two pulses of 1 to 8 lines each, three steps long; 1: more than 8 lines in all.

    Sums of 8 and 9 are left out: they differ by one line.
    """
    sums = [(a, b) for a in range(1, 9) for b in range(1, 9) if a + b not in (8, 9)]
    low = [p for p in sums if sum(p) < 8]
    high = [p for p in sums if sum(p) > 9]
    labels = rng.integers(0, 2, clips)
    picked = [(low, high)[c][rng.integers(len((low, high)[c]))] for c in labels]
    dense = _noise(rng, clips, CUE + delay + CUE + AFTER, 2)
    for k, start in enumerate((0, CUE + delay)):
        sizes = np.array(picked)[:, k, None]
        lines = rng.permuted(np.tile(np.arange(LINES), (clips, 1)), axis=1) < sizes
        at = slice(k * LINES, (k + 1) * LINES)
        dense[:, start : start + 3, at] |= lines[:, None]
    return dense, labels, CUE + delay


def rate(rng, clips: int, per_mille: int):
    """A burst of chance strength, a gap, LONG steps of a weak rate, then a go cue.

    per_mille: the geometric mean of both rates, spikes a line in a thousand steps.
    """
    first, steps = BURST + GAP, BURST + GAP + LONG + CUE + AFTER
    dense = np.zeros((clips, steps, 2 * LINES), bool)
    strong = rng.random((clips, 1, 1)) * HIT
    dense[:, :BURST, :LINES] = rng.random((clips, BURST, LINES)) < strong
    labels = rng.integers(0, 2, clips)
    chance = per_mille / 1000 * APART ** (labels - 0.5)
    weak = rng.random((clips, LONG, LINES)) < chance[:, None, None]
    dense[:, first : first + LONG, :LINES] = weak
    _cue(rng, dense, first + LONG, np.ones(clips, int))
    return dense, labels, first + LONG


@lru_cache(maxsize=2)
def gestures(people: int, seed: int) -> np.ndarray:
    """Three gestures of the stand-in, pooled: bool [people, 3, steps, SIDE², 2].

    The generator of the stand-in is watched for a while; a place is on where a pixel of
    it spiked at least twice in a step.
    """

    def build(folder: Path) -> None:
        np.save(folder / "pool.npy", _films(people, seed))

    params = {"people": people, "seed": seed, "side": SIDE, "piece": PIECE}
    home = store.memo("made", params, (__name__,), build)
    return np.load(home / "pool.npy")


def _films(people: int, seed: int) -> np.ndarray:
    from lindecay.events import gestures as standin

    out = []
    for number in range(people):
        rng = np.random.default_rng((seed, 29, number))
        crowd = [standin.user(number + 1, seed)] * 3
        made = standin.watch([1, 2, 5], crowd, rng)
        out.append([_pooled(events) for events in made])
    return np.array(out)


def _pooled(events, bins: int = 4 * PIECE) -> np.ndarray:
    """Events as bool [bins, 2 SIDE²]: a bin is on where two or more events fell."""
    last = int(events["t"].max()) + 1
    t = (events["t"].astype(np.int64) * bins // last).astype(int)
    x, y = (events[k].astype(int) * SIDE // 128 for k in "xy")
    counts = np.zeros((bins, 2 * SIDE * SIDE), int)
    np.add.at(counts, (t, (events["p"].astype(int) * SIDE + y) * SIDE + x), 1)
    return counts >= 2


def chain(rng, clips: int, gap: int):
    """Three gestures in one of six orders, `gap` silent steps between them."""
    pool = gestures(*FILMED)
    orders = list(permutations(range(3)))
    labels = rng.integers(0, 6, clips)
    width = 3 * PIECE + 2 * gap
    dense = np.zeros((clips, width + AFTER, pool.shape[-1]), bool)
    for c, label in enumerate(labels):
        for place, which in enumerate(orders[label]):
            film = pool[rng.integers(len(pool)), which]
            start = rng.integers(len(film) - PIECE + 1)
            at = place * (PIECE + gap)
            dense[c, at : at + PIECE] = film[start : start + PIECE]
    return dense, labels, 2 * (PIECE + gap)


TASKS: dict[str, Callable] = {
    "match": match,
    "rate": rate,
    "adding": adding,
    "order": order,
    "chain": chain,
}
CLASSES = {"match": 2, "rate": 2, "adding": 2, "order": 4, "chain": 6}


def make(name: str, knob: int, clips: int, seed: int) -> Made:
    """Clips of a task from a seed; equal seeds give equal clips.

    Args:
        knob: the delay in steps; of `rate`, spikes in a thousand steps.

    Raises:
        Fault: there is no such task.

    >>> made = make("order", 5, 3, seed=0)
    >>> made.clips.steps, made.clips.channels, made.window, made.classes
    (37, 16, 29, 4)
    """
    if name not in TASKS:
        raise Fault("unknown task", expected=" or ".join(TASKS), found=repr(name))
    rng = np.random.default_rng((seed, list(TASKS).index(name), knob))
    dense, labels, window = TASKS[name](rng, clips, knob)
    return Made(_clips(name, dense, labels), window, CLASSES[name])


def _clips(name: str, dense: np.ndarray, labels: np.ndarray) -> Clips:
    clips, steps, channels = dense.shape
    flat = dense.reshape(-1, channels)
    indptr = np.concatenate([[0], np.cumsum(flat.sum(1))]).astype(np.int64)
    sha = hashlib.sha256(np.packbits(flat).tobytes() + labels.tobytes()).hexdigest()
    return Clips(
        indptr=indptr,
        channel=np.nonzero(flat)[1].astype(np.int32),
        labels=labels.astype(np.int64),
        steps=steps,
        channels=channels,
        dt_us=1000,
        name=name,
        split="made",
        source="stand-in",
        sha256=sha,
    )
