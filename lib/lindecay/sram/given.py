"""Events in any form as clips: tensors, arrays, lists of addresses, Clips.

Several events of an input in one step are taken and counted: the array raises the
wordline once for each.
"""

import hashlib

import numpy as np

from lindecay import integer
from lindecay.events import Clips
from lindecay.settings import Fault

MOST = 2**16 - 1  # events of an input in one step


def as_clips(events, plane=None, inputs: int | None = None) -> tuple[Clips, tuple]:
    """(Clips, shape of one frame) of events in any form.

    Args:
        events: Clips; whole numbers [T, batch, …] in torch or numpy, dense or sparse;
            or lists: events[clip][step] = the inputs that spike, twice where twice.
        plane: shape of one frame, where the events do not have it.
        inputs: channels of lists, where there is no plane.

    Raises:
        Fault: what is wrong with the events, and where.

    >>> clips, shape = as_clips([[[0, 2], []], [[1], [0]]], inputs=3)
    >>> clips.indptr.tolist(), clips.channel.tolist(), shape
    ([0, 2, 2, 3, 4], [0, 2, 1, 0], (3,))
    """
    plane = None if plane is None else tuple(int(x) for x in np.ravel(plane))
    if isinstance(events, Clips):
        found, shape = sound(events), plane or (events.channels,)
    elif hasattr(events, "shape"):
        found, shape = _from_dense(events, plane)
    elif isinstance(events, list | tuple):
        channels = int(np.prod(plane)) if plane else inputs
        if channels is None:
            raise Fault("how many inputs?", expected="plane=(C, H, W)", found="lists")
        found, shape = _from_lists(events, channels), plane or (channels,)
    else:
        raise Fault(
            "events in an unknown form",
            expected="Clips, [time, batch, inputs …], or lists [clip][step]",
            found=type(events).__name__,
        )
    if not len(found) or not found.steps:
        raise Fault(
            "no events to run",
            expected="at least one clip of one step",
            found=f"{len(found)} clips of {found.steps} steps",
        )
    if int(np.prod(shape)) != found.channels:
        raise Fault(
            "a plane of another size than the events",
            expected=f"{found.channels} inputs",
            found=f"{tuple(shape)}",
        )
    return found, tuple(shape)


def sound(clips: Clips) -> Clips:
    """The same clips; Fault where rows, channels or counts do not fit together."""
    where, n = f"{clips.name}/{clips.split}", len(clips) * clips.steps

    def refuse(what, expected, found, do=None):
        raise Fault(what, expected=expected, found=found, where=where, do=do)

    indptr, channel = np.asarray(clips.indptr), np.asarray(clips.channel)
    if indptr.shape != (n + 1,):
        refuse("rows of the clips", f"{n + 1} entries of indptr", f"{indptr.shape}")
    if indptr[0] != 0 or indptr[-1] != channel.size or (np.diff(indptr) < 0).any():
        found = f"{indptr[0]} … {indptr[-1]} of {channel.size} events"
        refuse("rows of the clips", "indptr from 0, rising, to all events", found)
    low, high = int(channel.min(initial=0)), int(channel.max(initial=0))
    if low < 0 or (channel.size and high >= clips.channels):
        wanted = f"channels 0 to {clips.channels - 1}"
        refuse("an event at an unknown input", wanted, low if low < 0 else high)
    row = np.repeat(np.arange(n), np.diff(indptr))
    falls = np.flatnonzero((np.diff(channel) <= 0) & (np.diff(row) == 0))
    if falls.size:
        clip, step = divmod(int(row[falls[0]]), clips.steps)
        found = f"{channel[falls[0]]} then {channel[falls[0] + 1]} in clip {clip}"
        do = "several events of an input go into Clips.count"
        refuse("channels of a step", "rising, each once", f"{found}, step {step}", do)
    if clips.count is not None:
        counts = np.asarray(clips.count)
        if counts.shape != channel.shape or (counts < 1).any():
            refuse("counts of the clips", "one above 0 for each event", counts.shape)
    return clips


