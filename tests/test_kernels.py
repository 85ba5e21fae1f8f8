"""The fused time loop against autograd, finite differences, integers and bad input."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lindecay import kernels
from lindecay.kernels import (
    Events,
    Rule,
    cpu,
    fused,
    plain,
    pool,
    sparse,
    spike_lists,
    synapses,
)
from lindecay.settings import Fault

LAWS = ("shrink", "floor", "floor_after", "drift", "exponential", "shift", "none")
RESETS = ("subtract", "zero", "none")
GRID = [
    dict(law=law, reset=reset, detach_reset=detach, delayed=delayed)
    for law, reset, detach, delayed in product(
        LAWS, RESETS, (True, False), (False, True)
    )
    if not (law == "floor_after" and reset == "subtract" and delayed)
]
FEW = [  # what is really compiled here; the rest runs the same source uncompiled
    dict(law="shrink", reset="subtract", detach_reset=True, delayed=False),
    dict(law="shrink", reset="zero", detach_reset=False, delayed=False),
    dict(law="exponential", reset="subtract", detach_reset=True, delayed=True),
]


def name_of(fields):
    return "-".join(str(v) for v in fields.values())


@pytest.fixture
def uncompiled(monkeypatch):
    """The fused loops as plain Python: same source, no compiler."""
    for name in ("forward", "backward"):
        made = getattr(fused, name)
        monkeypatch.setattr(fused, name, lambda *a, made=made: made(*a).py_func)


def problem(fields, vector, shape=(9, 2, 3), seed=0):
    """Random float64 currents, parameters, start state and gradients."""
    torch.manual_seed(seed)
    unit = 40.0 if fields["law"] == "shift" else 1.0  # whole numbers, else reals
    current = torch.randn(shape, dtype=torch.float64) * 1.2 * unit
    state = torch.randn(shape[1:], dtype=torch.float64) * unit
    if fields["law"] == "shift":
        current, state = current.round(), state.round()
    spread = torch.linspace(0, 0.05, shape[-1]) if vector else torch.zeros(())
    numbers = {
        k: (v + spread).double() for k, v in dict(lam=0.1, beta=0.8, theta=unit).items()
    }
    more = dict(clamp=(-2 * unit, 1.7 * unit), surrogate="atan", slope=2.0, scale=1.5)
    if fields["law"] == "shift":
        more["shift"] = 3
    return current, state, numbers, {**fields, **more}


def gradients(backend, current, state, numbers, rule, keep="membrane"):
    """Spikes, the second output and all gradients of one random functional."""
    leaves = [x.clone().requires_grad_() for x in (current, state, *numbers.values())]
    x, v, lam, beta, theta = leaves
    out = kernels.sequence(
        x, state=v, lam=lam, beta=beta, theta=theta, backend=backend,
        membrane=keep == "membrane", recompute=keep == "recompute", **rule,
    )  # fmt: skip
    torch.manual_seed(1)
    loss = sum((o * torch.randn_like(o)).sum() for o in out if o.requires_grad)
    loss.backward()
    grads = [torch.zeros_like(a) if a.grad is None else a.grad for a in leaves]
    return [o.detach() for o in out], grads


def assert_same(ours, theirs, digits=1e-10):
    (outs, grads), (outs_, grads_) = ours, theirs
    assert torch.equal(outs[0], outs_[0]), "a spike differs"
    torch.testing.assert_close(outs[1], outs_[1], rtol=digits, atol=1e-12)
    for a, b in zip(grads, grads_):
        torch.testing.assert_close(a, b, rtol=digits, atol=1e-11)


@pytest.mark.parametrize("fields", GRID, ids=name_of)
@pytest.mark.parametrize("vector", (False, True), ids=("scalar", "vector"))
def test_gradients_equal_autograd(uncompiled, fields, vector):
    args = problem(fields, vector)
    assert_same(gradients("fused", *args), gradients("plain", *args))


@pytest.mark.parametrize("fields", FEW, ids=name_of)
@pytest.mark.parametrize("keep", ("membrane", "private", "recompute"))
def test_compiled_gradients_equal_autograd(fields, keep):
    args = problem(fields, vector=True, shape=(21, 3, 5))
    if keep == "recompute":  # its last state carries no gradient
        ours = gradients("fused", *args, keep=keep)
        x, v, lam, beta, theta = [
            a.clone().requires_grad_() for a in (*args[:2], *args[2].values())
        ]
        spikes, _ = kernels.sequence(
            x, state=v, lam=lam, beta=beta, theta=theta, backend="plain", **args[3]
        )
        torch.manual_seed(1)
        (spikes * torch.randn_like(spikes)).sum().backward()
        for got, leaf in zip(ours[1], (x, v, lam, beta, theta)):
            want = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
            torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-11)
        return
    assert_same(
        gradients("fused", *args, keep=keep), gradients("plain", *args, keep=keep)
    )


@pytest.mark.parametrize("many", (3, 1500), ids=("repeated", "long"))
def test_parameters_of_many_neurons_repeat(many):
    """Rows of several stretches of parameters, more terms than one partial sum."""
    args = problem(FEW[0], vector=True, shape=(12, 900 if many == 3 else 4, many))
    assert_same(gradients("fused", *args), gradients("plain", *args))


@pytest.mark.parametrize("fields", GRID, ids=name_of)
def test_gradients_equal_finite_differences(fields):
    """Spikes do not move under tiny changes: with a vanishing surrogate the true
    derivative of U is what the adjoint must give."""
    current, state, numbers, rule = problem(fields, vector=False, shape=(6, 1, 2))
    rule |= {"surrogate": "fast_sigmoid", "slope": 1e9}
    if fields["law"] == "shift":
        pytest.skip("rounding has no true derivative: straight through by design")

    def membrane(x, v, lam, beta, theta):
        return kernels.sequence(
            x, state=v, lam=lam, beta=beta, theta=theta, backend="plain", **rule
        )[1]

    leaves = [x.clone().requires_grad_() for x in (current, state, *numbers.values())]
    assert torch.autograd.gradcheck(membrane, leaves, eps=1e-7, atol=1e-6)


def whole_step(v, current, law, p, shift, rounding):
    """One decay on Python integers, written as the hardware does it."""

    def divided(x, n):
        if rounding == "floor":
            return x >> n
        size = (abs(x) + (1 << n >> 1)) >> n  # ties away from zero
        return size if x >= 0 else -size

    if law == "shrink":
        return max(v - p, 0) if v > 0 else min(v + p, 0)
    if law == "floor":
        return max(v - p, 0)
    if law == "drift":
        return v - p
    if law == "exponential":
        return divided(p * v, shift)
    return v - divided(v, shift) if law == "shift" else v


@pytest.mark.parametrize("backend", ("fused", "plain"))
@pytest.mark.parametrize(
    "law, p, shift, rounding",
    [
        ("shrink", 7, None, "nearest"),
        ("floor", 7, None, "nearest"),
        ("exponential", 251, 8, "nearest"),
        ("exponential", 251, 8, "floor"),
        ("shift", 0, 4, "nearest"),
        ("shift", 0, 4, "floor"),
    ],
)
def test_whole_numbers_stay_whole(backend, law, p, shift, rounding):
    """float32 tensors of whole numbers follow integer arithmetic bit for bit."""
    rng = np.random.default_rng(0)
    current = rng.integers(-300, 400, (50, 1, 40))
    theta, low, high = 500, -1024, 1023
    spikes, membrane = kernels.sequence(
        torch.tensor(current).float(), law=law, theta=theta, clamp=(low, high),
        lam=p if law in ("shrink", "floor") else 0, beta_q=p if p > 100 else 1,
        shift=shift, rounding=rounding, scale=64.0, backend=backend,
    )  # fmt: skip
    fired = 0
    for n in range(40):
        v = 0
        for t in range(50):
            u = whole_step(v, current[t, 0, n], law, p, shift, rounding)
            u = min(max(u + int(current[t, 0, n]), low), high)
            s = u > theta
            assert membrane[t, 0, n] == u and spikes[t, 0, n] == s
            v = u - theta * s
            fired += s
    assert fired > 50


@settings(max_examples=40, deadline=None)
@given(
    steps=st.integers(0, 9),
    batch=st.integers(0, 4),
    many=st.integers(1, 70),
    strided=st.booleans(),
    seed=st.integers(0, 9),
)
def test_any_shape_gives_the_same_spikes(steps, batch, many, strided, seed):
    torch.manual_seed(seed)
    x = torch.randn(steps, batch, many * (2 if strided else 1))
    x = x[..., ::2] if strided else x
    fast, slow = (
        kernels.sequence(x, lam=0.1, backend=backend) for backend in ("fused", "plain")
    )
    assert torch.equal(fast[0], slow[0]) and torch.equal(fast[1], slow[1])
    assert fast[0].shape == x.shape


def test_blocks_of_neurons_do_not_mix(monkeypatch):
    x = torch.randn(5, 3, 50)
    whole = kernels.sequence(x, lam=0.1)
    monkeypatch.setattr(fused, "BLOCK", 64)
    fused.forward.cache_clear()
    small = fused.forward(fused.kind(Rule()), False, True, True, False)
    monkeypatch.setattr(fused, "forward", lambda *a: small.py_func)
    parts = kernels.sequence(x, lam=0.1)
    assert torch.equal(whole[0], parts[0]) and torch.equal(whole[1], parts[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["number", "row", "all", "late"])
@pytest.mark.parametrize("membrane", [True, False])
def test_a_bias_is_a_current_of_every_step(dtype, kind, membrane):
    torch.manual_seed(0)
    x = torch.randn(7, 3, 50, dtype=dtype)
    bias = {"number": torch.tensor(0.3), "all": torch.randn(3, 50)}
    bias = bias.get(kind, torch.randn(50) / 3).to(dtype)
    if kind == "late":
        x = torch.randn(7, 3, 4, 5, dtype=dtype).permute(0, 1, 3, 2)
        bias = torch.randn(5, 4, dtype=dtype)
    theta = torch.rand(x.shape[-1], dtype=dtype) + 1
    found = []
    for way in ("in the loop", "added", "plain"):
        leaves = [a.clone().requires_grad_() for a in (x, bias, theta)]
        now = {"theta": leaves[2], "lam": 0.1, "membrane": membrane}
        now |= {"backend": "plain"} if way == "plain" else {}
        if way == "added":
            out = kernels.sequence(leaves[0] + leaves[1], **now)
        else:
            out = kernels.sequence(leaves[0], bias=leaves[1], **now)
        g = torch.autograd.grad(out[0].square().sum() + out[1].sum(), leaves)
        found.append((out[0].detach(), out[1].detach(), *g))
    for k, (a, b, c) in enumerate(zip(*found)):  # sums over maps in another order
        assert torch.equal(a, b) if k < 3 else torch.allclose(a, b, rtol=1e-5)
        torch.testing.assert_close(a, c, rtol=1e-4, atol=1e-5)


def test_a_bias_is_checked():
    x = torch.ones(2, 3, 4)
    with pytest.raises(Fault, match="bias has the wrong shape"):
        kernels.sequence(x, bias=torch.ones(3))
    with pytest.raises(Fault, match="bias is not finite"):
        kernels.sequence(x, bias=float("nan"))


def test_channels_last_needs_no_copy():
    x = torch.randn(4 * 2, 3, 5, 6).to(memory_format=torch.channels_last)
    x = x.unflatten(0, (4, 2))
    lam = torch.rand(3, 1, 1) * 0.2
    out = kernels.sequence(x, lam=lam)
    want = kernels.sequence(x.contiguous(), lam=lam)
    assert torch.equal(out[0], want[0]) and out[0].stride() == x.stride()


def test_chunks_of_time_join_without_a_seam():
    x = torch.randn(30, 2, 4)
    whole = kernels.sequence(x, lam=0.1)[0]
    state, parts = None, []
    for part in x.split(7):
        spikes, u = kernels.sequence(part, lam=0.1, state=state)
        state = kernels.settle(u[-1], spikes[-1])
        parts.append(spikes)
    assert torch.equal(torch.cat(parts), whole)


def test_two_forwards_before_one_backward():
    a = torch.randn(300, 8, 200, requires_grad=True)  # large: from the pool
    b = torch.randn(300, 8, 200, requires_grad=True)
    sa, _ = kernels.sequence(a, lam=0.1)
    sb, _ = kernels.sequence(b, lam=0.1)
    (sa.sum() + 2 * sb.sum()).backward()
    for x, factor in ((a, 1), (b, 2)):
        y = x.detach().clone().requires_grad_()
        (factor * kernels.sequence(y, lam=0.1, backend="plain")[0].sum()).backward()
        torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize("backend", ("fused", "plain"))
def test_no_step_passes_the_gradient_of_the_state_on(backend):
    state = torch.randn(2, 3, requires_grad=True)
    after = kernels.sequence(
        torch.ones(0, 2, 3), state=state, lam=0.1, membrane=False, backend=backend
    )[1]
    (3 * after).sum().backward()
    assert torch.equal(after, state) and (state.grad == 3).all()


def test_second_backward_repeats_or_says_why_not():
    x = torch.randn(9, 2, 3, requires_grad=True)
    spikes, _ = kernels.sequence(x, lam=0.1)
    spikes.sum().backward(retain_graph=True)
    first = x.grad.clone()
    spikes.sum().backward()
    torch.testing.assert_close(x.grad, 2 * first)
    spikes, _ = kernels.sequence(x, lam=0.1, membrane=False)
    spikes.sum().backward(retain_graph=True)
    with pytest.raises(Fault, match="second backward"):
        spikes.sum().backward()


def test_inplace_gives_the_same_gradient_and_guards_leaves():
    x = torch.randn(9, 2, 3, requires_grad=True)
    grads = []
    for inplace in (False, True):
        x.grad = None
        spikes, _ = kernels.sequence(x * 2, lam=0.1, membrane=False, inplace=inplace)
        (spikes * torch.arange(9.0)[:, None, None]).sum().backward()
        grads.append(x.grad.clone())
    assert torch.equal(*grads)
    with pytest.raises(Fault, match="leaf"):
        kernels.sequence(x, lam=0.1, membrane=False, inplace=True)
    y = (x * 2).sigmoid()  # sigmoid keeps its output for its own backward
    spikes, _ = kernels.sequence(y, lam=0.1, membrane=False, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.sum().backward()


def test_pool_never_reuses_memory_that_is_held():
    first = pool.empty((1 << 19,), torch.float32)
    held, where = first[:3], first.data_ptr()
    del first
    assert pool.empty((1 << 19,), torch.float32).data_ptr() != where
    del held
    assert pool.empty((1 << 19,), torch.float32).data_ptr() == where


BAD = [
    (dict(current=torch.tensor([[[float("nan")]]])), "not finite"),
    (dict(current=torch.tensor([[[float("inf")]]])), "not finite"),
    (dict(current=torch.ones(3)), "wrong rank"),
    (dict(current=torch.ones(3, 1, 1, dtype=torch.int32)), "wrong dtype"),
    (dict(current=[[1.0]]), "must be a tensor"),
    (dict(lam=-0.1), "λ must not be negative"),
    (dict(lam=float("nan")), "λ is not finite"),
    (dict(lam=1.0), "λ must be below θ"),
    (dict(theta=0.0), "θ must be positive"),
    (dict(theta=-1.0), "θ must be positive"),
    (dict(law="exponential", beta=1.5), "β out of range"),
    (dict(law="linear"), "unknown decay law"),
    (dict(reset="soft"), "unknown reset"),
    (dict(surrogate="relu"), "unknown surrogate"),
    (dict(clamp=(1.0, -1.0)), "bad clamp"),
    (dict(scale=0.0), "scale must be positive"),
    (dict(law="shift"), "needs shift"),
    (dict(state=torch.zeros(2, 2)), "state has the wrong shape"),
    (dict(lam=torch.zeros(7)), "λ has the wrong shape"),
    (dict(backend="gpu"), "unknown backend"),
]


@pytest.mark.parametrize("backend", ("auto", "plain"))
@pytest.mark.parametrize("bad, words", BAD, ids=[w for _, w in BAD])
def test_bad_input_is_one_clear_line(bad, words, backend):
    arguments = {"current": torch.ones(3, 1, 1), "backend": backend, **bad}
    with pytest.raises(Fault, match=words) as caught:
        kernels.sequence(arguments.pop("current"), **arguments)
    assert "\n" not in str(caught.value)


@settings(max_examples=25, deadline=None)
@given(
    steps=st.integers(0, 5),
    batch=st.integers(1, 4),
    channels=st.integers(1, 40),
    out=st.integers(1, 130),
    density=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_gathering_equals_multiplying(steps, batch, channels, out, density, seed):
    """Small whole numbers: both orders of summation are exact."""
    torch.manual_seed(seed)
    x = (torch.rand(steps, batch, channels) < density).float()
    weight = torch.randint(-3, 4, (out, channels)).float().requires_grad_()
    g = torch.randint(-3, 4, (steps, batch, out)).float()
    (want,) = torch.autograd.grad(torch.nn.functional.linear(x, weight), weight, g)
    clips = Events.of(x.transpose(0, 1).contiguous())  # clip by clip, as Clips are
    by_clip = Events(clips.indptr, clips.channel, steps, batch, channels)
    for events in (Events.of(x), by_clip):
        current = synapses(events, weight, crossover=2.0)
        assert torch.equal(current, torch.nn.functional.linear(x, weight))
        assert torch.equal(torch.autograd.grad(current, weight, g)[0], want)
        assert torch.equal(events.dense(), x)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(1, 40)),
    out=st.integers(1, 130),
    density=st.floats(0, 1),
    numbers=st.sampled_from(("spikes", "dropout", "counts", "reals", "nan")),
    seed=st.integers(0, 9),
)
def test_spikes_of_a_hidden_layer_gather_as_they_multiply(
    shape, out, density, numbers, seed
):
    torch.manual_seed(seed)
    x = (torch.rand(shape) < density).float()
    x *= {"dropout": 2, "counts": torch.randint(1, 5, shape)}.get(numbers, 1)
    x *= torch.rand(shape) if numbers == "reals" else 1
    if numbers == "nan":
        x[x > 0] = float("nan")
    weight = torch.randint(-3, 4, (out, shape[-1])).float()
    g = torch.randint(-3, 4, (*shape[:2], out)).float()
    found = []
    for go in (lambda x, w: synapses(x, w, crossover=99), torch.nn.functional.linear):
        leaves = [a.clone().requires_grad_() for a in (x, weight)]
        current = go(*leaves)
        found.append((current.detach(), *torch.autograd.grad(current, leaves, g)))
    for ours, theirs in zip(*found):
        if numbers in ("reals", "nan"):  # these multiply densely
            torch.testing.assert_close(ours, theirs, equal_nan=True)
        else:
            assert torch.equal(ours, theirs)


def test_gathering_has_the_gradient_of_finite_differences():
    """In float64, rows longer than a vector and shorter than two."""
    torch.manual_seed(0)
    x = (torch.rand(2, 3, 20) < 0.3).double()
    weight = torch.randn(5, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: synapses(x, w, crossover=99), weight)


def test_spikes_are_listed_only_where_it_pays():
    weight = torch.ones(70, 40, requires_grad=True)
    few, many = torch.eye(40)[None], torch.ones(1, 40, 40)
    assert "Gather" in type(synapses(few, weight).grad_fn).__name__
    assert "Gather" not in type(synapses(many, weight).grad_fn).__name__
    assert spike_lists.of(few / 3, 0.1)[2] == pytest.approx(1 / 3)
    assert spike_lists.of(few * 65 + few[:, :, [1, *range(1, 40)]], 0.5) is None


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(1, 40)),
    out=st.integers(1, 130),
    density=st.floats(0, 1),
    share=st.sampled_from((0.0, 0.001, 0.3, 0.9)),
    most=st.sampled_from((1, 3)),
    wide=st.booleans(),
    listed=st.booleans(),
    seed=st.integers(0, 9),
)
def test_dropout_that_is_not_written_down_is_dropout(
    shape, out, density, share, most, wide, listed, seed
):
    torch.manual_seed(seed)
    dtype = torch.float64 if wide else torch.float32
    x = (torch.rand(shape) < density) * torch.randint(1, most + 1, shape)
    x, g = x.to(dtype), torch.randint(-3, 4, (*shape[:2], out)).to(dtype)
    weight = torch.randint(-3, 4, (out, shape[-1])).to(dtype)
    behind = kernels.Dropped.of(x, share, torch.Generator().manual_seed(seed))
    kept = torch.ones_like(x)
    if share > 0.002:  # of 0.001 no byte is left
        kept = (behind.draws < behind.keep).to(dtype) * behind.factor
    found = []
    for kind in ("ours", "written"):
        leaves = [a.clone().requires_grad_() for a in (x, weight)]
        given_ = leaves[0] * kept
        if kind == "ours" and isinstance(behind, kernels.Dropped):
            given_ = kernels.Dropped(leaves[0], behind.draws, behind.keep)
        if kind == "ours":
            current = synapses(given_, leaves[1], crossover=99 if listed else 0)
        else:
            current = torch.nn.functional.linear(given_, leaves[1])
        found.append((current.detach(), *torch.autograd.grad(current, leaves, g)))
    for ours, theirs in zip(*found):  # sums of f32(256/keep) are rounded
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


def test_a_forgotten_factor_of_dropout_would_be_seen():
    x = torch.ones(2, 3, 20, requires_grad=True)
    behind = kernels.Dropped.of(x, 0.5, torch.Generator().manual_seed(0))
    weight = torch.ones(70, 20)
    synapses(behind, weight, crossover=99).sum().backward()
    assert set(x.grad.unique().tolist()) == {0.0, 140.0}
    assert torch.equal(x.grad == 0, behind.draws >= 128)


@pytest.mark.parametrize("size", [1.0, 300.0, 40_000.0, 0.5])
def test_whole_weights_add_up_as_int16_only_where_no_sum_leaves_it(size):
    x = (torch.rand(3, 4, 150) < 0.9).float()
    weight = (torch.randint(-3, 4, (70, 150)) * size).float()
    weight[0] = 3 * size  # the largest sum that these events can have
    events = Events.of(x)
    assert torch.equal(synapses(events, weight, 2.0), x @ weight.T)
    assert (sparse.table(weight.numpy(), events).dtype == np.int16) == (size == 1)


def test_dense_input_takes_the_dense_way():
    x = torch.ones(2, 2, 3)
    out = synapses(Events.of(x), torch.ones(4, 3, requires_grad=True), crossover=0.5)
    assert "Gather" not in type(out.grad_fn).__name__ and (out == 3).all()


def test_events_that_do_not_fit_are_refused():
    with pytest.raises(Fault, match="binary"):
        Events.of(torch.full((1, 1, 2), 2.0))
    with pytest.raises(Fault, match="rows do not fit"):
        Events(np.array([0, 1]), np.array([0], np.int32), 2, 1, 3)
    with pytest.raises(Fault, match="outside the channels"):
        Events(np.array([0, 1]), np.array([3], np.int32), 1, 1, 3)
    with pytest.raises(Fault, match="outside the channels"):
        Events(np.array([0, 1]), np.array([-1], np.int32), 1, 1, 3)
    with pytest.raises(Fault, match="weight has the wrong shape"):
        synapses(Events.of(torch.ones(1, 1, 3)), torch.ones(2, 4))


def test_any_callable_can_fire():
    x = torch.randn(5, 2, 3)
    want = kernels.sequence(x, lam=0.1)[0]
    assert torch.equal(
        kernels.sequence(x, lam=0.1, fire=lambda x: (x > 0).float())[0], want
    )
    with pytest.raises(Fault, match="cannot run"):
        kernels.sequence(x, fire=torch.sigmoid, backend="fused")


def test_compile_cache_knows_kinds_not_numbers():
    """Two layers with different scales share one compiled loop."""
    a, b = Rule(scale=3.0, clamp=(-4.0, 3.0)), Rule(scale=5.0, clamp=(-8.0, 7.0))
    assert fused.kind(a) == fused.kind(b)
    assert cpu.fits(torch.ones(1, 1, 1), a, None)
    assert plain.surrogate_slope(torch.zeros(1), "straight", 2.0) == 1
