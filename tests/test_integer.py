"""The integer network against plain Python written from the contract."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from lindecay import integer
from lindecay.events import Clips
from lindecay.quantization import Checkpoint, Layer, check
from lindecay.settings import Fault

LAWS = ("shrink", "floor", "floor_after", "drift", "exponential", "shift", "none")


def clips_of(dense: np.ndarray) -> Clips:
    """Binary array [clips, T, channels] as sparse clips."""
    indptr, channel = integer.as_events(dense)
    n, steps, channels = dense.shape
    labels = np.zeros(n, np.int64)
    facts = ("made up", "test", "stand-in", "0" * 64)
    return Clips(indptr, channel, labels, steps, channels, 1000, *facts)


def by_hand(law, v, lam, beta, shift):
    """Decay of one membrane in Python's own integers."""
    if law == "shrink":
        return max(v - lam, 0) if v > 0 else min(v + lam, 0)
    if law == "floor":
        return max(v - lam, 0)
    if law == "drift":
        return v - lam
    if law == "exponential":
        whole, rest = divmod(abs(v) * beta, 2**shift)
        whole += 2 * rest >= 2**shift  # ties away from zero
        return whole if v >= 0 else -whole
    if law == "shift":
        return v - (v >> beta)
    return v


def slow(ck: Checkpoint, dense):
    """U, V, S of the first layer, one neuron at a time."""
    layer = ck.layers[0]
    U = np.zeros((*dense.shape[:2], layer.out), int)
    V, S = U.copy(), U.copy()
    for c, clip in enumerate(dense):
        for j in range(layer.out):
            v = 0
            theta, lam = int(layer.row("theta")[j]), int(layer.row("lam")[j])
            for t, x in enumerate(clip):
                got = int((layer.w[j].astype(int) * x).sum()) << ck.f
                got += 0 if layer.bias is None else int(layer.bias[j])
                beta = 0 if layer.beta is None else int(layer.beta)
                got -= theta if ck.reset == "late" and v > theta else 0
                u = by_hand(ck.law, v, lam, beta, layer.beta_shift or 0) + got
                if ck.law == "floor_after":
                    u = max(v + got - lam, 0)
                u = min(max(u, ck.v_min), ck.v_max)
                s = u > theta
                after = {"subtract": u - theta, "zero": 0}.get(ck.reset, u)
                v = after if s else u
                U[c, t, j], V[c, t, j], S[c, t, j] = u, v, s
    return U, V, S


def random_network(seed, law, reset="subtract", bias=False):
    rng = np.random.default_rng(seed)
    w = rng.integers(-4, 4, (7, 9)).astype(np.int8)
    beta = rng.integers(200, 256) if law == "exponential" else rng.integers(1, 5)
    layer = Layer(
        "fc1",
        w,
        theta=rng.integers(20, 60, 7).astype(np.int32),
        lam=rng.integers(0, 20, 7).astype(np.int32),
        bits=3,
        bias=rng.integers(-9, 9, 7).astype(np.int32) if bias else None,
        beta=np.int32(beta) if law in ("exponential", "shift") else None,
        beta_shift=8 if law == "exponential" else None,
    )
    meta = {"B": 8, "f": 2, "law": law, "reset": reset, "T": 12, "readout": "count"}
    dense = (rng.random((3, 12, 9)) < 0.4).astype(np.uint8)
    return Checkpoint(meta, (layer,)), dense


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(LAWS), st.booleans())
def test_equals_plain_python_in_every_law(seed, law, bias):
    reset = ("subtract", "zero", "none", "late")[seed % 4]
    ck, dense = random_network(seed, law, reset, bias)
    trace = integer.run(ck, clips_of(dense)).layers[0]
    for name, wanted in zip("UVS", slow(ck, dense)):
        assert np.array_equal(getattr(trace, name), wanted), name


def test_clears_and_clamps_are_counted():
    ck, _ = random_network(3, "shrink")
    dense = np.ones((1, 12, 9), np.uint8)
    dense[:, 6:] = 0
    U, V, _ = slow(ck, dense)
    trace = integer.run(ck, clips_of(dense)).layers[0]
    lam = ck.layers[0].row("lam")
    before = V[:, :-1]
    erased = (before != 0) & (np.abs(before) <= lam)
    assert trace.clears == erased.sum() > 0
    assert trace.sops == dense.sum() * 7


def test_a_later_layer_sees_this_steps_spikes():
    eye = Layer("fc1", np.eye(3, dtype=np.int8), np.int32(1), np.int32(0), 3)
    meta = {"B": 8, "f": 2, "law": "none", "reset": "subtract", "T": 2}
    ck = Checkpoint(meta, (eye, eye))
    dense = np.zeros((1, 2, 3), np.uint8)
    dense[0, 0, 1] = 1
    trace = integer.run(ck, clips_of(dense))
    assert trace.layers[1].S[0, 0].tolist() == [0, 1, 0]


def test_clips_of_another_shape_are_refused():
    ck, dense = random_network(0, "shrink")
    with pytest.raises(Fault, match="expected 12 steps x 9 channels, found 5 x 9"):
        integer.run(ck, clips_of(dense[:, :5]))


