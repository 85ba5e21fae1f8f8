"""The committed reference: numbers that follow from what is committed beside them."""

import numpy as np
import pytest

from lindecay import events, reference, results, training
from lindecay.quantization import Checkpoint
from lindecay.settings import Fault

ARMS = ("vlif", "ldlif", "if")


@pytest.fixture
def recordings():
    """Skips where the real N-MNIST clips are not there."""
    found = events.locate("nmnist", "quick")
    if found.source == "stand-in":
        pytest.skip("no N-MNIST recordings: set LINDECAY_DATA")
    return found


def right() -> dict[str, np.ndarray]:
    """Committed hits, bool [seeds, clips], of each arm."""
    record = reference.predictions()
    labels = np.array(record["labels"])
    return {
        arm: np.array(list(seeds.values())) == labels
        for arm, seeds in record["predictions"].items()
    }


def test_committed_accuracies_follow_from_the_predictions():
    told = results.load("reference")
    for arm, hits in right().items():
        assert told[f"nmnist.acc.{arm}"].value == pytest.approx(100 * hits.mean())
        if arm not in ARMS:
            continue  # changed after training: one number each
        per_seed = told[f"nmnist.acc_per_seed.{arm}"].value
        assert per_seed == pytest.approx(list(100 * hits.mean(1)))


def test_committed_drop_follows_from_the_predictions():
    hits, told = right(), results.load("reference")["nmnist.drop"]
    drop = training.paired_drop(hits["vlif"], hits["ldlif"])
    assert told.value == pytest.approx(drop["mean"])
    assert told.interval == pytest.approx(drop["interval"])
    assert told.n == hits["vlif"].size


def test_committed_checkpoints_give_the_committed_predictions(recordings):
    assert reference.unequal() == dict.fromkeys(ARMS, 0)


def test_one_wrong_weight_is_noticed(recordings, tmp_path, monkeypatch):
    for path in reference.folder().glob("nmnist/*"):
        (tmp_path / "nmnist").mkdir(exist_ok=True)
        (tmp_path / "nmnist" / path.name).write_bytes(path.read_bytes())
    path = next((tmp_path / "nmnist").glob("ldlif-*.npz"))
    ck = Checkpoint.load(path)
    ck.layers[-1].w[:] = ck.layers[-1].w[::-1].copy()
    ck.save(path)
    monkeypatch.setattr(reference, "folder", lambda: tmp_path)
    assert reference.unequal()["ldlif"] > 0


def test_reference_is_never_made_from_a_stand_in():
    assert reference.predictions()["source"] in ("recordings", "official")


def test_a_run_that_is_not_there_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "set_dir", lambda scope: tmp_path)
    with pytest.raises(Fault, match="no finished run: expected result files"):
        reference.collect("paper")
