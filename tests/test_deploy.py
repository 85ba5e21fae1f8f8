"""The command `lindecay array`: strangers' networks and events, its face, its page."""

import json
import zipfile
from html.parser import HTMLParser

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn
from typer.testing import CliRunner

from lindecay import cli, deploy, sram
from lindecay.deploy import known
from lindecay.settings import Fault

RUN = CliRunner()
MODULE = """
import torch, snntorch as snn
from torch import nn

def net():
    torch.manual_seed(0)
    wide, narrow = nn.Linear(20, 16, bias=False), nn.Linear(16, 4, bias=False)
    kept = {"threshold": 0.4}
    return nn.Sequential(wide, snn.Leaky(0.9, **kept), narrow, snn.Leaky(0.8, **kept))
"""


def frames(steps=12, clips=5, inputs=20, seed=0) -> np.ndarray:
    return (np.random.default_rng(seed).random((steps, clips, inputs)) < 0.4) * 1


def network(seed=0) -> nn.Sequential:
    torch.manual_seed(seed)
    kept = {"threshold": 0.4}
    first, last = nn.Linear(20, 16), nn.Linear(16, 4)
    return nn.Sequential(first, snn.Leaky(0.9, **kept), last, snn.Leaky(0.8, **kept))


@pytest.fixture()
def here(tmp_path, monkeypatch):
    """A folder with a network in a module, events and labels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "their_net.py").write_text(MODULE)
    np.savez("clips.npz", events=frames(), labels=np.arange(5) % 4)
    np.save("clips.npy", frames())
    np.save("labels.npy", np.arange(5) % 4)
    return tmp_path


def told(*args) -> dict:
    """The JSON face of a run that must succeed."""
    found = RUN.invoke(cli.app, ["array", *args, "--json"])
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_the_face_has_exactly_its_keys_and_no_differences(here):
    face = told("their_net:net", "clips.npz")
    assert list(face) == deploy.FACE
    assert face["differences"] == 0 < face["states_compared"] == 3 * 5 * 12 * 20
    assert face["clips"] == 5 and face["source"] == "given" and face["layout"] == "A"
    assert face["accuracy_array"] is not None and face["agreement"] > 0.5
    assert face["cycles_per_clip"] > 0 and face["us_per_clip"] > 0
    assert face["pj_per_sop"] > 0 and face["uj_per_clip"] > 0
    assert [row["neurons"] for row in face["layers"]] == [16, 4]


@pytest.mark.parametrize("layout", "ABC")
def test_every_layout_and_form_of_events_gives_the_same_network(here, layout):
    rows = {
        name: told("their_net:net", *more, "--layout", layout)
        for name, more in {
            "npz": ("clips.npz",),
            "npy": ("clips.npy", "--labels", "labels.npy"),
        }.items()
    }
    assert rows["npz"]["differences"] == 0
    for row in rows.values():
        row.pop("seconds")
    assert rows["npz"] == rows["npy"]


def test_address_lists_and_counts_are_read(here):
    clips, _ = sram.emulate.__globals__["as_clips"](frames() * 2)
    np.savez(
        "lists.npz", indptr=clips.indptr, channel=clips.channel, count=clips.count,
        steps=12, channels=20,
    )  # fmt: skip
    np.save("twice.npy", frames() * 2)
    rows = [told("their_net:net", name) for name in ("lists.npz", "twice.npy")]
    for row in rows:
        row.pop("seconds")
    assert rows[0] == rows[1]
    once = told("their_net:net", "clips.npy")
    sops = [face["layers"][0]["sops_per_clip"] for face in (rows[0], once)]
    assert sops[0] == 2 * sops[1]  # every event was billed twice


def test_a_checkpoint_is_a_network(here):
    ck = sram.emulate(network(), torch.tensor(frames())).checkpoint
    ck.save(here / "net.npz")
    face = told("net.npz", "clips.npz")
    assert face["differences"] == 0 and face["accuracy_float"] is None
    fault = RUN.invoke(cli.app, ["array", "net.npz", "clips.npz", "--bits", "4,12"])
    assert isinstance(fault.exception, Fault)


def test_a_linear_leak_is_chosen_without_training(here):
    face = told("their_net:net", "clips.npz", "--leak", "linear", "--bits", "6,14")
    assert [row["law"] for row in face["layers"]] == ["shrink", "shrink"]
    assert face["differences"] == 0
    assert face["grid"]["weight_bits"] == 6 and face["grid"]["membrane_bits"] == 14


class Outside(HTMLParser):
    """Everything that a page would fetch or run."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag in ("script", "link", "iframe", "img", "object") or "onload" in named:
            self.found.append(tag)
        self.found += [v for k, v in attrs if k in ("src", "href") and v]


