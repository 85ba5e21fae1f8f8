"""Decays that learn: no dead zone, every value of the grid, in every arm."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import oracle
from lindecay import integer, training
from lindecay.decay import held, laws, learned
from lindecay.networks import ARMS
from lindecay.neurons import LinearDecayLIF
from lindecay.quantization import Checkpoint
from lindecay.studies import ceilings, designs, protocol
from lindecay.training import speech
from test_speech import plan, spoken  # noqa: F401  a fixture

WIDE = torch.linspace(-3 * learned.REACH, 3 * learned.REACH, 481)
THETA = torch.tensor(100.0)
GRIDS = {
    "beta": (lambda r: learned.beta_int(r, 8), 0, 255),
    "beta16": (lambda r: learned.beta_int(r, 16), 22, 65514),
    "shift": (learned.shift_int, 1, 7),
    "lam": (lambda r: learned.lam_int(r, THETA, THETA), 0, 99),
}


def slopes(law: str, sign: float) -> torch.Tensor:
    r = WIDE.clone().requires_grad_()
    (sign * GRIDS[law][0](r)).sum().backward()
    return r.grad


@pytest.mark.parametrize("law", GRIDS)
def test_everywhere_a_gradient_leads_back_and_within_the_range_both_ways(law):
    made, low, high = GRIDS[law]
    value = made(WIDE)
    up, down = slopes(law, -1.0), slopes(law, 1.0)  # descent: raise it, lower it
    assert (up[value < high] < 0).all() and (down[value > low] > 0).all()
    inside = (value > low) & (value < high)
    assert inside.any() and (up[inside] == -down[inside]).all()


def test_the_tester_finds_the_dead_zone_of_a_clamp():
    x = torch.tensor([-0.1, 0.5, 1.1], requires_grad=True)
    x.clamp(0, 1).sum().backward()
    assert x.grad.tolist() == [0, 1, 0]


@pytest.mark.parametrize("law", ["beta", "shift", "lam"])
def test_every_value_of_the_grid_is_reached_from_both_sides(law):
    made, low, high = GRIDS[law]
    wanted = torch.arange(low, high + 1).float()
    if law == "lam":  # the decay nearest to no threshold at all is out of reach
        wanted = wanted[:-1]
    for start in (-12.0, 12.0):
        r = torch.full_like(wanted, start).requires_grad_()
        moves = torch.optim.Adam([r], lr=0.2)
        best = torch.full_like(wanted, torch.inf)
        for k in range(1500):
            moves.param_groups[0]["lr"] = 0.2 * 0.995**k
            miss = (made(r) - wanted).abs()
            best = torch.minimum(best, miss.detach())
            moves.zero_grad()
            miss.sum().backward()
            moves.step()
        assert best.max() == 0, (start, wanted[best > 0])


def test_values_stay_within_the_hardware_and_match_the_formulas():
    r = torch.linspace(-8, 8, 2001)
    share = torch.sigmoid(r.double())
    for law, (made, low, high) in GRIDS.items():
        assert made(WIDE).min() == low and made(WIDE).max() == high, law
    k = (-torch.log2(1 - share)).round().clamp(1, 7)
    assert (learned.shift_int(r) - k).abs().max() == 0
    beta = (256 * share).round().clamp(0, 255)
    assert (learned.beta_int(r, 8) - beta).abs().max() <= 1  # ties of float32
    back = learned.raw(torch.sigmoid(r.double()))
    assert torch.allclose(back, r, atol=1e-4)


def test_a_shift_is_the_product_that_training_runs():
    v = torch.arange(-2048, 2048).double()
    for k in range(1, 8):
        part = learned.shift_as_beta(torch.tensor(float(k))) * v / 2**7
        floor = v - torch.floor(v / 2**k)
        near = v - laws.round_half_away(v / 2**k)
        assert torch.equal(laws.rounded(part, "ceil"), floor)
        assert torch.equal(laws.rounded(part, "half_in"), near)
        for how, wanted in ((None, floor), ("nearest", near)):
            told = oracle.decay("shift", v.long().numpy(), 0, k, 0, how)
            assert np.array_equal(told, wanted.long().numpy())


def test_only_rounding_towards_rest_does_not_stall():
    """`stall`: a membrane that the decay never moves. Nearest and floor have some."""
    v = np.arange(-200, 201)
    moved = {
        how: oracle.decay("exponential", v, 0, 248, 8, how) != v
        for how in (None, "trunc")
    }
    assert np.abs(v[~moved[None]]).max() == 16
    assert v[~moved["trunc"]].tolist() == [0]


def test_a_neuron_that_starts_without_a_leak_learns_one():
    """Currents that ask for a leak: from beta = 1 and lambda = 0, all laws."""
    for law, start in (
        ("exponential", {"beta": 1.0, "learn_beta": True}),
        ("shrink", {"lam": 0.0, "learn_lam": True}),
    ):
        lif = LinearDecayLIF(law=law, **start)
        moves = torch.optim.SGD([p for p in lif.parameters()], lr=0.02)
        for _ in range(20):
            _, v = lif(torch.zeros(1, 1), torch.full((1, 1), 0.8))
            moves.zero_grad()
            v.sum().backward()
            moves.step()
        assert float(v.detach()) < 0.79, law


@pytest.mark.parametrize("law", ["exponential", "shrink"])
def test_a_beta_pushed_outside_comes_back(law):
    parameter = "beta" if law == "exponential" else "lam"
    outside = 1.2 if law == "exponential" else -0.2
    lif = LinearDecayLIF(law=law, **{f"learn_{parameter}": True})
    with torch.no_grad():
        getattr(lif, parameter).fill_(outside)
    _, v = lif(torch.zeros(1, 1), torch.full((1, 1), 0.8))
    v.sum().backward()  # a smaller membrane needs more leak: it leads back
    assert getattr(lif, parameter).grad != 0


def opened(arm: str, **knobs) -> speech.Plan:
    chosen = ARMS[arm]
    knobs |= {"rounding": chosen.rounding, "beta_bits": chosen.beta_bits or 8}
    return plan(arm, decays="open", horizon=6.0, **knobs)


@pytest.mark.parametrize("bias", ["neuron", "none"])
@pytest.mark.parametrize("arm", list(ARMS))
def test_training_integers_and_oracle_agree_in_every_arm(
    spoken,  # noqa: F811
    arm,
    bias,
    tmp_path,
):
    mine = opened(arm, bias=bias)
    ck = Checkpoint.load(training.train(mine, True) / "checkpoint.npz")
    assert all((la.bias is None) == (bias == "none") for la in ck.layers)
    pairs = training.training_forward(training.load(mine), spoken, batch=40)
    trace = integer.run(ck, spoken)
    told = oracle.states(
        oracle.load(ck.save(tmp_path / "x.npz")), spoken.dense(np.arange(80))
    )
    for (U, S), layer, by_hand in zip(pairs, trace.layers, told):
        assert layer.spikes
        assert np.array_equal(U, layer.U) and np.array_equal(S, layer.S)
        assert np.array_equal(by_hand["U"], layer.U)
    if ck.law == "exponential":
        assert (
            max(la.row("beta").max() for la in ck.layers) < 2 ** ck.layers[0].beta_shift
        )
    if ck.law == "shift":
        k = np.concatenate([la.row("beta") for la in ck.layers])
        assert k.min() >= 1 and k.max() <= 7 and len(np.unique(k)) > 1


def test_states_that_were_learned_under_a_clamp_still_load(spoken):  # noqa: F811
    old = speech.SpeechMlp(replace(plan("vlif").network_spec, channels=30))
    with torch.no_grad():
        old.layers[0].decay[:3] = torch.tensor([1.2, -0.3, 0.9])  # dead, dead, alive
    new = speech.SpeechMlp(replace(opened("vlif").network_spec, channels=30))
    new.load_state_dict(old.state_dict())
    held_in = held(old.layers[0].decay.detach(), 0, 1)
    found = learned.share(new.layers[0].raw.detach())
    assert torch.allclose(found, held_in, atol=4e-4)


def test_every_arm_is_tuned_with_the_same_care():
    tried = designs.tasks("open-tune")
    for arm in set(ARMS) - {"if"}:
        mine = [t for t in tried if t.arm == arm]
        assert sorted(t.horizon for t in mine) == sorted(designs.HORIZONS)
        assert {(t.epochs, t.seed, t.fold, t.version) for t in mine} == {(8, 0, 0, 2)}
    main = designs.tasks("open-main")
    for arm in (*designs.OPEN_FIRST, "if"):
        assert sum(t.arm == arm for t in main) == designs.SEEDS


def test_rows_of_the_clamp_and_open_rows_never_share_a_key():
    old = {t.key for s in designs.STUDIES if "open" not in s for t in designs.tasks(s)}
    new = [t for s in designs.STUDIES if "open" in s for t in designs.tasks(s)]
    assert all(t.version == 2 and "version=2" in t.key for t in new)
    assert not old & {t.key for t in new}


def test_a_study_waits_until_its_arms_are_tuned(tmp_path, monkeypatch):
    monkeypatch.setattr(designs, "chosen", lambda arm: None)
    told = []
    assert protocol.run(["open-main"], told=told.append, home=tmp_path) == []
    assert "wait until open-tune" in told[-1]


@pytest.mark.parametrize("kind", list(ceilings.KINDS))
def test_ceilings_train_on_the_same_clips(spoken, kind):  # noqa: F811
    base = plan("if")
    spec = replace(base.network_spec, grid=None)
    mine = ceilings.Plan("if", 0, base.profile, network_spec=spec, kind=kind)
    mine = replace(mine, learning_rate=1e-2)
    if kind == "mlp":  # 12 steps do not divide into the coarse bins of 70
        with pytest.raises(RuntimeError):
            training.train(mine, quiet=True)
        return
    net = training.load(mine)
    told = training.predicted(net, spoken, np.arange(80))
    assert told.shape == (80,) and set(told) <= set(range(20))


def test_ceilings_have_about_as_many_weights_as_mlp2():
    mlp2 = sum(
        p.weight.numel() for p in speech.SpeechMlp(speech.SpeechSpec("none")).layers
    )
    for kind in ceilings.KINDS:
        many = sum(p.numel() for p in ceilings.Ceiling(kind, 140).parameters())
        assert 0.9 < many / mlp2 < 1.1, (kind, many, mlp2)
