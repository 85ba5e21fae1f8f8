"""The array against the integer network and the oracle; its ledger, its mutants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from lindecay import integer, sram
from lindecay.events import Clips
from lindecay.quantization import Checkpoint, Layer
from lindecay.settings import Fault
from lindecay.sram import Array, MacroSpec, closed_forms, encoding, mutants, sliced
from lindecay.sram.place.linear import membrane_rows
from lindecay.sram.serial.macro import build
from lindecay.sram.serial.planes import WORDS, pack, unpack

SMALL = MacroSpec(rows=64, cols=32)


def network(sizes, law="shrink", reset="subtract", B=9, f=2, bits=3, T=6, seed=0, **k):
    """A random integer network whose layers fire, clear and clamp."""
    rng, half = np.random.default_rng(seed), 2 ** (bits - 1)
    layers = []
    for i, (fan_in, out) in enumerate(zip(sizes, sizes[1:])):
        w = rng.integers(-half, half, (out, fan_in)).astype(np.int8)
        w[: out // 4] = half - 1  # some neurons clamp above
        w[out // 4 : out // 3] = -half  # and some below
        one = {"theta": np.int32(40), "lam": np.int32(3)}
        one |= {key: value(out, rng) for key, value in k.items()}
        more = {"beta": np.int32(13), "beta_shift": 4} if law == "exponential" else {}
        more |= {"beta": np.int32(2)} if law == "shift" else {}
        layers.append(Layer(f"layer{i}", w, bits=bits, **one, **more))
    meta = {"B": B, "f": f, "law": law, "reset": reset, "T": T, "readout": "count"}
    return Checkpoint(meta, tuple(layers))


def clips_for(ck, n=3, density=0.3, seed=1) -> Clips:
    rng, K = np.random.default_rng(seed), ck.layers[0].w.shape[1]
    frames = rng.random((n, ck.steps, K)) < density
    frames[:, -2:] = False  # silent steps decay too
    indptr, channel = integer.as_events(frames.astype(np.uint8))
    return Clips(
        indptr=indptr,
        channel=channel,
        labels=np.zeros(n, np.int64),
        steps=ck.steps,
        channels=K,
        dt_us=10_000,
        name="made",
        split="test",
        source="stand-in",
        sha256="",
    )


def assert_equal_to_both(ck, clips, run, path):
    whole = integer.run(ck, clips)
    network = oracle.load(ck.save(path))
    events = (clips.indptr, clips.channel, len(clips))
    judged = oracle.states(network, oracle.frames_of(network, *events))
    for ours, theirs, wanted in zip(run.trace.layers, whole.layers, judged):
        for key in "UVS":
            np.testing.assert_array_equal(getattr(ours, key), wanted[key], key)
            np.testing.assert_array_equal(getattr(ours, key), getattr(theirs, key))
        assert (ours.clears, ours.clamps) == (wanted["clears"], wanted["clamps"])
        assert (ours.clears, ours.clamps) == (theirs.clears, theirs.clamps)
        assert ours.sops == theirs.sops


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize(
    "law", ["shrink", "floor", "floor_after", "drift", "exponential", "shift", "none"]
)
def test_array_equals_integer_network_and_oracle(law, reset, tmp_path):
    ck = network((50, 40, 10), law, reset)
    clips = clips_for(ck)
    run = sram.emulate(ck, clips, SMALL)
    assert all(plan.row_tiles > 1 for plan in run.mapping.layers)
    assert_equal_to_both(ck, clips, run, tmp_path / "ck.npz")
    layers = run.trace.layers
    assert all(x.spikes for x in layers)
    assert layers[0].clamps or (law, reset) == ("floor_after", "zero")
    if law in ("shrink", "floor"):
        assert all(x.clears for x in layers)


@pytest.mark.parametrize("law", ["exponential", "shift", "none", "floor_after"])
def test_a_late_reset_is_the_same_in_every_layout(law, tmp_path):
    """snnTorch's habit: the spike of a step is subtracted after the next decay."""
    ck = network((50, 40, 10), law, "late")
    clips = clips_for(ck)
    run = sram.emulate(ck, clips, MacroSpec(rows=96, cols=32))
    assert_equal_to_both(ck, clips, run, tmp_path / "ck.npz")
    once = integer.run(Checkpoint(ck.meta | {"reset": "subtract"}, ck.layers), clips)
    if law in ("exponential", "shift"):
        assert any((a.S != b.S).any() for a, b in zip(once.layers, run.trace.layers))
    for spec in LAYOUTS:
        other = sram.emulate(ck, clips, spec)
        assert mutants.differences(other.trace, run.trace) == [0, 0]
        assert other.ledger.conserved(spec.cols) == []


