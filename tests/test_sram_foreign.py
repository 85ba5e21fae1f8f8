"""Networks that are not ours on the array: snnTorch layers, events in any form."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

import oracle
from lindecay import graphs, sram
from lindecay.neurons import LinearDecayLIF
from lindecay.settings import Fault
from lindecay.sram.given import as_clips


def frames(*shape, density=0.4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < density).float()


def mlp(neuron, *more, seed=0) -> nn.Sequential:
    torch.manual_seed(seed)
    first = [nn.Linear(20, 16), *more, neuron()]
    return nn.Sequential(*first, nn.Linear(16, 4), neuron())


NEURONS = {
    "leaky": lambda: snn.Leaky(0.9),
    "leaky, kept state": lambda: snn.Leaky(0.9, init_hidden=True),
    "leaky, to zero": lambda: snn.Leaky(0.85, reset_mechanism="zero"),
    "leaky, no reset": lambda: snn.Leaky(0.7, reset_mechanism="none"),
    "leaky, at once": lambda: snn.Leaky(0.9, reset_delay=False),
    "shrink": lambda: LinearDecayLIF(0.1),
    "shrink, sequence": lambda: LinearDecayLIF(0.1, whole_sequence=True),
    "floor": lambda: LinearDecayLIF(0.1, law="floor"),
    "drift": lambda: LinearDecayLIF(0.02, law="drift"),
    "none": lambda: LinearDecayLIF(law="none"),
    "exponential": lambda: LinearDecayLIF(law="exponential", beta=0.8),
    "shrink, late": lambda: LinearDecayLIF(0.1, reset_delay=True),
    "another threshold": lambda: LinearDecayLIF(0.1, threshold=torch.tensor(0.8)),
}


@pytest.mark.parametrize("name", NEURONS)
def test_the_array_equals_the_integers_and_agrees_with_the_floats(name, tmp_path):
    net, x = mlp(NEURONS[name]), frames(25, 8, 20)
    run = sram.emulate(net, x)
    assert run.report["differences"] == 0 < run.report["compared"]
    assert run.ledger.conserved(256) == []
    for layer in run.report["layers"]:
        assert layer["spikes"] > 0 and layer["spikes_float"] > 0
        assert layer["agreement"] > 0.85
    assert run.report["predictions_agree"] >= 0.75
    network = oracle.load(run.checkpoint.save(tmp_path / "net.npz"))
    clips, _ = as_clips(x)
    events = oracle.frames_of(network, clips.indptr, clips.channel, len(clips))
    for ours, judged in zip(run.trace.layers, oracle.states(network, events)):
        for key in "UVS":
            np.testing.assert_array_equal(getattr(ours, key), judged[key], key)


def test_more_bits_agree_more_and_all_bits_agree_everywhere():
    net, x = mlp(NEURONS["leaky"]), frames(25, 8, 20)
    wide = dict(weight_bits=8, membrane_bits=16, beta_bits=12)
    found = [
        min(layer["agreement"] for layer in sram.emulate(net, x, **k).report["layers"])
        for k in (dict(weight_bits=2), {}, wide)
    ]
    assert found[0] < found[2] and found[1] <= found[2] and found[2] > 0.99


def test_the_three_forms_of_events_are_the_same_clips():
    x = frames(6, 3, 20)
    lists = [
        [torch.nonzero(x[t, c])[:, 0].tolist() for t in range(6)] for c in range(3)
    ]
    clips, _ = as_clips(x)
    net = mlp(NEURONS["shrink"])
    runs = [sram.emulate(net, e) for e in (x, x.numpy().astype(bool), lists, clips)]
    for run in runs[1:]:
        assert run.ledger == runs[0].ledger
        np.testing.assert_array_equal(run.trace.counts, runs[0].trace.counts)


def test_convolutions_with_strides_and_pooled_spikes():
    torch.manual_seed(0)
    neuron = lambda: snn.Leaky(0.8, threshold=0.3)  # noqa: E731
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        neuron(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        neuron(),
        nn.Flatten(),
        nn.Linear(6 * 16, 5),
        neuron(),
    )
    run = sram.emulate(net, frames(12, 3, 2, 16, 16))
    assert run.report["differences"] == 0
    assert all(layer["spikes"] > 0 for layer in run.report["layers"])
    assert all(layer["agreement"] > 0.9 for layer in run.report["layers"])


def spikes(net, x) -> list[np.ndarray]:
    """What a network itself does, layer by layer."""
    flat = x.reshape(*x.shape[:2], -1).numpy().astype(np.uint8)
    return graphs.read(net, flat, x.shape[2:]).run(flat).spikes


def test_a_batch_normalisation_is_folded_by_itself():
    norm = nn.BatchNorm1d(16)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    net, x = mlp(NEURONS["shrink"], norm).eval(), frames(25, 8, 20)
    folded = sram.fold(net)
    with torch.no_grad():
        wanted = net[1](net[0](x[:, 0]))
        assert torch.allclose(folded[0](x[:, 0]), wanted, atol=1e-5)
    for ours, theirs in zip(spikes(folded, x), spikes(net, x)):
        assert (ours != theirs).mean() < 0.01
    runs = [sram.emulate(n, x) for n in (net, folded)]
    assert runs[0].report["differences"] == 0
    first, second = (r.checkpoint.layers[0] for r in runs)
    assert np.array_equal(first.w, second.w) and np.array_equal(first.bias, second.bias)
    with pytest.raises(Fault, match="right behind Linear or Conv2d"):
        sram.fold(nn.Sequential(norm))


REFUSED = {
    "more than one state": [nn.Linear(20, 4), snn.Synaptic(0.9, 0.8)],
    "max pooling of currents.*4 columns": [
        nn.Unflatten(1, (1, 4, 5)), nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), snn.Leaky(0.9),
    ],
    "windows that overlap": [
        nn.Unflatten(1, (1, 4, 5)), nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(2, 2),
        snn.Leaky(0.9),
    ],
    "relu": [nn.Linear(20, 4), nn.ReLU(), snn.Leaky(0.9)],
    "layer_norm": [nn.Linear(20, 4), nn.LayerNorm(4), snn.Leaky(0.9)],
    "no neurons at all": [nn.Linear(20, 4)],
    "beta rounds to 1": [nn.Linear(20, 2), snn.Leaky(0.9999)],
    "a clamp of its own": [nn.Linear(20, 2), LinearDecayLIF(0.1, clamp=(-1.0, 1.0))],
    "graded spikes": [nn.Linear(20, 2), snn.Leaky(0.9, graded_spikes_factor=2.0)],
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_has_no_array_form_is_one_line_with_its_reason(why):
    with pytest.raises(Fault, match=why) as caught:
        sram.emulate(nn.Sequential(*REFUSED[why]), frames(5, 2, 20))
    assert "\n" not in str(caught.value)


def test_input_that_is_no_number_of_events_is_refused():
    net = mlp(NEURONS["leaky"])
    x = frames(5, 2, 20)
    x[3, 1, 7] = 0.5
    told = r"no number of events.*0.5 at step 3, clip 1, input \[7\]"
    with pytest.raises(Fault, match=told):
        sram.emulate(net, x)
    with pytest.raises(Fault, match="unknown input.*0 to 19, found 20 to 20.*clip 1"):
        sram.emulate(net, [[[0]], [[20]]])
    with pytest.raises(Fault, match="clips of one length"):
        sram.emulate(net, [[[0]], [[1], [2]]])


def test_the_network_given_keeps_its_state_and_its_weights():
    net, x = mlp(NEURONS["leaky, kept state"]), frames(5, 2, 20)
    net(x[0])
    kept, weights = net[1].mem.clone(), net[0].weight.clone()
    sram.emulate(net, x)
    assert torch.equal(net[1].mem, kept) and torch.equal(net[0].weight, weights)
