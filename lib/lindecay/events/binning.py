"""Events into time bins: sparse, one channel per pixel and polarity.

bin = floor(t / dt)  or  floor(k / n) for the k-th event;
channel = p * W * H + y * W + x;  on = at least one event (or their count).
Binary is the array's contract: a wordline rises or does not. Later events are
dropped. Cropping, down-sampling and polarity are tonic's transforms; the last step
stays sparse where tonic's ToFrame would write T * channels numbers, almost all 0
(a test holds the two equal).
"""

from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from lindecay.settings import Fault

POLARITY = ("both", "merged", "on", "off")
MOST = 65_535  # a count that is kept; more events of one bin and channel are a Fault


@dataclass(frozen=True)
class Binning:
    """How a clip becomes `steps` bins of channels; part of the cache's key.

    dt_us: width of a bin; or events_per_bin: events of a bin, whatever they last.
    crop: (width, height) kept around the centre; downsample: pixels joined along
    x and y (along the channel axis for SHD); counted: events per bin and channel
    in 1..65535 instead of 0 or 1.
    """

    dt_us: int | None
    steps: int
    events_per_bin: int | None = None
    crop: tuple[int, int] | None = None
    downsample: int = 1
    polarity: str = "both"
    counted: bool = False

    def __post_init__(self):
        one = (self.dt_us is None) != (self.events_per_bin is None)
        sizes = (self.dt_us, self.events_per_bin, self.downsample, self.steps)
        least = min(size for size in sizes if size is not None)
        if not one or least < 1 or self.polarity not in POLARITY:
            raise Fault(
                "impossible binning",
                expected="dt_us or events_per_bin, steps and downsample of at least 1,"
                f" polarity one of {', '.join(POLARITY)}",
                found=", ".join(f"{k}={v}" for k, v in asdict(self).items()),
                where="the binning",
            )

    def describe(self) -> dict:
        """All options as a plain dictionary."""
        return asdict(self)

    def geometry(self, sensor: tuple[int, int, int]) -> tuple[int, int, int]:
        """(W, H, P) after cropping, down-sampling and merging.

        >>> Binning(1000, 10, downsample=4, polarity="merged").geometry((128, 128, 2))
        (32, 32, 1)
        """
        width, height, polarities = sensor
        if self.crop:
            width, height = min(width, self.crop[0]), min(height, self.crop[1])
        cut = [-(-side // self.downsample) for side in (width, height)]
        return cut[0], cut[1], polarities if self.polarity == "both" else 1

    def channels(self, sensor: tuple[int, int, int]) -> int:
        """Channels of a bin after all spatial steps."""
        return int(np.prod(self.geometry(sensor)))


@cache
def spatial(binning: Binning, sensor: tuple[int, int, int]):
    """tonic's transforms for crop, down-sampling and polarity, composed."""
    from tonic import transforms as tt

    steps, (width, height, polarities) = [], sensor
    if binning.crop:
        size = (min(width, binning.crop[0]), min(height, binning.crop[1]))
        steps.append(tt.CenterCrop(sensor_size=sensor, size=size))
    if binning.downsample > 1:
        factor = 1 / binning.downsample
        _exact(factor, binning.downsample, max(width, height))
        steps.append(tt.Downsample(spatial_factor=factor))
    if polarities == 1 or binning.polarity == "merged":
        steps.append(tt.MergePolarities())
    elif binning.polarity != "both":
        steps.append(_one_polarity(binning.polarity))
    return tt.Compose(steps)


def _exact(factor: float, whole: int, side: int) -> None:
    """tonic multiplies by a float; refuse a factor that rounds a pixel away."""
    place = np.arange(side)
    if ((place * factor).astype(int) != place // whole).any():
        raise Fault(
            "this down-sampling would misplace pixels",
            expected="a factor whose inverse is exact enough, such as a power of 2",
            found=whole,
            where="the binning",
        )


def _one_polarity(which: str):
    """Keep ON (p = 1) or OFF (p = 0) events as the only polarity."""
    from tonic.transforms import MergePolarities

    merge = MergePolarities()
    return lambda events: merge(events[events["p"] == (which == "on")])


def bins_of(events: np.ndarray, binning: Binning, sensor: tuple) -> tuple:
    """Entries that are on, sorted: keys int64 bin * channels + channel, and counts.

    >>> e = np.zeros(3, [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i2")])
    >>> e["x"], e["t"] = [3, 3, 3], [10, 19, 35]
    >>> keys, counts = bins_of(e, Binning(dt_us=10, steps=3), (5, 1, 1))
    >>> keys.tolist(), counts.tolist()
    ([8], [2])
    """
    kept = spatial(binning, sensor)(events) if len(events) else events
    if binning.events_per_bin:
        step = np.arange(len(kept)) // binning.events_per_bin
    else:
        step = kept["t"] // binning.dt_us
    kept, step = kept[step < binning.steps], step[step < binning.steps]
    width, height, polarities = binning.geometry(sensor)
    channel = kept["p"].astype(np.int64) * (width * height)
    channel += kept["y"].astype(np.int64) * width + kept["x"]
    return np.unique(step * (width * height * polarities) + channel, return_counts=True)
