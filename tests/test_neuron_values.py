"""LinearDecayLIF is right or says one line: kinds of fault that other people reported.

Kinds: A dtype of λ, B frozen settings,
C checked in one place only, D unused arguments, E whole and step disagree, F copies.
"""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
import snntorch as snn
import torch
from snntorch import surrogate, utils
from torch import nn

from lindecay import kernels
from lindecay.neurons import LinearDecayLIF as LIF
from lindecay.settings import Fault


def steps_of(layer, x, mem=None):
    """Spikes and membranes step by step."""
    out = []
    for now in x:
        spk, mem = layer(now, mem)
        out.append((spk, mem))
    return tuple(torch.stack(o) for o in zip(*out))


# ---- A: θ, λ and β are floating point at the door


@pytest.mark.parametrize("one", [1, 1.0, np.int64(1), np.float32(1), torch.tensor(1)])
def test_lambda_keeps_its_fraction_beside_any_threshold(one):
    assert LIF(0.1, threshold=one).lam.item() == pytest.approx(0.1)
    assert LIF(np.float64(0.1), threshold=one).lam.is_floating_point()


def test_lambda_beside_an_integer_threshold_leaks():
    x = torch.full((8, 1, 1), 0.6)
    brute, v, fired = 0.3, 0.0, 0
    for _ in range(8):
        v = max(v - brute, 0) + 0.6
        fired, v = fired + (v > 2), v - 2 * (v > 2)
    assert LIF(0.3, threshold=2, whole_sequence=True)(x)[0].sum() == fired == 1


@pytest.mark.parametrize("bad", [True, "1", None, 1j, torch.tensor(True), [True]])
@pytest.mark.parametrize("name", ["lam", "threshold", "beta"])
def test_what_is_no_number_is_one_line(name, bad):
    law = {"law": "exponential"} if name == "beta" else {}
    with pytest.raises(Fault, match="is no number"):
        LIF(**{name: bad}, **law)


def test_an_integer_can_be_learned():
    layer = LIF(0, threshold=1, learn_lam=True, learn_threshold=True)
    assert layer.lam.dtype == layer.threshold.dtype == torch.float32


# ---- B: settings count when they are used


def test_a_reset_changed_later_counts_in_both_modes():
    x = torch.full((6, 1, 1), 1.5)
    for whole in (False, True):
        layer = LIF(0.05, whole_sequence=whole)
        layer.reset_mechanism = "zero"
        want = LIF(0.05, reset_mechanism="zero", whole_sequence=whole)
        runs = [m(x) if whole else steps_of(m, x) for m in (layer, want)]
        assert torch.equal(runs[0][1], runs[1][1])
        assert layer.rule.reset == "zero"


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "name, value",
    [
        ("reset_delay", True),
        ("spike_grad", surrogate.sigmoid(3)),
        ("clamp", (-1.0, 1.2)),
        ("detach_reset", False),
        ("threshold", 0.7),
        ("lam", 0.2),
        ("graded_spikes_factor", torch.tensor(3.0)),
    ],
)
def test_any_setting_changed_later_equals_one_given(name, value, whole):
    torch.manual_seed(0)
    x, y = (torch.randn(20, 2, 3).requires_grad_() for _ in range(2))
    y.data.copy_(x.data)
    late, given = LIF(0.05, whole_sequence=whole), None
    setattr(late, name, value)
    given = LIF(**({"lam": 0.05} | {name: value}), whole_sequence=whole)
    a, b = (m(i) if whole else steps_of(m, i) for m, i in ((late, x), (given, y)))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    (a[0] * a[1].detach()).sum().backward(), (b[0] * b[1].detach()).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


def test_a_loaded_factor_scales_the_spikes():
    graded = LIF(0.05, graded_spikes_factor=3.0)
    layer = LIF(0.05, whole_sequence=True)
    layer.load_state_dict(graded.state_dict())
    assert layer(torch.full((3, 1, 1), 2.0))[0].unique().tolist() == [3.0]


