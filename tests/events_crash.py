"""Stops work at every write boundary, and kills it at random, then runs it again.

    python tests/events_crash.py KILLS SEED WORK=STRIDE …

WORK: get (from a folder), fetch (from a host), stand-in, clips. A boundary is every
open for writing, rename, mkdir and removal below the work's own folders, as Python's
audit hooks report them. At each (every STRIDE-th) a forked child is stopped once by
SIGKILL and once by a full disk; then KILLS children by SIGKILL at random times; then
two run at once on empty folders. After each the work is run to its end: it must give
what an undisturbed run gives, leave nothing behind, and not touch what was finished.
Prints one JSON object.
"""

import errno
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from lindecay import events
from lindecay.events import saccades, sources
from lindecay.events.facts import EVENT
from lindecay.events.readers import reader

WRITES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
ROOT = Path(tempfile.mkdtemp(prefix="crash-"))
HOST, WORK = ROOT / "host", ROOT / "work"


class Hook:
    """Counts write boundaries below WORK; stops at the one that is asked for."""

    def __init__(self):
        self.on, self.seen, self.stop, self.full = False, 0, None, False

    def __call__(self, event, args):
        if not self.on or not self._writes(event, args):
            return
        self.seen += 1
        if self.seen != self.stop:
            return
        if not self.full:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, "No space left on device", str(args[0]))

    def _writes(self, event, args) -> bool:
        if event == "open":
            path, _, flags = args
            if not isinstance(path, str | os.PathLike):
                return False
            writes = (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            return bool(writes) and str(path).startswith(str(WORK))
        return event in WRITES and str(args[0]).startswith(str(WORK))


HOOK = Hook()


def release() -> None:
    """A small official N-MNIST, its md5 told to tonic, and quick digits."""
    HOST.mkdir(parents=True)
    for split, folder in (("train", "Train"), ("test", "Test")):
        path = HOST / f"{split}.zip"
        with zipfile.ZipFile(path, "w") as packed:
            for digit in range(3):
                body = saccades.encode(some(digit))
                packed.writestr(f"{folder}/{digit}/{digit:05d}.bin", body)
        right = hashlib.md5(path.read_bytes()).hexdigest()
        setattr(reader("nmnist"), f"{split}_md5", right)
    labels = np.repeat(np.arange(10), 4)
    saccades.digits = lambda: (np.zeros((40, 28, 28), np.float32), labels)
    saccades.watch = lambda images, rng: [some(rng.integers(9)) for _ in images]
    sources.sizes_of = lambda *_: (12, 10)


def some(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.zeros(4000, EVENT)
    made["x"], made["y"] = rng.integers(34, size=(2, 4000))
    made["t"] = np.sort(rng.integers(300_000, size=4000))
    return made


def work(kind: str, host: str) -> None:
    """One run of the work in WORK."""
    os.environ["LINDECAY_STORE"] = str(WORK / "store")
    os.environ["LINDECAY_DATA"] = str(WORK / "data")
    (WORK / "data").mkdir(parents=True, exist_ok=True)
    HOOK.on = True
    if kind in ("get", "fetch"):
        events.get("nmnist", str(HOST) if kind == "get" else host)
    elif kind == "stand-in":
        os.stat(events.locate("nmnist").folder)
    else:
        events.clips("nmnist", "train", "quick")
    HOOK.on = False


def result() -> dict[str, str]:
    """What lies in WORK: visible files with their sha256, and leftovers by name."""
    found = {}
    for path in sorted(p for p in WORK.rglob("*") if p.is_file()):
        name = str(path.relative_to(WORK))
        if not name.endswith(".lock"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {k: v for k, v in found.items() if "sums" not in k}  # keyed by times


def finished() -> dict[str, tuple]:
    """Finished pieces: archives, unpacked splits, folders of the store."""
    home = WORK / "data" / "NMNIST"
    pieces = [home / n for n in ("train.zip", "test.zip", "Train", "Test")]
    pieces += [
        p.parent for p in WORK.glob("store/*/*/KEY.json") if "part" not in str(p)
    ]
    there = [p for p in pieces if p.exists()]
    return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in there}


def child(kind: str, host: str, **stop) -> int:
    """The work in a forked child; its process id."""
    pid = os.fork()
    if pid:
        return pid
    for name, value in stop.items():
        setattr(HOOK, name, value)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        work(kind, host)
    except BaseException:
        os._exit(1)
    os._exit(0)


def status(pid: int) -> int:
    return os.waitpid(pid, 0)[1]


def fresh(kind: str, host: str) -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    if kind == "clips":
        shutil.copytree(ROOT / "ready", WORK / "data")


def again(kind: str, host: str, want: dict, label: str, told: dict) -> None:
    """Run to the end after a stop and compare."""
    before = finished()
    if status(child(kind, host)) != 0:
        told["bad"].append(f"{label}: the next run failed")
    elif result() != want:
        odd = sorted(set(result().items()) ^ set(want.items()))
        told["bad"].append(f"{label}: another outcome: {odd[:3]}")
    elif any(finished().get(k) != v for k, v in before.items()):
        told["bad"].append(f"{label}: finished work was done again")


def run(kind: str, kills: int, seed: int, stride: int) -> dict:
    release()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=HOST)
    )
    host = f"http://127.0.0.1:{server.server_port}"
    serving = os.fork()
    if not serving:
        server.serve_forever()
    try:
        return _run(kind, host, kills, random.Random(seed), stride)
    finally:
        os.kill(serving, signal.SIGKILL)
        os.waitpid(serving, 0)
        shutil.rmtree(ROOT)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def _run(kind, host, kills, rng, stride) -> dict:
    if kind == "clips":
        fresh("get", host)
        assert status(child("get", host)) == 0
        shutil.copytree(WORK / "data", ROOT / "ready")
    fresh(kind, host)
    began = time.perf_counter()
    assert status(child(kind, host)) == 0
    took, want = time.perf_counter() - began, result()
    fresh(kind, host)
    boundaries = _count(kind, host)
    told = {"boundaries": boundaries, "stops": 0, "tried": 0, "killed": 0}
    told["bad"] = []
    for stop in range(1, boundaries + 1, stride):
        for full in (False, True):
            fresh(kind, host)
            status(child(kind, host, stop=stop, full=full))
            told["stops"] += 1
            again(kind, host, want, f"boundary {stop}, full={full}", told)
    while told["killed"] < kills and told["tried"] < 10 * kills:
        fresh(kind, host)
        pid = child(kind, host)
        time.sleep(rng.uniform(0, took))
        os.kill(pid, signal.SIGKILL)
        told["killed"] += os.WIFSIGNALED(status(pid))  # else it was done before
        told["tried"] += 1
        again(kind, host, want, "SIGKILL", told)
    for _ in range(3):
        fresh(kind, host)
        ends = [status(p) for p in [child(kind, host), child(kind, host)]]
        if any(ends) or result() != want:
            told["bad"].append(f"two at once: {ends}")
    return told


def _count(kind: str, host: str) -> int:
    """Write boundaries of one undisturbed run, told through a pipe."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        work(kind, host)
        os.write(write, str(HOOK.seen).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        seen = int(pipe.read() or 0)
    assert status(pid) == 0 and seen > 5
    return seen


if __name__ == "__main__":
    sys.addaudithook(HOOK)
    kills, seed, *plan = sys.argv[1:]
    told = {}
    for kind, stride in (part.split("=") for part in plan):
        told[kind] = run(kind, int(kills), int(seed), int(stride))
    print(json.dumps(told))
