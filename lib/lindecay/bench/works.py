"""The works that are timed: neurons alone, and training steps of three networks.

Inputs are synthetic (Bernoulli events at the recordings' densities), made before the
clock starts: dense tensors for the peers, event lists for us.
"""

from dataclasses import replace
from functools import partial

import torch
from numba import njit
from torch import nn

from lindecay import neurons as ours
from lindecay.bench import peers, timing
from lindecay.kernels import Events, convolve, max_pool, pool, synapses
from lindecay.training import speech

LAM = 0.05
MLPS = {  # name: (steps, batch, inputs, hidden, outputs, density of the events)
    "nmnist_step": (100, 64, 2312, 512, 10, 0.018),
    "shd_step": (100, 64, 700, 256, 20, 0.10),
}
STEPS = 200  # of a run of single steps
SHD_CLIPS = 8580  # that MLP-2 is trained on


def lif(inplace=True, recompute=False):
    """Our neuron, whole sequences at once; behind another layer it may use up its
    input, as nn.ReLU(inplace=True) does."""
    memory = {"inplace": inplace, "recompute": recompute}
    return ours.LinearDecayLIF(LAM, whole_sequence=True, init_hidden=True, **memory)


class Neuron(nn.Module):
    """Neurons alone, at rest before every sequence."""

    def __init__(self, recompute=False):
        super().__init__()
        self.lif = lif(inplace=False, recompute=recompute)

    def forward(self, current):
        ours.reset(self)
        return self.lif(current)


class Mlp(nn.Module):
    """The fully connected network, fed by events."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.first = nn.Linear(inputs, hidden, bias=False)
        self.lif1, self.lif2 = lif(), lif()
        self.second = nn.Linear(hidden, outputs, bias=False)

    def forward(self, events: Events):
        ours.reset(self)
        spikes = self.lif1(synapses(events, self.first.weight))
        return self.lif2(synapses(spikes, self.second.weight))


class Cnn(nn.Module):
    """16c5-p2-32c3-p2-fc11: events first, then all time steps as one batch."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = (
            peers.convolution(2, 16, 5),
            peers.convolution(16, 32, 3),
        )
        self.to(memory_format=torch.channels_last)
        self.fc = nn.Linear(32 * 36, 11, bias=False)
        self.lif1, self.lif2, self.lif3 = lif(), lif(), lif()

    def forward(self, events: Events):
        ours.reset(self)
        current = max_pool(convolve(events, self.conv1.weight, (2, 32, 32)))
        time = (events.steps, events.batch)
        spikes = self.lif1(current.unflatten(0, time))
        current = max_pool(self.conv2(spikes.flatten(0, 1)))
        spikes = self.lif2(current.unflatten(0, time))
        return self.lif3(synapses(spikes.flatten(2), self.fc.weight))