def _from_dense(events, plane) -> tuple[Clips, tuple]:
    frames = _array(events)
    if frames.ndim < 3:
        found = f"{frames.ndim} dimensions"
        raise Fault("events", expected="[time, batch, inputs …]", found=found)
    shape = plane or frames.shape[2:]
    if int(np.prod(shape)) != int(np.prod(frames.shape[2:])):
        found = f"frames of {frames.shape[2:]}"
        raise Fault("a plane of another size", expected=f"{shape}", found=found)
    off = np.argwhere(~((frames >= 0) & (frames <= MOST) & (frames == np.rint(frames))))
    if len(off):
        t, clip, *at = off[0].tolist()
        raise Fault(
            "input that is no number of events",
            expected="0, 1, 2 … events of an input in a step",
            found=f"{frames[tuple(off[0])]} at step {t}, clip {clip}, input {at}",
            do="the array adds a weight for a spike; code values as spikes",
        )
    flat = frames.reshape(*frames.shape[:2], int(np.prod(frames.shape[2:])))
    flat = flat.swapaxes(0, 1).astype(np.uint16)
    flat = np.ascontiguousarray(flat)
    indptr, channel = integer.as_events(flat)
    rows = flat.reshape(-1, flat.shape[2])
    counts = rows[rows > 0] if flat.max(initial=0) > 1 else None
    return _clips(indptr, channel, *flat.shape, counts), tuple(shape)


def _array(events) -> np.ndarray:
    """A tensor or array of any kind as a numpy array of plain numbers."""
    if hasattr(events, "detach"):
        x = events.detach().cpu()
        x = x.to_dense() if x.layout.__str__() != "torch.strided" else x
        return (
            x.float() if x.dtype.itemsize < 4 and x.is_floating_point() else x
        ).numpy()
    if hasattr(events, "toarray"):
        raise Fault("a sparse matrix of two dimensions", expected="[time, batch, …]")
    frames = np.asarray(events)
    if frames.dtype.kind not in "buif":
        raise Fault("events", expected="numbers", found=f"{frames.dtype}")
    return frames


def _from_lists(events, channels: int) -> Clips:
    steps = {len(clip) for clip in events}
    if len(steps) > 1:
        found = f"{sorted(steps)}"
        raise Fault("clips of one length", expected="as many steps each", found=found)
    steps = steps.pop() if steps else 0
    bins = [
        _addresses(b, channels, divmod(i, max(steps, 1)))
        for i, b in enumerate(b for clip in events for b in clip)
    ]
    pairs = [np.unique(b, return_counts=True) for b in bins]
    indptr = np.concatenate([[0], np.cumsum([len(c) for c, _ in pairs])])
    channel = np.concatenate([np.zeros(0, np.int32), *(c for c, _ in pairs)])
    counts = np.concatenate([np.zeros(0, np.int64), *(n for _, n in pairs)])
    counts = counts.astype(np.uint16) if counts.max(initial=0) > 1 else None
    return _clips(
        indptr.astype(np.int64),
        channel.astype(np.int32),
        len(events),
        steps,
        channels,
        counts,
    )


def _addresses(spikes, channels: int, at: tuple[int, int]) -> np.ndarray:
    """The inputs that spike in one step, checked: int64, as often as they do."""
    where = f"clip {at[0]}, step {at[1]}"
    flat = np.asarray(spikes if len(np.shape(spikes)) else [spikes])
    if flat.dtype == bool:
        if flat.shape != (channels,):
            wanted = f"a mask of {channels} inputs"
            raise Fault("events", expected=wanted, found=f"{flat.shape}", where=where)
        return np.flatnonzero(flat)
    if flat.size and (flat.dtype.kind not in "iuf" or (flat != np.rint(flat)).any()):
        raise Fault(
            "an address that is no whole number",
            expected=f"inputs 0 to {channels - 1}",
            found=f"{flat.ravel()[:3].tolist()}",
            where=where,
        )
    flat = flat.astype(np.int64).ravel()
    if flat.size == channels > 2 and flat.max() <= 1:
        raise Fault(
            "a step that looks like 0 and 1 for each input",
            expected="the numbers of the inputs that spike",
            found=f"{channels} entries, none above 1",
            where=where,
            do="pass such events as one array [time, batch, inputs]",
        )
    if flat.size and not 0 <= flat.min() <= flat.max() < channels:
        raise Fault(
            "an event at an unknown input",
            expected=f"0 to {channels - 1}",
            found=f"{flat.min()} to {flat.max()}",
            where=where,
        )
    return flat


def _clips(indptr, channel, n: int, steps: int, channels: int, counts=None) -> Clips:
    digest = hashlib.sha256(indptr.tobytes() + channel.tobytes())
    digest.update(b"" if counts is None else counts.tobytes())
    return Clips(
        indptr=indptr,
        channel=channel,
        labels=np.zeros(n, np.int64),
        steps=steps,
        channels=channels,
        dt_us=0,
        name="given",
        split="given",
        source="given",
        sha256=digest.hexdigest(),
        count=counts,
    )
