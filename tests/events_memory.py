"""One epoch over a DVS Gesture of CLIPS clips of real length; prints peak memory.

    python tests/events_memory.py CLIPS FOLDER [RECORDED.npy …]

Long clips (6 s; the official mean is near it) are made once, from recordings when
they are given, and linked as often as it takes. Binned at full resolution and down
to 32 x 32, each read through in random batches of 16, sparse and dense.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from lindecay import events

LONG = 4  # repetitions of a recording of 1.45 s


def long_clip(recorded: np.ndarray | None, seed: int) -> np.ndarray:
    """Rows x, y, p, t in ms over about 6 s."""
    if recorded is None:
        rng = np.random.default_rng(seed)
        many = 110_000
        columns = [rng.integers(0, m, many) for m in (128, 128, 2)]
        time_ms = np.sort(rng.uniform(0, 1450, many))
        recorded = np.stack([*columns, time_ms], 1).astype(np.float32)
    parts = [recorded + np.float32([0, 0, 0, 1450 * k]) for k in range(LONG)]
    return np.concatenate(parts)


def prepare(count: int, folder: Path, recorded: list[str]) -> int:
    """`count` clips in the official layout; events in all."""
    home, total = folder / "data" / "DVSGesture", 0
    sources = [np.load(path) for path in recorded] or [None] * 4
    for k, rows in enumerate(sources):
        (folder / "long").mkdir(parents=True, exist_ok=True)
        np.save(folder / "long" / f"{k}.npy", long_clip(rows, k))
    sizes = [len(np.load(folder / "long" / f"{k}.npy")) for k in range(len(sources))]
    for i in range(count):
        place = home / "ibmGestureTrain" / f"user{i // 11:03d}_led" / f"{i % 11}.npy"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(folder / "long" / f"{i % len(sources)}.npy")
        total += sizes[i % len(sources)]
    note = {"origin": "repetitions", "sha256": "0" * 64, "train": count, "test": 0}
    (home / "SOURCE.json").write_text(json.dumps(note))
    return total


def peak_mb() -> int:
    """Peak of this process alone: ru_maxrss keeps its parent's peak across exec."""
    status = Path("/proc/self/status")
    if not status.exists():  # macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def epoch(binning: events.Binning) -> dict:
    began = time.perf_counter()
    clips = events.clips("dvsgesture", "train", "quick", binning)
    binned = time.perf_counter()
    order = np.random.default_rng(0).permutation(len(clips))
    for start in range(0, len(order), 16):
        part = clips.subset(order[start : start + 16])
        if clips.channels < 5000:
            part.dense()
    done = time.perf_counter()
    return {
        "entries": int(clips.indptr[-1]),
        "binning_s": round(binned - began, 1),
        "epoch_s": round(done - binned, 1),
    }


if __name__ == "__main__":
    count, folder, *recorded = sys.argv[1:]
    folder = Path(folder)
    os.environ["LINDECAY_DATA"] = str(folder / "data")
    os.environ["LINDECAY_STORE"] = str(folder / "store")
    told = {"clips": int(count), "events": prepare(int(count), folder, recorded)}
    told["small"] = epoch(events.Binning(20_000, 300, downsample=4))
    told["full"] = epoch(events.Binning(20_000, 300))
    told["peak_mb"] = peak_mb()
    print(json.dumps(told))
