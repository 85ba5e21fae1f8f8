"""Other choices in a file: read whole or refused in a line; verdicts that move."""

import pytest
import yaml

from lindecay import cli
from lindecay.claims import assume, assumptions, why
from lindecay.claims.registry import load
from lindecay.energy import answers, choices, layouts, network
from lindecay.energy.choices import Choices
from lindecay.settings import Fault, committed
from test_energy_designs import random_clips, random_network

WRONG = {
    "no such file": (None, "No such file"),
    "not yaml": ("schema: 1\nassume: [", "expected YAML"),
    "another schema": ("schema: 7\nassume: {array.rows: 64}", "expected schema: 1"),
    "nothing in it": ("schema: 1\n", "no assumption"),
    "an unknown part": ("schema: 1\nasume: {array.rows: 64}", "found asume"),
    "an unknown key": ("schema: 1\nassume: {array.row: 64}", "array.rows"),
    "a unit that does not fit": (
        "schema: 1\nassume: {array.rows: {value: 64, unit: columns}}",
        "expected rows",
    ),
    "out of range": ("schema: 1\nassume: {array.rows: 1}", "32 to 65536 rows"),
    "a number that overflows": ("schema: 1\nassume: {energy.vdd: 1e999}", "finite"),
    "an integer that overflows": (
        f"schema: 1\nassume: {{network.hidden: {'9' * 400}}}",
        "finite",
    ),
    "not a number": ("schema: 1\nassume: {network.hidden: many}", "finite"),
    "half a neuron": ("schema: 1\nassume: {network.hidden: 64.5}", "whole number"),
    "not a choice": ("schema: 1\nassume: {energy.flavour: HP}", "GP, LP"),
    "twice": ("schema: 1\nassume: {array.rows: 64, array.rows: 128}", "stands twice"),
    "a misspelt field": (
        "schema: 1\nassume: {array.rows: {value: 64, units: rows}}",
        "found units",
    ),
    "an unknown constant": ("schema: 1\nconstants: {bitline: 1.0}", "bitline_cell"),
    "a constant's unit": (
        "schema: 1\nconstants: {bitline_cell: {value: 0.3, unit: pF}}",
        "expected fF",
    ),
    "a constant out of range": ("schema: 1\nconstants: {bitline_cell: -1}", "range"),
}


def file(tmp_path, text):
    path = tmp_path / "mine.yml"
    if text is not None:
        path.write_text(text)
    return path