@pytest.mark.parametrize("law", ["shrink", "floor", "drift"])
def test_a_late_reset_keeps_its_tags_in_a_row(law, tmp_path):
    """The decay needs the latch, so the last spikes wait beside the membranes."""
    ck = network((50, 40, 10), law, "late")
    clips, spec = clips_for(ck), MacroSpec(rows=96, cols=32)
    run = sram.emulate(ck, clips, spec)
    assert_equal_to_both(ck, clips, run, tmp_path / "ck.npz")
    bits = sram.bitwise.emulate(ck, clips.subset([0]), spec)
    one = sram.emulate(ck, clips.subset([0]), spec)
    assert sram.bitwise.differences(*bits, one)[2:] == (0, 0)
    assert run.mapping.layers[0].bases["bias"] - run.mapping.layers[0].bases["K"] == 1


@given(
    B=st.integers(6, 16),
    f=st.integers(0, 4),
    bits=st.integers(1, 8),
    fan_in=st.integers(1, 90),
    out=st.integers(1, 600),
    law=st.sampled_from(["shrink", "floor", "drift", "shift", "exponential", "none"]),
    merge=st.sampled_from(["tree", "star"]),
    deal=st.sampled_from(["turn", "blocks"]),
    ports=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_any_width_any_tiling_gives_the_integer_network(
    B, f, bits, fan_in, out, law, merge, deal, ports, seed
):
    ck = network((fan_in, out), law, B=B, f=min(f, B - 2), bits=bits, T=4, seed=seed)
    theta = np.int32(min(40, 2 ** (B - 1) - 1))
    ck = Checkpoint(ck.meta, tuple(_with(x, theta=theta) for x in ck.layers))
    spec = MacroSpec(rows=96, cols=200, merge=merge, deal=deal, ports=ports)
    clips = clips_for(ck, n=2, seed=seed)
    run, whole = sram.emulate(ck, clips, spec), integer.run(ck, clips)
    assert mutants.differences(run.trace, whole) == [0]
    assert run.ledger.conserved(spec.cols) == []


def _with(layer, **what):
    return Layer(**{**layer.__dict__, **what})


def test_extremes_of_every_weight_and_input_do_not_wrap(tmp_path):
    for value in (-4, 3):
        ck = network((200, 20, 10), bits=3)
        full = tuple(
            _with(x, w=np.full_like(x.w, value), lam=np.int32(0)) for x in ck.layers
        )
        ck = Checkpoint(ck.meta, full)
        clips = clips_for(ck, density=1.0)
        run = sram.emulate(ck, clips, SMALL)
        assert_equal_to_both(ck, clips, run, tmp_path / f"{value}.npz")
        assert run.trace.layers[0].clamps > 0


def test_per_neuron_rows_and_bias_rows(tmp_path):
    ck = network(
        (50, 40, 10),
        theta=lambda n, rng: rng.integers(20, 60, n).astype(np.int32),
        lam=lambda n, rng: rng.integers(0, 9, n).astype(np.int32),
        bias=lambda n, rng: rng.integers(-9, 9, n).astype(np.int32),
    )
    clips = clips_for(ck)
    for ports in (1, 2):
        run = sram.emulate(ck, clips, MacroSpec(rows=96, cols=32, ports=ports))
        assert_equal_to_both(ck, clips, run, tmp_path / f"{ports}.npz")
        assert run.ledger["layer0", "bias"].cycles > 0


@pytest.mark.parametrize("law", ["shrink", "floor", "drift", "exponential", "shift"])
def test_both_tiers_hold_the_same_bits_and_counts(law):
    """The packed machine cycle by cycle beside the array of single bits."""
    B, A, n = 7, 10, 30
    rng = np.random.default_rng(0)
    slow = Array(64, n)
    slow.bases |= {"W": 20, "M": 30}
    slow.registers |= {"lam": 3, "theta": 17}
    slow.used = rng.random(n) < 0.8
    slow.cells[:] = rng.random(slow.cells.shape) < 0.5
    slow.cells[:, ~slow.used] = False
    held = {"own": pack(slow.cells), "latches": np.zeros((3, WORDS), np.uint64)}
    held |= {
        "weights": pack(slow.cells[20:30]),
        "bus": np.zeros((64, WORDS), np.uint64),
    }
    held |= {"used": pack(slow.used), "before": np.zeros(WORDS, np.uint64)}
    held |= {"after": held["before"].copy()}
    cells = sliced.Cells(**{key: x.ctypes.data for key, x in held.items()})
    counts = np.zeros(len(sram.ledger.FIELDS), np.int64)
    shape = sliced.Shape(1, 64, 1, 1, 10)
    bases = np.array([[0, 20, 0, 0, 30, 0, 0]])
    m = sram.microcode
    programs = [m.drain(4), m.merge(0, 4, 4, 6), m.decay(law, B, A, 11, 4)]
    programs += [m.accumulate(2, A, 3), m.clamp(B, A), m.fire(B), m.reset("zero", B)]
    programs += [m.extend(B, A), m.reset("subtract", B), m.clear(B)]
    for program in programs:
        rows, masks = encoding.encode(program)
        sums = np.array([[1, 0, 0, 0]])
        for i in range(len(program)):
            seen = slow.step(program, i)
            here = np.roll(held["bus"], -i, 0)
            code = sliced.Code(
                rows, masks.ctypes.data, np.array([i, i + 1]), sums, bases,
                np.array([3, 17]),
            )  # fmt: skip
            job, told = np.array([[0, 0, 0, 0, 0]]), here.ctypes.data
            sliced.execute(cells._replace(bus=told), code, shape, job, 1, 1, counts)
            held["bus"][:] = np.roll(here, i, 0)
            np.testing.assert_array_equal(unpack(held["own"], n), slow.cells)
            latches = unpack(held["latches"], n)
            np.testing.assert_array_equal(latches, [seen.T, seen.G, seen.C])
    fast = dict(zip(sram.ledger.FIELDS, counts.tolist()))
    for key in ("discharges", "flips", "columns_selected"):
        assert fast[key] == slow.counts[key] > 0


def test_no_program_runs_that_the_ports_cannot_do():
    m = sram.microcode
    V = (("V", 0),)
    wrong = {
        "too many writes": m.Cycle(a=V, w=(("V", 1), ("V", 9))),
        "no such row.*V64": m.Cycle(a=(("V", 64),)),
        "no such row.*V30": m.Cycle(a=(("V", 30),)),  # a row of weights
        "no such row.*W0": m.Cycle(a=V, w=(("W", 0),)),
        "masked write": m.Cycle(a=V, w=(("V", 9),), value="0", masked=True),
    }
    ck = network((20, 10))
    for what, cycle in wrong.items():

        def broken(i, machine, cycle=cycle):
            machine.programs["fire"] = m.Program("bad", (m.Cycle(a=V), cycle))

        with pytest.raises(sram.PortFault, match=what) as caught:
            sram.emulate(ck, clips_for(ck), SMALL, alter=broken)
        assert "cycle 1 of bad" in str(caught.value)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_every_mutant_is_caught_in_every_layer(name, layer):
    ck = network((60, 60, 40), T=12, theta=lambda n, rng: np.int32(24), B=8)
    clips = clips_for(ck, n=8, density=0.4)
    run = sram.emulate(ck, clips, SMALL, alter=mutants.alter(name, layer))
    found = mutants.differences(run.trace, integer.run(ck, clips))
    assert found[layer] > 0
    assert not any(found[:layer])


def test_structural_counts_equal_the_closed_forms():
    ck = network((120, 40, 10))
    clips = clips_for(ck)
    run = sram.emulate(ck, clips, SMALL)
    assert run.ledger.conserved(SMALL.cols) == []
    steps = len(clips) * ck.steps
    events = [len(clips.channel)] + [x.spikes for x in run.trace.layers]
    for p, found, n in zip(run.mapping.layers, run.ledger.by_layer().values(), events):
        cycles = closed_forms.update_cycles(p.B, p.A)
        of = {name: run.ledger[p.name, name] for name in sram.ledger.PROGRAMS}
        update = [of[k] for k in ("decay", "extend", "clamp", "fire", "reset")]
        assert sum(c.cycles for c in update) == steps * cycles
        assert sum(c.macro_cycles for c in update) == steps * cycles * p.column_tiles
        assert found.queue_entries == n
        assert found.sops == n * p.outputs
        assert of["clear"].cycles == len(clips) * p.B
        rounds = {m.round: 0 for m in p.merges}
        for m in p.merges:
            rounds[m.round] = max(rounds[m.round], m.width)
        wanted = closed_forms.merge_cycles(list(rounds.values()))
        assert of["merge"].cycles == steps * wanted
        sent = sum(m.sent for m in p.merges)
        assert of["merge"].transport_bits == steps * sent * p.outputs
        assert of["reset"].columns_selected == of["fire"].fired * p.B
        assert of["clamp"].columns_selected == of["clamp"].clamped * p.B


def test_accumulation_counts_follow_the_events_of_each_tile():
    ck = network((120, 40))
    clips = clips_for(ck)
    run = sram.emulate(ck, clips, SMALL)
    (p,) = run.mapping.layers
    per = np.zeros((len(clips.indptr) - 1, p.row_tiles), int)
    bins = np.repeat(np.arange(len(per)), np.diff(clips.indptr))
    np.add.at(per, (bins, p.tile_of[clips.channel]), 1)
    cycles = [closed_forms.accumulate_cycles(w, p.bits) for w in p.widths]
    found = run.ledger[p.name, "accumulate"]
    assert found.cycles == (per * cycles).max(1).sum()
    assert found.macro_cycles == (per * cycles).sum() * p.column_tiles
    assert found.write_rows == found.macro_cycles
    reads = per.sum() * p.bits * p.column_tiles
    assert found.read_rows == found.macro_cycles + reads
    zeros = (ck.layers[0].w == 0).sum(0)
    assert found.zero_sops == zeros[clips.channel].sum()


def test_update_cycles_do_not_grow_with_neurons():
    seen = {}
    for N in (16, 256, 512, 4096):
        ck = network((8, N), T=2)
        run = sram.emulate(ck, clips_for(ck, n=1), MacroSpec())
        books = [run.ledger["layer0", k] for k in ("decay", "extend", "clamp", "fire")]
        books.append(run.ledger["layer0", "reset"])
        side_by_side = sum(b.cycles for b in books) // 2
        one_macro = sum(b.macro_cycles for b in books) // 2
        seen[N] = side_by_side
        assert one_macro == closed_forms.on_one_macro(side_by_side, N)
    A = membrane_rows(ck, ck.layers[0])
    assert set(seen.values()) == {closed_forms.update_cycles(9, A)}
    sequential = closed_forms.word_sequential_cycles
    assert sequential(4096) == 256 * sequential(16) == 4096


def test_the_ledger_survives_json_and_refuses_other_text():
    ck = network((20, 10))
    book = sram.emulate(ck, clips_for(ck), SMALL).ledger
    assert sram.Ledger.from_json(book.to_json()) == book
    assert (book + book).total().cycles == 2 * book.total().cycles
    with pytest.raises(Fault, match="not a ledger"):
        sram.Ledger.from_json('{"format": 2}')


def test_what_does_not_fit_names_the_least_macro_that_would():
    ck = network((50, 10))
    with pytest.raises(Fault, match="does not fit a macro.*at least"):
        build(ck, MacroSpec(rows=8))
    rows = membrane_rows(ck, ck.layers[0])
    build(ck, MacroSpec(rows=rows))


@pytest.mark.parametrize("what", ["weight", "theta", "lambda"])
def test_a_value_off_its_grid_names_layer_neuron_and_value(what):
    ck = network((20, 10))
    layer = ck.layers[0]
    w = layer.w.copy()
    w[3, 4] = 9
    bad = {
        "weight": {"w": w},
        "theta": {"theta": np.int32(300)},
        "lambda": {"lam": np.int32(-1)},
    }[what]
    ck = Checkpoint(ck.meta, (_with(layer, **bad),))
    with pytest.raises(Fault, match=f"layer0: {what} does not fit.*at neuron"):
        sram.emulate(ck, clips_for(ck), SMALL)


def test_an_event_at_an_unknown_input_is_refused():
    ck = network((20, 10))
    clips = clips_for(ck)
    clips.channel[0] = 20
    with pytest.raises(Fault, match="unknown input: expected channels 0 to 19, found"):
        sram.emulate(ck, clips, SMALL)


def test_planes_pack_and_unpack():
    bits = np.random.default_rng(0).random((3, 700)) < 0.5
    np.testing.assert_array_equal(unpack(pack(bits), 700), bits)


LAYOUTS = [
    MacroSpec(rows=64, cols=64, layout="B"),
    MacroSpec(rows=64, cols=64, layout="C"),
    MacroSpec(rows=64, cols=64, layout="C", update="row", ports=1),
    MacroSpec(rows=64, cols=64, layout="C", update="word", ports=1),
]


@pytest.mark.parametrize("law", ["shrink", "floor", "floor_after", "drift", "none"])
@pytest.mark.parametrize("spec", LAYOUTS, ids=lambda s: f"{s.layout}-{s.update}")
def test_every_layout_holds_the_same_membranes(spec, law):
    ck = network((90, 40, 10), law)
    clips = clips_for(ck)
    run, whole = sram.emulate(ck, clips, spec), integer.run(ck, clips)
    assert mutants.differences(run.trace, whole) == [0, 0]
    for ours, theirs in zip(run.trace.layers, whole.layers):
        assert (ours.clears, ours.clamps) == (theirs.clears, theirs.clamps)
        billed = run.ledger.by_layer()[ours.name]
        assert (billed.fired, billed.cleared) == (ours.spikes, ours.clears)
        assert (billed.clamped, billed.sops) == (ours.clamps, ours.sops)
    assert run.ledger.conserved(spec.cols) == []


def test_cycles_of_every_layout_follow_their_closed_forms():
    ck = network((90, 40, 10))
    clips = clips_for(ck)
    steps = len(clips) * ck.steps
    for spec in LAYOUTS:
        run = sram.emulate(ck, clips, spec)
        for plan, layer in zip(run.mapping.layers, ck.layers):
            A = membrane_rows(ck, layer)
            form = closed_forms.layout_update_cycles(spec, plan.outputs, ck.B, A)
            found = [run.ledger[plan.name, p] for p in (*sram.ledger.UPDATE, "update")]
            assert sum(c.cycles for c in found) == steps * form
            if spec.layout == "C":
                tree = run.ledger[plan.name, "accumulate"].cycles
                assert tree == steps * sram.layouts.TREE_CYCLES


def test_the_update_is_the_bottleneck_only_where_products_are_parallel():
    ck = network((90, 200))
    rows = sram.growth.update_share(ck, [1, 80])
    share = {(r["design"], r["events"]): r["share"] for r in rows}
    assert share["A", 80] < share["A", 1] < 1
    for design in ("C in place", "C row-wide", "C word by word"):
        assert share[design, 1] == share[design, 80] > 0.5
