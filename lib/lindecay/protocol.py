"""The protocol of the accuracy claims: a list of independent tasks, merged by key.

    task = (study, data set, arm, seed, knobs)  ->  one row of JSON, kept in the store

Tasks run on Dask distributed: two local workers by default, or whoever listens at a
scheduler's address. A lost worker loses at most its own task, and that one goes on at
its last finished epoch. No study but those named `test` reads a test clip, and those
read them once, after training.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lindecay import events, gestures, integer, results, speech, store, training
from lindecay.events.splits import folds
from lindecay.networks import BETA_BITS
from lindecay.quantization import Checkpoint, Grid
from lindecay.settings import Fault, build_dir, profile

SCHEMA = 1

HORIZONS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # steps, the six that every arm tries
# chosen by the study `tune` on two held-out training speakers
TUNED = {"vlif": 32.0, "ldlif": 4.0, "floor": 4.0, "if": 4.0, "shift": 32.0}
SMALL = {"epochs": 4, "clips": 2000}  # trained while a page is built
SIZES = {"hidden": (128, 256, 512, 1024), "dt_us": (5_000, 10_000, 20_000, 40_000)}
MAIN, CONTROLS = ("vlif", "ldlif"), ("if", "floor")


@dataclass(frozen=True)
class Task:
    """One training run and what is asked of it."""

    study: str  # tune | test | speakers | weights | membrane | fraction | fixed | folds
    data: str
    arm: str
    seed: int = 0
    epochs: int = 12
    horizon: float = 16.0  # steps, at the start
    weight_bits: int = 4  # 0 is float
    membrane_bits: int = 12
    fraction_bits: int = 2
    fold: int | None = None
    speaker: int | None = None
    learn_decay: bool = True
    clips: int | None = None  # only so many training clips, chosen once
    beta_bits: int | None = None  # of v-LIF's multiplier; 8 where it is None
    hidden: int | None = None  # neurons of MLP-1's hidden layer; else the profile's
    dt_us: int | None = None  # width of MLP-1's bins; else the profile's

    @property
    def judged(self) -> str:
        """Which clips the network is judged on, in a word."""
        if self.speaker is not None:
            return f"speaker {self.speaker}"
        return "test" if self.fold is None else f"fold {self.fold}"

    @property
    def key(self) -> str:
        """Readable and unique; rows are merged by it."""
        return ",".join(f"{k}={v}" for k, v in asdict(self).items() if v is not None)


def shd_plan(task: Task) -> speech.Plan:
    """MLP-2's run for a task."""
    sizes = replace(profile("paper"), epochs=task.epochs, batch=128)
    widths = (task.weight_bits, task.membrane_bits, task.fraction_bits)
    spec = speech.SpeechSpec(
        training.arm(task.arm).law,
        horizon=task.horizon,
        grid=Grid(*widths) if task.weight_bits else None,
        beta_bits=task.beta_bits or BETA_BITS,
        learn_decay=task.learn_decay,
    )
    return speech.Plan(
        task.arm,
        task.seed,
        sizes,
        network_spec=spec,
        fold=task.fold,
        speaker=task.speaker,
        most=task.clips,
    )


@dataclass(frozen=True)
class FoldPlan(training.Plan):
    """MLP-1 on all clips of N-MNIST but one fold of five."""

    fold: int = 0

    def clips(self) -> events.Clips:
        return everything(self.profile)

    def params(self, clips: events.Clips) -> dict:
        return super().params(clips) | {"fold": self.fold}

    def split(self, clips: events.Clips) -> tuple[np.ndarray, np.ndarray]:
        return folds(clips.labels, 5)[self.fold]

    @property
    def modules(self) -> tuple[str, ...]:
        return (__name__,)


def everything(size) -> events.Clips:
    """Training and test clips of N-MNIST as one set, for cross-validation."""
    a, b = (events.clips("nmnist", split, size) for split in ("train", "test"))
    return replace(
        a,
        indptr=np.concatenate([a.indptr, b.indptr[1:] + a.indptr[-1]]),
        channel=np.concatenate([a.channel, b.channel]),
        labels=np.concatenate([a.labels, b.labels]),
        split="train+test",
        sha256=f"{a.sha256}+{b.sha256}",
    )


