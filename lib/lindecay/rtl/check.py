"""Hardware against emulator: every state, every spike, every counter; 0 differences.

    Icarus runs the Verilog on real clips; its testbench compares with the images
"""

import tempfile
import time
from pathlib import Path

from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.rtl import icarus, project
from lindecay.rtl.emulator import MacroSpec

KEYS = ("cycles", "states_compared", "counters_compared", "differences")


def simulate(found: project.Hardware, *more: str, keep: Path | None = None) -> dict:
    """Compile and run a testbench in a folder of its own; its counts and seconds.

    Args:
        keep: where the folder shall stay; a temporary one otherwise.

    Raises:
        Fault: Icarus is missing, fails or prints no result.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = project.write(found, keep or Path(folder) / "rtl")
        icarus.compiled(here, project.sources(found), "bench")
        start = time.perf_counter()
        out = icarus.simulated(here, *more)
        return out | {"seconds": time.perf_counter() - start}


def report(parts: list[dict], clips: int) -> dict:
    """What `prove --rtl` adds, summed over simulations."""
    keys = ("cycles", "states", "counters", "differences")
    out = {new: sum(part[old] for part in parts) for new, old in zip(KEYS, keys)}
    seconds = sum(part["seconds"] for part in parts)
    wrong = sum(not part["passed"] for part in parts)
    out["differences"] = max(out["differences"], wrong)
    out["cycles_per_second"] = round(out["cycles"] / max(seconds, 1e-9))
    return {"clips": clips, **out}


def network(ck: Checkpoint, clips: Clips, spec: MacroSpec | None = None) -> dict:
    """A fully connected network, whole, on clips."""
    return report([simulate(project.network(ck, clips, spec))], len(clips))
