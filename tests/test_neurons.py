"""LinearDecayLIF against snn.Leaky, its own single steps, and snnTorch's habits."""

import copy
import gc

import pytest
import snntorch as snn
import torch
from snntorch import surrogate, utils
from torch import nn

from lindecay import neurons
from lindecay.neurons import LinearDecayLIF
from lindecay.settings import Fault

LAWS = ("shrink", "floor", "floor_after", "drift", "none", "exponential", "shift")


def one(law, **more):
    """A neuron of any law with parameters that make it work."""
    given = (
        {"law": law, "beta": 0.9} if law == "exponential" else {"law": law, "lam": 0.06}
    )
    if law == "shift":
        given = {"law": law, "shift": 3, "threshold": 40.0}
    if law == "none":
        given = {"law": law}
    return LinearDecayLIF(**given, **more)


def current(law="shrink", steps=40):
    torch.manual_seed(0)
    x = torch.randn(steps, 3, 5)
    return (x * 40).round() if law == "shift" else x


def run(layer, x):
    """Step by step, from rest: spikes, membranes."""
    mem, record = layer.reset_mem(), []
    for now in x:
        spk, mem = layer(now, mem)
        record.append((spk, mem))
    return tuple(map(torch.stack, zip(*record)))


@pytest.mark.parametrize("reset", ("subtract", "zero", "none"))
@pytest.mark.parametrize("whole", (False, True))
def test_equals_leaky_spike_by_spike(reset, whole):
    """Exponential law, reset one step late: snn.Leaky, gradients included."""
    ours = one(
        "exponential", reset_delay=True, reset_mechanism=reset, whole_sequence=whole
    )
    theirs = snn.Leaky(0.9, reset_mechanism=reset)
    x, y = (current().requires_grad_() for _ in range(2))
    spk, mem = ours(x) if whole else run(ours, x)
    spk_, mem_ = run(theirs, y)
    assert torch.equal(spk, spk_) and torch.equal(mem, mem_) and spk.sum() > 20
    (spk * mem.detach().cos()).sum().backward()
    (spk_ * mem_.detach().cos()).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-5, atol=1e-7)


def test_equals_leaky_with_immediate_reset_while_it_never_stays_above_threshold():
    x = current().clamp(max=0.9)
    spk, mem = run(one("exponential"), x)
    spk_, mem_ = run(snn.Leaky(0.9, reset_delay=False), x)
    assert torch.equal(spk, spk_) and spk.sum() > 10
    torch.testing.assert_close(mem, mem_)


@pytest.mark.xfail(
    strict=True, reason="snnTorch 1.0.0 holds back while V stays above θ"
)
def test_leaky_fires_again_while_it_stays_above_threshold():
    """One kick of 3.5 with no leak must fire three times; snnTorch stops at two."""
    x = torch.tensor([3.5, 0.0, 0.0, 0.0]).reshape(4, 1, 1)
    spk, _ = run(snn.Leaky(1.0, reset_delay=False), x)
    assert spk.flatten().tolist() == [1, 1, 1, 0]


def test_what_leaky_does_instead():
    x = torch.tensor([3.5, 0.0, 0.0, 0.0]).reshape(4, 1, 1)
    spk, mem = run(snn.Leaky(1.0, reset_delay=False), x)
    assert spk.flatten().tolist() == [1, 1, 0, 0]
    assert mem.flatten().tolist() == [2.5, 1.5, 1.5, 1.5]  # above θ, silent for ever


def test_ours_fires_again_while_it_stays_above_threshold():
    x = torch.tensor([3.5, 0.0, 0.0, 0.0]).reshape(4, 1, 1)
    spk, mem = run(LinearDecayLIF(law="none"), x)
    assert spk.flatten().tolist() == [1, 1, 1, 0]
    assert mem.flatten().tolist() == [2.5, 1.5, 0.5, 0.5]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("delay", (False, True))
@pytest.mark.parametrize("hidden", (False, True))
def test_single_steps_equal_the_whole_sequence(law, delay, hidden):
    x = current(law)
    more = dict(reset_delay=delay, init_hidden=hidden)
    steps = one(law, **more)
    spk_ = torch.stack([steps(now) for now in x]) if hidden else run(steps, x)[0]
    whole = one(law, whole_sequence=True, **more)
    spk = whole(x) if hidden else whole(x)[0]
    assert torch.equal(spk, spk_) and spk.sum() > 0
    assert torch.equal(whole.mem, steps.mem)


def test_the_state_carries_gradients_from_one_sequence_to_the_next():
    x = current(steps=8).requires_grad_()
    halves = LinearDecayLIF(0.05, init_hidden=True, whole_sequence=True)
    torch.stack([halves(part) for part in x.split(4)]).sum().backward()
    y = x.detach().clone().requires_grad_()
    LinearDecayLIF(0.05, init_hidden=True, whole_sequence=True)(y).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize("output", (False, True))
