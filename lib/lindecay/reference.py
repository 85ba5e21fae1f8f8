"""The committed reference: results of a full run, and what it takes to check them.

data/reference/results/*.json     what each chapter published, with its stamps
data/reference/nmnist/*.npz       one integer checkpoint for each arm
data/reference/nmnist/predictions.json   the class that each seed gave each test clip
data/reference/shd/                the same of MLP-2
data/reference/protocol/*.json     the rows of every study that ran

Every statistic can be recomputed from the predictions anywhere, and every accuracy
from the checkpoints where the recordings are.
"""

import json
import shutil
from pathlib import Path

from lindecay import events, integer, results, training
from lindecay.arms import ARMS
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault, committed, profile, root
from lindecay.store import write_atomic
from lindecay.studies import protocol
from lindecay.subjects import SUBJECTS
from lindecay.training import speech

SCHEMA = 1


def folder() -> Path:
    """data/reference of the checkout or the installed package."""
    return committed("reference")


def collect(profile_name: str = "paper") -> list[Path]:
    """Copy a finished run into data/reference; returns what was written.

    Raises:
        Fault: when the run is not there, or was made from stand-ins.
    """
    home = root() / "data" / "reference"
    made = sorted(results.set_dir(profile_name).glob("*.json"))
    if not made:
        do = f"run `lindecay run --profile {profile_name}` first"
        raise Fault("no finished run", expected="result files", found="none", do=do)
    clips = training.clips_for(profile_name, "test")
    if clips.source == "stand-in":
        raise Fault("a stand-in is no reference", expected="recordings or official")
    (home / "results").mkdir(parents=True, exist_ok=True)
    copied = [Path(shutil.copy(path, home / "results" / path.name)) for path in made]
    written = _networks(home / "nmnist", profile_name, clips)
    return copied + written + studies()


def studies() -> list[Path]:
    """Copy the finished rows of the protocol, and what SHD's main study implies."""
    home, found = root() / "data" / "reference", []
    for path in sorted(protocol.folder().glob("*.json")):
        (home / "protocol").mkdir(parents=True, exist_ok=True)
        found.append(Path(shutil.copy(path, home / "protocol" / path.name)))
    main = protocol.read("main", protocol.folder())
    return found + (_speech(home / "shd", main) if main["rows"] else [])


def _speech(home: Path, main: dict) -> list[Path]:
    """Predictions of every seed; the integer checkpoint of each arm's first seed."""
    clips = speech.clips_for("paper", "test")
    rows = sorted(main["rows"], key=lambda row: row["seed"])
    arms: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        told = protocol.classes_of(row["predictions"]).tolist()
        arms.setdefault(row["arm"], {})[str(row["seed"])] = told
    written = [
        _kept(home / f"{row['arm']}-seed{row['seed']}.npz", row, clips)
        for row in rows
        if str(row["seed"]) == next(iter(arms[row["arm"]]))
    ]
    return [*written, _record(home, clips, "paper", main["commit"], arms)]


def _kept(path: Path, row: dict, clips: events.Clips) -> Path:
    """The checkpoint behind a row; one that gives its predictions is not made again."""
    told = protocol.classes_of(row["predictions"]).tolist()
    if path.exists() and not _unequal(path, clips, told):
        return path
    return protocol.checkpoint(row).save(path)


def _networks(home: Path, profile_name: str, clips: events.Clips) -> list[Path]:
    seeds = profile(profile_name).seeds
    arms, written = {}, []
    for arm in training.COMPARED:
        found = [training.checkpoint_for(profile_name, arm, s) for s in seeds]
        traces = [integer.run(ck, clips, record=False) for ck in found]
        arms[arm] = {str(s): t.predictions.tolist() for s, t in zip(seeds, traces)}
        written.append(found[0].save(home / f"{arm}-seed{seeds[0]}.npz"))
    arms |= _changed(profile_name, clips)
    return [*written, _record(home, clips, profile_name, results.commit(), arms)]


def _changed(profile_name: str, clips: events.Clips) -> dict[str, dict]:
    """What chapter 04 does to LD-LIF: lambda 0, doubled, and a longer memory."""
    sizes = profile(profile_name)
    own = {s: training.checkpoint_for(profile_name, "ldlif", s) for s in sizes.seeds}
    changes = {"lam0": lambda lam: lam * 0, "lam2": lambda lam: lam * 2}
    told = {
        f"ldlif.{name}": {
            str(s): _classes(training.with_lambda(ck, change), clips)
            for s, ck in own.items()
        }
        for name, change in changes.items()
    }
    longer = training.Plan("ldlif", sizes.seeds[0], sizes, beta=0.95)
    slow = Checkpoint.load(training.train(longer) / "checkpoint.npz")
    return told | {"ldlif.longer": {str(sizes.seeds[0]): _classes(slow, clips)}}


def _classes(ck: Checkpoint, clips: events.Clips) -> list[int]:
    return integer.run(ck, clips, record=False).predictions.tolist()


def _record(home: Path, clips, profile_name: str, commit: str, arms: dict) -> Path:
    record = {
        "schema": SCHEMA,
        "set": clips.name,
        "source": clips.source,
        "sha256": clips.sha256,
        "profile": profile_name,
        "commit": commit,
        "labels": clips.labels.tolist(),
        "predictions": arms,
    }
    return write_atomic(home / "predictions.json", json.dumps(record) + "\n")


def predictions(name: str = "nmnist") -> dict:
    """The committed predictions of every arm, seed and test clip."""
    return json.loads((folder() / name / "predictions.json").read_text())


def unequal(name: str = "nmnist") -> dict[str, int]:
    """Test clips that a committed checkpoint now classifies otherwise, per arm.

    Raises:
        Fault: when the clips at hand are not those of the reference.
    """
    record = predictions(name)
    clips = SUBJECTS[name].clips(record["profile"])
    if clips.sha256 != record["sha256"]:
        raise Fault(
            "other test clips than the reference's",
            expected=f"{record['source']} {record['sha256'][:12]}",
            found=f"{clips.source} {clips.sha256[:12]}",
        )
    return {
        arm: _unequal(folder() / name / f"{arm}-seed{seed}.npz", clips, told)
        for arm, seeds in record["predictions"].items()
        if arm in ARMS  # an arm that was changed after training keeps no file
        for seed, told in list(seeds.items())[:1]
    }


def _unequal(path: Path, clips: events.Clips, told: list[int]) -> int:
    found = integer.run(Checkpoint.load(path), clips, record=False).predictions
    return int((found != told).sum())
