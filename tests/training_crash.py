"""Training, stopped at every write boundary and killed at random, then run again.

    python tests/training_crash.py KILLS STRIDE

A boundary is every open for writing, rename, mkdir and removal below the store, as
Python's audit hooks report them. At each STRIDE-th one a forked child is stopped, once
by SIGKILL and once by a full disk; then KILLS children die by SIGKILL at random times.
After each the training is run to its end: the weights must be those of an undisturbed
run, bit for bit, and nothing may be left over. Prints one JSON object.
"""

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lindecay import training
from lindecay.settings import profile
from lindecay.training import speech
from test_integer import clips_of

torch.set_num_threads(1)
WRITES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir"}
STORE = Path(tempfile.mkdtemp(prefix="crash-")) / "store"


class Hook:
    """Counts write boundaries below the store; stops at the one asked for."""

    on, seen, stop, full = False, 0, None, False

    def __call__(self, event, args):
        if not self.on or not self.writes(event, args):
            return
        self.seen += 1
        if self.seen == self.stop and not self.full:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.seen == self.stop:
            raise OSError(errno.ENOSPC, "No space left on device", str(args[0]))

    def writes(self, event, args) -> bool:
        if event == "open":
            flags = (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            return bool(flags) and str(args[0]).startswith(str(STORE))
        return event in WRITES and str(args[0]).startswith(str(STORE))


HOOK = Hook()


def plan() -> speech.Plan:
    """MLP-2, tiny: dropout, variation, schedule and running statistics included."""
    rng = np.random.default_rng(3)
    labels = np.arange(80) % 20
    rate = 0.6 * rng.random((20, 1, 30))
    dense = (rng.random((80, 12, 30)) < rate[labels]).astype(np.uint8)
    clips = replace(clips_of(dense), labels=labels.astype(np.int64))
    speech.clips_for = lambda name, split: clips
    sizes = replace(profile("quick"), epochs=3, batch=20)
    spec = speech.SpeechSpec("shrink", hidden=(24, 16))
    return speech.Plan("ldlif", 0, sizes, network_spec=spec)


def work(made: speech.Plan) -> None:
    os.environ["LINDECAY_STORE"] = str(STORE)
    HOOK.on = True
    training.train(made, quiet=True)
    HOOK.on = False


def result() -> dict[str, str]:
    """Visible files with their sha256; locks aside."""
    return {
        str(path.relative_to(STORE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(p for p in STORE.rglob("*") if p.is_file())
        if path.suffix != ".lock"
    }


def child(made, **stop) -> int:
    pid = os.fork()
    if pid:
        return pid
    for name, value in stop.items():
        setattr(HOOK, name, value)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        work(made)
    finally:
        os._exit(0)


def fresh() -> None:
    shutil.rmtree(STORE, ignore_errors=True)
    STORE.mkdir(parents=True)


def disturbed(made, wanted: dict, stop=None, full=False, after=None) -> str | None:
    """What is wrong after one disturbed run and one more; None when all is well."""
    fresh()
    pid = child(made, stop=stop, full=full)
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    work(made)
    found = result()
    changed = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))
    return f"stop {stop} full {full} after {after}: {changed}" if changed else None


def main(kills: int, stride: int) -> dict:
    made = plan()
    fresh()
    work(made)  # compiles
    fresh()
    began = time.monotonic()
    HOOK.seen = 0
    work(made)
    lasts, wanted, boundaries = time.monotonic() - began, result(), HOOK.seen
    HOOK.seen, rng, bad, stops = 0, random.Random(0), [], 0
    for stop in range(1, boundaries + 1, stride):
        for full in (False, True):
            HOOK.seen, stops = 0, stops + 1
            bad.append(disturbed(made, wanted, stop, full))
    for _ in range(kills):
        bad.append(disturbed(made, wanted, after=rng.uniform(0.1, 0.9) * lasts))
    shutil.rmtree(STORE.parent, ignore_errors=True)
    told = {"boundaries": boundaries, "stops": stops, "killed": kills}
    return told | {"files": sorted(wanted), "bad": [b for b in bad if b]}


if __name__ == "__main__":
    sys.addaudithook(HOOK)
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
