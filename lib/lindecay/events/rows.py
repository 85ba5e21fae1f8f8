"""Compressed rows of events, checked: what compiled loops may follow blindly.

    row r holds channel[indptr[r] : indptr[r + 1]]

indptr starts at 0, never falls and ends at len(channel); channels are whole numbers
from 0 to channels - 1, rising within a row.
"""

import numpy as np

from lindecay.settings import Fault


def check_whole(what: str, values, where: str) -> None:
    """Fault unless `values` is a one-dimensional array of whole numbers."""
    array = isinstance(values, np.ndarray)
    if array and values.ndim == 1 and values.dtype.kind in "iu":
        return
    found = f"{values.dtype} {list(values.shape)}" if array else type(values).__name__
    wanted = "a one-dimensional array of whole numbers"
    raise Fault(f"{what} of events", expected=wanted, found=found, where=where)


def check(indptr, rows: int, channel, where: str) -> None:
    """Fault unless the pointers cut `channel` into `rows` rows."""
    check_whole("pointers", indptr, where)
    check_whole("channels", channel, where)
    if len(indptr) != rows + 1 or indptr[-1] != len(channel) or indptr[0] != 0:
        found = f"{len(indptr)}"
        found += f" from {indptr[0]} to {indptr[-1]}" if len(indptr) else ""
        wanted = f"{rows + 1} pointers from 0 to {len(channel)}"
        raise Fault("event rows do not fit", expected=wanted, found=found, where=where)
    falls = np.flatnonzero(indptr[1:] < indptr[:-1])
    if len(falls):
        found = f"{indptr[falls[0] + 1]} behind {indptr[falls[0]]}"
        wanted = "pointers that never fall"
        place = f"row {falls[0]} of {where}"
        raise Fault("event rows do not fit", expected=wanted, found=found, where=place)


def check_channels(indptr, channel, channels: int, where: str, twice=False) -> None:
    """Fault for a channel that does not exist, or that stands twice in a row."""
    if not len(channel):
        return
    low, high = int(channel.min()), int(channel.max())
    if low < 0 or high >= channels:
        found = low if low < 0 else high
        wanted = f"0 to {channels - 1}"
        raise Fault(
            "event outside the channels", expected=wanted, found=found, where=where
        )
    if twice:
        return
    rises = np.ones(len(channel), bool)
    rises[1:] = channel[1:] > channel[:-1]
    rises[indptr[:-1][indptr[:-1] < len(channel)]] = True  # where a row begins
    if not rises.all():
        at = int(np.flatnonzero(~rises)[0])
        raise Fault(
            "channels of a row must rise, each once",
            expected=f"above {channel[at - 1]}",
            found=int(channel[at]),
            where=f"entry {at} of {where}",
            do="sort them; how often one spiked goes into count",
        )


def check_counts(count, channel, where: str) -> None:
    """Fault unless there is one count, at least 1, for each entry."""
    if count is None:
        return
    check_whole("counts", count, where)
    if len(count) != len(channel) or (len(count) and count.min() < 1):
        found = f"{len(count)} from {count.min() if len(count) else 0}"
        wanted = f"{len(channel)} counts from 1"
        raise Fault("counts of events", expected=wanted, found=found, where=where)
