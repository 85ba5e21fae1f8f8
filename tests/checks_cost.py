"""What the checks of values cost, in CPU time: with them, without, interleaved.

    python tests/checks_cost.py [ROUNDS [WORK …]]

Prints one JSON object, for each work: the median ms with checks and without, and their
ratio. Run it in turn with PYTHONPATH of another commit to compare the two.
"""

import functools
import inspect
import json
import sys
import time
import warnings
from statistics import median

import torch
from torch import nn

from lindecay import kernels, networks, sram
from lindecay.neurons import LinearDecayLIF

CHECKS = "check" in inspect.signature(LinearDecayLIF.__init__).parameters


def layer(check: bool, **more) -> LinearDecayLIF:
    return LinearDecayLIF(0.05, **more, **({"check": check} if CHECKS else {}))


def steps(check: bool):
    """Ten steps of [64, 1024], forward."""
    lif, x = layer(check), torch.rand(10, 64, 1024)

    def run():
        mem = torch.zeros(64, 1024)
        with torch.no_grad():
            for now in x:
                _, mem = lif(now, mem)

    return run


def learning(check: bool):
    """Ten steps of [64, 1024], forward and back."""
    lif, x = layer(check, learn_lam=True), torch.rand(10, 64, 1024, requires_grad=True)

    def run():
        mem, total = torch.zeros(64, 1024), 0.0
        for now in x:
            spk, mem = lif(now, mem)
            total = total + spk.sum()
        total.backward()

    return run


def whole(check: bool):
    """[100, 64, 1024] at once, forward and back."""
    lif = layer(check, whole_sequence=True, init_hidden=True, learn_lam=True)
    x = torch.rand(100, 64, 1024, requires_grad=True)

    def run():
        lif.reset_mem()
        lif(x).sum().backward()

    return run


def nmnist(check: bool):
    """A training step of the 2312-512-10 network on 25 x 64 frames of 1 % events."""
    from lindecay.quantization import Grid

    torch.manual_seed(0)
    grid = Grid(4, 11, 3)
    spec = networks.MlpSpec("cost", (2312, 512, 10), "shrink", 0.9, grid)
    net = networks.Mlp(spec)
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    x = kernels.Events.of((torch.rand(25, 64, 2312) < 0.01).float())
    label = torch.randint(0, 10, (64,))
    own = (
        kernels.sequence if check else functools.partial(kernels.sequence, check="none")
    )

    def run():
        kept, kernels.sequence = kernels.sequence, own
        adam.zero_grad()
        loss = nn.functional.cross_entropy(net(x)[-1][0].sum(0), label)
        loss.backward()
        adam.step()
        kernels.sequence = kept

    return run


def emulated(check: bool):
    """`sram.emulate` of a 200-64-10 network; its checks cannot be left out."""
    torch.manual_seed(0)
    net = [nn.Linear(200, 64), layer(True), nn.Linear(64, 10), layer(True)]
    x = (torch.rand(25, 16, 200) < 0.05).float()
    return lambda: sram.emulate(net, x)


WORKS = {f.__name__: f for f in (steps, learning, whole, nmnist, emulated)}


def timed(run) -> float:
    began = time.process_time()
    run()
    return 1e3 * (time.process_time() - began)


def cost(make, rounds: int) -> dict:
    both = make(True), make(False)
    for run in both:
        run(), run()
    rows = []
    for k in range(rounds):
        order = (0, 1) if k % 2 else (1, 0)
        pair = {i: timed(both[i]) for i in order}
        rows.append((pair[0], pair[1]))
    with_, without = (median(row[i] for row in rows) for i in (0, 1))
    ratio = median(a / b for a, b in rows)
    told = {"checked_ms": with_, "unchecked_ms": without, "ratio": ratio}
    return {k: round(v, 3) for k, v in told.items()} | {"rounds": rounds}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    names = sys.argv[2:] or WORKS
    print(json.dumps({name: cost(WORKS[name], rounds) for name in names}))