def test_a_module_used_twice_before_one_backward(output):
    """Each use keeps its own memory: the gradients are those of two layers."""
    x = current().requires_grad_()
    layer = LinearDecayLIF(
        0.05, init_hidden=True, output=output, learn_lam=True, whole_sequence=True
    )

    def spikes(layer, x):
        layer.reset_mem()
        return layer(x)[0] if output else layer(x)

    (spikes(layer, x) * spikes(layer, 2 * x)).sum().backward()
    y = x.detach().clone().requires_grad_()
    twins = [copy.deepcopy(layer) for _ in range(2)]
    for twin in twins:
        twin.zero_grad()
    (spikes(twins[0], y) * spikes(twins[1], 2 * y)).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    both = sum(twin.lam.grad for twin in twins)
    torch.testing.assert_close(layer.lam.grad, both)


def test_lives_in_sequential_and_is_reset_by_snntorch():
    net = nn.Sequential(
        nn.Linear(5, 4), LinearDecayLIF(0.05, init_hidden=True),
        nn.Linear(4, 2), LinearDecayLIF(0.05, init_hidden=True, output=True),
    )  # fmt: skip
    spk, mem = net(current()[0])
    assert spk.shape == mem.shape == (3, 2) and net[1].mem.abs().sum() > 0
    utils.reset(net)
    assert not net[1].mem.any() and net[1].mem.grad_fn is None


def test_our_reset_reaches_nested_layers_that_snntorch_misses():
    inner = nn.Sequential(nn.Linear(5, 4), LinearDecayLIF(0.05, init_hidden=True))
    net = nn.Sequential(inner)
    net(current()[0])
    utils.reset(net)
    assert inner[1].mem.any()  # snnTorch looks at direct children only
    neurons.reset(net)
    assert not inner[1].mem.any()


def test_state_dict_moves_parameters_and_leaves_the_state():
    a = LinearDecayLIF(torch.rand(5) / 2, learn_lam=True, learn_threshold=True)
    run(a, current())
    b = LinearDecayLIF(torch.zeros(5), learn_lam=True, learn_threshold=True)
    b.load_state_dict(a.state_dict())
    assert torch.equal(a.lam, b.lam) and "mem" not in a.state_dict()
    assert torch.equal(run(a, current())[0], run(b, current())[0])


def test_copies_are_independent_and_known_to_reset():
    net = nn.Sequential(nn.Linear(5, 4), LinearDecayLIF(0.05, init_hidden=True))
    net(current()[0])
    twin = copy.deepcopy(net)
    before = twin[1].mem.clone()
    net(current()[1])
    assert torch.equal(twin[1].mem, before) and not torch.equal(net[1].mem, before)
    utils.reset(twin)
    assert not twin[1].mem.any()


def test_layers_are_freed_with_their_network():
    gc.collect()
    before = len(snn.SpikingNeuron.instances)
    layer = LinearDecayLIF(0.1)
    assert len(snn.SpikingNeuron.instances) == before + 1
    del layer
    gc.collect()
    assert len(snn.SpikingNeuron.instances) == before


@pytest.mark.filterwarnings("ignore:.*should not be instantiated")  # torch's own
@pytest.mark.parametrize("whole", (False, True))
def test_compiles(whole):
    layer = LinearDecayLIF(0.05, whole_sequence=whole)
    compiled = torch.compile(layer, backend="eager")
    x = current()
    want = layer(x)[0] if whole else run(layer, x)[0]
    if whole:
        assert torch.equal(compiled(x)[0], want)
        return
    mem, record = torch.zeros(3, 5), []
    for now in x:
        spk, mem = compiled(now, mem)
        record.append(spk)
    assert torch.equal(torch.stack(record), want)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated")  # torch's own
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # and this
def test_a_compiled_network_trains_as_it_does_uncompiled():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(5, 4), LinearDecayLIF(0.05, learn_lam=True, whole_sequence=True),
    )  # fmt: skip
    x, found = torch.randn(4, 3, 5) * 3, []
    for run in (net, torch.compile(net, backend="aot_eager")):
        net.zero_grad()
        spikes, _ = run(x)
        (spikes * torch.arange(4.0)).sum().backward()
        found.append([spikes.detach(), *(p.grad.clone() for p in net.parameters())])
    assert found[0][0].any() and len(found[0]) == 4
    for a, b in zip(*found):
        torch.testing.assert_close(a, b)


def test_learned_lam_moves_and_stays_inside():
    layer = LinearDecayLIF(0.5, learn_lam=True, whole_sequence=True)
    adam = torch.optim.Adam(layer.parameters(), lr=0.1)
    for sign in (1, -1):  # push it out at either end, then look at what is used
        for _ in range(20):
            adam.zero_grad()
            (sign * layer(current())[1].abs().mean()).backward()
            adam.step()
        used = layer._lam_now()
        assert 0 <= used < layer.threshold
    assert layer.lam.grad is not None


