"""The same networks in other libraries, as their own tutorials write them.

All without bias, β = 0.9 (τ = 10), reset by subtraction, arc-tangent surrogate.
"""

from importlib.util import find_spec

import snntorch as snn
import torch
from torch import nn
from torch.nn.functional import cross_entropy

BETA = 0.9


def here(name: str) -> bool:
    """Whether a peer can be imported."""
    return find_spec(name) is not None


class SnnNeuron(nn.Module):
    """snnTorch's loop over time around one layer of neurons."""

    def __init__(self):
        super().__init__()
        self.lif = snn.Leaky(beta=BETA)

    def forward(self, current):
        mem, record = self.lif.reset_mem(), []
        for now in current.unbind(0):
            spk, mem = self.lif(now, mem)
            record.append(spk)
        return torch.stack(record)


class SnnMlp(nn.Module):
    """A fully connected network in snnTorch: all layers inside the loop over time."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.fc1, self.fc2 = _linear(inputs, hidden), _linear(hidden, outputs)
        self.lif1, self.lif2 = snn.Leaky(beta=BETA), snn.Leaky(beta=BETA)

    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        record = []
        for step in range(x.shape[0]):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            record.append(spk2)
        return torch.stack(record)


class SnnCnn(nn.Module):
    """16c5-p2-32c3-p2-fc11 in snnTorch."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = convolution(2, 16, 5), convolution(16, 32, 3)
        self.fc = _linear(32 * 36, 11)
        self.lif1, self.lif2, self.lif3 = (snn.Leaky(beta=BETA) for _ in range(3))

    def forward(self, x):
        mems = [lif.reset_mem() for lif in (self.lif1, self.lif2, self.lif3)]
        record = []
        pool = nn.functional.max_pool2d
        for step in range(x.shape[0]):
            spk, mems[0] = self.lif1(pool(self.conv1(x[step]), 2), mems[0])
            spk, mems[1] = self.lif2(pool(self.conv2(spk), 2), mems[1])
            spk, mems[2] = self.lif3(self.fc(spk.flatten(1)), mems[2])
            record.append(spk)
        return torch.stack(record)


class SnnSpeech(nn.Module):
    """MLP-2 in snnTorch: normalisation and dropout inside the loop, β learned."""

    def __init__(self, sizes, dropout):
        super().__init__()
        pairs = list(zip(sizes, sizes[1:]))
        self.fc = nn.ModuleList(_linear(i, o) for i, o in pairs)
        self.norm = nn.ModuleList(nn.BatchNorm1d(o) for _, o in pairs)
        betas = (torch.full((o,), BETA) for _, o in pairs)
        self.lif = nn.ModuleList(snn.Leaky(beta=b, learn_beta=True) for b in betas)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        mems = [lif.reset_mem() for lif in self.lif]
        record = []
        for now in x.unbind(0):
            for k, (fc, norm, lif) in enumerate(zip(self.fc, self.norm, self.lif)):
                spk, mems[k] = lif(norm(fc(now)), mems[k])
                now = self.drop(spk)
            record.append(spk)
        return torch.stack(record)


def _linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


def convolution(inputs, outputs, width):
    """A convolution without bias."""
    return nn.Conv2d(inputs, outputs, width, bias=False)


def jelly_neuron():
    """SpikingJelly's LIF in its multi-step mode, with the same dynamics."""
    from spikingjelly.activation_based import neuron, surrogate

    return neuron.LIFNode(
        tau=1 / (1 - BETA),
        decay_input=False,
        v_reset=None,
        detach_reset=True,
        surrogate_function=surrogate.ATan(),
        step_mode="m",
    )


class Jelly(nn.Module):
    """Layers in SpikingJelly's multi-step mode; rests before every sequence."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        from spikingjelly.activation_based import functional

        functional.reset_net(self)
        return self.layers(x)


def jelly_mlp(inputs, hidden, outputs):
    """The fully connected network in SpikingJelly."""
    return Jelly(
        _linear(inputs, hidden),
        jelly_neuron(),
        _linear(hidden, outputs),
        jelly_neuron(),
    )


class NorseNeuron(nn.Module):
    """norse's LIF without synaptic current (LIFBox), step by step."""

    def __init__(self):
        super().__init__()
        from norse.torch import LIFBoxCell

        self.cell = LIFBoxCell()

    def forward(self, current):
        state, record = None, []
        for now in current.unbind(0):
            spk, state = self.cell(now, state)
            record.append(spk)
        return torch.stack(record)


def step_of(net: nn.Module, x, labels):
    """One training step: forward, cross entropy on spike counts, backward, Adam."""
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step():
        adam.zero_grad(set_to_none=True)
        loss = cross_entropy(net(x).sum(0), labels)
        loss.backward()
        adam.step()
        return loss

    return step


def pass_of(net: nn.Module, current, gradient):
    """Forward and backward of neurons alone."""

    def run():
        current.grad = None
        net(current).backward(gradient)

    return run


def count_pass_of(net: nn.Module, current):
    """Forward and backward of neurons alone, from a loss on spike counts."""

    def run():
        current.grad = None
        net(current).sum(0).square().sum().backward()

    return run
