"""The bench of the array: what it reports, and memory that stays bounded."""

import pytest

from lindecay.bench.array import _line, conv_scaling, conv_sliced, large, work
from lindecay.sram import tally


def test_a_line_through_times_tells_what_is_fixed():
    found = _line({1: 5.0, 2: 7.0, 4: 11.0})
    assert (found["fixed_ms"], found["ms_per_event"]) == pytest.approx((3, 2))
    assert found["r2"] == pytest.approx(1)
    assert _line({1: 1.0, 2: 5.0, 3: 2.0})["r2"] < 0.5


def test_array_work_grows_with_events_and_with_planes():
    few, many = (tally(*work(2, spikes=n)).ledger for n in (40, 160))
    assert many.total().sops == 4 * few.total().sops
    cycles = [book["hidden", "accumulate"].macro_cycles for book in (few, many)]
    assert cycles[1] == pytest.approx(4 * cycles[0], rel=0.05)


def test_memory_of_a_large_layer_is_a_few_times_its_weights():
    found = large(1024)
    weights = 1.0  # MB, a byte each
    assert found["cells_mb"] < weights
    assert found["peak_mb"] < 8 * weights + 2


def test_convolutions_are_timed_with_their_counters():
    found = conv_sliced(rounds=1, clips=1)
    assert found["gsops"] > 0 and found["ratio"]["torch"] > 0
    assert found["threads"] == 1


def test_cost_of_convolutions_is_told_by_what_waits_at_their_tiles():
    found = conv_scaling(rounds=1, clips=1)["cpu_ms_by_entries"]
    assert len(found) == 4 and list(found) == sorted(found)
