"""SHD, DVS Gesture, binning, splits and stand-ins."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindecay import events
from lindecay.events import formants, gestures, readout, splits
from lindecay.events.binning import bins_of
from lindecay.events.facts import EVENT
from lindecay.events.readers import open_set, reader
from lindecay.settings import Fault

RECORDED = Path(os.environ.get("LINDECAY_DATA", "/nonexistent"))
SHD_TRAIN = [422] * 10 + [436] * 10  # clips of each class, as documented
GESTURE = (128, 128, 2)


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path / "store"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    if not (RECORDED / "SHD" / "SOURCE.json").exists():
        pytest.skip("LINDECAY_DATA has no recordings of SHD and DVS Gesture")
    monkeypatch.setenv("LINDECAY_DATA", str(RECORDED))
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path / "store"))


def noted(home, **counts):
    note = {"origin": "made by a test", "sha256": "0" * 64, **counts}
    (home / "SOURCE.json").write_text(json.dumps(note))


def shd(places, times, units, labels, speakers):
    home = places / "SHD"
    home.mkdir()
    for split in ("train", "test"):
        with h5py.File(home / f"shd_{split}.h5", "w") as file:
            for name, rows, kind in (("times", times, "f2"), ("units", units, "u2")):
                column = np.empty(len(rows), object)
                column[:] = [np.array(row, kind) for row in rows]
                kinds = h5py.vlen_dtype(kind)
                file.create_dataset(f"spikes/{name}", data=column, dtype=kinds)
            file["labels"], file["extra/speaker"] = labels, speakers
            file["extra/keys"] = np.array([b"one"] * 20)
    noted(home, train=len(labels), test=len(labels))


def gesture(places, rows, kind=np.float32, name="user03_led/5.npy"):
    path = places / "DVSGesture" / "ibmGestureTrain" / name
    path.parent.mkdir(parents=True)
    np.save(path, np.array(rows, kind))
    noted(places / "DVSGesture", train=1, test=0)
    return path


def test_shd_times_do_not_overflow_their_half_precision(places):
    shd(places, [[0.25, 1.375], [0.5]], [[0, 699], [3]], [2, 19], [0, 5])
    found = events.dataset("shd", "train")
    assert found[0][0]["t"].tolist() == [250_000, 1_375_000]
    assert found[0][0]["x"].tolist() == [0, 699]
    assert found[1][1] == 19 and found.groups.tolist() == [0, 5]


def test_gesture_files_are_sorted_and_cast_before_they_are_scaled(places):
    gesture(places, [[5, 6, 1, 70], [1, 2, 0, 66]], np.float16)
    made, label = events.dataset("dvsgesture", "train")[0]
    assert made["t"].tolist() == [66_000, 70_000] and label == 5
    assert events.dataset("dvsgesture", "train").groups.tolist() == [3]


WRONG_GESTURES = {
    "outside": [[128, 0, 0, 1]],
    "negative": [[-1, 0, 0, 1]],
    "wraps": [[65536, 0, 0, 1]],
    "polarity": [[1, 1, 2, 1]],
    "time": [[1, 1, 1, -5]],
    "nan": [[1, 1, 1, np.nan]],
    "fraction": [[1.5, 1, 1, 1]],
    "columns": [[1, 1, 1]],
    "empty": np.zeros((0, 4)),
}


@pytest.mark.parametrize("kind", WRONG_GESTURES)
def test_gesture_outside_the_sensor_is_a_fault_and_never_wraps(places, kind):
    path = gesture(places, WRONG_GESTURES[kind])
    with pytest.raises(Fault, match="expected.*found") as told:
        events.dataset("dvsgesture", "train")[0]
    assert str(path) in str(told.value)


@pytest.mark.parametrize("name", ["user03_led/11.npy", "user03_led/x.npy", "led/1.npy"])
def test_gesture_with_a_strange_name_is_a_fault(places, name):
    gesture(places, [[1, 1, 1, 1]], name=name)
    with pytest.raises(Fault, match="not a usable event file"):
        events.locate("dvsgesture")


@pytest.mark.parametrize(
    "times, units",
    [([[np.nan]], [[1]]), ([[np.inf]], [[1]]), ([[-0.5]], [[1]]), ([[0.1]], [[700]])]
    + [([[0.1, 0.2]], [[1]]), ([[]], [[]])],
)
def test_shd_outside_the_cochlea_is_a_fault(places, times, units):
    shd(places, times, units, [3], [0])
    with pytest.raises(Fault, match="clip 0"):
        events.dataset("shd", "train")[0]


def test_readers_agree_with_tonic(recorded):
    for name, clips in (("shd", (0, 300, 8579)), ("dvsgesture", (0, 9))):
        ours = events.dataset(name, "train")
        paths = [str(p) for p in ours.paths]
        for i in clips:
            k = ours.tonic.data.index(paths[i]) if ours.tonic.data else i
            theirs, label = ours.tonic[k]
            made, own = ours[i]
            theirs = theirs[np.argsort(theirs["t"], kind="stable")]
            assert own == label and (made["x"] == theirs["x"]).all()
            # tonic cuts to whole µs, we round
            assert np.abs(made["t"] - theirs["t"]).max() <= 1


def test_recordings_have_the_documented_counts(recorded):
    found = events.locate("shd")
    assert found.counts == {"train": 8580, "test": 1500}
    assert np.bincount(events.dataset("shd", "train").labels).tolist() == SHD_TRAIN
    assert set(np.bincount(events.dataset("shd", "test").labels)) == {70, 80}
    assert set(open_set("shd", "test", found.folder).groups) == {4, 5}
    assert events.locate("dvsgesture").counts == {"train": 10, "test": 0}
    assert events.dataset("dvsgesture", "train").labels.tolist() == list(range(10))


def test_missing_test_split_is_a_fault(recorded):
    with pytest.raises(Fault, match="no test clips"):
        events.clips("dvsgesture", "test", "quick")


clip = st.lists(
    st.tuples(*[st.integers(0, m) for m in (33, 33, 399_999, 1)]),
    min_size=1,
    max_size=60,
)


def as_events(rows):
    made = np.zeros(len(rows), EVENT)
    for name, column in zip("xytp", zip(*sorted(rows, key=lambda r: r[2]))):
        made[name] = column
    return made


@settings(max_examples=60, deadline=None)
@given(
    clip, st.sampled_from([1, 2, 4]), st.sampled_from(["both", "merged", "on", "off"])
)
def test_bins_equal_brute_force(rows, factor, polarity):
    made = as_events(rows)
    binning = events.Binning(7_000, 40, downsample=factor, polarity=polarity)
    width, height, signs = binning.geometry((34, 34, 2))
    want = {}
    for x, y, t, p in made.tolist():
        if t // 7_000 < 40 and polarity in ("both", "merged", ("off", "on")[p]):
            sign = p if polarity == "both" else 0
            place = (sign * height + y // factor) * width + x // factor
            key = t // 7_000 * (width * height * signs) + place
            want[key] = want.get(key, 0) + 1
    keys, counts = bins_of(made, binning, (34, 34, 2))
    assert dict(zip(keys.tolist(), counts.tolist())) == want


def test_counted_and_down_sampled_bins_equal_tonic(recorded):
    from tonic.transforms import Compose, Downsample, ToFrame

    binning = events.Binning(14_500, 100, downsample=4, counted=True)
    place = events.locate("dvsgesture")
    made = events.binned(place, "train", binning)
    frames = ToFrame((32, 32, 2), time_window=14_500, start_time=0, end_time=1_450_000)
    theirs = Compose([Downsample(spatial_factor=0.25), frames])
    want = theirs(events.dataset("dvsgesture", "train")[3][0])
    assert (made.dense([3])[:, 0] == want.reshape(100, -1)).all()


def test_bins_of_a_fixed_count_hold_that_many(recorded):
    binning = events.Binning(None, 20, events_per_bin=100, counted=True)
    made = events.binned(events.locate("dvsgesture"), "train", binning)
    assert made.dense([0]).sum(axis=(1, 2)).tolist() == [100] * 20


def test_crop_keeps_the_centre():
    made = as_events([(0, 0, 1, 0), (17, 16, 2, 1)])
    binning = events.Binning(10, 1, crop=(20, 20))
    keys, _ = bins_of(made, binning, (34, 34, 2))
    assert keys.tolist() == [400 + 9 * 20 + 10]


def test_shd_is_binned_to_steps_by_channels(places):
    shd(places, [[0.25]] * 10, [[699]] * 10, [3] * 10, [0] * 10)
    made = events.clips("shd", "train", "quick", events.Binning(20_000, 50))
    dense = made.dense([4, 9])
    assert dense.shape == (50, 2, 700) and dense.sum() == dense[12, :, 699].sum() == 2


def test_too_many_events_to_count_is_a_fault(places):
    gesture(places, [[1, 1, 1, 1]] * 70_000)
    with pytest.raises(Fault, match="at most 65535, found 70000"):
        events.clips(
            "dvsgesture", "train", "quick", events.Binning(10_000, 2, counted=True)
        )
    assert events.clips("dvsgesture", "train", "quick").channel.tolist() == [1024]


@pytest.mark.parametrize(
    "options",
    [{"dt_us": None}, {"events_per_bin": 4}, {"steps": 0}, {"downsample": 0}]
    + [{"polarity": "p"}, {"dt_us": -1}],
)
def test_impossible_binning_is_a_fault(options):
    with pytest.raises(Fault, match="impossible binning"):
        events.Binning(**{"dt_us": 10, "steps": 3, **options})


def test_down_sampling_that_would_misplace_a_pixel_is_refused():
    made = as_events([(1, 1, 1, 1)])
    with pytest.raises(Fault, match="misplace"):
        bins_of(made, events.Binning(10, 1, downsample=49), (700, 1, 1))


def test_folds_keep_classes_even_and_use_every_clip_once():
    labels = np.repeat(np.arange(10), 97)
    parts = splits.folds(labels, 5)
    assert sorted(np.concatenate([v for _, v in parts])) == list(range(970))
    for train, held in parts:
        assert not set(train) & set(held)
        assert np.ptp(np.bincount(labels[held])) <= 1


def test_validation_of_shd_holds_out_whole_speakers(places):
    rows = 12
    people = [0, 1, 2, 3, 6, 7] * 2
    shd(places, [[0.1]] * rows, [[1]] * rows, [3] * rows, people)
    opened = events.dataset("shd", "train")
    held_out = [set(opened.groups[held]) for _, held in events.validation(opened)]
    assert sum(map(len, held_out)) == 6 == len(set.union(*held_out))
    for train, held in events.validation(opened):
        assert not set(opened.groups[train]) & set(opened.groups[held])
    with pytest.raises(Fault, match="validation comes from training clips"):
        events.validation(events.dataset("shd", "test"))


def test_one_person_cannot_be_held_out(recorded):
    with pytest.raises(Fault, match="nobody can be held out"):
        events.validation(events.dataset("dvsgesture", "train"))


def test_test_split_is_opened_through_one_door_that_writes_it_down(places):
    shd(places, [[0.1]], [[1]], [3], [4])
    behind = open_set("shd", "test", places)
    with pytest.raises(Fault, match="one door"):
        behind[0]
    assert events.openings() == []
    events.dataset("shd", "test", why="a look")[0]
    events.clips("shd", "train", "quick")
    events.clips("shd", "test", "quick")
    events.clips("shd", "test", "quick")
    told = events.openings("shd")
    assert len(told) == 3 and told[0]["why"] == "a look"
    assert {(row["source"], row["clips"]) for row in told} == {("recordings", 1)}


def test_stand_in_of_shd_lies_near_the_recordings(tmp_path):
    formants.write(tmp_path / "SHD", (200, 40), 3)
    found = open_set("shd", "train", tmp_path)
    counts = np.array([len(e) for e, _ in found])
    ends = np.array([e["t"][-1] for e, _ in found]) / 1e3
    # the recordings: 5,630 spikes (919 to 12,687), last at 709 ms (233 to 1,370)
    assert abs(np.median(counts) / 5630 - 1) < 0.2
    assert 900 < counts.min() and counts.max() < 20_000
    assert abs(np.median(ends) - 709) < 50 and ends.max() < 1400
    assert set(found.groups) == {0, 1, 2, 3, 6, 7, 8, 9, 10, 11}
    assert set(open_set("shd", "test", tmp_path).groups) == {4, 5}


def test_stand_in_of_gestures_lies_near_the_recordings(tmp_path):
    assert gestures.write(tmp_path / "DVSGesture", (22, 11), 3) == {
        "train": 22,
        "test": 11,
    }
    found = open_set("dvsgesture", "train", tmp_path)
    counts = np.array([len(e) for e, _ in found])
    on = np.mean([e["p"].mean() for e, _ in found])
    # the recordings: 63,471 to 181,179 events, ON 0.49 to 0.55, 1.45 s
    assert 40_000 < np.median(counts) < 200_000
    assert 0.48 < on < 0.55
    assert {e["t"][-1] // 50_000 for e, _ in found} == {28}
    assert sorted(found.labels) == sorted(list(range(11)) * 2)


@pytest.mark.parametrize("maker, name, files", [(formants, "SHD", "*.h5")])
def test_stand_in_is_the_same_from_the_same_seed(tmp_path, maker, name, files):
    contents = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        maker.write(tmp_path / place / name, (22, 11), seed)
        found = open_set(name.lower(), "train", tmp_path / place)
        contents.append([e.tobytes() for e, _ in found])
    assert contents[0] == contents[1] != contents[2]


def test_gesture_stand_in_is_the_same_from_the_same_seed():
    person = [gestures.user(1, 5)]
    made = [
        gestures.watch([8], person, np.random.default_rng(seed))[0].tobytes()
        for seed in (1, 1, 2)
    ]
    assert made[0] == made[1] != made[2]


def test_readers_know_tonics_geometry():
    for name, known in events.manifest().items():
        assert reader(name).sensor_size == known.geometry


def test_readout_in_the_span_of_its_clips_is_the_readout_itself():
    """Fewer clips than features, some of them twice: the same decisions."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    features = rng.poisson(0.3, (70, 400)).astype(np.float32)
    features[50:60] = features[:10]
    labels = features[:, :3].argmax(1)
    fed, asked = readout._standard(features[:60], features[60:])
    small = readout._spanned(fed, asked)
    assert fed.dtype == small[0].dtype == np.float32 and small[0].shape == (60, 60)
    assert np.allclose(small[0] @ small[1].T, fed @ asked.T, atol=1e-4)
    told = [
        LogisticRegression(C=10, tol=1e-6, max_iter=999).fit(a, labels[:60])
        for a in (fed, small[0])
    ]
    wide, narrow = (m.decision_function(x) for m, x in zip(told, (asked, small[1])))
    assert np.allclose(wide, narrow, atol=0.01) and np.abs(wide).max() > 0.1
    wrong = told[1].decision_function(small[1][::-1])
    assert not np.allclose(wide, wrong, atol=0.01)


def test_readout_needs_time_exactly_where_only_time_tells(places):
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 60)
    # class 1 speaks late in the same channels: counts alone cannot know
    times = [np.sort(rng.uniform(0, 0.4, 30)) + 0.5 * k for k in labels]
    units = [rng.integers(0, 700, 30) for _ in labels]
    shd(places, times, units, labels, np.repeat([0, 1, 2], 40))
    found = events.locate("shd")
    told = readout.curve(found, 1_000_000, (1, 2))
    assert abs(told.share[0] - 50) < 20 and told.share[1] == 100
    assert (told.clips, told.people) == (120, 3)
