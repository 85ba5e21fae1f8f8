"""How fast batches come out of the store, beside tonic's own way.

ours: `Clips.subset` of random clips, sparse, as training eats them; peer: the same
clips through tonic's data set, ToFrame and torch's DataLoader, in this process.
"""

import time

import numpy as np

from lindecay.events.clips import clips, default_binning
from lindecay.events.facts import manifest
from lindecay.events.sources import locate
from lindecay.events.split_log import open_split
from lindecay.settings import profile

BATCH = {"nmnist": 50, "shd": 64, "dvsgesture": 10}


def bench(rounds: int = 30, size: str = "quick", peers: bool = True) -> dict:
    """{"loader_<set>": {"ours_ms", "peers_ms", "ratio", …}} for one batch each."""
    return {f"loader_{name}": _loader(name, rounds, size, peers) for name in manifest()}


def _loader(name: str, rounds: int, size: str, peers: bool) -> dict:
    made, rng = clips(name, "train", size), np.random.default_rng(0)
    batch = min(BATCH[name], len(made))
    picks = [rng.choice(len(made), batch, replace=False) for _ in range(rounds)]
    took, spent = _median(made.subset, picks)
    dense, _ = _median(made.dense, picks)
    row = {"ours_ms": took, "ours_dense_ms": dense, "ours_cpu_ms": spent}
    row |= {"clips_per_s": batch / took * 1e3, "batch": batch, "source": made.source}
    row |= {"threads": 1, "rounds": rounds, "peers_ms": {}, "ratio": {}}
    if peers:
        theirs, _ = _median(_tonic(name, size), picks[:3])
        row["peers_ms"], row["ratio"] = {"tonic": theirs}, {"tonic": theirs / dense}
    return row


def _median(work, picks) -> tuple[float, float]:
    """Median wall and CPU time of one call in ms, after one to warm up."""
    work(picks[0])
    times = []
    for pick in picks:
        wall, cpu = time.perf_counter(), time.process_time()
        work(pick)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = np.median(times, axis=0) * 1e3
    return float(wall), float(cpu)


def _tonic(name: str, size: str):
    """Frames of a batch as tonic's tutorial makes them."""
    import torch
    from tonic.collation import PadTensors
    from tonic.transforms import Compose, Downsample, ToFrame

    opened = open_split(locate(name, size), "train")
    binning = default_binning(name, profile(size))
    sensor = binning.geometry(opened.facts.geometry)
    end = binning.dt_us * binning.steps
    span = {"time_window": binning.dt_us, "start_time": 0, "end_time": end}
    frames = ToFrame(sensor_size=(*sensor[:2], 2), **span)
    shrink = [Downsample(spatial_factor=1 / binning.downsample)]
    opened.tonic.transform = Compose(shrink * (binning.downsample > 1) + [frames])

    def load(pick):
        some = torch.utils.data.Subset(opened.tonic, pick.tolist())
        whole = torch.utils.data.DataLoader(
            some, batch_size=len(pick), collate_fn=PadTensors(batch_first=False)
        )
        return next(iter(whole))

    return load
