"""The lock and the conda environment: written from what is installed, in step.

requirements.lock = exact versions, no local build tags (`+cpu`), nothing editable
environment.yml   = the same pins inline; torch alone comes from conda, CPU build
"""

import subprocess
import sys
from pathlib import Path

from lindecay.settings import root
from lindecay.store import write_atomic

HEAD = """\
# Exact versions for Python 3.11 and newer, without local build tags.
# Written by `make lock`. torch is installed first, in a step of its own (Makefile):
# while pip looks for versions it could else swap a CPU build for a CUDA one.
"""
ENVIRONMENT = """\
# conda, mamba, Binder. Written by `make lock` from requirements.lock; a test holds
# the two equal. The one exception is torch: it comes from conda, as a CPU build.
name: lindecay
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - make
  - pytorch-cpu={torch}
  - pip:
"""


def pins(text: str) -> dict[str, str]:
    """{package: version} of a lock's text.

    >>> pins("# head\\ntorch==2.13.0\\nnumpy==2.4.6\\n")
    {'torch': '2.13.0', 'numpy': '2.4.6'}
    """
    lines = [line.strip() for line in text.splitlines()]
    return dict(line.split("==") for line in lines if line and line[0] != "#")


def lock_text(freeze: str) -> str:
    """The lock for what `pip freeze` prints.

    >>> lock_text("torch==2.13.0+cpu\\n-e /x\\nlindecay @ file:///x\\n").splitlines()[-1]
    'torch==2.13.0'
    """
    kept = [s.split("+")[0] for s in freeze.splitlines() if "==" in s and s[0] != "-"]
    return HEAD + "\n".join(sorted(kept, key=str.lower)) + "\n"


def environment_text(lock: str) -> str:
    """environment.yml for a lock."""
    found = pins(lock)
    lines = [f"      - {n}=={v}" for n, v in found.items() if n != "torch"]
    head = ENVIRONMENT.format(torch=found["torch"])
    return head + "\n".join([*lines, "      - -e ."]) + "\n"


def write(home: Path) -> None:
    """Write both files from this interpreter's packages."""
    ask = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    freeze = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    lock = lock_text(freeze)
    write_atomic(home / "requirements.lock", lock)
    write_atomic(home / "environment.yml", environment_text(lock))


if __name__ == "__main__":
    write(root())
