"""Faults in cells: the fast tier is the emulator's cells, and rate 0 is no fault."""

import numpy as np
import pytest

from lindecay import integer, subjects
from lindecay.quantization import Checkpoint, Layer
from lindecay.questions import faults
from lindecay.questions.faults import Broken, Faults
from lindecay.settings import Fault
from test_integer import clips_of

LAWS = ("shrink", "exponential", "none", "shift", "floor")


def small(law="shrink", seed=0, sizes=(40, 30, 5)):
    """A random network with a decay for each neuron, and clips for it."""
    random, layers = np.random.default_rng(seed), []
    for k, (n, m) in enumerate(zip(sizes, sizes[1:])):
        told = {"w": random.integers(-4, 4, (m, n)).astype(np.int8), "bits": 3}
        told["theta"] = random.integers(20, 40, m).astype(np.int32)
        told["lam"] = random.integers(1, 5, m).astype(np.int32)
        if law == "exponential":
            told |= {"beta": random.integers(200, 256, m), "beta_shift": 8}
        if law == "shift":
            told |= {"beta": random.integers(1, 8, m), "beta_shift": 7}
        layers.append(Layer(f"fc{k + 1}", **told))
    meta = {"B": 10, "f": 1, "law": law, "reset": "subtract", "T": 12}
    ck = Checkpoint(meta | {"readout": "count"}, tuple(layers))
    dense = (random.random((4, 12, sizes[0])) < 0.3).astype(np.uint8)
    return ck, clips_of(dense)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    "place, rate", [("V", 0.02), ("W", 0.05), ("decay", 0.1), ("all", 0.01)]
)
def test_the_fast_tier_is_the_emulators_cells(law, place, rate):
    ck, clips = small(law)
    told = Faults(place, rate, seed=3)
    mine, theirs = faults.run(ck, clips, told), faults.bits(ck, clips, told)
    for one, other in zip(mine, theirs, strict=True):
        for name in "UVS":
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert any(layer.S.any() for layer in mine)


@pytest.mark.parametrize("law", LAWS)
def test_without_faults_nothing_differs(law):
    ck, clips = small(law)
    told = faults.run(ck, clips, Faults("all", 0.0))
    for mine, theirs in zip(told, integer.run(ck, clips).layers, strict=True):
        assert np.array_equal(mine.U, theirs.U) and np.array_equal(mine.S, theirs.S)
        assert (mine.clears, mine.clamps, mine.sops) == (
            theirs.clears, theirs.clamps, theirs.sops,
        )  # fmt: skip


def test_faults_are_seen_where_they_are_and_nowhere_else():
    ck, _ = small()
    made = faults.damaged(ck, Faults("decay", 0.2))
    for mine, theirs in zip(made.layers, ck.layers):
        assert np.array_equal(mine.w, theirs.w)
        assert np.array_equal(mine.row("theta"), theirs.row("theta"))
    assert any(
        (a.row("lam") != b.row("lam")).any() for a, b in zip(made.layers, ck.layers)
    )
    assert faults.damaged(ck, Faults("V", 0.2)).layers == ck.layers


def test_as_many_bits_flip_as_the_rate_says():
    random = np.random.default_rng(0)
    mask = faults.masks(random, (1000, 500), 10, 1e-3)
    flips = int(np.bitwise_count(mask).sum())
    assert abs(flips - 5000) < 5 * np.sqrt(5000)
    each = [int((mask >> k & 1).sum()) for k in range(10)]
    assert min(each) > 350 and mask.max() < 2**10


def test_a_flip_is_undone_by_itself_and_stays_in_the_word():
    values = np.arange(-512, 512)
    for bit in range(10):
        mask = np.full(values.shape, 1 << bit)
        there = faults.flipped(values, mask, 10)
        assert there.min() >= -512 and there.max() <= 511
        assert (there != values).all()
        assert np.array_equal(faults.flipped(there, mask, 10), values)


def test_wrong_faults_are_one_line():
    with pytest.raises(Fault, match="place of faults: expected V, W, decay"):
        Faults("X", 0.1)
    with pytest.raises(Fault, match="rate of faults: expected 0 to 1"):
        Faults("V", 1.5)


def test_committed_open_networks_give_their_rows_answers():
    """data/reference/shd_open: what the study open-main judged."""
    from lindecay.settings import committed
    from lindecay.studies import protocol

    kept = sorted((committed("reference") / "shd_open").glob("*.npz"))
    rows = {
        f"{r['arm']}-seed{r['seed']}": r
        for r in protocol.read("open-main", committed("reference") / "protocol")["rows"]
    }
    assert len(kept) >= 9 and {path.stem for path in kept} <= set(rows)
    clips = subjects.subject("shd").clips("paper")
    if clips.source == "stand-in":
        pytest.skip("no recordings here")
    path = next(p for p in kept if p.stem.startswith("shift-"))
    told = integer.run(Checkpoint.load(path), clips, record=False).predictions
    assert protocol.letters(told) == rows[path.stem]["predictions"]


@pytest.mark.parametrize("part", ["cell", "carry", "column"])
def test_hardware_that_is_whole_is_the_network(part):
    ck, clips = small()
    told = faults.broken(ck, clips.subset([0, 1]), Broken(part, 0.0))
    for mine, theirs in zip(told, integer.run(ck, clips.subset([0, 1])).layers):
        assert np.array_equal(mine.U, theirs.U) and np.array_equal(mine.S, theirs.S)


@pytest.mark.parametrize("part", ["cell", "carry", "column"])
def test_hardware_that_is_broken_is_noticed(part):
    ck, clips = small()
    told = faults.broken(ck, clips, Broken(part, 0.2, seed=1))
    whole = integer.run(ck, clips).layers
    assert any((a.S != b.S).any() for a, b in zip(told, whole))


def test_a_stuck_cell_shows_in_every_membrane_that_is_read():
    ck, clips = small()
    told = faults.broken(ck, clips, Broken("cell", 1.0, seed=2))
    stands, at = Broken("cell", 1.0, seed=2).draw((ck.B, ck.layers[0].out), 0)
    weight = np.array([1 << k for k in range(ck.B - 1)] + [-(1 << (ck.B - 1))])
    assert stands.all() and (told[0].V == weight @ at).all()


def test_an_unknown_part_is_one_line():
    with pytest.raises(Fault, match="a part that breaks: expected cell, carry, column"):
        Broken("door", 0.1)
