"""Training: paired arms, resume after a kill, one result for one seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lindecay import events, integer, store, training
from lindecay.networks import ARMS, Mlp
from lindecay.neurons import LinearDecayLIF
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault, profile

TINY = replace(
    profile("quick"), epochs=2, hidden=16, steps=10, dt_us=30_000, stand_in=(60, 20)
)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Clips of a stand-in and an empty store: nothing is read from outside."""
    from test_integer import clips_of

    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path / "store"))
    rng = np.random.default_rng(5)
    rate = 0.8 * rng.random((10, 1, 40))  # each class has its own channels
    made = {}
    for split, n in (("train", 60), ("test", 20)):
        labels = np.arange(n) % 10
        dense = (rng.random((n, TINY.steps, 40)) < rate[labels]).astype(np.uint8)
        made[split] = replace(clips_of(dense), labels=labels.astype(np.int64))
    monkeypatch.setattr(events, "clips", lambda name, split, size: made[split])
    return made


@pytest.mark.parametrize("arm", list(ARMS))
def test_training_forward_is_the_integer_network(small, arm):
    plan = training.Plan(arm, 0, TINY)
    folder = training.train(plan, quiet=True)
    ck = Checkpoint.load(folder / "checkpoint.npz")
    assert ck.law == ARMS[arm].law
    pairs = training.training_forward(training.load(plan), small["test"], batch=7)
    trace = integer.run(ck, small["test"])
    for (U, S), layer in zip(pairs, trace.layers):
        assert np.array_equal(U, layer.U)
        assert np.array_equal(S, layer.S)
    assert all(layer.spikes > 0 for layer in trace.layers)


@pytest.mark.parametrize("arm", ["ldlif", "if"])
def test_snntorch_neurons_with_whole_numbers_fire_the_same_spikes(small, arm):
    plan = training.Plan(arm, 0, TINY)
    ck = Checkpoint.load(training.train(plan) / "checkpoint.npz")
    trace = integer.run(ck, small["test"])
    x = torch.from_numpy(small["test"].dense()).float()
    for layer, wanted in zip(ck.layers, trace.layers):
        w = torch.from_numpy(layer.w).float() * 2**ck.f
        lif = LinearDecayLIF(
            float(layer.lam) if ck.law == "shrink" else 0.0,  # IF has none
            threshold=float(layer.theta),
            law=ck.law,
            clamp=(ck.v_min, ck.v_max),
            whole_sequence=True,
        )
        x = lif(x @ w.T)[0]
        assert np.array_equal(x.numpy().swapaxes(0, 1), wanted.S)


def test_arms_of_a_seed_start_from_the_same_weights(small):
    nets = []
    for arm in ARMS:
        torch.manual_seed(3)
        nets.append(Mlp(training.Plan(arm, 3, TINY).spec(small["train"])))
    for layers in zip(*(net.layers for net in nets)):
        assert all(torch.equal(layers[0].weight, x.weight) for x in layers)
        assert all(layers[0].scale == x.scale for x in layers)


def test_training_changes_weights_and_lowers_the_loss(small):
    curve = training.curve(training.Plan("ldlif", 1, replace(TINY, epochs=8)))
    assert curve[-1]["loss"] < curve[0]["loss"]
    assert curve[-1]["decay"] != curve[0]["decay"]


def test_a_killed_run_goes_on_to_the_same_weights(small, monkeypatch):
    plan = training.Plan("ldlif", 0, replace(TINY, epochs=3))
    whole = (training.train(plan) / "checkpoint.npz").read_bytes()
    monkeypatch.setenv("LINDECAY_STORE", str(store.store_dir()) + "-again")
    honest, calls = training.Run.epoch, []

    def dies(*given):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return honest(*given)

    monkeypatch.setattr(training.Run, "epoch", dies)
    with pytest.raises(KeyboardInterrupt):
        training.train(plan)
    assert (training.train(plan) / "checkpoint.npz").read_bytes() == whole
    assert len(calls) == 4  # two finished, one killed, one more: nothing redone


def test_finished_training_is_not_redone(small, monkeypatch):
    plan = training.Plan("if", 0, TINY)
    training.train(plan)
    monkeypatch.setattr(training.Run, "epoch", lambda *a: pytest.fail("trained again"))
    training.train(plan)


def test_lambda_set_to_zero_equals_the_law_without_decay(small):
    plan = training.Plan("ldlif", 0, TINY)
    ck = Checkpoint.load(training.train(plan) / "checkpoint.npz")
    free = training.with_lambda(ck, lambda lam: lam * 0)
    none = replace(free, meta=free.meta | {"law": "none"})
    a, b = (integer.run(c, small["test"]) for c in (free, none))
    assert all(np.array_equal(x.U, y.U) for x, y in zip(a.layers, b.layers))


def test_paired_drop_against_known_answers():
    rng = np.random.default_rng(0)
    base = rng.random((5, 400)) < 0.9
    worse = base & (rng.random((5, 400)) < 0.95)
    drop = training.paired_drop(base, worse)
    exact = 100 * (base.mean() - worse.mean())
    assert drop["mean"] == pytest.approx(exact)
    low, high = drop["interval"]
    assert low < exact < high
    assert training.paired_drop(base, base)["interval"] == (0.0, 0.0)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    rng, hits = np.random.default_rng(1), 0
    for _ in range(60):
        base, other = (rng.random((4, 200)) < p for p in (0.90, 0.87))
        low, high = training.paired_drop(base, other, draws=300)["interval"]
        hits += low <= 3.0 <= high
    assert hits >= 51  # binomial(60, 0.95): below 51 once in 5,000


def test_unknown_arm_is_one_clear_line():
    with pytest.raises(Fault, match="unknown arm: expected vlif or ldlif or if"):
        training.arm("lif")
