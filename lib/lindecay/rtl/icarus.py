"""Icarus Verilog: compile and run; every failure is one line.

Debian's package `iverilog` serves; nothing here needs more than Verilog-2005.
"""

import re
import shutil
import subprocess
from pathlib import Path

from lindecay.settings import Fault

LIMIT = 3600  # seconds that a simulation may take


def available() -> bool:
    """Whether Icarus Verilog is installed."""
    return bool(shutil.which("iverilog") and shutil.which("vvp"))


def call(command: list[str], folder: Path, what: str, limit: int = LIMIT) -> str:
    """Standard output of a tool run in a folder.

    Raises:
        Fault: the tool is missing, fails, or takes longer than `limit` seconds.
    """
    if not shutil.which(command[0]):
        raise Fault(
            f"{command[0]} is not installed",
            expected="Icarus Verilog",
            found="none on PATH",
            do="apt-get install iverilog",
        )
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise Fault(what, expected=f"an end within {limit} s", found="none") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise Fault(f"{what} failed", expected="exit code 0", found=said[0])
    return done.stdout


def compiled(folder: Path, files: list[str], top: str, *flags: str) -> Path:
    """The simulation of a top module, `sim` in the folder."""
    command = ["iverilog", "-g2005", *flags, "-s", top, "-o", "sim", *files]
    call(command, folder, "iverilog")
    return folder / "sim"


def simulated(folder: Path, *more: str) -> dict:
    """Run `sim` of a self-checking testbench; its counts.

    Raises:
        Fault: when the simulation ends without a result.
    """
    text = call(["vvp", "-n", "sim", *more], folder, "the simulation")
    found = re.search(r"^RESULT (.*)$", text, re.M)
    if not found:
        last = (text.strip().splitlines() or ["nothing"])[-1]
        raise Fault("the simulation", expected="a line RESULT", found=last)
    pairs = (pair.split("=") for pair in found[1].split())
    out = {name: int(n) if n.isdigit() else -1 for name, n in pairs}
    layers = re.findall(r"^LAYER \d+ busy=(\d+) idle=(\d+)", text, re.M)
    out["busy"] = [int(busy) for busy, _ in layers]
    out["idle"] = [int(idle) for _, idle in layers]
    out["passed"] = bool(re.search(r"^PASS$", text, re.M))
    out["counters_wrong"] = re.findall(r"^COUNTER (.*)$", text, re.M)
    return out