def nmnist_plan(task: Task) -> training.Plan:
    """MLP-1's run for a task."""
    plain = profile("paper")
    dt_us = task.dt_us or plain.dt_us
    sizes = replace(
        plain,
        epochs=task.epochs,
        hidden=task.hidden or plain.hidden,
        dt_us=dt_us,
        steps=math.ceil(plain.steps * plain.dt_us / dt_us),
        weight_bits=task.weight_bits,
        membrane_bits=task.membrane_bits,
        fraction_bits=task.fraction_bits,
    )
    beta = 1 - 1 / task.horizon
    if task.fold is None:
        return training.Plan(task.arm, task.seed, sizes, beta=beta)
    return FoldPlan(task.arm, task.seed, sizes, beta=beta, fold=task.fold)


def gesture_plan(task: Task) -> training.Plan:
    """The CNN's run for a task; on the stand-in where recordings are too few."""
    plan = gestures.plan("paper", task.arm, task.seed)
    return replace(plan, profile=replace(plan.profile, epochs=task.epochs))


PLANS: dict[str, Callable[[Task], training.Plan]] = {
    "shd": shd_plan,
    "nmnist": nmnist_plan,
    "dvsgesture": gesture_plan,
}


def judged(task: Task, plan: training.Plan) -> events.Clips:
    """The clips that a task's network is judged on: held out, or the test split."""
    clips = plan.clips()
    if task.judged != "test":
        return clips.subset(plan.split(clips)[1])
    if task.data == "shd":
        return speech.clips_for("paper", "test")
    if task.data == "dvsgesture":
        return gestures.clips_for("paper")
    return events.clips(task.data, "test", plan.profile)


def row_of(task: Task) -> dict:
    """Train if need be, judge once; the row is kept."""
    plan = PLANS[task.data](task)
    params = {"task": asdict(task), "plan": plan.params(plan.clips())}
    folder = store.memo(
        "rows", params, (__name__,), lambda out: _judge(task, plan, out)
    )
    return json.loads((folder / "row.json").read_text())


def checkpoint(row: dict) -> Checkpoint:
    """The integer network behind a row; trained again unless the store holds it."""
    known = {k: v for k, v in row.items() if k in Task.__dataclass_fields__}
    plan = PLANS[row["data"]](Task(**known))
    return Checkpoint.load(training.train(plan, quiet=True) / "checkpoint.npz")


def _judge(task: Task, plan: training.Plan, out: Path) -> None:
    began = time.process_time()
    folder = training.train(plan, quiet=True)
    spent, clips = time.process_time() - began, judged(task, plan)
    if task.weight_bits:
        told = _integers(Checkpoint.load(folder / "checkpoint.npz"), clips)
    else:
        net, all_clips = training.load(plan), np.arange(len(clips))
        told = {"predictions": training.predicted(net, clips, all_clips)}
    right = clips.labels == told["predictions"]
    row = {k: v for k, v in asdict(task).items() if v is not None} | {
        "key": task.key,
        "judged": task.judged,
        "source": clips.source,
        "sha256": clips.sha256,
        "judged_clips": len(clips),
        "accuracy": 100 * float(right.mean()),
        "commit": results.commit(),
        "train_cpu_s": round(spent, 1),
        "curve": rounded(training.curve(plan)),
        "labels": letters(clips.labels),
    }
    told = rounded(told) | {"predictions": letters(told["predictions"])}
    (out / "row.json").write_text(json.dumps(row | told))


def letters(classes: np.ndarray) -> str:
    """Classes as letters, a for 0: one character a clip.

    >>> letters(np.array([0, 2, 19])), classes_of("act").tolist()
    ('act', [0, 2, 19])
    """
    return (np.asarray(classes, np.uint8) + 97).tobytes().decode()


def classes_of(text: str) -> np.ndarray:
    """The classes behind `letters`, int64."""
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 97


