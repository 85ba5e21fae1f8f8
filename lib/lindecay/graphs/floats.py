"""A graph in floating point, step by step: the reference for files without code.

    U = decay(V) + current;  S = U > θ;  V = U − θ S   (or 0, or U, or late)

Networks of torch run themselves (`trace`); this runs what came as a NIR file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from lindecay.checkpoints import CLIPS
from lindecay.graphs.ir import Graph, Neurons, applied


@dataclass
class Floats:
    """What a network did in floating point."""

    spikes: list[np.ndarray]  # uint8 [clips, T, neurons] of each layer
    scores: np.ndarray  # [clips, classes]: spikes, or the membrane at the end
    least: list[float]  # smallest and largest membrane seen in each layer
    most: list[float]
    notes: tuple[str, ...] = ()

    @property
    def predictions(self) -> np.ndarray:
        return self.scores.argmax(1)


def decayed(layer: Neurons, v: torch.Tensor) -> torch.Tensor:
    """One step of a layer's decay in real units."""
    lam, beta = (torch.as_tensor(x).to(v) for x in (layer.lam, layer.beta))
    if layer.law == "shrink":
        return v.sign() * (v.abs() - lam).clamp(min=0)
    if layer.law == "floor":
        return (v - lam).clamp(min=0)
    if layer.law == "drift":
        return v - lam
    if layer.law == "exponential":
        return v * beta
    return v - v * 2.0**-layer.shift if layer.law == "shift" else v


class State:
    """Membranes and spikes of all layers, one step at a time over all clips."""

    def __init__(self, graph: Graph, batch: int, dtype=torch.float32):
        self.graph = graph
        zeros = [torch.zeros((batch, *x.shape), dtype=dtype) for x in graph.layers]
        self.v, self.fired = zeros, [torch.zeros_like(x) for x in zeros]
        self.u = [torch.zeros_like(x) for x in zeros]

    def step(self, x: torch.Tensor, before: torch.Tensor) -> None:
        """One step from the frame x; `before` is the frame of the step before."""
        late, now = list(self.fired), list(self.fired)
        for i, layer in enumerate(self.graph.layers):
            current = torch.zeros_like(self.v[i])
            if layer.bias is not None:
                current = current + torch.as_tensor(layer.bias).to(current)
            for p in layer.paths:
                given = before if p.delay else x
                spikes = (late if p.delay else now)[p.source]
                here = given if p.source == CLIPS else spikes
                current = current + applied(p.ops, here).reshape(current.shape)
            now[i] = self._settle(i, layer, current)
        self.fired = now

    def _settle(self, i: int, layer: Neurons, current: torch.Tensor):
        theta = torch.as_tensor(layer.theta).to(current)
        u, v = decayed(layer, self.v[i]), self.v[i]
        u = u - theta * (v > theta) if layer.reset == "late" else u
        u = u + current
        if layer.law == "floor_after":
            u = (u - torch.as_tensor(layer.lam).to(u)).clamp(min=0)
        fires = (u > theta) if layer.spiking else torch.zeros_like(u, dtype=torch.bool)
        self.u[i] = u
        if layer.reset == "subtract":
            u = torch.where(fires, u - theta, u)
        elif layer.reset == "zero":
            u = torch.where(fires, torch.zeros_like(u), u)
        self.v[i] = u
        return fires.to(u.dtype)


@torch.no_grad()
def run(
    graph: Graph, frames: np.ndarray, progress: Callable[[int, int], None] | None = None
) -> Floats:
    """A graph over frames [T, clips, inputs]; a frame may hold counts.

    Args:
        graph: what a reader made.
        frames: [T, clips, inputs], 0, 1 or counts.
        progress: called with steps done and steps in all.
    """
    steps, batch = frames.shape[:2]
    state = State(graph, batch)
    S = [np.zeros((batch, steps, x.size), np.uint8) for x in graph.layers]
    least, most = [0.0] * len(S), [0.0] * len(S)
    before = torch.zeros((batch, *graph.shape))
    for t in range(steps):
        x = torch.from_numpy(frames[t].astype(np.float32)).reshape(batch, *graph.shape)
        state.step(x, before)
        before = x
        for i, u in enumerate(state.u):
            S[i][:, t] = state.fired[i].flatten(1).to(torch.uint8).numpy()
            least[i] = min(least[i], float(u.min())) if batch else 0.0
            most[i] = max(most[i], float(u.max())) if batch else 0.0
        if progress:
            progress(t + 1, steps)
    last = state.v[-1].flatten(1).numpy()
    scores = S[-1].sum(1, dtype=np.int64) if graph.readout == "count" else last
    return Floats(S, scores, least, most)
