"""snnTorch's own errors, watched: a test fails when one of them is mended."""

import pytest
import snntorch as snn
import torch
from snntorch import surrogate

from lindecay import neurons
from lindecay.neurons import LinearDecayLIF as LIF
from lindecay.neurons.upstream import HABITS, habits, slope, spikes

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("habit", HABITS, ids=lambda h: h.what)
def test_snntorch_still_errs(habit):
    found = habit.found
    if found == habit.right:
        pytest.fail(f"upstream mended: {habit.what} (snnTorch {snn.__version__})")
    assert found == habit.does, f"upstream changed: {habit.example} gives {found}"


def test_a_habit_that_is_mended_would_be_seen(monkeypatch):
    one = next(h for h in HABITS if h.does == "nan")
    right = staticmethod(lambda ctx, g: (g * 0, None))
    monkeypatch.setattr(surrogate.Sigmoid, "backward", right)
    assert one.found == one.right


def test_no_example_leaves_a_layer_behind():
    before = len(snn.SpikingNeuron.instances)
    habits()
    assert len(snn.SpikingNeuron.instances) == before


def test_the_table_has_one_line_a_habit():
    rows = habits()
    assert [r["what"] for r in rows] == [h.what for h in HABITS]
    assert all("\n" not in value for row in rows for value in row.values())


def test_ours_is_right_where_snntorch_errs():
    assert spikes(LIF(law="none"), 3.5, 0, 0, 0) == 3
    layer = LIF()
    layer.load_state_dict(LIF(reset_mechanism="zero").state_dict())
    assert spikes(layer, 2.5, 0) == 1
    assert LIF(threshold=1, learn_threshold=True).threshold.item() == 1.0
    x = torch.full((1, 1), 9.0, dtype=torch.float64)
    assert LIF().double()(x)[0].dtype == torch.float64
    deep = torch.nn.Sequential(torch.nn.Sequential(LIF(init_hidden=True)))
    deep(torch.full((1, 1), 0.5))
    neurons.reset(deep)
    assert not deep[0][0].mem.any()
    steep = LIF(threshold=1.0, spike_grad=surrogate.sigmoid(25))
    assert slope(lambda v: steep(v.reshape(1, 1))[0].sum(), -9.0) == 0
