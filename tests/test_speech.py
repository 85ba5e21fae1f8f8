"""MLP-2: normalisation folds into rows, training forward equals the integers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lindecay import integer, training
from lindecay.networks import ARMS
from lindecay.networks.layer import EPS, Moments
from lindecay.quantization import Checkpoint
from lindecay.settings import profile, store_dir
from lindecay.training import speech

TINY = replace(profile("quick"), epochs=2, batch=20)


@pytest.fixture
def spoken(tmp_path, monkeypatch):
    """Small clips in place of SHD, and an empty store."""
    from test_integer import clips_of

    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path / "store"))
    rng = np.random.default_rng(3)
    labels = np.arange(80) % 20
    rate = 0.6 * rng.random((20, 1, 30))
    dense = (rng.random((80, 12, 30)) < rate[labels]).astype(np.uint8)
    made = replace(clips_of(dense), labels=labels.astype(np.int64))
    monkeypatch.setattr(speech, "clips_for", lambda name, split: made)
    return made


def plan(arm: str, **knobs) -> speech.Plan:
    spec = speech.SpeechSpec(ARMS[arm].law, hidden=(24, 16), **knobs)
    return speech.Plan(arm, 0, TINY, network_spec=spec)


@pytest.mark.parametrize("arm", list(ARMS))
def test_training_forward_is_the_integer_network(spoken, arm):
    folder = training.train(plan(arm), quiet=True)
    ck = Checkpoint.load(folder / "checkpoint.npz")
    pairs = training.training_forward(training.load(plan(arm)), spoken, batch=17)
    trace = integer.run(ck, spoken)
    for (U, S), layer in zip(pairs, trace.layers):
        assert layer.spikes
        assert np.array_equal(U, layer.U)
        assert np.array_equal(S, layer.S)


@pytest.mark.parametrize("bits", [8, 16])
def test_multipliers_of_both_widths_are_exact(spoken, bits):
    """16 bits times a membrane leave float32's 24: membranes were 1 LSB off."""
    spec = speech.SpeechSpec(
        "exponential", horizon=32.0, beta_bits=bits, channels=spoken.channels
    )
    torch.manual_seed(0)
    net = speech.SpeechMlp(spec)
    x = speech.dense(spoken, np.arange(20)).transpose(0, 1).float().contiguous()
    for _ in range(3):
        net(x)
    states = net.eval()(x)
    ck = net.export({"data": "shd", "T": spoken.steps})
    layers = integer.run(ck, spoken.subset(np.arange(20))).layers
    for (_, u), layer in zip(states, layers):
        assert np.array_equal(u.detach().transpose(0, 1).numpy(), layer.U)


def test_rows_are_batch_normalisation():
    """Against nn.BatchNorm1d on the same weights, without a grid."""
    torch.manual_seed(0)
    spec = speech.SpeechSpec("none", grid=None)
    layer = spec.layer(30, 8)
    layer.gamma.data.uniform_(0.3, 0.9)
    layer.shift.data.uniform_(-0.5, 0.5)
    x = (torch.rand(12, 40, 30) < 0.3).float()
    current = layer.current(x)
    norm = torch.nn.BatchNorm1d(8, eps=EPS)
    norm.weight, norm.bias = layer.gamma, layer.shift
    wanted = norm(current.flatten(0, 1)).reshape(current.shape)
    rows = layer.rows(*layer.statistics(current))
    # torch's running variance is the unbiased one; a batch is normalised without
    found = (current + rows["bias"]) / rows["theta"]
    assert torch.allclose(found, wanted, atol=1e-4)


def test_moments_have_the_gradient_of_autograd():
    torch.manual_seed(2)
    x = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Moments.apply, x)
    var, mean = torch.var_mean(x, 0, correction=0)
    found = Moments.apply(x)
    assert torch.allclose(found[0], mean) and torch.allclose(found[1], var)


def test_a_variation_of_nothing_changes_nothing():
    x = (torch.rand(5, 12, 30) < 0.3).to(torch.uint8)
    still = speech.Variation(0, 0.0, 0, 0.0)
    assert torch.equal(speech.vary(x, still, torch.Generator()), x)


def test_a_shift_moves_channels_and_loses_what_leaves():
    x = torch.zeros(200, 4, 30, dtype=torch.uint8)
    x[:, 1, 15] = 1
    moved = speech.vary(
        x, speech.Variation(3, 0.0, 0, 0.0), torch.Generator().manual_seed(0)
    )
    assert (moved.sum((1, 2)) == 1).all()
    assert moved.nonzero()[:, 2].unique().tolist() == list(range(12, 19))
    assert moved.nonzero()[:, 1].unique().tolist() == [1]


def test_no_dropout_without_a_generator(spoken):
    net = speech.SpeechMlp(replace(plan("ldlif").network_spec, channels=30)).train()
    x = torch.from_numpy(spoken.dense()).float()
    first, second = net(x), net(x)
    assert torch.equal(first[0][0], second[0][0])
    with_dropout = net(x, torch.Generator().manual_seed(1))
    assert not torch.equal(first[1][1], with_dropout[1][1])


def test_validation_stops_early(spoken, monkeypatch):
    held = np.arange(20), np.arange(20, 40)
    monkeypatch.setattr(speech.Plan, "split", lambda self, clips: held)
    long = replace(TINY, epochs=30)
    stuck = replace(plan("if"), profile=long, stop_after=2, learning_rate=1e-9)
    curve = training.curve(stuck)
    assert len(curve) < 30
    best = int(np.argmax([e["validation"] for e in curve]))
    assert len(curve) == best + 3


def test_a_killed_run_ends_with_the_same_weights(spoken, monkeypatch):
    whole = (training.train(plan("ldlif")) / "state.pt").read_bytes()
    monkeypatch.setenv("LINDECAY_STORE", str(store_dir()) + "-again")
    honest, calls = training.Run.epoch, []

    def dies(run):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return honest(run)

    monkeypatch.setattr(training.Run, "epoch", dies)
    with pytest.raises(KeyboardInterrupt):
        training.train(plan("ldlif"))
    assert (training.train(plan("ldlif")) / "state.pt").read_bytes() == whole
    assert len(calls) == 3
