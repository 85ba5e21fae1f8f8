"""A network that nobody here trained: the NIR paper's, on the array, rows kept.

The convolutional network of Pedersen et al. (Nature Communications 2024), converted by
Sinabs, on real N-MNIST clips. The file is not ours to hand on, so the rows are carried:

    python -m lindecay.deploy.known cnn_sinabs.nir     measures and keeps them
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from lindecay import store
from lindecay.deploy.files import events, network
from lindecay.deploy.visit import visit
from lindecay.settings import Fault, committed

FILE = "reference/nir.json"
RESETS, BITS, MEMBRANE = ("subtract", "zero"), (3, 4, 6, 8), 12
KEPT = (
    "clips source accuracy_float accuracy_array agreement differences states_compared"
    " macros uj_per_clip us_per_clip pj_per_sop seconds"
).split()
# accuracy in %, 10,000 official clips; stored beside the network in the NIR repository
PUBLISHED = {
    "Sinabs": 98.47,
    "SpiNNaker 2": 98.2,
    "Lava": 98.15,
    "Norse": 98.11,
    "Nengo": 98.11,
    "snnTorch": 97.85,
    "Spyx": 97.12,
    "Speck": 95.4,
}


def measure(path: str, tell: Callable = lambda row: None) -> dict:
    """Each reset and width on 100 test clips of 300 bins of 1 ms."""
    clips, labels = events("nmnist", None, 1000, 300)
    rows = []
    for reset in RESETS:
        for bits in BITS:
            net = network(path)
            found = visit(net, clips, labels, bits=(bits, MEMBRANE), reset=reset)
            told = {key: found.face[key] for key in KEPT}
            rows.append({"reset": reset, "weight_bits": bits, **told})
            tell(rows[-1])
    return {"schema": 1, "published": PUBLISHED, "rows": rows}


def read(path: Path | None = None) -> dict:
    """The committed rows; Fault when they are missing or none of ours."""
    try:
        found = json.loads((path or committed(FILE)).read_text())
        if found["schema"] != 1:
            raise ValueError(f"schema {found['schema']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fault(
            "rows of the NIR network", expected=FILE, found=str(error)
        ) from None
    return found


def table(kept: dict) -> list[dict]:
    """A row a reset and width, as the page shows it."""
    return [
        {
            "reset": row["reset"],
            "weight bits": row["weight_bits"],
            "right in float, %": 100 * row["accuracy_float"],
            "right on the array, %": 100 * row["accuracy_array"],
            "differences": row["differences"],
            "macros": row["macros"],
            "µJ/clip": round(row["uj_per_clip"], 1),
            "ms/clip": round(row["us_per_clip"] / 1e3, 2),
        }
        for row in kept["rows"]
    ]


if __name__ == "__main__":
    found = measure(sys.argv[1], lambda row: print(row, flush=True))
    home = committed("reference") / Path(FILE).name
    print(store.write_atomic(home, json.dumps(found, indent=1) + "\n"))
