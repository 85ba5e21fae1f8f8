"""The protocol: tasks on Dask, a lost worker, rows merged by key, nothing redone."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch

from lindecay.settings import Fault
from lindecay.studies import protocol

distributed = pytest.importorskip("distributed")


def test_tasks_have_keys_of_their_own():
    for name in protocol.STUDIES:
        keys = [task.key for task in protocol.tasks(name)]
        assert len(set(keys)) == len(keys) > 0


@pytest.mark.parametrize("name", list(protocol.STUDIES))
def test_every_task_has_a_network(name):
    for task in protocol.tasks(name):
        plan = protocol.PLANS[task.data](task)
        assert plan.arm == task.arm and plan.seed == task.seed


def test_each_width_gives_another_network():
    """A membrane too narrow for the threshold made wider weights the same ones."""
    wide = [t for t in protocol.tasks("axes") if t.study == "weight_bits"]
    first = {t.weight_bits: t for t in wide if t.seed == 0 and t.arm == "vlif"}
    steps = {}
    for bits, task in first.items():
        grid = protocol.Grid(bits, task.membrane_bits, task.fraction_bits)
        steps[bits] = grid.scale_for(torch.tensor([0.05]))
    assert sorted(steps) == list(range(1, 9))
    assert len(set(steps.values())) == 8 and steps[8] < steps[7] / 1.9


def test_main_arms_are_paired_over_ten_seeds():
    found = {(t.arm, t.seed) for t in protocol.tasks("main")}
    assert {(arm, s) for arm in ("vlif", "ldlif") for s in range(10)} <= found
    assert {(arm, s) for arm in ("if", "floor") for s in range(5)} <= found


def test_tuning_gives_every_arm_the_same_horizons_and_no_test_clip():
    tried = protocol.tasks("tune")
    for arm in ("vlif", "ldlif", "floor"):
        mine = {t.horizon for t in tried if t.arm == arm}
        assert mine == set(protocol.HORIZONS)
    assert all(t.fold is not None for t in tried)


def test_an_unknown_study_is_one_clear_line():
    with pytest.raises(Fault, match="unknown study: expected quick"):
        protocol.tasks("mane")


WORKER = """
import json, os, sys, time
from pathlib import Path
from lindecay.studies import protocol

def row_of(task):
    log = Path(os.environ["PROTOCOL_LOG"])
    with log.open("a") as out:
        out.write(f"{task.seed} {os.getpid()}\\n")
    time.sleep(0.6)
    return {"seed": task.seed, "accuracy": 50.0 + task.seed}

