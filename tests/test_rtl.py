"""The Verilog against the emulator: states, counters, waveforms; mutants; bad input."""

import dataclasses
import os
import shutil

import numpy as np
import pytest

from lindecay import rtl, sram, subjects
from lindecay.quantization import Checkpoint, Layer
from lindecay.rtl import check, icarus, mutants, project, waves, words
from lindecay.settings import Fault, committed

needs_icarus = pytest.mark.skipif(not icarus.available(), reason="no iverilog here")
network, clips = mutants.subject, mutants.spikes


@pytest.fixture(scope="module")
def random_chip():
    return project.network(network(), clips())


def ran(found):
    return check.report([check.simulate(found)], 2)


def test_the_columns_know_every_word_of_the_language():
    assert words.gaps() == {}


def test_a_word_without_a_wire_is_refused():
    with pytest.raises(Fault, match="no Y 'nand'"):
        words.word(sram.Cycle(y="nand"), True)


def test_a_word_says_what_its_line_says():
    line = sram.microcode.shrink(4).cycles[1]
    held, out = words.word(line, False), {}
    for name, bits in words.fields().items():
        out[name], held = held & (1 << bits) - 1, held >> bits
    assert out["A_ON"] and out["W_ON"] and not out["B_ON"] and not out["MASKED"]
    assert list(words.CHOICES["CARRY"])[out["CARRY"]] == line.carry
    assert list(words.CHOICES["INVERT"])[out["INVERT"]] == line.invert


@needs_icarus
def test_random_chip_equals_the_emulator(random_chip):
    run = sram.emulate(network(), clips())
    first = run.trace.layers[0]
    assert min(first.spikes, first.clears, first.clamps) > 0  # nothing idle
    found = ran(random_chip)
    assert found["differences"] == 0 and found["counters_compared"] > 100
    assert found["states_compared"] == 3 * sum(x.U.size for x in run.trace.layers)


LAWS = {
    "floor": {},
    "drift": {},
    "none": {},
    "floor_after": {},
    "shift": {"beta": np.int32(2), "beta_shift": 8},
    "exponential": {"beta": np.int32(230), "beta_shift": 8},
}


@needs_icarus
@pytest.mark.parametrize("law", LAWS)
def test_every_law_equals_the_emulator(law):
    ck = network(law, sizes=(300, 8), **LAWS[law])
    assert ran(project.network(ck, clips()))["differences"] == 0


@needs_icarus
def test_every_tile_of_a_small_convolution_equals_the_emulator():
    w = np.random.default_rng(0).integers(-3, 4, (100, 1, 3, 3)).astype(np.int8)
    more = {"theta": np.int32(9), "lam": np.int32(2), "plane": (1, 5, 5)}
    ck = Checkpoint(network().meta, (Layer("conv", w, bits=3, **more),))
    _, (machine,) = sram.build(ck, sram.MacroSpec())
    assert len(machine.neurons) > 1 and (machine.neurons < 0).any()
    seen, told = clips(2, 1, 25), []
    assert check.tile(ck, seen, 0, 1)["differences"] == 0
    whole = check.convolution(ck, seen, 0, lambda *n: told.append(n))
    many = len(machine.neurons)
    assert whole["differences"] == 0 and whole["tiles"] == many
    assert told == [(k + 1, many) for k in range(many)]


EACH = {
    "exponential": {"beta": np.arange(200, 208, dtype=np.int32), "beta_shift": 8},
    "shift": {"beta": np.arange(1, 9, dtype=np.int32), "beta_shift": 8},
    "shrink": {},
}


@needs_icarus
@pytest.mark.parametrize("law", EACH)
def test_a_factor_of_each_neuron_and_a_late_reset(law):
    ck = network(law, reset="late", sizes=(300, 8), **EACH[law])
    assert ran(project.network(ck, clips()))["differences"] == 0


@needs_icarus
@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_every_reset_with_one_read_port_and_two(reset, ports):
    rows = {"theta": np.arange(20, 28, dtype=np.int32), "bias": np.arange(8)}
    ck = network(reset=reset, sizes=(300, 8), **rows)
    spec = sram.MacroSpec(ports=ports, rows=128, merge="star" if ports == 1 else "tree")
    assert ran(project.network(ck, clips(), spec))["differences"] == 0


@needs_icarus
@pytest.mark.parametrize("law", ["shrink", "floor_after", "drift"])
def test_layout_c_with_its_trees_equals_the_emulator(law):
    found = rtl.treelayer.network(network(law, sizes=(60, 24, 6)), clips(2, 1, 60))
    assert ran(found)["differences"] == 0


