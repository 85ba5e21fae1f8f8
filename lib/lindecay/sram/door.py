"""The one door: a checkpoint or anybody's network, events in any form, any layout.

network -> integers (`foreign.quantised`) -> array
differences = states of the array that are not the integer network's (0)
agreement   = spikes that the network in floating point fires as well
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from lindecay import integer
from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault
from lindecay.sram import foreign, layouts
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.serial.macro import Run


@dataclass
class Emulated(Run):
    """A run of a network that was quantised at the door."""

    checkpoint: Checkpoint
    report: dict  # what was compared, and how far integers and floats agree


def emulate(net, events, spec: MacroSpec | None = None, record=True, **more) -> Run:
    """Run a network on emulated macros.

    Args:
        net: an integer checkpoint, or a feed-forward network of snnTorch (a Sequential,
            ModuleList or list): Linear or Conv2d (any stride), each followed by
            LinearDecayLIF or snn.Leaky; max pooling of spikes; see `foreign`.
        events: Clips; 0 and 1 as [T, batch, …] in torch or numpy; or lists:
            events[clip][step] = the inputs that spike.
        spec: macro, layout and update; 256 x 256 of layout A by default.
        record: keep U and V of every neuron and step (always, for a network).
        more: for a checkpoint, see `layouts.emulate`; for a network weight_bits,
            membrane_bits, fraction_bits, beta_bits, and plane=(C, H, W) of the input
            where a convolution comes first and events are no planes.

    Returns:
        Run for a checkpoint, Emulated for a network: trace, ledger, mapping, and the
        checkpoint and report of the quantisation.

    Raises:
        Fault: names the layer that has no array form, or the value that is off.

    >>> import snntorch as snn
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> first, second = nn.Linear(20, 16), nn.Linear(16, 4)
    >>> net = nn.Sequential(first, snn.Leaky(0.9), second, snn.Leaky(0.9))
    >>> clips = (torch.rand(25, 8, 20) < 0.4).float()  # [T, batch, inputs]
    >>> run = emulate(net, clips)
    >>> run.report["differences"], run.report["compared"]
    (0, 12000)
    >>> run.mapping.macros, run.trace.predictions.shape
    (2, (8,))
    >>> all(layer["agreement"] > 0.9 for layer in run.report["layers"])
    True
    """
    if isinstance(net, Checkpoint):
        return layouts.emulate(net, events, spec, record, **more)
    own = {k: more.pop(k) for k in list(more) if k in GRID}
    plane = own.pop("plane", None)
    clips, shape = as_clips(events, plane, _inputs(net))
    ck = foreign.quantised(net, clips.steps, shape if _planes(net) else None, **own)
    run = layouts.emulate(ck, clips, spec, True, **more)
    whole = integer.run(ck, clips)
    frames = torch.from_numpy(clips.dense()).unflatten(2, shape)
    floats = list(foreign.spikes(net, frames))
    return Emulated(**vars(run), checkpoint=ck, report=report(ck, run, whole, floats))


GRID = ("weight_bits", "membrane_bits", "fraction_bits", "beta_bits", "plane")


def report(ck: Checkpoint, run: Run, whole, floats: list[np.ndarray]) -> dict:
    """Equality with the integer network, agreement with the one in floating point."""
    pairs = list(zip(run.trace.layers, whole.layers))
    wrong = sum(
        int((getattr(a, k) != getattr(b, k)).sum()) for a, b in pairs for k in "UVS"
    )
    wrong += sum((a.clears, a.clamps) != (b.clears, b.clamps) for a, b in pairs)
    classes = floats[-1].sum(1, dtype=np.int64).argmax(1)
    return {
        "grid": {"B": ck.B, "f": ck.f, "bits": ck.layers[0].bits},
        "law": ck.law,
        "reset": ck.reset,
        "compared": 3 * sum(a.S.size for a, _ in pairs),
        "differences": wrong,
        "predictions_agree": float((run.trace.predictions == classes).mean()),
        "layers": [
            {
                "name": a.name,
                "neurons": a.S.shape[-1],
                "spikes": a.spikes,
                "spikes_float": int(S.sum()),
                "agreement": float((a.S == S).mean()),
                "lambda_lost": _lost(layer),
            }
            for (a, _), S, layer in zip(pairs, floats, ck.layers)
        ],
    }


def _lost(layer) -> bool:
    """Whether a linear leak rounded to nothing."""
    return layer.beta is None and not layer.row("lam").any()


def _inputs(net) -> int | None:
    """Inputs of the first synapses, where they are linear."""
    first = foreign.stages(net)[0].synapses
    return getattr(first, "in_features", None)


def _planes(net) -> bool:
    return isinstance(foreign.stages(net)[0].synapses, torch.nn.Conv2d)


def as_clips(events, plane=None, inputs: int | None = None) -> tuple[Clips, tuple]:
    """(Clips, shape of one frame) of events in any of the three forms.

    >>> clips, shape = as_clips([[[0, 2], []], [[1], [0]]], inputs=3)
    >>> clips.indptr.tolist(), clips.channel.tolist(), shape
    ([0, 2, 2, 3, 4], [0, 2, 1, 0], (3,))
    """
    if isinstance(events, Clips):
        return events, tuple(plane or (events.channels,))
    if hasattr(events, "shape"):
        return _from_dense(events, plane)
    channels = int(np.prod(plane)) if plane else inputs
    if channels is None:
        raise Fault("how many inputs?", expected="plane=(C, H, W)", found="lists")
    return _from_lists(events, channels), tuple(plane or (channels,))


def _from_dense(events, plane) -> tuple[Clips, tuple]:
    frames = events.detach().cpu().numpy() if hasattr(events, "detach") else events
    if frames.ndim < 3:
        found = f"{frames.ndim} dimensions"
        raise Fault("events", expected="[time, batch, inputs …]", found=found)
    off = np.argwhere((frames != 0) & (frames != 1))
    if len(off):
        t, clip, *at = off[0].tolist()
        raise Fault(
            "input that is not binary",
            expected="0 or 1",
            found=f"{frames[tuple(off[0])]} at step {t}, clip {clip}, input {at}",
            do="the array adds a weight for a spike; code values as spikes",
        )
    shape = tuple(plane or frames.shape[2:])
    flat = frames.reshape(*frames.shape[:2], -1).swapaxes(0, 1).astype(np.uint8)
    indptr, channel = integer.as_events(np.ascontiguousarray(flat))
    return _clips(indptr, channel, *flat.shape), shape


def _from_lists(events, channels: int) -> Clips:
    steps = {len(clip) for clip in events}
    if len(steps) != 1:
        found = f"{sorted(steps)}" if steps else "no clips"
        raise Fault("clips of one length", expected="as many steps each", found=found)
    bins = [np.unique(np.asarray(b, np.int64)) for clip in events for b in clip]
    for i, spikes in enumerate(bins):
        if spikes.size and not 0 <= spikes[0] <= spikes[-1] < channels:
            clip, t = divmod(i, *steps)
            raise Fault(
                "an event at an unknown input",
                expected=f"0 to {channels - 1}",
                found=f"{spikes.min()} to {spikes.max()}",
                where=f"clip {clip}, step {t}",
            )
    indptr = np.concatenate([[0], np.cumsum([b.size for b in bins])]).astype(np.int64)
    channel = np.concatenate(bins).astype(np.int32)
    return _clips(indptr, channel, len(events), *steps, channels)


def _clips(indptr, channel, n: int, steps: int, channels: int) -> Clips:
    digest = hashlib.sha256(indptr.tobytes() + channel.tobytes()).hexdigest()
    return Clips(
        indptr=indptr,
        channel=channel,
        labels=np.zeros(n, np.int64),
        steps=steps,
        channels=channels,
        dt_us=0,
        name="given",
        split="test",
        source="stand-in",
        sha256=digest,
    )