@pytest.fixture
def nothing_is_judged(monkeypatch):
    def never(*given):
        raise AssertionError("something was judged")

    monkeypatch.setattr(assume, "_results", never)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_line_and_nothing_is_judged(
    tmp_path, name, nothing_is_judged, monkeypatch, capsys
):
    text, told = WRONG[name]
    path = file(tmp_path, text)
    monkeypatch.setattr("sys.argv", ["lindecay", "check", "--assume", str(path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    assert stopped.value.code == 2 and out == ""
    assert told in err and err.count("\n") == 1, err


def test_a_good_file_becomes_choices_and_marks_what_has_no_source(tmp_path):
    text = """
schema: 1
assume:
  array.rows: {value: 64, unit: rows, source: "table 2"}
  energy.clock: 400
constants:
  bitline_cell: {value: 0.3, unit: fF}
  add8: {value: 0.03, source: "a library of mine"}
"""
    found = assume.read(file(tmp_path, text))
    made = found.choices()
    assert made.rows == 64 and found.unsourced == ("bitline_cell",)
    assert made.constants == {"bitline_cell": 0.3, "add8": 0.03, "clock_mhz": 400}
    assert made.table()["clock_mhz"].value == 400


def test_every_key_sets_something_and_its_default_is_ours():
    fields = set(Choices.__dataclass_fields__)
    for key in assumptions.keys().values():
        assert key.sets in fields or key.sets == "clock_mhz", key.key
        given = getattr(Choices(), key.sets, None)
        if given is not None:
            assert given == key.default, key.key
        if not key.words:
            assert key.low <= key.default <= key.high and key.unit, key.key


def test_the_words_of_keys_are_those_of_the_library():
    keys = assumptions.keys()
    from lindecay.energy import metrics, model
    from lindecay.energy.constants import FLAVOURS

    assert set(keys["energy.metric"].words) == set(metrics.listed())
    assert set(keys["energy.leakage"].words) == set(model.LEAKAGE)
    assert set(keys["energy.flavour"].words) == set(FLAVOURS)
    listed = metrics.frozen(2)["scopes"]["module_ratio_65nm"]
    assert set(keys["energy.module"].words) == set(listed)
    assert set(listed) == set(load()["module-ratio-65nm"].scopes)


def test_the_committed_template_holds_every_key_and_reads_once_filled_in(tmp_path):
    text = committed("claims/assume/template.yml").read_text()
    assert text == assume.template()
    assert yaml.safe_load(text) == {"schema": 1, "assume": None, "constants": None}
    numbers = [k for k in assumptions.keys().values() if not k.words]
    for key in numbers:
        text = text.replace(f"# {key.key}:", f"{key.key}:")
    found = assume.read(file(tmp_path, text))
    assert found.given == {k.key: k.default for k in numbers}


@pytest.fixture
def small(monkeypatch):
    """A random network in the place of the trained one."""
    ck, clips = random_network(), random_clips()

    def case(profile, given=None):
        given = given or Choices()
        spec = given.spec()
        ours = network.measure(ck, clips, spec=spec)
        other = network.measure(network.under(ck, "exponential"), clips, spec=spec)
        told = (given, "recordings", len(clips), 1, ours, other)
        return choices.Case(
            *told, layouts.tree(ours, in_place=True), layouts.tree(ours)
        )

    monkeypatch.setattr(choices, "case", case)
    monkeypatch.setattr(answers, "DRAWS", 200)


@pytest.mark.parametrize("name", ["other_array", "other_comparator"])
def test_an_example_is_judged_and_says_what_moved(name, small):
    path = committed(f"claims/assume/{name}.yml")
    found = assume.judged(path)
    told = found.to_dict()
    assert {r["id"] for r in told["claims"]} == {
        "bottleneck",
        "sop-energy-ratio",
        "energy-efficiency-ratio",
        "module-ratio-65nm",
    }
    assert found.lines()[0].startswith("assumed: ")
    for move in found.moved:
        assert move["before"] != move["after"]
    if name == "other_array":
        scopes = {s["scope"] for r in found.rows for s in r.scopes}
        assert "C in place" in scopes and "A in place" not in scopes
    if name == "other_comparator":
        ends = next(r for r in found.rows if r.id == "sop-energy-ratio").others[:2]
        assert "against anpg" in ends[0]["what"] and "truenorth" in ends[1]["what"]


def test_a_chosen_scope_and_metric_move_their_claims(tmp_path, small):
    text = """
schema: 1
assume:
  energy.module: {value: decay alone}
  energy.metric: {value: gsops_w_loihi}
"""
    found = assume.judged(file(tmp_path, text))
    rows = {r.id: r for r in found.rows}
    assert [s["scope"] for s in rows["module-ratio-65nm"].scopes] == ["decay alone"]
    assert rows["energy-efficiency-ratio"].verdict in ("trend-only", "differs")
    assert any(m["id"] == "energy-efficiency-ratio" for m in found.moved)


def test_a_macro_that_cannot_hold_the_network_is_one_line(tmp_path, small):
    path = file(tmp_path, "schema: 1\nassume: {array.rows: 32, array.cols: 16}")
    try:
        assume.judged(path)
    except Fault as fault:
        assert "\n" not in str(fault)


@pytest.mark.parametrize("id", ["bottleneck", "acc-drop-shd", "acc-drop-about-1"])
def test_the_chain_of_a_claim_ends_in_its_verdict(id):
    links = why.chain(id)
    kinds = [one["link"] for one in links]
    assert kinds[:2] == ["quote", "claim"] and kinds[-1] == "verdict"
    assert "statistic" in kinds
    places = [one["where"] for one in links if ":" in one["where"]]
    for place in places:
        name, _, line = place.rpartition(":")
        assert int(line) > 0 and name.endswith((".yml", ".json", ".py", ".txt"))
    assert len(why.lines(links)) == len(links)


def test_a_chain_of_an_unknown_claim_is_a_fault():
    with pytest.raises(Fault, match="unknown claim"):
        why.chain("no-such")
