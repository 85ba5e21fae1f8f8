"""60 random networks and events; LINDECAY_FUZZ_NETWORKS=1500 runs that many."""

import os

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

import fuzz_networks
from lindecay import graphs, sram
from lindecay.graphs import floats
from lindecay.neurons import LinearDecayLIF
from lindecay.settings import Fault
from lindecay.sram import MacroSpec

CASES = int(os.environ.get("LINDECAY_FUZZ_NETWORKS", 60))
pytestmark = pytest.mark.filterwarnings("ignore")


def events(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < 0.4).float()


def test_array_integers_oracle_and_the_network_itself_agree_or_one_fault():
    told = fuzz_networks.many(CASES, 0)
    assert told["bad"] == [] and told["cases"] == CASES
    assert told["equal"] > 0.6 * CASES


@pytest.mark.parametrize("seed", [3, 36, 45, 61, 216])
def test_what_failed_once_stays_mended(seed, tmp_path):
    fuzz_networks.case(seed, tmp_path)


def test_the_fuzz_sees_a_layer_that_is_read_wrongly(monkeypatch):
    right = graphs.laws.rule
    odd = {"theta": np.array(0.5)}
    monkeypatch.setattr(graphs.laws, "rule", lambda m, n: right(m, n) | odd)
    assert fuzz_networks.many(8, 0)["bad"]


# ---- what it found


@pytest.mark.parametrize(
    "layout, update", [("B", "in-place"), ("C", "row"), ("C", "word")]
)
def test_words_take_each_layers_own_law_reset_grid_and_betas(layout, update):
    torch.manual_seed(0)
    beta = torch.tensor([0.5, 0.7, 0.8, 0.9])
    net = [nn.Linear(9, 6), LinearDecayLIF(0.05, threshold=0.3),
           nn.Linear(6, 4), snn.Leaky(beta, threshold=0.2)]  # fmt: skip
    run = sram.emulate(net, events(8, 2, 9), MacroSpec(layout=layout, update=update))
    assert run.report["differences"] == 0 < run.report["compared"]
    assert [row["law"] for row in run.report["layers"]] == ["shrink", "exponential"]
    assert run.trace.layers[1].spikes


@pytest.mark.parametrize("layout", "ABC")
def test_each_layout_takes_a_beta_for_each_neuron_in_place(layout):
    torch.manual_seed(0)
    beta = torch.tensor([0.5, 0.7, 0.8, 0.9])
    net = [nn.Linear(9, 4), snn.Leaky(beta, threshold=0.2)]
    run = sram.emulate(net, events(8, 2, 9), MacroSpec(layout=layout))
    assert run.report["differences"] == 0 < run.report["compared"]
    assert run.trace.layers[0].S.any()


def test_two_factors_in_a_row_are_one():
    ops = (graphs.ir.Scale(np.asarray(0.25)), graphs.ir.Scale(np.asarray(0.5)))
    found = graphs.bundle(graphs.Path(0, ops), (3, 2, 2), "sum of spikes")
    for w in (found.w, graphs.bundle(graphs.Path(0, ops), (6,), "line").w):
        assert np.abs(w).sum() == 0.125 * len(w)


def test_words_read_out_membranes_as_the_integers_do():
    torch.manual_seed(0)
    still = snn.Leaky(0.9, reset_mechanism="none")
    net, x = [nn.Linear(9, 4), still], events(8, 3, 9)
    for layout in "AB":
        run = sram.emulate(net, x, MacroSpec(layout=layout), readout="membrane")
        assert np.array_equal(run.trace.scores, run.trace.layers[-1].V[:, -1])


def test_words_take_loops_and_counts_as_columns_do():
    torch.manual_seed(0)
    loop = [nn.Linear(9, 4), snn.RLeaky(0.8, linear_features=4, threshold=0.3)]
    once = [nn.Linear(9, 4), snn.Leaky(0.9)]
    for net, x in ((loop, events(9, 2, 9)), (once, 2 * events(9, 2, 9))):
        runs = [sram.emulate(net, x, MacroSpec(layout=layout)) for layout in "AB"]
        assert [run.report["differences"] for run in runs] == [0, 0]
        assert np.array_equal(*(run.trace.layers[-1].S for run in runs))


