"""Proofs: training forward = integer network = array (= oracle), bit for bit.

Every membrane before the reset (U), after it (V) and every spike, of every neuron,
step and clip; counters of every layer; the ledger's conservation laws. The first clip
runs through the array in single bits too. The oracle (tests/oracle.py) joins where the
checkout holds it.
"""

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lindecay import integer, sram, training
from lindecay.events import Clips
from lindecay.quantization import Checkpoint
from lindecay.rtl import check as hardware
from lindecay.settings import Fault, root
from lindecay.sram import layouts
from lindecay.sram.ledger import FIELDS
from lindecay.subjects import proven

SCHEMA = 1
SHARED = ("spikes", "clears", "clamps")  # counters of a layer's trace
AT_ONCE = 2**24  # neurons x steps x clips held at a time by each party


def prove(
    name: str = "nmnist",
    profile_name: str = "quick",
    arm: str = "ldlif",
    seed: int = 0,
    rtl: bool = False,
    layout: str = "A",
) -> dict:
    """Run the trained network's clips through all parties and compare.

    Args:
        layout: A, B or C; of B and C the first clip runs through single bits too.
        rtl: the array as Verilog too, in Icarus, on the first clip.

    Returns the object that `lindecay prove NAME --json` prints.

    Raises:
        Fault: for a data set without a network.
    """
    plan, ck, clips = proven(name, profile_name, arm, seed)
    net, parts, spec = training.load(plan), [], sram.MacroSpec(layout=layout)
    for few in batches(clips, ck):
        array, whole = layouts.emulate(ck, few, spec), integer.run(ck, few)
        parties = {
            "training forward": trained_states(net, ck, few),
            "integer network": states(whole),
            "array": states(array.trace),
        }
        oracle = oracle_states(ck, few)
        if oracle is not None:
            parties["oracle"] = oracle
        counters = unequal_counters(whole, array)
        parts.append(report(name, few, parties, array, counters, profile_name))
    found = joined(parts)
    found["bit_tier"] = bit_tier(ck, clips.subset([0]), spec)
    found["differences"] += found["bit_tier"]["differences"]
    if rtl:
        found["rtl"] = hardware.prove(ck, clips)
        found["differences"] += found["rtl"]["differences"]
    return found


def bit_tier(ck: Checkpoint, clips: Clips, spec=None) -> dict:
    """The array in single bits against the fast array: states and counters.

    In layouts B and C through their own adders: ripple carries, trees of adders.
    """
    spec = spec or sram.MacroSpec()
    run, bits = layouts.emulate(ck, clips, spec), layouts.bitwise(ck, clips, spec)
    if spec.layout == "A":
        told = bits.trace.layers, bits.ledger, run
        states, counters, *wrong = sram.bitwise.differences(*told)
    else:
        states, counters, wrong = _compared(bits, run)
    return {
        "clips": len(clips),
        "states_compared": states,
        "counters_compared": counters,
        "differences": sum(wrong),
    }


def _compared(bits, run) -> tuple[int, int, list[int]]:
    """States and all counters of two runs: how many, and how many differ."""
    pairs = [
        (getattr(a, k), getattr(b, k))
        for a, b in zip(bits.trace.layers, run.trace.layers)
        for k in "UVS"
    ]
    counts = [
        (bits.ledger[at][key], run.ledger[at][key])
        for at in run.ledger
        for key in FIELDS
    ]
    wrong = [int((a != b).sum()) for a, b in pairs] + [a != b for a, b in counts]
    return sum(a.size for a, _ in pairs), len(counts), wrong


