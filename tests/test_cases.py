"""Networks and events that people bring, each taken as it says or refused by name."""

from dataclasses import replace

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from lindecay import sram
from lindecay.neurons import LinearDecayLIF, convert, from_leaky
from lindecay.settings import Fault
from lindecay.sram import MacroSpec


def frames(*shape, density=0.4, seed=0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand((12, 3, *shape), generator=generator) < density).float()


def taken(net, x, least=0.85, **more):
    """A run whose array equals its integers and nearly its floats."""
    wide = {"weight_bits": 8, "membrane_bits": 16, "beta_bits": 12}
    run = sram.emulate(net, x, **wide | more)
    assert run.report["differences"] == 0 < run.report["compared"]
    assert run.ledger.conserved(256) == []
    assert min(row["agreement"] for row in run.report["layers"]) > least
    return run


def leaky(threshold=0.3, **more):
    return snn.Leaky(0.9, threshold=threshold, **more)


def small(seed=0, **neuron) -> list[nn.Module]:
    torch.manual_seed(seed)
    return [nn.Linear(20, 8), leaky(**neuron), nn.Linear(8, 4), leaky(**neuron)]


def test_averages_between_convolutions_raise_a_wordline_as_often():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), leaky(), nn.AvgPool2d(2), nn.Conv2d(4, 3, 3), leaky(0.1)
    )
    run = taken(net, frames(2, 12, 12))
    assert (run.checkpoint.layers[1].pooling, run.checkpoint.layers[1].pool) == (
        "sum",
        2,
    )


def test_currents_are_pooled_by_average_and_by_largest_only_at_a_price():
    torch.manual_seed(0)
    conv, last = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 3, 3)
    net = nn.Sequential(conv, nn.AvgPool2d(2), leaky(0.1), last, leaky(0.1))
    taken(net, frames(2, 8, 8))
    net = nn.Sequential(conv, nn.MaxPool2d(2), leaky(), last, leaky())
    with pytest.raises(Fault, match="4 columns a neuron and 3 comparisons a step"):
        sram.emulate(net, frames(2, 8, 8))


def test_every_layer_has_its_own_law_and_reset():
    first, a, last, b = small()
    run = taken([first, LinearDecayLIF(0.05, threshold=0.3), last, b], frames(20))
    assert [row["law"] for row in run.report["layers"]] == ["shrink", "exponential"]
    zero = leaky(reset_mechanism="zero")
    run = taken([first, a, last, zero], frames(20))
    assert [row["reset"] for row in run.report["layers"]] == ["late", "zero"]


def test_no_leak_is_integrate_and_fire():
    first, *_ = small()
    run = taken([first, snn.Leaky(1.0, threshold=0.3)], frames(20))
    assert run.report["law"] == "none"


def test_two_events_in_a_bin_are_taken_and_billed_twice():
    first, lif, *_ = small()
    x = frames(20)
    once, twice = taken([first, lif], x), taken([first, lif], 2 * x)
    sops = [r.ledger.total().sops for r in (once, twice)]
    assert sops[1] == 2 * sops[0]
    lists = [
        [np.repeat(np.flatnonzero(x[t, c]), 2).tolist() for t in range(12)]
        for c in range(3)
    ]
    again = taken([first, lif], lists)
    assert again.ledger == twice.ledger


def test_counted_clips_count_on_both_sides():
    first, lif, *_ = small()
    clips, _ = sram.as_clips(2 * frames(20))
    run = taken([first, lif], clips, least=0.97)
    assert run.clips.count is not None


def test_readouts_without_neurons_and_without_resets():
    first, lif, last, _ = small()
    x = frames(20)
    run = taken([first, lif, last], x)
    assert run.checkpoint.readout == "sum" and run.report["predictions_agree"] == 1
    still = leaky(reset_mechanism="none")
    run = taken([first, lif, last, still], x, readout="membrane")
    assert run.checkpoint.readout == "membrane"
    assert run.report["predictions_agree"] == 1
    assert run.trace.scores.shape == (3, 4) and run.trace.layers[-1].spikes == 0


def test_recurrent_and_residual_networks_are_exact():
    torch.manual_seed(0)
    loop = snn.RLeaky(0.8, linear_features=8, threshold=0.3)
    taken([nn.Linear(20, 8), loop, nn.Linear(8, 4), leaky()], frames(20), least=0.8)

    class Residual(nn.Sequential):
        def forward(self, x):
            first = self[1](self[0](x))
            return self[3](self[2](first) + first)

    torch.manual_seed(1)
    net = Residual(
        nn.Linear(20, 8),
        leaky(init_hidden=True),
        nn.Linear(8, 8),
        leaky(init_hidden=True),
    )
    run = taken(net, frames(20))
    assert len(run.checkpoint.layers[1].more) == 1
    assert run.report["layers"][1]["spikes_float"] > 0


KEYWORDS = {
    "weight_bitz": {"weight_bitz": 99},
    "layouts": {"layout": "B"},
}


@pytest.mark.parametrize("wrong", KEYWORDS)
def test_a_misspelt_keyword_is_a_type_error_in_every_layout(wrong):
    first, lif, *_ = small()
    net = [nn.Linear(20, 8, bias=False), lif]
    for layout in "ABC":
        update = {"update": "row"} if layout == "C" else {}
        spec = MacroSpec(layout=layout, **update)
        with pytest.raises(TypeError, match="unexpected keyword"):
            sram.emulate(net, frames(20), spec, **KEYWORDS[wrong])
    with pytest.raises(Fault, match="progress= is of layout A: .*found layout B"):
        sram.emulate(net, frames(20), MacroSpec(layout="B"), progress=print)
    ck = sram.emulate(net, frames(20)).checkpoint
    with pytest.raises(Fault, match="weight_bits= is for networks"):
        sram.emulate(ck, frames(20), weight_bits=4)


