"""The bench as a table, and against a kept one, on made-up results."""

import json

import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from lindecay import bench, cli
from lindecay.bench import table
from lindecay.settings import Fault


def row(**ratio):
    told = {"ours_ms": 2.5, "ratio": ratio, "cpu_ratio": ratio, "peak_mb": None}
    return told | {
        "spread": {"ours": [2.0, 3.0]},
        "limit_fraction": 0.65,
        "gsops": None,
    }


FOUND = {"step": row(snntorch=10.0, norse=5.0), "other": row(snntorch=3.0), "plain": {}}


@pytest.mark.parametrize(
    ("ratio", "many"), [(10.0, 0), (8.1, 0), (7.9, 1), (1.0, 1), (99.0, 0)]
)
def test_a_ratio_that_fell_by_more_than_a_fifth_is_told(ratio, many, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    now = FOUND | {"step": row(snntorch=ratio, norse=5.0)}
    assert len(table.slower(now, FOUND)) == many
    told = table.compared(now, FOUND)
    assert told[-1] == f"{3 - many} of 3 ratios within 20%"
    assert [line.startswith("slower: step against snntorch") for line in told[:-1]] == [
        True
    ] * many


def test_github_is_told_in_its_own_form(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    told = table.compared({"step": row(snntorch=1.0)}, FOUND)
    assert told[0].startswith("::notice title=slower::step against snntorch: 1 times")


def test_benches_of_other_works_have_nothing_in_common():
    assert table.compared({"x": row(a=1.0)}, FOUND) == [
        "nothing in common with the kept bench"
    ]


def test_the_page_has_a_line_a_peer_and_needs_no_other_file():
    page = BeautifulSoup(table.html(FOUND | {"<b>": row(norse=1.0)}), "html.parser")
    lines = [
        [c.text for c in tr.find_all(["th", "td"])] for tr in page.select("tbody tr")
    ]
    first = ["step", "2.5", "2 to 3", "snntorch", "10", "10", "0.65", "", ""]
    assert len(lines) == 4 and lines[0] == first and lines[3][0] == "<b>"
    assert len(page.select("thead th")) == len(lines[0])
    assert not page.find_all(["script", "link", "img"]) and "http" not in str(page)
    assert "color-scheme:light dark" in page.style.text
    assert {"processor", "cores", "torch"} <= set(table.machine())


@pytest.mark.parametrize(
    ("row_", "share"),
    [
        ({"limit_fraction": 0.5, "roofline": {"fraction": 0.25}}, "0.5"),
        ({"limit_fraction": None, "roofline": {"fraction": 0.25}}, "0.25"),
        ({"limit_fraction": None}, ""),
    ],
)
def test_a_share_is_the_works_own_or_its_rooflines(row_, share):
    page = BeautifulSoup(table.html({"x": row(a=1.0) | row_}), "html.parser")
    assert page.select("tbody td")[5].text == share


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"a": 1}', '{"a": {"ratio": 3}}', '{"a": {"ratio": {"b": "c"}}}',
        '{"a": {"ratio": {"b": null}}}', '{"a": {"ratio": {"b": -1}}}',
        '{"a": {"ratio": {"b": 0}}}', '{"a": {"ratio": {"b": NaN}}}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_bench_is_one_line(text, tmp_path):
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(Fault, match="not a bench"):
        table.kept(path)


def test_the_command_writes_compares_and_refuses_before_it_measures(
    tmp_path, monkeypatch, capsys
):
    asked = []
    monkeypatch.setattr(bench, "neurons", lambda: asked.append(1) or FOUND)
    kept, page = tmp_path / "kept.json", tmp_path / "table.html"
    kept.write_text(json.dumps({"step": row(snntorch=20.0)}))
    run = CliRunner().invoke
    done = run(
        cli.app, ["bench", "neurons", "--html", str(page), "--against", str(kept)]
    )
    assert done.exit_code == 0 and "50 % less" in done.stderr
    assert page.read_text() == table.html(FOUND)
    wrong = (["--against", str(tmp_path / "gone")], ["--html", str(tmp_path / "a/b")])
    for options in (*wrong, ["--html", str(tmp_path)]):
        monkeypatch.setattr("sys.argv", ["lindecay", "bench", "neurons", *options])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr().err
        assert left.value.code == 2 and told.count("\n") == 1
    assert asked == [1]