protocol.row_of = row_of
"""


@pytest.fixture
def loopback(tmp_path):
    """A scheduler and two worker processes on loopback; pids of the workers."""
    (tmp_path / "preload.py").write_text(WORKER)
    env = os.environ | {"PROTOCOL_LOG": str(tmp_path / "log")}
    address = "tcp://127.0.0.1:" + str(_free_port())
    base = [sys.executable, "-m", "distributed.cli."]
    asked = [
        ["dask_scheduler", "--host", address, "--no-dashboard"],
        *[
            ["dask_worker", address, "--nthreads", "1", "--no-dashboard"]
            + ["--no-nanny", "--preload", str(tmp_path / "preload.py")]
            + ["--local-directory", str(tmp_path / f"worker{k}")]
            for k in range(2)
        ],
    ]
    running = [
        subprocess.Popen(
            [*base[:2], base[2] + words[0], *words[1:]],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for words in asked
    ]
    yield address, running[1:], tmp_path / "log"
    for process in running:
        process.kill()
        process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_killed_worker_loses_only_its_own_task(loopback, monkeypatch):
    address, workers, log = loopback
    small = [protocol.Task("test", "shd", "if", seed) for seed in range(8)]
    monkeypatch.setitem(protocol.STUDIES, "small", lambda: iter(small))
    told = []

    def hear(text):
        told.append(text)
        if len(told) == 3:
            os.kill(workers[0].pid, signal.SIGKILL)

    rows = protocol.run(["small"], address, told=hear)
    assert [row["seed"] for row in rows] == list(range(8))  # merged by key
    begun = [int(text.split()[0]) for text in log.read_text().splitlines()]
    assert len(told) == 9  # what is there, then a line a task
    # the dead worker's task again, and what only it had finished and kept in memory
    assert 8 <= len(begun) <= 8 + 3


def test_a_finished_row_is_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path))
    task, made = protocol.Task("test", "shd", "if"), []
    monkeypatch.setitem(protocol.PLANS, "shd", lambda task: FakePlan())

    def judge(task, plan, out):
        made.append(task)
        (out / "row.json").write_text(json.dumps({"accuracy": 1.0}))

    monkeypatch.setattr(protocol, "_judge", judge)
    assert protocol.row_of(task) == protocol.row_of(task) == {"accuracy": 1.0}
    assert len(made) == 1


def test_a_newcomer_sees_what_each_study_asks_and_how_far_it_is(tmp_path):
    task = protocol.tasks("strong")[0]
    protocol.write("strong", [ROW | {"key": task.key}, ROW | {"key": "old"}], tmp_path)
    told = {row["study"]: row for row in protocol.listing(tmp_path)}
    assert told["strong"]["done"] == 1 and told["strong"]["tasks"] == 2
    assert told["main"]["done"] == 0
    assert all(row["asks"] for row in told.values())


ROW = {"data": "shd", "judged": "test", "labels": "abc"}


def test_rows_join_their_study_by_key(tmp_path):
    protocol.write("tune", [ROW | {"key": "a", "accuracy": 1}], tmp_path)
    protocol.write("tune", [ROW | {"key": "b"}, ROW | {"key": "a"}], tmp_path)
    found = protocol.read("tune", tmp_path)
    assert [row["key"] for row in found["rows"]] == ["a", "b"]
    assert "accuracy" not in found["rows"][0]  # the later one counts
    assert found["labels"] == {"shd test": "abc"}
    assert found["asked"] == len(protocol.tasks("tune"))
    assert protocol.read("main", tmp_path)["rows"] == []


def test_rows_that_are_there_are_not_run_again(tmp_path, monkeypatch):
    task = protocol.Task("test", "shd", "if")
    monkeypatch.setitem(protocol.STUDIES, "one", lambda: iter([task]))
    protocol.write("one", [ROW | {"key": task.key}], tmp_path)
    told = []
    assert protocol.run(["one"], workers=1, told=told.append, home=tmp_path) == []
    assert told == ["1 rows are there, 0 to run"]


class FakePlan:
    def clips(self):
        return None

    def params(self, clips):
        return {"fake": 1}


def test_progress_tells_what_is_left():
    task = protocol.Task("test", "shd", "vlif", 3)
    text = protocol.line(task, {"accuracy": 71.25}, 2, 10, 240.0)
    assert text.startswith("2/10  test shd 71.2 %  4 min left")


@dataclass(frozen=True)
class Sum:
    """A task that makes its own row, as the open questions have them."""

    a: int
    b: int

    @property
    def key(self) -> str:
        return f"a={self.a},b={self.b}"

    def row(self) -> dict:
        return {"key": self.key, "sum": self.a + self.b}


def test_a_task_of_another_kind_makes_its_own_row_once(tmp_path, monkeypatch):
    sums = [Sum(1, 2), Sum(3, 4)]
    monkeypatch.setitem(protocol.QUESTIONS, "sums", lambda: iter(sums))
    told = []
    rows = protocol.run(["sums"], workers=1, told=told.append, home=tmp_path)
    assert [row["sum"] for row in rows] == [3, 7] and "a=3,b=4" in told[-1]
    assert protocol.run(["sums"], workers=1, told=told.append, home=tmp_path) == []
    kept = protocol.read("sums", tmp_path)
    assert kept["asked"] == 2 and kept["labels"] == {} and len(kept["rows"]) == 2