def test_the_page_stands_alone_and_names_are_escaped(here):
    evil = "<script>alert(1)</script>"
    net = network()
    found = deploy.visit(net, frames(), title=f"{evil} on {evil}")
    found.face["layers"][0]["name"] = evil
    found.notes.append(evil)
    text = deploy.page(found, here / "page.html").read_text()
    seen = Outside()
    seen.feed(text)
    assert seen.found == [] and evil not in text and "&lt;script&gt;" in text
    assert "http" not in text and "<h1>" in text and 'role="img"' in text


WRONG = {
    "no network is known": ("nothing.txt", "clips.npz"),
    "no such file": ("net.nir", "clips.npz"),
    "cannot be imported.*no_such": ("no_such:net", "clips.npz"),
    "has no attribute": ("their_net:other", "clips.npz"),
    "no events are known": ("their_net:net", "events.csv"),
    "bits: expected WEIGHT,MEMBRANE": ("their_net:net", "clips.npz", "--bits", "4"),
    "weight bits out of range": ("their_net:net", "clips.npz", "--bits", "9,12"),
    "unknown leak": ("their_net:net", "clips.npz", "--leak", "none"),
    "unknown layout": ("their_net:net", "clips.npz", "--layout", "D"),
    "--clips: expected 1 or more": ("their_net:net", "clips.npz", "--clips", "-1"),
    "options of NIR alone": ("their_net:net", "clips.npz", "--reset", "zero"),
    "labels: expected one class": ("their_net:net", "clips.npy", "--labels", "bad.npy"),
    "does not run on these events.*20": ("their_net:net", "narrow.npy"),
    "no number of events.*0.5": ("their_net:net", "half.npy"),
    "no events in this file": ("their_net:net", "other.npz"),
    "plain": ("their_net:net", "pickled.npy"),
    "too large for memory": ("their_net:net", "bomb.npz"),
    "event rows do not fit": ("their_net:net", "broken.npz"),
}


@pytest.mark.parametrize("why", WRONG)
def test_wrong_input_is_one_line(here, why, monkeypatch):
    np.save("bad.npy", np.array([0.5, 1, 1, 0, 2]))
    np.save("narrow.npy", frames(inputs=7))
    np.save("half.npy", frames() * 0.5)
    np.savez("other.npz", a=np.zeros(2))
    np.save("pickled.npy", np.array([{}], object), allow_pickle=True)
    np.savez("broken.npz", indptr=[0, 2, 9], channel=[0, 1], steps=1, channels=20)
    with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("events.npy", bytes(2**20))
    if "bomb.npz" in WRONG[why]:
        monkeypatch.setattr(deploy.files, "LARGEST", 2**19)
    found = RUN.invoke(cli.app, ["array", *WRONG[why]])
    assert isinstance(found.exception, Fault), found.output
    assert "\n" not in str(found.exception)
    import re

    assert re.search(why, str(found.exception)), str(found.exception)


def test_help_says_what_runs_code():
    text = RUN.invoke(cli.app, ["array", "--help"]).output
    assert "module:attribute imports" in " ".join(text.split())


def test_files_of_spikes_in_the_layout_of_shd(here):
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    kinds = h5py.vlen_dtype(np.float16), h5py.vlen_dtype(np.uint16)
    with h5py.File("spikes.h5", "w") as file:
        group = file.create_group("spikes")
        times = group.create_dataset("times", (2,), kinds[0])
        units = group.create_dataset("units", (2,), kinds[1])
        for i in range(2):
            times[i] = np.sort(rng.random(50) * 0.1)
            units[i] = rng.integers(0, 700, 50)
        file["labels"] = np.array([3, 1])
    clips, labels = deploy.events("spikes.h5", dt_us=10_000)
    assert (clips.steps, clips.channels, len(clips)) == (10, 700, 2)
    assert int(clips.count.sum()) == 100 and labels.tolist() == [3, 1]
    with h5py.File("spikes.h5", "a") as file:
        del file["labels"]
    with pytest.raises(Fault, match="no data set labels"):
        deploy.events("spikes.h5")


def test_rows_of_the_nir_network_are_kept_and_hold_together():
    kept = known.read()
    rows = kept["rows"]
    asked = {(reset, bits) for reset in known.RESETS for bits in known.BITS}
    assert {(row["reset"], row["weight_bits"]) for row in rows} == asked
    assert {row["differences"] for row in rows} == {0}
    assert {row["source"] for row in rows} == {"recordings"}
    float_ = {row["reset"]: row["accuracy_float"] for row in rows}
    assert float_ == {"subtract": 0.98, "zero": 1.0}  # plain numpy's, on the same clips
    assert len(known.table(kept)) == len(rows)


def test_rows_that_are_none_of_ours_are_one_line(tmp_path):
    (tmp_path / "nir.json").write_text('{"schema": 9}')
    for name in ("nir.json", "gone.json"):
        with pytest.raises(Fault, match="rows of the NIR network.*reference/nir.json"):
            known.read(tmp_path / name)
