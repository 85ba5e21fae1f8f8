"""Anybody's network as one graph of neurons: NIR, torch modules, lists of layers.

read(net, frames, shape)  ->  Reading: the graph, and the way to run it in floats
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np

from lindecay.graphs import floats, nirs, trace
from lindecay.graphs.export import to_nir
from lindecay.graphs.floats import Floats
from lindecay.graphs.ir import Graph, Neurons, Path, bundle
from lindecay.settings import Fault

__all__ = [
    "Floats",
    "Graph",
    "Neurons",
    "Path",
    "Reading",
    "bundle",
    "is_nir",
    "read",
    "to_nir",
]


@dataclass
class Reading:
    """A network that was read: its graph, and itself in floating point."""

    graph: Graph
    run: Callable[..., Floats]  # run(frames [T, clips, inputs], progress=None)
    origin: str  # "NIR" or "torch"


def is_nir(net) -> bool:
    """Whether it is a NIR graph, or the path of one."""
    if isinstance(net, str | File):
        return True
    return type(net).__module__.split(".")[0] == "nir" and hasattr(net, "nodes")


def frame_of(net) -> tuple[int, ...] | None:
    """The shape of one frame of a network's input, where it says so itself."""
    if is_nir(net):
        graph = nirs.read_file(net) if isinstance(net, str | File) else net
        return nirs.read(graph).shape
    return None


def read(net, frames: np.ndarray, shape=None, readout="auto", **nir_options) -> Reading:
    """Read a network.

    Args:
        net: nir.NIRGraph, path of a .nir file, nn.Module, or a list of layers.
        frames: [T, clips, …], array or tensor, that it will see; two clips of them
            are looked at.
        shape: of one frame, where it is not that of `frames`.
        readout: "auto", "count" or "membrane", for networks of torch.
        nir_options: reset and dt of a NIR graph.

    Raises:
        Fault: names the layer or node that has no array form, and why.
    """
    if is_nir(net):
        graph = nirs.read_file(net) if isinstance(net, str | File) else net
        found = nirs.read(graph, **nir_options)
        return Reading(found, lambda x, go=None: floats.run(found, x, go), "NIR")
    if nir_options:
        known = ", ".join(nir_options)
        raise Fault("options of NIR alone", found=known, do="leave them out")
    seen = trace.read(net, *_flat(frames, shape), readout)
    return Reading(seen.graph, seen.run, "torch")


def _flat(frames, shape) -> tuple[np.ndarray, tuple[int, ...]]:
    """Frames as [T, clips, inputs], and the shape of one."""
    x = frames.detach().cpu() if hasattr(frames, "detach") else frames
    x = np.asarray(x.float() if hasattr(x, "bfloat16") else x)
    if x.ndim < 3 or not x.size or x.dtype.kind not in "buif":
        told = f"{x.dtype} {list(x.shape)}"
        raise Fault("frames to watch", expected="numbers [T, clips, …]", found=told)
    return x.reshape(*x.shape[:2], -1), tuple(shape or x.shape[2:])
