"""Getting and verifying sets: archives made here, a host that lives in this process."""

import json
import tarfile
import threading
import zipfile
from functools import partial
from hashlib import md5
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from lindecay import events
from lindecay.events import download, formants, saccades
from lindecay.events.facts import EVENT
from lindecay.events.readers import reader
from lindecay.settings import Fault


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LINDECAY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path / "store"))
    return tmp_path / "data"


def known_as(monkeypatch, name, split, path):
    """Let tonic's md5 be that of an archive made by a test."""
    right = md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(reader(name), f"{split}_md5", right)


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Archives of a small N-MNIST, as its authors would serve them."""
    made = np.zeros(3, EVENT)
    made["t"] = (5, 7, 300_000)
    host = tmp_path / "host"
    host.mkdir()
    for split, folder in (("train", "Train"), ("test", "Test")):
        path = host / f"{split}.zip"
        with zipfile.ZipFile(path, "w") as packed:
            for digit in range(10):
                name = f"{folder}/{digit}/{digit:05d}.bin"
                packed.writestr(name, saccades.encode(made))
        known_as(monkeypatch, "nmnist", split, path)
    return host


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(release):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=release))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("way", ["mirror", "folder"])
def test_get_fetches_checks_records_and_unpacks(way, request, places, release):
    source = request.getfixturevalue("mirror") if way == "mirror" else str(release)
    found = events.get("nmnist", source)
    assert (found.source, found.counts) == ("official", {"train": 10, "test": 10})
    told = json.loads((places / "NMNIST" / "OFFICIAL.json").read_text())
    assert told["train.zip"] == download.sums(release / "train.zip")
    assert events.verify(["nmnist"])["nmnist"]["bad"] == []
    assert len(events.clips("nmnist", "train", "quick")) == 10
    assert not list((places / "NMNIST").glob(".part*"))


def test_get_does_nothing_twice(places, release):
    events.get("nmnist", str(release))
    home = places / "NMNIST"
    before = {p: p.stat().st_mtime_ns for p in home.rglob("*")}
    events.get("nmnist", "/nowhere")
    assert before == {p: p.stat().st_mtime_ns for p in home.rglob("*")}


def test_wrong_archive_is_refused_and_not_kept(places, release):
    (release / "train.zip").write_bytes(b"not a zip")
    with pytest.raises(Fault, match="not the official archive.*expected md5.*found"):
        events.get("nmnist", str(release))
    assert not [p for p in (places / "NMNIST").iterdir()]
    assert events.locate("nmnist").source == "stand-in"


def test_host_that_cannot_be_reached_is_one_line_with_ways_out(places):
    with pytest.raises(Fault) as told:
        events.get("shd", "http://127.0.0.1:9")
    line = str(told.value)
    assert "\n" not in line and "shd_train.h5.zip" in line
    assert "--from" in line and "stand-in" in line
    assert not list(places.rglob("*.h5*"))


def test_missing_archive_in_a_folder_is_named(release):
    (release / "test.zip").unlink()
    with pytest.raises(Fault, match="no such archive: expected test.zip"):
        events.get("nmnist", str(release))


def test_get_leaves_recordings_alone(places):
    (places / "NMNIST").mkdir()
    (places / "NMNIST" / "SOURCE.json").write_text("{}")
    with pytest.raises(Fault, match="recordings of N-MNIST lie here already"):
        events.get("nmnist", "/nowhere")


def spoil(path):
    raw = bytearray(path.read_bytes())
    raw[1] ^= 1
    path.write_bytes(raw)


def test_verify_names_each_bad_file(places, release):
    events.get("nmnist", str(release))
    home = places / "NMNIST"
    spoil(home / "Train/3/00003.bin")
    (home / "Train/4/00004.bin").write_bytes(b"\0" * 7)
    (home / "Test/5/00005.bin").unlink()
    (home / "Test/6/99999.bin").write_bytes(b"\0" * 5)
    told = {r["file"]: r["why"] for r in events.verify(["nmnist"])["nmnist"]["bad"]}
    assert set(told) == {
        str(home / name)
        for name in (
            "Train/3/00003.bin",
            "Train/4/00004.bin",
            "Test/5/00005.bin",
            "Test/6/99999.bin",
        )
    }
    assert "7 bytes" in told[str(home / "Train/4/00004.bin")]


def test_verify_names_a_changed_archive(places, release):
    events.get("nmnist", str(release))
    spoil(places / "NMNIST" / "test.zip")
    told = events.verify(["nmnist"])["nmnist"]
    assert told["source"] == "unidentified"
    assert any(
        r["file"].endswith("test.zip") and "md5" in r["why"] for r in told["bad"]
    )


def test_verify_sees_a_recording_that_changed_within_geometry(places, release):
    for split in ("train", "test"):
        with zipfile.ZipFile(release / f"{split}.zip") as packed:
            packed.extractall(places / "NMNIST")
    note = {"origin": "a test", "sha256": "1" * 64, "train": 10, "test": 10}
    (places / "NMNIST" / "SOURCE.json").write_text(json.dumps(note))
    assert events.verify(["nmnist"])["nmnist"]["bad"] == []
    spoil(places / "NMNIST/Train/3/00003.bin")
    bad = events.verify(["nmnist"])["nmnist"]["bad"]
    assert [r["file"] for r in bad] == [str(places / "NMNIST/Train/3/00003.bin")]


def test_shd_and_gesture_archives_come_the_same_way(tmp_path, places, monkeypatch):
    host = tmp_path / "host"
    formants.write(host / "SHD", (20, 20), 1)
    for split in ("train", "test"):
        path = host / f"shd_{split}.h5.zip"
        with zipfile.ZipFile(path, "w") as packed:
            packed.write(host / "SHD" / f"shd_{split}.h5", f"shd_{split}.h5")
        known_as(monkeypatch, "shd", split, path)
        name = f"ibmGesture{split.capitalize()}"
        clip = host / name / "user01_led" / "3.npy"
        clip.parent.mkdir(parents=True)
        np.save(clip, np.array([[1, 2, 0, 0.5], [3, 4, 1, 7]], np.float32))
        with tarfile.open(host / f"{name}.tar.gz", "w:gz") as packed:
            packed.add(host / name, name)
        known_as(monkeypatch, "dvsgesture", split, host / f"{name}.tar.gz")
    assert events.get("shd", str(host)).counts == {"train": 20, "test": 20}
    assert events.get("dvsgesture", str(host)).counts == {"train": 1, "test": 1}
    told = events.verify(["shd", "dvsgesture"])
    assert [told[n]["source"] for n in told] == ["official", "official"]
    assert not any(told[n]["bad"] for n in told)
    assert events.dataset("dvsgesture", "train")[0][0]["t"].tolist() == [500, 7000]


def test_listing_and_info_cover_the_three_sets():
    assert [row["name"] for row in events.listing()] == ["nmnist", "shd", "dvsgesture"]
    told = events.info("quick")
    assert {told[n]["source"] for n in told} == {"stand-in"}
    assert [told[n]["classes"] for n in told] == [10, 20, 11]
