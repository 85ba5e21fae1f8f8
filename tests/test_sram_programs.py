"""Programs of the array against brute force: every membrane, every λ, every law."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from lindecay.sram import Array, PortFault, closed_forms, microcode
from lindecay.sram.isa.programs import Cycle, Program

LAWS = ("shrink", "floor", "drift", "none")


def array_of(values, bits, rows=64, ports=2) -> Array:
    array = Array(rows, len(values), ports)
    array.poke("V", values, bits)
    return array


def every(B: int) -> np.ndarray:
    return np.arange(-(2 ** (B - 1)), 2 ** (B - 1))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("B", range(2, 9))
def test_decay_is_exact_for_every_membrane_and_every_lambda(law, B):
    V, A = every(B), B + 3
    program = microcode.decay(law, B, A) + microcode.extend(B, A)
    if law == "drift":
        program = microcode.decay(law, B, A)
    for lam in range(2 ** (B - 1)):
        array = array_of(V, B)
        array.registers["lam"] = lam
        array.run(program)
        np.testing.assert_array_equal(array.peek("V", A), oracle.decay(law, V, lam))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("B", range(3, 9))
def test_exponential_decay_rounds_to_nearest_for_every_membrane_and_beta(B, signed):
    V = every(B)
    for n in (1, 3, B):
        for beta in range(2**n):
            array = array_of(V, B)
            array.bases["M"] = 20
            program = microcode.exponential(B, beta, n, signed)
            array.run(program)
            wanted = oracle.decay("exponential", V, 0, beta, n)
            np.testing.assert_array_equal(array.peek("V", B), wanted)
            form = closed_forms.decay_cycles("exponential", B, 0, beta, n, signed)
            assert len(program) == form


@pytest.mark.parametrize("B", range(2, 9))
def test_floor_after_integration_is_exact_for_every_sum_and_every_lambda(B):
    sums, A = every(B + 2), B + 2
    for lam in range(2 ** (B - 1)):
        array = array_of(sums, A)
        array.registers["lam"] = lam
        array.run(microcode.decay("floor_after", B, A))
        wanted = oracle.decay("floor", sums, lam)
        np.testing.assert_array_equal(array.peek("V", A), wanted)


@pytest.mark.parametrize("B", range(3, 9))
def test_shift_decay_in_place_never_reads_a_row_it_has_written(B):
    for s in range(1, B + 2):
        array = array_of(every(B), B)
        array.run(microcode.shift(B, s))
        wanted = oracle.decay("shift", every(B), 0, s)
        np.testing.assert_array_equal(array.peek("V", B), wanted)


HOW = ("nearest", "floor", "trunc")


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("B", range(3, 9))
def test_a_shift_rounds_as_the_contract_says_for_every_membrane_and_k(B, how, ports):
    V = every(B)
    for s in range(0, B + 2):
        leak = microcode.Leak("shift", B, B, s, rounding=how)
        array, program = array_of(V, B, ports=ports), leak.program(ports)
        array.run(program)
        wanted = oracle.decay("shift", V, 0, s, how=how)
        np.testing.assert_array_equal(array.peek("V", B), wanted)
        form = closed_forms.decay_cycles("shift", B, B, s, ports=ports, rounding=how)
        assert len(program) == form


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("B", [3, 6])
def test_every_neuron_shifts_by_its_own_k(B, how, ports):
    ks = (1, 2, 4, 7)
    V, which = (g.ravel() for g in np.meshgrid(every(B), np.arange(len(ks))))
    array = array_of(V, B, ports=ports)
    array.bases["K"] = 20
    array.cells[20 : 20 + len(ks)] = which == np.arange(len(ks))[:, None]
    program = microcode.Leak("shift", B, B, rounding=how, ks=ks).program(ports)
    array.run(program)
    wanted = oracle.decay("shift", V, 0, np.array(ks)[which], how=how)
    np.testing.assert_array_equal(array.peek("V", B), wanted)
    assert len(program) == closed_forms.shift_each_cycles(B, ks, how, ports)


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("B,n", [(3, 2), (4, 4), (6, 5), (8, 8), (6, 16)])
def test_every_neuron_decays_by_its_own_beta_one_included(B, n, how, ports):
    beta = np.unique(np.linspace(0, 2**n, 300).astype(int))  # 2^n: no leak at all
    bits = n + 1
    V, beta = (g.ravel() for g in np.meshgrid(every(B), beta))
    array = Array(110, len(V), ports)
    array.bases |= {"M": 20, "K": 60}
    array.poke("V", V, B)
    array.poke("K", beta, bits)
    leak = microcode.Leak("exponential", B, B, n=n, rounding=how, bits=bits)
    program = leak.program(ports)
    array.run(program)
    wanted = oracle.decay("exponential", V, 0, beta, n, how)
    np.testing.assert_array_equal(array.peek("V", B), wanted)
    form = closed_forms.exponential_each_cycles(B, bits, n, how, ports)
    assert len(program) == form


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("signed", [False, True])
def test_one_beta_for_all_rounds_each_way(how, signed):
    B, V = 6, every(6)
    for n in (1, 3, 6):
        for beta in range(2**n + 1):
            array = array_of(V, B)
            array.bases["M"] = 20
            leak = microcode.Leak("exponential", B, B, beta, n, False, signed, how)
            array.run(leak.program())
            wanted = oracle.decay("exponential", V, 0, beta, n, how)
            np.testing.assert_array_equal(array.peek("V", B), wanted)
            told = {"signed": signed, "rounding": how}
            form = closed_forms.decay_cycles("exponential", B, B, beta, n, **told)
            assert len(leak.program()) == form


@pytest.mark.parametrize("B", [3, 5, 8])
def test_an_8t_cell_shifts_and_multiplies_with_a_cycle_more_a_pair_of_reads(B):
    V = every(B)
    for s in range(1, B + 1):
        array, program = (
            array_of(V, B, ports=1),
            microcode.decay("shift", B, B, s, ports=1),
        )
        array.run(program)
        np.testing.assert_array_equal(
            array.peek("V", B), oracle.decay("shift", V, 0, s)
        )
        assert len(program) == closed_forms.decay_cycles("shift", B, B, s, ports=1)
    for signed in (False, True):
        for beta in range(0, 2**B, 1 if B < 8 else 7):
            array = array_of(V, B, ports=1)
            array.bases["M"] = 20
            given = ("exponential", B, B, beta, B)
            program = microcode.decay(*given, signed=signed, ports=1)
            array.run(program)
            wanted = oracle.decay("exponential", V, 0, beta, B)
            np.testing.assert_array_equal(array.peek("V", B), wanted)
            form = closed_forms.decay_cycles(*given, signed=signed, ports=1)
            assert len(program) == form


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("law", ["shrink", "floor", "drift"])
def test_decay_takes_lambda_from_rows_of_its_own(law, ports):
    B, A = 6, 8
    V, lam = (g.ravel() for g in np.meshgrid(every(B), np.arange(2 ** (B - 1))))
    array = array_of(V, B, ports=ports)
    array.bases["L"] = 20
    array.poke("L", lam, B)
    program = microcode.decay(law, B, A, per_neuron=True, ports=ports)
    array.run(program)
    more = {"ports": ports, "per_neuron": True}
    assert len(program) == closed_forms.decay_cycles(law, B, A, **more)
    bits = A if law == "drift" else B
    np.testing.assert_array_equal(array.peek("V", bits), oracle.decay(law, V, lam))


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("bits", range(1, 9))
def test_accumulate_is_exact_for_every_membrane_and_weight(bits, ports):
    f, A = 2, max(9, bits) + 3
    V, w = (g.ravel() for g in np.meshgrid(every(8), every(bits)))
    array = array_of(V, A, ports=ports)
    array.bases["W"] = 20
    array.poke("W", w, bits)
    array.run(microcode.accumulate(f, A, bits, ports))
    np.testing.assert_array_equal(array.peek("V", A), V + w * 2**f)


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("B", range(3, 9))
def test_clamp_is_exact_for_every_sum(B, ports):
    for A in (B + 1, B + 3):
        array = array_of(every(A), A, ports=ports)
        array.run(microcode.clamp(B, A, ports))
        limits = -(2 ** (B - 1)), 2 ** (B - 1) - 1
        np.testing.assert_array_equal(array.peek("V", B), np.clip(every(A), *limits))
        assert array.G.sum() == np.sum(np.clip(every(A), *limits) != every(A))


@pytest.mark.parametrize("B", range(2, 9))
@pytest.mark.parametrize("kind", ["subtract", "zero", "none"])
def test_fire_and_reset_are_exact_for_every_membrane_and_threshold(B, kind):
    U = every(B)
    for theta in range(2 ** (B - 1)):
        array = array_of(U, B)
        array.registers["theta"] = theta
        array.run(microcode.fire(B))
        np.testing.assert_array_equal(array.G, U > theta)
        array.run(microcode.reset(kind, B))
        after = {"subtract": U - theta, "zero": 0 * U, "none": U}[kind]
        np.testing.assert_array_equal(array.peek("V", B), np.where(U > theta, after, U))


@pytest.mark.parametrize("ports", [1, 2])
def test_fire_takes_thresholds_from_rows_of_its_own(ports):
    U, theta = (g.ravel() for g in np.meshgrid(every(6), np.arange(32)))
    array = array_of(U, 6, ports=ports)
    array.bases["H"] = 20
    array.poke("H", theta, 6)
    array.run(microcode.fire(6, per_neuron=True, ports=ports))
    array.run(microcode.reset("subtract", 6, per_neuron=True, ports=ports))
    wanted = np.where(U > theta, U - theta, U)
    np.testing.assert_array_equal(array.peek("V", 6), wanted)


@given(
    low=st.integers(0, 3),
    own=st.integers(1, 9),
    sent=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_merge_adds_sums_of_different_widths(low, own, sent, seed):
    rng, width = np.random.default_rng(seed), max(own, sent) + 1
    mine = rng.integers(-(2 ** (own - 1)), 2 ** (own - 1), 50)
    theirs = rng.integers(-(2 ** (sent - 1)), 2 ** (sent - 1), 50)
    there, home = array_of(theirs, sent), Array(64, 50)
    home.bases["V"] = low
    home.poke("V", mine, own)
    home.bases["V"] = 0
    there.run(microcode.drain(sent))
    home.bus = there.bus
    home.run(microcode.merge(low, own, sent, width))
    home.bases["V"] = low
    np.testing.assert_array_equal(home.peek("V", width), mine + theirs)
    assert not there.cells.any()  # cleared behind, ready for the next step


@given(B=st.integers(9, 20), seed=st.integers(0, 2**31), law=st.sampled_from(LAWS))
@settings(max_examples=40, deadline=None)
def test_decay_is_exact_at_wide_membranes(B, seed, law):
    rng, half = np.random.default_rng(seed), 2 ** (B - 1)
    extremes = [-half, half - 1, 0, 1, -1]
    V = np.concatenate([rng.integers(-half, half, 100), extremes])
    array, A = array_of(V, B), B + 2
    array.registers["lam"] = lam = int(rng.integers(0, half))
    array.run(microcode.decay(law, B, A))
    bits = A if law == "drift" else B
    np.testing.assert_array_equal(array.peek("V", bits), oracle.decay(law, V, lam))


@pytest.mark.parametrize("B", [4, 8, 11, 16])
def test_programs_take_the_cycles_of_their_closed_forms(B):
    for A in (B + 1, B + 4):
        for law in ("shrink", "floor", "floor_after", "drift", "shift", "none"):
            program = microcode.decay(law, B, A, beta=2)
            assert len(program) == closed_forms.decay_cycles(law, B, A)
        for ports in (1, 2):
            assert len(microcode.clamp(B, A, ports)) == closed_forms.clamp_cycles(
                A, ports
            )
            assert len(
                microcode.accumulate(1, A, 3, ports)
            ) == closed_forms.accumulate_cycles(A - 1, 3, ports)
        assert len(microcode.extend(B, A)) == closed_forms.extend_cycles("shrink", B, A)
        assert closed_forms.update_cycles(B, A) == 3 * B + 2 * A + 2
    assert len(microcode.fire(B)) == closed_forms.fire_cycles(B)


V0, V1, V9 = ("V", 0), ("V", 1), ("V", 9)
BROKEN = {
    "too many reads": Cycle(a=(V0,), b=(V1, V9)),
    "two operands on one bitline": Cycle(a=(V0, V9)),
    "too many writes": Cycle(a=(V0,), w=(V1, V9), value="0"),
    "no such row": Cycle(a=(("V", 64),)),
    "masked write without write-back": Cycle(a=(V0,), w=(V9,), value="0", masked=True),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_port_rule_names_cycle_and_row(what):
    fine = Cycle(a=(V0,))
    program = Program("bad", (fine, fine, BROKEN[what]))
    row = "64" if what == "no such row" else "V9"
    for run in (
        lambda: microcode.check(program, {"V": 0}, 64),
        lambda: Array(64, 4).run(program),
    ):
        with pytest.raises(PortFault, match=what) as caught:
            run()
        assert "cycle 2 of bad" in str(caught.value)
        assert row in str(caught.value)


def test_an_8t_cell_has_one_read_port():
    with pytest.raises(PortFault, match="too many reads"):
        Array(64, 4, ports=1).run(microcode.accumulate(0, 8, 3))


def test_a_masked_write_drives_every_column_and_changes_the_tagged_ones():
    array = array_of([3, 3, 3, 3], 3)
    array.G = np.array([True, False, True, False])
    array.run(Program("clear", microcode.reset("zero", 3).cycles))
    np.testing.assert_array_equal(array.peek("V", 3), [0, 3, 0, 3])
    assert array.counts["columns_written"] == 3 * 4
    assert array.counts["columns_selected"] == 3 * 2
    assert array.counts["flips"] == 2 * 2  # the sign row was 0 already


def test_unused_columns_stay_at_rest():
    array = array_of([3, 0], 3)
    array.used = np.array([True, False])
    array.registers["lam"] = 1
    array.run(microcode.shrink(3))
    assert not array.cells[:, 1].any()