def rounded(what):
    """Floats to four decimals, all the way down: rows are read by people too."""
    if isinstance(what, dict):
        return {k: rounded(v) for k, v in what.items() if k != "predictions"}
    if isinstance(what, list):
        return [rounded(v) for v in what]
    return round(what, 4) if isinstance(what, float) else what


def _integers(ck: Checkpoint, clips: events.Clips) -> dict:
    """What the integer network does, as it is and with lambda set to 0 and doubled."""
    trace = integer.run(ck, clips, record=False)
    decays = np.concatenate([la.row("lam") for la in ck.layers])
    thresholds = np.concatenate([la.row("theta") for la in ck.layers])
    told = {
        "predictions": trace.predictions,
        "sops": sum(la.sops for la in trace.layers) / len(clips),
        "spikes": [la.spikes / len(clips) for la in trace.layers],
        "clears": [la.clears / la.S.size for la in trace.layers],
        "clamps": [la.clamps / la.S.size for la in trace.layers],
    }
    if ck.law in ("shrink", "floor", "drift"):
        told |= {
            "lam_zero": float(np.mean(decays == 0)),
            "lam_int": np.bincount(decays).tolist(),
            "lam_over_theta": (decays / thresholds).round(3).tolist(),
            "without": _accuracy(ck, clips, lambda lam: lam * 0),
            "doubled": _accuracy(ck, clips, lambda lam: lam * 2),
        }
    if ck.law == "exponential":
        told["beta_q"] = np.concatenate(
            [np.broadcast_to(la.beta, la.out) for la in ck.layers]
        ).tolist()
    return told


def _accuracy(ck: Checkpoint, clips: events.Clips, change) -> float:
    return 100 * float(training.correct(training.with_lambda(ck, change), clips).mean())


def tasks(name: str) -> list[Task]:
    """The tasks of a study by name, the most important first; Fault when unknown."""
    if name not in STUDIES:
        raise Fault("unknown study", expected=" or ".join(STUDIES), found=repr(name))
    return list(STUDIES[name]())


def _tune() -> Iterator[Task]:
    """Six horizons an arm, one seed, two training speakers held out."""
    yield Task("tune", "shd", "if", epochs=8, horizon=4.0, fold=0)
    for horizon in HORIZONS:
        for arm in (*MAIN, "floor"):
            yield Task("tune", "shd", arm, epochs=8, horizon=horizon, fold=0)


def _spoken(study: str, arm: str, seed: int = 0, **knobs) -> Task:
    return Task(study, "shd", arm, seed, horizon=TUNED[arm], **knobs)


def _strong() -> Iterator[Task]:
    """Is MLP-2 a straw man? v-LIF without a grid, two training speakers held out."""
    for seed in range(2):
        yield _spoken("strong", "vlif", seed, weight_bits=0, fold=0)


def _main() -> Iterator[Task]:
    """Ten paired seeds of the two main arms, five of the controls."""
    for arms, seeds in (
        (MAIN, range(3)),
        (CONTROLS, range(2)),
        (MAIN, range(3, 10)),
        (CONTROLS, range(2, 5)),
    ):
        for seed in seeds:
            for arm in arms:
                yield _spoken("test", arm, seed)


def _speakers() -> Iterator[Task]:
    """Leave one training speaker out, each in turn."""
    for speaker in (0, 1, 2, 3, 6, 7, 8, 9, 10, 11):
        for arm in MAIN:
            yield _spoken("speakers", arm, speaker=speaker)


def _further() -> Iterator[Task]:
    """Decays that do not learn, the shift-exponential, a multiplier of 16 bits."""
    for seed in range(3):
        for arm in MAIN:
            yield _spoken("fixed", arm, seed, learn_decay=False)
        yield _spoken("fixed", "shift", seed)
        yield _spoken("fixed", "vlif", seed, beta_bits=16)


def _weights() -> Iterator[Task]:
    """Weights of 1 to 8 bits and float, one seed; membranes grow with the weights."""
    for bits in (0, 4, 2, 3, 1, 8, 6, 5):  # what matters most first
        for arm in MAIN:
            wide = {"weight_bits": bits, "membrane_bits": 12 + max(0, bits - 4)}
            yield _spoken("weights", arm, fold=0, **wide)


