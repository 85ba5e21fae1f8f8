"""The one door: a checkpoint or anybody's network, events in any form, any layout.

network -> graph (`graphs.read`) -> integers (`quantise`) -> array
differences = states of the array that are not the integer network's (0)
agreement   = spikes that the network itself, in floating point, fires as well
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from lindecay import graphs, integer
from lindecay.checkpoints import Checkpoint
from lindecay.events import Clips
from lindecay.graphs import Floats
from lindecay.settings import Fault
from lindecay.sram import layouts, quantise
from lindecay.sram.given import as_clips
from lindecay.sram.place.spec import MacroSpec
from lindecay.sram.quantise import FEW, Choice
from lindecay.sram.serial.macro import Run

LEAKS = ("as-is", "linear")


@dataclass
class Emulated(Run):
    """A run with what it ran: the clips, the integers, and what was compared."""

    clips: Clips
    checkpoint: Checkpoint
    report: dict = field(default_factory=dict)
    floats: Floats | None = None  # what the network given did itself


def emulate(
    net,
    events,
    spec: MacroSpec | None = None,
    record: bool = True,
    *,
    weight_bits: int | None = None,
    membrane_bits: int | None = None,
    fraction_bits: int | None = None,
    beta_bits: int | None = None,
    per_channel: bool | None = None,
    calibrate: bool | None = None,
    leak: str | None = None,
    plane=None,
    readout: str | None = None,
    reset: str | None = None,
    dt: float | None = None,
    labels=None,
    progress: Callable[[int, int], None] | None = None,
    alter: Callable | None = None,
) -> Emulated:
    """Run a network on emulated macros.

    Args:
        net: an integer checkpoint; an nir.NIRGraph or the path of a .nir file; any
            nn.Module of torch with snn.Leaky, snn.RLeaky or LinearDecayLIF in it, whose
            forward takes one step [batch, …] or all [T, batch, …]; or a list of layers.
        events: Clips; 0, 1, 2 … events as [T, batch, …] in torch or numpy; or lists:
            events[clip][step] = the inputs that spike.
        spec: macro, layout and update; 256 x 256 of layout A by default.
        record: keep U and V of every neuron and step.
        weight_bits, membrane_bits, fraction_bits, beta_bits: 4, 12, as fine as the
            membrane allows, 8. per_channel: a weight LSB for each channel or neuron.
        calibrate: choose headroom and bias by 32 of the clips; on for NIR.
        leak: "as-is", or "linear": exponential leaks become linear ones (λ by least
            squares), without training.
        plane: (C, H, W) of the input where events are no planes.
        readout: "auto" (what the network returns), "count" or "membrane".
        reset, dt: of a NIR graph: "zero" or "subtract"; seconds of a step.
        labels: class of each clip, for accuracies in the report.
        progress: called with clips done and clips in all, layer by layer (layout A).
        alter: called with index and machine of each layer (layout A); mutants.

    Returns:
        Emulated: trace, ledger, mapping, clips, checkpoint and report.

    Raises:
        Fault: names the layer that has no array form, or the value that is off.

    >>> import snntorch as snn, torch
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
    spec = spec or MacroSpec()
    grid = {"weight_bits": weight_bits, "membrane_bits": membrane_bits}
    grid |= {"fraction_bits": fraction_bits, "beta_bits": beta_bits}
    grid = {
        k: v for k, v in (grid | {"per_channel": per_channel}).items() if v is not None
    }
    array = {"progress": progress, "alter": alter}
    _of_layout_a(spec, array)
    if isinstance(net, Checkpoint):
        own = {"calibrate": calibrate, "leak": leak, "readout": readout}
        _of_networks(grid | own | {"reset": reset, "dt": dt})
        clips, _ = as_clips(events, plane, net.channels)
        run = _on_array(net, clips, spec, record, array)
        return Emulated(**vars(run), clips=clips, checkpoint=net)
    options = {"reset": reset, "dt": dt}
    options = {k: v for k, v in options.items() if v is not None}
    found = prepare(
        net, events, Choice(**grid), calibrate, leak, plane, readout, labels, **options
    )
    run = _on_array(found.checkpoint, found.clips, spec, record, array)
    whole = integer.run(found.checkpoint, found.clips, record)
    told = report(found, run, whole)
    return Emulated(**vars(run), clips=found.clips, checkpoint=found.checkpoint,
                    report=told, floats=found.floats)  # fmt: skip


def _on_array(ck, clips, spec, record, array) -> Run:
    array = {k: v for k, v in array.items() if v is not None}
    return layouts.emulate(ck, clips, spec, record, **array)


def _of_layout_a(spec: MacroSpec, array: dict) -> None:
    """Fault where a keyword of layout A alone is given for another."""
    given = [k for k, v in array.items() if v is not None]
    if given and spec.layout != "A":
        what = f"{given[0]}= is of layout A"
        raise Fault(what, expected="layout A", found=f"layout {spec.layout}")


def _of_networks(given: dict) -> None:
    """Fault where a keyword of the quantisation is given for a checkpoint."""
    odd = [k for k, v in given.items() if v is not None]
    if odd:
        raise Fault(
            f"{odd[0]}= is for networks that are quantised here",
            expected="a network in floating point",
            found="an integer checkpoint, which has its own grid",
        )


@dataclass
class Prepared:
    """A network ready for the array: integers, clips and what the floats did."""

    checkpoint: Checkpoint
    clips: Clips
    graph: graphs.Graph
    floats: Floats
    origin: str
    choice: Choice
    tried: list[dict]
    labels: np.ndarray | None = None