def test_a_checkpoint_takes_every_form_of_events_and_returns_its_clips():
    ck = sram.emulate(small(), frames(20)).checkpoint
    clips, _ = sram.as_clips(frames(20))
    runs = [sram.emulate(ck, x) for x in (clips, frames(20), frames(20).numpy())]
    assert all(r.ledger == runs[0].ledger for r in runs)
    assert runs[1].clips.source == "given" and len(runs[1].clips) == 3
    assert runs[0].checkpoint is ck


def test_an_enormous_bias_fires_in_every_step():
    first, lif, *_ = small()
    first.bias.data[2] = 1e9
    net = [first, snn.Leaky(0.9, threshold=0.3, reset_mechanism="zero")]
    run = sram.emulate(net, frames(20))
    assert run.trace.layers[0].S[:, :, 2].all()
    assert run.report["differences"] == 0


EVENTS = {
    "unknown input": [[[0], [25]]],
    "no whole number": [[[0.5], [1]]],
    "looks like 0 and 1": [[[0, 1] * 10, [1]]],
    "a mask of 20 inputs": [[np.array([True, False]), [1]]],
    "no events to run": [],
    "found 3 clips of 0 steps": torch.zeros(0, 3, 20),
    "found 0 clips of 5 steps": torch.zeros(5, 0, 20),
    "found 2 dimensions": torch.zeros(5, 20),
    "no number of events.*-1": -torch.ones(5, 1, 20),
    "no number of events.*nan": torch.full((5, 1, 20), float("nan")),
    "unknown form": "events",
}


@pytest.mark.parametrize("told", EVENTS)
def test_odd_events_are_one_line(told):
    with pytest.raises(Fault, match=told) as caught:
        sram.emulate(small(), EVENTS[told])
    assert "\n" not in str(caught.value)


def test_masks_and_dtypes_are_the_same_events():
    x = frames(20)
    masks = [[x[t, c].numpy() > 0 for t in range(12)] for c in range(3)]
    sparse = x.to_sparse()
    kinds = [x.bool(), x.half(), x.bfloat16(), x.int(), x.numpy() > 0, masks, sparse]
    first = sram.emulate(small(), x)
    for other in kinds:
        assert sram.emulate(small(), other).ledger == first.ledger


CLIPS = {
    "indptr from 0, rising": {"indptr": np.array([0, 2, 9])},
    "2 entries of indptr|3 entries of indptr": {"indptr": np.array([0, 3])},
    "unknown input.*found 20": {"channel": np.array([0, 1, 20], np.int32)},
    "rising, each once": {"channel": np.array([1, 1, 2], np.int32)},
    "one above 0": {"count": np.zeros(3, np.uint16)},
}


@pytest.mark.parametrize("told", CLIPS)
def test_clips_made_by_hand_are_checked(told):
    good, _ = sram.as_clips([[[0, 3], [5]]], inputs=20)
    with pytest.raises(Fault, match=told):
        sram.emulate(small(), replace(good, **CLIPS[told]))


def test_a_reset_that_snntorch_repeats_is_said_in_the_report():
    kick = torch.zeros(6, 1, 1)
    kick[0] = 1
    one = nn.Linear(1, 1, bias=False)
    one.weight.data.fill_(3.5)
    run = sram.emulate([one, snn.Leaky(0.5, reset_delay=False)], kick, weight_bits=8)
    assert run.report["notes"] and "once more" in run.report["notes"][0]


def test_networks_and_layers_are_converted_to_linear_leaks():
    net = nn.Sequential(*small())
    new = convert(net, "rheobase")
    assert type(new[1]) is LinearDecayLIF and type(net[1]) is snn.Leaky
    assert float(new[1].lam) == pytest.approx(0.3 * 0.1, rel=1e-5)
    assert torch.equal(new[0].weight, net[0].weight)
    run = sram.emulate(new, frames(20))
    assert [row["law"] for row in run.report["layers"]] == ["shrink", "shrink"]
    asked = sram.emulate(net, frames(20), leak="linear")
    assert asked.report["law"] == "shrink" and asked.report["differences"] == 0
    assert LinearDecayLIF.from_leaky(net[1]).threshold == net[1].threshold
    with pytest.raises(Fault, match="no such rule.*found 'nearest'"):
        from_leaky(net[1], "nearest")
    with pytest.raises(Fault, match="layer 0 .Synaptic. has no linear twin"):
        convert(nn.Sequential(snn.Synaptic(0.9, 0.8)))


def test_weights_on_a_grid_keep_it():
    assert sram.best_scale(np.arange(-3, 4) * 0.1, 4) == pytest.approx(0.1, rel=1e-12)
    rng = np.random.default_rng(0)
    for bits in (2, 3, 4, 6, 8):
        half = 2 ** (bits - 1)
        for s in (0.1, 0.37, 3.0):
            w = rng.integers(-half, half, 200) * s
            found = sram.best_scale(w, bits)
            again = found * np.clip(np.rint(w / found), -half, half - 1)
            np.testing.assert_allclose(again, w, atol=1e-9 * s)


def test_widths_tell_what_each_costs():
    rows = sram.widths(
        small(), frames(20), np.zeros(3, int), bits=(2, 8), membrane_bits=16
    )
    assert [row["bits"] for row in rows] == [2, 8]
    assert rows[0]["spikes"] < rows[1]["spikes"] and rows[1]["accuracy"] is not None
