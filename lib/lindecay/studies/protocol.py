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
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lindecay import events, integer, results, store, training
from lindecay.events.splits import folds
from lindecay.networks import BETA_BITS
from lindecay.quantization import Checkpoint, Grid
from lindecay.settings import Fault, build_dir, committed, profile
from lindecay.studies import ceilings
from lindecay.studies.designs import (  # noqa: F401  the protocol's face to others
    HORIZONS,
    QUESTIONS,
    SMALL,
    STUDIES,
    TUNED,
    Asked,
    Task,
    tasks,
    waits,
)
from lindecay.training import gestures, speech

SCHEMA = 1


def shd_plan(task: Task) -> speech.Plan:
    """MLP-2's run for a task."""
    sizes = replace(profile("paper"), epochs=task.epochs, batch=128)
    widths = (task.weight_bits, task.membrane_bits, task.fraction_bits)
    chosen = training.arm(task.arm)
    spec = speech.SpeechSpec(
        chosen.law,
        horizon=task.horizon,
        grid=Grid(*widths) if task.weight_bits else None,
        beta_bits=task.beta_bits or chosen.beta_bits or BETA_BITS,
        learn_decay=task.learn_decay,
        rounding=chosen.rounding,
        decays="open" if task.version else "clamp",
        bias=task.bias or "neuron",
        hidden=(task.hidden or 256,) * (task.depth or 2),
    )
    rest = {"network_spec": spec, "fold": task.fold, "speaker": task.speaker}
    rest |= {"most": task.clips, "watch": not task.version}
    if task.network:
        rest |= {"kind": task.network, "learning_rate": task.rate or 1e-3}
        return ceilings.Plan(task.arm, task.seed, sizes, **rest)
    return speech.Plan(task.arm, task.seed, sizes, **rest)


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
        ck = Checkpoint.load(folder / "checkpoint.npz")
        told = _integers(ck, clips, changed=not task.version or task.judged != "test")
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


def _integers(ck: Checkpoint, clips: events.Clips, changed: bool = True) -> dict:
    """What the integer network does; if `changed`, with lambda 0 and doubled too."""
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
        }
    if changed and ck.law in ("shrink", "floor", "drift"):
        told |= {
            "without": _accuracy(ck, clips, lambda lam: lam * 0),
            "doubled": _accuracy(ck, clips, lambda lam: lam * 2),
        }
    if ck.law in ("exponential", "shift"):
        told["beta_q"] = np.concatenate(
            [np.broadcast_to(la.beta, la.out) for la in ck.layers]
        ).tolist()
    return told


def _accuracy(ck: Checkpoint, clips: events.Clips, change) -> float:
    return 100 * float(training.correct(training.with_lambda(ck, change), clips).mean())


def begin(home: Path) -> Path:
    """`home` with all committed rows in it, so that no finished task runs again."""
    for path in sorted((committed("reference") / "protocol").glob("*.json")):
        kept = json.loads(path.read_text())
        known = {row["key"] for row in read(path.stem, home)["rows"]}
        fresh = [row for row in kept["rows"] if row["key"] not in known]
        if path.stem in STUDIES | QUESTIONS and fresh:
            write(path.stem, fresh, home, kept["labels"])
    return home


def listing(home: Path) -> list[dict]:
    """Every study: how many tasks, how many have a row in `home`, what it asks."""
    rows = []
    for name, made in (STUDIES | QUESTIONS).items():
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
    if waiting := [task for task in wanted if waits(task)]:
        arms = ", ".join(sorted({task.arm for task in waiting}))
        told(f"{len(waiting)} of them wait until open-tune has every horizon of {arms}")
        wanted = [task for task in wanted if not waits(task)]
    if not wanted:
        return []
    cluster = None
    if scheduler is None:
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=":0"
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


def _held(task: Task | Asked, name: str, home: Path | None) -> bool:
    return home is not None and any(
        row["key"] == task.key for row in read(name, home)["rows"]
    )


def submitted(client, wanted: list[Task | Asked]) -> dict:
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


def work(task: Task | Asked, env: dict | None = None) -> dict:
    """One task in a worker: one thread, the caller's folders."""
    import torch

    for name in ("LINDECAY_DATA", "LINDECAY_STORE"):
        if env and name in env:
            os.environ[name] = env[name]
    torch.set_num_threads(1)
    return row_of(task) if isinstance(task, Task) else task.row()


def line(task: Task | Asked, row: dict, done: int, many: int, left: float) -> str:
    """Progress in one line."""
    when = f"{left / 60:.0f} min left"
    if not isinstance(task, Task):
        return f"{done}/{many}  {when}  {task.key}"
    knobs = task.key.split(",")[2:]
    return (
        f"{done}/{many}  {task.study} {task.data} {row['accuracy']:.1f} %  "
        f"{when}  {' '.join(knobs)}"
    )


def folder() -> Path:
    """Where finished studies are written."""
    return build_dir() / "protocol"


def write(name: str, rows: list[dict], home: Path, known=None) -> Path:
    """Rows of a study as one file, merged by key with those already there."""
    path, old = home / f"{name}.json", read(name, home)
    labels = {
        f"{r['data']} {r['judged']}": r["labels"] for r in rows if r.get("labels")
    }
    labels = known or labels
    rows = [{k: v for k, v in row.items() if k != "labels"} for row in rows]
    merged = {row["key"]: row for row in [*old["rows"], *rows]}
    found = {"schema": SCHEMA, "study": name, "commit": results.commit()}
    found |= {"asked": len(tasks(name)), "labels": old.get("labels", {}) | labels}
    found |= {"rows": [merged[k] for k in sorted(merged)]}
    return store.write_atomic(path, a_line_a_row(found))


def kept(name: str) -> list[dict]:
    """The committed rows of a study, in the order of its tasks; only those asked."""
    found = read(name, committed("reference") / "protocol")["rows"]
    at = {row["key"]: row for row in found}
    return [at[task.key] for task in tasks(name) if task.key in at]


def complete(*names: str) -> str:
    """How many rows of studies are committed, of how many."""
    rows, asked = (sum(len(f(name)) for name in names) for f in (kept, tasks))
    return f"{rows} of {asked}"


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