class Loop(nn.Module):
    """One layer in a loop; `start` makes its first membrane, `last` its last spikes."""

    def __init__(self, lif, start=torch.zeros_like, last=lambda spk, x: spk):
        super().__init__()
        self.fc, self.lif, self.start, self.last = nn.Linear(9, 4), lif, start, last

    def forward(self, x):
        state, out = None, []
        for now in x:
            current = self.fc(now)
            zeros = self.start(current)
            state = state or [zeros] * (2 if hasattr(self.lif, "recurrent") else 1)
            spk, mem = self.lif(current, *state)
            state = [self.last(spk, mem), mem][-len(state) :]
            out.append(spk)
        return out


def test_a_membrane_like_the_current_is_one_at_rest():
    torch.manual_seed(0)
    net, x = Loop(snn.Leaky(0.9, threshold=0.3)), events(6, 2, 9)
    for start in (torch.zeros_like, lambda c: c.new_zeros(c.shape)):
        net.start = start
        assert sram.emulate(net, x).report["differences"] == 0
    net.start = lambda c: torch.full_like(c, 0.25)
    with pytest.raises(Fault, match="starts from no rest.*0.25 before step 0"):
        sram.emulate(net, x)


def test_a_recurrent_layer_is_handed_its_own_last_spikes_or_refused():
    torch.manual_seed(0)
    lif = snn.RLeaky(0.8, linear_features=4, threshold=0.3)
    sram.emulate(Loop(lif), events(6, 2, 9))
    with pytest.raises(Fault, match="handed as its last spikes is something else"):
        sram.emulate(Loop(lif, last=lambda spk, mem: mem), events(6, 2, 9))


def test_a_recurrent_reset_to_zero_is_taken_at_once_alone():
    torch.manual_seed(0)
    how = {"linear_features": 4, "threshold": 0.3, "reset_mechanism": "zero"}
    with pytest.raises(Fault, match="drops all input of the step after a spike"):
        sram.emulate(Loop(snn.RLeaky(0.8, **how)), events(6, 2, 9))
    net, x = Loop(snn.RLeaky(0.8, **how, reset_delay=False)), events(30, 4, 9)
    frames = x.numpy()
    reading = graphs.read(net, frames)
    own, ours = reading.run(frames), floats.run(reading.graph, frames)
    assert np.array_equal(own.spikes[0], ours.spikes[0]) and own.spikes[0].any()


def test_a_late_reset_behind_a_floor_is_another_rule():
    lif = LinearDecayLIF(0.05, law="floor_after", reset_delay=True)
    with pytest.raises(Fault, match="late reset behind a floor"):
        sram.emulate([nn.Linear(9, 4), lif], events(5, 2, 9))


def test_decays_that_round_need_a_threshold_that_is_not_rounded_away():
    own = {"beta": 1.0, "shift": 3, "law": "exponential"}  # 1/8, not no leak
    with pytest.raises(Fault, match="rounds the membrane to whole numbers"):
        sram.emulate([nn.Linear(9, 4), LinearDecayLIF(**own)], events(5, 2, 9))
    wide = LinearDecayLIF(**own, threshold=40.0)
    assert graphs.laws.rule(wide, "lif")["beta"] == 0.125


def test_sums_of_a_forward_that_returns_its_steps_as_a_list():
    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif = nn.Linear(9, 6), snn.Leaky(0.9, threshold=0.3)
            self.out = nn.Linear(6, 3)

        def forward(self, x):
            return [self.out(self.lif(self.fc(now))[0]) for now in x]

    torch.manual_seed(0)
    net = Sums()
    for clips in (2, 5, 7):
        x = events(5, clips, 9)
        run = sram.emulate(net, x, weight_bits=8, membrane_bits=16)
        with torch.no_grad():
            net.lif.mem = torch.zeros(0)
            want = sum(net(x))
        np.testing.assert_allclose(run.floats.scores, want, rtol=1e-5, atol=1e-5)


def test_a_lambda_for_each_neuron_stands_beside_a_threshold_for_each_channel():
    torch.manual_seed(0)
    lam, theta = torch.rand(2, 3, 3) * 0.1, torch.tensor([0.3, 0.5]).reshape(2, 1, 1)
    net = [nn.Conv2d(1, 2, 2), LinearDecayLIF(lam, threshold=theta)]
    run = sram.emulate(net, events(6, 2, 1, 4, 4), weight_bits=8, membrane_bits=14)
    assert run.report["differences"] == 0
    layer = run.checkpoint.layers[0]
    assert (layer.row("lam") < layer.row("theta")).all()
