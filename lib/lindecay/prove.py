"""Proofs: training forward = integer network = array (= oracle), bit for bit.

Every membrane before the reset (U), after it (V) and every spike, of every neuron,
step and clip. The oracle (tests/oracle.py) joins where the checkout holds it.
"""

import importlib.util
import tempfile
from pathlib import Path

import numpy as np

from lindecay import integer, sram, training
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault, profile, root

SCHEMA = 1
SHARED = ("spikes", "clears", "clamps")  # counters of a layer's trace


def prove(
    name: str = "nmnist", profile_name: str = "quick", arm: str = "ldlif", seed: int = 0
) -> dict:
    """Run the trained network's test clips through all parties and compare.

    Returns the object that `lindecay prove NAME --json` prints.

    Raises:
        Fault: for a data set without a trained network.
    """
    if name != "nmnist":
        raise Fault("no trained network yet", expected="nmnist", found=repr(name))
    p = profile(profile_name)
    plan = training.Plan(arm, seed, p)
    clips = training.clips_for(profile_name, "test")
    clips = clips.subset(np.arange(min(p.prove_clips, len(clips))))
    ck = training.checkpoint_for(profile_name, arm, seed)
    array = sram.emulate(ck, clips)
    whole = integer.run(ck, clips)
    parties = {
        "training forward": trained_states(plan, ck, clips),
        "integer network": states(whole),
        "array": states(array.trace),
    }
    oracle = oracle_states(ck, clips)
    if oracle is not None:
        parties["oracle"] = oracle
    counters = unequal_counters(whole, array)
    return report(name, clips, parties, array, counters, profile_name)


def states(trace) -> list[tuple[np.ndarray, ...]]:
    """(U, V, S) of every layer of a trace."""
    return [(layer.U, layer.V, layer.S) for layer in trace.layers]


def trained_states(plan, ck: Checkpoint, clips) -> list[tuple[np.ndarray, ...]]:
    """(U, V, S) of the training code in float32; V as its reset leaves it."""
    pairs = training.training_forward(training.load(plan), clips)
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
    layers = array.trace.layers
    spikes = sum(S.size for _, _, S in base)
    return {
        "schema": SCHEMA,
        "set": name,
        "profile": profile_name,
        "clips": len(clips),
        "source": clips.source,
        "tier": "bit",
        "parties": list(parties),
        "membranes_compared": 2 * spikes * others,
        "spikes_compared": spikes * others,
        "counters_compared": 5 * len(layers),
        "differences": sum(per_party.values()) + counters,
        "differences_by_party": per_party,
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
    }


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
