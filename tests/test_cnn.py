"""The convolutional network: training forward = integers, gradients, training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lindecay import integer, training
from lindecay.networks import ARMS, Cnn, CnnSpec, Conv
from lindecay.quantization import Checkpoint, check
from lindecay.settings import profile
from lindecay.training import gestures
from test_integer import clips_of

CONVS = {
    "stride then kernel": ((Conv(4, 5, stride=2), Conv(6, 3)), 2),
    "events add kernels": ((Conv(4, 3), Conv(6, 3, pool=2)), 1),
    "pools of three": ((Conv(4, 2, pool=3), Conv(5, 2, stride=2, pool=1)), 1),
}


def small(arm: str, name: str) -> tuple[Cnn, np.ndarray]:
    (convs, pool), chosen = CONVS[name], ARMS[arm]
    torch.manual_seed(3)
    how = {"rounding": chosen.rounding, "beta_bits": chosen.beta_bits or 8}
    sizes = {"plane": (2, 14, 13), "convs": convs, "pool": pool, "classes": 5}
    net = Cnn(CnnSpec(chosen.law, **sizes, **how))
    with torch.no_grad():  # so that every layer fires
        for layer in net.layers:
            layer.weight += 0.3 * layer.weight.abs().mean()
    rng = np.random.default_rng(1)
    return net, (rng.random((3, 12, 2 * 14 * 13)) < 0.2).astype(np.uint8)


@pytest.mark.parametrize("name", CONVS)
@pytest.mark.parametrize("arm", ARMS)
def test_training_forward_is_the_integer_network(arm, name, tmp_path):
    net, dense = small(arm, name)
    clips = clips_of(dense)
    ck = Checkpoint.load(net.export({"T": 12}).save(tmp_path / "a.npz"))
    trace = integer.run(ck, clips)
    from_events = training.training_forward(net, clips, batch=2)
    with torch.no_grad():
        frames = net(torch.from_numpy(dense).float().swapaxes(0, 1))
    for (U, S), (s, u), layer in zip(from_events, frames, trace.layers):
        assert np.array_equal(U, layer.U) and np.array_equal(S, layer.S)
        assert np.array_equal(u.swapaxes(0, 1).numpy(), layer.U)
        assert np.array_equal(s.swapaxes(0, 1).numpy(), layer.S)
    assert all(layer.spikes for layer in trace.layers)


def test_gradients_reach_every_weight_and_every_decay():
    net, dense = small("ldlif", "stride then kernel")
    states = net(torch.from_numpy(dense).float().swapaxes(0, 1))
    states[-1][0].sum().backward()
    for layer in net.layers:
        assert layer.weight.grad.abs().sum() > 0
        assert layer.decay.grad.abs() > 0


def test_the_books_network_has_the_sizes_that_it_states():
    net = Cnn(CnnSpec("shrink"))
    ck = check(net.export({"T": 50}), "a test")
    assert [layer.out for layer in ck.layers] == [3136, 4608, 11]
    assert [layer.bits for layer in ck.layers] == [4, 4, 4]


@pytest.mark.parametrize("arm", ["vlif", "ldlif", "if", "floor"])
def test_a_short_training_lowers_the_loss(arm, tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path))
    rng = np.random.default_rng(0)
    labels = np.arange(33) % 11
    rate = 0.5 * rng.random((11, 1, 2048)) * (rng.random((11, 1, 2048)) < 0.3)
    dense = (rng.random((33, 8, 2048)) < rate[labels]).astype(np.uint8)
    made = replace(clips_of(dense), labels=labels)
    monkeypatch.setattr(gestures, "stand_in_clips", lambda name, split: made)
    sizes = replace(profile("quick"), epochs=6, batch=11, steps=8)
    plan = replace(gestures.plan("quick", arm), profile=sizes)
    curve = training.curve(plan)
    assert curve[-1]["loss"] < curve[0]["loss"]
    ck = Checkpoint.load(training.train(plan) / "checkpoint.npz")
    pairs = training.training_forward(training.load(plan), made)
    for (U, S), layer in zip(pairs, integer.run(ck, made).layers):
        assert np.array_equal(U, layer.U) and np.array_equal(S, layer.S)


def test_recordings_are_run_and_never_trained_on(recordings):
    plan = gestures.plan("quick")
    assert gestures.clips_for("quick").source != plan.clips().source == "stand-in"
