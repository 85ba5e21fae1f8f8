"""Tasks that tell decays apart, and remedies: one law from training to joules."""

import numpy as np
import pytest
import torch

import lindecay.energy as energy
from lindecay import integer, sram
from lindecay.networks import Mlp, MlpSpec
from lindecay.quantization import Checkpoint, Grid
from lindecay.questions import remedies
from lindecay.settings import Fault
from lindecay.sram.serial.array import Array
from lindecay.training import training_forward
from test_integer import clips_of

NAMES = tuple(remedies.LAWS)


@pytest.fixture
def laws():
    with remedies.known() as found:
        yield found


def trained(law: str, steps: int = 24):
    """A small network after some steps of an optimiser, and clips for it."""
    torch.manual_seed(1)
    net = Mlp(MlpSpec("mine", (40, 30, 5), law, 0.9, Grid(4, 10, 1)))
    rng = np.random.default_rng(0)
    dense = (rng.random((5, steps, 40)) < 0.3).astype(np.uint8)
    x = torch.from_numpy(dense).float().swapaxes(0, 1)
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(3):
        adam.zero_grad()
        net(x)[-1][0].sum().neg().backward()
        assert net.layers[0].decay.grad != 0
        adam.step()
    return net, clips_of(dense)


@pytest.mark.parametrize("name", NAMES)
def test_a_remedy_is_the_same_in_training_integers_and_array(laws, name):
    net, clips = trained(name)
    ck = net.export({"T": 24})
    trace = integer.run(ck, clips)
    for (U, S), layer in zip(training_forward(net, clips), trace.layers):
        assert np.array_equal(U, layer.U) and np.array_equal(S, layer.S) and S.any()
    run = sram.emulate(ck, clips)
    for mine, theirs in zip(run.trace.layers, trace.layers):
        assert np.array_equal(mine.U, theirs.U) and np.array_equal(mine.V, theirs.V)
        assert (mine.clears, mine.clamps) == (theirs.clears, theirs.clamps)
    assert energy.bill(run).of("decay") > 0


@pytest.mark.parametrize("name", NAMES)
def test_single_bits_of_the_array_follow_a_remedy(laws, name):
    net, clips = trained(name, steps=10)
    one = clips.subset([0])
    ck = net.export({"T": 10})
    states, ledger = sram.bitwise.emulate(ck, one)
    for mine, theirs in zip(states, integer.run(ck, one).layers):
        assert np.array_equal(mine.U, theirs.U)
    _, _, *wrong = sram.bitwise.differences(states, ledger, sram.emulate(ck, one))
    assert wrong == [0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_no_remedy_crosses_rest_or_leaves_its_bits(laws, name):
    """All membranes of eight bits, all λ, against the words of the law."""
    law, v = laws[name], np.arange(-128, 128)
    for lam in range(0, 100, 3):
        for step in range(8):
            row = np.full(v.shape, lam)
            here = law.timed(row, step)[0]
            out = law.whole(v, here)
            assert (out * v >= 0).all() and (np.abs(out) <= np.abs(v)).all()
            t = torch.from_numpy(v).float(), torch.from_numpy(here).float()
            assert np.array_equal(law.step(*t).numpy(), out)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("name", ["slopes", "above"])
def test_microcode_of_a_remedy_on_every_membrane(laws, name, rows):
    law, B = laws[name], 8
    v = np.arange(-128, 128)
    for lam in (0, 1, 3, 7, 8, 32):
        here = law.timed(np.full(v.shape, lam), 0)[0]
        array = Array(rows=32, columns=v.size)
        array.bases |= {"V": 0, "L": 12}
        array.poke("V", v, B)
        array.poke("L", here, B - 1)
        array.registers["lam"] = int(here[0])
        array.run(law.program(B, rows))
        assert np.array_equal(array.peek("V", B), law.whole(v, here))


def test_a_clock_leaves_the_decay_out(laws):
    net, clips = trained("every")
    ck = net.export({"T": 24})
    every = sram.emulate(ck, clips).ledger["fc1", "decay"]
    plain = sram.emulate(Checkpoint(ck.meta | {"law": "shrink"}, ck.layers), clips)
    assert 4 * every.cycles == plain.ledger["fc1", "decay"].cycles


def test_random_bits_are_those_of_the_register():
    """Sixteen taps written out, bit by bit; every value occurs as often as others."""
    bits = [int(b) for b in f"{remedies.SEED:016b}"[::-1]]
    for t in range(40):
        assert remedies.drawn(4, t) == sum(b << k for k, b in enumerate(bits[:4]))
        for _ in range(4):
            bits = bits[1:] + [bits[0] ^ bits[2] ^ bits[3] ^ bits[5]]
    many = np.bincount([remedies.drawn(4, t) for t in range(1600)], minlength=16)
    assert many.min() > 60 and many.max() < 140


def test_the_mean_of_a_dithered_decay_is_its_fraction(laws):
    told = [laws["dither"].timed(np.array([5]), t)[0][0] for t in range(1600)]
    assert set(told) == {0, 1} and abs(np.mean(told) - 5 / 16) < 0.03


def test_a_law_that_changes_lambda_refuses_one_for_each_neuron(laws):
    net, clips = trained("dither")
    ck = net.export({"T": 24})
    rows = [np.arange(layer.out) % 20 for layer in ck.layers]
    layers = [vars(la) | {"lam": r.astype(np.int32)} for la, r in zip(ck.layers, rows)]
    made = Checkpoint(ck.meta, tuple(type(ck.layers[0])(**la) for la in layers))
    with pytest.raises(Fault, match="one λ a layer"):
        sram.emulate(made, clips)