def test_a_loaded_reset_counts():
    layer = LIF(0.05)
    layer.load_state_dict(LIF(0.05, reset_mechanism="zero").state_dict())
    assert layer.reset_mechanism == layer.rule.reset == "zero"
    assert layer(torch.full((1, 1), 1.5))[1].item() == 0


def test_a_given_parameter_is_the_one_that_is_learned():
    for name in ("lam", "threshold", "beta"):
        own = nn.Parameter(torch.tensor(0.4))
        law = {"law": "exponential"} if name == "beta" else {}
        layer = LIF(**{name: own}, whole_sequence=True, **law)
        assert getattr(layer, name) is own and own in list(layer.parameters())


@pytest.mark.parametrize("name", ["law", "rule"])
def test_what_is_derived_is_not_assigned(name):
    with pytest.raises(Fault, match="cannot be assigned"):
        setattr(LIF(0.1), name, "none")


# ---- C: checked wherever a value comes in, in both modes


@pytest.mark.parametrize(
    "bad, words",
    [
        ({"lam": torch.tensor(2.0)}, "below θ: found λ = 2 at θ = 1"),
        ({"lam": torch.tensor(float("nan"))}, "loaded λ is not finite"),
        ({"threshold": torch.tensor(-1.0)}, "θ must be positive"),
        ({"reset_mechanism_val": torch.tensor(7)}, "unknown reset"),
    ],
)
def test_a_bad_file_is_refused(bad, words):
    with pytest.raises(Fault, match=words):
        LIF(0.1).load_state_dict(LIF(0.1).state_dict() | bad)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda m: m.lam.fill_(2.0), "λ must be below θ"),
        (lambda m: m.lam.data.fill_(float("nan")), "λ is not finite"),
        (lambda m: m.threshold.fill_(-0.3), "θ must be positive"),
        (lambda m: m.threshold.data.fill_(float("inf")), "θ is not finite"),
    ],
)
def test_values_spoilt_later_are_found_in_both_modes(whole, spoil, words):
    layer, x = LIF(0.1, whole_sequence=whole), torch.zeros(4, 2, 3)
    layer(x if whole else x[0])
    spoil(layer)
    with pytest.raises(Fault, match=words):
        layer(x if whole else x[0])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_input_that_is_not_finite_is_found_in_both_modes(whole, value):
    x = torch.zeros(4, 2, 3)
    x[0, 1, 2] = value
    with pytest.raises(Fault, match="current is not finite"):
        LIF(0.1, whole_sequence=whole)(x if whole else x[0])


def test_large_sums_are_no_infinity():
    assert LIF(0.1)(torch.full((1, 4), 3e38))[0].sum() == 4


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("shape", [(5, 1, 3), (2,), (4,), (1, 2, 1, 3)])
def test_shapes_that_do_not_broadcast_are_refused_in_both_modes(whole, shape):
    x = torch.zeros(4, 2, 3) if whole else torch.zeros(2, 3)
    with pytest.raises(Fault, match="wrong shape"):
        LIF(torch.full(shape, 0.1), whole_sequence=whole)(x)


@pytest.mark.parametrize("whole", [False, True])
def test_a_single_value_adds_no_axes(whole):
    x = torch.zeros(4, 2, 3) if whole else torch.zeros(2, 3)
    layer = LIF(torch.full((1, 1, 1, 1), 0.1), whole_sequence=whole)
    assert layer(x)[0].shape == x.shape


@pytest.mark.parametrize("whole", [False, True])
def test_a_membrane_of_another_shape_is_refused(whole):
    x = torch.zeros(4, 2, 3) if whole else torch.zeros(2, 3)
    with pytest.raises(Fault, match="mem has the wrong shape"):
        LIF(0.1, whole_sequence=whole)(x, torch.ones(5, 3))
    LIF(0.1, whole_sequence=whole)(x, torch.zeros(0))  # snnTorch's reset_mem()
    LIF(0.1, whole_sequence=whole)(x, torch.zeros(7, 3))  # of an earlier batch


# ---- D: arguments that the law does not use


