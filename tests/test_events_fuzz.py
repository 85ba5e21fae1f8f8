"""Damaged files of each format; LINDECAY_FUZZ sets how many (2,000 for the full run)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("events_fuzz.py")
FULL = os.environ.get("LINDECAY_FUZZ")
# an h5 file is first read by a process of its own: a quarter of a second a case
COUNTS = {"nmnist": 400, "shd": 25, "dvsgesture": 400}


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_file_gives_events_in_geometry_or_one_fault(kind, tmp_path):
    count = int(FULL) if FULL else COUNTS[kind]
    ask = [sys.executable, str(SCRIPT), kind, str(count), "1", str(tmp_path)]
    where = os.environ | {"LINDECAY_STORE": str(tmp_path / "store")}
    done = subprocess.run(ask, capture_output=True, text=True, env=where)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bad"] == []
    assert told["events"] + told["fault"] == count
    assert told["events"] and told["fault"]  # both ways were really taken
