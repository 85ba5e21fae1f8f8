"""Differential fuzzing of `sram.emulate`: anybody's network, events in every form.

    python tests/fuzz_networks.py CASES SEED
    python tests/fuzz_networks.py SEED              (one case, with its traceback)

A case draws a network of 1 to 3 layers (weights, planes, pooling, sums, shared and
recurrent layers, hooks, laws, vectors, dtypes, styles of forward) and events. Then the
array equals the integers, the integers equal the oracle, the float side equals the
network run by hand, and its graph fires with it; or one Fault says why not.
"""

import json
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import snntorch as snn
import torch
from torch import nn

import oracle
from lindecay import graphs, sram
from lindecay.graphs import floats
from lindecay.neurons import LinearDecayLIF
from lindecay.settings import Fault
from lindecay.sram import MacroSpec

NARROW = (torch.half, torch.bfloat16)
KINDS = ("uint8", "int64", "float32", "float64", "bool", "half", "numpy", "numpy float",
         "sparse", "lists", "masks", "clips")  # fmt: skip
LAWS = ("shrink", "floor", "floor_after", "drift", "exponential", "none", "shift")
STYLES = ("list", "sequential", "nested", "step", "loop", "loop", "loop of lists")


class Block(nn.Module):
    """Synapses, neurons, and what is done with their spikes."""

    def __init__(self, synapses, neuron, after=None, residual=0.0):
        super().__init__()
        self.synapses, self.neuron = synapses, neuron
        self.after, self.residual = after or nn.Identity(), residual


class Net(nn.Module):
    """Blocks behind each other; `seen` gathers what each of them fires."""

    def __init__(self, blocks: list[Block], style: str, dtype):
        super().__init__()
        self.dtype = dtype
        self.blocks, self.style = nn.ModuleList(blocks), style
        self.seen: list | None = None

    def step(self, x, states: list):
        for i, b in enumerate(self.blocks):
            x = x.to(self.dtype)  # snnTorch's spikes are float32 in any network
            current = b.synapses(x)
            if b.residual:
                current = current + (x if b.residual == 1 else b.residual * x)
            spk = current
            if b.neuron is not None:
                states[i] = states[i] or resting(b.neuron, current)
                spk, mem = b.neuron(current, *states[i])
                states[i] = [spk, mem][-len(states[i]) :]
            if self.seen is not None:
                self.seen[i].append(spk.detach().flatten(1))
            x = b.after(spk)
        return x

    def forward(self, x):
        states: list = [[] for _ in self.blocks]
        out = [self.step(now, states) for now in x]
        return out if self.style == "loop of lists" else torch.stack(out)


def resting(neuron, current) -> list:
    """(spikes and) membrane at rest, so that shared layers start apart."""
    zeros = torch.zeros_like(current)
    return [zeros] * (2 if hasattr(neuron, "recurrent") else 1)


class OneStep(Net):
    """A forward for one step; states are kept inside the layers."""

    def step(self, x, states=None):
        for b in self.blocks:
            x = x.to(self.dtype)
            current = b.synapses(x)
            current = current + b.residual * x if b.residual else current
            spk = b.neuron(current)
            x = b.after(spk if isinstance(spk, torch.Tensor) else spk[0])
        return x

    def forward(self, x):
        return self.step(x)