@pytest.mark.parametrize(
    "given",
    [
        dict(beta=0.9),
        dict(beta=0.9, learn_beta=True),
        dict(learn_beta=True),
        dict(lam=0.3, law="exponential"),
        dict(lam=0.3, law="none"),
        dict(learn_lam=True, law="exponential"),
        dict(lam=0.3, law="shift", shift=3),
        dict(shift=3),
    ],
)
def test_an_argument_without_effect_is_refused(given):
    with pytest.raises(Fault, match="has no"):
        LIF(**given)


# ---- E: whole and step agree, in every dtype and off the fused path


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_sums_keep_what_narrow_floats_lose(dtype):
    x = torch.full((2000, 1, 1), 1 / 256).to(dtype)
    whole = LIF(0.0, whole_sequence=True)(x)
    step = steps_of(LIF(0.0), x)
    assert whole[0].sum() == step[0].sum() == 7
    assert whole[0].dtype == step[0].dtype == dtype
    assert torch.equal(whole[1], step[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_and_moved_networks_give_the_dtype_asked_for(dtype):
    def net():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 3), LIF(0.05, init_hidden=True))

    x = torch.rand(5, 4)
    assert net().to(dtype)(x.to(dtype)).dtype == dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert net()(x).dtype == torch.bfloat16
    both = net()
    both(x)
    both.double()
    spk = both(x.double())
    assert spk.dtype == both[1].mem.dtype == torch.float64


def test_gradients_of_lambda_under_autocast_equal_those_of_steps():
    torch.manual_seed(0)
    x = torch.randn(200, 4, 5).bfloat16()
    grads = []
    for whole in (False, True):
        layer = LIF(0.05, learn_lam=True, whole_sequence=whole)
        spk, mem = layer(x) if whole else steps_of(layer, x)
        (spk.float() * mem.detach()).sum().backward()
        grads.append(layer.lam.grad)
    torch.testing.assert_close(*grads)


def test_truth_values_and_bytes_are_spike_trains():
    x = torch.rand(30, 2, 3) < 0.5
    want = kernels.sequence(x.float(), lam=0.1)[0]
    for given in (x, x.byte(), x.half()):
        assert torch.equal(kernels.sequence(given, lam=0.1)[0].float(), want)
        assert torch.equal(steps_of(LIF(0.1), given)[0].float(), want)
    with pytest.raises(Fault, match="dtype"):
        kernels.sequence(x.long(), lam=0.1)


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable")
@pytest.mark.parametrize(
    "more", [{"inhibition": True}, {"state_quant": lambda v: (v * 8).round() / 8}]
)
def test_inhibition_and_quantised_states_start_where_they_are_told(more):
    torch.manual_seed(0)
    x, mem = torch.randn(9, 2, 3), torch.rand(2, 3)
    whole = LIF(0.05, whole_sequence=True, **more)
    want = steps_of(LIF(0.05, **more), x, mem)
    for _ in range(2):  # nothing is kept between calls
        got = whole(x, mem)
        assert torch.equal(got[0], want[0]) and torch.equal(got[1], want[1])
    assert whole(x[:0])[0].shape == (0, 2, 3)


def test_delayed_zero_reset_equals_snntorch_when_changed_later():
    torch.manual_seed(0)
    x = torch.rand(30, 2, 3)
    ours, theirs = LIF(law="exponential", beta=0.9, reset_delay=True), snn.Leaky(0.9)
    ours.reset_mechanism = "zero"
    theirs = snn.Leaky(0.9, reset_mechanism="zero")
    a, b = steps_of(ours, x, torch.zeros(2, 3)), steps_of(theirs, x, torch.zeros(2, 3))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


# ---- F: copies, files, other processes


def test_a_copy_leaves_the_original_its_gradient():
    torch.manual_seed(0)
    first, second = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3)

    def gradient(copied: bool):
        layer = LIF(0.05, init_hidden=True, learn_lam=True)
        a = layer(first)
        if copied:
            copy.deepcopy(layer), pickle.dumps(layer)
        g = torch.autograd.grad((a + layer(second)).sum(), first)[0]
        return g

    assert torch.equal(gradient(True), gradient(False)) and gradient(True).any()


