"""Memory of an epoch at DVS Gesture's size; LINDECAY_MEMORY=1 for all 1,077 clips."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("events_memory.py")
FULL = bool(os.environ.get("LINDECAY_MEMORY"))


def test_an_epoch_of_gestures_stays_small(tmp_path):
    count = 1077 if FULL else 22
    ask = [sys.executable, str(SCRIPT), str(count), str(tmp_path)]
    done = subprocess.run(ask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["events"] > 400_000 * count
    # 4 GB for the full set; a 50th of it holds Python, tonic and one clip's arrays
    assert told["peak_mb"] < (4000 if FULL else 1000)
