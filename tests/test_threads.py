"""Loops on several threads: as one thread bit for bit, safe in child processes."""

import multiprocessing
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lindecay import kernels
from lindecay.kernels import Events, fused, synapses, threads


@pytest.fixture
def many(monkeypatch):
    """Four threads for any work, however small."""
    monkeypatch.setattr(threads, "LARGE", 0)
    monkeypatch.setattr(threads.config, "NUMBA_NUM_THREADS", 4)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def neurons(seed, shape, kind, keep=True, law="shrink"):
    """Spikes, U and all gradients of a random layer."""
    torch.manual_seed(seed)
    size = {"number": (), "row": shape[2:], "all": shape[1:]}[kind]
    parts = [torch.randn(shape), torch.rand(size) / 9, torch.rand(size) + 1]
    leaves = [x.requires_grad_() for x in parts]
    current, lam, theta = leaves
    spikes, u = kernels.sequence(
        current, lam=lam, theta=theta, membrane=keep, law=law, backend="fused"
    )
    loss = (spikes * torch.randn(shape)).sum() + (u.sum() if keep else 0)
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [spikes.detach(), u.detach(), *(g for g in found if g is not None)]


def gathered(seed, shape, out):
    """Currents and the gradient of the weights of a random layer fed by events."""
    torch.manual_seed(seed)
    events = Events.of((torch.rand(shape) < 0.3).float())
    weight = torch.randn(out, shape[2]).requires_grad_()
    current = synapses(events, weight, crossover=2.0)
    g = torch.randn(current.shape)
    return current.detach(), *torch.autograd.grad(current, weight, g)


SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(1, 700))


@settings(max_examples=150, deadline=None)
@given(
    SHAPES,
    st.sampled_from(("number", "row", "all")),
    st.booleans(),
    st.sampled_from(("shrink", "exponential")),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_neurons_are_the_same_on_any_number_of_threads(
    shape, kind, keep, law, number, seed
):
    alone = neurons(seed, shape, kind, keep, law)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "many", lambda work: number)
        together = neurons(seed, shape, kind, keep, law)
    assert len(alone) == len(together) >= 4
    assert all(map(torch.equal, alone, together))


def test_blocks_and_threads_do_not_mix(monkeypatch):
    """More neurons than a block holds, parameters that do not divide it."""
    for kind in ("number", "row", "all"):
        alone = neurons(0, (9, 30, 5000), kind)
        monkeypatch.setattr(threads, "many", lambda work: 3)
        assert all(map(torch.equal, alone, neurons(0, (9, 30, 5000), kind)))
        monkeypatch.undo()


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(1, 300), st.integers(1, 5), st.integers(0, 99))
def test_gathered_rows_are_the_same_on_any_number_of_threads(shape, out, number, seed):
    alone = gathered(seed, shape, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "many", lambda work: number)
        assert all(map(torch.equal, alone, gathered(seed, shape, out)))


@given(st.integers(0, 5000), st.integers(1, 40), st.sampled_from((1, 64, 900)))
def test_parts_cover_every_place_once(places, number, step):
    parts = threads.parts(places, number, step)
    assert 1 <= len(parts) <= number and all(a % step == 0 for a, _ in parts)
    assert [k for a, b in parts for k in range(a, b)] == list(range(places))


def test_a_part_left_out_would_be_seen(monkeypatch, many):
    alone = neurons(1, (5, 4, 600), "row")
    whole = threads.parts
    monkeypatch.setattr(threads, "parts", lambda *a: whole(*a)[:-1] or whole(*a))
    assert not all(map(torch.equal, alone, neurons(1, (5, 4, 600), "row")))


def test_small_work_stays_on_one_thread(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(threads.config, "NUMBA_NUM_THREADS", 3)
    torch.set_num_threads(4)
    found = threads.many(threads.LARGE - 1), threads.many(threads.LARGE)
    torch.set_num_threads(1)
    alone = threads.many(threads.LARGE)
    torch.set_num_threads(before)
    assert found == (1, 3) and alone == 1


def test_parameters_that_learn_are_shared_by_blocks(monkeypatch, many):
    """A part of a block would add the same numbers up in another order."""
    asked, honest = [], threads.parts
    monkeypatch.setattr(
        threads, "parts", lambda *a: asked.append(honest(*a)) or asked[-1]
    )
    neurons(0, (2, 30, 5000), "row")
    forward, backward = asked
    assert len(forward) == 4 and backward == [
        (0, fused.BLOCK), (fused.BLOCK, 2 * fused.BLOCK), (2 * fused.BLOCK, 150_000)
    ]  # fmt: skip


def test_a_fault_in_one_part_is_raised_when_all_have_ended(many):
    ended = []

    def loop(lo, hi):
        ended.append(lo)
        if lo == 0:
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        threads.shared(loop, (), 256, 1, 64)
    assert sorted(ended) == [0, 64, 128, 192]


class Clips(torch.utils.data.Dataset):
    """A set whose samples pass through neurons, on two threads in the worker too."""

    def __len__(self):
        return 4

    def __getitem__(self, k):
        torch.set_num_threads(2)
        return in_child(k)[0]


def in_child(k):
    """Run on threads in a process that may be a child."""
    threads.LARGE, threads.config.NUMBA_NUM_THREADS = 0, 2
    torch.set_num_threads(2)
    return neurons(k, (6, 3, 400), "row")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_of_a_loader_have_threads_of_their_own(many):
    want = [neurons(k, (6, 3, 400), "row")[0] for k in range(4)]  # threads run now
    loader = torch.utils.data.DataLoader(
        Clips(), batch_size=None, num_workers=2, multiprocessing_context="fork"
    )
    assert all(map(torch.equal, want, loader))


def test_spawned_processes_have_threads_of_their_own(many):
    want = [neurons(k, (6, 3, 400), "row") for k in range(2)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map_async(in_child, range(2)).get(timeout=300)
    for ours, theirs in zip(want, found):
        assert all(map(torch.equal, ours, theirs))
