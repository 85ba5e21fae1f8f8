"""Events into time bins: binary, sparse, one channel per pixel and polarity.

bin = floor(t / dt), channel = p * W * H + y * W + x; an entry is on when at least
one event fell into it (the wordline rises or does not). Later events are dropped.
Spatial steps are tonic's own transforms; the last one stays sparse where tonic's
ToFrame would write T * channels zeros (a test holds the two equal).
"""

from dataclasses import asdict, dataclass

import numpy as np

from lindecay.settings import Fault


@dataclass(frozen=True)
class Binning:
    """How a clip becomes T bins of channels; printed and part of the cache's key."""

    dt_us: int
    steps: int

    def __post_init__(self):
        if self.dt_us < 1 or self.steps < 1:
            raise Fault(
                "impossible binning",
                expected="dt_us and steps of at least 1",
                found=f"dt_us={self.dt_us}, steps={self.steps}",
                where="the binning",
            )

    def describe(self) -> dict:
        """All options as a plain dictionary."""
        return asdict(self)


def bins_of(events: np.ndarray, binning: Binning, geometry: tuple) -> np.ndarray:
    """Entries that are on: sorted, unique int64 keys, bin * channels + channel.

    >>> e = np.zeros(2, [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i2")])
    >>> e["x"], e["t"] = [3, 3], [10, 19]
    >>> bins_of(e, Binning(dt_us=10, steps=4), (5, 1, 1)).tolist()
    [8]
    """
    width, height, polarities = geometry
    step = events["t"] // binning.dt_us
    kept = events[step < binning.steps]
    step = step[step < binning.steps]
    sign = kept["p"].astype(np.int64) if polarities == 2 else 0
    place = kept["y"].astype(np.int64) * width + kept["x"]
    channel = sign * width * height + place
    return np.unique(step * (width * height * polarities) + channel)