def _folds() -> Iterator[Task]:
    """N-MNIST: stratified five-fold cross-validation of all 1,100 clips."""
    for seed in range(5):
        for fold in range(5):
            for arm in (*MAIN, *CONTROLS):
                yield _digits("folds", arm, seed, fold=fold)


def _digits(study: str, arm: str, seed: int, **knobs) -> Task:
    sizes = {"weight_bits": 3, "membrane_bits": 10, "fraction_bits": 2}
    sizes |= {"horizon": 10.0}  # beta = 0.9, as in chapter 04
    return Task(study, "nmnist", arm, seed, **(sizes | knobs))


def _axes() -> Iterator[Task]:
    """N-MNIST, fold 0: one axis of the grid at a time, both neurons, three seeds."""
    axes = {"weight_bits": (1, 2, 3, 4, 5, 6, 7, 8), "membrane_bits": (6, 8, 12, 16)}
    axes |= {"fraction_bits": (0, 1, 2, 3, 4, 5)}
    for seed in range(3):
        for axis, values in axes.items():
            for value in values:
                for arm in MAIN:
                    yield _digits(axis, arm, seed, fold=0, **_width(axis, value))


def _width(axis: str, value: int) -> dict[str, int]:
    """The knobs of one value, and a membrane that does not narrow them.

    The threshold must fit the membrane: with 10 bits, weights of 5 to 8 bits were the
    same weights. A fraction refines a membrane of the same range.
    """
    beside = {}
    if axis == "weight_bits":
        beside = {"membrane_bits": 16}
    if axis == "fraction_bits":
        beside = {"membrane_bits": 8 + value}
    if axis == "membrane_bits" and value == 6:
        beside = {"fraction_bits": 0}
    return {axis: value} | beside


def _sizes() -> Iterator[Task]:
    """N-MNIST, fold 0: neurons and bins that the summary does not give, three seeds."""
    for seed in range(3):
        for axis, values in SIZES.items():
            for value in values:
                for arm in MAIN:
                    yield _digits(axis, arm, seed, fold=0, **{axis: value})


def _decays() -> Iterator[Task]:
    """N-MNIST, fold 0: six horizons to start from, every arm that has one."""
    for seed in range(3):
        for horizon in HORIZONS:
            for arm in (*MAIN, "floor"):
                yield _digits("decay", arm, seed, fold=0, horizon=horizon)


def _quick() -> Iterator[Task]:
    """What a page trains there and then: three arms, two seeds, a few clips."""
    for seed in range(2):
        for arm in (*MAIN, "if"):
            yield _spoken("test", arm, seed, **SMALL)


def _gestures() -> Iterator[Task]:
    """DVS Gesture, for where the official files are; the stand-in settles nothing."""
    for arms, seeds in ((MAIN, 10), (CONTROLS, 5)):
        for seed in range(seeds):
            for arm in arms:
                yield Task("test", "dvsgesture", arm, seed, epochs=20, horizon=6.7)


STUDIES = {
    "quick": _quick,
    "tune": _tune,
    "strong": _strong,
    "main": _main,
    "speakers": _speakers,
    "further": _further,
    "weights": _weights,
    "folds": _folds,
    "axes": _axes,
    "decays": _decays,
    "sizes": _sizes,
    "gestures": _gestures,
}


def listing(home: Path) -> list[dict]:
    """Every study: how many tasks, how many have a row in `home`, what it asks."""
    rows = []
    for name, made in STUDIES.items():
        keys = {task.key for task in tasks(name)}
        done = sum(row["key"] in keys for row in read(name, home)["rows"])
        asks = (made.__doc__ or "").splitlines()[0]
        rows.append({"study": name, "tasks": len(keys), "done": done, "asks": asks})
    return rows


