"""A stand-in of the size of Spiking Speech Commands: 700 channels, 35 words.

The words of Speech Commands v2 (Warden 2018), spelled in the sounds of the formant
stand-in (`events.formants`) and "spoken" by its twelve voices; sounds that it lacks are
replaced by near ones. No recording, no cochlea: what it settles is a size.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from lindecay import store
from lindecay.events import Binning, Clips, formants
from lindecay.events.clips import fingerprint

WORDS = "iEs noU Vb daUn lEft raIt On Of stOb doU ziro wVn tu Tri fOr faIv sIks".split()
WORDS += "sEvVn eIt naIn bEd brd kEt dOd xEbi xaUs narvIn sila tri waU".split()
WORDS += "bEkwrd fOrwrd foloU lrn vIzuEl".split()
VOICES = {"train": (0, 1, 2, 3, 6, 7, 8, 9, 10, 11), "test": (4, 5)}
TRIALS = {"train": 4, "test": 8}
BINNING = Binning(dt_us=28_000, steps=35)
SEED = 11


def clips(split: str, words: int = len(WORDS), trials: int | None = None) -> Clips:
    """The binned clips of a split, made once: the first words x voices x trials."""
    plan = (words, trials or TRIALS[split])
    params = {"split": split, "words": WORDS[:words], "seed": SEED, "trials": plan[1]}
    build = partial(_build, split, plan)
    made = store.memo("commands", params, [__name__], build)
    arrays = {k: np.load(made / f"{k}.npy") for k in ("indptr", "channel", "labels")}
    return _as_clips(arrays, split, json.loads((made / "meta.json").read_text()))


def _as_clips(arrays: dict, split: str, meta: dict) -> Clips:
    sizes = {"steps": BINNING.steps, "channels": formants.CHANNELS}
    stamp = {"name": "commands", "split": split, "source": "stand-in"}
    return Clips(**arrays, **sizes, dt_us=BINNING.dt_us, **stamp, **meta)


def _build(split: str, sizes: tuple[int, int], out: Path) -> None:
    words, trials = sizes
    plan = [
        (word, voice, trial)
        for trial in range(trials)
        for voice in VOICES[split]
        for word in range(words)
    ]
    bins = [binned(*spoken(*one)) for one in plan]
    many = np.concatenate([n for n, _ in bins])
    arrays = {
        "indptr": np.concatenate([[0], np.cumsum(many)]).astype(np.int64),
        "channel": np.concatenate([c for _, c in bins]).astype(np.int32),
        "labels": np.array([word for word, _, _ in plan], np.int64),
    }
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
    print_of = fingerprint(_as_clips(arrays, split, {"sha256": ""}))
    (out / "meta.json").write_text(json.dumps({"sha256": print_of}))


def spoken(word: int, voice: int, trial: int) -> tuple[np.ndarray, np.ndarray]:
    """Times in s and channels of one word, said once."""
    rng = np.random.default_rng((SEED, word, voice, trial))
    rates = formants.rates(WORDS[word], formants.speaker(voice, SEED), rng)
    return formants.spikes(rates, rng)


def binned(times: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(channels in each bin, their numbers): on when there was an event at all.

    >>> n, c = binned(np.array([0.0, 0.001, 0.03]), np.array([5, 5, 2]))
    >>> n[:3].tolist(), c.tolist()
    ([1, 1, 0], [5, 2])
    """
    step = (np.asarray(times) * 1e6 // BINNING.dt_us).astype(np.int64)
    kept = step < BINNING.steps
    keys = np.unique(step[kept] * formants.CHANNELS + units[kept])
    step, channel = np.divmod(keys, formants.CHANNELS)
    return np.bincount(step, minlength=BINNING.steps), channel
