"""Rules for lambda: closed forms, brute force, and conversions that run everywhere."""

import numpy as np
import pytest

from lindecay import decay, integer, sram
from lindecay.questions import choosing
from lindecay.settings import Fault
from test_faults import small


@pytest.fixture(scope="module")
def vlif():
    return small("exponential")


@pytest.mark.parametrize("rule", decay.MATCHES)
def test_rules_from_beta_are_the_closed_forms(vlif, rule):
    ck, clips = vlif
    made = choosing.converted(ck, clips, rule)
    for mine, layer in zip(made.layers, ck.layers):
        beta, theta = layer.row("beta") / 256, layer.row("theta")
        wanted = [
            round(min(decay.MATCHES[rule](b, t), t - 1)) for b, t in zip(beta, theta)
        ]
        assert mine.row("lam").tolist() == wanted
        assert np.array_equal(mine.w, layer.w)


def test_the_match_is_found_by_brute_force_too():
    random = np.random.default_rng(0)
    for _ in range(30):
        V = random.integers(-300, 100, 500)
        lost = np.abs(V) // random.integers(2, 9)
        each = [np.minimum(np.abs(V), lam).mean() for lam in range(201)]
        wanted = int(np.abs(np.array(each) - lost.mean()).argmin())
        assert choosing.matched(V, lost, 200) == wanted


def test_a_matched_layer_takes_off_as_much_as_the_exponential_did(vlif):
    ck, clips = vlif
    made = choosing.converted(ck, clips, "membranes, by layer")
    for mine, held in zip(made.layers, choosing.seen(ck, clips)):
        lam = int(mine.row("lam")[0])
        taken = np.minimum(np.abs(held["V"]), lam).mean()
        beside = [np.minimum(np.abs(held["V"]), lam + d).mean() for d in (-1, 1)]
        gap = abs(taken - held["lost"].mean())
        assert all(gap <= abs(other - held["lost"].mean()) for other in beside)


def test_what_the_exponential_holds_is_what_the_integer_network_does(vlif):
    ck, clips = vlif
    trace = integer.run(ck, clips)
    for held, layer, plan in zip(choosing.seen(ck, clips), trace.layers, ck.layers):
        inside = (layer.U > ck.v_min) & (layer.U < ck.v_max)
        assert np.array_equal((held["rest"] + held["current"])[inside], layer.U[inside])
        assert (np.abs(held["rest"]) <= np.abs(held["V"])).all()
        assert held["lost"].min() >= 0 and plan.law is None


@pytest.mark.parametrize("rule", choosing.RULES)
@pytest.mark.parametrize("bias", [False, True])
def test_a_converted_network_runs_on_the_array_without_a_difference(vlif, rule, bias):
    ck, clips = vlif
    made = choosing.converted(ck, clips, rule, bias=bias)
    run, whole = sram.emulate(made, clips), integer.run(made, clips)
    for mine, theirs in zip(run.trace.layers, whole.layers):
        assert np.array_equal(mine.U, theirs.U) and np.array_equal(mine.S, theirs.S)


def test_the_bias_makes_up_for_the_mean_difference_of_the_leaks(vlif):
    ck, clips = vlif
    made = choosing.converted(ck, clips, "rheobase")
    for mine, held in zip(made.layers, choosing.seen(ck, clips)):
        V, lam = held["V"], mine.row("lam")
        linear = np.sign(V) * np.maximum(np.abs(V) - lam, 0)
        left = (held["rest"] - linear).mean((0, 1)) - mine.row("bias")
        assert np.abs(left).max() <= 0.5 + 1e-9


def test_wrong_conversions_are_one_line(vlif):
    ck, clips = vlif
    with pytest.raises(Fault, match="no such rule for lambda: expected least squares"):
        choosing.converted(ck, clips, "magic")
    with pytest.raises(Fault, match="nothing to convert: expected law exponential"):
        choosing.converted(small("shrink")[0], clips)


def test_a_spoken_network_starts_as_what_it_was():
    """Rows turned into a normalisation give the same rows back."""
    from lindecay.checkpoints import Checkpoint
    from lindecay.networks import SpeechMlp, SpeechSpec
    from lindecay.quantization import Grid
    from lindecay.settings import committed

    ck = Checkpoint.load(committed("reference/shd_open/ldlif-seed1.npz"))
    net = SpeechMlp(SpeechSpec("shrink", decays="open", grid=Grid(4, 12, 2)))
    random = np.random.default_rng(0)
    for mine, layer in zip(net.layers, ck.layers):
        choosing._as_normalised(mine, layer, random.normal(0, 200, (400, layer.out)))
    made = net.eval().export({"T": ck.steps})
    for mine, layer in zip(made.layers, ck.layers):
        assert np.array_equal(mine.w, layer.w)
        for name in ("theta", "bias"):
            assert np.abs(mine.row(name) - layer.row(name)).max() <= 1, name
        share = layer.row("lam") / layer.row("theta")
        near = np.abs(mine.row("lam") - layer.row("lam")) <= 1
        assert near[(share > 2e-3) & (share < 0.89)].all()


def test_a_number_that_its_rows_do_not_give_is_red():
    from lindecay.claims import asked
    from lindecay.results import Result

    value = choosing.follows()["choosing.shd.epoch_lost"]
    good = {
        "choosing.shd.epoch_lost": Result(id="choosing.shd.epoch_lost", value=value)
    }
    assert list(asked.contradictions(good)) == []
    bad = {
        "choosing.shd.epoch_lost": Result(
            id="choosing.shd.epoch_lost", value=value + 0.1
        )
    }
    [(id, why)] = asked.contradictions(bad)
    assert id == "choosing.shd.epoch_lost" and "its rows give" in why
