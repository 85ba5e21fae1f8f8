"""Odd event files of real users: read where that is right, else one line that helps."""

import h5py
import numpy as np
import pytest

from lindecay import events
from lindecay.settings import Fault
from test_events_sets import gesture, noted, places, shd  # noqa: F401


def edited(places, change):  # noqa: F811
    """A small SHD whose train file was changed by `change(file)`."""
    shd(places, [[0.25, 0.5], [0.5]], [[0, 699], [3]], [2, 19], [0, 5])
    with h5py.File(places / "SHD" / "shd_train.h5", "r+") as file:
        change(file)


def replaced(file, name, values):
    del file[name]
    file[name] = values


def without_speakers(file):
    del file["extra/speaker"]


def test_speakers_are_asked_for_only_where_they_are_needed(places):  # noqa: F811
    edited(places, without_speakers)
    opened = events.dataset("shd", "train")
    assert len(opened) == 2 and opened[0][0]["x"].tolist() == [0, 699]
    with pytest.raises(Fault, match="nobody can be held out.*does not tell them"):
        events.validation(opened)


@pytest.mark.parametrize("name", ["labels", "spikes/times", "spikes/units"])
def test_a_missing_column_is_named(places, name):  # noqa: F811
    edited(places, lambda file: file.__delitem__(name))
    with pytest.raises(Fault, match=f"no data set '{name}'"):
        events.dataset("shd", "train")


@pytest.mark.parametrize("name", ["labels", "extra/speaker"])
def test_columns_of_fractions_are_told(places, name):  # noqa: F811
    edited(places, lambda file: replaced(file, name, np.array([1.7, 2.0])))
    with pytest.raises(Fault, match=f"{name} that are no whole numbers"):
        events.dataset("shd", "train")


def test_whole_numbers_stored_as_floats_are_taken(places):  # noqa: F811
    edited(places, lambda file: replaced(file, "labels", np.array([2.0, 19.0])))
    assert events.dataset("shd", "train").labels.tolist() == [2, 19]


def test_units_of_fractions_are_told(places):  # noqa: F811
    def halves(file):
        column = np.empty(2, object)
        column[:] = [np.array([0, 3.5], "f4"), np.array([3], "f4")]
        del file["spikes/units"]
        kind = h5py.vlen_dtype(np.float32)
        file.create_dataset("spikes/units", data=column, dtype=kind)

    edited(places, halves)
    with pytest.raises(Fault, match="found a fraction"):
        events.dataset("shd", "train")[0]


def test_signed_polarities_say_what_to_write(places):  # noqa: F811
    gesture(places, [[1, 1, -1, 1], [1, 1, 1, 2]])
    with pytest.raises(Fault, match="write 0 for OFF where this file has -1"):
        events.dataset("dvsgesture", "train")[0]


def test_what_macos_hides_is_no_clip(places):  # noqa: F811
    path = gesture(places, [[1, 1, 1, 1]])
    (path.parent / f"._{path.name}").write_bytes(b"\0\5\26\7")
    assert len(events.dataset("dvsgesture", "train")) == 1


def test_ten_thousand_clips_in_a_folder_are_listed(places):  # noqa: F811
    home = places / "NMNIST" / "Train"
    (home / "3").mkdir(parents=True)
    for i in range(10_000):
        (home / "3" / f"{i:05}.bin").write_bytes(bytes([5, 6, 128, 0, 9]))
    noted(places / "NMNIST", train=10_000, test=0)
    opened = events.dataset("nmnist", "train")
    assert len(opened) == 10_000 and opened[9_999][1] == 3
