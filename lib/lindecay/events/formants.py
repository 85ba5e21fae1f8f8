"""SHD's stand-in: 20 "spoken digits" as formant tracks over 700 channels.

drive(u, t) = v(t) * sum_k a_k exp(-(u - u_k(t))^2 / 2 s_k^2) + f(t) * noise band
rate = r_max (1 - exp(-drive));  spikes: gamma renewal of order 3 in the warped time
u counts channels on a logarithmic axis, channel 0 at the high end as in SHD.
Formants after Peterson and Barney 1952 (10.1121/1.1906875), words in ten English
and ten German digits. A speaker has a pitch, a vocal tract, a tempo, a loudness.
No audio, no cochlea: a stand-in, never a recording.
"""

from pathlib import Path

import numpy as np

CHANNELS, STEP_MS, LONGEST_MS = 700, 5, 1400
LOW_HZ, HIGH_HZ = 45.0, 8000.0
PEAK_HZ, ORDER, NOISE_HZ = 130.0, 4, 0.75
SPEAKERS = {"train": (0, 1, 2, 3, 6, 7, 8, 9, 10, 11), "test": (4, 5)}
LABELS = 20
# ms, F1, F2, F3 in Hz, voice, noise band in Hz, noise
SOUNDS = {
    "i": (150, 280, 2250, 2900, 1.0, 0, 0),
    "I": (110, 400, 1950, 2550, 1.0, 0, 0),
    "e": (140, 480, 1950, 2550, 1.0, 0, 0),
    "E": (120, 560, 1800, 2450, 1.0, 0, 0),
    "a": (150, 740, 1200, 2500, 1.1, 0, 0),
    "V": (120, 640, 1190, 2390, 1.0, 0, 0),
    "o": (160, 500, 850, 2400, 1.0, 0, 0),
    "O": (150, 570, 840, 2410, 1.0, 0, 0),
    "u": (160, 310, 870, 2240, 1.0, 0, 0),
    "U": (110, 440, 1020, 2240, 1.0, 0, 0),
    "y": (130, 300, 1700, 2200, 0.9, 0, 0),
    "r": (80, 420, 1250, 1600, 0.8, 0, 0),
    "w": (80, 300, 650, 2200, 0.7, 0, 0),
    "l": (90, 360, 1100, 2600, 0.7, 0, 0),
    "n": (100, 280, 1500, 2500, 0.6, 0, 0),
    "v": (70, 280, 1200, 2300, 0.5, 4000, 0.15),
    "z": (90, 280, 1600, 2500, 0.4, 5500, 0.5),
    "s": (120, 300, 1600, 2500, 0.0, 5800, 0.7),
    "f": (100, 300, 1200, 2300, 0.0, 4500, 0.2),
    "T": (90, 300, 1300, 2400, 0.0, 5000, 0.2),
    "x": (110, 600, 1300, 2400, 0.0, 1800, 0.5),
    "t": (60, 300, 1700, 2600, 0.0, 4200, 0.4),
    "k": (70, 300, 1900, 2400, 0.0, 2200, 0.2),
    "b": (60, 250, 900, 2200, 0.3, 0, 0),
    "d": (50, 250, 1700, 2600, 0.4, 0, 0),
}
WORDS = ["ziro", "wVn", "tu", "Tri", "fOr", "faIv", "sIks", "sEvVn", "eIt", "naIn"] + [
    "nUl",
    "aIns",
    "tsvaI",
    "draI",
    "fir",
    "fynf",
    "zEks",
    "zibVn",
    "axt",
    "nOyn",
]


def channel(hertz):
    """Channel of a frequency; 0 is the high end.

    >>> int(channel(8000.0)), int(channel(45.0))
    (0, 700)
    """
    span = np.log(HIGH_HZ / LOW_HZ)
    return CHANNELS * (1 - np.log(np.asarray(hertz) / LOW_HZ) / span)


def speaker(number: int, seed: int) -> dict[str, float]:
    """One voice; pitch in Hz, the rest relative to the table."""
    rng = np.random.default_rng((seed, 7, number))
    high = number % 2  # every other voice is a high one
    return {
        "pitch": rng.uniform(170, 230) if high else rng.uniform(95, 140),
        "tract": rng.uniform(1.08, 1.2) if high else rng.uniform(0.94, 1.06),
        "tempo": rng.uniform(0.8, 1.15),
        "loud": rng.uniform(0.65, 1.5),
        "tilt": rng.uniform(0.8, 1.3),
    }


