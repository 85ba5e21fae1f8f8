"""300 random layers and histories; LINDECAY_FUZZ_NEURONS=10000 runs that many."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from snntorch import surrogate

import fuzz_neurons
from lindecay import kernels
from lindecay.neurons import LinearDecayLIF as LIF
from lindecay.settings import Fault

CASES = int(os.environ.get("LINDECAY_FUZZ_NEURONS", 300))
ONCE = (6, 11, 21, 28)  # seeds that failed once, of `few` cases; tests below say why


@pytest.mark.filterwarnings("ignore")
def test_steps_whole_sequences_and_a_loop_in_numpy_are_equal_or_one_fault():
    told = fuzz_neurons.many(CASES, 0, few=CASES <= 300)
    assert told["bad"] == [] and told["cases"] == CASES
    assert told["runs"] > CASES and told["faults"] > CASES // 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", ONCE)
def test_what_failed_once_stays_mended(seed):
    fuzz_neurons.case(seed, few=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spoilt", ["integrate", "settle"])
def test_the_fuzz_sees_a_wrong_neuron(spoilt, monkeypatch):
    from lindecay.kernels import plain

    right = getattr(plain, spoilt)
    monkeypatch.setattr(plain, spoilt, lambda *a: right(*a) + 1e-3)
    assert fuzz_neurons.many(10, 0, limit=1, few=True)["bad"]


# ---- what it found


def test_gradients_of_a_steep_sigmoid_are_finite_in_steps():
    x = torch.tensor([[-60.0, 0.9, 60.0]], requires_grad=True)
    LIF(0.05, spike_grad=surrogate.sigmoid(25))(x)[0].sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad[0, 1] > 0


@pytest.mark.parametrize("whole", [False, True])
def test_a_membrane_that_is_nan_is_told_in_both_modes(whole):
    x, mem = torch.zeros(2, 3), torch.tensor([0.0, float("nan"), 0.0]).expand(2, 3)
    with pytest.raises(Fault, match="state is not finite"):
        LIF(0.1, whole_sequence=whole)(x[None] if whole else x, mem)
    layer = LIF(0.1, check=False, whole_sequence=whole)
    layer(x[None] if whole else x, mem)  # trusted, as it was asked for


def test_an_unnamed_surrogate_resets_a_double_by_its_whole_threshold():
    theta = torch.tensor(1 / 3, dtype=torch.float64)
    x = torch.full((1, 1, 1), 0.9, dtype=torch.float64)
    u = kernels.sequence(x, theta=theta, fire=surrogate.triangular(), membrane=False)[1]
    assert u.item() == 0.9 - theta.item()


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable")
def test_a_late_reset_takes_all_above_threshold_as_snntorch_does():
    torch.manual_seed(0)
    x, mems = torch.rand(20, 2, 5), [torch.zeros(2, 5)] * 2
    same = {"inhibition": True, "threshold": 0.4}
    theirs = snn.Leaky(0.9, **same)
    ours = LIF(law="exponential", beta=0.9, reset_delay=True, **same)
    for now in x:
        (a, mems[0]), (b, mems[1]) = theirs(now, mems[0]), ours(now, mems[1])
        assert torch.equal(a, b) and torch.equal(*mems)


def test_a_kept_state_is_no_view():
    grad = surrogate.triangular()
    layer = LIF(law="none", reset_delay=True, spike_grad=grad, init_hidden=True,
                whole_sequence=True)  # fmt: skip
    layer(torch.ones(1, 2, 3, requires_grad=True))
    LIF.detach_hidden()
    assert not layer.mem.requires_grad


@pytest.mark.filterwarnings("ignore:a learned threshold fell")
@pytest.mark.parametrize("name", ["lam", "threshold"])
def test_a_learned_value_of_float64_stays_apart_in_a_membrane_of_float32(name):
    torch.manual_seed(0)
    kinds = torch.float32, torch.float64
    for lam, theta in (kinds, kinds[::-1]):
        layer = LIF(torch.tensor(0.1, dtype=lam), torch.tensor(0.3, dtype=theta),
                    **{f"learn_{name}": True}, whole_sequence=True)  # fmt: skip
        for value in torch.rand(50, dtype=torch.float64) * 0.3:
            with torch.no_grad():
                (layer.threshold if name == "lam" else layer.lam).fill_(value)
                getattr(layer, name).fill_(2.0 if name == "lam" else -1.0)
            layer(torch.ones(2, 1, 1))


def test_no_neurons_with_one_value_each_are_nothing():
    lam = torch.zeros(0, requires_grad=True)
    spk, _ = kernels.sequence(torch.zeros(5, 3, 0), lam=lam)
    spk.sum().backward()
    assert spk.shape == (5, 3, 0)


def test_rows_of_events_without_a_pointer_are_refused():
    none = np.zeros(0, np.int64)
    with pytest.raises(Fault, match="event rows do not fit: expected 1 pointers"):
        kernels.Events(none, none.astype(np.int32), steps=4, batch=0, channels=3)


@pytest.mark.skipif("not os.environ.get('LINDECAY_BOUNDS')", reason="minutes: by hand")
def test_compiled_loops_stay_inside_their_arrays(tmp_path):
    """numba's own bounds check, in a process with a cache of its own."""
    own = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    script = Path(__file__).with_name("fuzz_bounds.py")
    ask = [sys.executable, str(script), os.environ["LINDECAY_BOUNDS"]]
    done = subprocess.run(ask, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
