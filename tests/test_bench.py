"""The bench: what it times computes the same, and its report has its shape."""

import json

import numpy as np
import pytest
import torch

from lindecay import bench
from lindecay.bench import device, peers, report, roofline, timing, works
from lindecay.kernels import Events
from lindecay.neurons import LinearDecayLIF
from lindecay.settings import Fault

KEYS = {
    "ours_ms", "peers_ms", "ratio", "cpu_ratio", "gsops", "limit_fraction", "peak_mb",
    "threads", "rounds",
}  # fmt: skip


def test_a_row_has_every_key_and_is_json():
    work = works.neuron_alone(5, 2, 8)
    row = timing.measure(work, rounds=2)
    assert set(row) >= KEYS and row["threads"] == 1 and "snntorch" in row["ratio"]
    ratio = row["peers_ms"]["snntorch"] / row["ours_ms"]
    assert row["ratio"]["snntorch"] == pytest.approx(ratio)
    json.dumps(row)


def test_every_work_has_a_door():
    assert {"neuron_alone", "nmnist_step", "shd_step", "cnn_step"} <= set(bench.WORKS)


def test_single_steps_end_where_the_sequence_ends():
    """Both sides walk through the same number of steps from rest."""
    work, seen = works.single_step(many=5, steps=7), []
    for module in (LinearDecayLIF, peers.snn.Leaky):
        honest = module.forward
        with pytest.MonkeyPatch.context() as patch:
            count = lambda *a, f=honest, m=module: seen.append(m) or f(*a)  # noqa: E731
            patch.setattr(module, "forward", count)
            (work.ours if module is LinearDecayLIF else work.peers["snntorch"])()
    assert seen == [LinearDecayLIF] * 7 + [peers.snn.Leaky] * 7


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_slope_is_the_exponent_of_the_larger_sizes(power):
    ms = {n: 3.0 + (n / 1e5) ** power for n in (10, 100)}  # a start that all pay
    ms |= {n: (n / 1e5) ** power for n in (10**6, 10**7, 10**8)}
    assert report.slope(ms) == pytest.approx(power)
    assert report.slope(ms | {10**8: 9e9}) > power + 0.5


def test_cost_against_size_has_its_shape(monkeypatch):
    monkeypatch.setattr(report, "LENGTHS", (10, 20, 40))
    monkeypatch.setattr(report, "WIDTHS", (10, 20))
    monkeypatch.setattr(report.timing, "peak_elsewhere", lambda *a: 2.0)
    long, wide = report.length(rounds=2), report.width(rounds=2)
    assert list(long["microseconds_per_step"]) == ["10", "20", "40"]
    assert long["kilobytes_per_step"] == {"10": 200.0, "40": 50.0}
    assert list(wide["nanoseconds"]) == ["10", "20"] and np.isfinite(wide["slope"])


def test_mlp2_trains_on_both_sides():
    work = works.mlp2_step(batch=4)
    for step in (work.ours, work.peers["snntorch"]):
        losses = [step().item() for _ in range(3)]
        assert np.isfinite(losses).all() and len(set(losses)) == 3
    assert work.extra["steps_an_epoch"] == 2145  # of the 8,580 clips, 4 at a time


def test_rounds_are_interleaved_and_threads_restored():
    calls, before = [], torch.get_num_threads()
    with timing.one_thread():
        timing.interleave({n: lambda n=n: calls.append(n) for n in "ab"}, 3, warm=1)
        assert torch.get_num_threads() == 1
    assert "".join(calls) == "ab" + "ab" * 3 and torch.get_num_threads() == before


def as_snntorch(net):
    """Make our network compute what snnTorch's does: exponential, one step late."""
    for name, child in net.named_children():
        if isinstance(child, LinearDecayLIF):
            same = LinearDecayLIF(
                law="exponential", beta=peers.BETA, reset_delay=True,
                whole_sequence=True, init_hidden=True, inplace=True,
            )  # fmt: skip
            setattr(net, name, same)
    return net


def losses(ours, theirs, events, x, labels, copies):
    """Training losses of both sides from the same weights."""
    with torch.no_grad():
        for a, b in copies:
            b.mul_(4)  # loud enough that every layer fires
            a.copy_(b)
    runs = peers.step_of(ours, events, labels), peers.step_of(theirs, x, labels)
    return [[run().item() for _ in range(4)] for run in runs]


