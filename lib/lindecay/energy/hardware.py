"""What the hardware showed, kept: whole networks, mutants, proofs, columns in cells.

The long run (minutes to an hour, `lindecay gates --keep`) writes it to
data/reference/hardware.json; a page shows these rows and says that they are carried.
"""

import json
from collections.abc import Callable
from pathlib import Path

from lindecay import rtl, store, subjects
from lindecay.energy import cellsim, columncells, formal
from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault, committed

FILE = "reference/hardware.json"
CARRIED = {"note": "committed rows of the long run"}  # a page marks their numbers so
LABELS = {
    "nmnist": "MLP-1, whole",
    "shd": "MLP-2, whole",
    "dvsgesture": "CNN, both convolutions whole",
}


def subject(name: str) -> tuple[Checkpoint, Clips]:
    """A committed network (the CNN: the quick profile's) and its first test clip."""
    clips = subjects.subject(name).clips(subjects.LITTLE)
    return subjects.checkpoint(name), clips.subset([0])


def networks(tell: Callable = lambda _: None) -> list[dict]:
    """Each network's first test clip through its Verilog, one row a network."""
    rows = []
    ck, clips = rtl.treelayer.readout(*subject("nmnist"))
    trees = rtl.check.simulate(rtl.treelayer.network(ck, clips, rows=512))
    told = {"set": "nmnist", "network": "MLP-1, readout in layout C"}
    told |= {"source": clips.source}
    rows.append(told | rtl.check.report([trees], 1))
    for name, label in LABELS.items():
        ck, clips = subject(name)
        told = {"set": name, "network": label, "source": clips.source}
        rows.append(told | rtl.prove(ck, clips))
        tell(rows[-1])
    return rows


def measure(tell: Callable = lambda _: None) -> dict:
    """All of it; needs Icarus, Yosys, both libraries and the recordings."""
    ck, clips = subject("nmnist")
    columns = [columncells.measured(ck, clips, node) for node in cellsim.NODE_NM]
    out = {"schema": 1, "columns": columns, "formal": formal.prove()}
    out["mutants"] = rtl.mutants.caught()
    few = rtl.mutants.subject(), rtl.mutants.spikes(1), [0, 5, 9, 23]
    out["waveform"] = rtl.waves.compare(*few)
    tell(out)
    out["networks"] = networks(tell)
    return out


def keep(found: dict) -> Path:
    """Write the committed file."""
    path = committed("reference/gates.csv").with_name(Path(FILE).name)
    return store.write_atomic(path, json.dumps(found, indent=1) + "\n")


def read(path: Path | None = None) -> dict:
    """The committed file; Fault when it is missing or none of ours."""
    try:
        found = json.loads((Path(path) if path else committed(FILE)).read_text())
        if found["schema"] != 1:
            raise ValueError(f"schema {found['schema']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fault("rows of the hardware", expected=FILE, found=str(error)) from None
    return found


def table(kept: dict) -> list[dict]:
    """The networks' rows for a page."""
    names = ("network", "source", "clips", *rtl.check.KEYS, "cycles_per_second")
    return [{k.replace("_", " "): row[k] for k in names} for row in kept["networks"]]


def mutants() -> tuple[list[dict], str]:
    """Mutants of the Verilog, caught now; the committed rows without Icarus."""
    if rtl.icarus.available():
        return rtl.mutants.caught(), "recomputed"
    return read()["mutants"], "carried"


def first_steps(steps: int = 2) -> dict:
    """MLP-1's first steps, here and now; the committed row, carried, without Icarus."""
    if not rtl.icarus.available():
        rows = read()["networks"]
        row = next(r for r in rows if r["network"] == LABELS["nmnist"])
        return row | {"status": "carried"}
    ck, clips = subject("nmnist")
    told = {"set": "nmnist", "network": f"MLP-1, {steps} steps", "source": clips.source}
    return told | rtl.prove(ck, clips, steps) | {"status": "recomputed"}
