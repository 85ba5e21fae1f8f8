"""The bench of the array: what it reports, and memory that stays bounded."""

import pytest

from lindecay.sram import tally
from lindecay.sram.bench import _slope, large, work


def test_a_slope_in_log_log_is_the_exponent():
    assert _slope({1: 3.0, 2: 6.0, 4: 12.0}) == pytest.approx(1)
    assert _slope({10: 2.0, 100: 200.0}) == pytest.approx(2)


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
