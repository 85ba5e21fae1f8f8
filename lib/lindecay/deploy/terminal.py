"""What a visit says in a terminal: progress with the time left, and a table."""

import sys
import time

from lindecay.deploy.visit import Visit


class Progress:
    """A line on standard error: phase, share done, seconds left.

    >>> tell = Progress()
    >>> tell.line("array", 2, 4, 1.0)
    'array: 2 of 4, 1 s left'
    """

    def __init__(self):
        self.phase, self.start = "", 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase != self.phase:
            self.phase, self.start = phase, time.perf_counter()
        spent = time.perf_counter() - self.start
        end = "\n" if done == total else ""
        line = self.line(phase, done, total, spent)
        print(f"\r{line:<60}", end=end, file=sys.stderr, flush=True)

    @staticmethod
    def line(phase: str, done: int, total: int, spent: float) -> str:
        """What is told after `spent` seconds."""
        left = spent / max(done, 1) * (total - done)
        return f"{phase}: {done} of {total}, {left:.0f} s left"


def table(found: Visit) -> None:
    """The answer, then a row a layer."""
    from rich.console import Console
    from rich.table import Table

    face = found.face
    for key, value in face.items():
        if key != "layers" and value is not None:
            told = f"{value:,.4g}" if isinstance(value, float) else value
            print(f"{key.replace('_', ' ')}: {told}")
    slow = max(face["layers"], key=lambda row: row["cycles_per_clip"])
    print(f"slowest: {slow['name']}, {slow['cycles_per_clip']:,.0f} cycles a clip")
    rows = Table()
    keys = "name neurons law reset spikes agreement macros cycles_per_clip".split()
    for key in keys:
        rows.add_column(key.replace("_", " "), overflow="fold")
    for row in face["layers"]:
        cells = (row[k] for k in keys)
        told = (f"{x:,.4g}" if isinstance(x, float) else str(x) for x in cells)
        rows.add_row(*told)
    Console().print(rows)
    for note in found.notes:
        print(f"note: {note}")