SURROGATES = [
    None,
    surrogate.fast_sigmoid(7),
    surrogate.atan(3.0),
    surrogate.sigmoid(4),
    surrogate.straight_through_estimator(),
    surrogate.triangular(0.5),
    surrogate.SFS(7, 2),
    surrogate.spike_rate_escape(2, 5),
]


@pytest.mark.parametrize("grad", SURROGATES)
def test_a_used_network_can_be_pickled(grad):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), LIF(0.05, spike_grad=grad, init_hidden=True))
    x = torch.rand(5, 4)
    net(x)
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    twins = [pickle.loads(pickle.dumps(net)), torch.load(file, weights_only=False)]
    want, mem = net(2 * x), net[1].mem.clone()
    for twin in twins:
        assert torch.equal(twin(2 * x), want) and torch.equal(twin[1].mem, mem)
    for twin in twins:  # snnTorch's own reset knows the new layer too
        utils.reset(twin)
        assert not twin[1].mem.any()


def test_a_spawned_process_gets_the_layer():
    import concurrent.futures
    import multiprocessing

    layer = LIF(0.1, init_hidden=True)
    layer(torch.ones(1, 2))
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(_lam, layer).result() == pytest.approx(0.1)


def _lam(layer):
    return layer.lam.item()


def test_detach_hidden_works_after_a_whole_sequence():
    layer = LIF(0.1, whole_sequence=True, init_hidden=True, output=True)
    layer(torch.ones(3, 1, 2, requires_grad=True))
    LIF.detach_hidden()
    assert layer.mem.grad_fn is None


# ---- learned values stay where they mean something


def test_a_learned_threshold_stays_above_lambda_and_can_return():
    for fixed in (True, False):
        layer = LIF(0.3, learn_threshold=True, learn_lam=not fixed, whole_sequence=True)
        layer.threshold.data.fill_(-0.2)
        x = torch.rand(20, 2, 3)
        with pytest.warns(UserWarning, match="kept just above"):
            spk, mem = layer(x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            layer(x)  # said once
        lam, _, theta = layer._now(x)
        assert 0 <= lam < theta
        spk.sum().backward()  # fewer spikes: the threshold may rise again
        assert torch.isfinite(layer.threshold.grad).all() and layer.threshold.grad < 0


@pytest.mark.parametrize("name", ["lam", "threshold", "beta"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_learned_value_that_is_nan_is_told(name, whole):
    law = {"law": "exponential", "beta": 0.9} if name == "beta" else {"lam": 0.1}
    layer = LIF(**law, **{f"learn_{name}": True}, whole_sequence=whole)
    getattr(layer, name).data.fill_(float("nan"))
    with pytest.raises(Fault, match="not finite"):
        layer(torch.zeros(3, 2, 3) if whole else torch.zeros(2, 3))


def test_a_neuron_without_a_leak_is_not_told_to_have_none():
    with pytest.raises(Fault) as told:
        LIF(law="none").beta.clamp(0, 1)
    assert "law='none' or" not in str(told.value)
    assert "or law='none'" not in str(told.value)


# ---- what torch only looks at


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"
)
@pytest.mark.parametrize("whole", [False, True])
def test_a_trace_gives_the_same_spikes(whole):
    torch.manual_seed(0)
    x = torch.randn(6, 2, 3) if whole else torch.randn(2, 3)
    want = LIF(0.05, whole_sequence=whole)(x)
    got = torch.jit.trace(LIF(0.05, whole_sequence=whole), (x,), check_trace=False)(x)
    assert torch.equal(got[0], want[0]) and torch.equal(got[1], want[1])


@pytest.mark.parametrize("whole", [False, True])
def test_function_transforms_are_refused_in_our_words(whole):
    x = torch.zeros(5, 4, 2, 3)[:, : 4 if whole else 1].squeeze(1)
    with pytest.raises(Fault, match="batch axis"):
        torch.vmap(lambda one: LIF(0.05, whole_sequence=whole)(one)[0])(x)


def test_checks_can_be_switched_off():
    x = torch.full((1, 2), float("nan"))
    assert LIF(0.1, check=False)(x)[0].sum() == 0