class Fresh(nn.Module):
    """A new batch of events each step: what must be prepared for it is our time."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, e: Events):
        return self.net(replace(e))


def neuron_alone(steps=100, batch=64, many=1024, counts=False) -> timing.Work:
    """Neurons alone, forward and backward, [time, batch, neurons].

    counts: the loss sees spike counts only, so that nobody has to hold a gradient for
    every step; used for memory.
    """
    random = torch.Generator().manual_seed(0)
    shape = (steps, batch, many)
    current, gradient = (pool.empty(shape, torch.float32) for _ in range(2))
    current.copy_(torch.randn(shape, generator=random) / 2).requires_grad_()
    gradient.copy_(torch.randn(shape, generator=random))
    made = {"snntorch": peers.SnnNeuron}
    if peers.here("spikingjelly"):
        made["spikingjelly"] = lambda: peers.Jelly(peers.jelly_neuron())
    if peers.here("norse"):
        made["norse"] = peers.NorseNeuron

    def side(net):
        if counts:
            return peers.count_pass_of(net, current)
        return peers.pass_of(net, current, gradient)

    return timing.Work(
        ours=side(Neuron(recompute=counts)),
        peers={n: side(m()) for n, m in made.items()},
        floor=floor_of(current.detach(), gradient),
        extra={"shape": list(shape)},
    )


def single_step(many=128, steps=STEPS) -> timing.Work:
    """One clip, one step at a time, no gradient: who answers in real time."""
    x = torch.rand((1, many), generator=torch.Generator().manual_seed(0))

    def side(lif):
        @torch.no_grad()
        def run():
            state = lif.reset_mem()
            for _ in range(steps):
                _, state = lif(x, state)

        return run

    return timing.Work(
        ours=side(ours.LinearDecayLIF(LAM)),
        peers={"snntorch": side(peers.SnnNeuron().lif)},
        extra={"shape": [steps, 1, many]},
    )


def floor_of(current, gradient):
    """The same reads and writes without arithmetic: what memory allows."""
    spikes, membrane = (pool.empty(current.shape, current.dtype) for _ in range(2))
    flat = [x.numpy().ravel() for x in (current, gradient, spikes, membrane)]

    def run():
        move_forward(flat[0], flat[2], flat[3])
        move_backward(flat[1], flat[3])

    return run


@njit(cache=True)
def move_forward(current, spikes, membrane):
    """Read I, write S and U."""
    for i in range(current.size):
        membrane[i] = current[i]
        spikes[i] = current[i]


@njit(cache=True)
def move_backward(gradient, membrane):
    """Read g_S and U, write g_I over U, as our neuron does."""
    for i in range(gradient.size):
        membrane[i] += gradient[i]


def mlp_step(name: str) -> timing.Work:
    """One training step of an MLP."""
    steps, batch, inputs, hidden, outputs, density = MLPS[name]
    random = torch.Generator().manual_seed(0)
    x = (torch.rand((steps, batch, inputs), generator=random) < density).float()
    labels = torch.randint(outputs, (batch,), generator=random)
    listed = Events.of(x)
    sizes = (inputs, hidden, outputs)
    made = {"snntorch": peers.SnnMlp}
    if peers.here("spikingjelly"):
        made["spikingjelly"] = peers.jelly_mlp

    return timing.Work(
        ours=peers.step_of(Fresh(Mlp(*sizes)), listed, labels),
        peers={n: peers.step_of(m(*sizes), x, labels) for n, m in made.items()},
        sops=len(listed.channel) * hidden,
        extra={"shape": [steps, batch, *sizes], "density": listed.density},
    )


def cnn_step(steps=20, batch=16, density=0.05) -> timing.Work:
    """One training step of a small convolutional network."""
    random = torch.Generator().manual_seed(0)
    x = (torch.rand((steps, batch, 2, 32, 32), generator=random) < density).float()
    labels = torch.randint(11, (batch,), generator=random)
    return timing.Work(
        ours=peers.step_of(Fresh(Cnn()), Events.of(x.flatten(2)), labels),
        peers={"snntorch": peers.step_of(peers.SnnCnn(), x, labels)},
        extra={"shape": [steps, batch, 2, 32, 32], "density": density},
    )


class Speech(nn.Module):
    """MLP-2 as the protocol trains it: on the integer grid, with dropout."""

    def __init__(self, spec):
        super().__init__()
        self.net = speech.SpeechMlp(spec)
        self.random = torch.Generator().manual_seed(0)

    def forward(self, x):
        return self.net(x, self.random)[-1][0]


def mlp2_step(batch=128, density=0.16) -> timing.Work:
    """One training step of MLP-2; an epoch is `steps_an_epoch` of them.

    Ours quantises weights, clamps membranes and rounds λ on top of what the peer does.
    """
    spec, steps = speech.SpeechSpec("shrink"), speech.BINNING.steps
    random = torch.Generator().manual_seed(0)
    x = (torch.rand((steps, batch, spec.channels), generator=random) < density).float()
    labels = torch.randint(spec.classes, (batch,), generator=random)
    sizes = (spec.channels, *spec.hidden, spec.classes)
    theirs = peers.SnnSpeech(sizes, spec.dropout)
    told = {"steps_an_epoch": -(-SHD_CLIPS // batch)}
    return timing.Work(
        ours=peers.step_of(Speech(spec), x, labels),
        peers={"snntorch": peers.step_of(theirs, x, labels)},
        extra={"shape": [steps, batch, *sizes], "density": density} | told,
    )


WORKS = {
    "neuron_alone": neuron_alone,
    "nmnist_step": lambda: mlp_step("nmnist_step"),
    "shd_step": lambda: mlp_step("shd_step"),
    "cnn_step": cnn_step,
    "mlp2_step": mlp2_step,
    "single_step": single_step,
}


def alone(steps: int) -> timing.Work:
    """A long sequence of few neurons, for memory."""
    return neuron_alone(steps, 8, 64, counts=True)


MEMORY = {  # name: (a small problem to warm up on, the real one)
    "neuron_alone": (
        lambda: neuron_alone(10, 4, 16, counts=True),
        lambda: neuron_alone(counts=True),
    ),
}
LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000)  # 8 clips of 64 neurons
WIDTHS = (1_000, 10_000, 100_000, 300_000, 1_000_000)  # neurons: one clip, 50 steps
MEMORY |= {
    f"length_{steps}": (MEMORY["neuron_alone"][0], partial(alone, steps))
    for steps in LENGTHS
}