def prepare(
    net, events, choice, calibrate=None, leak=None, plane=None, readout=None,
    labels=None, progress=None, **options,
) -> Prepared:  # fmt: skip
    """Read a network, run it itself, and put it on the grid; see `emulate`."""
    if leak not in (None, *LEAKS):
        raise Fault("unknown leak", expected=" or ".join(LEAKS), found=repr(leak))
    nir = graphs.is_nir(net)
    if nir:
        net = graphs.nirs.read_file(net) if not hasattr(net, "nodes") else net
        plane = graphs.frame_of(net)
    inputs = None if plane or hasattr(events, "shape") else _inputs(net, events)
    clips, shape = as_clips(events, plane, inputs)
    labels = _labels(labels, len(clips))
    frames = clips.dense()
    reading = graphs.read(net, frames, shape, readout or "auto", **options)
    floats, graph = reading.run(frames, progress), reading.graph
    if leak == "linear":
        graph = quantise.linear(graph)
    chosen, tried = None, []
    if nir if calibrate is None else calibrate:
        few = np.linspace(0, len(clips) - 1, min(FEW, len(clips))).astype(int)
        part = Floats([s[few] for s in floats.spikes], floats.scores[few], [], [])
        chosen, tried = quantise.calibrated(graph, clips.subset(few), part, choice)
    ck = chosen or quantise.checkpoint(graph, clips.steps, choice)
    return Prepared(ck, clips, graph, floats, reading.origin, choice, tried, labels)


def _inputs(net, events) -> int | None:
    return None if isinstance(events, Clips) else quantise.inputs_of(net)


def _labels(labels, clips: int) -> np.ndarray | None:
    """Whole classes, one a clip; Fault else."""
    if labels is None:
        return None
    found = np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)
    whole = found.dtype.kind in "iuf" and not (found != np.rint(found)).any()
    if found.shape != (clips,) or not whole or (found < 0).any():
        raise Fault(
            "labels",
            expected=f"one class, 0 or above, for each of {clips} clips",
            found=f"{found.dtype} of shape {found.shape}",
        )
    return found.astype(np.int64)


def report(found: Prepared, run: Run, whole) -> dict:
    """Equality with the integer network, agreement with the network itself."""
    ck, floats = found.checkpoint, found.floats
    pairs = list(zip(run.trace.layers, whole.layers))
    keys = [k for k in "UVS" if getattr(whole.layers[0], k) is not None]
    wrong = sum(
        int((getattr(a, k) != getattr(b, k)).sum()) for a, b in pairs for k in keys
    )
    wrong += sum((a.clears, a.clamps) != (b.clears, b.clamps) for a, b in pairs)
    told = {
        "origin": found.origin,
        "grid": {"B": ck.B, "f": ck.f, "bits": ck.layers[0].bits},
        "law": ck.law,
        "reset": ck.reset,
        "readout": ck.readout,
        "compared": len(keys) * sum(a.S.size for a, _ in pairs),
        "differences": wrong,
        "predictions_agree": float((whole.predictions == floats.predictions).mean()),
        "notes": list(floats.notes),
        "tried": found.tried,
    }
    if found.labels is not None:
        told["accuracy_float"] = float((floats.predictions == found.labels).mean())
        told["accuracy_array"] = float((whole.predictions == found.labels).mean())
    rows = zip(pairs, floats.spikes, ck.layers)
    return told | {"layers": [_row(ck, a, S, layer) for (a, _), S, layer in rows]}


def _row(ck: Checkpoint, state, S: np.ndarray, layer) -> dict:
    """One layer of the report."""
    own = ck.of(layer)
    return {
        "name": state.name,
        "neurons": state.S.shape[-1],
        "law": own.law,
        "reset": own.reset,
        "grid": {"B": own.B, "f": own.f, "bits": layer.bits},
        "spikes": state.spikes,
        "spikes_float": int(S.sum()),
        "agreement": float((state.S == S).mean()),
        "clamps": state.clamps,
        "lambda_lost": _lost(own, layer),
    }


def _lost(own: Checkpoint, layer) -> bool:
    """Whether a linear leak rounded to nothing."""
    linear = own.law in ("shrink", "floor", "floor_after", "drift")
    return linear and not layer.row("lam").any()


def widths(
    net, events, labels=None, bits=(3, 4, 6, 8), progress=None, **more
) -> list[dict]:
    """What each width of the weights costs, in integers: no array is run.

    Args:
        net, events, labels: as in `emulate`.
        bits: widths of the weights; membranes by `membrane_bits`.
        more: membrane_bits, per_channel, leak, plane, readout, reset, dt.

    Returns:
        One row a width: bits, agreement of classes and spikes with the floats,
        accuracies, and what rounding weights, membranes and both costs.
    """
    own = {k: more.pop(k) for k in ("membrane_bits", "per_channel") if k in more}
    found = prepare(net, events, Choice(**own), False, labels=labels, **more)
    few = np.linspace(0, len(found.clips) - 1, min(FEW, len(found.clips))).astype(int)
    few_clips = found.clips.subset(few)
    part = Floats(
        [s[few] for s in found.floats.spikes], found.floats.scores[few], [], []
    )
    rows = []
    for n, b in enumerate(bits):
        choice = replace(found.choice, weight_bits=b)
        ck, _ = quantise.calibrated(found.graph, few_clips, part, choice)
        trace = integer.run(ck, found.clips, record=False)
        row = asdict(quantise.judged(f"{b} bits", trace, found.floats, found.labels))
        rows.append({"bits": b, "B": ck.B, "f": ck.f} | row)
        if progress:
            progress(n + 1, len(bits))
    return rows
