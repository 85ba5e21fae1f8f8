"""The recipes of CONTRIBUTING.md, tried: a law, a study and a picture of one's own."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import lindecay.energy as energy
from lindecay import decay, integer, kernels, plots, sram
from lindecay.laws import OwnLaw, register, registered
from lindecay.networks import Mlp, MlpSpec
from lindecay.quantization import Checkpoint, Grid
from lindecay.settings import Fault
from lindecay.sram import microcode
from lindecay.studies import designs, protocol
from lindecay.training import training_forward
from test_integer import clips_of

# ---- a law: λ taken off twice, in one step


def twice(v, lam):
    return decay.shrink(decay.shrink(v, lam), lam)


def slopes(v, lam):
    alive = (v.abs() > 2 * lam).to(v.dtype)
    return alive, -2 * torch.sign(v) * alive


def whole(v, lam):
    return np.sign(v) * np.maximum(np.abs(v) - 2 * lam, 0)


def program(B, rows):
    return microcode.shrink(B, rows) + microcode.shrink(B, rows)


TWICE = OwnLaw("twice", twice, slopes, whole, program)


@pytest.fixture
def law():
    with registered(TWICE) as found:
        yield found


def trained(law: str):
    """A small network after some steps of an optimiser, and clips for it."""
    torch.manual_seed(1)
    net = Mlp(MlpSpec("mine", (40, 30, 5), law, 0.9, Grid(3, 10, 2)))
    rng = np.random.default_rng(0)
    dense = (rng.random((6, 12, 40)) < 0.3).astype(np.uint8)
    x = torch.from_numpy(dense).float().swapaxes(0, 1)
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(5):
        adam.zero_grad()
        net(x)[-1][0].sum().neg().backward()
        assert all(layer.decay.grad != 0 for layer in net.layers)
        adam.step()
    return net, clips_of(dense)


def test_a_law_of_ones_own_is_trained_run_billed_and_equal_everywhere(law, tmp_path):
    net, clips = trained("twice")
    ck = Checkpoint.load(net.export({"T": 12}).save(tmp_path / "a.npz"))
    trace = integer.run(ck, clips)
    for (U, S), layer in zip(training_forward(net, clips), trace.layers):
        assert np.array_equal(U, layer.U) and np.array_equal(S, layer.S) and S.any()
    run = sram.emulate(ck, clips)
    for mine, theirs in zip(run.trace.layers, trace.layers):
        assert np.array_equal(mine.U, theirs.U) and np.array_equal(mine.V, theirs.V)
        assert (mine.clears, mine.clamps) == (theirs.clears, theirs.clamps)
    cycles = run.ledger["fc1", "decay"].cycles / (6 * 12)
    assert cycles == 2 * sram.closed_forms.decay_cycles("shrink", 10, 16)
    once = sram.emulate(Checkpoint(ck.meta | {"law": "shrink"}, ck.layers), clips)
    both = [energy.bill(found).of("decay") for found in (run, once)]
    assert both[0] > 1.5 * both[1] > 0


def test_bits_of_the_array_follow_a_law_of_ones_own(law):
    net, clips = trained("twice")
    ck = net.export({"T": 12})
    one = clips.subset([0])
    told, _ = sram.bitwise.emulate(ck, one)
    for mine, theirs in zip(told, integer.run(ck, one).layers):
        assert np.array_equal(mine.U, theirs.U)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none", "late"])
def test_every_reset_goes_with_a_law_of_ones_own(law, reset):
    net, clips = trained("twice")
    ck = net.export({"T": 12})
    ck = Checkpoint(ck.meta | {"reset": reset}, ck.layers)
    run, trace = sram.emulate(ck, clips), integer.run(ck, clips)
    for mine, theirs in zip(run.trace.layers, trace.layers):
        assert np.array_equal(mine.U, theirs.U) and np.array_equal(mine.V, theirs.V)


def test_by_hand_is_what_the_compiled_loop_does():
    """The numpy way of the integers, on the book's own law under another name."""
    net, clips = trained("shrink")
    ck = net.export({"T": 12})
    again = replace(TWICE, name="again", whole=lambda v, lam: whole(v, lam / 2))
    with registered(again):
        mine = integer.run(Checkpoint(ck.meta | {"law": "again"}, ck.layers), clips)
    for one, other in zip(mine.layers, integer.run(ck, clips).layers):
        assert np.array_equal(one.U, other.U) and np.array_equal(one.S, other.S)
        assert (one.clears, one.clamps) == (other.clears, other.clamps)


def test_wrong_laws_are_one_line(law):
    for name in ("twice", "shrink", "two words"):
        with pytest.raises(Fault, match="the name of a law: expected a new word"):
            register(replace(TWICE, name=name))
    net, clips = trained("twice")
    for layout in ("B", "C"):
        how = {"update": "row"} if layout == "C" else {}
        spec = sram.MacroSpec(layout=layout, **how)
        with pytest.raises(Fault, match="no word program for this law.*twice"):
            sram.layouts.emulate(net.export({"T": 12}), clips, spec)


def test_a_law_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(Fault, match="unknown decay law.*'twice'"):
        kernels.sequence(torch.ones(3, 1, 2), law="twice", lam=0.1)
    ck = trained("shrink")[0].export({"T": 12})
    wrong = Checkpoint(ck.meta | {"law": "twice"}, ck.layers)
    with pytest.raises(Fault, match="unknown decay law"):
        Checkpoint.load(wrong.save(tmp_path / "wrong.npz"))


# ---- a study


def mine():
    """Does MLP-2 need its spread of horizons?"""
    for arm in ("vlif", "ldlif"):
        yield designs.Task("mine", "shd", arm, epochs=1)


def test_a_study_of_ones_own_runs_and_is_listed(tmp_path, monkeypatch):
    monkeypatch.setitem(designs.STUDIES, "mine", mine)
    monkeypatch.setattr(protocol, "row_of", lambda task: {"arm": task.arm})
    assert [task.arm for task in protocol.tasks("mine")] == ["vlif", "ldlif"]
    told = {row["study"]: row for row in protocol.listing(tmp_path)}["mine"]
    assert told["tasks"] == 2 and "spread of horizons" in told["asks"]


# ---- a picture


def test_a_picture_of_ones_own_comes_with_its_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_FIGURES", str(tmp_path))
    table = pd.DataFrame({"step": [0, 1, 2], "vlif": [1, 0.9, 0.81]})
    plots.curves(table, "step", ylabel="membrane").show("mine")
    assert pd.read_csv(tmp_path / "mine.csv").equals(table)
    assert {p.suffix for p in tmp_path.iterdir()} == {".csv", ".svg", ".pdf"}