def run(
    names: list[str],
    scheduler: str | None = None,
    workers: int = 2,
    told: Callable[[str], None] = print,
    home: Path | None = None,
    again: bool = False,
) -> list[dict]:
    """The rows of the named studies that were not there yet.

    scheduler: address of a Dask scheduler whose workers share this machine's store;
        None starts a local cluster of `workers` processes.
    told: hears one line for each finished task, with the time that is left.
    home: folder of the studies' files; each finished row joins its file at once.
    again: run tasks too whose rows the files already hold.
    """
    from distributed import Client, LocalCluster, as_completed

    study_of = {task: name for name in names for task in tasks(name)}
    wanted = [t for t in study_of if again or not _held(t, study_of[t], home)]
    told(f"{len(study_of) - len(wanted)} rows are there, {len(wanted)} to run")
    if not wanted:
        return []
    cluster = None
    if scheduler is None:
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        )
    rows, failed, began = {}, [], time.monotonic()
    with Client(scheduler or cluster) as client:
        jobs = submitted(client, wanted)
        for done in as_completed(jobs):
            task = jobs[done]
            if done.status != "finished":
                failed.append(task)
                told(f"failed: {task.key}: {done.exception()!r}")
                continue
            rows[task] = done.result()
            left = (time.monotonic() - began) / len(rows) * (len(jobs) - len(rows))
            told(line(task, rows[task], len(rows), len(jobs), left))
            if home:
                write(study_of[task], [rows[task]], home)
    if cluster:
        cluster.close()
    if failed:
        raise Fault(
            "tasks failed",
            expected="rows of all tasks",
            found=f"{len(failed)} of {len(wanted)} without one",
            where=failed[0].key,
            do="the others are kept; run the command again",
        )
    return [rows[task] for task in wanted]


def _held(task: Task, name: str, home: Path | None) -> bool:
    return home is not None and any(
        row["key"] == task.key for row in read(name, home)["rows"]
    )


def submitted(client, wanted: list[Task]) -> dict:
    """Future -> task; they wait at the scheduler, the first ones first."""
    return {
        client.submit(
            work,
            task,
            dict(os.environ),
            key=("row", task.key),
            retries=2,
            priority=-k,
        ): task
        for k, task in enumerate(wanted)
    }


def work(task: Task, env: dict | None = None) -> dict:
    """One task in a worker: one thread, the caller's folders."""
    import torch

    for name in ("LINDECAY_DATA", "LINDECAY_STORE"):
        if env and name in env:
            os.environ[name] = env[name]
    torch.set_num_threads(1)
    return row_of(task)


def line(task: Task, row: dict, done: int, many: int, left: float) -> str:
    """Progress in one line."""
    knobs = task.key.split(",")[2:]
    return (
        f"{done}/{many}  {task.study} {task.data} {row['accuracy']:.1f} %  "
        f"{left / 60:.0f} min left  {' '.join(knobs)}"
    )


def folder() -> Path:
    """Where finished studies are written."""
    return build_dir() / "protocol"


def write(name: str, rows: list[dict], home: Path) -> Path:
    """Rows of a study as one file, merged by key with those already there."""
    path, old = home / f"{name}.json", read(name, home)
    labels = {f"{r['data']} {r['judged']}": r.get("labels") for r in rows}
    rows = [{k: v for k, v in row.items() if k != "labels"} for row in rows]
    merged = {row["key"]: row for row in [*old["rows"], *rows]}
    found = {"schema": SCHEMA, "study": name, "commit": results.commit()}
    found |= {"asked": len(tasks(name)), "labels": old.get("labels", {}) | labels}
    found |= {"rows": [merged[k] for k in sorted(merged)]}
    return store.write_atomic(path, a_line_a_row(found))


def a_line_a_row(found: dict) -> str:
    """JSON whose rows stand on lines of their own, so that a diff shows what moved."""
    rows = ",\n".join(json.dumps(row) for row in found["rows"])
    head = json.dumps({k: v for k, v in found.items() if k != "rows"})
    return f'{head[:-1]}, "rows": [\n{rows}\n]}}\n'


def read(name: str, home: Path) -> dict:
    """A study's file; {"rows": [], "asked": n} where nothing was run yet."""
    path = home / f"{name}.json"
    if not path.exists():
        return {"study": name, "asked": len(tasks(name)), "rows": []}
    return json.loads(path.read_text())
