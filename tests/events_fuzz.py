"""Damages event files at random; each must give events within geometry or a Fault.

    python tests/events_fuzz.py FOLDER SEED FORMAT=COUNT …

Prints one JSON object: how many cases gave events or a fault, and every case that
crashed, hung or escaped with another error. Cases run in forked children with a
limit on memory and time, so that a crash of a C library is seen and survived.
"""

import json
import os
import resource
import signal
import sys
import warnings
from pathlib import Path

import numpy as np

from lindecay.events import formants, saccades
from lindecay.events.facts import facts
from lindecay.events.readers import open_set, reader
from lindecay.settings import Fault

CHUNK, SECONDS, GIB = 50, 60, 2**30


def healthy(kind: str, folder: Path) -> tuple[bytes, Path]:
    """A small good file in its set, and where it lies."""
    rng = np.random.default_rng(1)
    known = facts(kind)
    home = folder / known.tonic / known.folders["train"]
    if kind == "shd":
        formants.LONGEST_MS = 200  # short clips: more of the file is structure
        formants.write(folder / "SHD", (4, 4), 1)
        return home.read_bytes(), home
    count = 120
    columns = [rng.integers(0, m, count) for m in known.geometry]
    t = np.sort(rng.integers(0, 300_000, count))
    if kind == "nmnist":
        path = home / "3" / "00001.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        made = np.zeros(count, [(k, "i8") for k in "xytp"])
        made["x"], made["y"], made["p"], made["t"] = *columns, t
        path.write_bytes(saccades.encode(made))
    else:
        path = home / "user01_led" / "3.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = np.stack([*columns, t / 1000], axis=1)
        np.save(path, rows.astype(np.float32))
    return path.read_bytes(), path


def damaged(good: bytes, rng: np.random.Generator) -> bytes:
    """One of: bytes changed (often near the head), cut, a piece lost or doubled."""
    raw, way = bytearray(good), rng.integers(10)
    if way < 6:
        reach = len(raw) if way < 3 else min(len(raw), 2048 if way < 5 else 128)
        for place in rng.integers(0, reach, rng.integers(1, 9)):
            raw[place] = rng.choice([rng.integers(256), 0, 255, raw[place] ^ 1])
        return bytes(raw)
    start, stop = sorted(rng.integers(0, len(raw), 2))
    if way < 8:
        return bytes(raw[:start])
    if way == 8:
        return bytes(raw[:start] + raw[stop:])
    return bytes(raw[:stop] + raw[start:])


def outcome(kind: str, folder: Path) -> str:
    """Read every clip; "events", "fault", or what escaped."""
    width, height, _ = facts(kind).geometry
    limits = {"x": width, "y": height, "t": facts(kind).limit_us, "p": 2}
    try:
        for made, label in open_set(kind, "train", folder):
            inside = all(
                made[k].min() >= 0 and made[k].max() < m for k, m in limits.items()
            )
            ordered = (np.diff(made["t"]) >= 0).all()
            if not (inside and ordered and 0 <= label < len(facts(kind).classes)):
                return "outside the geometry"
    except Fault as fault:
        return "fault" if "\n" not in str(fault) else "a fault of several lines"
    except Exception as error:
        return f"escaped: {type(error).__name__}: {error}"
    return "events"


def run(kind: str, count: int, seed: int, folder: Path) -> dict:
    good, path = healthy(kind, folder)
    reader(kind)  # imports tonic before anything is limited
    assert outcome(kind, folder) == "events"
    told = {"events": 0, "fault": 0, "bad": []}
    case = 0
    while case < count:
        case = _chunk(kind, case, min(case + CHUNK, count), seed, (good, path), told)
    path.write_bytes(good)
    return told


def _chunk(kind, start, stop, seed, target, told) -> int:
    """Cases start..stop in a child; returns the next case to run."""
    good, path = target
    folder = next(p for p in path.parents if p.name == facts(kind).tonic).parent
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_AS, (12 * GIB, 12 * GIB))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C libraries' own words
        for case in range(start, stop):
            signal.alarm(SECONDS)
            path.write_bytes(damaged(good, np.random.default_rng((seed, case))))
            os.write(write, (outcome(kind, folder)[:200] + "\n").encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    for case, line in enumerate(lines, start):
        if line in ("events", "fault"):
            told[line] += 1
        else:
            told["bad"].append([case, line])
    if status == 0:
        return stop
    why = "hang" if os.WTERMSIG(status) == signal.SIGALRM else f"crash, status {status}"
    told["bad"].append([start + len(lines), why])
    return start + len(lines) + 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    folder, seed, *plan = sys.argv[1:]
    told = {}
    for kind, count in (part.split("=") for part in plan):
        told[kind] = run(kind, int(count), int(seed), Path(folder))
    print(json.dumps(told))
