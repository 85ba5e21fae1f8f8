"""Rows to tables: paired over shared seeds, honest about what was not run."""

import numpy as np
import pytest

from lindecay.studies import protocol, tables

LABELS = {"shd test": "abcabcabca"}


def row(arm, seed, predictions, **more):
    told = {"arm": arm, "seed": seed, "data": "shd", "judged": "test"}
    right = np.mean([a == b for a, b in zip(predictions, LABELS["shd test"])])
    return told | {"predictions": predictions, "accuracy": 100 * right} | more


def study(*rows):
    return tables.Study("main", 30, list(rows), LABELS)


PERFECT, NINE = "abcabcabca", "abcabcabcb"


def test_drop_is_paired_over_the_seeds_that_both_have():
    found = study(
        row("vlif", 0, PERFECT),
        row("vlif", 1, PERFECT),
        row("vlif", 2, NINE),
        row("ldlif", 1, NINE),
        row("ldlif", 0, PERFECT),
    )
    told = tables.drop(found, "ldlif")
    assert told["seeds"] == [0, 1] and told["clips"] == 10
    assert told["per_seed"] == [0.0, 10.0] and told["mean"] == 5.0
    assert told["mcnemar"]["only_base"] == 1 and told["mcnemar"]["only_other"] == 0


def test_one_common_seed_has_no_interval():
    found = study(row("vlif", 0, PERFECT), row("if", 0, NINE), row("if", 1, NINE))
    assert tables.drop(found, "if") is None


def test_another_study_is_paired_with_mains_v_lif():
    main = study(row("vlif", 0, PERFECT), row("vlif", 1, NINE), row("ldlif", 0, NINE))
    other = study(row("shift", 0, NINE), row("shift", 1, NINE))
    told = tables.against(main, other)
    assert told["seeds"] == [0, 1] and told["per_seed"] == [10.0, 0.0]
    assert tables.against(main, study()) is None


def test_agreement_counts_equal_answers_not_right_ones():
    found = study(
        row("vlif", 0, "bbbbbbbbbb", weight_bits=0),
        row("vlif", 0, "bbbbbbbbba", weight_bits=4),
        row("ldlif", 0, PERFECT, weight_bits=4),
    )
    assert tables.agreement(found, "weight_bits", 4, 0) == {"vlif": 0.9}


def test_two_questions_have_answers_of_their_own():
    told = {"interval": (-0.4, 0.6)}
    assert tables.answers(told, 0.5) == ("yes", "yes")
    assert tables.answers(told, 1.11) == ("no", "yes")
    assert tables.answers({"interval": (0.5, 2.0)}, 1.11) == ("yes", "no")


def test_a_study_that_was_not_run_says_so(tmp_path):
    empty = tables.made(protocol.read("weights", tmp_path))
    assert not empty and empty.n == "not run" and empty.arms() == []


def test_rows_of_tasks_that_are_no_longer_asked_do_not_count(tmp_path):
    task = protocol.tasks("main")[0]
    rows = [row("vlif", 0, PERFECT, key=key) for key in (task.key, "an older task")]
    rows = [r | {"labels": LABELS["shd test"]} for r in rows]
    protocol.write("main", rows, tmp_path)
    assert len(tables.made(protocol.read("main", tmp_path)).rows) == 1


def test_confusion_rows_are_shares_of_each_class():
    found = study(row("vlif", 0, NINE), row("vlif", 1, PERFECT))
    table = tables.confusion(found, "vlif", 3)
    assert table.sum(1) == pytest.approx([1, 1, 1])
    assert table[0, 1] == pytest.approx(1 / 8)


def test_an_axis_gives_mean_and_range_of_each_value():
    found = study(
        row("vlif", 0, PERFECT, weight_bits=3),
        row("vlif", 1, NINE, weight_bits=3),
        row("vlif", 0, NINE, weight_bits=1),
    )
    assert tables.axis(found, "weight_bits")["vlif"] == [
        (1, 90.0, 90.0, 90.0, 1),
        (3, 95.0, 90.0, 100.0, 2),
    ]
    assert tables.best(found, "weight_bits") == {"vlif": 3}