class Draw:
    """One seed's network and events."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng((16, seed))
        torch.manual_seed(seed)
        self.said: list[str] = []
        self.style = self.pick(STYLES)
        self.shape = self.pick((self.vector, self.vector, self.plane))()
        self.x = self.frames()
        self.net, self.blocks = self.network()

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def vector(self) -> tuple[int, ...]:
        return (self.whole(3, 24),)

    def plane(self) -> tuple[int, ...]:
        return (self.whole(1, 3), self.whole(4, 8), self.whole(4, 8))

    def frames(self) -> np.ndarray:
        """Counts [T, clips, …]; mostly 0 and 1."""
        shape = (self.whole(1, 7), self.whole(1, 3), *self.shape)
        on = self.rng.random(shape) < self.pick((0.0, 0.1, 0.3, 0.6))
        most = self.pick((1, 1, 1, 3))
        return (on * self.rng.integers(1, most + 1, shape)).astype(np.uint8)

    # ---- the network

    def network(self):
        shape, blocks = self.shape, []
        many = self.whole(1, 3)
        for i in range(many):
            last = i == many - 1
            block, shape = self.block(shape, last)
            blocks.append(block)
        if self.style in ("loop", "loop of lists"):
            self.share(blocks)
        for b in blocks:
            self.hook(b)
        kind = self.pick((None,) * 6 + ("double", "half", "bfloat16"))
        if any(hasattr(b.neuron, "recurrent") for b in blocks):
            kind = None  # snn.RLeaky feeds float32 spikes to weights of any dtype
        for b in blocks:
            b.eval()
            if kind:
                getattr(b, kind)()
        self.dtype = {None: torch.float32, "double": torch.float64}.get(
            kind
        ) or getattr(torch, kind)
        self.said.append(f"{kind} {self.style}")
        return self.styled(blocks), blocks

    def styled(self, blocks):
        flat = []
        for b in blocks:
            parts = list(b.synapses) if isinstance(b.synapses, nn.Sequential) else [
                b.synapses]  # fmt: skip
            part = [*parts, b.neuron, b.after]
            flat += [m for m in part if m and not isinstance(m, nn.Identity)]
        bare = any(b.neuron is None for b in blocks)
        plain = not any(b.residual or b.synapses._forward_hooks for b in blocks)
        if self.style == "list" and plain:
            return flat
        if self.style == "sequential" and plain:
            return nn.Sequential(*flat)
        if self.style == "nested" and plain:
            cut = self.whole(0, len(flat))
            return nn.Sequential(nn.Sequential(*flat[:cut]), nn.Sequential(*flat[cut:]))
        if self.style == "step" and not bare:
            return OneStep(blocks, "step", self.dtype)
        style = self.style if self.style.startswith("loop") else "loop"
        return Net(blocks, style, self.dtype)

    def share(self, blocks) -> None:
        """Two layers of one module, where the shapes are the same."""
        for a, b in zip(blocks, blocks[1:]):
            fits = a.neuron is not None and b.neuron is not None
            if fits and a.out == b.out and self.chance(0.4):
                b.neuron = a.neuron
                self.said.append("shared neuron")

    def hook(self, b: Block) -> None:
        if self.chance(0.1):
            g = float(self.rng.choice([0.5, 2.0, -1.0]))
            b.synapses.register_forward_hook(lambda m, x, y: y * g)
            self.said.append(f"hook {g}")

    def block(self, shape, last: bool):
        flat = len(shape) == 1
        if flat or last and self.chance(0.4):
            synapses, out = self.linear(shape)
        else:
            synapses, out = self.conv(shape)
        residual = 0.0
        if tuple(out) == tuple(shape) and self.chance(0.5):
            residual = self.pick((1, 0.5))
            self.said.append(f"residual {residual}")
        bare = last and self.chance(0.1)
        neuron = None if bare else self.neuron(out)
        block = Block(synapses, neuron, residual=residual)
        block.out = tuple(out)
        if neuron is not None and not last and len(out) == 3:
            block.after, out = self.pooled(out)
        if neuron is None:
            self.said.append("readout of sums")
        return block, tuple(out)

    def linear(self, shape):
        out = self.shape[0] if self.chance(0.3) else self.whole(1, 12)
        fc = nn.Linear(int(np.prod(shape)), out, bias=self.chance(0.6))
        self.said.append(f"linear {out}")
        parts = [nn.Flatten()] if len(shape) > 1 else []
        if not parts and self.chance(0.1):
            return nn.Sequential(fc, nn.Linear(out, out)), (out,)
        return (nn.Sequential(*parts, fc), (out,)) if parts else (fc, (out,))

    def conv(self, shape):
        c = shape[0]
        groups = c if self.chance(0.2) else 1
        out = (
            groups * self.whole(1, 3)
            if groups > 1
            else self.pick((c, self.whole(1, 4)))
        )
        pad, dilation = self.whole(0, 1), self.pick((1, 1, 1, 2))
        most = (min(shape[1:]) + 2 * pad - 1) // dilation + 1
        k, stride = min(self.whole(1, 3), most), self.pick((1, 1, 1, 2))
        conv = nn.Conv2d(c, out, k, stride, pad, dilation, groups, self.chance(0.6))
        parts: list = [conv]
        if self.chance(0.15):
            norm = nn.BatchNorm2d(out)
            norm.running_mean.normal_(0, 0.1), norm.running_var.uniform_(0.5, 2)
            parts.append(norm)
        small = min(nn.Sequential(*parts).eval()(torch.zeros(1, *shape)).shape[2:]) < 2
        if self.chance(0.1) and not small:
            parts.append(nn.AvgPool2d(2))
        made = nn.Sequential(*parts) if len(parts) > 1 else conv
        now = made.eval()(torch.zeros(1, *shape)).shape[1:]
        names = [type(p).__name__ for p in parts]
        self.said.append(
            f"{names} {c}->{out} k{k} s{stride} p{pad} d{dilation} g{groups}"
        )
        return made, tuple(now)

    def pooled(self, out):
        kinds = (nn.Identity(), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.LPPool2d(1, 2))
        if min(out[1:]) < 2:
            return kinds[0], out
        pool = self.pick(kinds)
        self.said.append(f"{type(pool).__name__} of spikes")
        return pool, tuple(pool(torch.zeros(1, *out)).shape[1:])

    def neuron(self, out):
        theta = self.spread(out, 0.1, 0.8)
        reset = self.pick(("subtract", "subtract", "zero", "none"))
        how = {"threshold": theta, "reset_mechanism": reset}
        kind = self.pick(("leaky", "leaky", "linear", "linear", "recurrent"))
        self.said.append(f"{kind} {reset}")
        if kind == "recurrent" and len(out) == 1 and self.style.startswith("loop"):
            beta = float(self.rng.uniform(0.2, 0.95))
            how["threshold"] = float(self.rng.uniform(0.1, 0.8))
            how["reset_delay"] = self.chance(0.7)
            if self.chance(0.5):
                return snn.RLeaky(beta, linear_features=out[0], **how)
            return snn.RLeaky(beta, V=0.3, all_to_all=False, **how)
        if kind == "leaky" or kind == "recurrent":
            beta = self.pick(
                (1.0, self.spread(out, 0.1, 0.98), self.spread(out, 0, 0.9))
            )
            return snn.Leaky(beta, reset_delay=self.chance(0.9), **how)
        law = self.pick(LAWS)
        self.said[-1] += f" {law}"
        own = {"lam": self.spread(out, 0, 0.09)}
        if law == "exponential":
            own = {"beta": self.spread(out, 0.1, 0.95)}
            if self.chance(0.2):
                own = {"beta": float(self.whole(1, 7)), "shift": 3}
        if law in ("none", "shift"):
            own = {"shift": 3} if law == "shift" else {}
        if "shift" in own and self.chance(0.8):
            how["threshold"] = float(self.whole(1, 40))
        late = self.chance(0.2)
        return LinearDecayLIF(**own, law=law, reset_delay=late, **how,
                              rounding=self.pick(("nearest", "floor")))  # fmt: skip

    def spread(self, out, low, high):
        """One value, or one that broadcasts over the layer's frame."""
        shape = self.pick(((), (), (), out[-1:], out))
        if len(out) == 3 and self.chance(0.2):
            shape = (out[0], 1, 1)
        x = torch.from_numpy(np.asarray(self.rng.uniform(low, high, shape))).float()
        return float(x) if not shape and self.chance(0.5) else x

    # ---- events

    def given(self, kind: str):
        x = self.x
        kind = "uint8" if kind in ("bool", "masks") and x.max(initial=0) > 1 else kind
        flat = x.reshape(*x.shape[:2], -1)
        if kind == "lists":
            return [
                [np.repeat(np.arange(flat.shape[2]), flat[t, c]).tolist()
                 for t in range(len(x))] for c in range(x.shape[1])
            ]  # fmt: skip
        if kind == "masks":
            return [[flat[t, c] > 0 for t in range(len(x))] for c in range(x.shape[1])]
        if kind == "clips":
            return sram.as_clips(x)[0]
        if kind.startswith("numpy"):
            return x.astype(np.float32) if kind == "numpy float" else x
        made = torch.from_numpy(x)
        return made.to_sparse() if kind == "sparse" else made.to(getattr(torch, kind))

    def by_hand(self) -> list[np.ndarray]:
        """Spikes of each block [clips, T, neurons]: the network run by ourselves."""
        net = Net(self.blocks, "loop", self.dtype).eval()
        for m in net.modules():
            for key in ("mem", "spk"):
                if hasattr(m, "spike_grad") and hasattr(m, key):
                    setattr(m, key, torch.zeros(0))
        net.seen = [[] for _ in self.blocks]
        with torch.no_grad():
            net(torch.from_numpy(self.x).to(self.dtype))
        found = [torch.stack(x, 1) for x in net.seen]
        kept = [b.neuron is not None for b in self.blocks]
        self.sums = [x for x, k in zip(found, kept) if not k]
        return [x.to(torch.float32).numpy() for x, k in zip(found, kept) if k]