def batches(clips: Clips, ck: Checkpoint) -> Iterator[Clips]:
    """The clips, as many at a time as memory should hold."""
    size = sum(layer.out for layer in ck.layers) * ck.steps
    few = max(1, AT_ONCE // size)
    for first in range(0, len(clips), few):
        yield clips.subset(np.arange(first, min(first + few, len(clips))))


def states(trace) -> list[tuple[np.ndarray, ...]]:
    """(U, V, S) of every layer of a trace."""
    return [(layer.U, layer.V, layer.S) for layer in trace.layers]


def trained_states(net, ck: Checkpoint, clips) -> list[tuple[np.ndarray, ...]]:
    """(U, V, S) of the training code in float32; V as its reset leaves it."""
    pairs = training.training_forward(net, clips)
    resets = [layer.row("theta") for layer in ck.layers]
    return [(U, U - theta * S, S) for (U, S), theta in zip(pairs, resets)]


def oracle_states(ck: Checkpoint, clips) -> list[tuple[np.ndarray, ...]] | None:
    """(U, V, S) by tests/oracle.py, which imports nothing of lindecay."""
    try:
        path = root() / "tests" / "oracle.py"
    except Fault:
        return None
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("oracle", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory() as folder:
        saved = ck.save(Path(folder) / "checkpoint.npz")
        return module.run(saved, clips.indptr, clips.channel, len(clips))


def differences(parties: dict[str, list]) -> dict[str, int]:
    """Unequal states of each party against the integer network."""
    base = parties["integer network"]
    return {
        name: sum(
            int((np.asarray(a) != np.asarray(b)).sum())
            for mine, other in zip(base, layers)
            for a, b in zip(mine, other)
        )
        for name, layers in parties.items()
        if name != "integer network"
    }


def report(name, clips, parties: dict, array, counters: int, profile_name: str) -> dict:
    """The counts of a proof as one JSON object."""
    base = parties["integer network"]
    others = len(parties) - 1
    per_party = differences(parties)
    broken = len(array.ledger.conserved(array.mapping.spec.cols))
    layers = array.trace.layers
    spikes = sum(S.size for _, _, S in base)
    return {
        "schema": SCHEMA,
        "set": name,
        "profile": profile_name,
        "clips": len(clips),
        "source": clips.source,
        "layout": array.mapping.spec.layout,
        "tier": "bit-sliced" if array.mapping.spec.layout == "A" else "words",
        "parties": list(parties),
        "membranes_compared": 2 * spikes * others,
        "spikes_compared": spikes * others,
        "counters_compared": 5 * len(layers),
        "differences": sum(per_party.values()) + counters + broken,
        "differences_by_party": per_party,
        "conservation_laws_broken": broken,
        "layers": [
            {
                "name": layer.name,
                "neurons": layer.S.shape[-1],
                "spikes": layer.spikes,
                "clears": layer.clears,
                "clamps": layer.clamps,
            }
            for layer in layers
        ],
        "array": [
            {
                "name": plan.name,
                "macros": plan.macros,
                "cycles": array.ledger.by_layer()[plan.name].cycles,
                "sops": array.ledger.by_layer()[plan.name].sops,
            }
            for plan in array.mapping.layers
        ],
    }


ADDED = ("clips", "membranes_compared", "spikes_compared", "counters_compared")
ADDED += ("differences", "conservation_laws_broken")
ADDED_OF_LAYERS = ("spikes", "clears", "clamps", "cycles", "sops")


def joined(parts: list[dict]) -> dict:
    """The counts of all batches; what is no count is that of the first."""
    whole = dict(parts[0])
    for key in ADDED:
        whole[key] = sum(part[key] for part in parts)
    party = "differences_by_party"
    whole[party] = {k: sum(part[party][k] for part in parts) for k in whole[party]}
    for key in ("layers", "array"):
        rows = zip(*(part[key] for part in parts))
        whole[key] = [_added(same) for same in rows]
    return whole


def _added(same: tuple[dict, ...]) -> dict:
    """One layer's counts over batches."""
    keys = [key for key in same[0] if key in ADDED_OF_LAYERS]
    return same[0] | {key: sum(row[key] for row in same) for key in keys}


def unequal_counters(whole, array) -> int:
    """Counters of the array that differ from the integer network's.

    Per layer: spikes, clears and clamps of the trace; fired columns and synaptic
    operations of the ledger.
    """
    wrong = 0
    for mine, theirs in zip(whole.layers, array.trace.layers):
        billed = array.ledger.by_layer()[mine.name]  # counts of the whole layer
        pairs = [(getattr(mine, k), getattr(theirs, k)) for k in SHARED]
        pairs += [(mine.spikes, billed.fired), (mine.sops, billed.sops)]
        wrong += sum(int(a) != int(b) for a, b in pairs)
    return wrong
