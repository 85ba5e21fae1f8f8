"""Numbers are published one by one or many at once, with the same stamps."""

import json

import numpy as np
import pytest

from lindecay import results
from lindecay.results import number


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_RESULT_FILE", str(tmp_path / "results.json"))
    monkeypatch.setenv("LINDECAY_CHAPTER", "04_training")
    return tmp_path / "results.json"


def test_many_at_once_are_what_one_by_one_gives(file):
    results.publish("a.x", np.float64(0.5), digits=2, seeds=(0, 1), source="recordings")
    results.publish("a.y", [1, 2], source="recordings", interval=np.array([0.0, 1.0]))
    one_by_one = file.read_bytes()
    file.unlink()
    made = results.publish_many(
        {
            "a.x": number(np.float64(0.5), digits=2, seeds=(0, 1)),
            "a.y": number([1, 2], interval=np.array([0.0, 1.0])),
        },
        source="recordings",
    )
    assert file.read_bytes() == one_by_one
    assert made["a.x"].chapter == "04_training" and made["a.x"].text() == "0.50"


def test_own_stamp_comes_before_the_common_one_and_old_numbers_stay(file):
    results.publish("a.x", 1)
    results.publish_many({"a.y": number(2, unit="s"), "a.z": 3}, unit="%", n=4)
    found = results.read(file)
    assert sorted(found) == ["a.x", "a.y", "a.z"]
    assert (found["a.y"].unit, found["a.z"].unit, found["a.z"].n) == ("s", "%", 4)


def test_unknown_word_in_a_stamp_is_refused(file):
    with pytest.raises(ValueError, match="digit"):
        results.publish_many({"a.x": number(1, digit=2)})
    assert not file.exists() or not json.loads(file.read_text())["results"]
