"""Convolutions on macros against the integer network, the oracle, closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindecay import integer, sram
from lindecay.quantization import Checkpoint, Layer, check
from lindecay.settings import Fault
from lindecay.sram import MacroSpec, closed_forms, mutants
from lindecay.sram.place.conv import unrolled
from lindecay.sram.serial.tiles import TiledMachine
from test_integer import clips_of, planes
from test_sram import assert_equal_to_both

SMALL = MacroSpec(rows=96, cols=24)
LAWS = ("shrink", "floor", "floor_after", "drift", "exponential", "shift", "none")


def gestures_of(ck, n=3, density=0.4, seed=1):
    """Random clips that fit; the last steps are silent."""
    rng = np.random.default_rng(seed)
    dense = rng.random((n, ck.steps, ck.layers[0].inputs)) < density
    dense[:, -2:] = False
    return clips_of(dense.astype(np.uint8))


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("law", LAWS)
def test_tiles_equal_integer_network_and_oracle(law, reset, tmp_path):
    ck = planes(2, law, stride=2, padding=1)
    ck = Checkpoint(ck.meta | {"reset": reset}, ck.layers)
    clips = gestures_of(ck)
    spec = MacroSpec(rows=64, cols=24)
    run = sram.emulate(ck, clips, spec)
    first = run.mapping.layers[0]
    assert first.column_tiles > 1 and first.row_tiles > 1
    assert_equal_to_both(ck, clips, run, tmp_path / "ck.npz")
    assert run.ledger.conserved(spec.cols) == []
    for layer in run.trace.layers[:2]:
        billed = run.ledger.by_layer()[layer.name]
        assert billed.fired == layer.spikes > 0
        assert (billed.cleared, billed.clamped) == (layer.clears, layer.clamps)
        assert billed.sops == layer.sops


@st.composite
def networks(draw):
    """One random convolution behind OR pooling, and clips for it."""
    pool, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    tall, wide = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.integers(0, 2))
    channels, out = draw(st.integers(1, 3)), draw(st.integers(1, 20))
    high = pool * draw(st.integers(tall, 9)) + draw(st.integers(0, pool - 1))
    broad = pool * draw(st.integers(wide, 9)) + draw(st.integers(0, pool - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    w = rng.integers(-8, 8, (out, channels, tall, wide)).astype(np.int8)
    theta = rng.integers(10, 50, out).astype(np.int32)
    layer = Layer("conv1", w, theta, np.int32(3), 4, plane=(channels, high, broad))
    layer = replace(layer, pool=pool, stride=stride, padding=padding)
    meta = {"B": 9, "f": 1, "law": "shrink", "reset": "subtract", "T": 4}
    meta |= {"readout": "count"}
    dense = rng.random((2, 4, channels * high * broad)) < draw(st.floats(0.05, 0.9))
    return check(Checkpoint(meta, (layer,)), "a test"), clips_of(dense.astype(np.uint8))


@given(networks(), st.sampled_from(["tree", "star"]), st.sampled_from([1, 2]))
@settings(max_examples=25, deadline=None)
def test_any_kernel_stride_and_pooling_gives_the_integer_network(made, merge, ports):
    ck, clips = made
    if ports == 1:  # rows of θ would need a second port
        flat = replace(ck.layers[0], theta=np.int32(30))
        ck = Checkpoint(ck.meta, (flat,))
    spec = MacroSpec(rows=80, cols=32, merge=merge, ports=ports)
    run, whole = sram.emulate(ck, clips, spec), integer.run(ck, clips)
    assert mutants.differences(run.trace, whole) == [0]
    assert run.ledger.conserved(spec.cols) == []
    ours, theirs = run.trace.layers[0], whole.layers[0]
    assert (ours.clears, ours.clamps) == (theirs.clears, theirs.clamps)
    assert ours.sops == theirs.sops


def test_structural_counts_of_tiles_equal_the_closed_forms():
    ck = planes(1, stride=2, padding=1)
    clips = gestures_of(ck)
    run, (mapping, machines) = sram.emulate(ck, clips, SMALL), sram.build(ck, SMALL)
    steps, (indptr, channel) = len(clips) * ck.steps, (clips.indptr, clips.channel)
    for i, layer in enumerate(ck.layers[:2]):
        p, machine = mapping.layers[i], machines[i]
        if i:
            indptr, channel = integer.as_events(run.trace.layers[0].S)
        indptr, channel = integer.pooled(layer, indptr, channel)
        of = {name: run.ledger[p.name, name] for name in sram.ledger.PROGRAMS}
        update = [of[k] for k in ("decay", "extend", "clamp", "fire", "reset")]
        cycles = closed_forms.update_cycles(p.B, p.A)
        assert sum(c.cycles for c in update) == steps * cycles
        assert sum(c.macro_cycles for c in update) == steps * cycles * p.column_tiles
        assert of["clear"].cycles == len(clips) * p.B
        sent = sum(m.sent for m in p.tile.merges)
        assert of["merge"].transport_bits == steps * sent * p.outputs
        queues = machine.events(indptr, channel)
        assert of["accumulate"].queue_entries == sum(len(seen) for _, seen in queues)
        slowest = np.max([queued(p.tile, *queue) for queue in queues], axis=0)
        assert of["accumulate"].cycles == slowest.sum()
        assert of["reset"].columns_selected == of["fire"].fired * p.B
        assert of["clamp"].columns_selected == of["clamp"].clamped * p.B
        linked = unrolled(replace(layer, w=np.ones_like(layer.w)), *p.places).w
        assert p.unconnected == pytest.approx(1 - linked.mean())
        assert p.macros == p.row_tiles * p.grid[0] * p.grid[1]


def queued(plan, indptr, channel) -> np.ndarray:
    """Cycles of the busiest row tile in every step, event by event."""
    busy = np.zeros((len(indptr) - 1, plan.row_tiles), int)
    for row in range(len(busy)):
        for spike in channel[indptr[row] : indptr[row + 1]]:
            tile = plan.tile_of[spike]
            busy[row, tile] += closed_forms.accumulate_cycles(plan.widths[tile], 3)
    return busy.max(1)


def test_a_kernel_as_large_as_the_plane_is_a_linear_layer():
    rng = np.random.default_rng(0)
    w = rng.integers(-4, 4, (20, 2, 5, 6)).astype(np.int8)
    conv = Layer("one", w, np.int32(30), np.int32(3), 3, plane=(2, 5, 6))
    flat = Layer("one", w.reshape(20, 60), np.int32(30), np.int32(3), 3)
    meta = {"B": 9, "f": 2, "law": "shrink", "reset": "subtract", "T": 6}
    cks = [Checkpoint(meta | {"readout": "count"}, (x,)) for x in (conv, flat)]
    clips = gestures_of(cks[0])
    tiled, plain = (sram.emulate(ck, clips, MacroSpec(rows=64, cols=32)) for ck in cks)
    assert tiled.ledger == plain.ledger
    assert mutants.differences(tiled.trace, plain.trace) == [0]


def test_every_neuron_stands_in_one_column_and_sees_its_own_weights():
    ck = planes(3, stride=2, padding=1)
    mapping, machines = sram.build(ck, SMALL)
    tiled, layer = machines[0], ck.layers[0]
    assert isinstance(tiled, TiledMachine)
    held = tiled.neurons[tiled.neurons >= 0]
    assert sorted(held) == list(range(layer.out))
    one = np.zeros((1, 2, layer.inputs), np.uint8)
    for place in range(0, layer.inputs, 7):  # one spike: whose sums move, and how far
        one[:] = 0
        one[0, 0, place] = 1
        free = replace(layer, bias=None, lam=np.int32(0), theta=np.int32(100))
        alone = Checkpoint(ck.meta | {"T": 2}, (free,))
        run = sram.emulate(alone, clips_of(one), SMALL)
        U = integer.run(alone, clips_of(one)).layers[0].U
        assert np.array_equal(run.trace.layers[0].U, U)
        assert run.ledger.by_layer()["conv1"].queue_entries >= 1


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_every_mutant_is_caught_in_every_convolution(name, layer):
    ck = planes(5, stride=1, padding=1)
    flat = [
        replace(x, theta=np.int32(30), lam=np.int32(5), bias=None) for x in ck.layers
    ]
    ck = Checkpoint(ck.meta | {"T": 9, "f": 3, "B": 7}, tuple(flat))
    clips = gestures_of(ck, n=4, density=0.5)
    spec = MacroSpec(rows=48, cols=24)
    run = sram.emulate(ck, clips, spec, alter=mutants.alter(name, layer))
    assert run.mapping.layers[layer].row_tiles > 1
    found = mutants.differences(run.trace, integer.run(ck, clips))
    assert found[layer] > 0
    assert not any(found[:layer])


def test_what_does_not_fit_names_dimension_and_least_macro():
    ck = planes(0)
    with pytest.raises(
        Fault, match="conv1 does not fit a macro: expected at least 5 c"
    ):
        sram.plan(ck, MacroSpec(rows=64, cols=4))
    with pytest.raises(
        Fault, match="conv1 does not fit a macro: expected at least .* r"
    ):
        sram.plan(ck, MacroSpec(rows=8, cols=64))
    sram.plan(ck, MacroSpec(rows=64, cols=5))
    with pytest.raises(Fault, match="a membrane word does not fit a macro"):
        sram.emulate(ck, gestures_of(ck), MacroSpec(layout="B", cols=8))


def test_a_tile_takes_the_fewest_macros():
    ck = planes(0, stride=2)
    spec = MacroSpec(rows=64, cols=40)
    best = sram.plan(ck, spec).layers[0]
    for th in range(1, best.layer.map[1] + 1):
        for tw in range(1, min(best.layer.map[2], 40 // (5 * th)) + 1):
            tile = sram.mapping.plan_layer(ck, unrolled(ck.layers[0], th, tw), spec)
            assert best.macros <= replace(best, tile=tile, places=(th, tw)).macros


def test_traffic_adds_up_to_the_ledger():
    ck = planes(1, stride=2, padding=1)
    clips = gestures_of(ck)
    run = sram.emulate(ck, clips, SMALL)
    steps = len(clips) * ck.steps
    for row, layer in zip(sram.traffic(ck, clips, run), run.trace.layers):
        book = run.ledger.by_layer()[layer.name]
        assert row["queued a step"] * steps == book.queue_entries
        assert row["cycles a clip"] * len(clips) == pytest.approx(book.cycles)
        assert row["slowest step"] >= row["cycles a step"] > 0
        assert row["accumulate"] + row["merge"] + row["update"] == pytest.approx(1)
        assert row["deepest queue"] <= book.queue_entries
        assert 0 < row["utilisation"] <= 1
    first, _, last = sram.traffic(ck, clips, run)
    assert first["copies of a weight"] == 5 * 5  # places of the map
    assert (last["copies of a weight"], last["unconnected"]) == (1, 0)


def test_each_tiles_own_cycles_are_its_queues():
    """What the machine counted in one tile, against the count of its events."""
    ck = planes(1, stride=2, padding=1)
    clips = gestures_of(ck)
    tiled = sram.build(ck, SMALL)[1][0]
    queues = tiled.events(clips.indptr, clips.channel)
    for tile, queue in zip(tiled.tiles(), queues):
        told = (len(clips), ck.steps, False)
        _, book = sram.macro.run_layer(tile, *queue, *told)
        assert book["conv1", "accumulate"].cycles == tiled.latency(*queue).sum()


@pytest.mark.parametrize("law", LAWS)
def test_the_bit_tier_holds_the_same_states_and_counts(law):
    """Whole clips through convolutions and a linear layer, one bit a cell."""
    ck = planes(2, law, stride=2, padding=1)
    clips = gestures_of(ck, n=1)
    spec = MacroSpec(rows=64, cols=24)
    run = sram.emulate(ck, clips, spec)
    found = sram.bitwise.differences(*sram.bitwise.emulate(ck, clips, spec), run)
    neurons = sum(layer.out for layer in ck.layers)
    assert found[0] == 3 * neurons * ck.steps
    assert found[1] > 100
    assert found[2:] == (0, 0)
