"""Every arm and any graph on the array: states, counters, the bit tier."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindecay import integer, sram
from lindecay.checkpoints import Checkpoint
from lindecay.sram import MacroSpec, closed_forms, mutants
from test_graph_integers import clips_of, drawn
from test_graph_integers import network as graph
from test_sram import assert_equal_to_both, clips_for
from test_sram import network as chain

SMALL = MacroSpec(rows=128, cols=32)
COUNTED = ("clears", "clamps", "sops", "spikes")


def assert_equal(ck, clips, run) -> None:
    """U, V, S, counters and conservation laws against the integer network."""
    whole = integer.run(ck, clips)
    assert mutants.differences(run.trace, whole) == [0] * len(ck.layers)
    for ours, theirs in zip(run.trace.layers, whole.layers):
        assert [getattr(ours, k) for k in COUNTED] == [
            getattr(theirs, k) for k in COUNTED
        ]
        np.testing.assert_array_equal(ours.last, theirs.last)
    assert np.array_equal(run.trace.scores, whole.scores)
    assert run.ledger.conserved(run.mapping.spec.cols) == []


def arm(law: str, how: str, bits: int, seed: int = 0) -> Checkpoint:
    """A chain whose neurons each have their own β (one of them no leak), or k."""
    rng = np.random.default_rng(seed)
    ck = chain((40, 36, 10), law, B=10)
    layers = []
    for x in ck.layers:
        n = len(x.w)
        if law == "exponential":
            beta = rng.integers(0, 2**bits, n)
            beta[:2] = 2**bits, 0
            more = {"beta": beta.astype(np.int32), "beta_shift": bits}
        else:
            more = {"beta": rng.integers(1, 8, n).astype(np.int32)}
        more["theta"] = rng.integers(20, 60, n).astype(np.int32)
        more["bias"] = rng.integers(-9, 12, n).astype(np.int32)
        layers.append(replace(x, **more))
    return Checkpoint(ck.meta | {"rounding": how}, tuple(layers))


@pytest.mark.parametrize("reset", ["subtract", "late"])
@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("how", ["nearest", "floor", "trunc"])
@pytest.mark.parametrize(
    "law,bits", [("exponential", 8), ("exponential", 16), ("shift", 0)]
)
def test_every_neuron_has_its_own_factor_threshold_and_bias(
    law, bits, how, ports, reset, tmp_path
):
    ck = arm(law, how, bits)
    ck = Checkpoint(ck.meta | {"reset": reset}, ck.layers)
    if ports == 1:  # rows of θ would need the second port in fire and reset
        plain = (replace(x, theta=np.int32(40)) for x in ck.layers)
        ck = Checkpoint(ck.meta, tuple(plain))
    clips, spec = clips_for(ck), MacroSpec(rows=160, cols=24, ports=ports)
    run = sram.emulate(ck, clips, spec)
    assert_equal_to_both(ck, clips, run, tmp_path / "ck.npz")
    assert_equal(ck, clips, run)
    one = clips.subset([0])
    bits_ = sram.bitwise.emulate(ck, one, spec)
    assert sram.bitwise.differences(*bits_, sram.emulate(ck, one, spec))[2:] == (0, 0)
    plan, steps = run.mapping.layers[0], len(clips) * ck.steps
    factors = ck.layers[0].beta
    if law == "exponential":
        form = closed_forms.exponential_each_cycles(plan.B, bits + 1, bits, how, ports)
    else:
        ks = tuple(np.unique(factors).tolist())
        form = closed_forms.shift_each_cycles(plan.B, ks, how, ports)
    assert run.ledger[plan.name, "decay"].cycles == steps * form


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_any_graph_on_the_array_is_the_integer_network(seed, recurrent):
    ck, clips = graph(seed, recurrent), clips_of(drawn(seed))
    run = sram.emulate(ck, clips, SMALL)
    assert_equal(ck, clips, run)
    lean = sram.emulate(ck, clips, SMALL, record=False)
    assert lean.ledger == run.ledger
    assert np.array_equal(lean.trace.scores, run.trace.scores)


@pytest.mark.parametrize("seed", range(6))
def test_any_graph_in_single_bits(seed):
    ck, clips = graph(seed, seed % 2 == 1), clips_of(drawn(seed)).subset([0])
    run = sram.emulate(ck, clips, SMALL)
    bits = sram.bitwise.emulate(ck, clips, SMALL)
    assert sram.bitwise.differences(*bits, run)[2:] == (0, 0)
    for ours, theirs in zip(bits[0], run.trace.layers):
        assert ours.sops == theirs.sops


def test_an_event_that_comes_again_raises_its_wordline_again():
    ck = chain((40, 20), T=4)
    counts = np.zeros((1, 4, 40), np.int64)
    counts[0, 1, 5] = 3
    many, once = clips_of(counts), clips_of(np.minimum(counts, 1))
    runs = [sram.emulate(ck, clips, SMALL) for clips in (many, once)]
    books = [run.ledger["layer0", "accumulate"] for run in runs]
    assert [b.queue_entries for b in books] == [3, 1]
    assert books[0].sops == 3 * books[1].sops
    width = runs[0].mapping.layers[0].widths[0]
    assert books[0].macro_cycles == 3 * width
    assert runs[0].mapping.most == 3
    assert runs[0].mapping.layers[0].A >= runs[1].mapping.layers[0].A
    assert_equal(ck, many, runs[0])


def test_a_proof_on_graphs_fires_clears_and_clamps():
    done = np.zeros((3, 3), int)
    for seed in range(8):
        run = sram.emulate(graph(seed, True), clips_of(drawn(seed)), SMALL)
        done += [(x.spikes, x.clears, x.clamps) for x in run.trace.layers]
    assert (done[:, :2] > 0).all() and done[:, 2].sum() > 0
