"""Events: sources, readers, bins and the stand-in, on small files made here."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from lindecay import events
from lindecay.events import saccades
from lindecay.events.binning import bins_of
from lindecay.events.facts import EVENT
from lindecay.settings import Fault

RECORDED = Path(os.environ.get("LINDECAY_DATA", "/nonexistent"))


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """One store for this file, so that the stand-in is made once."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def store(shelf, monkeypatch):
    monkeypatch.setenv("LINDECAY_STORE", str(shelf))
    return shelf


@pytest.fixture
def empty(store, tmp_path, monkeypatch):
    """No recordings: an empty data folder, and small stand-ins."""
    monkeypatch.setattr(events.sources, "sizes_of", lambda *_: (200, 100))
    monkeypatch.setenv("LINDECAY_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def nmnist(store, monkeypatch):
    """The real N-MNIST recordings."""
    if not (RECORDED / "NMNIST" / "SOURCE.json").exists():
        pytest.skip("LINDECAY_DATA has no N-MNIST recordings")
    monkeypatch.setenv("LINDECAY_DATA", str(RECORDED))
    return RECORDED


def clip_of(x, y, t, p):
    made = np.zeros(len(x), EVENT)
    for name, values in zip("xytp", (x, y, t, p)):
        made[name] = values
    return made


@pytest.fixture
def small(empty):
    """Two train clips and one test clip in N-MNIST's layout."""
    home = empty / "NMNIST"
    for place in ("Train/3/00001", "Train/7/00002", "Test/3/00001"):
        path = home / f"{place}.bin"
        path.parent.mkdir(parents=True)
        made = clip_of([0, 33, 5], [0, 33, 6], [0, 9_999, 300_000], [0, 1, 1])
        path.write_bytes(saccades.encode(made))
    told = {"origin": "made by a test", "sha256": "0" * 64, "train": 2, "test": 1}
    (home / "SOURCE.json").write_text(json.dumps(told))
    return home


def test_encoded_clip_is_read_back_by_tonic(small):
    found = events.dataset("nmnist", "train")
    made, label = found[1]
    assert len(found) == 2 and label == 7
    assert made.dtype.names == ("x", "y", "t", "p")
    assert made.tolist() == [(0, 0, 0, 0), (33, 33, 9_999, 1), (5, 6, 300_000, 1)]


def test_partial_set_never_downloads(small, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a download was started")

    monkeypatch.setattr("tonic.dataset.download_and_extract_archive", refuse)
    assert events.locate("nmnist").counts == {"train": 2, "test": 1}
    assert len(list(events.dataset("nmnist", "test"))) == 1


def test_clips_hold_each_channel_once_in_its_bin(small):
    clips = events.clips("nmnist", "train", "quick")
    side, plane = 34, 34 * 34
    assert clips.events(0, 0).tolist() == [0, plane + 33 * side + 33]
    assert clips.events(1, 30).tolist() == [plane + 6 * side + 5]
    assert clips.indptr[-1] == len(clips.channel) == 6
    assert clips.labels.tolist() == [3, 7]
    assert (clips.source, clips.split) == ("recordings", "train")


def test_subset_and_dense_agree(nmnist):
    clips = events.clips("nmnist", "test", "quick")
    idx = np.array([7, 3, 99])
    dense = clips.dense(idx)
    assert dense.shape == (31, 3, 2312) and dense.dtype == np.uint8
    assert (clips.subset(idx).dense() == dense).all()
    assert (clips.dense([3])[:, 0] == dense[:, 1]).all()
    mask = clips.labels == 4
    assert (clips.subset(mask).labels == 4).all() and len(clips.subset(mask)) == 14
    assert clips.subset(range(100)).sha256 == clips.sha256 != clips.subset(idx).sha256


def test_bins_equal_tonic_frames(nmnist):
    from tonic.transforms import ToFrame

    found = events.dataset("nmnist", "test")
    frames = ToFrame((34, 34, 2), time_window=10_000, start_time=0, end_time=310_000)
    clips = events.clips("nmnist", "test", "quick")
    for i in range(0, 100, 9):
        made = found[i][0]
        tonics = frames(made)[:31] > 0  # (time, polarity, y, x)
        assert (clips.dense([i])[:, 0] == tonics.reshape(31, -1)).all()


def test_recordings_have_the_documented_counts(nmnist):
    train = events.clips("nmnist", "train", "quick").labels
    test = events.clips("nmnist", "test", "quick").labels
    assert np.bincount(train).tolist() == [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
    assert np.bincount(test).tolist() == [8, 14, 8, 11, 14, 7, 10, 15, 2, 11]
    assert events.info()["nmnist"]["source"] == "recordings"


def test_late_events_are_dropped_not_folded():
    made = clip_of([1, 1], [0, 0], [5, 40], [0, 0])
    assert bins_of(made, events.Binning(10, 4), (34, 34, 2))[0].tolist() == [1]


def digest(folder):
    paths = sorted(folder.rglob("*.bin"))
    return [(str(p.relative_to(folder)), p.read_bytes()) for p in paths]


def test_stand_in_is_the_same_from_the_same_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert saccades.write(tmp_path / name, (10, 10), seed) == {
            "train": 10,
            "test": 10,
        }
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


def test_stand_in_shares_no_digit_between_splits():
    _, labels = saccades.digits()
    train, test = saccades.choose(labels, (1000, 100), np.random.default_rng(0))
    assert not set(train) & set(test)
    assert np.bincount(labels[train]).tolist() == [100] * 10
    assert np.bincount(labels[test]).tolist() == [10] * 10


def statistics(found):
    """Median events, ON fraction, median end in ms, share of unique entries."""
    clips = [e for e, _ in found]
    binning = events.Binning(10_000, 34)
    unique = [len(bins_of(e, binning, (34, 34, 2))[0]) / len(e) for e in clips]
    return (
        np.median([len(e) for e in clips]),
        np.mean([e["p"].mean() for e in clips]),
        np.median([e["t"][-1] / 1000 for e in clips]),
        np.mean(unique),
    )


def test_stand_in_lies_near_the_recordings(empty):
    found = events.locate("nmnist")
    assert found.source == "stand-in" and found.counts == {"train": 200, "test": 100}
    count, on, end, unique = statistics(events.dataset("nmnist", "train"))
    # the recordings, measured on all 1,100 clips: 4,164, 0.500, 308 ms, 0.67
    assert abs(count / 4164 - 1) < 0.1
    assert abs(on - 0.5) < 0.02
    assert abs(end - 308) < 5
    assert abs(unique - 0.67) < 0.05


def test_numbers_that_the_stand_in_is_held_to_are_the_recordings(nmnist):
    count, on, end, unique = statistics(events.dataset("nmnist", "train"))
    assert abs(count / 4164 - 1) < 0.01 and abs(on - 0.5) < 0.005
    assert abs(end - 308) < 1 and abs(unique - 0.67) < 0.005


def test_stand_in_and_recordings_share_one_code_path(empty):
    clips = events.clips("nmnist", "test", "quick")
    assert (clips.source, len(clips), clips.channels) == ("stand-in", 100, 2312)
    assert type(events.dataset("nmnist", "test")) is events.readers.NMNIST


BAD = {
    "truncated": b"\x01\x02\x00\x00",
    "empty": b"",
    "foreign": b"\x89PNG\r\n\x1a\n" + b"\x00" * 12,
    "outside": bytes([34, 0, 0, 0, 0]),
    "late": bytes([1, 1, 0x7F, 0xFF, 0xFF]),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_event_file_is_one_clear_fault(small, kind):
    path = small / "Train/7/00002.bin"
    path.write_bytes(BAD[kind])
    with pytest.raises(Fault) as told:
        events.clips("nmnist", "train", "quick")
    line = str(told.value)
    assert str(path) in line and "expected" in line and "found" in line
    assert "\n" not in line
    left = Path(os.environ["LINDECAY_STORE"]) / "clips"
    assert not list(left.glob("*.part"))


def test_missing_file_is_noticed(small):
    (small / "Train/7/00002.bin").unlink()
    with pytest.raises(Fault, match="expected 2 train and 1 test clips, found 1 and 1"):
        events.locate("nmnist")


def test_changed_file_is_binned_anew(small):
    before = events.clips("nmnist", "train", "quick")
    path = small / "Train/7/00002.bin"
    path.write_bytes(path.read_bytes()[:10])
    after = events.clips("nmnist", "train", "quick")
    assert len(after.channel) == len(before.channel) - 1
    assert after.sha256 != before.sha256


def test_unidentified_set_is_refused(small):
    (small / "SOURCE.json").unlink()
    with pytest.raises(Fault, match="unidentified.*md5"):
        events.locate("nmnist")


def test_unreadable_source_note_is_a_fault(small):
    (small / "SOURCE.json").write_text("{")
    with pytest.raises(Fault, match="does not say what it is"):
        events.locate("nmnist")


def test_official_archives_are_known_by_md5(small, monkeypatch):
    import hashlib

    (small / "SOURCE.json").unlink()
    for split in ("train", "test"):
        (small / f"{split}.zip").write_bytes(split.encode())
        right = hashlib.md5(split.encode()).hexdigest()
        monkeypatch.setattr(events.readers.reader("nmnist"), f"{split}_md5", right)
    found = events.locate("nmnist")
    assert found.source == "official" and len(found.sha256) == 64
    (small / "train.zip").write_bytes(b"other")
    with pytest.raises(Fault, match="unidentified.*train.zip"):
        events.locate("nmnist")


def test_stray_class_folder_is_a_fault(small):
    shutil.copytree(small / "Train/7", small / "Train/x7")
    with pytest.raises(Fault, match="folders named by a class"):
        events.locate("nmnist")


@pytest.mark.parametrize("made", ["nothing", "file", "elsewhere"])
def test_wrong_data_folder_is_a_fault(store, tmp_path, monkeypatch, made):
    base = tmp_path / "data"
    if made == "file":
        base.write_text("x")
    if made == "elsewhere":
        (base / "Train").mkdir(parents=True)
    monkeypatch.setenv("LINDECAY_DATA", str(base))
    with pytest.raises(Fault, match=f"expected.*found.*{base.name}"):
        events.locate("nmnist")


def test_unknown_names_are_faults(small):
    for call in (
        lambda: events.locate("mnist"),
        lambda: events.clips("nmnist", "validation", "quick"),
        lambda: events.clips("nmnist", "train", "fast"),
        lambda: events.Binning(0, 3),
    ):
        with pytest.raises(Fault, match="expected.*found"):
            call()
