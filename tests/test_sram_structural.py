"""The structural tier against the bits: every counter that both know."""

from dataclasses import asdict

import numpy as np
import pytest

from lindecay import sram
from lindecay.settings import Fault
from lindecay.sram import MacroSpec, structural
from test_sram import SMALL, clips_for, network

SPECS = {
    "tree": SMALL,
    "star": MacroSpec(rows=64, cols=32, merge="star"),
    "one port": MacroSpec(rows=64, cols=32, ports=1),
    "default": MacroSpec(),
}


@pytest.mark.parametrize("law", ["shrink", "floor", "floor_after", "drift", "none"])
@pytest.mark.parametrize("name", SPECS)
def test_structural_counters_equal_the_bits(name, law, monkeypatch):
    monkeypatch.setattr(structural, "CHUNK", 2)
    ck = network((120, 40, 10), law, bias=lambda n, rng: rng.integers(-5, 5, n))
    clips = clips_for(ck, n=5)
    run, fast = sram.emulate(ck, clips, SPECS[name]), sram.tally(ck, clips, SPECS[name])
    np.testing.assert_array_equal(fast.counts, run.trace.counts)
    assert set(fast.ledger) == set(run.ledger)
    for key in run.ledger:
        bits, ours = asdict(run.ledger[key]), asdict(fast.ledger[key])
        for field in structural.SHARED:
            assert ours[field] == bits[field], (key, field)
        assert not any(ours[field] for field in structural.BITS)
    assert fast.ledger.total().clamped and fast.ledger.total().fired


def test_chunks_hold_every_clip_once():
    clips = clips_for(network((20, 10)), n=7)
    parts = list(structural.chunks(clips, 3))
    assert [len(part) for part in parts] == [3, 3, 1]
    together = np.concatenate([part.channel for part in parts])
    np.testing.assert_array_equal(together, clips.channel)


def test_other_layouts_have_no_structural_tier():
    ck = network((20, 10))
    with pytest.raises(Fault, match="expected layout A, linear layers, found B"):
        sram.tally(ck, clips_for(ck), MacroSpec(layout="B"))
