"""The committed reference cannot be edited unnoticed; each way in has its fault."""

import json
import shutil

import pytest

from lindecay import claims, reference, results
from lindecay.claims import follows, report, sealed
from lindecay.settings import Fault


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of data/reference that a test may doctor, sealed."""
    home = tmp_path / "reference"
    shutil.copytree(sealed.folder(), home)
    sealed.seal(home)
    monkeypatch.setattr(sealed, "folder", lambda: home)
    return home


def kept(home):
    """The results of a copy, by id."""
    files = sorted((home / "results").glob("*.json"))
    return {id: r for path in files for id, r in results.read(path).items()}


def doctor(home, id, **fields):
    """Change fields of one committed result."""
    for path in (home / "results").glob("*.json"):
        found = results.read(path)
        if id in found:
            found[id] = found[id].model_copy(update=fields)
            results.save(path, found)


def inconsistent(home):
    return [id for id, _ in follows.contradictions(kept(home))]


def sets():
    """Each committed set of predictions, by what its ids begin with."""
    return [follows.prefix(json.loads(p.read_text())) for p in follows.records()]


# ------------------------------------------------- statistics from predictions


def test_committed_reference_follows_from_its_predictions_and_is_sealed():
    assert list(follows.contradictions(report.reference())) == []
    assert list(sealed.broken()) == [], sealed.MEND


@pytest.mark.parametrize("name", sets())
def test_every_set_with_predictions_publishes_what_follows_from_them(name):
    told = report.reference()
    behind = {id for path in follows.records() for id in follows.values(path)}
    assert {f"{name}.acc.vlif", f"{name}.acc.ldlif", f"{name}.drop"} <= behind & {*told}


@pytest.mark.parametrize(
    ("ending", "change"),
    [
        ("acc.vlif", {"value": 99.0}),
        ("acc.if", {"n": 10_000}),
        ("acc.ldlif", {"seeds": [0]}),
        ("acc.ldlif", {"source": "official"}),
        ("drop", {"value": 0.0}),
        ("drop", {"interval": (0.1, 0.2)}),
        ("drop_if", {"value": -5.0}),
        ("test_clips", {"value": 10_000}),
    ],
)
@pytest.mark.parametrize("name", sets())
def test_a_doctored_statistic_is_found(copy, name, ending, change):
    doctor(copy, f"{name}.{ending}", **change)
    assert inconsistent(copy) == [f"{name}.{ending}"]


@pytest.mark.parametrize("name", sets())
def test_one_doctored_seed_and_one_doctored_end_are_found(copy, name):
    each = kept(copy)[f"{name}.drop_per_seed"]
    doctor(copy, each.id, value=[v + 1 for v in each.value])
    assert inconsistent(copy) == [each.id]
    doctor(copy, each.id, value=each.value, interval=(-9.0, 9.0))
    assert inconsistent(copy) == [each.id]
    acc = kept(copy)[f"{name}.acc_per_seed.if"]
    doctor(copy, each.id, interval=each.interval)
    doctor(copy, acc.id, value=acc.value[::-1] + [1.0])
    assert inconsistent(copy) == [acc.id]


def test_one_doctored_prediction_moves_what_follows_from_it(copy):
    path = copy / "nmnist" / "predictions.json"
    record = json.loads(path.read_text())
    first = record["predictions"]["ldlif"]["0"]
    first[0] = (first[0] + 1) % 10
    path.write_text(json.dumps(record))
    assert {"nmnist.acc.ldlif", "nmnist.drop"} <= set(inconsistent(copy))


def test_check_is_red_on_a_doctored_reference(copy, monkeypatch):
    doctor(copy, "nmnist.acc.vlif", value=99.0)
    monkeypatch.setattr(report, "reference", lambda: kept(copy))
    monkeypatch.setattr(follows, "reruns", lambda: ([("nmnist.acc.if", "x")], ["note"]))
    made = claims.check("quick")
    found = {(p.kind, p.id) for p in made.problems}
    assert {
        ("inconsistent", "nmnist.acc.vlif"),
        ("inconsistent", "nmnist.acc.if"),
        ("seal", "results/04_training.json"),
    } <= found
    assert made.exit_code == 1 and "note" in made.notes
    monkeypatch.setenv("LINDECAY_CHAPTER", "90_claims")  # a page runs no network
    assert "note" not in claims.check("quick").notes


def test_predictions_of_another_set_are_read_without_a_word_of_code(copy):
    (copy / "other").mkdir()
    record = {
        "set": "other",
        "source": "recordings",
        "profile": "paper",
        "labels": [0, 1, 2, 3],
        "predictions": {
            "vlif": {"0": [0, 1, 2, 3], "1": [0, 1, 2, 0]},
            "ldlif": {"0": [0, 1, 0, 0], "1": [0, 1, 2, 0]},
        },
    }
    path = copy / "other" / "predictions.json"
    path.write_text(json.dumps(record))
    found = follows.values(path)
    assert found["other.acc.vlif"]["value"] == 87.5
    assert found["other.acc_per_seed.ldlif"]["value"] == [50.0, 75.0]
    assert found["other.drop"]["value"] == 25.0 and found["other.drop"]["n"] == 8
    path.write_text(json.dumps(record | {"prefix": "other.four_bits"}))
    assert "other.four_bits.drop" in follows._values(path, -1)


@pytest.mark.parametrize("planted", ["{", "[]", '{"set": "x", "labels": [1]}'])
def test_a_broken_file_of_predictions_is_one_clear_line(copy, planted):
    path = copy / "nmnist" / "predictions.json"
    path.write_text(planted)
    with pytest.raises(Fault, match="bad predictions") as caught:
        follows._values(path, -2)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_an_accuracy_without_predictions_is_named():
    bare = results.Result(id="shd.acc.vlif.w4", value=80.0)
    told = follows.taken_on_trust({bare.id: bare} | report.reference())
    assert bare.id in told and "nmnist.acc.vlif" not in told


# ------------------------------------------------------------------- the seal


def test_a_doctored_value_that_no_claim_reads_breaks_the_seal(copy, monkeypatch):
    read = {id for c in claims.load().values() for id in (*c.reads, *c.may_read)}
    spare = next(id for id in kept(copy) if id not in read and id.startswith("array"))
    doctor(copy, spare, note="doctored")
    monkeypatch.setattr(follows, "reruns", lambda: ([], []))
    monkeypatch.setattr(report, "reference", lambda: kept(copy))
    made = claims.check("quick")
    assert [p.id for p in made.problems if p.kind == "seal"] == [
        "results/06_sram_array.json"
    ]
    assert made.exit_code == 1


def test_files_that_come_and_go_break_the_seal(copy):
    (copy / "results" / "99_new.json").write_text("{}")
    (copy / "gates.csv").unlink()
    (copy / "README.md").write_text("words are not sealed")
    assert [name for name, _ in sealed.broken(copy)] == [
        "gates.csv",
        "results/99_new.json",
    ]
    sealed.seal(copy)
    assert list(sealed.broken(copy)) == []


def test_an_absent_seal_is_broken(copy):
    (copy / sealed.NAME).unlink()
    assert len(list(sealed.broken(copy))) == len(sealed.files(copy))


def test_the_seal_is_what_sha256sum_reads(copy):
    done = shutil.which("sha256sum")
    if done is None:
        pytest.skip("no sha256sum here")
    import subprocess

    ask = [done, "--check", "--strict", "--quiet", sealed.NAME]
    assert subprocess.run(ask, cwd=copy).returncode == 0


# -------------------------------------------------- networks on the recordings


def test_a_network_that_now_says_something_else_is_red(monkeypatch):
    monkeypatch.setattr(reference, "unequal", lambda name: {"ldlif": 3, "vlif": 0})
    wrong, notes = follows.reruns()
    assert [id for id, _ in wrong] == [f"{name}.acc.ldlif" for name in sets()]
    assert notes == []


def test_without_the_recordings_the_networks_are_not_run_and_that_is_said(monkeypatch):
    def other(name):
        raise Fault("other test clips than the reference's")

    monkeypatch.setattr(reference, "unequal", other)
    wrong, notes = follows.reruns()
    assert wrong == [] and all("not run again here" in note for note in notes)
    assert len(notes) == len(sets())