def tracks(word: str, voice: dict, rng) -> tuple[np.ndarray, int]:
    """Parameters over time [steps, 6] (F1, F2, F3, voice, band, noise), and onset."""
    sounds = np.array([SOUNDS[s] for s in word])
    length = sounds[:, 0] * voice["tempo"] * rng.normal(1.0, 0.1, len(word)).clip(0.6)
    onset = rng.uniform(60, 140)
    edges = (onset + np.cumsum(length)) / STEP_MS
    steps = int(min(edges[-1] + rng.uniform(100, 300) / STEP_MS, LONGEST_MS / STEP_MS))
    part = np.searchsorted(edges, np.arange(steps)).clip(max=len(word) - 1)
    sounds[:, 1:4] *= rng.normal(1.0, 0.06, (len(word), 3))
    course = sounds[part, 1:]
    course[:, :3] *= voice["tract"] * rng.normal(1.0, 0.06, 3)
    speaks = (np.arange(steps) >= onset / STEP_MS) & (np.arange(steps) < edges[-1])
    course[:, (3, 5)] *= speaks[:, None]
    width = 9  # the mouth moves from one sound to the next in about 45 ms
    ends = np.pad(course, ((width // 2, width // 2), (0, 0)), mode="edge")
    glide = np.lib.stride_tricks.sliding_window_view(ends, width, axis=0).mean(-1)
    return glide, int(onset / STEP_MS)


def rates(word: str, voice: dict, rng) -> np.ndarray:
    """Spikes per second, float32 [steps, 700]."""
    course, onset = tracks(word, voice, rng)
    loud = voice["loud"] * max(rng.normal(1.0, 0.12), 0.6)
    since = np.arange(len(course)) - onset
    loud *= (1.25 - 0.9 * since / since[-1]).clip(0, 1.1)[:, None].astype("f4")
    pitch = voice["pitch"] * (1.08 - 0.005 * since.clip(0, 60))
    units = np.arange(CHANNELS, dtype=np.float32)
    drive = np.zeros((len(course), CHANNELS), np.float32)
    bumps = ((pitch, 1.6, 30), (course[:, 0], 0.8, 55))
    bumps += ((course[:, 1], 0.12 / voice["tilt"], 40), (course[:, 2], 0.03, 30))
    for hertz, height, width in bumps:
        gap = (units - channel(hertz)[:, None].astype(np.float32)) / width
        drive += (height * loud * course[:, 3:4] * np.exp(-(gap**2) / 2)).astype("f4")
    band = channel(np.maximum(course[:, 4], LOW_HZ)).astype(np.float32)
    gap = (units - band[:, None]) / 45
    drive += (0.15 * loud * course[:, 5:] * np.exp(-(gap**2) / 2)).astype("f4")
    return PEAK_HZ * (1 - np.exp(-drive)) + NOISE_HZ


def spikes(rate: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    """Times in s and channels, sorted by time, of gamma renewal processes.

    Each channel fires whenever its integrated rate passes the next of a row of
    gamma intervals with mean 1.
    """
    total = np.cumsum(rate, axis=0, dtype=np.float64).T * (STEP_MS / 1e3)
    total = np.pad(total, ((0, 0), (1, 0)))  # [700, steps + 1], from 0
    most = int(total[:, -1].max() * 1.5 + 12)
    marks = np.cumsum(rng.gamma(ORDER, 1 / ORDER, (CHANNELS, most)), axis=1)
    marks -= rng.uniform(0, 1, (CHANNELS, 1))
    where, _ = np.nonzero((marks > 0) & (marks < total[:, -1:]))
    marks = marks[(marks > 0) & (marks < total[:, -1:])]
    lift = (total.max() + 1) * np.arange(CHANNELS)
    flat = (total + lift[:, None]).ravel()
    right = np.searchsorted(flat, marks + lift[where])
    share = (marks + lift[where] - flat[right - 1]) / (flat[right] - flat[right - 1])
    times = (right - where * total.shape[1] - 1 + share) * (STEP_MS / 1e3)
    order = np.argsort(times, kind="stable")
    return times[order], where[order]


def clip(label: int, number: int, seed: int, trial: int):
    """Times float16 in s, channels uint16 of one "spoken" word."""
    rng = np.random.default_rng((seed, label, number, trial))
    times, units = spikes(rates(WORDS[label], speaker(number, seed), rng), rng)
    return times.astype(np.float16), units.astype(np.uint16)


def write(folder: Path, sizes: tuple[int, int], seed: int) -> dict[str, int]:
    """The stand-in in SHD's official layout below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in zip(("train", "test"), sizes):
        people = SPEAKERS[split]
        plan = [
            (i % LABELS, people[i // LABELS % len(people)], i // LABELS // len(people))
            for i in range(size)
        ]
        made = [clip(label, number, seed, trial) for label, number, trial in plan]
        _save(folder / f"shd_{split}.h5", made, np.array(plan))
    return dict(zip(("train", "test"), sizes))


def _save(path: Path, made: list, plan: np.ndarray) -> None:
    """One split as h5: vlen times and units, labels, speakers, keys."""
    import h5py

    with h5py.File(path, "w") as file:
        for k, (name, kind) in enumerate((("times", "f2"), ("units", "u2"))):
            column = np.empty(len(made), dtype=object)
            column[:] = [pair[k] for pair in made]
            file.create_dataset(
                f"spikes/{name}", data=column, dtype=h5py.vlen_dtype(kind)
            )
        file["labels"] = plan[:, 0].astype(np.uint16)
        file["extra/speaker"] = plan[:, 1].astype(np.uint16)
        file["extra/keys"] = np.array([w.encode() for w in WORDS])
        file.attrs["note"] = "a stand-in: formant tracks, no audio"