def test_gradients_bring_a_stray_lam_back():
    high = torch.tensor(1.0)
    for value, slope, passes in (
        (-0.1, -1.0, True),
        (-0.1, 1.0, False),
        (1.2, 1.0, True),
    ):
        lam = torch.tensor(value, requires_grad=True)
        neurons.Within.apply(lam, high).backward(torch.tensor(slope))
        assert bool(lam.grad != 0) is passes


@pytest.mark.parametrize("shape", ((), (5,), (1, 5)))
def test_lam_per_layer_or_per_neuron(shape):
    lam = torch.full(shape, 0.07)
    layer = LinearDecayLIF(lam, learn_lam=True, whole_sequence=True)
    want = LinearDecayLIF(0.07, whole_sequence=True)(current())[0]
    spk, _ = layer(current())
    spk.sum().backward()
    assert torch.equal(spk, want) and layer.lam.grad.shape == shape


@pytest.mark.parametrize(
    "grad, name",
    [
        (None, ("atan", 2.0)),
        (surrogate.fast_sigmoid(10), ("fast_sigmoid", 10.0)),
        (surrogate.sigmoid(5), ("sigmoid", 5.0)),
        (surrogate.straight_through_estimator(), ("straight", 1.0)),
        (surrogate.triangular(), None),
    ],
)
def test_snntorch_surrogates_are_known_or_used_as_they_are(grad, name):
    layer = LinearDecayLIF(0.05, spike_grad=grad, whole_sequence=True)
    assert neurons.named(layer.spike_grad) == name
    x, y = (current().requires_grad_() for _ in range(2))
    layer(x)[0].sum().backward()
    run(LinearDecayLIF(0.05, spike_grad=grad), y)[0].sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-5, atol=1e-6)


def test_inhibition_and_graded_spikes_work():
    x = current()
    with pytest.warns(UserWarning, match="unstable"):
        layer = LinearDecayLIF(0.05, inhibition=True, whole_sequence=True)
    assert layer(x)[0].sum(-1).max() == 1
    layer = LinearDecayLIF(0.05, graded_spikes_factor=2.5, whole_sequence=True)
    plain = LinearDecayLIF(0.05, whole_sequence=True)
    assert torch.equal(layer(x)[0], 2.5 * plain(x)[0])


BAD = [
    (dict(lam=-0.1), "λ must not be negative"),
    (dict(lam=1.0), "λ must be below θ"),
    (dict(threshold=0.0), "θ must be positive"),
    (dict(law="linear"), "unknown decay law"),
    (dict(law="exponential", beta=1.2), "β out of range"),
]


@pytest.mark.parametrize("given, words", BAD)
def test_bad_parameters_are_one_clear_line(given, words):
    with pytest.raises(Fault, match=words):
        LinearDecayLIF(**given)


def test_a_kept_membrane_cannot_be_passed():
    layer = LinearDecayLIF(0.1, init_hidden=True)
    with pytest.raises(Fault, match="kept inside"):
        layer(torch.zeros(1, 2), torch.zeros(1, 2))


def test_linear_leak_has_no_beta_to_export():
    with pytest.raises(Fault, match="linear leak has no β"):
        LinearDecayLIF(0.1).beta.detach()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_gives_the_same_spikes():
    layer = LinearDecayLIF(0.05, whole_sequence=True)
    want = layer(current())[0]
    assert torch.equal(layer.cuda()(current().cuda())[0].cpu(), want)


def chain(**law):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4, bias=False), LinearDecayLIF(**law))


@pytest.mark.parametrize(
    "law, words",
    [
        (dict(lam=0.1, reset_mechanism="zero"), "cannot express this leak"),
        (dict(law="exponential", beta=0.9), "cannot express this reset"),
        (dict(law="none", reset_mechanism="zero", reset_delay=True), "this reset"),
    ],
)
def test_nir_export_says_what_it_cannot_express(law, words):
    with pytest.raises(Fault, match=words):
        neurons.to_nir(chain(**law))


@pytest.mark.parametrize("law", (dict(law="exponential", beta=0.9), dict(law="none")))
def test_nir_export_keeps_every_spike(law):
    """Euler steps of the exported equations, in numpy, give the layer's spikes."""
    pytest.importorskip("nir", reason="the optional package nir is not installed")
    net = chain(**law, reset_mechanism="zero", whole_sequence=True)
    x = current() * 2
    want = net(x)[0].detach()
    w, node = [n for n in neurons.to_nir(net).nodes.values() if hasattr(n, "weight")
               or hasattr(n, "r")]  # fmt: skip
    v = torch.zeros(3, 4)
    for now, spikes in zip(x, want):
        drive = torch.tensor(node.r) * (now @ torch.tensor(w.weight).T)
        if hasattr(node, "tau"):
            v = v + 1e-4 / torch.tensor(node.tau) * (drive - v)
        else:
            v = v + drive
        fired = v > torch.tensor(node.v_threshold)
        assert torch.equal(fired.float(), spikes)
        v = torch.where(fired, 0.0, v)


def test_nir_export_needs_its_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nir", None)
    with pytest.raises(Fault, match="pip install nir"):
        neurons.to_nir(chain(law="none", reset_mechanism="zero"))
