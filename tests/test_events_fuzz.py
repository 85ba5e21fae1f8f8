"""Damaged files of each format; LINDECAY_FUZZ=2000 runs the full count."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("events_fuzz.py")
FULL = os.environ.get("LINDECAY_FUZZ")
# an h5 file is first read by a process of its own: half a second a case
COUNTS = {"nmnist": 400, "shd": 12, "dvsgesture": 400}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What became of every damaged file, from one run of the script."""
    place = tmp_path_factory.mktemp("fuzz")
    plan = [f"{kind}={FULL or count}" for kind, count in COUNTS.items()]
    ask = [sys.executable, str(SCRIPT), str(place), "1", *plan]
    where = os.environ | {"LINDECAY_STORE": str(place / "store")}
    done = subprocess.run(ask, capture_output=True, text=True, env=where)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_file_gives_events_in_geometry_or_one_fault(told, kind):
    mine, count = told[kind], int(FULL or COUNTS[kind])
    assert mine["bad"] == []
    assert mine["events"] + mine["fault"] == count
    assert mine["events"] and mine["fault"]  # both ways were really taken
