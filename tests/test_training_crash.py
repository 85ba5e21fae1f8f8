"""A training that was stopped anywhere ends with the same weights.

LINDECAY_CRASH=1 stops at every write boundary and kills five times; else a sample.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("training_crash.py")
FULL = bool(os.environ.get("LINDECAY_CRASH"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_that_was_stopped_ends_with_the_same_weights():
    ask = [sys.executable, str(SCRIPT), *(("5", "1") if FULL else ("1", "7"))]
    done = subprocess.run(ask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bad"] == []
    assert told["boundaries"] > 10 and told["stops"] >= 4
    assert any(name.endswith("checkpoint.npz") for name in told["files"])
    assert not any("unfinished" in name for name in told["files"])
