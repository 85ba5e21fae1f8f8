"""The log of verdicts that moved: it leads to the committed ones."""

import pytest

from lindecay.claims import audit, changelog, page, report_on, why
from lindecay.settings import Fault
from test_claims import GOOD


def test_the_log_ends_at_the_committed_verdicts():
    now, last = audit.verdicts(), {}
    for row in changelog.read():
        at = row["claim"], row["pair"]
        assert last.get(at, row["before"]) == row["before"] != row["now"], at
        last[at] = row["now"]
    assert len(last) > 10
    assert all(now[claim][pair] == then for (claim, pair), then in last.items())


def test_what_moved_is_added_with_its_reason_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(changelog, "path", lambda: tmp_path / "changes.csv")
    before = {"a": {"q/c": "exact", "q/r": "differs"}, "gone": {"q/c": "exact"}}
    now = {"a": {"q/c": "differs", "q/r": "differs"}, "new": {"q/c": "exact"}}
    assert changelog.add(before, before, "nothing") is None
    changelog.add(before, now, "the rule was mended", "2026-01-02")
    changelog.add(now, before, "and back", "2026-01-03")
    rows = changelog.read()
    assert [r["now"] for r in rows] == ["differs", "exact"]
    assert changelog.table()[0]["because"] == "and back"


def test_a_file_that_is_no_log_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(changelog, "path", lambda: tmp_path / "changes.csv")
    changelog.path().write_text("a,b\n1,2\n")
    with pytest.raises(Fault, match="changes of verdicts: expected date, claim"):
        changelog.read()


def test_each_claim_of_the_page_unfolds_its_chain():
    both = GOOD, {}
    chains = {c: why.chain(c, "quick", both) for c in ("bottleneck", "weights-mlp1")}
    made = page.html(report_on("quick", GOOD, {}), None, chains)
    assert made.count("link by link") == 2
    for where in ("paper.yml:", "verdicts.json:", "rules.py:"):
        assert where in made
