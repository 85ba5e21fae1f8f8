"""The integer grid: rounding, widths, checkpoints that refuse what is off the grid."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lindecay.quantization import Checkpoint, Grid, Layer, check, quantize_weights
from lindecay.settings import Fault, committed


def small(law="shrink", **layer) -> Checkpoint:
    """Two layers, 3-bit weights, B = 8, f = 1."""
    meta = {"B": 8, "f": 1, "law": law, "reset": "subtract", "T": 4, "readout": "count"}
    one = {"theta": np.int32(40), "lam": np.int32(3), "bits": 3}
    first = Layer("fc1", np.full((5, 6), 2, np.int8), **{**one, **layer})
    second = Layer("fc2", np.full((2, 5), -4, np.int8), **one)
    return Checkpoint(meta, (first, second))


@settings(deadline=None)
@given(st.integers(1, 8), st.floats(-1e3, 1e3))
def test_weights_land_on_the_grid_and_stay(bits, x):
    once = quantize_weights(torch.tensor([x]), torch.tensor(0.37), bits)
    assert once == once.round()
    assert -(2 ** (bits - 1)) <= once <= 2 ** (bits - 1) - 1
    assert quantize_weights(once, torch.tensor(1.0), bits) == once


def test_gradient_passes_inside_the_range_only():
    w = torch.tensor([-9.0, 0.2, 9.0], requires_grad=True)
    quantize_weights(w, torch.tensor(0.5), 3).sum().backward()
    assert w.grad.tolist() == [0.0, 2.0, 0.0]


@pytest.mark.parametrize("bits", [0, 9, -3, 3.0, "3"])
def test_a_bit_width_out_of_range_is_one_line(bits):
    with pytest.raises(Fault, match="expected a whole number from 1 to 8, found"):
        Grid(bits, 10, 2)


def test_threshold_never_outgrows_the_membrane():
    grid = Grid(3, 10, 2)
    tiny = torch.full((2, 2), 1e-6)
    assert grid.lsb_per_unit(grid.scale_for(tiny)) <= grid.v_max / 2 + 1e-6


def test_checkpoint_comes_back_as_it_was(tmp_path):
    saved = small().save(tmp_path / "a.npz")
    back = Checkpoint.load(saved)
    assert (back.B, back.f, back.law, back.steps) == (8, 1, "shrink", 4)
    for mine, theirs in zip(small().layers, back.layers):
        assert np.array_equal(mine.w, theirs.w) and mine.theta == theirs.theta
    again = back.save(tmp_path / "b.npz")
    assert saved.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"w": np.full((5, 6), 4, np.int8)}, "fc1: weight too wide.*-4 to 3.*4 at"),
        ({"lam": np.int32(40)}, "fc1: lambda: expected 0 to theta - 1, found 40"),
        ({"theta": np.int32(200)}, "fc1: theta: expected 1 to 127, found 200"),
        ({"w": np.full((4, 6), 1, np.int8)}, "fc2: inputs: expected 4, found 5"),
    ],
)
def test_what_is_off_the_grid_is_refused(change, told):
    from dataclasses import replace

    ck = small()
    wrong = Checkpoint(ck.meta, (replace(ck.layers[0], **change), ck.layers[1]))
    with pytest.raises(Fault, match=told):
        check(wrong, "here")


def test_a_foreign_file_is_one_clear_line(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(Fault, match="not an integer checkpoint: expected an .npz"):
        Checkpoint.load(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(Fault, match="KeyError: 'meta'"):
        Checkpoint.load(path)


def test_unknown_law_and_reset_are_refused():
    with pytest.raises(Fault, match="unknown decay law: expected shrink or floor"):
        check(small(law="linear"), "here")


def planes(**layer) -> Checkpoint:
    """A strided convolution, another behind OR pooling, a linear layer behind that."""
    meta = {"B": 8, "f": 1, "law": "shrink", "reset": "subtract", "T": 4}
    meta |= {"readout": "count"}
    one = {"theta": np.int32(40), "lam": np.int32(3), "bits": 3}
    first = {"w": np.full((3, 2, 3, 3), 1, np.int8), "plane": (2, 9, 9), "stride": 2}
    first |= {"theta": np.array([20, 30, 40], np.int32), "padding": 1}
    second = np.full((4, 3, 2, 2), -1, np.int8)
    layers = (
        Layer("conv1", **{**one, **first, **layer}),
        Layer("conv2", second, **one, plane=(3, 5, 5), pool=2),
        Layer("fc1", np.full((2, 4), 2, np.int8), **one, plane=(4, 1, 1)),
    )
    return Checkpoint(meta, layers)


def test_a_convolution_comes_back_as_it_was(tmp_path):
    saved = planes().save(tmp_path / "a.npz")
    back = Checkpoint.load(saved)
    first, second, last = back.layers
    assert (first.kind, first.inputs, first.map, first.out) == (
        "conv",
        162,
        (3, 5, 5),
        75,
    )
    assert (second.seen, second.map, last.kind) == ((3, 2, 2), (4, 1, 1), "linear")
    assert first.row("theta").tolist() == [20] * 25 + [30] * 25 + [40] * 25
    assert first.row("bias").tolist() == [0] * 75
    assert saved.read_bytes() == back.save(tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"plane": None}, r"plane of the inputs: expected \(C, H, W\), found none"),
        ({"plane": (3, 9, 9)}, r"kernel: expected \[channels, 3, k, k\] within"),
        ({"plane": (2, 9, 8)}, "conv2: plane: expected .3, 5, 4., the map before"),
        ({"stride": 0}, "conv1: stride: expected a whole number from 1, found 0"),
        ({"pool": 10}, "conv1: plane: expected .C, H, W. of at least 10 x 10"),
        ({"theta": np.array([20, 30], np.int32)}, "theta: expected 1 or 3 values, fou"),
        ({"w": np.zeros((3, 2, 3), np.int8)}, "weights: expected int8 .out, in. or"),
    ],
)
def test_a_plane_that_does_not_fit_is_refused(change, told):
    with pytest.raises(Fault, match=told):
        check(planes(**change), "here")


def test_committed_checkpoints_load_and_save_unchanged(tmp_path):
    kept = sorted(committed("reference").rglob("*.npz"))
    assert kept
    for path in kept:
        again = Checkpoint.load(path).save(tmp_path / path.name)
        assert again.read_bytes() == path.read_bytes()
