"""Stopped at write boundaries and killed: the next run finishes, nothing is harmed.

LINDECAY_CRASH=1 stops at every boundary and kills five times; else a sample.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("events_crash.py")
FULL = bool(os.environ.get("LINDECAY_CRASH"))
STRIDES = {"get": 12, "fetch": 51, "stand-in": 28, "clips": 13}


@pytest.fixture(scope="module")
def told():
    """What became of each kind of work, from one run of the script."""
    kills = "5" if FULL else "1"
    plan = [f"{kind}={1 if FULL else stride}" for kind, stride in STRIDES.items()]
    ask = [sys.executable, str(SCRIPT), kills, "1", *plan]
    done = subprocess.run(ask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", STRIDES)
def test_work_that_was_stopped_is_finished_by_the_next_run(told, kind):
    mine = told[kind]
    assert mine["bad"] == []
    assert mine["killed"] == (5 if FULL else 1)
    stride = 1 if FULL else STRIDES[kind]
    assert mine["stops"] >= 2 * (mine["boundaries"] // stride)
