"""MLP-2 with spikes that come back: recurrent hidden layers on the same grid.

    U(t) = clamp(decay(V) + W x(t) + R s(t - 1) + bias),   s = [U > theta]

R has the LSB of W and no normalisation of its own: batch statistics are those of W x,
so threshold, bias and decay stay one row of the array each. The exported layer has two
bundles of synapses, the second one a step late (`checkpoints.Synapse`).
"""

import math
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import nn

from lindecay import events
from lindecay.checkpoints import Synapse
from lindecay.kernels import plain
from lindecay.kernels.rule import Rule
from lindecay.networks.layer import Network, SpikingLayer
from lindecay.networks.speech import SpeechMlp, SpeechSpec
from lindecay.quantization import Grid, quantize_weights
from lindecay.questions import commands
from lindecay.settings import profile
from lindecay.training import arm as training_arm
from lindecay.training import speech

RETURN = 0.5  # bound of R's uniform start, over the root of its inputs
FEW = (10, 2)  # words, and how often each voice says one
COARSE = events.Binning(dt_us=28_000, steps=35, downsample=5)  # half of MLP-2's steps


class Looped(SpikingLayer):
    """A normalised layer whose spikes come back to it a step later."""

    def __init__(self, neurons, synapses, gain, start):
        super().__init__(neurons, synapses, gain, start, normalised=True)
        n = synapses.shape[0]
        reach = RETURN / math.sqrt(n)
        self.again = nn.Parameter(torch.empty(n, n).uniform_(-reach, reach))

    def returning(self) -> torch.Tensor:
        """R as whole numbers, with gradients."""
        return quantize_weights(self.again, self.scale, self.neurons.grid.weight_bits)

    def forward(self, x) -> tuple[torch.Tensor, torch.Tensor]:
        """Spikes and membranes before reset in LSB, both [T, batch, neurons]."""
        current, *moments = self.statistics(self.current(x))
        rows = self.rows(*moments)
        back = self.returning() * 2.0**self.neurons.grid.fraction_bits
        current = current + rows.pop("bias", 0)
        return stepped(current, back, self.neurons, rows)

    def exported(self, name: str, source: int, **place):
        """The layer with its second bundle; source: its own number."""
        w = self.returning().detach().round().to(torch.int8).numpy()
        layer = super().exported(name, **place)
        return replace(layer, more=(Synapse(w, source, delay=1),))


def stepped(current, back, neurons, rows: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """The time loop step by step: what fires at t - 1 is added at t.

    current: [T, batch, n] in LSB; back: R in LSB, [n, n]; rows: theta and decays.
    """
    theta, told = rows["theta"].detach(), neurons.dividing(rows)
    beta = told.pop("beta_q", None)
    beta = rows.get("beta", torch.ones(())) if beta is None else beta
    lam = rows.get("lam", torch.zeros(()))
    how = {"clamp": neurons.clamp, "slope": neurons.slope, "scale": float(theta.mean())}
    rule = Rule(**told, **how)
    v = s = current.new_zeros(current.shape[1:])
    out = []
    for now in current.unbind(0):
        u, s, v = plain.step(v, None, now + s @ back.T, lam, beta, theta, rule)
        out.append((s, u))
    spikes, membranes = zip(*out)
    return torch.stack(spikes), torch.stack(membranes)


class RecurrentMlp(SpeechMlp):
    """MLP-2 whose hidden layers are `Looped`; the readout is as it was."""

    def __init__(self, spec: SpeechSpec):
        super().__init__(spec)
        sizes = (spec.channels, *spec.hidden)
        for k, inputs in enumerate(sizes[:-1]):
            old, n = self.layers[k], sizes[k + 1]
            gain = 1 / math.sqrt(inputs)
            self.layers[k] = Looped(spec.neurons, old.synapses, gain, spec.starts(n))

    def place(self, k: int) -> dict:
        return {"source": k} if isinstance(self.layers[k], Looped) else {}


@dataclass(frozen=True)
class Plan(speech.Plan):
    """MLP-2 on coarse bins, recurrent or not.

    recurrent: hidden layers feed themselves. words: "shd"; "commands", the stand-in of
    Speech Commands (`questions.commands`); or "few", ten words of it.
    """

    recurrent: bool = False
    words: str = "shd"

    def clips(self) -> events.Clips:
        return clips_for(self.words, "train")

    def network(self, clips: events.Clips) -> Network:
        made = RecurrentMlp if self.recurrent else SpeechMlp
        return made(replace(self.network_spec, channels=clips.channels))

    def params(self, clips: events.Clips) -> dict:
        own = {"recurrent": self.recurrent, "words": self.words}
        return super().params(clips) | own | {"variation": asdict(self.variation)}

    def split(self, clips: events.Clips) -> tuple[np.ndarray, np.ndarray]:
        """Training clips (at most `most`, chosen once) and those held out."""
        part, held = np.arange(len(clips)), np.arange(0)
        if self.words == "shd":
            opened = events.dataset("shd", "train", self.profile.name)
            part, held = events.validation(opened)[self.fold]
        mixed = np.random.default_rng(0).permutation(part)
        return np.sort(mixed[: self.most]), held

    @property
    def modules(self) -> tuple[str, ...]:
        return (__name__,)


def clips_for(words: str, split: str) -> events.Clips:
    """SHD in coarse bins; the stand-in of Speech Commands, whole or a few words."""
    if words == "shd":
        return events.clips("shd", split, "paper", COARSE)
    return commands.clips(split, *FEW) if words == "few" else commands.clips(split)


def tiny(arm: str, epochs: int = 2) -> Plan:
    """A recurrent network that a page trains there and then: ten words, 32 neurons."""
    chosen = training_arm(arm)
    sizes = replace(profile("quick"), epochs=epochs, batch=50)
    how = {"hidden": (32, 32), "classes": FEW[0], "decays": "open"}
    spec = SpeechSpec(chosen.law, horizon=8.0, grid=Grid(4, 12, 2), **how)
    told = {"network_spec": spec, "watch": False, "recurrent": True, "words": "few"}
    return Plan(arm, 0, sizes, **told)