def test_both_sides_of_the_mlp_train_alike():
    """Same law, same start: the losses of four steps agree."""
    torch.manual_seed(0)
    x = (torch.rand(12, 6, 50) < 0.2).float()
    ours, theirs = as_snntorch(works.Mlp(50, 30, 4)), peers.SnnMlp(50, 30, 4)
    copies = (
        (ours.first.weight, theirs.fc1.weight),
        (ours.second.weight, theirs.fc2.weight),
    )
    labels = torch.randint(4, (6,))
    got, want = losses(ours, theirs, Events.of(x), x, labels, copies)
    assert got == pytest.approx(want, rel=1e-4) and want[-1] != want[0]


def test_both_sides_of_the_cnn_train_alike():
    torch.manual_seed(0)
    x = (torch.rand(6, 3, 2, 32, 32) < 0.2).float()
    ours, theirs = as_snntorch(works.Cnn()), peers.SnnCnn()
    copies = [
        (ours.conv1.weight, theirs.conv1.weight),
        (ours.conv2.weight, theirs.conv2.weight),
        (ours.fc.weight, theirs.fc.weight),
    ]
    labels = torch.randint(11, (3,))
    listed = Events.of(x.flatten(2))
    got, want = losses(ours, theirs, listed, x, labels, copies)
    assert got == pytest.approx(want, rel=1e-3) and want[-1] != want[0]


def test_memory_of_a_fresh_process_is_a_number(monkeypatch):
    done = timing.subprocess.CompletedProcess([], 0, "12.5\n", "")
    monkeypatch.setattr(timing.subprocess, "run", lambda *a, **k: done)
    assert timing.memory("neuron_alone", works.neuron_alone(2, 1, 4))["peak_mb"] == 12.5
    failed = timing.subprocess.CompletedProcess([], 1, "", "no such work")
    monkeypatch.setattr(timing.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(Fault, match="no such work"):
        timing.peak_elsewhere("neuron_alone", "ours")


def test_the_same_neurons_are_measured_on_a_device(monkeypatch):
    """On the CPU, with a clock that is ours: each side runs once a round."""
    work = device.work(torch.device("cpu"), (4, 2, 8))
    ticks = iter(range(1, 100))
    row = device.measure(work, 3, clock=lambda run: run() or next(ticks), peak=id)
    assert row["ours_ms"] == 5 and row["spread"]["floor"] == [4, 12]
    assert row["ratio"] == {"snntorch": 6 / 5, "plain": 7 / 5}
    assert row["limit_fraction"] == 8 / 5 and row["shape"] == [4, 2, 8]
    json.dumps(row)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_neurons_are_measured_on_cuda():
    row = device.neurons(rounds=2)["neuron_alone"]
    assert row["ours_ms"] > 0 and row["peak_mb"] > 0 and "snntorch" in row["ratio"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_no_cuda_device_is_one_clear_line_and_exit_code_2(monkeypatch, capsys):
    from lindecay import cli

    monkeypatch.setattr("sys.argv", ["lindecay", "bench", "neurons", "--device=cuda"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    told = capsys.readouterr().err
    assert left.value.code == 2 and told.count("\n") == 1
    for words in ("no CUDA device", "expected", "found torch", "leave --device out"):
        assert words in told
    with pytest.raises(Fault, match="no such device: expected cpu or cuda"):
        device.find("tpu")


def test_rooflines_hold_what_they_say(monkeypatch):
    """Every part has a time; no loop can be far above the floor of its own run."""
    found = roofline.loop((20, 4, 64), rounds=3)
    assert found["bytes"] == 24 * 20 * 4 * 64
    assert set(found["cpu_ms"]) == {"forward", "backward", "floor"}
    monkeypatch.setitem(roofline.MLPS, "shd_step", (20, 4, 70, 64, 5, 0.1))
    found = roofline.gather("shd_step", rounds=2)
    assert found["gb_s"].keys() == found["cpu_ms"].keys() and found["fraction"] > 0
    json.dumps(found)


def test_long_sequences_cost_what_their_length_says():
    """Ten times the steps, at most twenty times the time: nothing is quadratic."""
    runs = {t: works.neuron_alone(t, 4, 64).ours for t in (500, 5000)}
    times = timing.interleave(runs, rounds=5)
    short, long = (wall.min() for wall, _ in times.values())
    assert long < 20 * short + 5
