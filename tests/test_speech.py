"""MLP-2: normalisation folds into rows, training forward equals the integers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lindecay import integer, training
from lindecay.kernels import Moments
from lindecay.networks import ARMS
from lindecay.networks.layer import EPS
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
    current, *moments = layer.statistics(current)
    rows = layer.rows(*moments)
    # torch's running variance is the unbiased one; a batch is normalised without
    found = (current + rows["bias"]) / rows["theta"]
    assert torch.allclose(found, wanted, atol=1e-4)


def test_moments_have_the_gradient_of_autograd():
    torch.manual_seed(2)
    x = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Moments.apply, x)
    var, mean = torch.var_mean(x, 0, correction=0)
    found = Moments.apply(x)
    assert torch.equal(found[0], x)
    assert torch.allclose(found[1], mean) and torch.allclose(found[2], var)


@pytest.mark.parametrize("shape", [(8960, 256), (130, 20), (1, 3)])
def test_moments_round_as_torch_rounds(shape):
    """Bit for bit what linalg.vector_norm and addcmul gave the published networks."""
    torch.manual_seed(3)
    x = (30 * torch.randn(shape)).requires_grad_()
    g, g_mean, g_var = torch.randn(shape), *torch.randn(2, shape[1])
    _, mean, var = out = Moments.apply(x)
    norm = torch.linalg.vector_norm(x.detach(), dim=0)
    assert torch.equal(mean, x.mean(0))
    assert torch.equal(var, norm**2 / len(x) - mean**2)
    (found,) = torch.autograd.grad(out, x, (g, g_mean, g_var))
    slope, mean = 2 / len(x) * g_var, mean.detach()
    rest = g_mean / len(x) - mean * slope
    assert torch.equal(found, g + torch.addcmul(rest, x.detach(), slope))


def test_a_variation_of_nothing_changes_nothing():
    x = (torch.rand(5, 12, 30) < 0.3).to(torch.uint8)
    still = speech.Variation(0, 0.0, 0, 0.0)
    moved = speech.vary(x, still, torch.Generator())
    assert torch.equal(moved, x.transpose(0, 1).float())


def test_a_shift_moves_channels_and_loses_what_leaves():
    x = torch.zeros(200, 4, 30, dtype=torch.uint8)
    x[:, 1, 15] = 1
    moved = speech.vary(
        x, speech.Variation(3, 0.0, 0, 0.0), torch.Generator().manual_seed(0)
    )
    assert (moved.sum((0, 2)) == 1).all()
    assert moved.nonzero()[:, 2].unique().tolist() == list(range(12, 19))
    assert moved.nonzero()[:, 0].unique().tolist() == [1]


def test_moving_is_gathering_along_both_axes():
    """Against two gathers with clamped places, as they were first written."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (3, 7, 9)).astype(np.uint8)
    step, channel = rng.integers(-2, 9, (3, 7)), rng.integers(-2, 11, (3, 9))
    out = np.full((7, 3, 9), np.nan, np.float32)
    speech.move(x, step, channel, out)
    for b, t, c in np.ndindex(x.shape):
        inside = 0 <= step[b, t] < 7 and 0 <= channel[b, c] < 9
        assert out[t, b, c] == (x[b, step[b, t], channel[b, c]] if inside else 0)


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