def case(seed: int, folder: Path) -> str:
    """One case: "equal" or the Fault's words. AssertionError with its story else."""
    made, kept = None, list(snn.SpikingNeuron.instances)
    try:
        made = Draw(seed)
        return compared(made, folder)
    except Fault as fault:
        if "\n" in str(fault):
            raise AssertionError(f"a Fault of several lines: {fault}") from fault
        return str(fault)
    except Exception as error:
        said = made.said if made else "while drawn"
        shape = made.x.shape if made else ""
        story = f"{type(error).__name__}: {error} | {said} {shape}"
        raise AssertionError(story[:1200]) from error
    finally:
        snn.SpikingNeuron.instances = kept  # snnTorch lists its layers for ever


def compared(made: Draw, folder: Path) -> str:
    kind = made.pick(KINDS)
    made.said.append(kind)
    events = made.given(kind)
    listed = isinstance(events, list) or kind == "clips"
    plane = made.shape if listed or made.chance(0.2) else None
    widths = {"weight_bits": made.whole(2, 8), "membrane_bits": made.whole(8, 16)}
    if made.chance(0.3):
        widths |= {"beta_bits": made.whole(6, 12), "per_channel": made.chance(0.5)}
    layout = made.pick("AAAAABC")
    update = made.pick(("in-place", "row", "word")) if layout == "C" else "in-place"
    spec = MacroSpec(layout=layout, update=update)
    made.said.append(f"{widths} layout {layout}")
    want = made.by_hand()
    frames = made.x.reshape(*made.x.shape[:2], -1).astype(np.float32)
    graph = graphs.read(made.net, frames, made.shape).graph
    told = floats.run(graph, frames)
    run = sram.emulate(made.net, events, spec, plane=plane, **widths)
    told_of = run.report["differences"], run.report["compared"]
    assert told_of[0] == 0 < told_of[1], f"differences of compared: {told_of}"
    assert len(run.floats.spikes) in (len(want), len(want) + 1)
    for a, b, c in zip(run.floats.spikes, want, told.spikes):
        wide = made.dtype in (torch.float32, torch.float64)
        wrong = int((a != b).sum())  # all steps at once round otherwise in 8 bits
        told_of = f"the float side is not the network run by hand: {wrong} of {a.size}"
        assert not wrong or not wide and wrong <= max(6, 0.03 * a.size), told_of
        late = any("once more" in n for n in run.report["notes"])
        rounds = any(layer.law == "shift" for layer in graph.layers)
        rounds |= any(getattr(b.neuron, "shift", None) for b in made.blocks)
        if wide and not late and not rounds:  # a graph's decay rounds nowhere
            agree = float((b == c).mean())
            assert agree > 0.97, f"the graph fires otherwise: {agree}"
    if run.report["readout"] == "sum" and made.dtype not in NARROW:
        summed = made.sums[0].double().sum(1).flatten(1).numpy()
        np.testing.assert_allclose(run.floats.scores, summed, rtol=1e-3, atol=1e-2)
    by_oracle(run, folder)
    return "equal"