@needs_icarus
def test_a_wrong_tree_is_caught():
    found = rtl.treelayer.network(network(sizes=(60, 12)), clips(2, 1, 60))
    wrong = found.files["tree.v"].replace("b == BITS - 1", "b == BITS")
    assert wrong != found.files["tree.v"]
    files = found.files | {"tree.v": wrong}
    assert ran(dataclasses.replace(found, files=files))["differences"] > 0


def test_layout_c_has_one_row_of_trees():
    with pytest.raises(Fault, match="one row of adder trees"):
        rtl.treelayer.network(network(), clips())


@needs_icarus
@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_mutants_of_the_verilog_are_caught(random_chip, name):
    assert ran(mutants.mutant(random_chip, name))["differences"] > 0


@needs_icarus
@pytest.mark.parametrize("name", ["≥ for >", "λ + 1", "reset to zero"])
def test_mutants_of_the_microcode_are_caught(name):
    change = sram.mutants.alter(name, 0)
    found = project.network(network(), clips(), alter=change)
    assert ran(found)["differences"] > 0


def test_a_mutant_that_changes_nothing_is_no_mutant(random_chip):
    with pytest.raises(Fault, match="no such mutant"):
        mutants.mutant(random_chip, "nothing")
    for name in mutants.MUTANTS:
        assert mutants.mutant(random_chip, name).files != random_chip.files


@needs_icarus
def test_waveform_is_the_steppers_trace():
    found = waves.compare(network(), clips(1), [0, 5, 9, 23])
    assert found["differences"] == 0 and found["values"] > 1000


@needs_icarus
def test_a_wrong_trace_is_noticed(monkeypatch):
    told = waves.frames(waves.few(network(), [0, 5]), clips(1))
    told[7]["T"] = told[7]["T"][::-1] + "1"
    monkeypatch.setattr(waves, "frames", lambda *_: told)
    assert waves.compare(network(), clips(1), [0, 5])["differences"] == 1


@needs_icarus
def test_trained_digits_on_a_real_clip_first_steps():
    ck = Checkpoint.load(committed("reference/nmnist/ldlif-seed0.npz"))
    seen = rtl.clips_of(ck)
    found = check.prove(ck, seen, steps=2)
    assert found["differences"] == 0 and found["states_compared"] == 3 * 2 * 522


@needs_icarus
@pytest.mark.skipif(
    "LINDECAY_LONG" not in os.environ, reason="LINDECAY_LONG=1: minutes"
)
@pytest.mark.parametrize("name", ["nmnist", "shd", "dvsgesture"])
def test_trained_networks_whole(name):
    _, ck, seen = subjects.proven(name)
    assert check.prove(ck, seen)["differences"] == 0


def test_a_folder_is_written_whole_or_not_at_all(tmp_path, random_chip, monkeypatch):
    here = project.write(random_chip, tmp_path / "rtl")
    names = {path.name for path in here.iterdir()}
    assert {"Makefile", "README.md", "bench.v", "chip.v", "language.vh"} <= names
    with pytest.raises(Fault, match="there already"):
        project.write(random_chip, here)
    monkeypatch.setattr(project, "told", lambda _: {"README.md": None})
    with pytest.raises(TypeError):
        project.write(random_chip, tmp_path / "other")
    assert [p.name for p in tmp_path.iterdir()] == ["rtl"]


@needs_icarus
@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_the_folder_checks_itself_with_make(tmp_path, random_chip):
    here = project.write(random_chip, tmp_path / "rtl")
    assert "\nPASS\n" in icarus.call(["make", "check"], here, "make")


def test_bad_input_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(Fault, match="no such checkpoint"):
        rtl.written(str(tmp_path / "none.npz"), str(tmp_path / "out"))
    saved = str(network().save(tmp_path / "ck.npz"))
    with pytest.raises(Fault, match="clips"):
        rtl.written(saved, str(tmp_path / "out"), clips=0)
    monkeypatch.setattr(project, "MOST_COLUMNS", 8)
    with pytest.raises(Fault, match="too large"):
        rtl.written(saved, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_icarus_missing_or_failing_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(Fault, match="failed"):
        icarus.call(["false"], tmp_path, "the simulation")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Fault, match="not installed"):
        check.prove(network(), clips())


def test_an_unknown_set_gets_random_spikes(tmp_path):
    found = rtl.written(str(network().save(tmp_path / "ck.npz")), str(tmp_path / "out"))
    assert found["source"] == "stand-in" and (tmp_path / "out" / "events.hex").exists()
