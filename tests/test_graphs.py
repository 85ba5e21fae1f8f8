"""Graphs that are read from networks: each runs as the network itself does."""

import pickle

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from lindecay import graphs
from lindecay.graphs import floats
from lindecay.neurons import LinearDecayLIF
from lindecay.settings import Fault
from lindecay.sram import quantise

T, B = 9, 5


def drawn(*shape, density=0.4, seed=0, most=1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    on = rng.random((T, B, int(np.prod(shape)))) < density
    return (on * rng.integers(1, most + 1, on.shape)).astype(np.uint8)


class Tutorial(nn.Module):
    """The Net of every tutorial: a loop over time, membranes handed on."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(12, 9), snn.Leaky(0.9, threshold=0.3)
        self.fc2, self.lif2 = nn.Linear(9, 4), snn.Leaky(0.8, threshold=0.2)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes, dim=0), torch.stack(membranes, dim=0)


class Lists(Tutorial):
    """The same, but it returns lists."""

    def forward(self, x):
        mem1 = mem2 = None
        out = []
        for now in x:
            spk1, mem1 = self.lif1(self.fc1(now), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(spk2)
        return out


class Kept(nn.Module):
    """One step at a time, states kept inside."""

    def __init__(self):
        super().__init__()
        kept = {"init_hidden": True, "threshold": 0.2}
        self.conv = nn.Conv2d(1, 3, 2, stride=(2, 1), padding=(1, 0))
        self.lif1 = snn.Leaky(0.8, **kept)
        self.pool, self.fc = nn.AvgPool2d(2), nn.Linear(3, 4)
        self.lif2 = snn.Leaky(0.7, output=True, **kept)

    def forward(self, x):
        x = self.pool(self.lif1(self.conv(x)))
        return self.lif2(self.fc(x.flatten(1)))


class Residual(nn.Sequential):
    """Sequential by class, residual by its forward."""

    def forward(self, x):
        first = self[1](self[0](x))
        return self[3](self[2](first) + 0.5 * first)


class Fed(nn.Module):
    """Recurrent by hand: last step's spikes come back through weights."""

    def __init__(self):
        super().__init__()
        self.fc, self.back = nn.Linear(12, 6), nn.Linear(6, 6)
        self.lif = LinearDecayLIF(0.05, threshold=0.3)

    def forward(self, x):
        mem, spk, out = torch.zeros(x.shape[1], 6), torch.zeros(x.shape[1], 6), []
        for now in x.unbind(0):
            spk, mem = self.lif(self.fc(now) + self.back(spk), mem)
            out.append(spk)
        return torch.stack(out)


class Twice(nn.Module):
    """One module, two layers: parameters are shared, membranes are not."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(12, 6), nn.Linear(6, 6)
        self.lif = snn.Leaky(0.8, threshold=0.2)

    def forward(self, x):
        a = b = torch.zeros(x.shape[1], 6)
        out = []
        for now in x:
            first, a = self.lif(self.fc1(now), a)
            second, b = self.lif(self.fc2(first), b)
            out.append(second)
        return torch.stack(out)


class Joined(nn.Module):
    """Two branches side by side, and normalisation behind a convolution."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(1, 3, 1)
        self.lif1 = snn.Leaky(0.8, threshold=0.3, init_hidden=True)
        self.mix, self.norm = nn.Conv2d(5, 4, 3, groups=1), nn.BatchNorm2d(4)
        self.lif2 = snn.Leaky(0.9, threshold=0.3, init_hidden=True)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        both = self.lif1(torch.cat([self.left(x), self.right(x)], dim=1))
        return self.lif2(self.norm(self.mix(both)))


class Sums(nn.Module):
    """A readout of sums: the last layer has no neurons."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif = nn.Linear(12, 9), LinearDecayLIF(0.1, threshold=0.3)
        self.fc2 = nn.Linear(9, 4)
        self.lif.whole_sequence = True

    def forward(self, x):
        return self.fc2(self.lif(self.fc1(x))[0]).sum(0)


def sequential(*layers):
    return lambda: nn.Sequential(*(make() for make in layers))


def conv_first(*more):
    conv = nn.Conv2d(1, 4, 3, padding=1, dilation=1)
    last = snn.Leaky(0.9, threshold=0.1)
    return nn.Sequential(conv, *more, nn.Flatten(), nn.Linear(4 * 6, 3), last)


NETS = {
    "tutorial": (Tutorial, (12,)),
    "tutorial, lists": (Lists, (12,)),
    "kept states": (Kept, (1, 4, 3)),
    "residual": (lambda: Residual(
        nn.Linear(12, 8), snn.Leaky(0.9, threshold=0.2, init_hidden=True),
        nn.Linear(8, 8), snn.Leaky(0.9, threshold=0.2, init_hidden=True),
    ), (12,)),
    "fed back by hand": (Fed, (12,)),
    "recurrent": (lambda: nn.Sequential(
        nn.Linear(12, 6), snn.RLeaky(0.8, threshold=0.3, linear_features=6),
        nn.Linear(6, 4), snn.RLeaky(0.8, V=-0.4, all_to_all=False, threshold=0.2),
    ), (12,)),
    "shared layer": (Twice, (12,)),
    "branches": (Joined, (1, 4, 4)),
    "sums": (Sums, (12,)),
    "average of spikes": (lambda: conv_first(
        snn.Leaky(0.8, threshold=0.3), nn.AvgPool2d(2, 2)), (1, 4, 6)),
    "average of currents": (lambda: conv_first(
        nn.AvgPool2d(2), snn.Leaky(0.8, threshold=0.05)), (1, 4, 6)),
    "averages that overlap": (lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), snn.Leaky(0.8, threshold=0.3),
        nn.AvgPool2d(2, 1, padding=1), nn.Conv2d(4, 2, 3),
        snn.Leaky(0.9, threshold=0.02),
    ), (1, 4, 5)),
    "largest of spikes": (lambda: conv_first(
        snn.Leaky(0.8, threshold=0.3), nn.MaxPool2d(2)), (1, 4, 6)),
    "leak-free": (lambda: nn.Sequential(nn.Linear(12, 4), snn.Leaky(1.0)), (12,)),
    "laws": (lambda: nn.Sequential(
        nn.Linear(12, 8), LinearDecayLIF(0.1, threshold=0.3), nn.Linear(8, 4),
        snn.Leaky(0.9, threshold=0.3),
    ), (12,)),
    "linear readout": (lambda: nn.Sequential(
        nn.Linear(12, 8), snn.Leaky(0.9, threshold=0.3), nn.Linear(8, 4)), (12,)),
    "two weights": (lambda: nn.Sequential(
        nn.Linear(12, 9), nn.Linear(9, 8), snn.Leaky(0.9, threshold=0.3)), (12,)),
    "no weights": (lambda: nn.Sequential(snn.Leaky(0.9), nn.Linear(12, 3),
        snn.Leaky(0.9, threshold=0.4)), (12,)),
    "line": (lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3, stride=2, padding=1), snn.Leaky(0.8, threshold=0.3),
        nn.Flatten(), nn.Linear(9, 2), snn.Leaky(0.8, threshold=0.1)), (2, 6)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_the_graph_fires_as_the_network_itself(name):
    torch.manual_seed(3)
    make, shape = NETS[name]
    net, x = make(), drawn(*shape)
    for key, p in net.named_parameters():
        if key.endswith("bias") or name == "line":
            p.data.abs_()  # so that every layer fires
    reading = graphs.read(net, x, shape)
    own, ours = reading.run(x), floats.run(reading.graph, x)
    assert len(own.spikes) == len(ours.spikes) == len(reading.graph.layers)
    for layer, a, b in zip(reading.graph.layers, own.spikes, ours.spikes):
        assert np.array_equal(a, b), layer.name
        assert a.any() or not layer.spiking, layer.name
    np.testing.assert_allclose(own.scores, ours.scores, atol=1e-4)


@pytest.mark.parametrize("name", NETS)
def test_its_paths_fold_into_weights_exactly(name):
    torch.manual_seed(3)
    make, shape = NETS[name]
    graph = graphs.read(make(), drawn(*shape), shape).graph
    rng = np.random.default_rng(1)
    for i, (one, layer) in enumerate(zip(quantise.wired(graph), graph.layers)):
        sources = graphs.ir.sources(graph, i)
        found = wanted = 0
        folded = {id(p): graphs.bundle(p, s, "") for p, s in zip(layer.paths, sources)}
        assert len(one.bundles) == len(layer.paths)
        for p, s in zip(layer.paths, sources):
            x = (rng.random(s) < 0.5).astype(float)
            y = graphs.ir.applied(p.ops, torch.as_tensor(x)[None])
            wanted = wanted + y.reshape(-1).numpy()
            found = found + quantise._mean_current(folded[id(p)], x.ravel()).reshape(-1)
        np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_hooks_are_seen_and_what_they_do_is_followed_or_refused():
    torch.manual_seed(0)
    net, x = Tutorial(), drawn(12)
    net.fc1.register_forward_hook(lambda m, given, out: out * 2)
    reading = graphs.read(net, x)
    assert np.array_equal(
        reading.run(x).spikes[1], floats.run(reading.graph, x).spikes[1]
    )
    net.fc1.register_forward_hook(lambda m, given, out: out.tanh())
    with pytest.raises(Fault, match="lif1: what comes in has no array form.*tanh"):
        graphs.read(net, x)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), snn.Leaky(0.9, init_hidden=True)

    def forward(self, x):
        return self.lif(self.fc(self.lif(x)))


class Branching(Tutorial):
    def forward(self, x):
        spk, _ = self.lif1(self.fc1(x[0]))
        return spk if spk.sum() > 3 else spk * 2


class Nested(Tutorial):
    def forward(self, x):
        mem = None
        for now in x:
            spk, mem = self.lif1(self.fc1(now), mem)
            mem = mem * 0.5
        return spk


REFUSED = {
    "used twice in a step|takes two ways|called 18 times": (Shared, (6,)),
    "branches on values": (Branching, (12,)),
    "membrane is changed between the steps": (Nested, (12,)),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(told):
    make, shape = REFUSED[told]
    with pytest.raises(Fault, match=told) as caught:
        graphs.read(make(), drawn(*shape))
    assert "\n" not in str(caught.value)


def test_a_membrane_is_a_readout_where_nothing_resets_it():
    torch.manual_seed(0)
    last = snn.Leaky(0.9, reset_mechanism="none")
    net = nn.Sequential(nn.Linear(12, 6), snn.Leaky(0.9, threshold=0.3),
                        nn.Linear(6, 4), last)  # fmt: skip
    x = drawn(12)
    counted = graphs.read(net, x)
    assert counted.graph.readout == "count"
    reading = graphs.read(net, x, readout="membrane")
    assert not reading.graph.layers[-1].spiking
    own, ours = reading.run(x), floats.run(reading.graph, x)
    np.testing.assert_allclose(own.scores, ours.scores, atol=1e-5)
    with pytest.raises(Fault, match="a readout of membranes that spikes reset"):
        graphs.read(nn.Sequential(net[0], net[1]), x, readout="membrane")


@pytest.mark.parametrize("kind", ["double", "half", "bfloat16"])
def test_a_network_of_any_float_is_run_in_its_own(kind):
    torch.manual_seed(0)
    net, x = Tutorial(), drawn(12)
    wide = graphs.read(net, x).run(x)
    reading = graphs.read(getattr(net, kind)(), x)
    same = [(a == b).mean() for a, b in zip(reading.run(x).spikes, wide.spikes)]
    assert min(same) > 0.95


def test_vectors_are_spread_as_torch_spreads_them():
    torch.manual_seed(0)
    theta = torch.tensor([0.2, 0.4, 0.6, 5.0])  # along W, not along the channels
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), snn.Leaky(0.8, threshold=theta))
    x = drawn(1, 4, 4)
    reading = graphs.read(net, x, (1, 4, 4))
    assert np.array_equal(
        reading.run(x).spikes[0], floats.run(reading.graph, x).spikes[0]
    )
    ck = quantise.checkpoint(reading.graph, T)
    found = ck.layers[0].row("theta").reshape(4, 4, 4)
    assert (found == found[:1, :1]).all() and len(set(found[0, 0].tolist())) == 4


def test_a_network_stays_as_it_was():
    torch.manual_seed(0)
    net = Joined().train()
    before = pickle.dumps({k: v.numpy() for k, v in net.state_dict().items()})
    graphs.read(net, drawn(1, 4, 4), (1, 4, 4)).run(drawn(1, 4, 4))
    assert net.training and net.norm.training
    assert before == pickle.dumps({k: v.numpy() for k, v in net.state_dict().items()})
    assert "forward" not in vars(net.lif1)


def test_values_that_are_no_numbers_are_told_by_place():
    net = Tutorial()
    net.fc2.weight.data[1, 2] = float("nan")
    with pytest.raises(
        Fault, match=r"layer fc2.weight: a value is no number.*\[1, 2\]"
    ):
        graphs.read(net, drawn(12))
    net = Tutorial()
    net.lif1.threshold.fill_(-1.0)
    with pytest.raises(Fault, match="lif1: threshold: expected above 0, found -1.0"):
        graphs.read(net, drawn(12))


FRAMES = {
    "a tensor": lambda x: torch.from_numpy(x).float(),
    "bfloat16": lambda x: torch.from_numpy(x).bfloat16(),
    "bool": lambda x: x.astype(bool),
    "planes": lambda x: torch.from_numpy(x).float().unflatten(2, (1, 3, 3)),
    "a gradient": lambda x: torch.from_numpy(x).float().requires_grad_(),
}


@pytest.mark.parametrize("form", FRAMES)
def test_frames_are_taken_in_every_form(form):
    torch.manual_seed(0)
    net = [nn.Linear(9, 4), LinearDecayLIF(0.05)]
    x = (np.random.default_rng(0).random((6, 2, 9)) < 0.4).astype(np.float32)
    given = FRAMES[form](x)
    net = [nn.Flatten(), *net] if form == "planes" else net
    found = graphs.to_nir(net, given)
    plane = (1, 3, 3) if form == "planes" else None
    wanted = graphs.to_nir(net, x, plane)
    for name, node in wanted.nodes.items():
        if hasattr(node, "weight"):
            assert np.array_equal(found.nodes[name].weight, node.weight)


@pytest.mark.parametrize("wrong", [np.ones((2, 3)), np.ones((0, 2, 9)), [[["a"]]]])
def test_frames_that_are_none_are_one_line(wrong):
    with pytest.raises(Fault, match="frames to watch: expected numbers"):
        graphs.to_nir([nn.Linear(9, 4), LinearDecayLIF(0.05)], wrong)