def by_oracle(run, folder: Path) -> None:
    """Every state again, by the plain program of tests/oracle.py."""
    path = folder / "net.npz"
    run.checkpoint.save(path)
    clips = run.clips
    counts = np.asarray(1 if clips.count is None else clips.count, int)
    counts = np.broadcast_to(counts, clips.channel.shape)
    channel = np.repeat(clips.channel, counts)
    rows = np.concatenate([[0], np.cumsum(counts)]).astype(int)[clips.indptr]
    found = oracle.run(path, rows, channel, len(clips))
    for layer, (U, V, S) in zip(run.trace.layers, found):
        for name, a, b in (("U", layer.U, U), ("V", layer.V, V), ("S", layer.S, S)):
            assert np.array_equal(a, b), f"the oracle's {name} differs"


def many(cases: int, first: int, limit: int = 20) -> dict:
    """Cases first, first + 1, …: counts, faults by their words, and what failed."""
    told: dict = {"cases": 0, "equal": 0, "bad": []}
    faults: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + cases):
            try:
                found = case(seed, Path(folder))
                told["equal"] += found == "equal"
                if found != "equal":
                    faults[kind_of(found)] += 1
            except AssertionError as error:
                told["bad"].append([seed, str(error)])
            told["cases"] += 1
            if len(told["bad"]) >= limit:
                break
    return told | {"faults": dict(faults.most_common())}


def kind_of(words: str) -> str:
    """A Fault's words without names and numbers."""
    kept = "".join("#" if c.isdigit() else c for c in words.split("found")[0])
    return kept[:110]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    began = time.time()
    if len(sys.argv) == 2:
        with tempfile.TemporaryDirectory() as folder:
            try:
                print(case(int(sys.argv[1]), Path(folder)))
            except AssertionError:
                traceback.print_exc()
                sys.exit(1)
    else:
        told = many(int(sys.argv[1]), int(sys.argv[2]))
        print(json.dumps(told | {"seconds": round(time.time() - began, 1)}, indent=1,
                         ensure_ascii=False))  # fmt: skip
        sys.exit(bool(told["bad"]))