def planes(seed, law="shrink", **first) -> Checkpoint:
    """Random planes: a convolution, one behind OR pooling, a linear layer on top."""
    rng = np.random.default_rng(seed)
    beta = {"exponential": 237, "shift": 3}.get(law)
    more = {"beta": None if beta is None else np.int32(beta), "bits": 3}
    more |= {"beta_shift": 8 if law == "exponential" else None}
    layers, plane = [], (2, 9, 8)
    for k, kernel in enumerate([(5, 3, 2), (4, 2, 3)]):
        w = rng.integers(-3, 4, (kernel[0], plane[0], *kernel[1:])).astype(np.int8)
        rows = {"theta": rng.integers(10, 40, kernel[0]).astype(np.int32)}
        rows["lam"] = rng.integers(0, 9, kernel[0]).astype(np.int32)
        rows["bias"] = rng.integers(-2, 9, kernel[0]).astype(np.int32)
        place = {"stride": 1, "padding": 1, "pool": 1 + k, **(first if not k else {})}
        layers.append(Layer(f"conv{k + 1}", w, **rows, **more, plane=plane, **place))
        plane = layers[-1].map
    w = rng.integers(-4, 4, (3, np.prod(plane))).astype(np.int8)
    layers.append(Layer("fc1", w, np.int32(30), np.int32(4), **more, plane=plane))
    meta = {"B": 8, "f": 1, "law": law, "reset": "subtract", "T": 7, "readout": "count"}
    return check(Checkpoint(meta, tuple(layers)), "a test")


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("stride,padding", [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_convolutions_equal_brute_force(law, stride, padding, tmp_path):
    ck = planes(stride, law, stride=stride, padding=padding)
    rng = np.random.default_rng(1)
    clips = clips_of((rng.random((3, 7, 144)) < 0.4).astype(np.uint8))
    trace = integer.run(ck, clips)
    network = oracle.load(ck.save(tmp_path / "ck.npz"))
    frames = oracle.frames_of(network, clips.indptr, clips.channel, len(clips))
    for ours, wanted in zip(trace.layers, oracle.states(network, frames)):
        for key in "UVS":
            np.testing.assert_array_equal(getattr(ours, key), wanted[key], key)
        assert (ours.clears, ours.clamps) == (wanted["clears"], wanted["clamps"])
    assert all(layer.spikes for layer in trace.layers[:2])
    lean = integer.run(ck, clips, record=False)
    for ours, theirs in zip(lean.layers, trace.layers):
        assert np.array_equal(ours.S, theirs.S) and ours.clears == theirs.clears


def test_every_channel_may_have_a_decay_of_its_own(tmp_path):
    ck = planes(1, "exponential")
    beta = np.array([120, 200, 230, 250, 255], np.int32)
    ck = Checkpoint(ck.meta, (replace(ck.layers[0], beta=beta),))
    rng = np.random.default_rng(1)
    clips = clips_of((rng.random((3, 7, 144)) < 0.4).astype(np.uint8))
    ours = integer.run(ck, clips).layers[0]
    path = ck.save(tmp_path / "ck.npz")
    ((U, V, S),) = oracle.run(path, clips.indptr, clips.channel, len(clips))
    assert np.array_equal(ours.U, U) and np.array_equal(ours.V, V)
    assert np.array_equal(ours.S, S) and S.any()


def test_convolutions_equal_torch_and_count_their_additions():
    ck = planes(0, stride=2, padding=2)
    rng = np.random.default_rng(2)
    dense = (rng.random((4, 7, 144)) < 0.3).astype(np.uint8)
    dense[:, 1:] = 0  # one step: U is what the weights sent
    layer = replace(ck.layers[0], bias=None, lam=np.int32(0))
    trace = integer.run(Checkpoint(ck.meta, (layer,)), clips_of(dense))
    x = torch.from_numpy(dense[:, 0].reshape(4, 2, 9, 8)).double()
    w = torch.from_numpy(layer.w).double()
    wanted = torch.nn.functional.conv2d(x, w, stride=2, padding=2) * 2**ck.f
    wanted = wanted.clamp(ck.v_min, ck.v_max)
    assert np.array_equal(trace.layers[0].U[:, 0], wanted.flatten(1).numpy())
    one = torch.nn.functional.conv2d(x, torch.ones_like(w), stride=2, padding=2)
    assert trace.layers[0].sops == int(one.sum())


def test_pooling_joins_events_of_a_block_and_drops_odd_edges():
    layer = Layer("fc1", np.zeros((1, 2), np.int8), np.int32(1), np.int32(0), 3)
    layer = replace(layer, plane=(2, 3, 2), pool=2)
    indptr, channel = np.array([0, 3, 4, 4]), np.array([0, 3, 6, 10], np.int32)
    indptr, channel = integer.pooled(layer, indptr, channel)
    assert (indptr.tolist(), channel.tolist()) == ([0, 2, 2, 2], [0, 1])
