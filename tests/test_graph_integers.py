"""Format 2: graphs of layers as integers, against the oracle and against torch."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from lindecay import integer
from lindecay.checkpoints import LAWS, Checkpoint, Layer, Synapse, check
from lindecay.events import Clips
from lindecay.settings import Fault

STEPS, CLIPS, PLANE = 6, 3, (2, 7, 6)
FACTS = ("made up", "test", "stand-in", "0" * 64)


def clips_of(counts: np.ndarray) -> Clips:
    """Events [clips, T, channels], any multiplicity, as counted clips."""
    indptr, channel = integer.as_events(counts)
    flat = counts.reshape(-1, counts.shape[-1])
    often = flat[flat > 0].astype(np.uint16)
    n, steps, channels = counts.shape
    return Clips(
        indptr, channel, np.zeros(n, np.int64), steps, channels, 1000, *FACTS, often
    )


def rows(rng, n: int, law: str) -> dict:
    """theta, lam, bias and beta of n neurons or channels."""
    found = {"theta": rng.integers(12, 40, n), "lam": rng.integers(0, 9, n)}
    found["bias"] = rng.integers(-4, 7, n)
    found = {key: value.astype(np.int32) for key, value in found.items()}
    if law in ("exponential", "shift"):
        beta = rng.integers(180, 256) if law == "exponential" else rng.integers(1, 5)
        found |= {"beta": np.int32(beta), "beta_shift": 8}
    return found


def network(seed: int, recurrent: bool) -> Checkpoint:
    """A convolution, a residual one, a linear layer that may be fed back into itself.

    Laws, resets, strides, pooling, groups and dilation differ from layer to layer.
    """
    rng = np.random.default_rng(seed)
    laws = [str(x) for x in rng.choice(LAWS, 3)]
    resets = [str(x) for x in rng.choice(["subtract", "zero", "none", "late"], 3)]
    stride, padding = (1, int(rng.integers(1, 3))), (1, int(rng.integers(0, 2)))
    first = {"plane": PLANE, "stride": stride, "padding": padding, "groups": 2}
    w = rng.integers(-3, 4, (4, 1, 3, 2)).astype(np.int8)
    dilated = 1 if rng.random() < 0.5 else (2, 1)
    one = Layer("a", w, bits=3, **rows(rng, 4, laws[0]), **first, dilation=dilated)
    w = rng.integers(-3, 4, (4, 4, 3, 3)).astype(np.int8)
    eye = np.full((4, 1, 1, 1), 2, np.int8)
    skip = Synapse(eye, 0, plane=one.map, groups=4, delay=int(rng.integers(0, 2)))
    two = Layer("b", w, bits=3, **rows(rng, 4, laws[1]), plane=one.map, padding=1)
    two = replace(two, more=(skip,))
    C, H, W = two.map
    how = str(rng.choice(["or", "sum"]))
    pool = 2 if min(H, W) > 1 else 1
    w = rng.integers(-4, 4, (5, C * (H // pool) * (W // pool))).astype(np.int8)
    back = Synapse(rng.integers(-2, 3, (5, 5)).astype(np.int8), 2, 1)
    given = Synapse(rng.integers(-1, 2, (5, 84)).astype(np.int8))
    last = {"plane": two.map, "pool": pool, "pooling": how, "bits": 3}
    more = (given, back) if recurrent else (given,)
    three = Layer("c", w, **last, **rows(rng, 5, laws[2]), more=more)
    pairs = zip((one, two, three), laws, resets)
    layers = tuple(replace(x, law=law, reset=reset) for x, law, reset in pairs)
    layers = (replace(layers[0], f=2, B=10), *layers[1:])
    meta = {"B": 9, "f": 1, "law": "none", "reset": "zero", "T": STEPS}
    meta |= {"readout": str(rng.choice(["count", "membrane"]))}
    if rng.random() < 0.7:
        meta["rounding"] = str(rng.choice(["nearest", "floor", "trunc"]))
    return check(Checkpoint(meta, layers), "a test")


def drawn(seed: int, most: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most + 1, (CLIPS, STEPS, 84))
    return (counts * (rng.random(counts.shape) < 0.2)).astype(np.int64)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_any_graph_equals_the_oracle(tmp_path_factory, seed, recurrent):
    ck, clips = network(seed, recurrent), clips_of(drawn(seed))
    path = ck.save(tmp_path_factory.mktemp("graph") / "ck.npz")
    trace = integer.run(Checkpoint.load(path), clips)
    judged = oracle.load(path)
    events = integer.events_of(clips)
    found = oracle.states(judged, oracle.frames_of(judged, *events, CLIPS))
    for ours, wanted in zip(trace.layers, found):
        for key in "UVS":
            np.testing.assert_array_equal(getattr(ours, key), wanted[key], key)
        assert (ours.clears, ours.clamps) == (wanted["clears"], wanted["clamps"])
    assert np.array_equal(trace.scores, oracle.scores(judged, found))
    lean = integer.run(ck, clips, record=False)
    assert np.array_equal(lean.scores, trace.scores)


def test_graphs_fire_in_every_layer():
    fired = [0, 0, 0]
    for seed in range(8):
        trace = integer.run(network(seed, True), clips_of(drawn(seed)))
        fired = [n + layer.spikes for n, layer in zip(fired, trace.layers)]
    assert min(fired) > 50


@pytest.mark.parametrize("stride", [1, (2, 1)])
@pytest.mark.parametrize("dilation,groups", [(1, 1), ((1, 2), 2), (2, 4)])
def test_convolutions_of_any_geometry_equal_torch(stride, dilation, groups):
    rng = np.random.default_rng(0)
    w = rng.integers(-3, 4, (8, 4 // groups, 3, 2)).astype(np.int8)
    wiring = {"stride": stride, "padding": (2, 1), "dilation": dilation}
    bundle = Synapse(w, plane=(4, 9, 8), groups=groups, **wiring)
    x = rng.integers(0, 3, (5, 4 * 72))
    indptr, channel = integer.events_of(clips_of(x[:, None]))
    sums = np.zeros((5, bundle.out), np.int32)
    sops = integer.add_currents(bundle, indptr, channel, sums)
    planes = torch.from_numpy(x.reshape(5, 4, 9, 8)).double()
    conv = torch.nn.functional.conv2d
    wanted = conv(planes, torch.from_numpy(w).double(), groups=groups, **wiring)
    assert np.array_equal(sums, wanted.flatten(1).numpy())
    ones = conv(planes, torch.ones(w.shape).double(), groups=groups, **wiring)
    assert sops == int(ones.sum())


def test_what_uses_nothing_new_is_written_as_format_1(tmp_path):
    ck = network(0, True)
    plain = Layer("fc", np.eye(3, dtype=np.int8), np.int32(1), np.int32(0), 3)
    meta = {"B": 8, "f": 1, "law": "none", "reset": "zero", "T": 2, "readout": "count"}
    assert (ck.format, Checkpoint(meta, (plain,)).format) == (2, 1)
    saved = ck.save(tmp_path / "a.npz")
    again = Checkpoint.load(saved).save(tmp_path / "b.npz")
    assert saved.read_bytes() == again.read_bytes()
    with np.load(saved) as stored:
        found = json.loads(str(stored["meta"]))
        arrays = dict(stored) | {"meta": np.array(json.dumps(found | {"format": 3}))}
    np.savez(tmp_path / "c.npz", **arrays)
    with pytest.raises(Fault, match="another format: expected 1 or 2, found 3"):
        Checkpoint.load(tmp_path / "c.npz")


WRONG = {
    "source: expected the clips or a layer.*found layer 7": {"source": 7},
    "a loop: expected a delay of 1 step": {"source": 1},
    "neurons of a further bundle": {"w": np.zeros((8, 1, 1, 1), np.int8)},
    "groups: expected a divisor": {"groups": 3},
    "kernel: expected": {"groups": 2},
    "unknown pooling": {"pooling": "max"},
    "stride: expected a whole number": {"stride": (1, 0)},
    "weight too wide": {"w": np.full((4, 1, 1, 1), 5, np.int8)},
}


@pytest.mark.parametrize("told", WRONG)
def test_a_bundle_that_does_not_fit_is_refused(told):
    ck = network(1, False)
    skip = replace(ck.layers[1].more[0], **{"delay": 0} | WRONG[told])
    layers = (ck.layers[0], replace(ck.layers[1], more=(skip,)), ck.layers[2])
    with pytest.raises(Fault, match=told):
        check(Checkpoint(ck.meta, layers), "here")


def test_sums_that_leave_32_bits_are_refused():
    layer = Layer("fc", np.full((1, 2), 127, np.int8), np.int32(9), np.int32(0), 8)
    meta = {"B": 16, "f": 8, "law": "none", "reset": "zero", "T": 1}
    counts = np.full((1, 1, 2), 40_000)
    with pytest.raises(Fault, match="fc: sums of a step leave 32 bits"):
        integer.run(Checkpoint(meta, (layer,)), clips_of(counts))
